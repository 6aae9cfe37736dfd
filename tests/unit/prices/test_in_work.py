"""Prices.in_work."""

from fractions import Fraction

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.conftest import UNIT
from tests.unit.prices.conftest import CENT, USD

MAX_AMOUNT = 2**112 - 1


@pytest.fixture
def work_feed(set_feed, new_feed, token):
    """The work token costs 50 cents."""
    feed = new_feed(50 * CENT)
    set_feed(token.address, feed)
    return feed


@pytest.mark.parametrize("amount", [0, 1, MAX_AMOUNT, 2**256 - 1])
def test_the_work_token_is_worth_itself(prices, token, amount):
    """Without any feed, too."""
    assert prices.in_work(token, amount) == amount


@pytest.mark.parametrize("decimals", [0, 6, 18, 36])
def test_whole_tokens(prices, asset, set_feed, feed, work_feed, decimals):
    set_feed(asset, feed, asset_decimals=decimals)
    amount = min(3 * 10**decimals, MAX_AMOUNT)
    assert prices.in_work(asset, amount) == amount * 4 * UNIT // 10**decimals


def test_is_rounded_down(prices, asset, set_feed, new_feed, work_feed):
    # a base unit is worth 2 / 3 of one
    set_feed(asset, new_feed(3_333_333_333_333_333_333, 19))
    assert [prices.in_work(asset, amount) for amount in (0, 1, 2, 3, 4)] == [0, 0, 1, 1, 2]


def test_more_than_any_balance_counts_as_the_largest(prices, asset, priced, work_feed):
    assert prices.in_work(asset, MAX_AMOUNT) == 4 * MAX_AMOUNT
    assert prices.in_work(asset, MAX_AMOUNT + 1) == 4 * MAX_AMOUNT
    assert prices.in_work(asset, 2**256 - 1) == 4 * MAX_AMOUNT


def test_the_extremes_fit(prices, asset, token, set_feed, new_feed):
    dear, cheap = new_feed(10**27, 18), new_feed(10**6, 18)
    set_feed(asset, dear, asset_decimals=0, lower=10**6, upper=10**27)
    set_feed(token.address, cheap, lower=10**6, upper=10**27)
    assert prices.in_work(asset, MAX_AMOUNT) == MAX_AMOUNT * 10**39


def test_the_other_extremes_round_to_nothing(prices, asset, token, set_feed, new_feed):
    dear, cheap = new_feed(10**27, 18), new_feed(10**6, 18)
    set_feed(asset, cheap, asset_decimals=36, lower=10**6, upper=10**27)
    set_feed(token.address, dear, lower=10**6, upper=10**27)
    assert prices.in_work(asset, MAX_AMOUNT) == 0


@pytest.mark.parametrize("which", ["asset", "work"])
@pytest.mark.parametrize("how", ["silent", "stale", "jumped"])
def test_nothing_without_both_prices(prices, asset, priced, feed, work_feed, which, how):
    broken = feed if which == "asset" else work_feed
    if how == "silent":
        broken.misbehave(1, 1)
    elif how == "stale":
        broken.say(200 * CENT if which == "asset" else 50 * CENT, 10**5)
    else:
        broken.say(100 * CENT, 0)
    assert prices.in_work(asset, UNIT) == 0


def test_a_price_that_is_only_recent_is_not_used(prices, asset, priced, feed, work_feed):
    feed.misbehave(1, 1)
    assert prices.recent_price(asset) == (2 * USD, True)
    assert prices.in_work(asset, UNIT) == 0


def test_no_feed_no_worth(prices, asset, work_feed):
    assert prices.in_work(asset, UNIT) == 0


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(
    amount=st.integers(0, MAX_AMOUNT),
    answer=st.integers(10**6, 10**27),
    work=st.integers(10**6, 10**27),
    decimals=st.integers(0, 36),
)
def test_is_the_exact_quotient_floored(
    prices, asset, token, set_feed, new_feed, amount, answer, work, decimals
):
    with boa.env.anchor():
        limits = {"lower": 10**6, "upper": 10**27}
        set_feed(asset, new_feed(answer, 18), asset_decimals=decimals, **limits)
        set_feed(token.address, new_feed(work, 18), **limits)
        exact = Fraction(amount, 10**decimals) * Fraction(answer, work) * 10**18
        assert prices.in_work(asset, amount) == exact.numerator // exact.denominator
