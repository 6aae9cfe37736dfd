"""Prices.usd_price: when a price counts, and that no feed can make it revert."""

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.conftest import HOUR
from tests.unit.prices.conftest import CENT, USD, wait

# how the feed of tests/contracts/odd_feed.vy can behave
(HONEST, REVERTS, LOUD, GREEDY, EMPTY, SHORT, LONG, DIRTY, WRITES, HUNGRY) = range(10)
NONE = (0, False)
words = st.integers(0, 2**256 - 1)


@pytest.mark.parametrize(
    ("scale", "answer", "price"),
    [
        (0, 2, 2 * USD),
        (8, 200 * CENT, 2 * USD),
        (8, 1 * CENT, USD // 100),
        (18, 2 * 10**18, 2 * USD),
        # rounded down
        (19, 2 * 10**19 + 9, 2 * USD),
        (36, 2 * 10**36 + 10**18 - 1, 2 * USD),
    ],
)
def test_is_a_whole_token_s_in_18_decimals(prices, asset, set_feed, new_feed, scale, answer, price):
    set_feed(asset, new_feed(answer, scale))
    assert prices.usd_price(asset) == (price, True)


@pytest.mark.parametrize("scale", [37, 77, 78, 255, 2**256 - 1])
def test_too_many_decimals_are_garbage(prices, asset, priced, feed, scale):
    feed.set_scale(scale)
    assert prices.usd_price(asset) == NONE


def test_every_decimals_reach_the_highest_price(prices, asset, set_feed, new_feed):
    set_feed(asset, new_feed(10**45, 36), upper=10**27)
    assert prices.usd_price(asset) == (10**27, True)


@pytest.mark.parametrize("answer", [0, -1, -200 * CENT, -(2**255), 2**160, 2**253, 2**255 - 1])
def test_an_answer_that_is_no_price(prices, asset, set_feed, feed, answer):
    feed.say(answer, 0)
    set_feed(asset, feed)
    assert prices.usd_price(asset) == NONE
    assert prices.last_good(asset) == (0, 0)


@pytest.mark.parametrize(
    ("age", "usable"), [(0, True), (HOUR, True), (HOUR + 1, False), (-1, False)]
)
def test_only_while_it_is_fresh(prices, asset, priced, feed, age, usable):
    feed.say(200 * CENT, age)
    assert prices.usd_price(asset) == ((2 * USD, True) if usable else NONE)


def test_a_feed_that_was_never_updated(prices, asset, set_feed, feed):
    feed.say(200 * CENT, boa.env.evm.patch.timestamp)
    set_feed(asset, feed)
    assert prices.usd_price(asset) == NONE


@pytest.mark.parametrize(
    ("answer", "usable"),
    [(CENT - 1, False), (CENT, True), (10_000 * CENT, True), (10_000 * CENT + 1, False)],
)
def test_only_in_bounds(prices, asset, set_feed, feed, answer, usable):
    feed.say(answer, 0)
    set_feed(asset, feed)
    assert prices.usd_price(asset)[1] is usable


# --- deviation ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "usable"),
    [
        (220 * CENT, True),
        (220 * CENT + 1, False),
        (180 * CENT, True),
        (180 * CENT - 1, False),
    ],
)
@pytest.mark.parametrize("waited", [0, HOUR, 2 * HOUR - 1])
def test_a_tenth_from_the_last_good_price(prices, asset, priced, feed, answer, usable, waited):
    wait(waited)
    feed.say(answer, 0)
    assert prices.usd_price(asset)[1] is usable


@pytest.mark.parametrize("intervals", [2, 3, 9])
def test_further_with_every_interval_without_one(prices, asset, priced, feed, intervals):
    wait(intervals * HOUR)
    edge = 20 * CENT * intervals
    for answer, usable in (
        (200 * CENT + edge, True),
        (200 * CENT + edge + 1, False),
        (200 * CENT - edge, True),
        (200 * CENT - edge - 1, False),
    ):
        feed.say(answer, 0)
        assert prices.usd_price(asset)[1] is usable


def test_a_true_jump_counts_again_by_itself(prices, asset, priced, feed):
    """The market halves at once: no price for five hours, whoever pokes."""
    for _ in range(4):
        wait(HOUR)
        feed.say(100 * CENT, 0)
        assert prices.poke(asset) == NONE
    wait(HOUR)
    feed.say(100 * CENT, 0)
    assert prices.poke(asset) == (USD, True)
    assert prices.last_good(asset)[0] == USD


def test_bounds_hold_however_long_nobody_came(prices, asset, priced, feed):
    wait(10**9)
    feed.say(10_000 * CENT, 0)
    assert prices.usd_price(asset) == (100 * USD, True)
    feed.say(10_000 * CENT + 1, 0)
    assert prices.usd_price(asset) == NONE


# --- feeds that misbehave -------------------------------------------------------------------


@pytest.mark.parametrize("mode", [REVERTS, LOUD, GREEDY, EMPTY, SHORT, WRITES])
@pytest.mark.parametrize("function", ["decimals", "round"])
def test_a_feed_that_fails_has_no_price(prices, asset, priced, feed, mode, function):
    feed.misbehave(*((mode, HONEST) if function == "decimals" else (HONEST, mode)))
    assert prices.usd_price(asset) == NONE
    assert prices.poke(asset) == NONE
    # and it harms nobody but itself
    feed.misbehave(HONEST, HONEST)
    assert prices.usd_price(asset) == (2 * USD, True)


@pytest.mark.parametrize("modes", [(LONG, LONG), (HONEST, DIRTY), (LONG, HONEST)])
def test_what_does_not_matter_is_not_read(prices, asset, priced, feed, modes):
    feed.misbehave(*modes)
    assert prices.usd_price(asset) == (2 * USD, True)


def test_a_feed_that_is_gone_has_no_price(prices, asset, priced, feed):
    boa.env.set_code(feed.address, b"")
    assert prices.usd_price(asset) == NONE


def test_what_is_no_feed_has_no_price(prices, asset, set_feed, token):
    set_feed(asset, token)
    assert prices.usd_price(asset) == NONE


@pytest.mark.parametrize("modes", [(HONEST, HONEST), (HUNGRY, HONEST), (HONEST, HUNGRY)])
@pytest.mark.parametrize("step", [32_000, pytest.param(4_000, marks=pytest.mark.slow)])
def test_who_asks_can_not_starve_a_feed(prices, asset, priced, feed, modes, step):
    """With any gas the answer is the price, or none at all."""
    feed.misbehave(*modes)

    def answer(gas):
        try:
            return prices.usd_price(asset, gas=gas)
        except boa.BoaError:
            return "reverted"

    answers = {gas: answer(gas) for gas in range(24_000, 600_000, step)}
    # in fine steps where the one turns into the other
    enough = min(gas for gas, given in answers.items() if given != "reverted")
    answers |= {gas: answer(gas) for gas in range(enough - step, enough, 4_000)}
    assert set(answers.values()) == {(2 * USD, True), "reverted"}


def test_too_little_gas_has_a_reason(prices, asset, priced, refused):
    with refused("prices: too little gas to ask a feed"):
        prices.usd_price(asset, gas=200_000)


@pytest.mark.parametrize("function", ["decimals", "round"])
def test_a_greedy_feed_takes_no_more_than_its_share(prices, asset, priced, feed, function):
    feed.misbehave(*((GREEDY, HONEST) if function == "decimals" else (HONEST, GREEDY)))
    assert prices.usd_price(asset, gas=600_000) == NONE


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100
)
@given(
    scale=st.one_of(st.integers(0, 40), words),
    answer=st.one_of(st.integers(170 * CENT, 230 * CENT), words),
    age=st.one_of(st.integers(-2, HOUR + 2), words),
    rest=words,
    count=st.integers(0, 6),
)
def test_whatever_code_returns_is_read_by_one_rule(
    prices, asset, priced, feed, scale, answer, age, rest, count
):
    """Code that returns any words to any call, and nothing else."""
    updated_at = (boa.env.evm.patch.timestamp - age) % 2**256
    returned = [scale, answer, rest, updated_at, rest, rest][:count]
    data = b"".join(word.to_bytes(32, "big") for word in returned)
    size = len(data).to_bytes(2, "big")
    # PUSH2 size, PUSH1 12, PUSH0, CODECOPY, PUSH2 size, PUSH0, RETURN: 12 bytes
    returns = b"\x61" + size + b"\x60\x0c\x5f\x39\x61" + size + b"\x5f\xf3"
    good = (
        count >= 5
        and scale <= 36
        and answer < 2**160
        and 0 <= age <= HOUR
        and 18 * USD // 10 <= answer * USD // 10**scale <= 22 * USD // 10
    )
    with boa.env.anchor():
        boa.env.set_code(feed.address, returns + data)
        expected = (answer * USD // 10**scale, True) if good else NONE
        assert prices.usd_price(asset) == expected
