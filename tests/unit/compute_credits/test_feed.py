"""Credits as their own price feed."""

from dataclasses import astuple

import boa

from tests.unit.compute_credits.conftest import CREDIT
from tests.unit.conftest import UNIT
from tests.unit.prices.conftest import USD, Feed


def test_a_credit_is_one_usd_for_ever(compute_credits, prices, feed, token):
    prices.set_feed(compute_credits, astuple(Feed(str(compute_credits.address), 6)))
    assert prices.usd_price(compute_credits) == (USD, True)
    # fees in credits are worth what they cost, at 50 cents for a token
    assert prices.in_work(compute_credits, 3 * CREDIT) == 6 * UNIT
    boa.env.time_travel(seconds=10**9)
    now = boa.env.evm.patch.timestamp
    assert compute_credits.latestRoundData() == (1, CREDIT, now, now, 1)
    assert prices.usd_price(compute_credits) == (USD, True)
    assert prices.in_work(compute_credits, CREDIT) == 0, "no fresh price of the work token"
