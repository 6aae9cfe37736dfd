"""Feeds that do as they are told."""

from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Any

import boa
import pytest

from tests.unit.conftest import DAY, HOUR, UNIT
from tests.unit.market import load_odd

NOBODY = "0x" + "00" * 20
# prices are USD with this many base units
USD = UNIT
# answers are USD with 8 decimals
CENT = 10**6


@dataclass(frozen=True)
class Feed:
    """As IPrices has it, in its order."""

    aggregator: str
    asset_decimals: int = 18
    max_age: int = HOUR
    grace: int = DAY
    lower: int = USD // 100
    upper: int = 100 * USD
    max_deviation_bps: int = 1_000
    interval: int = HOUR


NO_FEED = Feed(NOBODY, 0, 0, 0, 0, 0, 0, 0)


@pytest.fixture
def new_feed() -> Callable[..., Any]:
    def _new_feed(answer: int = 200 * CENT, scale: int = 8) -> Any:
        return load_odd("odd_feed", answer, scale)

    return _new_feed


@pytest.fixture
def feed(new_feed: Callable[..., Any]) -> Any:
    """Says 2 USD."""
    return new_feed()


@pytest.fixture
def asset() -> str:
    """A token's address: nobody asks the token itself."""
    return str(boa.env.generate_address("asset"))


@pytest.fixture
def set_feed(prices: Any) -> Callable[..., Feed]:
    """Name the feed of an asset that has none."""

    def _set_feed(asset: Any, aggregator: Any, **changes: Any) -> Feed:
        feed = Feed(str(aggregator.address), **changes)
        prices.set_feed(asset, astuple(feed))
        return feed

    return _set_feed


@pytest.fixture
def priced(set_feed: Callable[..., Feed], asset: str, feed: Any) -> Feed:
    """The asset costs 2 USD, seen just now."""
    return set_feed(asset, feed)


@pytest.fixture
def state(prices: Any, asset: str, token: Any) -> Callable[[], tuple[Any, ...]]:
    """Everything a call could change, as one comparable value."""

    def _state() -> tuple[Any, ...]:
        return (
            prices.guardian(),
            prices.owner(),
            [
                (
                    prices.feed_of(each),
                    prices.pending_feed(each),
                    prices.last_good(each),
                    prices.suspended(each),
                )
                for each in (asset, token.address, NOBODY)
            ],
        )

    return _state


def now() -> int:
    return int(boa.env.evm.patch.timestamp)


def wait(seconds: int) -> None:
    boa.env.time_travel(seconds=seconds)
