"""The simulation's penalties are the contract's: held against the compiled module."""

from collections.abc import Iterator
from typing import Any

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts._parameters import DAY, UNIT
from scripts._simulation.money import Account, Court, Vesting, correlated, share
from scripts._simulation.terms import REPORTER_BPS, terms
from tests.compiled import CONTRACTS, compiled

TOKENS = st.integers(0, 10**9 * UNIT)
BPS = st.integers(0, 10_000)
PROVIDER = 7


@pytest.fixture(scope="module")
def penalties() -> Any:
    return compiled(CONTRACTS / "modules" / "penalties.vy").deploy().internal


@pytest.fixture(autouse=True)
def _anchored() -> Iterator[None]:
    with boa.env.anchor():
        yield


@settings(max_examples=50, deadline=None)
@given(tokens=TOKENS, bps=BPS)
def test_share(penalties: Any, tokens: int, bps: int) -> None:
    assert share(tokens, bps) == penalties._share(tokens, bps)


@settings(max_examples=50, deadline=None)
@given(bps=st.integers(1, 9_000), multiplier=st.integers(0, 100), convicted=TOKENS, total=TOKENS)
def test_correlated(penalties: Any, bps: int, multiplier: int, convicted: int, total: int) -> None:
    with boa.env.anchor():
        penalties._count(convicted, boa.env.evm.patch.timestamp // DAY)
        expected = penalties._correlated(bps, multiplier, 9_000, total)
    assert correlated(bps, multiplier, 9_000, convicted, total) == expected


@settings(max_examples=30, deadline=None)
@given(
    stake=TOKENS,
    parts=st.lists(st.tuples(TOKENS, TOKENS, st.integers(0, 3 * DAY)), min_size=1, max_size=5),
)
def test_impose(penalties: Any, stake: int, parts: list[tuple[int, int, int]]) -> None:
    found = terms().parameters
    with boa.env.anchor():
        now = boa.env.evm.patch.timestamp
        account = Account(stake, Vesting(1, 0))
        court = Court(found, REPORTER_BPS, {PROVIDER: account})
        for penalty, owed, passed in parts:
            now += passed
            boa.env.evm.patch.timestamp = now
            amount = court.impose(PROVIDER, stake, penalty, owed, now)
            assert amount == penalties._impose(
                PROVIDER, stake, found.court.daily_cap_bps, penalty, owed
            )
            assert court.convicted_stake(now) == penalties._convicted_stake()


def test_a_lone_first_lie_costs_half_and_pays_victim_then_reporter() -> None:
    found = terms().parameters
    account = Account(1_001 * UNIT, Vesting(180 * DAY, 2_500))
    court = Court(found, REPORTER_BPS, {PROVIDER: account})
    account.vesting.grant(100 * UNIT, 0)
    sentence = court.convict(PROVIDER, 25 * UNIT, 0)
    assert sentence.slashed == 1_001 * UNIT // 2
    assert sentence.victim == 25 * UNIT
    assert sentence.reporter == (sentence.slashed - sentence.victim) // 10
    assert sentence.seized == 75 * UNIT
    assert account.vesting.granted == 25 * UNIT
    assert account.jailed_until == found.court.jail


def test_rewards_vest_by_the_second() -> None:
    vesting = Vesting(100, 2_500)
    vesting.grant(400, 0)
    vesting.grant(400, 50)
    # 150 of the first 300 wait for 50 s, 300 more for 100 s: all by the weighted mean, 84 s
    assert vesting.seize(50 + 42) == 225
    assert vesting.granted == 575
    assert vesting.seize(50 + 42) == 0
