"""Prices.set_feed and apply_feed."""

from dataclasses import astuple, replace

import pytest

from tests.unit.conftest import DAY, ROLE_DELAY, load
from tests.unit.market import logs
from tests.unit.prices.conftest import NO_FEED, NOBODY, USD, Feed, now, wait

WEEK = 7 * DAY


@pytest.fixture
def proposal(feed):
    return Feed(str(feed.address))


def test_the_first_feed_counts_at_once(prices, asset, proposal):
    prices.set_feed(asset, astuple(proposal))
    assert logs(prices, "FeedChanged") == [(asset, astuple(NO_FEED), astuple(proposal))]
    assert logs(prices, "PriceSeen") == [(asset, 2 * USD)]
    assert prices.feed_of(asset) == astuple(proposal)
    assert prices.last_good(asset) == (2 * USD, now())
    assert prices.usd_price(asset) == (2 * USD, True)


def test_a_change_waits_for_its_delay(prices, asset, priced, new_feed, stranger, refused):
    change = Feed(str(new_feed(5 * 10**8).address), max_age=WEEK)
    ready_at = now() + ROLE_DELAY
    prices.set_feed(asset, astuple(change))
    assert logs(prices, "FeedScheduled") == [(asset, astuple(priced), astuple(change), ready_at)]
    assert prices.pending_feed(asset) == (astuple(change), ready_at)
    assert prices.feed_of(asset) == astuple(priced)
    wait(ROLE_DELAY - 1)
    with refused("prices: feed not ready"):
        prices.apply_feed(asset, sender=stranger)
    wait(1)
    prices.apply_feed(asset, sender=stranger)
    assert logs(prices, "FeedChanged") == [(asset, astuple(priced), astuple(change))]
    assert prices.feed_of(asset) == astuple(change)
    assert prices.pending_feed(asset) == (astuple(NO_FEED), 0)
    with refused("prices: no feed scheduled"):
        prices.apply_feed(asset)


def test_a_later_announcement_replaces_an_earlier_one(prices, asset, priced, refused):
    prices.set_feed(asset, astuple(NO_FEED))
    wait(ROLE_DELAY - 1)
    prices.set_feed(asset, astuple(replace(priced, grace=0)))
    wait(1)
    with refused("prices: feed not ready"):
        prices.apply_feed(asset)
    wait(ROLE_DELAY)
    prices.apply_feed(asset)
    assert prices.feed_of(asset) == astuple(replace(priced, grace=0))


def test_a_changed_feed_starts_from_its_own_price(prices, asset, priced, new_feed):
    """What the earlier one said bounds it no more: that is how a wrong memory is repaired."""
    other = new_feed(90 * 10**8)
    prices.set_feed(asset, astuple(Feed(str(other.address))))
    wait(ROLE_DELAY)
    other.say(90 * 10**8, 0)
    prices.apply_feed(asset)
    assert prices.last_good(asset) == (90 * USD, now())
    assert prices.usd_price(asset) == (90 * USD, True)


def test_a_feed_can_be_removed(prices, asset, priced):
    prices.set_feed(asset, astuple(NO_FEED))
    wait(ROLE_DELAY)
    prices.apply_feed(asset)
    assert prices.feed_of(asset) == astuple(NO_FEED)
    assert prices.last_good(asset) == (0, 0)
    for view in (prices.usd_price, prices.recent_price):
        assert view(asset) == (0, False)
    # an asset without feed gets its next one at once, as in the beginning
    prices.set_feed(asset, astuple(priced))
    assert prices.feed_of(asset) == astuple(priced)


def test_a_feed_that_is_silent_can_be_named(prices, asset, feed, proposal):
    feed.misbehave(1, 1)
    prices.set_feed(asset, astuple(proposal))
    assert prices.last_good(asset) == (0, 0)
    assert prices.usd_price(asset) == (0, False)
    feed.misbehave(0, 0)
    assert prices.usd_price(asset) == (2 * USD, True)


@pytest.mark.parametrize(
    "change",
    [
        {"asset_decimals": 0},
        {"asset_decimals": 36},
        {"max_age": 1},
        {"max_age": WEEK},
        {"grace": 0},
        {"grace": WEEK},
        {"lower": 10**6},
        {"upper": 10**27},
        {"lower": 100 * USD - 1},
        {"max_deviation_bps": 1},
        {"max_deviation_bps": 10_000},
        {"interval": 1},
        {"interval": WEEK},
    ],
)
def test_bounds_are_inclusive(prices, asset, proposal, change):
    prices.set_feed(asset, astuple(replace(proposal, **change)))
    assert prices.feed_of(asset) == astuple(replace(proposal, **change))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"aggregator": "0x" + "11" * 20}, "feed is not a contract"),
        ({"asset_decimals": 37}, "decimals out of bounds"),
        ({"asset_decimals": 2**256 - 1}, "decimals out of bounds"),
        ({"max_age": 0}, "age out of bounds"),
        ({"max_age": WEEK + 1}, "age out of bounds"),
        ({"grace": WEEK + 1}, "grace out of bounds"),
        ({"lower": 10**6 - 1}, "limits out of bounds"),
        ({"lower": 100 * USD}, "limits out of bounds"),
        ({"upper": 10**27 + 1}, "limits out of bounds"),
        ({"upper": 0}, "limits out of bounds"),
        ({"max_deviation_bps": 0}, "deviation out of bounds"),
        ({"max_deviation_bps": 10_001}, "deviation out of bounds"),
        ({"interval": 0}, "interval out of bounds"),
        ({"interval": WEEK + 1}, "interval out of bounds"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_what_can_not_work_reverts(prices, asset, proposal, refused, change, reason, first):
    if not first:
        prices.set_feed(asset, astuple(proposal))
    with refused(f"prices: {reason}"):
        prices.set_feed(asset, astuple(replace(proposal, **change)))


def test_no_asset(prices, proposal, refused):
    with refused("prices: no asset"):
        prices.set_feed(NOBODY, astuple(proposal))


def test_only_the_owner(prices, asset, proposal, stranger, guardian, refused):
    for caller in (stranger, guardian):
        with refused("ownable: caller is not the owner"):
            prices.set_feed(asset, astuple(proposal), sender=caller)


def test_nothing_scheduled(prices, asset, priced, refused):
    with refused("prices: no feed scheduled"):
        prices.apply_feed(asset)


def test_assets_do_not_share_feeds(prices, asset, priced, token, set_feed, new_feed):
    set_feed(token.address, new_feed(10**8))
    prices.set_feed(token, astuple(NO_FEED))
    assert prices.usd_price(asset) == (2 * USD, True)
    assert prices.usd_price(token) == (USD, True)
    assert prices.pending_feed(asset) == (astuple(NO_FEED), 0)


def test_delay_zero_is_one_more_transaction(token, guardian, asset, proposal):
    prices = load("Prices", token, guardian, 0)
    prices.set_feed(asset, astuple(proposal))
    prices.set_feed(asset, astuple(replace(proposal, grace=0)))
    prices.apply_feed(asset)
    assert prices.feed_of(asset) == astuple(replace(proposal, grace=0))
