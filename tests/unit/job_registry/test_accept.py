"""JobRegistry.accept and decline."""

import boa
import pytest

from oracle.domain.receipts import JobStatus
from tests.unit.conftest import DAY, UNIT
from tests.unit.market import (
    COLLATERAL_PER_GPU,
    DEPOSIT,
    DEVICES,
    SELF_BOND,
    logs,
)

# --- accept ---------------------------------------------------------------------------------


def test_promises_devices_and_locks_collateral(
    bonds, jobs, staking, open_job, provider, device_class, operator
):
    job = open_job(gpus=3)
    jobs.accept(job, sender=operator.address)
    assert logs(jobs, "JobAccepted") == [(job, 3 * COLLATERAL_PER_GPU)]
    info = jobs.job_info(job)
    assert info.status == JobStatus.ACCEPTED
    assert info.accepted_at == boa.env.evm.patch.timestamp
    assert info.collateral == 3 * COLLATERAL_PER_GPU
    assert bonds.committed_gpus(provider, device_class) == 3
    assert staking.free_self_bond(provider) == SELF_BOND - 3 * COLLATERAL_PER_GPU


def test_a_job_that_nobody_accepted_has_no_collateral(jobs, open_job):
    info = jobs.job_info(open_job(gpus=3))
    assert (info.accepted_at, info.collateral) == (0, 0)


def test_the_first_cluster_is_one_and_the_last_provider_is_none(
    jobs, clusters, providers, register, open_job, provider, device_class, owner, stranger
):
    """Payees are told apart by their number: 2^23 is the first cluster's."""
    cluster = clusters.form([(provider, 1)], device_class, 2**127, 0, sender=owner)
    assert cluster == 2**23
    jobs.accept(open_job(of=cluster), sender=owner)
    slot = providers.compiler_data.storage_layout["storage_layout"]["provider_count"]["slot"]
    boa.env.set_storage(providers.address, slot, 2**23 - 2)
    last = register(stranger, stranger, stranger, devices=1)
    assert last == 2**23 - 1
    jobs.accept(open_job(of=last), sender=stranger)


def test_the_owner_may_accept(jobs, open_job, owner):
    job = open_job()
    jobs.accept(job, sender=owner)
    assert jobs.job_info(job).status == JobStatus.ACCEPTED


def test_no_sla_locks_nothing(jobs, staking, open_job, provider, operator):
    job = open_job(level=0)
    jobs.accept(job, sender=operator.address)
    assert jobs.job_info(job).collateral == 0
    assert staking.free_self_bond(provider) == SELF_BOND


def test_every_device_once(bonds, jobs, open_job, provider, device_class, operator, refused):
    first, second = open_job(gpus=DEVICES - 1), open_job(gpus=2)
    third = open_job(gpus=1)
    jobs.accept(first, sender=operator.address)
    with refused("service_bonds: not enough devices"):
        jobs.accept(second, sender=operator.address)
    jobs.accept(third, sender=operator.address)
    assert bonds.committed_gpus(provider, device_class) == DEVICES


def test_devices_of_another_class_do_not_count(
    escrow, jobs, registry, asset, open_job, operator, refused
):
    registry.add_class(1, 1, UNIT)
    job = escrow.open_job(
        1, asset, 1, 2, 1, DEPOSIT, 0, bytes(32), sender=jobs.job_info(open_job()).customer
    )
    with refused("service_bonds: not enough devices"):
        jobs.accept(job, sender=operator.address)


def test_less_stake_than_the_devices_need_reverts(
    jobs, staking, open_job, provider, owner, court, operator, refused
):
    job = open_job(level=0)
    zero = "0x" + "00" * 20
    staking.slash(
        provider, (SELF_BOND - DEVICES * UNIT + 1, zero, 0, zero, 0), sender=court.address
    )
    with refused("service_bonds: not enough stake"):
        jobs.accept(job, sender=operator.address)


def test_more_collateral_than_is_free_reverts(bonds, jobs, open_job, operator, deployer, refused):
    dear = bonds.add_sla(SELF_BOND + 1, 0, 0, 0)
    job = open_job(level=dear)
    with refused("provider_staking: not enough free self-bond"):
        jobs.accept(job, sender=operator.address)


@pytest.mark.parametrize("level", [0, 1])
def test_a_jailed_provider_reverts(
    jobs, staking, open_job, provider, operator, court, refused, level
):
    job = open_job(level=level)
    until = boa.env.evm.patch.timestamp + DAY
    staking.jail(provider, until, sender=court.address)
    with refused("service_bonds: provider is jailed"):
        jobs.accept(job, sender=operator.address)
    boa.env.time_travel(seconds=DAY)
    jobs.accept(job, sender=operator.address)


def test_only_the_provider(jobs, open_job, other_provider, payer, stranger, oracles, refused):
    job = open_job()
    for caller in (payer, stranger, oracles[0].address):
        with refused("job_registry: not the provider"):
            jobs.accept(job, sender=caller)


def test_only_once(jobs, job, operator, refused):
    with refused("job_registry: job is not open"):
        jobs.accept(job, sender=operator.address)


@pytest.mark.parametrize("unknown", [0, 99])
def test_an_unknown_job_reverts(jobs, job, operator, refused, unknown):
    with refused("job_registry: job is not open"):
        jobs.accept(unknown, sender=operator.address)


# --- decline --------------------------------------------------------------------------------


def test_declining_refunds_the_customer(escrow, jobs, asset, open_job, payer, operator, provider):
    before = asset.balanceOf(payer)
    job = open_job()
    jobs.decline(job, sender=operator.address)
    assert logs(jobs, "JobCancelled") == [(job, DEPOSIT)]
    assert jobs.job_info(job).status == JobStatus.CANCELLED
    assert asset.balanceOf(payer) == before
    assert asset.balanceOf(escrow) == 0


def test_only_the_provider_may_decline(jobs, open_job, payer, stranger, refused):
    job = open_job()
    for caller in (payer, stranger):
        with refused("job_registry: not the provider"):
            jobs.decline(job, sender=caller)


def test_what_was_accepted_can_not_be_declined(jobs, job, operator, refused):
    with refused("job_registry: job is not open"):
        jobs.decline(job, sender=operator.address)
