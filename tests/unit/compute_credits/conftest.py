"""The market of tests/unit/market.py with a price of the work token, 50 cents, and credits."""

from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import boa
import pytest

from tests.unit.conftest import HOUR, UNIT, load, role
from tests.unit.market import *  # noqa: F403 - fixtures
from tests.unit.market import _wired  # noqa: F401 - a fixture
from tests.unit.prices.conftest import CENT, USD, Feed

# base units of credits per USD
CREDIT = 10**6


@pytest.fixture(scope="module")
def feed(prices: Any, token: Any, deployer: str) -> Any:
    """The work token's: 50 cents."""
    feed = load("GovernorFeed", deployer, 50 * CENT)
    prices.set_feed(token, astuple(Feed(str(feed.address), upper=10 * USD)))
    return feed


@pytest.fixture(scope="module")
def wired(compute_credits: Any, escrow: Any, feed: Any) -> Any:
    """The escrow may take credits."""
    compute_credits.set_role(role("ESCROW"), escrow)
    return compute_credits


@pytest.fixture(scope="module")
def listed(wired: Any, escrow: Any, token: Any) -> Any:
    """Credits, listed by an owner who has bought enough for the probe."""
    token.approve(wired, UNIT)
    wired.buy(UNIT, 0)
    wired.approve(escrow, 2**256 - 1)
    escrow.list_asset(wired)
    return wired


@pytest.fixture
def buy(compute_credits: Any, feed: Any, token: Any, deployer: str) -> Callable[..., int]:
    """Somebody buys credits for work tokens of the deployer."""

    def _buy(buyer: str, amount: int, min_credits: int = 0) -> int:
        if buyer != deployer:
            token.transfer(buyer, amount, sender=deployer)
        with boa.env.prank(buyer):
            token.approve(compute_credits, amount)
            return int(compute_credits.buy(amount, min_credits))

    return _buy


@pytest.fixture
def rich(listed: Any, buy: Callable[..., int], payer: str, escrow: Any) -> Any:
    """Credits, of which the customer has 1 000 and lets the escrow take them."""
    buy(payer, 2_000 * UNIT)
    listed.approve(escrow, 2**256 - 1, sender=payer)
    return listed


@pytest.fixture
def escrow_as(wired: Any, buy: Callable[..., int], stranger: str) -> Callable[[str], int]:
    """Give a contract in the ESCROW role 100 credits of a customer's."""

    def _fill(holder: str) -> int:
        amount = buy(stranger, 200 * UNIT)
        wired.approve(holder, amount, sender=stranger)
        wired.transferFrom(stranger, holder, amount, sender=holder)
        return amount

    return _fill


@pytest.fixture
def books(
    compute_credits: Any,
    token: Any,
    escrow: Any,
    deployer: str,
    payer: str,
    stranger: str,
    payout: str,
    provider: int,
) -> Callable[[], tuple[Any, ...]]:
    """Everything about credits that a call could change, as one comparable value."""

    def _books() -> tuple[Any, ...]:
        holders = (
            deployer,
            payer,
            stranger,
            payout,
            str(escrow.address),
            str(compute_credits.address),
        )
        epoch = compute_credits.current_epoch()
        return (
            compute_credits.totalSupply(),
            token.totalSupply(),
            compute_credits.burnt_in(epoch),
            compute_credits.spent_in(epoch, provider),
            [(compute_credits.balanceOf(each), token.balanceOf(each)) for each in holders],
            [compute_credits.allowance(a, b) for a in holders for b in holders],
            [compute_credits.is_escrow(each) for each in holders],
        )

    return _books


@pytest.fixture
def state(books: Callable[[], tuple[Any, ...]]) -> Callable[[], tuple[Any, ...]]:
    """What `refused` compares."""
    return books


def pass_epoch() -> None:
    boa.env.time_travel(seconds=HOUR)


def transfers(compute_credits: Any) -> list[tuple[Any, ...]]:
    """Sender, receiver and amount of each movement of credits in their last call."""
    return [
        tuple(entry)[1:]
        for entry in compute_credits.get_logs()
        if type(entry).__name__ == "Transfer" and entry.address == compute_credits.address
    ]
