"""JobRegistry.request_reclaim and reclaim."""

import boa
import pytest

from oracle.domain.receipts import JobStatus
from tests.unit.conftest import JOB_TIMEOUT
from tests.unit.market import DEPOSIT, SELF_BOND, logs


def test_a_silent_job_gives_the_deposit_back(
    bonds, jobs, staking, asset, job, provider, device_class, payer, stranger
):
    before = asset.balanceOf(payer)
    ready_at = boa.env.evm.patch.timestamp + JOB_TIMEOUT
    jobs.request_reclaim(job, sender=payer)
    assert logs(jobs, "ReclaimRequested") == [(job, 0, ready_at)]
    boa.env.time_travel(seconds=JOB_TIMEOUT)
    jobs.reclaim(job, sender=stranger)
    assert logs(jobs, "JobClosed") == [(job, JobStatus.ACCEPTED, DEPOSIT, 0)]
    assert asset.balanceOf(payer) - before == DEPOSIT
    assert jobs.job_info(job).status == JobStatus.CLOSED
    assert bonds.committed_gpus(provider, device_class) == 0
    assert staking.self_bond(provider)[:3] == (SELF_BOND, 0, 0)


def test_what_was_earned_stays_earned(escrow, jobs, asset, job, provider, settle, payer):
    settle(job, 1_000)
    jobs.request_reclaim(job, sender=payer)
    boa.env.time_travel(seconds=JOB_TIMEOUT)
    jobs.reclaim(job)
    assert logs(jobs, "JobClosed") == [(job, JobStatus.RUNNING, DEPOSIT - 2_000, 0)]
    assert escrow.income(provider, asset) == (1_940, 0)


def test_the_provider_may_ask_too(jobs, job, operator, owner):
    """A silent customer must not hold its collateral for ever."""
    for caller in (operator.address, owner):
        jobs.request_reclaim(job, sender=caller)
    boa.env.time_travel(seconds=JOB_TIMEOUT)
    jobs.reclaim(job)


def test_a_provider_that_proves_usage_keeps_the_job(jobs, job, settle, payer, refused):
    settle(job, 1_000)
    jobs.request_reclaim(job, sender=payer)
    boa.env.time_travel(seconds=JOB_TIMEOUT - 1)
    settle(job, 1_001)
    boa.env.time_travel(seconds=1)
    with refused("job_registry: job is not silent"):
        jobs.reclaim(job)

    jobs.request_reclaim(job, sender=payer)
    boa.env.time_travel(seconds=JOB_TIMEOUT)
    jobs.reclaim(job)


def test_not_before_the_timeout(jobs, job, payer, refused):
    jobs.request_reclaim(job, sender=payer)
    boa.env.time_travel(seconds=JOB_TIMEOUT - 1)
    with refused("job_registry: job timeout not over"):
        jobs.reclaim(job, sender=payer)


def test_a_second_request_starts_again(jobs, job, payer, refused):
    jobs.request_reclaim(job, sender=payer)
    boa.env.time_travel(seconds=JOB_TIMEOUT - 1)
    jobs.request_reclaim(job, sender=payer)
    boa.env.time_travel(seconds=1)
    with refused("job_registry: job timeout not over"):
        jobs.reclaim(job)


def test_not_without_a_request(jobs, job, payer, refused):
    boa.env.time_travel(seconds=JOB_TIMEOUT)
    with refused("job_registry: no reclaim requested"):
        jobs.reclaim(job, sender=payer)


def test_nobody_else_may_ask(jobs, job, stranger, watcher, refused):
    for caller in (stranger, watcher.address):
        with refused("job_registry: not the provider"):
            jobs.request_reclaim(job, sender=caller)


def test_only_a_job_that_goes_on(jobs, open_job, job, settle, payer, refused):
    for other in (open_job(), 99, 0):
        with refused("job_registry: job is not active"):
            jobs.request_reclaim(other, sender=payer)
    jobs.request_reclaim(job, sender=payer)
    settle(job, 0, JobStatus.COMPLETED)
    boa.env.time_travel(seconds=JOB_TIMEOUT)
    with refused("job_registry: job is not active"):
        jobs.reclaim(job)


@pytest.mark.parametrize("again", ["reclaim", "close"])
def test_only_once(jobs, job, payer, refused, again):
    jobs.request_reclaim(job, sender=payer)
    boa.env.time_travel(seconds=JOB_TIMEOUT)
    jobs.reclaim(job)
    reason = "job is not active" if again == "reclaim" else "status not final"
    with refused(f"job_registry: {reason}"):
        getattr(jobs, again)(job)
