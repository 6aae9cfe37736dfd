"""What a distributor is made of, and the bounds of it."""

from collections.abc import Callable
from typing import Any

import boa
import pytest

from tests.unit.conftest import DAY, ROLE_DELAY, load, role

FOUR_YEARS = 4 * 365 * DAY


def test_constants(
    distributor: Any, token: Any, ledger: Any, controller: Any, staking: Any, deployer: str
):
    assert distributor.TOKEN() == token.address
    assert distributor.LEDGER() == ledger.address
    assert distributor.CONTROLLER() == controller.address
    assert distributor.STAKING() == staking.address
    assert distributor.VESTING_PERIOD() == 180 * DAY
    assert distributor.IMMEDIATE_BPS() == 2_500
    assert distributor.ROLE_CHANGE_DELAY() == ROLE_DELAY
    assert distributor.owner() == deployer
    assert distributor.COURT() == role("COURT")
    assert (distributor.PROVIDER(), distributor.ACCOUNT()) == (1, 2)
    assert (
        distributor.adopted_total() == distributor.reserved() == distributor.open_to_claims() == 0
    )
    assert token.allowance(distributor, staking) == 2**256 - 1


def test_bounds_are_inclusive(token: Any, ledger: Any, controller: Any, staking: Any):
    for period, share in ((1, 0), (FOUR_YEARS, 10_000)):
        distributor = load(
            "RewardDistributor", token, ledger, controller, staking, period, share, 0, 0
        )
        assert distributor.VESTING_PERIOD() == period
        assert distributor.IMMEDIATE_BPS() == share


@pytest.mark.parametrize(
    ("period", "share", "reason"),
    [
        (0, 2_500, "reward_distributor: vesting period out of bounds"),
        (FOUR_YEARS + 1, 2_500, "reward_distributor: vesting period out of bounds"),
        (DAY, 10_001, "reward_distributor: immediate share out of bounds"),
    ],
)
def test_out_of_bounds(
    token: Any,
    ledger: Any,
    controller: Any,
    staking: Any,
    period: int,
    share: int,
    reason: str,
):
    with boa.reverts(reason):
        load("RewardDistributor", token, ledger, controller, staking, period, share, 0, 0)


def test_a_token_that_could_outgrow_the_packing(ledger: Any, controller: Any, staking: Any):
    vast = load("WorkToken", "Vast", "VAST", 2**96, [], 0)
    with boa.reverts("reward_distributor: supply out of bounds"):
        load("RewardDistributor", vast, ledger, controller, staking, DAY, 0, 0, 0)


@pytest.fixture
def deploy_on(controller: Any, committee: Any, staking: Any, guardian: str) -> Callable[..., Any]:
    """A distributor of a token that is emitted as fast as it can be, and what funds it."""

    def _deploy(supply: int) -> tuple[Any, Any]:
        token = load("WorkToken", "Large", "L", supply, [], 0)
        schedule = load(
            "EmissionsController", token, boa.env.timestamp, DAY, min(supply, 2**96 - 1), 1, 0, 0, 0
        )
        ledger = load("EpochLedger", committee, schedule, DAY, guardian)
        distributor = load("RewardDistributor", token, ledger, schedule, staking, DAY, 2_500, 0, 0)
        token.set_role(role("MINTER"), schedule)
        schedule.set_role(role("DISTRIBUTOR"), distributor)
        schedule.set_role(role("LEDGER"), ledger)
        return schedule, distributor

    return _deploy


def test_reserves_the_largest_supply(deploy_on: Callable[..., Any]):
    schedule, distributor = deploy_on(2**96 - 1)
    boa.env.time_travel(seconds=2 * DAY)
    schedule.press(64)
    assert 2**95 < distributor.reserved() <= 2**96 - 1


def test_refuses_a_larger_supply(ledger: Any, controller: Any, staking: Any):
    token = load("WorkToken", "Larger", "L", 2**96, [], 0)
    with boa.reverts("reward_distributor: supply out of bounds"):
        load("RewardDistributor", token, ledger, controller, staking, DAY, 2_500, 0, 0)
