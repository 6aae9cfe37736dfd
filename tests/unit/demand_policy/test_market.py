"""The policy in its place: under the real controller, with real prices, through the real shock."""

from dataclasses import astuple, replace
from typing import Any

import pytest

from oracle.domain.demand import Payment, State
from scripts._demand.market import RULE, TARGETS, Scenario, fleet, play
from tests.unit.conftest import HOUR, UNIT, role
from tests.unit.market import load_module, load_odd
from tests.unit.prices.conftest import Feed

from .conftest import CENT, WHOLE_OWED, logged, pass_epochs, state_of


@pytest.fixture
def feed(prices: Any, token: Any) -> Any:
    """The work token costs 50 cents."""
    feed = load_odd("odd_feed", 50 * 10**6, 8)
    prices.set_feed(token, astuple(Feed(str(feed.address), max_age=2 * HOUR, grace=4 * HOUR)))
    return feed


def split(controller: Any) -> tuple[int, int]:
    ((_, scheduled, released, _),) = logged(controller, "BudgetSplit")
    return scheduled, released


def test_a_press_grants_what_is_owed(
    market, controller, new_policy, prices, feed, signed, token, distributor
):
    policy = new_policy(prices=prices.address)
    policy.set_target(2, (15 * CENT, 100))
    policy.set_target(3, (120 * CENT, 100))
    controller.set_role(role("POLICY"), policy)
    pass_epochs()
    # pressed before the figures are there: all of it waits in the vault
    controller.press(1)
    assert split(controller) == (150 * UNIT, 0)
    policy.post_device_time(*signed(policy, 0))
    pass_epochs()
    feed.say(50 * 10**6, 0)
    policy.post_device_time(*signed(policy, 1))
    controller.press(1)
    assert split(controller) == (150 * UNIT, 2 * WHOLE_OWED)
    assert token.balanceOf(distributor) == 2 * WHOLE_OWED
    assert controller.vault() == 300 * UNIT - 2 * WHOLE_OWED
    # the feed falls silent: the last good price, then a part of the allowance
    for epoch in range(2, 8):
        pass_epochs()
        policy.post_device_time(*signed(policy, epoch))
        controller.press(1)
        assert split(controller) == (150 * UNIT, WHOLE_OWED)
    pass_epochs()
    policy.post_device_time(*signed(policy, 8))
    available = controller.vault() + 150 * UNIT
    controller.press(1)
    assert split(controller) == (150 * UNIT, available * 20 // 10_000)


def test_a_press_goes_on_without_a_policy_whose_time_is_to_come(
    market, controller, new_policy, prices, feed
):
    policy = new_policy(prices=prices.address, first_epoch=1)
    controller.set_role(role("POLICY"), policy)
    pass_epochs(2)
    controller.press(2)
    assert [e[2] for e in logged(controller, "SourceFailed")] == [policy.address]
    assert policy.next_epoch() == 2


def test_sampled_epochs_of_the_simulation_are_the_contracts():
    """Every 97th hour of the shock, by the contract's own rule."""
    rule = load_module("demand")
    epochs = [each for day in play(Scenario()) for each in day.epochs]
    sample = epochs[::97]
    assert any(each.payment.shortfall for each in sample)
    assert any(each.payment.burnt for each in sample)
    assert any(each.before.is_falling for each in sample)
    for each in sample:
        after, payment = rule._pay(
            astuple(RULE),
            astuple(each.before),
            each.usd,
            each.price,
            each.available,
            each.fees,
            each.income,
        )
        assert State(*after) == each.after
        assert Payment(*payment) == each.payment


def test_a_short_life_of_the_simulation_is_the_contracts(
    new_policy, told_prices, controller, signed, token
):
    """Three days, hour by hour, through signed figures and releases: the shock comes after a day,
    and there is no allowance to speak of."""
    rule = replace(RULE, reserve_epochs=1, average_epochs=6, step_bps=300)
    policy = new_policy(rule=astuple(rule))
    for number, target in TARGETS.items():
        policy.set_target(number, astuple(target))
    scenario = Scenario(growth_days=1, shock_day=1, days=3, fees_bps=9_000)
    days = list(play(scenario, rule))
    assert sum(day.shortfall for day in days)
    assert days[-1].burnt
    for day in days:
        for each in day.epochs:
            pass_epochs()
            policy.post_device_time(*signed(policy, each.number, fleet(scenario, day.day)))
            token.transfer(policy, each.income)
            told_prices.tell(each.price, True, 0, False)
            assert policy.fee_vault() == each.fees
            released = policy.release(each.number, each.available, sender=controller.address)
            assert released == each.payment.from_allowance
            assert logged(policy, "Paid")[0][4:] == astuple(each.payment)
            assert state_of(policy) == each.after
