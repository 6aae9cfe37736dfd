"""JobEscrow.top_up."""

import boa
import pytest

from oracle.domain.receipts import JobStatus
from tests.unit.market import DEPOSIT, load_odd, logs


def test_raises_the_deposit_and_nothing_else(escrow, jobs, job, payer):
    before = jobs.job_info(job)
    escrow.top_up(job, 500, sender=payer)
    assert logs(escrow, "JobToppedUp") == [(job, 500)]
    assert jobs.job_info(job) == before._replace(deposit=DEPOSIT + 500)


def test_anyone_may_pay_and_the_customer_is_refunded(
    escrow, jobs, asset, open_job, payer, stranger, deployer
):
    job = open_job()
    asset.transfer(stranger, 70, sender=deployer)
    asset.approve(escrow, 70, sender=stranger)
    escrow.top_up(job, 70, sender=stranger)
    before = asset.balanceOf(payer)
    jobs.cancel(job, sender=payer)
    assert asset.balanceOf(payer) - before == DEPOSIT + 70
    assert asset.balanceOf(stranger) == 0


def test_credits_what_has_arrived(escrow, jobs, odd_token, open_job, payer):
    job = open_job(paid_in=odd_token, deposit=100)
    odd_token.set_fee(9)
    escrow.top_up(job, 50, sender=payer)
    assert logs(escrow, "JobToppedUp") == [(job, 41)]
    assert jobs.job_info(job).deposit == 141


def test_nothing_adds_nothing(escrow, job, payer, state):
    before = state()
    escrow.top_up(job, 0, sender=payer)
    assert state() == before


def test_up_to_the_largest_deposit(escrow, jobs, odd_token, open_job, payer, refused):
    job = open_job(paid_in=odd_token, deposit=100)
    odd_token.grow(payer, 2**96)
    odd_token.approve(escrow, 2**96, sender=payer)
    with refused("job_escrow: deposit too large"):
        escrow.top_up(job, 2**96 - 100, sender=payer)
    escrow.top_up(job, 2**96 - 101, sender=payer)
    assert jobs.job_info(job).deposit == 2**96 - 1


@pytest.mark.parametrize("status", [JobStatus.RUNNING, JobStatus.COMPLETED])
def test_works_until_the_job_is_closed(escrow, jobs, job, settle, payer, refused, status):
    settle(job, 1, status)
    escrow.top_up(job, 5, sender=payer)
    assert jobs.job_info(job).deposit == DEPOSIT + 5
    if status == JobStatus.COMPLETED:
        jobs.close(job)
        with refused("job_escrow: job is over"):
            escrow.top_up(job, 5, sender=payer)


def test_a_cancelled_job_reverts(escrow, jobs, open_job, payer, refused):
    job = open_job()
    jobs.cancel(job, sender=payer)
    with refused("job_escrow: job is over"):
        escrow.top_up(job, 5, sender=payer)


@pytest.mark.parametrize("unknown", [0, 99, 2**64 - 1])
def test_an_unknown_job_reverts(escrow, job, payer, refused, unknown):
    with refused("job_escrow: job is over"):
        escrow.top_up(unknown, 5, sender=payer)


def test_a_token_can_not_credit_one_payment_twice(escrow, jobs, odd_token, open_job):
    """A nested top-up would see its own tokens and the outer call would count them again."""
    job = open_job(paid_in=odd_token, deposit=100)
    wallet = load_odd("wallet")
    odd_token.grow(wallet, 10)
    odd_token.approve(escrow, 10, sender=wallet.address)
    wallet.reenter(escrow, job)
    odd_token.set_hook(wallet)
    with boa.reverts():
        escrow.top_up(job, 5, sender=wallet.address)
    assert jobs.job_info(job).deposit == 100
