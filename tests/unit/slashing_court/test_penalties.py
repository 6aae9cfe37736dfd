"""What bounds a penalty: the snapshot, the day, and who else was convicted."""

from typing import Any

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compiled import CONTRACTS, compiled
from tests.unit.conftest import DAY, UNIT
from tests.unit.slashing_court.conftest import (
    COMPENSATION,
    DEPOSIT,
    FRAUD,
    MISSED_CHALLENGE,
    SELF_BOND,
    SLASHABLE,
    only_log,
)

NOBODY = "0x" + "00" * 20
TOKENS = st.integers(0, 2**96 - 1)
BPS = st.integers(1, 10_000)


def share(tokens: int, bps: int) -> int:
    return -(-tokens * bps // 10_000)


@pytest.fixture
def midnight():
    """The day has just begun, so that what follows happens within it."""
    boa.env.time_travel(seconds=DAY - boa.env.evm.patch.timestamp % DAY)


@pytest.fixture
def convict(court, prove, false_chain, reporter):
    """Convict the provider of a false commit of this epoch; returns the event."""

    def _convict(epoch, job=0, **changes):
        proof = prove(false_chain, epoch=epoch, **changes)
        court.convict_attestation(proof.struct, job, sender=reporter)
        return only_log(court, "Convicted")

    return _convict


@pytest.fixture
def convict_other(convict, other_provider, oracles):
    """Convict another provider, whose stake is SELF_BOND."""

    def _convict_other(epoch=1):
        return convict(epoch, signer=oracles[1], provider=other_provider)

    return _convict_other


# --- daily cap ----------------------------------------------------------------------------


def test_a_day_takes_no_more_than_its_cap(midnight, court, staking, convict, provider, policy):
    cap = SLASHABLE * policy.daily_cap_bps // 10_000
    slashed = [convict(epoch).slashed for epoch in (1, 2, 3)]
    assert slashed == [SLASHABLE // 2, cap - SLASHABLE // 2, 0]
    assert tuple(court.penalty_day(provider)) == (
        boa.env.evm.patch.timestamp // DAY, SLASHABLE, cap
    )  # fmt: skip
    assert staking.slashable(provider) == SLASHABLE - cap


def test_the_next_day_begins_anew(midnight, court, staking, convict, provider, policy):
    for epoch in (1, 2):
        convict(epoch)
    left = staking.slashable(provider)
    boa.env.time_travel(seconds=DAY - 1)
    assert convict(3).slashed == 0
    boa.env.time_travel(seconds=1)
    assert convict(4).slashed == left * policy.daily_cap_bps // 10_000
    assert court.penalty_day(provider)[1] == left


def test_stake_that_comes_in_does_not_raise_the_days_cap(
    midnight, token, staking, convict, provider, policy
):
    cap = SLASHABLE * policy.daily_cap_bps // 10_000
    first = convict(1).slashed
    token.approve(staking, 10 * SLASHABLE)
    staking.stake(provider, 10 * SLASHABLE)
    assert convict(2).slashed == cap - first


def test_what_a_victim_is_owed_is_not_cut(
    midnight, token, staking, convict, open_job, provider, victim, policy, conserved
):
    job = open_job()
    convict(1)
    convict(2)
    with conserved():
        log = convict(3, job)
    assert (log.slashed, log.victim_amount) == (COMPENSATION, COMPENSATION)
    assert (log.reporter_amount, log.burnt) == (0, 0)
    assert token.balanceOf(victim) == DEPOSIT + COMPENSATION


def test_what_a_victim_got_is_taken_from_the_days_rest(
    midnight, court, convict, open_job, provider, policy
):
    """A debt counts towards the cap; reporter and fire get what it leaves."""
    job = open_job(collateral=900 * UNIT, compensation_bps=10_000)
    cap = SLASHABLE * policy.daily_cap_bps // 10_000
    log = convict(1, job)
    assert (log.slashed, log.victim_amount, log.burnt) == (900 * UNIT, 900 * UNIT, 0)
    assert convict(2).slashed == cap - 900 * UNIT
    assert court.penalty_day(provider)[2] == cap


def test_a_debt_may_pass_the_cap(midnight, court, convict, open_job, provider):
    job = open_job(collateral=1_000 * UNIT, compensation_bps=10_000)
    convict(1)
    log = convict(2, job)
    assert log.slashed == log.victim_amount == SLASHABLE // 2
    assert court.penalty_day(provider)[2] == SLASHABLE // 2 + 1_000 * UNIT
    assert convict(3).slashed == 0


def test_providers_have_their_own_days(midnight, convict, convict_other, policy):
    for epoch in (1, 2):
        convict(epoch)
    assert convict_other().slashed > 0


def test_accusations_and_proofs_share_a_day(court, docket, staking, convict, provider, policy):
    cases = [docket.accuse(FRAUD, evidence=bytes([n]) * 32) for n in (1, 2)]
    for case in cases:
        docket.rule(case)
    docket.wait_until_deadline(cases[1])
    boa.env.time_travel(seconds=DAY - boa.env.evm.patch.timestamp % DAY)
    cap = SLASHABLE * policy.daily_cap_bps // 10_000
    first = convict(1).slashed
    court.execute(cases[0])
    second = only_log(court, "Convicted").slashed
    court.execute(cases[1])
    third = only_log(court, "Convicted").slashed
    assert (first + second + third, third) == (cap, 0)


def test_an_old_small_case_is_no_shield(court, docket, token, staking, convict, provider, policy):
    """The day's cap follows the stake of today where that is more than the case saw."""
    case = docket.convicted(MISSED_CHALLENGE)
    token.approve(staking, 9 * SLASHABLE)
    staking.stake(provider, 9 * SLASHABLE)
    boa.env.time_travel(seconds=DAY - boa.env.evm.patch.timestamp % DAY)
    court.execute(case)
    assert court.penalty_day(provider)[1] == 10 * SLASHABLE
    assert convict(1).slashed > 4 * SLASHABLE


# --- snapshot -----------------------------------------------------------------------------


def test_later_stake_does_not_raise_an_accusation(court, docket, token, staking, provider):
    case = docket.accuse(FRAUD)
    token.approve(staking, 9 * SLASHABLE)
    staking.stake(provider, 9 * SLASHABLE)
    docket.rule(case)
    docket.wait_until_deadline(case)
    court.execute(case)
    assert 10 * SLASHABLE - staking.slashable(provider) == SLASHABLE * 3 // 10


# --- correlation --------------------------------------------------------------------------


def test_a_lone_fault_costs_the_plain_share(convict, other_provider, policy):
    assert convict(1).slashed == share(SLASHABLE, policy.false_attestation_bps)


def test_convictions_of_others_raise_the_penalty(
    midnight, court, token, staking, convict, convict_other, provider, policy
):
    token.approve(staking, 20 * SLASHABLE)
    staking.stake(provider, 20 * SLASHABLE)
    convict_other()
    total = token.balanceOf(staking)
    assert court.convicted_stake() == SELF_BOND
    bps = 5_000 + 5_000 * policy.correlation_multiplier * SELF_BOND // total
    assert 5_000 < bps < policy.max_penalty_bps
    assert convict(1).slashed == share(21 * SLASHABLE, bps)
    assert court.convicted_stake() == SELF_BOND + 21 * SLASHABLE


def test_accusations_are_correlated_too(court, docket, convict_other, token, staking, policy):
    case = docket.convicted(FRAUD)
    convict_other()
    bps = min(
        policy.max_penalty_bps,
        3_000 + 3_000 * policy.correlation_multiplier * SELF_BOND // token.balanceOf(staking),
    )
    assert bps > 3_000
    court.execute(case)
    assert only_log(court, "Convicted").slashed == share(SLASHABLE, bps)


def test_the_largest_penalty_bounds_it(
    midnight, court, token, staking, convict_other, docket, provider, policy
):
    cases = [docket.convicted(FRAUD)]
    # nearly all stake was convicted, of which little is left
    token.approve(staking, 2**256 - 1)
    staking.stake(2, 100 * SLASHABLE)
    convict_other()
    court.execute(cases[0])
    slashed = only_log(court, "Convicted").slashed
    assert slashed == min(
        share(SLASHABLE, policy.max_penalty_bps), SLASHABLE * policy.daily_cap_bps // 10_000
    )


def test_a_provider_counts_once_a_day(midnight, court, convict):
    convict(1)
    convict(2)
    assert court.convicted_stake() == SLASHABLE


def test_convictions_are_forgotten_after_the_day_after(midnight, court, convict, convict_other):
    convict_other()
    for passed, expected in ((0, SELF_BOND), (DAY, SELF_BOND), (DAY - 1, SELF_BOND), (1, 0)):
        boa.env.time_travel(seconds=passed)
        assert court.convicted_stake() == expected
    assert convict(1).slashed == SLASHABLE // 2


def test_two_days_are_added(midnight, court, convict, convict_other):
    convict_other()
    boa.env.time_travel(seconds=DAY)
    convict(1)
    assert court.convicted_stake() == SELF_BOND + SLASHABLE
    boa.env.time_travel(seconds=DAY)
    assert court.convicted_stake() == SLASHABLE


# --- the arithmetic -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def penalties() -> Any:
    return compiled(CONTRACTS / "modules" / "penalties.vy").deploy().internal


@settings(max_examples=50, deadline=None)
@given(fields=st.tuples(st.integers(0, 2**64 - 1), TOKENS, TOKENS))
def test_the_word(penalties, fields):
    day, first, second = fields
    word = penalties._pack(*fields)
    assert (word >> 192, word >> 96 & 2**96 - 1, word & 2**96 - 1) == (day, first, second)


def test_the_word_saturates(penalties):
    full = 2**96 - 1
    assert penalties._pack(1, full + 1, full + 2) == penalties._pack(1, full, full)


@settings(max_examples=100, deadline=None)
@given(tokens=TOKENS, bps=BPS)
def test_a_share_is_rounded_up(penalties, tokens, bps):
    assert penalties._share(tokens, bps) == share(tokens, bps)


@settings(max_examples=100, deadline=None)
@given(
    stake=TOKENS,
    cap_bps=BPS,
    parts=st.lists(st.tuples(TOKENS, TOKENS), min_size=1, max_size=4),
)
def test_a_day_in_a_model(penalties, stake, cap_bps, parts):
    """Beyond what victims are owed, a day takes no more than its cap."""
    with boa.env.anchor():
        cap, taken = stake * cap_bps // 10_000, 0
        for penalty, owed in parts:
            amount = penalties._impose(7, stake, cap_bps, penalty, owed)
            assert amount == max(owed, min(penalty, max(0, cap - taken)))
            assert amount <= max(owed, penalty)
            taken = min(taken + amount, 2**96 - 1)


@settings(max_examples=100, deadline=None)
@given(
    bps=BPS,
    multiplier=st.integers(0, 100),
    convicted=TOKENS,
    total=TOKENS,
)
def test_correlation_in_a_model(penalties, bps, multiplier, convicted, total):
    with boa.env.anchor():
        penalties._count(convicted, boa.env.evm.patch.timestamp // DAY)
        found = penalties._correlated(bps, multiplier, 10_000, total)
    expected = bps + bps * multiplier * convicted // total if total else bps
    assert found == min(10_000, expected)
    assert bps <= found <= 10_000


# --- words of an accusation ---------------------------------------------------------------

ADDRESS = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
TIME = st.integers(0, 2**40 - 1)


@pytest.fixture(scope="module")
def words() -> Any:
    return compiled(CONTRACTS / "modules" / "accusation_words.vy").deploy().internal


@settings(max_examples=100, deadline=None)
@given(
    case=st.tuples(
        ADDRESS, st.integers(0, 2**64 - 1), st.integers(0, 2**24 - 1), st.integers(0, 255), TOKENS,
        TIME, TIME, st.integers(0, 255), st.booleans(), st.booleans(), st.booleans(), TOKENS,
        ADDRESS,
    )
)  # fmt: skip
def test_an_accusation_survives_its_words(words, case):
    found = words._unpack(words._who(case), words._stage(case), words._verdict(case))
    accuser, *rest, appellant = found
    assert (accuser.lower(), *rest, appellant.lower()) == case
