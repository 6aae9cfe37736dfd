"""DemandPolicy.release: out of what an epoch is paid, what is burnt, how targets move."""

from dataclasses import astuple

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.domain.demand import FULL, ClassTime, State, pay, pay_without_price
from tests.unit.conftest import UNIT

from .conftest import (
    CENT,
    DATACENTER,
    HOUR,
    RULE,
    USD,
    WAIT,
    WHOLE_OWED,
    WHOLE_USD,
    fresh,
    logged,
    pass_epochs,
    state_of,
)

# --- out of the allowance -----------------------------------------------------------------


def test_covers_what_is_owed_at_the_price(demand, post, release):
    pass_epochs()
    post(0)
    assert release(0) == WHOLE_OWED
    assert logged(demand, "Paid") == [
        (0, WHOLE_USD, FULL, 50 * CENT, WHOLE_OWED, WHOLE_OWED, 0, 0, 0)
    ]
    assert demand.next_epoch() == 1
    assert demand.owed_usd(0) == 0
    assert demand.posted(0) != bytes(32)
    assert state_of(demand) == fresh(average_owed=WHOLE_USD // 8, last_owed=WHOLE_OWED)


@pytest.mark.parametrize("price", [1, 50 * CENT, 3 * USD, 10**27])
def test_is_rounded_down(told_prices, post, release, price):
    told_prices.tell(price, True, 0, False)
    pass_epochs()
    post(0)
    owed = WHOLE_USD * UNIT // price
    assert release(0, 2**256 - 1) == owed


@pytest.mark.parametrize(
    "available", [0, 1, WHOLE_OWED - 1, WHOLE_OWED, WHOLE_OWED + 1, 2**256 - 1]
)
def test_never_more_than_is_available(demand, post, release, available):
    pass_epochs()
    post(0)
    paid = min(available, WHOLE_OWED)
    assert release(0, available) == paid
    ((*_, from_allowance, from_fees, shortfall, burnt),) = logged(demand, "Paid")
    assert (from_allowance, from_fees, shortfall, burnt) == (paid, 0, WHOLE_OWED - paid, 0)
    assert state_of(demand).is_falling == (paid < WHOLE_OWED)


# --- late and missing figures -------------------------------------------------------------


def test_without_figures_nothing_changes_but_the_epoch(demand, release, state):
    pass_epochs()
    before = state()
    assert release(0) == 0
    assert demand.get_logs() == []
    assert state() == (1, *before[1:])


def test_figures_of_nothing_leave_the_average_alone(demand, post, release, pay_fees):
    pass_epochs()
    post(0, [])
    pay_fees(UNIT)
    assert release(0) == 0
    assert state_of(demand) == fresh()
    assert (demand.counted(), demand.fee_vault()) == (0, UNIT)


def test_late_figures_are_paid_with_a_later_epoch(demand, post, release):
    pass_epochs(WAIT + 1)
    assert [release(epoch) for epoch in range(WAIT)] == [0] * WAIT
    post(0)
    post(WAIT)
    assert release(WAIT) == 2 * WHOLE_OWED
    assert [demand.owed_usd(epoch) for epoch in range(WAIT + 1)] == [0] * (WAIT + 1)


def test_figures_of_later_epochs_wait_for_their_own(post, release):
    pass_epochs(3)
    post(2)
    post(0)
    assert [release(epoch) for epoch in range(3)] == [WHOLE_OWED, 0, WHOLE_OWED]


def test_missing_figures_are_given_up_and_said_so(demand, post, release):
    pass_epochs(WAIT + 3)
    for epoch in range(WAIT):
        release(epoch)
        assert logged(demand, "DeviceTimeMissed") == []
    release(WAIT)
    assert logged(demand, "DeviceTimeMissed") == [(0,)]
    post(1, [])
    release(WAIT + 1)
    assert logged(demand, "DeviceTimeMissed") == []
    release(WAIT + 2)
    assert logged(demand, "DeviceTimeMissed") == [(2,)]


def test_figures_before_a_gap_are_lost(demand, post, release):
    pass_epochs(WAIT + 2)
    post(0)
    post(1)
    assert release(WAIT + 1) == WHOLE_OWED
    assert demand.owed_usd(0) == WHOLE_USD


# --- out of the fee vault -----------------------------------------------------------------


def test_fees_pay_what_the_allowance_lacks(demand, post, release, pay_fees, collect):
    pass_epochs()
    post(0)
    pay_fees(UNIT)
    assert release(0, 26 * UNIT + 1) == 26 * UNIT + 1
    ((*_, shortfall, burnt),) = logged(demand, "Paid")
    assert (shortfall, burnt) == (0, 0)
    assert (demand.due(), demand.fee_vault(), demand.counted()) == (UNIT - 1, 1, 1)
    assert not state_of(demand).is_falling


def test_what_both_lack_is_lost_and_targets_fall(demand, post, release, pay_fees):
    pass_epochs(2)
    post(0)
    pay_fees(UNIT)
    assert release(0, UNIT) == UNIT
    ((*_, from_fees, shortfall, burnt),) = logged(demand, "Paid")
    assert (from_fees, shortfall, burnt) == (UNIT, 25 * UNIT, 0)
    assert (demand.due(), demand.fee_vault()) == (UNIT, 0)
    after = state_of(demand)
    assert (after.scale, after.is_falling) == (FULL * 99 // 100, True)
    # paid is not owed any more
    post(1)
    assert release(1) == WHOLE_OWED * 99 // 100


def test_fees_that_are_due_pay_nothing_twice(demand, post, release, pay_fees, collect):
    pass_epochs(2)
    post(0)
    post(1)
    pay_fees(30 * UNIT)
    release(0, 0)
    assert (demand.due(), demand.fee_vault()) == (27 * UNIT, 3 * UNIT)
    release(1, 0)
    assert (demand.due(), demand.fee_vault()) == (30 * UNIT, 0)
    assert collect() == 30 * UNIT


@pytest.mark.parametrize(
    ("beyond", "burnt"), [(0, 0), (1, 1), (2, 1), (3, 2), (100 * UNIT, 50 * UNIT)]
)
def test_half_of_what_the_reserve_does_not_need_is_burnt(
    demand, post, release, pay_fees, token, beyond, burnt
):
    pass_epochs()
    post(0)
    reserve = WHOLE_OWED * RULE.reserve_epochs
    pay_fees(reserve + beyond)
    supply = token.totalSupply()
    assert release(0) == WHOLE_OWED
    assert supply - token.totalSupply() == burnt
    assert demand.fee_vault() == demand.counted() == reserve + beyond - burnt


def test_what_is_paid_is_not_burnt(demand, post, release, pay_fees):
    pass_epochs()
    post(0)
    pay_fees(WHOLE_OWED * (RULE.reserve_epochs + 1) + 2)
    assert release(0, 0) == 0
    assert (demand.due(), demand.fee_vault()) == (WHOLE_OWED, WHOLE_OWED * RULE.reserve_epochs + 1)


# --- targets ------------------------------------------------------------------------------


def test_targets_rise_again_when_fees_cover_them(demand, post, release, pay_fees):
    pass_epochs(40)
    scales = []
    for epoch in range(40):
        post(epoch)
        pay_fees(20 * UNIT if epoch < 8 else 60 * UNIT)
        release(epoch, 0)
        scales.append(state_of(demand).scale)
    steps = [b * 10_000 / a for a, b in zip([FULL, *scales], scales, strict=False)]
    assert scales[0] == FULL * 99 // 100
    assert scales[-1] == FULL
    assert all(9_899 < step < 10_101 for step in steps)
    lowest = scales.index(min(scales))
    assert scales[:lowest] == sorted(scales[:lowest], reverse=True)
    assert scales[lowest:] == sorted(scales[lowest:])


def test_targets_stay_as_long_as_the_allowance_covers_them(demand, post, release):
    """No fees at all: the allowance is there to be used up."""
    pass_epochs(20)
    for epoch in range(20):
        post(epoch)
        assert release(epoch) == WHOLE_OWED
    assert state_of(demand).scale == FULL


# --- prices -------------------------------------------------------------------------------


def test_last_good_price_stands_in(demand, post, release, told_prices):
    told_prices.tell(0, False, 100 * CENT, True)
    pass_epochs()
    post(0)
    assert release(0) == WHOLE_OWED // 2
    assert logged(demand, "Paid")[0][3] == 100 * CENT


def test_a_good_price_is_remembered_at_every_payment(post, release, told_prices):
    pass_epochs(2)
    post(0)
    release(0)
    release(1)
    assert told_prices.pokes() == 1


@pytest.mark.parametrize(
    "told", [(0, False, 0, False), (USD, False, USD, False), (0, True, 0, True)]
)
def test_without_a_price_a_part_of_the_allowance(
    demand, post, release, told_prices, pay_fees, state, told
):
    pass_epochs(3)
    post(0)
    release(0)
    pay_fees(10**5 * UNIT)
    told_prices.tell(*told)
    post(1)
    before = state()
    assert release(1, 5_000 * UNIT) == 10 * UNIT
    assert logged(demand, "PaidWithoutPrice") == [(1, WHOLE_USD, 10 * UNIT)]
    # no fee is paid or burnt, no target moves
    assert state()[1:7] == before[1:7]
    assert demand.owed_usd(1) == 0
    # no more than the last epoch with a price was owed
    post(2)
    assert release(2, 10**6 * UNIT) == WHOLE_OWED


def test_never_a_price_pays_nothing(post, release, told_prices):
    told_prices.tell(0, False, 0, False)
    pass_epochs()
    post(0)
    assert release(0) == 0


def test_fees_of_a_time_without_price_count_afterwards(
    demand, post, release, told_prices, pay_fees
):
    pass_epochs(2)
    told_prices.tell(0, False, 0, False)
    post(0)
    pay_fees(16 * UNIT)
    release(0)
    told_prices.tell(50 * CENT, True, 0, False)
    post(1)
    release(1)
    assert state_of(demand).average_fees == USD


# --- who and when -------------------------------------------------------------------------


def test_only_the_controller(demand, post, stranger, deployer, refused):
    pass_epochs()
    post(0)
    for sender in (stranger, deployer, demand.address):
        with refused("demand_policy: caller is not the controller"):
            demand.release(0, UNIT, sender=sender)


def test_each_epoch_once_and_in_turn(demand, post, release, refused):
    pass_epochs(3)
    post(1)
    release(1)
    for epoch in (0, 1):
        with refused("demand_policy: epoch out of turn"):
            release(epoch)
    release(2)


def test_not_before_the_first_epoch(new_policy, controller):
    policy = new_policy(first_epoch=5)
    with boa.reverts("demand_policy: epoch out of turn"):
        policy.release(4, UNIT, sender=controller.address)
    assert policy.next_epoch() == 5
    assert policy.release(5, UNIT, sender=controller.address) == 0


# --- the twin -----------------------------------------------------------------------------

PRICES = st.sampled_from([0, 1, CENT, 50 * CENT, 3 * USD, 10**27])


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            PRICES,
            st.integers(0, 100 * HOUR),
            st.integers(0, 300 * UNIT),
            st.integers(0, 20_000 * UNIT) | st.integers(0, 30 * UNIT),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_a_life_is_the_twins(demand, post, release, collect, told_prices, pay_fees, token, epochs):
    with boa.env.anchor():
        pass_epochs(len(epochs))
        twin, vault, counted, due = State(), 0, 0, 0
        for epoch, (price, seconds, available, income) in enumerate(epochs):
            told_prices.tell(price, price != 0, 0, False)
            usd = post(epoch, [ClassTime(DATACENTER, seconds, 9_999)])
            pay_fees(income)
            vault += income
            released = release(epoch, available)
            if usd and price:
                twin, paid = pay(RULE, twin, usd, price, available, vault, vault - counted)
                vault -= paid.from_fees + paid.burnt
                due, counted = due + paid.from_fees, vault
                assert logged(demand, "Paid")[0][4:] == astuple(paid)
                assert released == paid.from_allowance
            else:
                assert released == (pay_without_price(RULE, twin, available) if usd else 0)
            assert state_of(demand) == twin
            assert (demand.fee_vault(), demand.due()) == (vault, due)
            assert token.balanceOf(demand) == vault + due
        assert collect() == due
