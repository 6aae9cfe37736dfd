"""Taking fees: what counts, for which subnet, and what it is worth."""

from collections.abc import Callable
from typing import Any

import boa
import pytest

from oracle.domain.hashing import keccak
from tests.unit.conftest import HOUR, UNIT, role
from tests.unit.market import load_odd, logs
from tests.unit.told_source import Source

from .conftest import IN_WORK

SUBNET = 3
MAX_SUBNET = 64


@pytest.fixture
def markets(escrow: Any, asset: Any, odd_token: Any) -> None:
    """The work token and another one, each at large (1, 2) and in a subnet (3, 4)."""
    escrow.list_asset(asset, SUBNET)
    escrow.list_asset(odd_token, SUBNET)


def test_only_who_holds_the_role(meter: Any, markets: None, earn: Any, stranger: str, take: Any):
    earn(1_000)
    with boa.reverts("roles: caller lacks the role"):
        meter.take(sender=stranger)
    assert meter.counted(1) == 0
    assert take() == [60]


def test_the_work_token_counts_one_to_one_and_once(meter: Any, markets: None, earn: Any, take: Any):
    assert take() == []
    earn(1_000)
    earn(100, subnet=SUBNET)
    assert take() == [60, 0, 0, 6]
    assert logs(meter, "FeesTaken") == [([60, 0, 0, 6],)]
    assert (meter.counted(1), meter.counted(3)) == (60, 6)
    assert take() == []
    earn(50, subnet=SUBNET)
    assert take() == [0, 0, 0, 3]


def test_collected_fees_count_all_the_same(
    escrow: Any, asset: Any, markets: None, earn: Any, take: Any
):
    earn(1_000)
    escrow.collect_fees(asset)
    assert take() == [60]


def test_without_prices_other_assets_count_nothing(
    markets: None, earn: Any, odd_token: Any, take: Any
):
    earn(1_000, paid_in=odd_token, subnet=SUBNET)
    earn(100)
    assert take() == [6]


def test_other_assets_count_at_their_price(
    meter: Any, markets: None, earn: Any, odd_token: Any, take: Any, told_prices: Source
):
    told_prices.number(IN_WORK, 7_000)
    earn(1_000, paid_in=odd_token, subnet=SUBNET)
    earn(100, subnet=SUBNET)
    earn(100, paid_in=odd_token)
    assert take() == [7_000, 0, 0, 7_006]
    assert (meter.counted(2), meter.counted(4)) == (6, 60)
    assert take() == []


def test_at_the_price_of_real_feeds(
    meter: Any, markets: None, earn: Any, odd_token: Any, token: Any, take: Any, prices: Any
):
    """Two USD for a work token, and half of one for the other, which has 6 decimals."""
    meter.set_role(role("PRICES"), prices)
    for asset, answer, decimals in ((token, 2 * 10**8, 18), (odd_token, 10**8 // 2, 6)):
        feed = load_odd("odd_feed", answer, 8)
        terms = (decimals, HOUR, HOUR, UNIT // 100, 100 * UNIT, 1_000, HOUR)
        prices.set_feed(asset, (feed.address, *terms))
    earn(1_000, paid_in=odd_token, subnet=SUBNET)
    # 60 millionths of a token that is worth a quarter of a work token
    assert take(gas=10_000_000) == [0, 0, 0, 60 * 10**12 // 4]
    boa.env.time_travel(seconds=HOUR + 1)
    earn(1_000, paid_in=odd_token)
    assert take() == []


@pytest.mark.parametrize(
    "answer",
    [(0).to_bytes(32, "big"), (2**96).to_bytes(32, "big"), b"", b"\1" * 31],
    ids=["none", "too much", "nothing", "too short"],
)
def test_fees_wait_for_a_usable_price(
    meter: Any,
    markets: None,
    earn: Any,
    odd_token: Any,
    take: Any,
    told_prices: Source,
    answer: bytes,
):
    told_prices.tell(IN_WORK, answer)
    earn(1_000, paid_in=odd_token, subnet=SUBNET)
    earn(100)
    assert take() == [6]
    assert meter.counted(4) == 0
    told_prices.number(IN_WORK, 2**96 - 1)
    assert take() == [0, 0, 0, 2**96 - 1]
    assert meter.counted(4) == 60


@pytest.mark.parametrize("burns", [False, True])
def test_prices_that_fail_stop_nothing(
    markets: None, earn: Any, odd_token: Any, take: Any, told_prices: Source, burns: bool
):
    earn(1_000, paid_in=odd_token)
    earn(100)
    told_prices.contract.misbehave(not burns, burns)
    assert take() == [6]
    told_prices.contract.misbehave(False, False)
    told_prices.number(IN_WORK, 5)
    assert take() == [5]


def test_a_caller_cannot_starve_prices(
    meter: Any, markets: None, earn: Any, odd_token: Any, take: Any, told_prices: Source
):
    earn(1_000, paid_in=odd_token)
    told_prices.contract.misbehave(False, True)
    with boa.reverts("fee_meter: too little gas"):
        take(gas=1_000_000)
    assert meter.counted(2) == 0


@pytest.mark.parametrize(("subnet", "place"), [(MAX_SUBNET, MAX_SUBNET), (65, 0), (2**16 - 1, 0)])
def test_a_number_that_is_no_subnet_counts_at_large(
    escrow: Any, asset: Any, earn: Any, take: Any, subnet: int, place: int
):
    escrow.list_asset(asset, subnet)
    earn(1_000, subnet=subnet)
    assert take() == [0] * place + [60]


def test_as_many_markets_as_there_can_be(meter: Any, escrow: Any, asset: Any, take: Any):
    """With fees in all of them it fits the gas that a press gives it."""
    expected = [0] * (MAX_SUBNET + 1)
    layout = escrow.compiler_data.storage_layout["storage_layout"]
    for subnet in range(256):
        if not escrow.market_of(asset, subnet):
            escrow.list_asset(asset, subnet)
        market = escrow.market_of(asset, subnet)
        word = layout["earned_fees"]["slot"].to_bytes(32, "big") + market.to_bytes(32, "big")
        boa.env.set_storage(escrow.address, int.from_bytes(keccak(word), "big"), market)
        assert escrow.earned_fees(market) == market
        expected[subnet if subnet <= MAX_SUBNET else 0] += market
        if market == 255:
            break
    fees = take(gas=10_000_000)
    assert fees == expected
    assert meter.counted(255) == 255


@pytest.fixture
def many_markets(escrow: Any, odd_token: Any) -> Callable[[int], int]:
    """Give so many markets of another asset a fee of a unit each; returns their sum."""

    def _many(count: int) -> int:
        layout = escrow.compiler_data.storage_layout["storage_layout"]
        for subnet in range(count):
            if not escrow.market_of(odd_token, subnet):
                escrow.list_asset(odd_token, subnet)
            market = escrow.market_of(odd_token, subnet)
            word = layout["earned_fees"]["slot"].to_bytes(32, "big") + market.to_bytes(32, "big")
            boa.env.set_storage(escrow.address, int.from_bytes(keccak(word), "big"), 10**6)
        return count * 10**6

    return _many


@pytest.fixture
def odd_feeds(meter: Any, prices: Any, token: Any, odd_token: Any) -> tuple[Any, Any]:
    """Feeds of the work token, two dollars, and of the other asset, half a dollar."""
    meter.set_role(role("PRICES"), prices)
    feeds = load_odd("odd_feed", 2 * 10**8, 8), load_odd("odd_feed", 10**8 // 2, 8)
    for asset, feed, decimals in zip((token, odd_token), feeds, (18, 6), strict=True):
        limits = (decimals, HOUR, HOUR, UNIT // 100, 100 * UNIT, 1_000, HOUR)
        prices.set_feed(asset, (feed.address, *limits))
    return feeds


def test_what_one_call_has_no_gas_for_counts_in_the_next(
    odd_feeds: Any, many_markets: Any, take: Any
):
    expected = many_markets(240) * 10**12 // 4
    sums = [sum(take(gas=10_000_000)) for _ in range(3)]
    assert 0 < sums[0] < expected
    assert sum(sums) == expected
    assert sums[2] == 0


def test_a_feed_that_burns_its_gas_stops_nobody(odd_feeds: Any, many_markets: Any, take: Any):
    fees = many_markets(60) * 10**12 // 4
    odd_feeds[1].misbehave(3, 3)
    assert [sum(take(gas=10_000_000)) for _ in range(8)] == [0] * 8
    odd_feeds[1].misbehave(0, 0)
    assert sum(sum(take(gas=10_000_000)) for _ in range(2)) == fees


def test_markets_without_fees_behind_burnt_gas(
    meter: Any, escrow: Any, many_markets: Any, odd_token: Any, take: Any, told_prices: Source
):
    many_markets(9)
    for subnet in range(9, 240):
        if not escrow.market_of(odd_token, subnet):
            escrow.list_asset(odd_token, subnet)
    told_prices.contract.misbehave(False, True)
    assert take(gas=10_000_000) == []
    told_prices.contract.misbehave(False, False)
    told_prices.number(IN_WORK, 7)
    assert sum(sum(take(gas=10_000_000)) for _ in range(2)) == 9 * 7


def test_little_gas_leaves_nothing_for_later(
    odd_feeds: Any, many_markets: Any, take: Any, refused: Any
):
    many_markets(60)
    with refused("fee_meter: too little gas"):
        take(gas=2_000_000)


def test_roles_take_their_delay(meter: Any, taker: str, stranger: str):
    meter.set_role(role("CONTROLLER"), stranger)
    with boa.reverts("roles: change not ready"):
        meter.apply_role(role("CONTROLLER"))
    assert meter.role_holder(role("CONTROLLER")) == taker
