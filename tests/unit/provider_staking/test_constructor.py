"""ProviderStaking's deployment: bounds of the durations and minima."""

from typing import Any

import boa
import pytest

from tests.compiled import CONTRACTS, compiled
from tests.unit.conftest import load

DAY = 86_400
# epoch length, unbonding period, lock period, least self-bond, least delegation, role delay
SMALLEST = (1, 1, 1, 10**9, 10**9, 2)
LARGEST = (30 * DAY, 365 * DAY, 30 * DAY, 10**28, 10**28, 366 * DAY)


@pytest.fixture
def deploy(token: Any) -> Any:
    def _deploy(*parameters: int, notice: int = 365 * DAY) -> Any:
        providers = load("ProviderRegistry", notice)
        return compiled(CONTRACTS / "ProviderStaking.vy").deploy(providers, token, 0, *parameters)

    return _deploy


@pytest.mark.parametrize("parameters", [SMALLEST, LARGEST], ids=["smallest", "largest"])
def test_bounds_are_inclusive_and_parameters_are_kept(deploy, token, parameters, deployer):
    staking = deploy(*parameters, notice=parameters[1])
    assert staking.TOKEN() == token.address
    assert (
        staking.EPOCH_LENGTH(),
        staking.UNBONDING_PERIOD(),
        staking.LOCK_PERIOD(),
        staking.MIN_SELF_BOND(),
        staking.MIN_DELEGATION(),
        staking.ROLE_CHANGE_DELAY(),
    ) == parameters
    assert staking.owner() == deployer


@pytest.mark.parametrize(
    ("index", "value", "reason"),
    [
        (1, 30 * DAY - 1, "unbonding period out of bounds"),
        (1, 365 * DAY + 1, "unbonding period out of bounds"),
        (2, 0, "lock period out of bounds"),
        (2, 30 * DAY + 1, "lock period out of bounds"),
        (3, 10**9 - 1, "least self-bond out of bounds"),
        (4, 10**9 - 1, "least delegation out of bounds"),
        (5, 365 * DAY, "role delay too short"),
    ],
)
def test_out_of_bounds_reverts(deploy, index, value, reason):
    parameters = list(LARGEST)
    parameters[index] = value
    with boa.reverts(f"provider_staking: {reason}"):
        deploy(*parameters)


def test_notice_of_worse_terms_is_no_shorter_than_unbonding(deploy):
    with boa.reverts("provider_staking: notice period too short"):
        deploy(*LARGEST, notice=365 * DAY - 1)


def test_epochs_have_a_length(deploy):
    with boa.reverts("epoch_clock: length out of bounds"):
        deploy(0, *SMALLEST[1:])


def test_nobody_holds_a_role_at_first(staking, provider, owner, refused):
    with refused("roles: caller lacks the role"):
        staking.slash(provider, (1, owner, 0, owner, 0))
    with refused("roles: caller lacks the role"):
        staking.lock(provider, 1)


def test_slasher_is_replaced_only_after_more_than_the_unbonding_period(
    staking, provider, slasher, stranger, deployer
):
    staking.set_role(staking.SLASHER(), stranger, sender=deployer)
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())
    with boa.reverts("roles: change not ready"):
        staking.apply_role(staking.SLASHER())
    boa.env.time_travel(seconds=staking.ROLE_CHANGE_DELAY() - staking.UNBONDING_PERIOD())
    staking.apply_role(staking.SLASHER())
    assert staking.role_holder(staking.SLASHER()) == stranger


def test_only_the_owner_names_roles(staking, stranger):
    with boa.reverts("ownable: caller is not the owner"):
        staking.set_role(staking.SLASHER(), stranger, sender=stranger)
    assert staking.role_holder(staking.SLASHER()) == "0x" + "00" * 20
