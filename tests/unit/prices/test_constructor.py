"""Prices' constructor."""

import boa
import pytest

from tests.unit.conftest import ROLE_DELAY, load
from tests.unit.prices.conftest import NO_FEED, NOBODY, astuple


def test_keeps_what_it_was_given(prices, token, guardian, deployer, asset):
    assert prices.WORK_TOKEN() == token.address
    assert prices.FEED_CHANGE_DELAY() == ROLE_DELAY
    assert prices.guardian() == guardian
    assert prices.owner() == deployer
    assert prices.feed_of(asset) == astuple(NO_FEED)
    assert prices.last_good(asset) == (0, 0)


def test_no_guardian_is_needed(token):
    assert load("Prices", token, NOBODY, 0).guardian() == NOBODY


def test_a_work_token_is(guardian):
    with boa.reverts("prices: no work token"):
        load("Prices", NOBODY, guardian, 0)


@pytest.mark.parametrize("view", ["usd_price", "recent_price"])
def test_nothing_has_a_price_before_its_feed(prices, asset, token, view):
    for each in (asset, token, NOBODY):
        assert getattr(prices, view)(each) == (0, False)
        assert prices.poke(each) == (0, False)
    assert prices.in_work(asset, 1) == 0
