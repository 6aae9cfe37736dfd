"""JobRegistry.close."""

import boa
import pytest

from oracle.domain.receipts import COMPENSATED, FINAL, JobStatus
from tests.unit.market import (
    COLLATERAL_PER_GPU,
    COMPENSATION_BPS,
    DEPOSIT,
    SELF_BOND,
    logs,
)

COMPENSATION = COLLATERAL_PER_GPU * COMPENSATION_BPS // 10_000


@pytest.mark.parametrize("status", sorted(FINAL - COMPENSATED))
def test_refunds_what_nobody_earned(
    escrow,
    bonds,
    jobs,
    staking,
    asset,
    job,
    provider,
    device_class,
    settle_batch,
    payer,
    stranger,
    status,
):
    before = asset.balanceOf(payer)
    settle_batch((job, 1_000, status))
    jobs.close(job, sender=stranger)
    assert logs(jobs, "JobClosed") == [(job, status, DEPOSIT - 2_000, 0)]
    assert asset.balanceOf(payer) - before == DEPOSIT - 2_000
    assert asset.balanceOf(escrow) == 2_000
    assert jobs.job_info(job).status == JobStatus.CLOSED
    assert bonds.committed_gpus(provider, device_class) == 0
    # released, and out of unbonding until the lock period is over
    assert staking.self_bond(provider)[:3] == (SELF_BOND, 0, 0)


@pytest.mark.parametrize("status", sorted(COMPENSATED))
def test_a_failed_provider_compensates_the_customer(
    jobs, staking, asset, job, provider, settle_batch, payer, status
):
    before = asset.balanceOf(payer)
    supply = asset.totalSupply()
    settle_batch((job, 1_000, status))
    jobs.close(job)
    assert logs(jobs, "JobClosed") == [(job, status, DEPOSIT - 2_000, COMPENSATION)]
    assert asset.balanceOf(payer) - before == DEPOSIT - 2_000 + COMPENSATION
    assert staking.self_bond(provider)[:3] == (SELF_BOND - COMPENSATION, 0, 0)
    assert asset.totalSupply() == supply


@pytest.mark.parametrize(("bps", "compensated"), [(0, 0), (10_000, 2 * COLLATERAL_PER_GPU)])
def test_none_or_all_of_the_collateral(
    bonds, jobs, staking, accepted_job, provider, settle_batch, bps, compensated
):
    job = accepted_job(gpus=2, level=bonds.add_sla(COLLATERAL_PER_GPU, bps, 0, 0))
    settle_batch((job, 1_000, JobStatus.PROVIDER_FAULT))
    jobs.close(job)
    assert logs(jobs, "JobClosed")[0][3] == compensated
    assert staking.self_bond(provider)[:3] == (SELF_BOND - compensated, 0, 0)


def test_without_sla_nobody_is_compensated(jobs, staking, accepted_job, provider, settle_batch):
    job = accepted_job(level=0)
    settle_batch((job, 1_000, JobStatus.PROVIDER_FAULT))
    before = staking.self_bond(provider)
    jobs.close(job)
    assert logs(jobs, "JobClosed") == [(job, JobStatus.PROVIDER_FAULT, DEPOSIT - 2_000, 0)]
    assert staking.self_bond(provider) == before


def test_slashed_collateral_pays_what_is_left(
    bonds, jobs, staking, asset, accepted_job, provider, settle_batch, court, payer
):
    job = accepted_job(level=bonds.add_sla(COLLATERAL_PER_GPU, 10_000, 0, 0))
    left = COLLATERAL_PER_GPU // 2
    zero = "0x" + "00" * 20
    staking.slash(provider, (SELF_BOND - left, zero, 0, zero, 0), sender=court.address)
    settle_batch((job, 0, JobStatus.PROVIDER_FAULT))
    jobs.close(job)
    assert logs(jobs, "JobClosed") == [(job, JobStatus.PROVIDER_FAULT, DEPOSIT, left)]
    assert staking.self_bond(provider)[:3] == (0, 0, 0)


def test_a_spent_deposit_refunds_nothing(jobs, asset, job, settle):
    settle(job, 5_000, JobStatus.COMPLETED)
    jobs.close(job)
    assert logs(jobs, "JobClosed") == [(job, JobStatus.COMPLETED, 0, 0)]


def test_what_is_less_than_a_second_is_refunded(jobs, accepted_job, settle):
    job = accepted_job(deposit=DEPOSIT + 1)
    settle(job, 9_999, JobStatus.COMPLETED)
    jobs.close(job)
    assert logs(jobs, "JobClosed") == [(job, JobStatus.COMPLETED, 1, 0)]


def test_the_gpus_can_be_promised_again(jobs, accepted_job, settle):
    job = accepted_job(gpus=8)
    settle(job, 1, JobStatus.COMPLETED)
    jobs.close(job)
    accepted_job(gpus=8)


def test_a_customer_that_can_not_be_paid_stops_nothing(
    escrow,
    bonds,
    jobs,
    staking,
    odd_token,
    accepted_job,
    provider,
    device_class,
    settle_batch,
    payer,
):
    job = accepted_job(paid_in=odd_token, deposit=100)
    odd_token.set_blocked(payer, True)
    settle_batch((job, 10, JobStatus.PROVIDER_FAULT))
    jobs.close(job)
    assert logs(jobs, "RefundOwed") == [(payer, odd_token.address, 80)]
    assert escrow.owed_refund(payer, odd_token) == 80
    assert bonds.committed_gpus(provider, device_class) == 0
    assert staking.self_bond(provider)[2] == 0


@pytest.mark.parametrize("cumulative", [None, 10])
def test_a_job_that_goes_on_reverts(jobs, job, settle, payer, refused, cumulative):
    if cumulative is not None:
        settle(job, cumulative)
    with refused("job_registry: status not final"):
        jobs.close(job, sender=payer)


def test_an_open_job_reverts(jobs, open_job, refused):
    job = open_job()
    with refused("job_registry: status not final"):
        jobs.close(job)


def test_only_once(jobs, job, settle, refused):
    settle(job, 10, JobStatus.COMPLETED)
    jobs.close(job)
    with refused("job_registry: status not final"):
        jobs.close(job)


@pytest.mark.parametrize("unknown", [0, 99, 2**64 - 1])
def test_an_unknown_job_reverts(jobs, job, refused, unknown):
    with refused("job_registry: status not final"):
        jobs.close(unknown)


def test_ended_gpus_are_counted_per_class(bonds, jobs, registry, accepted_job, provider, settle):
    first, second = accepted_job(gpus=3), accepted_job(gpus=2)
    settle(first, 10, JobStatus.COMPLETED)
    jobs.close(first)
    assert bonds.committed_gpus(provider, 1) == 2
    assert boa.env.evm.patch.timestamp == jobs.job_info(second).accepted_at
