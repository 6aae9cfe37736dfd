"""JobRegistry.leave_for_lost_capacity: a customer goes where there are devices."""

import boa
import pytest

from oracle.domain.receipts import JobStatus
from tests.unit.conftest import DAY, HOUR
from tests.unit.market import (
    COLLATERAL_PER_GPU,
    COMPENSATION_BPS,
    DEPOSIT,
    DEVICES,
    SELF_BOND,
    logs,
)

COMPENSATION = COLLATERAL_PER_GPU * COMPENSATION_BPS // 10_000
NOT_LOST = "service_bonds: capacity is not lost"


@pytest.fixture
def patient(bonds, sla):
    """A service level that allows devices to be missing for an hour."""
    return int(bonds.add_sla(COLLATERAL_PER_GPU, COMPENSATION_BPS, 0, HOUR))


def test_refunds_and_compensates(
    escrow, jobs, bonds, staking, asset, accepted_job, settle, lose_device, provider, device_class,
    patient, payer,
):  # fmt: skip
    job = accepted_job(gpus=DEVICES, level=patient)
    settle(job, 100)
    lose_device(provider, 0)
    bonds.note_capacity(provider, device_class)
    boa.env.time_travel(seconds=HOUR)
    before = asset.balanceOf(payer)
    jobs.leave_for_lost_capacity(job, sender=payer)
    paid = DEVICES * COMPENSATION
    assert logs(jobs, "JobClosed") == [(job, JobStatus.CAPACITY_LOST, DEPOSIT - 200, paid)]
    assert asset.balanceOf(payer) - before == DEPOSIT - 200 + paid
    assert jobs.job_info(job).status == JobStatus.CLOSED
    assert bonds.committed_gpus(provider, device_class) == 0
    assert staking.self_bond(provider)[:3] == (SELF_BOND - paid, 0, 0)
    assert escrow.income(provider, asset) == (194, 0)


def test_an_accepted_job_too(jobs, bonds, accepted_job, lose_device, provider, device_class, payer):
    """This level allows no time at all."""
    job = accepted_job(gpus=DEVICES)
    lose_device(provider, 0)
    bonds.note_capacity(provider, device_class)
    jobs.leave_for_lost_capacity(job, sender=payer)
    assert logs(jobs, "JobClosed")[0][3] == DEVICES * COMPENSATION


def test_without_a_service_level_only_the_deposit_comes_back(
    jobs, bonds, accepted_job, lose_device, provider, device_class, payer
):
    job = accepted_job(gpus=DEVICES, level=0)
    lose_device(provider, 0)
    bonds.note_capacity(provider, device_class)
    jobs.leave_for_lost_capacity(job, sender=payer)
    assert logs(jobs, "JobClosed") == [(job, JobStatus.CAPACITY_LOST, DEPOSIT, 0)]


def test_not_before_the_grace_is_over(
    jobs, bonds, accepted_job, lose_device, provider, device_class, patient, payer, refused
):
    job = accepted_job(gpus=DEVICES, level=patient)
    lose_device(provider, 0)
    boa.env.time_travel(seconds=DAY)
    # nobody has noted it
    with refused(NOT_LOST):
        jobs.leave_for_lost_capacity(job, sender=payer)
    bonds.note_capacity(provider, device_class)
    boa.env.time_travel(seconds=HOUR - 1)
    with refused(NOT_LOST):
        jobs.leave_for_lost_capacity(job, sender=payer)
    boa.env.time_travel(seconds=1)
    jobs.leave_for_lost_capacity(job, sender=payer)


def test_not_while_there_are_enough(
    jobs, bonds, accepted_job, lose_device, provider, device_class, payer, refused
):
    job = accepted_job(gpus=DEVICES - 1)
    with refused(NOT_LOST):
        jobs.leave_for_lost_capacity(job, sender=payer)
    lose_device(provider, 0)
    assert bonds.note_capacity(provider, device_class) == 0
    with refused(NOT_LOST):
        jobs.leave_for_lost_capacity(job, sender=payer)


def test_not_once_the_devices_are_back(
    jobs, bonds, accepted_job, lose_device, attest, provider, device_class, patient, payer, refused
):
    """Whether or not that has been noted; a later shortage has its own grace then."""
    job = accepted_job(gpus=DEVICES, level=patient)
    lose_device(provider, 0)
    bonds.note_capacity(provider, device_class)
    attest(provider, 0, epoch=2)
    boa.env.time_travel(seconds=HOUR)
    with refused(NOT_LOST):
        jobs.leave_for_lost_capacity(job, sender=payer)
    assert bonds.note_capacity(provider, device_class) == 0
    lose_device(provider, 1)
    bonds.note_capacity(provider, device_class)
    with refused(NOT_LOST):
        jobs.leave_for_lost_capacity(job, sender=payer)


def test_as_many_leave_as_devices_are_missing(
    jobs, bonds, accepted_job, lose_device, provider, device_class, payer, refused
):
    """What the first has left is enough for the others."""
    several = [accepted_job(gpus=2) for _ in range(DEVICES // 2)]
    lose_device(provider, 0)
    bonds.note_capacity(provider, device_class)
    jobs.leave_for_lost_capacity(several[2], sender=payer)
    for job in (several[0], several[1], several[3]):
        with refused(NOT_LOST):
            jobs.leave_for_lost_capacity(job, sender=payer)


def test_an_older_shortage_costs_no_new_job_its_grace(
    jobs, bonds, accepted_job, settle, lose_device, attest, provider, device_class, patient, payer,
    refused,
):  # fmt: skip
    """Nobody has noted that it was over, but a job that is accepted shows it."""
    first = accepted_job(gpus=DEVICES, level=patient)
    lose_device(provider, 0)
    since = bonds.note_capacity(provider, device_class)
    assert since != 0
    settle(first, 1, JobStatus.COMPLETED)
    jobs.close(first)
    attest(provider, 0, epoch=2)
    boa.env.time_travel(seconds=HOUR)
    assert bonds.short_since(provider, device_class) == since
    second = accepted_job(gpus=DEVICES, level=patient)
    assert logs(jobs, "CapacityNoted") == [(provider, device_class, 0)]
    lose_device(provider, 1)
    bonds.note_capacity(provider, device_class)
    with refused(NOT_LOST):
        jobs.leave_for_lost_capacity(second, sender=payer)
    boa.env.time_travel(seconds=HOUR)
    jobs.leave_for_lost_capacity(second, sender=payer)


def test_only_the_customer(
    jobs, bonds, accepted_job, lose_device, provider, device_class, operator, stranger, refused
):
    job = accepted_job(gpus=DEVICES)
    lose_device(provider, 0)
    bonds.note_capacity(provider, device_class)
    for caller in (operator.address, stranger):
        with refused("job_registry: not the customer"):
            jobs.leave_for_lost_capacity(job, sender=caller)


def test_only_a_job_that_goes_on(
    jobs, bonds, open_job, accepted_job, settle, lose_device, provider, device_class, payer, refused
):
    opened, ended, active = open_job(), accepted_job(), accepted_job(gpus=DEVICES - 1)
    settle(ended, 1, JobStatus.COMPLETED)
    lose_device(provider, 0)
    bonds.note_capacity(provider, device_class)
    for job in (opened, ended):
        with refused("job_registry: job is not active"):
            jobs.leave_for_lost_capacity(job, sender=payer)
    jobs.leave_for_lost_capacity(active, sender=payer)
    with refused("job_registry: job is not active"):
        jobs.leave_for_lost_capacity(active, sender=payer)
