"""ServiceBonds.blame, and what clusters stand for: a member's fault costs that member only."""

import pytest

from oracle.domain.hashing import keccak
from oracle.domain.receipts import JobStatus
from tests.unit.market import (
    COLLATERAL_PER_GPU,
    COMPENSATION_BPS,
    DEPOSIT,
    EPOCH,
    SELF_BOND,
    logs,
)

SIGNERS = 0b11111
GPUS = (2, 3, 1)


def promise(gpus):
    return gpus * COLLATERAL_PER_GPU * COMPENSATION_BPS // 10_000


@pytest.fixture
def members(register, provider, oracles, delegator, owner):
    """Three providers as (id, owner); the first leads."""
    accounts = [oracles[0].address, delegator.address]
    return [(provider, owner)] + [(register(a, a, a, devices=4), a) for a in accounts]


@pytest.fixture
def cluster(clusters, members, device_class):
    cluster = int(
        clusters.form(
            [(member, gpus) for (member, _), gpus in zip(members, GPUS, strict=True)],
            device_class, COLLATERAL_PER_GPU, 0,
            sender=members[0][1],
        )
    )  # fmt: skip
    for index, (_, account) in enumerate(members[1:], 1):
        clusters.join(cluster, index, sender=account)
    return cluster


@pytest.fixture
def job(jobs, open_job, cluster, operator):
    """A job of the whole cluster."""
    job = open_job(gpus=sum(GPUS), of=cluster)
    jobs.accept(job, sender=operator.address)
    return job


@pytest.fixture
def blame(bonds, committee_signs):
    """Enter the committee's word on a job."""

    def _blame(job, mask, signed=None, **changes):
        payload = keccak((mask if signed is None else signed).to_bytes(32, "big"))
        signatures = committee_signs(bonds, job.to_bytes(32, "big"), EPOCH, payload, **changes)
        bonds.blame(job, EPOCH, mask, signatures)

    return _blame


@pytest.fixture
def bond_of(staking, members):
    return lambda: [staking.self_bond(member).active for member, _ in members]


# --- pledge and release ---------------------------------------------------------------------


def test_every_member_binds_what_it_brings(bonds, staking, job, members, device_class, jobs):
    assert jobs.job_info(job).collateral == sum(GPUS) * COLLATERAL_PER_GPU
    for (member, _), gpus in zip(members, GPUS, strict=True):
        assert bonds.committed_gpus(member, device_class) == gpus
        assert staking.self_bond(member).held == gpus * COLLATERAL_PER_GPU


def test_a_pledge_says_what_all_of_them_locked(bonds, cluster, jobs, device_class, sla):
    obligation = (cluster, device_class, sum(GPUS), sla)
    assert bonds.pledge(obligation, sender=jobs.address) == sum(GPUS) * COLLATERAL_PER_GPU


def test_all_of_it_is_freed(bonds, jobs, staking, job, members, device_class, settle, payer):
    settle(job, 10, JobStatus.COMPLETED)
    jobs.close(job)
    for member, _ in members:
        assert bonds.committed_gpus(member, device_class) == 0
        assert staking.self_bond(member)[:3] == (SELF_BOND, 0, 0)


@pytest.mark.parametrize("gpus", [1, sum(GPUS) - 1, sum(GPUS) + 1])
def test_a_job_takes_all_of_the_cluster(jobs, open_job, cluster, operator, refused, gpus):
    job = open_job(gpus=gpus, of=cluster)
    with refused("service_bonds: not the cluster's gpus"):
        jobs.accept(job, sender=operator.address)


def test_a_member_that_can_not_keep_its_part_stops_the_job(
    jobs, staking, open_job, cluster, members, operator, court, refused
):
    job = open_job(gpus=sum(GPUS), of=cluster)
    staking.jail(members[2][0], 2**64 - 1, sender=court.address)
    with refused("service_bonds: provider is jailed"):
        jobs.accept(job, sender=operator.address)


def test_more_collateral_than_agreed_stops_the_job(
    bonds, jobs, open_job, cluster, operator, refused
):
    job = open_job(gpus=sum(GPUS), of=cluster, level=bonds.add_sla(COLLATERAL_PER_GPU + 1, 0, 0, 0))
    with refused("cluster_registry: more collateral than agreed"):
        jobs.accept(job, sender=operator.address)


def test_only_the_lead_accepts(jobs, open_job, cluster, members, refused):
    job = open_job(gpus=sum(GPUS), of=cluster)
    for _, account in members[1:]:
        with refused("job_registry: not the provider"):
            jobs.accept(job, sender=account)
    jobs.accept(job, sender=members[0][1])


# --- blame and compensate -------------------------------------------------------------------


@pytest.mark.parametrize("mask", [0b001, 0b010, 0b110, 0b111])
def test_the_blamed_pay_out_of_their_own(
    bonds, jobs, staking, asset, job, members, device_class, blame, settle, bond_of, payer, mask
):
    blame(job, mask)
    assert logs(bonds, "MembersBlamed") == [(job, mask, SIGNERS)]
    settle(job, 0, JobStatus.PROVIDER_FAULT)
    before = asset.balanceOf(payer)
    jobs.close(job)
    costs = [promise(gpus) if mask >> i & 1 else 0 for i, gpus in enumerate(GPUS)]
    assert logs(jobs, "JobClosed") == [(job, JobStatus.PROVIDER_FAULT, DEPOSIT, sum(costs))]
    assert asset.balanceOf(payer) - before == DEPOSIT + sum(costs)
    assert bond_of() == [SELF_BOND - cost for cost in costs]
    for member, _ in members:
        assert bonds.committed_gpus(member, device_class) == 0
        assert staking.self_bond(member).held == 0


def test_what_nobody_is_blamed_for_costs_nobody(jobs, job, settle, bond_of):
    settle(job, 0, JobStatus.PROVIDER_FAULT)
    jobs.close(job)
    assert logs(jobs, "JobClosed") == [(job, JobStatus.PROVIDER_FAULT, DEPOSIT, 0)]
    assert bond_of() == [SELF_BOND] * 3


def test_bits_of_nobody_cost_nobody(jobs, job, blame, settle, bond_of):
    blame(job, 2**64 - 8)
    settle(job, 0, JobStatus.PROVIDER_FAULT)
    jobs.close(job)
    assert bond_of() == [SELF_BOND] * 3


def test_a_blame_costs_nothing_where_the_job_did_not_fail(jobs, job, blame, settle, bond_of):
    blame(job, 0b111)
    settle(job, 0, JobStatus.COMPLETED)
    jobs.close(job)
    assert bond_of() == [SELF_BOND] * 3


def test_a_provider_alone_needs_no_blame(jobs, accepted_job, settle, blame, staking, provider):
    alone = accepted_job()
    blame(alone, 0b10)
    settle(alone, 0, JobStatus.PROVIDER_FAULT)
    jobs.close(alone)
    assert logs(jobs, "JobClosed")[0][3] == promise(1)


def test_the_first_word_stays(job, blame, refused):
    blame(job, 0b001)
    for mask in (0b001, 0b010):
        with refused("service_bonds: already blamed"):
            blame(job, mask)


def test_nobody_to_blame_reverts(job, blame, refused):
    with refused("service_bonds: nobody to blame"):
        blame(job, 0)


def test_what_the_committee_did_not_sign_reverts(
    bonds, job, blame, oracles, committee_signs, refused
):
    with refused("oracle_committee: unknown signer"):
        blame(job, 0b010, signed=0b001)
    with refused("oracle_committee: wrong signature count"):
        blame(job, 0b010, signers=oracles[:4])
    signatures = committee_signs(
        bonds, job.to_bytes(32, "big"), EPOCH, keccak((1).to_bytes(32, "big"))
    )
    for other_job, epoch in [(job + 1, EPOCH), (job, EPOCH + 1)]:
        with refused("oracle_committee: unknown signer"):
            bonds.blame(other_job, epoch, 1, signatures)


# --- lost capacity and convictions ----------------------------------------------------------


def test_members_that_lack_devices_pay(
    bonds, jobs, job, members, device_class, lose_device, bond_of, payer, refused
):
    for number in (0, 1):
        lose_device(members[1][0], number)
    with refused("service_bonds: capacity is not lost"):
        jobs.leave_for_lost_capacity(job, sender=payer)
    bonds.note_capacity(members[1][0], device_class)
    jobs.leave_for_lost_capacity(job, sender=payer)
    assert logs(jobs, "JobClosed") == [(job, JobStatus.CAPACITY_LOST, DEPOSIT, promise(GPUS[1]))]
    assert bond_of() == [SELF_BOND, SELF_BOND - promise(GPUS[1]), SELF_BOND]


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_convicted_member_owes_its_own_promise(
    bonds, jobs, job, members, court, payer, bond_of, index
):
    harm = jobs.fail_job(job, members[index][0], sender=court.address)
    assert harm == (payer, DEPOSIT, promise(GPUS[index]))
    assert bond_of() == [SELF_BOND] * 3


def test_a_stranger_is_no_member(jobs, job, members, court, refused):
    with refused("job_registry: wrong provider"):
        jobs.fail_job(job, members[-1][0] + 1, sender=court.address)


def test_one_members_debt_stops_the_cluster(
    bonds, jobs, open_job, job, members, cluster, blame, settle, slash, operator, refused
):
    member = members[1][0]
    blame(job, 0b010)
    slash(member, SELF_BOND)
    settle(job, 0, JobStatus.PROVIDER_FAULT)
    jobs.close(job)
    assert [bonds.debt_of(each) for each, _ in members] == [0, promise(GPUS[1]), 0]
    again = open_job(gpus=sum(GPUS), of=cluster)
    with refused("service_bonds: provider owes a customer"):
        jobs.accept(again, sender=operator.address)


def test_takes_the_signatures_of_the_largest_committee(bonds, job, refused):
    """31 of 65 bytes: what they say is the committee's business, not the decoder's."""
    with refused("oracle_committee: wrong signature count"):
        bonds.blame(job, EPOCH, 1, bytes(31 * 65))
