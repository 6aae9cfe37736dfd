"""What no leaf took comes back and pays later budgets: nothing is lost, nothing is doubled."""

from typing import Any

import boa
import pytest
from eth_account.signers.local import LocalAccount
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.domain.emission import Schedule
from tests.unit.conftest import EPOCH_LENGTH, ROLE_DELAY, load, role
from tests.unit.reward_market import RewardMarket, account_leaf, logged

NO_TAKER = 1


def books(rewards: RewardMarket) -> tuple[int, ...]:
    """What a refused call must leave alone."""
    return (
        rewards.controller.reserve(),
        rewards.controller.reclaimed(),
        rewards.distributor.reserved(),
        rewards.token.balanceOf(rewards.controller),
        rewards.token.balanceOf(rewards.distributor),
        rewards.token.minted(),
    )


def test_what_nobody_took_comes_back(
    rewards: RewardMarket, oracles: list[LocalAccount], stranger: str
):
    last = rewards.end_epochs()
    budget = rewards.controller.cumulative_budget(last)
    rewards.post([account_leaf(oracles[0], 30)])
    rewards.activate()
    with boa.env.prank(stranger):
        assert rewards.controller.reclaim() == budget - 30
    (event,) = logged(rewards.controller, "Reclaimed")
    assert (event.to_epoch, event.reason, event.amount) == (last, NO_TAKER, budget - 30)
    assert rewards.controller.NO_TAKER() == NO_TAKER
    assert rewards.controller.reserve() == rewards.controller.reclaimed() == budget - 30
    assert rewards.token.balanceOf(rewards.controller) == budget - 30
    assert rewards.token.balanceOf(rewards.distributor) == 30
    assert rewards.claim(account_leaf(oracles[0], 30)) == 30


def test_the_reserve_pays_before_anything_is_minted(rewards: RewardMarket):
    last = rewards.end_epochs()
    rewards.post([])
    rewards.activate()
    first = rewards.controller.reclaim()
    assert first == rewards.controller.cumulative_budget(last)
    minted = rewards.token.minted()
    # the activation delay was one epoch, so this press covers one from the reserve
    rewards.controller.press(1)
    assert rewards.token.minted() == minted
    assert rewards.controller.reserve() == 0
    assert rewards.token.balanceOf(rewards.distributor) == first
    # the next one has to be minted
    rewards.end_epochs()
    assert rewards.token.minted() == minted + first


def test_a_reserve_that_covers_a_part(rewards: RewardMarket, oracles: list[LocalAccount]):
    rewards.close([account_leaf(oracles[0], 30)])
    reserve = rewards.controller.reclaim()
    minted = rewards.token.minted()
    rewards.controller.press(1)
    assert rewards.controller.reserve() == 0
    assert rewards.token.minted() == minted + 30
    assert rewards.token.balanceOf(rewards.distributor) == 30 + reserve + 30


def test_the_reserve_does_not_count_as_issued(rewards: RewardMarket, oracles: list[LocalAccount]):
    before = rewards.controller.issuance()
    rewards.close([account_leaf(oracles[0], 30)])
    rewards.controller.reclaim()
    assert rewards.controller.issuance() == before + 30


@pytest.mark.parametrize(("reserve", "scheduled"), [(0, 21), (100, 35)])
def test_the_schedule_goes_by_what_was_issued(
    small: Any, token_of: Any, reserve: int, scheduled: int
):
    token = token_of(small)
    # 490 of the 500 at which the emission is halved; what is in the reserve does not count
    boa.env.time_travel(seconds=14 * 60)
    small.press(14)
    small.eval(f"self.reserve = {reserve}")
    token.eval(f"erc20.balanceOf[{small.address}] = {reserve}")
    boa.env.time_travel(seconds=60)
    small.press(1)
    (split,) = logged(small, "BudgetSplit")
    assert split.scheduled == scheduled
    from_reserve = min(reserve, scheduled)
    assert small.reserve() == token.balanceOf(small) == reserve - from_reserve
    assert token.minted() == 490 + scheduled - from_reserve


def test_a_reserve_of_one_unit_is_used(small: Any, token_of: Any):
    token = token_of(small)
    boa.env.time_travel(seconds=60)
    small.press(1)
    small.eval("self.reserve = 1")
    token.eval(f"erc20.balanceOf[{small.address}] = 1")
    boa.env.time_travel(seconds=60)
    small.press(1)
    assert small.reserve() == token.balanceOf(small) == 0
    assert (small.cumulative_budget(1), token.minted()) == (70, 69)


def test_before_any_report(rewards: RewardMarket):
    rewards.end_epochs()
    before = books(rewards)
    with boa.reverts("emissions_controller: no active report"):
        rewards.controller.reclaim()
    assert books(rewards) == before


def test_a_report_that_waits_gives_nothing_back(rewards: RewardMarket):
    rewards.end_epochs()
    rewards.post([])
    before = books(rewards)
    with boa.reverts("emissions_controller: no active report"):
        rewards.controller.reclaim()
    assert books(rewards) == before


@pytest.mark.parametrize("taken", ["nothing", "everything"])
def test_nothing_is_left_to_reclaim(rewards: RewardMarket, oracles: list[LocalAccount], taken: str):
    last = rewards.end_epochs()
    if taken == "nothing":
        rewards.post([])
        rewards.activate()
        rewards.controller.reclaim()
    else:
        budget = rewards.controller.cumulative_budget(last)
        rewards.post([account_leaf(oracles[0], budget)])
        rewards.activate()
    before = books(rewards)
    with boa.reverts("emissions_controller: nothing to reclaim"):
        rewards.controller.reclaim()
    assert books(rewards) == before


def test_without_a_ledger(rewards: RewardMarket):
    controller = load(
        "EmissionsController", rewards.token, 0, EPOCH_LENGTH, 1, 12, 0, 0, ROLE_DELAY
    )
    with boa.reverts("emissions_controller: no ledger"):
        controller.reclaim()


def test_without_a_distributor(rewards: RewardMarket):
    rewards.close([])
    rewards.controller.set_role(role("DISTRIBUTOR"), "0x" + "00" * 20)
    boa.env.time_travel(seconds=ROLE_DELAY)
    rewards.controller.apply_role(role("DISTRIBUTOR"))
    before = books(rewards)
    with boa.reverts("emissions_controller: no distributor"):
        rewards.controller.reclaim()
    assert books(rewards) == before


def test_a_reclaimed_budget_cannot_be_reported_again(
    rewards: RewardMarket, oracles: list[LocalAccount]
):
    rewards.close([])
    rewards.controller.reclaim()
    rewards.controller.press(1)
    budget = rewards.controller.cumulative_budget(1) - rewards.controller.cumulative_budget(0)
    with boa.reverts("epoch_ledger: rewards over budget"):
        rewards.post([account_leaf(oracles[0], budget + 1)])
    rewards.post([account_leaf(oracles[0], budget)])
    rewards.activate()
    assert rewards.claim(account_leaf(oracles[0], budget)) == budget


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=12
)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 100), st.booleans()), max_size=5))
def test_paid_and_reclaimed_are_the_budgets(
    rewards: RewardMarket, oracles: list[LocalAccount], epochs: list[Any]
):
    """Whatever part is taken, claimed and reclaimed: the books close to the base unit."""
    controller, token, distributor = rewards.controller, rewards.token, rewards.distributor
    with boa.env.anchor():
        genesis = token.minted()
        granted = taken = claimed = carry = 0
        schedule = Schedule(controller.CAP(), controller.INITIAL_EMISSION(), 12)
        for count, percent, claims in epochs:
            issuance = controller.issuance()
            pressed = controller.next_epoch()
            last = rewards.end_epochs(count)
            for epoch in range(pressed, last + 1):
                budget, carry = schedule.emission(issuance, EPOCH_LENGTH, carry)
                issuance += budget
                granted += budget
                assert controller.cumulative_budget(epoch) == granted
            taken += (granted - taken - controller.reclaimed()) * percent // 100
            leaf = account_leaf(oracles[0], taken)
            rewards.post([leaf])
            rewards.activate()
            if claims and taken > claimed:
                assert rewards.claim(leaf) == taken - claimed
                claimed = taken
            if granted - taken != controller.reclaimed():
                controller.reclaim()
            assert controller.reclaimed() + taken == granted
            assert token.balanceOf(distributor) == taken - claimed
            assert token.balanceOf(controller) == controller.reserve()
            assert token.minted() - genesis == taken + controller.reserve()
