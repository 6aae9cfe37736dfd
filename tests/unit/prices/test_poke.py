"""Prices.poke, and recent_price, which uses what it remembers."""

import pytest

from tests.unit.conftest import DAY, HOUR
from tests.unit.market import logs
from tests.unit.prices.conftest import CENT, USD, now, wait

NONE = (0, False)


def test_remembers_once_per_interval(prices, asset, priced, feed, stranger):
    first = now()
    wait(HOUR - 1)
    feed.say(210 * CENT, 0)
    assert prices.poke(asset, sender=stranger) == (21 * USD // 10, True)
    assert logs(prices, "PriceSeen") == []
    assert prices.last_good(asset) == (2 * USD, first)
    wait(1)
    assert prices.poke(asset, sender=stranger) == (21 * USD // 10, True)
    assert logs(prices, "PriceSeen") == [(asset, 21 * USD // 10)]
    assert prices.last_good(asset) == (21 * USD // 10, now())
    # again, in the same block
    assert prices.poke(asset) == (21 * USD // 10, True)
    assert logs(prices, "PriceSeen") == []


def test_pokes_walk_no_price_further_than_one_deviation_an_interval(prices, asset, priced, feed):
    """A feed gone mad rises by a tenth in every block, and somebody pokes each time."""
    answer, reached = 200 * CENT, []
    for _ in range(60):
        wait(60)
        answer = answer * 11 // 10
        feed.say(answer, 0)
        prices.poke(asset)
        reached.append(prices.last_good(asset)[0])
    assert max(reached) <= 2 * USD * 11 // 10


@pytest.mark.parametrize("change", ["stale", "out of bounds", "jumped", "silent", "suspended"])
def test_what_is_not_good_is_not_remembered(prices, asset, priced, feed, guardian, change):
    before = prices.last_good(asset)
    wait(HOUR)
    if change == "stale":
        wait(1)
    elif change == "out of bounds":
        feed.say(10_001 * CENT, 0)
    elif change == "jumped":
        feed.say(300 * CENT, 0)
    elif change == "silent":
        feed.misbehave(0, 1)
    else:
        feed.say(200 * CENT, 0)
        prices.set_suspended(asset, True, sender=guardian)
    assert prices.poke(asset) == NONE
    assert logs(prices, "PriceSeen") == []
    assert prices.last_good(asset) == before


def test_an_asset_without_feed(prices, asset, state):
    before = state()
    assert prices.poke(asset) == NONE
    assert state() == before


def test_poke_says_what_the_view_says(prices, asset, priced, feed):
    for answer, age in ((200 * CENT, 0), (215 * CENT, 5), (240 * CENT, 0), (0, 0), (200, 10**6)):
        feed.say(answer, age)
        expected = prices.usd_price(asset)
        assert prices.poke(asset) == expected


# --- recent_price ---------------------------------------------------------------------------


def test_the_last_good_price_stands_in_for_a_bounded_time(prices, asset, priced):
    assert prices.recent_price(asset) == (2 * USD, True)
    wait(HOUR + 1)
    assert prices.usd_price(asset) == NONE
    assert prices.recent_price(asset) == (2 * USD, True)
    wait(DAY - HOUR - 1)
    assert prices.recent_price(asset) == (2 * USD, True)
    wait(1)
    assert prices.recent_price(asset) == NONE


def test_a_usable_price_comes_first(prices, asset, priced, feed):
    wait(HOUR)
    feed.say(210 * CENT, 0)
    assert prices.recent_price(asset) == (21 * USD // 10, True)
    feed.say(250 * CENT, 0)
    assert prices.recent_price(asset) == (2 * USD, True)


def test_no_grace_no_stand_in(prices, asset, set_feed, feed):
    set_feed(asset, feed, grace=0)
    # in the block in which it was seen it is as good as new
    feed.misbehave(1, 1)
    assert prices.recent_price(asset) == (2 * USD, True)
    wait(1)
    assert prices.recent_price(asset) == NONE


def test_what_was_never_good_has_no_stand_in(prices, asset, set_feed, feed):
    feed.misbehave(1, 1)
    set_feed(asset, feed)
    assert prices.recent_price(asset) == NONE


def test_a_suspended_asset_has_none(prices, asset, priced, guardian):
    prices.set_suspended(asset, True, sender=guardian)
    assert prices.recent_price(asset) == NONE
