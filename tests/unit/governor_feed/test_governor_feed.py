"""GovernorFeed: answers, and that it is read like any aggregator."""

from dataclasses import astuple

import boa
import pytest

from tests.unit.conftest import DAY, HOUR, ROLE_DELAY, UNIT, load
from tests.unit.market import logs
from tests.unit.prices.conftest import Feed

LARGEST = 2**255 - 1
NOBODY = "0x" + "00" * 20


@pytest.fixture
def governor():
    return str(boa.env.generate_address("governor"))


@pytest.fixture
def feed(governor):
    return load("GovernorFeed", governor, 2 * 10**8)


def now():
    return int(boa.env.evm.patch.timestamp)


def test_answers_from_the_start(feed, governor):
    assert feed.latestRoundData() == (1, 2 * 10**8, now(), now(), 1)
    assert feed.decimals() == 8
    assert feed.owner() == governor
    assert feed.pending_owner() == NOBODY


@pytest.mark.parametrize("answer", [1, 3 * 10**8, LARGEST])
def test_answers_anew(feed, governor, answer):
    boa.env.time_travel(seconds=DAY)
    feed.set_answer(answer, sender=governor)
    assert logs(feed, "AnswerUpdated") == [(answer, 2, now())]
    assert feed.latestRoundData() == (2, answer, now(), now(), 2)


def test_the_same_answer_is_fresh_again(feed, governor):
    boa.env.time_travel(seconds=DAY)
    feed.set_answer(2 * 10**8, sender=governor)
    assert feed.latestRoundData() == (2, 2 * 10**8, now(), now(), 2)


@pytest.mark.parametrize("answer", [0, -1, -(2**255)])
def test_no_answer(feed, governor, answer):
    before = feed.latestRoundData()
    with boa.reverts("governor_feed: no answer"):
        feed.set_answer(answer, sender=governor)
    assert feed.latestRoundData() == before
    with boa.reverts("governor_feed: no answer"):
        load("GovernorFeed", governor, answer)


def test_only_the_governor(feed, stranger, deployer):
    before = feed.latestRoundData()
    for caller in (stranger, deployer):
        with boa.reverts("ownable: caller is not the owner"):
            feed.set_answer(1, sender=caller)
    assert feed.latestRoundData() == before


def test_somebody_has_to_answer():
    with boa.reverts("governor_feed: no governor"):
        load("GovernorFeed", NOBODY, 1)


def test_prices_read_it(feed, governor, token, guardian):
    prices = load("Prices", token, guardian, ROLE_DELAY)
    prices.set_feed(token, astuple(Feed(str(feed.address))))
    assert prices.usd_price(token) == (2 * UNIT, True)
    boa.env.time_travel(seconds=HOUR + 1)
    assert prices.usd_price(token) == (0, False)
    feed.set_answer(21 * 10**7, sender=governor)
    assert prices.usd_price(token) == (21 * UNIT // 10, True)
