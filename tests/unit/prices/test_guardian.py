"""Prices.set_suspended and set_guardian."""

import pytest

from tests.unit.market import logs
from tests.unit.prices.conftest import NOBODY, USD


@pytest.mark.parametrize("who", ["guardian", "deployer"])
def test_a_suspended_asset_has_no_price(prices, asset, priced, request, who):
    caller = request.getfixturevalue(who)
    prices.set_suspended(asset, True, sender=caller)
    assert logs(prices, "Suspended") == [(asset, True)]
    assert prices.suspended(asset)
    assert prices.usd_price(asset) == prices.poke(asset) == (0, False)
    prices.set_suspended(asset, False, sender=caller)
    assert logs(prices, "Suspended") == [(asset, False)]
    assert prices.usd_price(asset) == (2 * USD, True)


def test_one_asset_only(prices, asset, priced, token, set_feed, new_feed, guardian):
    set_feed(token.address, new_feed(10**8))
    prices.set_suspended(asset, True, sender=guardian)
    assert prices.usd_price(token) == (USD, True)


def test_twice_is_once(prices, asset, priced, guardian):
    for _ in range(2):
        prices.set_suspended(asset, True, sender=guardian)
    prices.set_suspended(asset, False, sender=guardian)
    assert prices.usd_price(asset) == (2 * USD, True)


def test_nobody_else(prices, asset, priced, stranger, refused):
    with refused("prices: not the guardian"):
        prices.set_suspended(asset, True, sender=stranger)


def test_a_guardian_is_named_at_once(prices, asset, priced, guardian, stranger, refused):
    prices.set_guardian(stranger)
    assert logs(prices, "GuardianChanged") == [(guardian, stranger)]
    with refused("prices: not the guardian"):
        prices.set_suspended(asset, True, sender=guardian)
    prices.set_suspended(asset, True, sender=stranger)
    prices.set_guardian(NOBODY)
    assert prices.guardian() == NOBODY


def test_only_the_owner_names_one(prices, stranger, guardian, refused):
    for caller in (stranger, guardian):
        with refused("ownable: caller is not the owner"):
            prices.set_guardian(caller, sender=caller)
