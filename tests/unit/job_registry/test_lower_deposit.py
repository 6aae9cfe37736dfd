"""JobRegistry.lower_deposit: a customer takes back what its provider can't have earned."""

import boa
import pytest

from oracle.domain.receipts import JobStatus
from tests.unit.conftest import JOB_TIMEOUT
from tests.unit.market import DEPOSIT, logs

EARNED = "job_escrow: the provider may have earned that"
# covers three timeouts of one GPU at the usual price
LARGE = 6 * JOB_TIMEOUT


@pytest.mark.parametrize("amount", [1, DEPOSIT - 1, DEPOSIT])
def test_all_of_an_open_job(escrow, jobs, asset, open_job, payer, amount):
    before = asset.balanceOf(payer)
    job = open_job()
    jobs.lower_deposit(job, amount, sender=payer)
    assert logs(jobs, "DepositLowered") == [(job, amount)]
    assert jobs.job_info(job).deposit == DEPOSIT - amount
    assert jobs.job_info(job).status == JobStatus.OPEN
    assert asset.balanceOf(payer) == before - DEPOSIT + amount
    assert asset.balanceOf(escrow) == DEPOSIT - amount
    jobs.cancel(job, sender=payer)
    assert asset.balanceOf(payer) == before


def test_in_steps_down_to_nothing(jobs, open_job, payer, refused):
    job = open_job()
    for _ in range(2):
        jobs.lower_deposit(job, DEPOSIT // 2, sender=payer)
    with refused(EARNED):
        jobs.lower_deposit(job, 1, sender=payer)


@pytest.mark.parametrize("amount", [DEPOSIT + 1, 2**96, 2**256 - 1])
def test_more_than_there_is_reverts(jobs, open_job, payer, refused, amount):
    job = open_job()
    with refused(EARNED):
        jobs.lower_deposit(job, amount, sender=payer)


def test_nothing_reverts(jobs, open_job, payer, refused):
    job = open_job()
    with refused("job_registry: nothing to take back"):
        jobs.lower_deposit(job, 0, sender=payer)


@pytest.mark.parametrize("gpus", [1, 3])
@pytest.mark.parametrize("elapsed", [0, 1, JOB_TIMEOUT])
@pytest.mark.parametrize("price", [7_200, 1_201, 1])
def test_of_an_accepted_job_what_its_gpus_can_earn_stays(
    jobs, accepted_job, payer, refused, gpus, elapsed, price
):
    """Since acceptance, and for as long as the provider may take to notice."""
    kept = gpus * (elapsed + JOB_TIMEOUT) * price // 3_600
    job = accepted_job(gpus=gpus, price=price, deposit=kept + 10, level=0)
    boa.env.time_travel(seconds=elapsed)
    with refused(EARNED):
        jobs.lower_deposit(job, 11, sender=payer)
    jobs.lower_deposit(job, 10, sender=payer)
    assert jobs.job_info(job).deposit == kept
    with refused(EARNED):
        jobs.lower_deposit(job, 1, sender=payer)


def test_the_provider_is_covered_until_the_timeout(
    jobs, asset, accepted_job, settle, payer, provider
):
    job = accepted_job(gpus=2, deposit=4 * LARGE)
    boa.env.time_travel(seconds=77)
    jobs.lower_deposit(job, 4 * LARGE - 4 * (77 + JOB_TIMEOUT), sender=payer)
    boa.env.time_travel(seconds=JOB_TIMEOUT)
    settle(job, 2 * (77 + JOB_TIMEOUT), JobStatus.COMPLETED)
    assert logs(jobs, "JobExhausted") == []
    jobs.close(job)
    assert logs(jobs, "JobClosed") == [(job, JobStatus.COMPLETED, 0, 0)]


def test_what_was_settled_stays_whatever_the_clock_says(
    escrow, jobs, accepted_job, settle, payer, refused
):
    """A report may be ahead of this chain's clock."""
    job = accepted_job(deposit=LARGE)
    settle(job, 2 * JOB_TIMEOUT)
    with refused(EARNED):
        jobs.lower_deposit(job, LARGE - 4 * JOB_TIMEOUT + 1, sender=payer)
    jobs.lower_deposit(job, LARGE - 4 * JOB_TIMEOUT, sender=payer)
    assert jobs.job_info(job).deposit == 4 * JOB_TIMEOUT
    assert escrow.amount_due(job, 2 * JOB_TIMEOUT + 1) == (0, 2)


def test_of_a_running_job_too(jobs, accepted_job, settle, settle_batch, payer, refused):
    job = accepted_job(deposit=LARGE)
    settle(job, 10)
    settle_batch((job, 20, JobStatus.RUNNING))
    with refused(EARNED):
        jobs.lower_deposit(job, LARGE - 2 * JOB_TIMEOUT + 1, sender=payer)
    jobs.lower_deposit(job, LARGE - 2 * JOB_TIMEOUT, sender=payer)


def test_of_a_job_that_has_ended_the_same_stays(jobs, accepted_job, settle, payer, refused):
    """Usage may still be reported until it is closed."""
    job = accepted_job(deposit=LARGE)
    settle(job, 10, JobStatus.COMPLETED)
    with refused(EARNED):
        jobs.lower_deposit(job, LARGE - 2 * JOB_TIMEOUT + 1, sender=payer)
    jobs.lower_deposit(job, 1, sender=payer)
    jobs.close(job)
    assert logs(jobs, "JobClosed") == [(job, JobStatus.COMPLETED, LARGE - 1 - 20, 0)]


def test_a_taken_offer_counts_from_its_taking(jobs, take_offer, payer, refused):
    job = take_offer(1, 24 * 3_600)
    with refused(EARNED):
        jobs.lower_deposit(job, 1, sender=payer)


def test_a_job_that_is_over_reverts(jobs, open_job, accepted_job, settle, payer, refused):
    cancelled, closed = open_job(), accepted_job()
    jobs.cancel(cancelled, sender=payer)
    settle(closed, 10, JobStatus.COMPLETED)
    jobs.close(closed)
    for job in (cancelled, closed):
        with refused("job_registry: job is over"):
            jobs.lower_deposit(job, 1, sender=payer)


def test_only_the_customer(jobs, open_job, operator, stranger, deployer, payer, refused):
    job = open_job()
    for caller in (operator.address, stranger, deployer):
        with refused("job_registry: not the customer"):
            jobs.lower_deposit(job, 1, sender=caller)
    for unknown in (0, 99):
        with refused("job_registry: not the customer"):
            jobs.lower_deposit(unknown, 1, sender=payer)


def test_a_customer_that_can_not_be_paid_keeps_its_claim(escrow, jobs, odd_token, open_job, payer):
    job = open_job(paid_in=odd_token, deposit=100)
    odd_token.set_blocked(payer, True)
    jobs.lower_deposit(job, 40, sender=payer)
    assert escrow.owed_refund(payer, odd_token) == 40
    assert jobs.job_info(job).deposit == 60


def test_works_while_inflows_are_paused(escrow, jobs, asset, open_job, guardian, payer):
    job = open_job()
    escrow.set_inflows_paused(asset, True, sender=guardian)
    jobs.lower_deposit(job, 5, sender=payer)
    assert jobs.job_info(job).deposit == DEPOSIT - 5


def test_a_top_up_puts_it_back(escrow, jobs, open_job, payer):
    job = open_job()
    jobs.lower_deposit(job, DEPOSIT, sender=payer)
    escrow.top_up(job, DEPOSIT, sender=payer)
    assert jobs.job_info(job).deposit == DEPOSIT
