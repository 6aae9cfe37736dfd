"""JobRegistry.fail_job: what the court does to a convicted provider's job."""

import pytest

from oracle.domain.receipts import JobStatus
from tests.unit.market import (
    COLLATERAL_PER_GPU,
    COMPENSATION_BPS,
    DEPOSIT,
    SELF_BOND,
    logs,
)


@pytest.mark.parametrize("cumulative", [None, 1_000])
def test_refunds_and_lets_the_collateral_go(
    bonds,
    jobs,
    staking,
    asset,
    accepted_job,
    provider,
    device_class,
    settle,
    payer,
    court,
    cumulative,
):
    job = accepted_job(gpus=2)
    if cumulative is not None:
        settle(job, cumulative)
    before = asset.balanceOf(payer)
    refund = DEPOSIT - 2 * (cumulative or 0)
    harm = jobs.fail_job(job, provider, sender=court.address)
    assert logs(jobs, "JobClosed") == [(job, JobStatus.PROVIDER_FAULT, refund, 0)]
    assert harm == (payer, refund, 2 * COLLATERAL_PER_GPU * COMPENSATION_BPS // 10_000)
    assert asset.balanceOf(payer) - before == refund
    assert jobs.job_info(job).status == JobStatus.CLOSED
    assert bonds.committed_gpus(provider, device_class) == 0
    # in reach of the slash that follows, which pays the compensation
    assert staking.self_bond(provider)[:3] == (SELF_BOND, 0, 0)
    assert staking.slashable(provider) == SELF_BOND


def test_a_job_without_sla_promises_nothing(jobs, accepted_job, provider, court, payer):
    job = accepted_job(level=0)
    assert jobs.fail_job(job, provider, sender=court.address) == (payer, DEPOSIT, 0)


def test_a_customer_that_can_not_be_paid_stops_no_conviction(
    escrow, jobs, odd_token, accepted_job, provider, court, payer
):
    job = accepted_job(paid_in=odd_token, deposit=100)
    odd_token.set_blocked(payer, True)
    assert jobs.fail_job(job, provider, sender=court.address).refunded == 100
    assert escrow.owed_refund(payer, odd_token) == 100


def test_only_the_court(jobs, job, provider, deployer, guardian, payer, refused):
    for caller in (deployer, guardian, payer):
        with refused("roles: caller lacks the role"):
            jobs.fail_job(job, provider, sender=caller)


def test_another_providers_job_reverts(jobs, job, provider, court, refused):
    with refused("job_registry: wrong provider"):
        jobs.fail_job(job, provider + 1, sender=court.address)


def test_only_a_job_that_goes_on(jobs, open_job, job, provider, settle, court, refused):
    for other in (open_job(), 99, 0):
        with refused("job_registry: job is not active"):
            jobs.fail_job(other, provider, sender=court.address)
    settle(job, 10, JobStatus.COMPLETED)
    with refused("job_registry: job is not active"):
        jobs.fail_job(job, provider, sender=court.address)
    jobs.close(job)
    with refused("job_registry: job is not active"):
        jobs.fail_job(job, provider, sender=court.address)


def test_only_once(jobs, job, provider, court, refused):
    jobs.fail_job(job, provider, sender=court.address)
    with refused("job_registry: job is not active"):
        jobs.fail_job(job, provider, sender=court.address)


def test_members_of_a_cluster_work_on_its_jobs_and_nobody_else(
    jobs, clusters, provider, device_class, operator, open_job
):
    cluster = clusters.form([(provider, 1)], device_class, 0, 0, sender=operator.address)
    job = open_job(of=cluster)
    assert jobs.works_on(job, provider)
    assert not jobs.works_on(job, provider + 1)
