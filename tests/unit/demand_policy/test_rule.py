"""contracts/modules/demand.vy beside its twin, and what the rule promises whatever it is given."""

from dataclasses import astuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.domain.demand import (
    BPS,
    FULL,
    LOWEST,
    UNIT,
    Payment,
    Rule,
    State,
    pay,
    pay_without_price,
)
from tests.unit.market import load_module

AMOUNTS = st.integers(0, 2**96 - 1) | st.integers(0, 1_000 * UNIT) | st.integers(0, 3)
USD = st.integers(0, 2**127 - 1) | st.integers(0, 1_000 * UNIT) | st.integers(0, 3)
RULES = st.builds(
    Rule,
    reserve_epochs=st.integers(0, 100_000),
    burn_bps=st.integers(5_000, BPS),
    step_bps=st.integers(1, 1_000),
    average_epochs=st.integers(1, 100_000) | st.integers(1, 3),
    stale_bps=st.integers(0, 100),
)
STATES = st.builds(
    State,
    scale=st.integers(LOWEST, FULL) | st.sampled_from([LOWEST, LOWEST + 1, FULL - 1, FULL]),
    is_falling=st.booleans(),
    average_fees=USD,
    average_owed=USD,
    last_owed=AMOUNTS,
)
PRICES = st.integers(1, 10**27) | st.integers(1, 3)


@pytest.fixture(scope="module")
def rule_of_contract():
    return load_module("demand")


@settings(max_examples=150, deadline=None)
@given(RULES, STATES, USD, PRICES, AMOUNTS, AMOUNTS, st.integers(0, BPS))
def test_pay_is_the_twins(rule_of_contract, rule, state, usd, price, available, fees, income_bps):
    income = fees * income_bps // BPS
    after, payment = rule_of_contract._pay(
        astuple(rule), astuple(state), usd, price, available, fees, income
    )
    assert (State(*after), Payment(*payment)) == pay(
        rule, state, usd, price, available, fees, income
    )


@settings(max_examples=50, deadline=None)
@given(RULES, STATES, AMOUNTS)
def test_pay_without_price_is_the_twins(rule_of_contract, rule, state, available):
    assert rule_of_contract._pay_without_price(
        astuple(rule), astuple(state), available
    ) == pay_without_price(rule, state, available)


@settings(max_examples=300)
@given(RULES, STATES, USD, PRICES, AMOUNTS, AMOUNTS)
def test_what_the_rule_promises(rule, state, usd, price, available, fees):
    after, paid = pay(rule, state, usd, price, available, fees, fees)
    # all that is owed is paid or missing, the allowance first, nothing out of an empty vault
    assert paid.owed == paid.from_allowance + paid.from_fees + paid.shortfall
    assert paid.from_allowance <= available
    assert paid.from_fees + paid.burnt <= fees
    assert paid.from_fees == 0 or paid.from_allowance == available
    assert paid.shortfall == 0 or paid.from_fees == fees
    # never more than it is worth
    assert paid.owed * price <= usd * UNIT
    # burning leaves the reserve, and takes half of the rest
    left = fees - paid.from_fees
    usual = max(paid.owed, after.average_owed * UNIT // price)
    excess = max(left - usual * rule.reserve_epochs, 0)
    assert excess <= 2 * paid.burnt <= 2 * excess
    # targets move by a step at most, between their bounds
    assert LOWEST <= after.scale <= FULL
    assert abs(after.scale - state.scale) * BPS < state.scale * rule.step_bps + BPS
    # they fall only after a shortfall, and rise only while fees cover them
    if after.scale < state.scale:
        assert after.is_falling
    if after.scale > state.scale:
        assert after.average_fees >= after.average_owed
    if paid.shortfall and after.average_fees < after.average_owed:
        assert after.is_falling


def test_one_small_report_burns_nothing_of_the_reserve():
    """The reserve is that of usual epochs: a report of nearly nothing does not free it."""
    rule = Rule(reserve_epochs=10, burn_bps=5_000, step_bps=1, average_epochs=168, stale_bps=0)
    state = State(average_owed=1_000 * UNIT)
    fees = 9_900 * UNIT
    after, paid = pay(rule, state, 1, UNIT, UNIT, fees, 0)
    assert (paid.owed, paid.burnt) == (1, 0)
    assert after.average_owed == (1_000 * UNIT * 167 + 1) // 168


def test_a_small_market_that_stays_small_frees_the_reserve():
    rule = Rule(reserve_epochs=10, burn_bps=5_000, step_bps=1, average_epochs=8, stale_bps=0)
    state, burnt = State(average_owed=2_000 * UNIT), []
    for _ in range(60):
        state, paid = pay(rule, state, UNIT, UNIT, UNIT, 10_000 * UNIT, 0)
        burnt.append(paid.burnt)
    assert burnt[0] == 0
    assert burnt == sorted(burnt)
    assert burnt[-1] > 4_900 * UNIT


def test_targets_rise_from_the_lowest():
    rule = Rule(0, 5_000, 1, 1, 0)
    state, _ = pay(rule, State(scale=LOWEST), UNIT, UNIT, UNIT, UNIT, UNIT)
    assert state.scale > LOWEST


def test_targets_do_not_fall_below_the_lowest():
    rule = Rule(0, 5_000, 1_000, 1, 0)
    state = State(scale=LOWEST + 1)
    for _ in range(3):
        state, paid = pay(rule, state, 1_000 * UNIT, UNIT, 0, 0, 0)
        assert paid.shortfall
        assert state.scale == LOWEST
