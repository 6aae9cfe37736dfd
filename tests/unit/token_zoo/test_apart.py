"""A token that turns bad once it is listed hurts its own jobs, and nobody else's.

Each test has a running job in the token and one in the work token, with one provider and one
customer; then the token turns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boa
import pytest

from oracle.domain.receipts import JobStatus
from tests.unit.market import DEPOSIT, load_odd

# the most gas that a transaction can have (EIP-7825)
MOST_GAS = 2**24
# what has to be left for a sentence once the job has ended
GAS_OF_A_SENTENCE = 250_000


@dataclass(frozen=True)
class Turn:
    """How a token turns bad and, where it can, good again."""

    bad: Callable[[Any, Any], None]
    good: Callable[[Any, Any], None]
    # whether a refund goes through nevertheless
    refunds: bool = False


def switch(name: str) -> Turn:
    return Turn(
        lambda token, escrow: getattr(token, name)(True),
        lambda token, escrow: getattr(token, name)(False),
    )


def enters(token: Any, escrow: Any) -> None:
    token.arm(escrow, escrow.withdraw.prepare_calldata(1, token))


TURNS = {
    "paused": switch("set_paused"),
    "says no": switch("set_says_no"),
    "burns all gas": switch("set_greedy"),
    "reverts at length": switch("set_loud"),
    "blocks the escrow": Turn(
        lambda token, escrow: token.set_blocked(escrow, True),
        lambda token, escrow: token.set_blocked(escrow, False),
    ),
    "loses all": Turn(
        lambda token, escrow: token.lose(escrow, token.balanceOf(escrow)),
        lambda token, escrow: token.transfer(escrow, 2 * DEPOSIT),
    ),
    "loses half": Turn(
        lambda token, escrow: token.lose(escrow, DEPOSIT // 2 + 1),
        lambda token, escrow: token.transfer(escrow, DEPOSIT // 2 + 1),
    ),
    "charges": Turn(
        lambda token, escrow: token.set_fee(5_000),
        lambda token, escrow: token.set_fee(0),
        refunds=True,
    ),
    "enters again": Turn(enters, lambda token, escrow: token.arm("0x" + "00" * 20, b""), True),
}


@pytest.fixture(params=TURNS)
def turn(request: pytest.FixtureRequest) -> Turn:
    return TURNS[request.param]


@pytest.fixture
def turncoat(plain: Callable[..., Any], escrow: Any, purse: Callable[..., None]) -> Any:
    """Good when it is listed."""
    turncoat = plain()
    escrow.list_asset(turncoat)
    purse(turncoat, 2 * DEPOSIT)
    return turncoat


@pytest.fixture
def work(asset: Any) -> Any:
    """The token of the other job."""
    return asset


@pytest.fixture
def bad(accepted_job: Callable[..., int], turncoat: Any) -> int:
    return accepted_job(paid_in=turncoat)


@pytest.fixture
def good(accepted_job: Callable[..., int], work: Any) -> int:
    return accepted_job()


@pytest.fixture
def turned(bad: int, good: int, turncoat: Any, escrow: Any, turn: Turn) -> Turn:
    """Both jobs run, and the token has turned."""
    turn.bad(turncoat, escrow)
    return turn


def refunded(escrow: Any, turncoat: Any, payer: str, amount: int, turn: Turn) -> None:
    """A refund has gone out, or is owed."""
    assert escrow.owed_refund(payer, turncoat) == (0 if turn.refunds else amount)


def test_batches_settle(
    turned, escrow, bad, good, turncoat, work, provider, settle_batch, next_window
):
    settle_batch((bad, 1_000, JobStatus.RUNNING), (good, 1_000, JobStatus.RUNNING))
    next_window()
    settle_batch((bad, 2_000, JobStatus.RUNNING), (good, 2_000, JobStatus.RUNNING))
    next_window()
    settle_batch((bad, 3_000, JobStatus.COMPLETED), (good, 3_000, JobStatus.COMPLETED))
    for each in (turncoat, work):
        assert escrow.income(provider, each) == (2_000 - 60, 4_000)


def test_vouchers_settle(turned, escrow, bad, good, turncoat, work, provider, settle):
    for job in (bad, good):
        settle(job, 1_000)
    for each in (turncoat, work):
        assert escrow.income(provider, each) == (2_000 - 60, 0)


def test_jobs_end(turned, escrow, jobs, bad, good, turncoat, work, settle, payer, bonds, provider):
    before = work.balanceOf(payer)
    for job in (bad, good):
        settle(job, 1_000, JobStatus.COMPLETED)
        jobs.close(job, gas=MOST_GAS)
        assert jobs.job_info(job).status == JobStatus.CLOSED
    assert bonds.committed_gpus(provider, 1) == 0
    assert work.balanceOf(payer) - before == DEPOSIT - 2_000
    refunded(escrow, turncoat, payer, DEPOSIT - 2_000, turned)


def test_convictions_go_through(
    turned, escrow, jobs, bad, good, turncoat, work, provider, court, payer
):
    before = work.balanceOf(payer)
    for job in (bad, good):
        harm = jobs.fail_job(job, provider, sender=court.address, gas=MOST_GAS)
        assert (harm.customer, harm.refunded) == (payer, DEPOSIT)
        # what the court has left for the slash that follows
        assert MOST_GAS - jobs._computation.get_gas_used() > GAS_OF_A_SENTENCE
    assert work.balanceOf(payer) - before == DEPOSIT
    refunded(escrow, turncoat, payer, DEPOSIT, turned)


def test_customers_leave(turned, escrow, jobs, bad, good, turncoat, work, payer, bonds):
    before = work.balanceOf(payer)
    for job in (bad, good):
        jobs.request_reclaim(job, sender=payer)
    boa.env.time_travel(seconds=jobs.JOB_TIMEOUT())
    for job in (bad, good):
        jobs.reclaim(job, gas=MOST_GAS)
    assert work.balanceOf(payer) - before == DEPOSIT
    refunded(escrow, turncoat, payer, DEPOSIT, turned)


def test_everybody_else_is_paid(
    turned, escrow, jobs, bad, good, turncoat, work, provider, payout, settle, treasury
):
    for job in (bad, good):
        settle(job, 5_000)
    assert escrow.withdraw(provider, work) == 10_000 - 300
    assert work.balanceOf(payout) == 10_000 - 300
    escrow.collect_fees(work)
    assert escrow.fees(work) == 0


def test_what_is_owed_is_paid_once_it_is_good_again(
    turned, escrow, jobs, bad, turncoat, provider, payout, payer, settle, treasury
):
    settle(bad, 1_000, JobStatus.COMPLETED)
    jobs.close(bad, gas=MOST_GAS)
    turned.good(turncoat, escrow)
    owed = escrow.owed_refund(payer, turncoat)
    if owed:
        assert escrow.claim_refund(turncoat, payer, sender=payer) == owed
    assert escrow.withdraw(provider, turncoat) == 2_000 - 60
    assert turncoat.balanceOf(payout) == 2_000 - 60
    escrow.collect_fees(turncoat)
    assert turncoat.balanceOf(treasury) == 60


def test_deposits_can_be_stopped(turned, escrow, turncoat, guardian, open_job, good, work):
    """By the guardian, for that token alone."""
    escrow.set_inflows_paused(turncoat, True, sender=guardian)
    with boa.reverts("job_escrow: inflows paused"):
        open_job(paid_in=turncoat)
    open_job()


def test_a_rebase_that_nobody_could_foresee(
    escrow, jobs, purse, accepted_job, good, settle, provider, payer, work, payout
):
    """It passes the probe while a share is worth one. Later what is missing is missing to its
    own jobs, first come, first served; what is too much is nobody's."""
    token = load_odd("rebasing_token", 10**12)
    token.approve(escrow, 2**256 - 1)
    escrow.list_asset(token)
    purse(token, 2 * DEPOSIT)
    first, second = (accepted_job(paid_in=token) for _ in range(2))
    token.rebase(10**18 // 2)
    settle(first, 1_000, JobStatus.COMPLETED)
    jobs.close(first)
    assert token.balanceOf(payer) == DEPOSIT - 2_000
    settle(second, 1_000, JobStatus.COMPLETED)
    jobs.close(second)
    assert escrow.owed_refund(payer, token) == DEPOSIT - 2_000
    settle(good, 1_000, JobStatus.COMPLETED)
    jobs.close(good)
    assert escrow.withdraw(provider, work) == 2_000 - 60
    token.rebase(3 * 10**18)
    assert escrow.claim_refund(token, payer, sender=payer) == DEPOSIT - 2_000
    assert escrow.withdraw(provider, token) == 4_000 - 120
