"""A cluster's jobs from the opening to the last draw, through all contracts."""

import boa
import pytest

from oracle.domain.hashing import keccak
from oracle.domain.messages import Verdict
from oracle.domain.receipts import JobStatus
from tests.unit.cluster_registry.conftest import GPUS, LEAD, TOTAL
from tests.unit.market import COLLATERAL_PER_GPU, COMPENSATION_BPS, DEPOSIT, SELF_BOND, logs

FRAUD = 5
MEMBERS = range(len(GPUS))
COLLATERAL = [COLLATERAL_PER_GPU * gpus for gpus in GPUS]
COMPENSATION = [each * COMPENSATION_BPS // 10_000 for each in COLLATERAL]


@pytest.fixture
def bound(bonds, staking, members, device_class):
    """Of each member, GPUs promised and self-bond locked by jobs."""

    def _bound():
        return [
            (bonds.committed_gpus(member, device_class), staking.self_bond(member).held)
            for member in members
        ]

    return _bound


@pytest.fixture
def self_bonds(staking, members):
    def _self_bonds():
        return [staking.self_bond(member).active for member in members]

    return _self_bonds


@pytest.fixture
def blame(bonds, committee_signs):
    """The committee's word on who failed a job."""

    def _blame(job, *places, epoch=1):
        mask = sum(1 << place for place in places)
        payload = keccak(mask.to_bytes(32, "big"))
        signatures = committee_signs(bonds, job.to_bytes(32, "big"), epoch, payload)
        bonds.blame(job, epoch, mask, signatures)

    return _blame


def without(places):
    """Self-bond of the members once these have paid."""
    return [SELF_BOND - COMPENSATION[place] * (place in places) for place in MEMBERS]


# --- accepting ------------------------------------------------------------------------------


def test_accepting_binds_every_member(bonds, jobs, cluster_job, bound, members, device_class):
    assert bound() == [(0, 0)] * 3
    job = cluster_job()
    assert logs(jobs, "JobAccepted") == [(job, sum(COLLATERAL))]
    assert bound() == list(zip(GPUS, COLLATERAL, strict=True))
    info = jobs.job_info(job)
    assert (info.status, info.collateral, info.gpus) == (2, sum(COLLATERAL), TOTAL)


def test_only_the_lead_accepts_and_declines(jobs, open_job, cluster, speakers, lead, operator):
    job, other = (open_job(gpus=TOTAL, of=cluster) for _ in range(2))
    for caller in (speakers[0], speakers[2], operator.address):
        for call in (jobs.accept, jobs.decline):
            with boa.reverts("job_registry: not the provider"):
                call(job, sender=caller)
    jobs.accept(job, sender=lead)
    jobs.decline(other, sender=lead)
    assert [jobs.job_info(each).status for each in (job, other)] == [2, 11]


@pytest.mark.parametrize("gpus", [1, TOTAL - 1, TOTAL + 1])
def test_a_cluster_works_as_a_whole(jobs, open_job, cluster, lead, bound, gpus):
    job = open_job(gpus=gpus, of=cluster)
    with boa.reverts("service_bonds: not the cluster's gpus"):
        jobs.accept(job, sender=lead)
    assert bound() == [(0, 0)] * 3


def test_members_agree_first(jobs, open_job, clusters, cluster, speakers, lead, bound):
    job = open_job(gpus=TOTAL, of=cluster)
    clusters.leave(cluster, 2, sender=speakers[2])
    with boa.reverts("cluster_registry: a member has not joined"):
        jobs.accept(job, sender=lead)
    assert bound() == [(0, 0)] * 3


def test_never_more_collateral_than_agreed(jobs, bonds, open_job, form, clusters, speakers, lead):
    cluster = form(most=COLLATERAL_PER_GPU - 1)
    for place in (0, 2):
        clusters.join(cluster, place, sender=speakers[place])
    job = open_job(gpus=TOTAL, of=cluster)
    with boa.reverts("cluster_registry: more collateral than agreed"):
        jobs.accept(job, sender=lead)


@pytest.mark.parametrize("place", MEMBERS)
def test_one_member_that_can_not_stops_all(
    jobs, staking, registry, open_job, cluster, members, lead, court, bound, device_class, place
):
    job = open_job(gpus=TOTAL, of=cluster)
    with boa.env.anchor():
        staking.jail(members[place], 2**64 - 1, sender=court.address)
        with boa.reverts("service_bonds: provider is jailed"):
            jobs.accept(job, sender=lead)
    with boa.env.anchor():
        revoke_one(registry, court, members[place])
        with boa.reverts("service_bonds: not enough devices"):
            jobs.accept(job, sender=lead)
    assert bound() == [(0, 0)] * 3
    jobs.accept(job, sender=lead)


def test_devices_are_promised_once(jobs, open_job, cluster, cluster_job, members, lead, speakers):
    """Whether a member is asked through its cluster or by itself."""
    cluster_job()
    again, alone = open_job(gpus=TOTAL, of=cluster), open_job(gpus=1, of=members[0])
    with boa.reverts("service_bonds: not enough devices"):
        jobs.accept(again, sender=lead)
    with boa.reverts("service_bonds: not enough devices"):
        jobs.accept(alone, sender=speakers[0])


def revoke_one(registry, court, provider):
    """Strike the first device of a provider."""
    identity = keccak(f"card 0 of {provider}".encode())
    device = keccak(identity + provider.to_bytes(32, "big"))
    registry.revoke(device, provider, sender=court.address)


# --- the whole of it ------------------------------------------------------------------------


def test_from_the_opening_to_the_last_draw(
    clusters, escrow, jobs, asset, cluster, cluster_job, settle_batch, next_window, bound,
    self_bonds, payer, payouts, treasury, lead,
):  # fmt: skip
    purse = asset.balanceOf(payer)
    job = cluster_job()
    jobs.start(job, sender=lead)
    settle_batch((job, 1_000, JobStatus.RUNNING))
    settle_batch((job, 3_001, JobStatus.COMPLETED))
    jobs.close(job)
    assert bound() == [(0, 0)] * 3
    assert purse - asset.balanceOf(payer) == 6_002
    next_window()
    next_window()
    income = 6_002 - 181
    assert clusters.collect(cluster, asset) == income
    shares = [clusters.draw(cluster, place, asset) for place in MEMBERS]
    assert shares == [income * gpus // TOTAL for gpus in GPUS]
    assert [asset.balanceOf(payout) for payout in payouts] == shares
    assert asset.balanceOf(clusters) == income - sum(shares) < len(GPUS)
    assert asset.balanceOf(escrow) == escrow.fees(asset) == 181
    assert self_bonds() == [SELF_BOND] * 3


def test_vouchers_pay_at_once(
    clusters, escrow, asset, cluster, cluster_job, signed_voucher, lead, speakers
):
    job = cluster_job()
    escrow.settle_voucher(*signed_voucher(job, 1_000), sender=speakers[0])
    last = signed_voucher(job, 2_000, JobStatus.COMPLETED)
    for caller in (speakers[0], speakers[2]):
        with boa.reverts("job_escrow: not the provider"):
            escrow.settle_voucher(*last, sender=caller)
    escrow.settle_voucher(*last, sender=lead)
    assert clusters.collect(cluster, asset) == 4_000 - 2 * 60


# --- who pays -------------------------------------------------------------------------------


@pytest.mark.parametrize("places", [(0,), (2,), (0, 1), (0, 1, 2)])
@pytest.mark.parametrize(
    "status", [JobStatus.PROVIDER_FAULT, JobStatus.CAPACITY_LOST, JobStatus.SLA_MISSED]
)
def test_only_who_is_blamed_pays(
    jobs, token, cluster_job, settle_batch, blame, bound, self_bonds, payer, places, status
):
    job = cluster_job()
    settle_batch((job, 1_000, JobStatus.RUNNING))
    before = token.balanceOf(payer)
    blame(job, *places)
    settle_batch((job, 2_000, status))
    jobs.close(job)
    paid = sum(COMPENSATION[place] for place in places)
    assert logs(jobs, "JobClosed") == [(job, status, DEPOSIT - 4_000, paid)]
    assert token.balanceOf(payer) - before == DEPOSIT - 4_000 + paid
    assert self_bonds() == without(places)
    assert bound() == [(0, 0)] * 3


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.INFRASTRUCTURE])
def test_blame_alone_costs_nothing(jobs, cluster_job, settle_batch, blame, self_bonds, status):
    job = cluster_job()
    blame(job, 0, 1, 2)
    settle_batch((job, 2_000, status))
    jobs.close(job)
    assert self_bonds() == [SELF_BOND] * 3


def test_nobody_pays_for_what_nobody_is_blamed_for(
    jobs, cluster_job, settle_batch, self_bonds, bound
):
    job = cluster_job()
    settle_batch((job, 2_000, JobStatus.PROVIDER_FAULT))
    jobs.close(job)
    assert self_bonds() == [SELF_BOND] * 3
    assert bound() == [(0, 0)] * 3


def test_blame_of_one_job_is_not_another_s(jobs, cluster_job, settle_batch, blame, self_bonds):
    job = cluster_job()
    blame(job, 0)
    settle_batch((job, 1, JobStatus.COMPLETED))
    jobs.close(job)
    other = cluster_job()
    settle_batch((other, 1, JobStatus.PROVIDER_FAULT))
    jobs.close(other)
    assert self_bonds() == [SELF_BOND] * 3


def test_the_first_word_stays(bonds, cluster_job, blame):
    job = cluster_job()
    blame(job, 0, 2)
    assert logs(bonds, "MembersBlamed") == [(job, 0b101, 0b11111)]
    for epoch in (1, 2):
        with boa.reverts("service_bonds: already blamed"):
            blame(job, 1, epoch=epoch)
    with boa.reverts("service_bonds: nobody to blame"):
        blame(job + 1)
    assert (bonds.blamed(job), bonds.blamed(job + 1)) == (0b101, 0)


def test_blame_is_signed_for_one_job_and_mask(bonds, cluster_job, committee_signs):
    job = cluster_job()
    payload = keccak((1).to_bytes(32, "big"))
    signatures = committee_signs(bonds, job.to_bytes(32, "big"), 1, payload)
    for changed in ((job + 1, 1, 1), (job, 2, 1), (job, 1, 2)):
        with boa.reverts():
            bonds.blame(*changed, signatures)
        assert bonds.blamed(changed[0]) == 0
    bonds.blame(job, 1, 1, signatures)


def test_members_that_do_not_exist_pay_nothing(
    jobs, cluster_job, settle_batch, bonds, committee_signs, self_bonds
):
    job = cluster_job()
    mask = 2**64 - 2**3
    payload = keccak(mask.to_bytes(32, "big"))
    bonds.blame(job, 1, mask, committee_signs(bonds, job.to_bytes(32, "big"), 1, payload))
    settle_batch((job, 1, JobStatus.PROVIDER_FAULT))
    jobs.close(job)
    assert self_bonds() == [SELF_BOND] * 3


def test_a_member_without_enough_owes_the_rest(
    jobs, bonds, staking, cluster_job, settle_batch, blame, members, court, payer, open_job, lead,
    cluster, self_bonds,
):  # fmt: skip
    """Slashed meanwhile; the others don't answer for it, and the cluster takes no new job."""
    job = cluster_job()
    left = COMPENSATION[2] // 2
    staking.slash(
        members[2], (SELF_BOND - left, "0x" + "00" * 20, 0, "0x" + "00" * 20, 0),
        sender=court.address,
    )  # fmt: skip
    blame(job, 2)
    settle_batch((job, 1, JobStatus.PROVIDER_FAULT))
    jobs.close(job)
    assert self_bonds() == [SELF_BOND, SELF_BOND, 0]
    owed = COMPENSATION[2] - left
    assert bonds.debt_to(members[2], payer) == bonds.debt_of(members[2]) == owed
    again = open_job(gpus=TOTAL, of=cluster)
    with boa.reverts("service_bonds: provider owes a customer"):
        jobs.accept(again, sender=lead)


# --- lost capacity --------------------------------------------------------------------------


@pytest.mark.parametrize("place", MEMBERS)
def test_lost_devices_of_one_member(
    jobs, bonds, registry, token, cluster_job, members, court, payer, self_bonds, bound,
    device_class, place,
):  # fmt: skip
    patient = bonds.add_sla(COLLATERAL_PER_GPU, COMPENSATION_BPS, 0, 3_600)
    job = cluster_job(level=patient)
    before = token.balanceOf(payer)
    with boa.reverts("service_bonds: capacity is not lost"):
        jobs.leave_for_lost_capacity(job, sender=payer)
    revoke_one(registry, court, members[place])
    with boa.reverts("service_bonds: capacity is not lost"):
        jobs.leave_for_lost_capacity(job, sender=payer)
    for member in members:
        bonds.note_capacity(member, device_class)
    boa.env.time_travel(seconds=3_600 - 1)
    with boa.reverts("service_bonds: capacity is not lost"):
        jobs.leave_for_lost_capacity(job, sender=payer)
    boa.env.time_travel(seconds=1)
    jobs.leave_for_lost_capacity(job, sender=payer)
    assert token.balanceOf(payer) - before == DEPOSIT + COMPENSATION[place]
    assert self_bonds() == without([place])
    assert bound() == [(0, 0)] * 3


# --- the court ------------------------------------------------------------------------------


@pytest.mark.parametrize("place", MEMBERS)
def test_a_convicted_member_ends_the_job(jobs, cluster_job, court, members, payer, bound, place):
    job = cluster_job()
    harm = jobs.fail_job(job, members[place], sender=court.address)
    # only what that member had promised
    assert harm == (payer, DEPOSIT, COMPENSATION[place])
    assert bound() == [(0, 0)] * 3
    assert jobs.job_info(job).status == JobStatus.CLOSED


def test_the_court_ends_no_job_of_others(jobs, cluster, cluster_job, court, provider):
    job = cluster_job()
    for other in (0, provider, cluster + 1):
        with boa.reverts("job_registry: wrong provider"):
            jobs.fail_job(job, other, sender=court.address)


@pytest.fixture
def convict(court, token, policy, payer, committee_signs):
    """The customer accuses of fraud, and takes that through the real court."""

    def _accuse(provider, job):
        token.transfer(payer, policy.accusation_bond)
        token.approve(court, policy.accusation_bond, sender=payer)
        return bytes(court.accuse(provider, FRAUD, job, b"\7" * 32, sender=payer))

    def _convict(case, loss=0):
        boa.env.time_travel(seconds=policy.answer_period)
        verdict = Verdict(case, True, loss).struct_hash()
        court.rule(case, True, loss, committee_signs(court, case, 0, verdict))
        boa.env.time_travel(seconds=policy.appeal_period)
        court.execute(case)

    return _accuse, _convict


def test_a_member_is_accused_over_the_cluster_s_job(
    jobs, court, policy, token, cluster_job, members, convict, payer, self_bonds, bound
):
    accuse, execute = convict
    job = cluster_job()
    before = token.balanceOf(payer)
    case = accuse(members[2], job)
    execute(case)
    (log,) = [each for each in court.get_logs() if type(each).__name__ == "Convicted"]
    assert (log.provider, log.job, log.victim, log.refunded) == (members[2], job, payer, DEPOSIT)
    assert log.victim_amount == COMPENSATION[2]
    assert self_bonds()[:2] == [SELF_BOND] * 2
    assert self_bonds()[2] == SELF_BOND - log.slashed
    assert bound() == [(0, 0)] * 3
    # the bond is back, and the accuser has its share of the slash
    assert token.balanceOf(payer) - before >= DEPOSIT + COMPENSATION[2] + policy.accusation_bond


def test_nobody_else_is_accused_over_it(court, cluster, cluster_job, provider, convict):
    accuse, _ = convict
    job = cluster_job()
    with boa.reverts("slashing_court: job of another provider"):
        accuse(provider, job)
    with boa.reverts("slashing_court: unknown provider"):
        accuse(cluster, job)


def test_a_dispute_keeps_back_the_cluster_s_income(
    clusters, escrow, jobs, asset, cluster, cluster_job, settle_batch, members, convict, payer,
    next_window,
):  # fmt: skip
    accuse, execute = convict
    job = cluster_job()
    settle_batch((job, 2_000, JobStatus.RUNNING))
    case = accuse(members[0], job)
    assert jobs.dispute(job, case, sender=payer) == 4_000
    assert escrow.income(cluster, asset) == (0, 0)
    execute(case)
    before = asset.balanceOf(payer)
    jobs.settle_dispute(job)
    assert asset.balanceOf(payer) - before == 4_000
    next_window()
    assert clusters.collect(cluster, asset) == 0


def test_works_on(jobs, cluster, cluster_job, members, provider, open_job):
    job, alone = cluster_job(), open_job()
    assert [jobs.works_on(job, member) for member in (*members, cluster)] == [True] * 4
    assert not jobs.works_on(job, provider)
    assert jobs.works_on(alone, provider)
    assert not jobs.works_on(alone, members[LEAD])
    assert not jobs.works_on(alone + 1, provider)
