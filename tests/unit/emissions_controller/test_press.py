"""Granting budgets: which epochs, how much, to whom."""

from collections.abc import Callable
from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.domain.emission import Schedule
from tests.unit.conftest import load, role

MINUTE = 60


def pressed_events(controller: Any) -> list[tuple[int, int, int]]:
    return [
        (e.epoch, e.budget, e.cumulative_budget)
        for e in controller.get_logs()
        if type(e).__name__ == "EpochPressed"
    ]


def state(controller: Any, token: Any) -> tuple[int, ...]:
    return (
        controller.next_epoch(),
        controller.carry(),
        controller.reserve(),
        controller.reclaimed(),
        token.minted(),
    )


def test_an_ended_epoch_is_granted_and_minted_to_the_distributor(
    small: Any, token_of: Any, distributor_of: Any, stranger: str
):
    boa.env.time_travel(seconds=MINUTE)
    with boa.env.prank(stranger):
        assert small.press(1) == 1
    assert pressed_events(small) == [(0, 35, 35)]
    assert small.cumulative_budget(0) == 35
    assert small.next_epoch() == 1
    distributor = distributor_of(small)
    assert token_of(small).balanceOf(distributor) == token_of(small).minted() == 35
    assert distributor.reserved() == 35


def test_an_epoch_is_not_pressed_before_it_ends(small: Any, token_of: Any):
    boa.env.time_travel(seconds=MINUTE - 1)
    before = state(small, token_of(small))
    with boa.reverts("emissions_controller: nothing to press"):
        small.press(1)
    assert state(small, token_of(small)) == before


def test_an_epoch_is_not_pressed_twice(small: Any, token_of: Any):
    boa.env.time_travel(seconds=MINUTE)
    small.press(5)
    before = state(small, token_of(small))
    with boa.reverts("emissions_controller: nothing to press"):
        small.press(5)
    assert state(small, token_of(small)) == before


def test_no_epochs_asked_for(small: Any, token_of: Any):
    boa.env.time_travel(seconds=MINUTE)
    before = state(small, token_of(small))
    with boa.reverts("emissions_controller: nothing to press"):
        small.press(0)
    assert state(small, token_of(small)) == before


def test_missed_epochs_are_covered_by_later_calls(small: Any, token_of: Any, distributor_of: Any):
    boa.env.time_travel(seconds=5 * MINUTE + 1)
    assert small.press(2) == 2
    assert pressed_events(small) == [(0, 35, 35), (1, 35, 70)]
    assert small.press(100) == 3
    assert [small.cumulative_budget(epoch) for epoch in range(5)] == [35, 70, 105, 140, 175]
    assert token_of(small).balanceOf(distributor_of(small)) == 175


def test_one_call_is_bounded(small: Any):
    boa.env.time_travel(seconds=100 * MINUTE)
    assert small.MAX_EPOCHS() == 64
    assert small.press(2**256 - 1) == 64
    assert small.press(2**256 - 1) == 36


def test_before_genesis(deploy_controller: Callable[..., Any], token_of: Any):
    later = boa.env.evm.patch.timestamp + 1_000
    controller = deploy_controller(1_000, 7, 12, genesis=later)
    with boa.reverts("epoch_clock: before genesis"):
        controller.press(1)
    assert token_of(controller).minted() == 0


def test_without_a_distributor_grants_wait(
    deploy_controller: Callable[..., Any], token_of: Any, ledger: Any, staking: Any
):
    controller = deploy_controller(1_000, 7, 12, epoch_length=MINUTE, wired=False)
    boa.env.time_travel(seconds=MINUTE)
    with boa.reverts("emissions_controller: no distributor"):
        controller.press(1)
    assert controller.next_epoch() == 0
    token = token_of(controller)
    distributor = load("RewardDistributor", token, ledger, controller, staking, 1, 0, 0, 0)
    controller.set_role(role("DISTRIBUTOR"), distributor)
    assert controller.press(1) == 1
    assert token.balanceOf(distributor) == 35


def test_a_controller_that_may_not_mint_presses_nothing(small: Any, token_of: Any, stranger: str):
    token = token_of(small)
    token.set_role(role("MINTER"), stranger)
    boa.env.time_travel(seconds=token.ROLE_CHANGE_DELAY())
    token.apply_role(role("MINTER"))
    with boa.reverts("roles: caller lacks the role"):
        small.press(1)
    assert small.next_epoch() == 0


def test_the_fraction_of_a_unit_goes_on_to_the_next_epoch(
    deploy_controller: Callable[..., Any],
):
    # 1 unit per 7 seconds, epochs of 10: 1 3/7, 1 3/7, 1 3/7 units ...
    controller = deploy_controller(1_000, 1, 7, epoch_length=10)
    boa.env.time_travel(seconds=70)
    controller.press(7)
    assert [b for _, b, _ in pressed_events(controller)] == [1, 1, 2, 1, 2, 1, 2]
    assert controller.carry() == 0


def test_the_cap_ends_it(deploy_controller: Callable[..., Any], token_of: Any):
    controller = deploy_controller(100, 100, 1, epoch_length=10)
    boa.env.time_travel(seconds=30)
    assert controller.press(3) == 3
    assert [b for _, b, _ in pressed_events(controller)] == [100, 0, 0]
    assert token_of(controller).minted() == token_of(controller).MAX_SUPPLY() == 100


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15
)
@given(calls=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 70)), max_size=6))
def test_when_it_is_called_changes_nothing(
    small: Any, schedule_of: Callable[[Any], Schedule], token_of: Any, calls: list[Any]
):
    """Whoever calls how often: epoch by epoch the budgets are those of the schedule."""
    with boa.env.anchor():
        for wait, epochs in calls:
            boa.env.time_travel(seconds=wait * MINUTE)
            if small.current_epoch() > small.next_epoch():
                small.press(epochs)
        issued = carry = 0
        for epoch in range(small.next_epoch()):
            budget, carry = schedule_of(small).emission(issued, MINUTE, carry)
            issued += budget
            assert small.cumulative_budget(epoch) == issued
        assert small.carry() == carry
        assert token_of(small).minted() == small.issuance() == issued


@pytest.mark.parametrize("epoch", [0, 5, 2**64 - 1])
def test_the_budget_of_an_epoch_that_was_not_pressed(small: Any, epoch: int):
    with boa.reverts("emissions_controller: epoch not pressed"):
        small.cumulative_budget(epoch)
