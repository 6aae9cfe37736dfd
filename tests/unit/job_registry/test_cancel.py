"""JobRegistry.cancel."""

from oracle.domain.receipts import JobStatus
from tests.unit.market import DEPOSIT, logs


def test_gives_the_whole_deposit_back(escrow, jobs, asset, open_job, payer):
    before = asset.balanceOf(payer)
    job = open_job()
    jobs.cancel(job, sender=payer)
    assert logs(jobs, "JobCancelled") == [(job, DEPOSIT)]
    assert asset.balanceOf(payer) == before
    assert asset.balanceOf(escrow) == 0
    assert jobs.job_info(job).status == JobStatus.CANCELLED


def test_a_job_without_deposit(jobs, open_job, payer):
    job = open_job(deposit=0)
    jobs.cancel(job, sender=payer)
    assert logs(jobs, "JobCancelled") == [(job, 0)]


def test_only_the_customer(jobs, open_job, operator, stranger, refused):
    job = open_job()
    for caller in (operator.address, stranger):
        with refused("job_registry: not the customer"):
            jobs.cancel(job, sender=caller)


def test_only_once(jobs, open_job, payer, refused):
    job = open_job()
    jobs.cancel(job, sender=payer)
    with refused("job_registry: job is not open"):
        jobs.cancel(job, sender=payer)


def test_not_after_acceptance(jobs, job, payer, refused):
    with refused("job_registry: job is not open"):
        jobs.cancel(job, sender=payer)


def test_an_unknown_job_reverts(jobs, job, payer, refused):
    with refused("job_registry: job is not open"):
        jobs.cancel(99, sender=payer)
