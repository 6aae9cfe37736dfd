"""The packed words of JobEscrow: what goes in comes out, and nothing spills over."""

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.unit.market import Skip, load_module


def field(bits: int) -> st.SearchStrategy[int]:
    """What a field of so many bits holds; the largest values often, chance hardly draws them."""
    return st.integers(0, 2**bits - 1) | st.integers(2 ** (bits - 1), 2**bits - 1)


DEPOSIT = field(96)
PRICE = st.integers(1, 2**80 - 1)
SECONDS = field(40)
PAYEE = field(24)
BYTE = field(8)
CREDIT = field(112)
WINDOW = field(32)

OPEN, ACCEPTED, RUNNING, COMPLETED, INFRASTRUCTURE, CLOSED = 1, 2, 3, 4, 9, 10

many = settings(max_examples=200, deadline=None)


@pytest.fixture(scope="module")
def job_word() -> Any:
    return load_module("job_word")


@pytest.fixture(scope="module")
def credit_word() -> Any:
    return load_module("credit_word")


# --- job_word -------------------------------------------------------------------------------


def word_of(deposit: int, price: int, settled: int, payee: int, asset: int, status: int) -> int:
    """The layout of the specification, written a second time."""
    return deposit << 160 | price << 80 | settled << 40 | payee << 16 | asset << 8 | status


def worth(gpu_seconds: int, price: int) -> int:
    return gpu_seconds * price // 3_600


@st.composite
def jobs(draw: st.DrawFn) -> tuple[int, int, int, int, int, int]:
    """Fields of a job whose deposit covers what is settled."""
    price, settled = draw(PRICE), draw(SECONDS)
    least = worth(settled, price)
    assume(least < 2**96)
    deposit = draw(st.integers(least, 2**96 - 1) | st.integers(least, min(least + 9, 2**96 - 1)))
    status = draw(st.integers(ACCEPTED, INFRASTRUCTURE))
    return deposit, price, settled, draw(PAYEE), draw(BYTE), status


@many
@given(deposit=DEPOSIT, price=PRICE, payee=PAYEE, asset=BYTE, status=st.sampled_from([1, 2]))
def test_a_funded_job(job_word, deposit, price, payee, asset, status):
    word = job_word._open(deposit, price, payee, asset, status)
    assert word == word_of(deposit, price, 0, payee, asset, status)


@many
@given(job=jobs(), status=BYTE)
def test_fields_come_out_as_they_went_in(job_word, job, status):
    deposit, price, settled, payee, asset, current = job
    word = word_of(*job)
    assert job_word._deposit(word) == deposit
    assert job_word._price(word) == price
    assert job_word._settled(word) == settled
    assert job_word._payee(word) == payee
    assert job_word._market(word) == asset
    assert job_word._status(word) == current
    assert job_word._unspent(word) == deposit - worth(settled, price)
    assert job_word._with_status(word, status) == word_of(*job[:-1], status)
    account = job_word._account(word)
    assert account == job_word._account_of(payee, asset)
    assert job_word._account_payee(account) == payee
    assert job_word._account_market(account) == asset


@many
@given(job=jobs(), data=st.data())
def test_a_growing_deposit_touches_nothing_else(job_word, job, data):
    amount = data.draw(st.integers(0, 2**96 - 1 - job[0]))
    assert job_word._add_deposit(word_of(*job), amount) == word_of(job[0] + amount, *job[1:])


@many
@given(
    job=jobs(),
    cumulative=SECONDS | st.integers(2**40 - 2, 2**56 - 1),
    status=st.integers(RUNNING, INFRASTRUCTURE) | BYTE,
)
def test_advance(job_word, job, cumulative, status):
    deposit, price, settled, payee, asset, current = job
    word, paid, debt = job_word._advance(word_of(*job), cumulative, status)
    if not RUNNING <= status <= INFRASTRUCTURE or cumulative >= 2**40:
        assert (word, paid, debt) == (word_of(*job), 0, 0)
        return
    target = job_word._settled(word)
    later = status if current < COMPLETED and status > current else current
    assert word == word_of(deposit, price, target, payee, asset, later)
    assert paid == worth(target, price) - worth(settled, price)
    assert worth(target, price) <= deposit
    if debt:
        # not one second more would be covered, and the debt is what is missing
        assert settled <= target < cumulative
        assert worth(target + 1, price) > deposit
        assert debt == worth(cumulative, price) - deposit
    else:
        assert target == max(cumulative, settled)


@many
@given(job=jobs(), cumulative=SECONDS, status=st.integers(RUNNING, INFRASTRUCTURE))
def test_a_repeated_report_pays_nothing(job_word, job, cumulative, status):
    word, _, _ = job_word._advance(word_of(*job), cumulative, status)
    again, paid, _ = job_word._advance(word, cumulative, status)
    assert (again, paid) == (word, 0)


@many
@given(job=jobs(), data=st.data())
def test_two_steps_pay_as_much_as_one(job_word, job, data):
    cumulative = data.draw(SECONDS)
    step = data.draw(st.integers(0, cumulative))
    first, paid_first, _ = job_word._advance(word_of(*job), step, RUNNING)
    second, paid_second, debt = job_word._advance(first, cumulative, RUNNING)
    at_once, paid, debt_at_once = job_word._advance(word_of(*job), cumulative, RUNNING)
    assert (second, paid_first + paid_second, debt) == (at_once, paid, debt_at_once)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        (0, 1),
        (word_of(1, 1, 0, 1, 1, OPEN), 2),
        (word_of(1, 1, 0, 1, 1, CLOSED), 3),
        (word_of(1, 1, 0, 1, 1, 11), 3),
    ],
)
def test_jobs_that_can_not_settle(job_word, word, reason):
    for cumulative, status in [(0, 0), (5, RUNNING), (2**56 - 1, 255)]:
        assert job_word._advance(word, cumulative, status) == (word, 0, 0)
        assert job_word._skip_reason(word, cumulative, status) == reason
    assert job_word._is_unsettled(word) == (reason == 2)


@pytest.mark.parametrize(
    ("current", "cumulative", "status", "reason"),
    [
        (RUNNING, 6, 2, Skip.STATUS),
        (RUNNING, 6, 10, Skip.STATUS),
        (RUNNING, 2**40, RUNNING, Skip.TOO_LARGE),
        (RUNNING, 6, RUNNING, Skip.EXHAUSTED),
        (INFRASTRUCTURE, 5, INFRASTRUCTURE, Skip.NOT_INCREASING),
    ],
)
def test_reports_that_are_not_applied(job_word, current, cumulative, status, reason):
    # a base unit per second, and five seconds are all it pays
    word = word_of(5, 3_600, 5, 1, 1, current)
    assert job_word._advance(word, cumulative, status)[0] == word
    assert job_word._skip_reason(word, cumulative, status) == reason


# --- payees ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payee", "is_cluster"), [(1, False), (2**23 - 1, False), (2**23, True), (2**24 - 1, True)]
)
def test_the_upper_half_are_clusters(payee, is_cluster):
    assert load_module("payees")._is_cluster(payee) == is_cluster


# --- credit_word ----------------------------------------------------------------------------


@many
@given(current=CREDIT, previous=CREDIT, window=WINDOW, later=st.sampled_from([0, 1, 2, 3, 10**6]))
def test_income_matures_after_a_whole_window(credit_word, current, previous, window, later):
    assume(window + later < 2**32)
    word = current << 144 | previous << 32 | window
    rolled, matured = credit_word._roll(word, window + later)
    waiting, ripe = {
        0: ((current, previous), 0),
        1: ((0, current), previous),
    }.get(later, ((0, 0), current + previous))
    assert rolled == waiting[0] << 144 | waiting[1] << 32 | window + later
    assert matured == ripe
    assert credit_word._pending(rolled) == sum(waiting)


@many
@given(current=CREDIT, previous=CREDIT, window=WINDOW, data=st.data())
def test_new_income_touches_nothing_else(credit_word, current, previous, window, data):
    amount = data.draw(st.integers(0, 2**112 - 1 - current))
    word = credit_word._add(current << 144 | previous << 32 | window, amount)
    assert word == (current + amount) << 144 | previous << 32 | window


@many
@given(current=CREDIT, previous=CREDIT, window=WINDOW, data=st.data())
def test_the_newest_income_is_taken_first(credit_word, current, previous, window, data):
    amount = data.draw(st.integers(0, current + previous) | st.just(current + previous))
    word = credit_word._take(current << 144 | previous << 32 | window, amount)
    newest = min(current, amount)
    left = previous - (amount - newest)
    assert word == (current - newest) << 144 | left << 32 | window
