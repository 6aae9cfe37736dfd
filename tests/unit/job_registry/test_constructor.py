"""JobRegistry's constructor."""

import boa
import pytest

from tests.compiled import CONTRACTS, compiled
from tests.unit.conftest import DAY, JOB_TIMEOUT, ROLE_DELAY, role

ZERO = "0x" + "00" * 20
# position of each constructor argument
PROVIDERS, CLUSTERS, BONDS, OFFERS, TIMEOUT = range(5)


@pytest.fixture
def arguments(providers, clusters, bonds, offers):
    return [providers, clusters, bonds, offers, JOB_TIMEOUT, ROLE_DELAY]


@pytest.fixture(scope="module")
def contract():
    return compiled(CONTRACTS / "JobRegistry.vy")


def test_keeps_what_it_was_given(contract, arguments, deployer):
    jobs = contract.deploy(*arguments)
    assert [
        jobs.PROVIDERS(),
        jobs.CLUSTERS(),
        jobs.BONDS(),
        jobs.OFFERS(),
        jobs.JOB_TIMEOUT(),
        jobs.ROLE_CHANGE_DELAY(),
    ] == [getattr(argument, "address", argument) for argument in arguments]
    assert jobs.owner() == deployer
    assert {jobs.role_holder(role(name)) for name in ("ESCROW", "COURT")} == {ZERO}


@pytest.mark.parametrize("timeout", [1, 90 * DAY])
def test_bounds_are_inclusive(contract, arguments, timeout):
    arguments[TIMEOUT] = timeout
    contract.deploy(*arguments)


@pytest.mark.parametrize(
    ("position", "value", "reason"),
    [
        (PROVIDERS, ZERO, "no providers"),
        (CLUSTERS, ZERO, "no clusters"),
        (BONDS, ZERO, "no bonds"),
        (OFFERS, ZERO, "no offers"),
        (TIMEOUT, 0, "job timeout out of bounds"),
        (TIMEOUT, 90 * DAY + 1, "job timeout out of bounds"),
    ],
)
def test_what_can_not_work_reverts(contract, arguments, position, value, reason):
    arguments[position] = value
    with boa.reverts(f"job_registry: {reason}"):
        contract.deploy(*arguments)
