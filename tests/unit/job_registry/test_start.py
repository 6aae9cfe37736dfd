"""JobRegistry.start."""

import pytest

from oracle.domain.receipts import JobStatus
from tests.unit.market import logs


@pytest.mark.parametrize("by", ["owner", "operator"])
def test_an_accepted_job_runs(jobs, job, settle, request, by):
    account = request.getfixturevalue(by)
    before = jobs.job_info(job)
    jobs.start(job, sender=getattr(account, "address", account))
    assert logs(jobs, "JobStarted") == [(job,)]
    assert jobs.job_info(job) == before._replace(status=JobStatus.RUNNING)
    settle(job, 10)
    assert jobs.job_info(job).settled == 10


def test_a_taken_offer_is_started_likewise(jobs, take_offer, operator):
    job = take_offer()
    jobs.start(job, sender=operator.address)
    assert jobs.job_info(job).status == JobStatus.RUNNING


def test_only_the_provider(jobs, job, other_provider, oracles, payer, stranger, deployer, refused):
    for caller in (payer, stranger, deployer, oracles[0].address):
        with refused("job_registry: not the provider"):
            jobs.start(job, sender=caller)


def test_only_once(jobs, job, operator, refused):
    jobs.start(job, sender=operator.address)
    with refused("job_registry: job is not accepted"):
        jobs.start(job, sender=operator.address)


def test_no_other_job_starts(jobs, open_job, accepted_job, settle, operator, payer, refused):
    cancelled, ran, ended, closed = open_job(), accepted_job(), accepted_job(), accepted_job()
    jobs.cancel(cancelled, sender=payer)
    settle(ran, 10)
    settle(ended, 10, JobStatus.COMPLETED)
    settle(closed, 10, JobStatus.COMPLETED)
    jobs.close(closed)
    for job in (open_job(), cancelled, ran, ended, closed, 99, 0):
        with refused("job_registry: job is not accepted"):
            jobs.start(job, sender=operator.address)
