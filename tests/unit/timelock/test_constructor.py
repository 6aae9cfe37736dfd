"""Timelock.__init__: who holds which role, and nobody else."""

import boa
import pytest

from tests.compiled import CONTRACTS, compiled

from .conftest import DAY, MIN_DELAY, NOBODY


@pytest.fixture
def deploy(proposer, executor):
    deployer = compiled(CONTRACTS / "Timelock.vy")

    def _deploy(min_delay=MIN_DELAY, proposers=(proposer,), executors=(executor,), admin=NOBODY):
        return deployer.deploy(min_delay, list(proposers), list(executors), admin)

    return _deploy


def test_roles(timelock, proposer, executor, deployer):
    admin, propose = timelock.DEFAULT_ADMIN_ROLE(), timelock.PROPOSER_ROLE()
    cancel, run = timelock.CANCELLER_ROLE(), timelock.EXECUTOR_ROLE()
    assert timelock.get_minimum_delay() == MIN_DELAY
    holders = {
        account: [timelock.hasRole(role, account) for role in (admin, propose, cancel, run)]
        for account in (timelock.address, proposer, executor, deployer, NOBODY)
    }
    assert holders == {
        timelock.address: [True, False, False, False],
        proposer: [False, True, True, False],
        executor: [False, False, False, True],
        deployer: [False, False, False, False],
        NOBODY: [False, False, False, False],
    }


def test_admin_if_asked_for(deploy, stranger):
    timelock = deploy(admin=stranger)
    assert timelock.hasRole(timelock.DEFAULT_ADMIN_ROLE(), stranger)
    timelock.renounceRole(timelock.DEFAULT_ADMIN_ROLE(), stranger, sender=stranger)
    assert not timelock.hasRole(timelock.DEFAULT_ADMIN_ROLE(), stranger)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"min_delay": 90 * DAY + 1}, "delay out of bounds"),
        ({"min_delay": 2**256 - 1}, "delay out of bounds"),
        ({"proposers": ()}, "no proposer"),
        ({"executors": ()}, "no executor"),
    ],
)
def test_bounds(deploy, change, reason):
    with boa.reverts(f"timelock: {reason}"):
        deploy(**change)


def test_accepts_the_bounds_themselves(deploy):
    assert deploy(min_delay=0).get_minimum_delay() == 0
    assert deploy(min_delay=90 * DAY).get_minimum_delay() == 90 * DAY


def test_receives_ether(timelock, stranger):
    boa.env.raw_call(timelock.address, value=5, sender=stranger)
    assert boa.env.get_balance(timelock.address) == 5
