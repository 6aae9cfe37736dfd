"""JobEscrow.request_reclaim and reclaim."""

import boa
import pytest

from oracle.domain.receipts import JobStatus
from tests.unit.conftest import JOB_TIMEOUT
from tests.unit.job_escrow.conftest import DEPOSIT, SELF_BOND, logs


def test_a_silent_job_gives_the_deposit_back(
    escrow, staking, asset, job, provider, device_class, payer, stranger
):
    before = asset.balanceOf(payer)
    ready_at = boa.env.evm.patch.timestamp + JOB_TIMEOUT
    escrow.request_reclaim(job, sender=payer)
    assert logs(escrow, "ReclaimRequested") == [(job, 0, ready_at)]
    boa.env.time_travel(seconds=JOB_TIMEOUT)
    escrow.reclaim(job, sender=stranger)
    assert logs(escrow, "JobClosed") == [(job, JobStatus.ACCEPTED, DEPOSIT, 0)]
    assert asset.balanceOf(payer) - before == DEPOSIT
    assert escrow.job_info(job).status == JobStatus.CLOSED
    assert escrow.committed_gpus(provider, device_class) == 0
    assert staking.self_bond(provider)[:3] == (SELF_BOND, 0, 0)


def test_what_was_earned_stays_earned(escrow, asset, job, provider, settle, payer):
    settle(job, 1_000)
    escrow.request_reclaim(job, sender=payer)
    boa.env.time_travel(seconds=JOB_TIMEOUT)
    escrow.reclaim(job)
    assert logs(escrow, "JobClosed") == [(job, JobStatus.RUNNING, DEPOSIT - 2_000, 0)]
    assert escrow.income(provider, asset) == (1_940, 0)


def test_the_provider_may_ask_too(escrow, job, operator, owner):
    """A silent customer must not hold its collateral for ever."""
    for caller in (operator.address, owner):
        escrow.request_reclaim(job, sender=caller)
    boa.env.time_travel(seconds=JOB_TIMEOUT)
    escrow.reclaim(job)


def test_a_provider_that_proves_usage_keeps_the_job(escrow, job, settle, payer, refused):
    settle(job, 1_000)
    escrow.request_reclaim(job, sender=payer)
    boa.env.time_travel(seconds=JOB_TIMEOUT - 1)
    settle(job, 1_001)
    boa.env.time_travel(seconds=1)
    with refused("job_escrow: job is not silent"):
        escrow.reclaim(job)

    escrow.request_reclaim(job, sender=payer)
    boa.env.time_travel(seconds=JOB_TIMEOUT)
    escrow.reclaim(job)


def test_not_before_the_timeout(escrow, job, payer, refused):
    escrow.request_reclaim(job, sender=payer)
    boa.env.time_travel(seconds=JOB_TIMEOUT - 1)
    with refused("job_escrow: job timeout not over"):
        escrow.reclaim(job, sender=payer)


def test_a_second_request_starts_again(escrow, job, payer, refused):
    escrow.request_reclaim(job, sender=payer)
    boa.env.time_travel(seconds=JOB_TIMEOUT - 1)
    escrow.request_reclaim(job, sender=payer)
    boa.env.time_travel(seconds=1)
    with refused("job_escrow: job timeout not over"):
        escrow.reclaim(job)


def test_not_without_a_request(escrow, job, payer, refused):
    boa.env.time_travel(seconds=JOB_TIMEOUT)
    with refused("job_escrow: no reclaim requested"):
        escrow.reclaim(job, sender=payer)


def test_nobody_else_may_ask(escrow, job, stranger, watcher, refused):
    for caller in (stranger, watcher.address):
        with refused("job_escrow: not the provider"):
            escrow.request_reclaim(job, sender=caller)


def test_only_a_job_that_goes_on(escrow, open_job, job, settle, payer, refused):
    for other in (open_job(), 99, 0):
        with refused("job_escrow: job is not active"):
            escrow.request_reclaim(other, sender=payer)
    escrow.request_reclaim(job, sender=payer)
    settle(job, 0, JobStatus.COMPLETED)
    boa.env.time_travel(seconds=JOB_TIMEOUT)
    with refused("job_escrow: job is not active"):
        escrow.reclaim(job)


@pytest.mark.parametrize("again", ["reclaim", "close"])
def test_only_once(escrow, job, payer, refused, again):
    escrow.request_reclaim(job, sender=payer)
    boa.env.time_travel(seconds=JOB_TIMEOUT)
    escrow.reclaim(job)
    reason = "job is not active" if again == "reclaim" else "status not final"
    with refused(f"job_escrow: {reason}"):
        getattr(escrow, again)(job)
