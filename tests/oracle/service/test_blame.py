"""A cluster that misses its service level: who failed is said on chain, and pays alone."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from oracle.domain.proposals import BlameProposal
from oracle.domain.receipts import JobStatus
from oracle.errors import BadInput
from scripts._anvil import test_key as key_of
from tests.oracle.conftest import (
    PRICE,
    UNIT,
    Live,
    Machine,
    Oracle,
    admit,
    step,
    step_until,
)

# seconds from which a job is judged, and that oracles try to agree
PATIENCE = 200
COLLATERAL = UNIT
DEPOSIT = 100 * UNIT
SILENT = 0b10


@pytest.fixture
def oracles(make_oracles: Callable[..., list[Oracle]]) -> list[Oracle]:
    """Four oracles that judge a job soon."""
    return make_oracles(uptime_after=PATIENCE)


@pytest.fixture
def other(live: Live) -> Machine:
    """The device of a second provider, with keys of its own."""
    theirs = replace(live, provider_owner=key_of(8), operator=key_of(9))
    return Machine(theirs, theirs.register_provider(), uuid="other machine")


@pytest.fixture
def job(live: Live, oracles: list[Oracle], machine: Machine, other: Machine) -> int:
    """A cluster's job: a GPU of each of two providers, promised for 90 % of the time."""
    live.send(live.deployer, "ServiceBonds", "add_sla", COLLATERAL, 10_000, 9_000, 0)
    live.enter_epoch(1)
    step(oracles)
    admit(machine, oracles)
    admit(other, oracles)
    members = [(machine.provider, 1), (other.provider, 1)]
    live.send(live.operator, "ClusterRegistry", "form", members, 1, COLLATERAL, 0)
    cluster = 2**23
    live.send(other.live.operator, "ClusterRegistry", "join", cluster, 1)
    token, escrow = live.deployment.address("WorkToken"), live.deployment.address("JobEscrow")
    live.send(live.deployer, "WorkToken", "transfer", live.customer.address, DEPOSIT)
    live.send(live.customer, "WorkToken", "approve", escrow, DEPOSIT)
    terms = (cluster, token, 2, 1, PRICE, DEPOSIT, 1, bytes(32))
    live.send(live.customer, "JobEscrow", "open_job", *terms)
    number = int(live.read("JobEscrow", "job_count"))
    live.send(live.operator, "JobRegistry", "accept", number)
    return number


def beat(live: Live, oracles: list[Oracle], machines: list[Machine], seconds: int) -> None:
    """Let chain time pass with a heartbeat of each machine every 20 seconds."""
    for _ in range(seconds // 20):
        for oracle in oracles:
            oracle.look()
            oracle.post("/v1/heartbeats", [machine.heartbeat() for machine in machines])
        live.mine(1, 20)
    for oracle in oracles:
        oracle.look()


def status(live: Live, job: int) -> int:
    return int(live.read("JobRegistry", "job_info", job).status)


def test_the_member_that_was_gone_is_blamed_and_pays_alone(
    live: Live, oracles: list[Oracle], machine: Machine, other: Machine, job: int
) -> None:
    beat(live, oracles, [machine], PATIENCE)
    step_until(oracles, lambda: status(live, job) == JobStatus.SLA_MISSED)
    assert live.read("ServiceBonds", "blamed", job) == SILENT

    bonds = [live.read("ProviderStaking", "slashable", m.provider) for m in (machine, other)]
    live.send(live.customer, "JobRegistry", "close", job)
    left = [live.read("ProviderStaking", "slashable", m.provider) for m in (machine, other)]
    assert left == [bonds[0], bonds[1] - COLLATERAL]


@pytest.mark.parametrize("end", [JobStatus.PROVIDER_FAULT, JobStatus.CAPACITY_LOST])
def test_a_lead_that_reports_another_end_spares_nobody(
    live: Live, oracles: list[Oracle], machine: Machine, other: Machine, job: int, end: JobStatus
) -> None:
    """With nobody blamed the customer would get its deposit back, and no compensation."""
    beat(live, oracles, [machine], 60)
    for oracle in oracles:
        oracle.post("/v1/usage", [machine.usage(job, 10, int(end))])
    step_until(oracles, lambda: status(live, job) == end)
    assert live.read("ServiceBonds", "blamed", job) == SILENT
    before = live.read("ProviderStaking", "slashable", other.provider)
    live.send(live.customer, "JobRegistry", "close", job)
    assert live.read("ProviderStaking", "slashable", other.provider) == before - COLLATERAL


def test_a_lead_that_reports_a_fault_of_those_who_were_there_has_nobody_blamed(
    live: Live, oracles: list[Oracle], machine: Machine, other: Machine, job: int
) -> None:
    beat(live, oracles, [machine, other], 60)
    for oracle in oracles:
        oracle.post("/v1/usage", [machine.usage(job, 10, int(JobStatus.PROVIDER_FAULT))])
    step_until(oracles, lambda: status(live, job) == JobStatus.PROVIDER_FAULT)
    assert live.read("ServiceBonds", "blamed", job) == 0


def test_a_cluster_that_was_there_is_not_blamed(
    live: Live, oracles: list[Oracle], machine: Machine, other: Machine, job: int
) -> None:
    beat(live, oracles, [machine, other], PATIENCE + 20)
    step(oracles, 8)
    assert status(live, job) == JobStatus.ACCEPTED
    assert live.read("ServiceBonds", "blamed", job) == 0


@pytest.mark.parametrize("mask", [0, 0b01, 0b11, 0b110, 2**64 - 1])
def test_nobody_signs_for_the_blame_of_a_member_that_it_heard_of(
    live: Live, oracles: list[Oracle], machine: Machine, job: int, mask: int
) -> None:
    beat(live, oracles, [machine], PATIENCE)
    epoch = oracles[1].node.market.head.epoch
    with pytest.raises(BadInput, match="members 0b10 are missed here"):
        oracles[1].node.blame.endorse(BlameProposal(epoch, job, mask))


def test_a_guilty_member_can_not_have_only_the_other_one_blamed(
    live: Live, oracles: list[Oracle], job: int
) -> None:
    live.mine(1, PATIENCE + 20)
    oracles[0].look()
    epoch = oracles[0].node.market.head.epoch
    for mask in (0b01, 0b10):
        with pytest.raises(BadInput, match="members 0b11 are missed here"):
            oracles[0].node.blame.endorse(BlameProposal(epoch, job, mask))
    assert oracles[0].node.blame.endorse(BlameProposal(epoch, job, 0b11))


def test_nobody_signs_too_early_or_for_another_epoch(
    live: Live, oracles: list[Oracle], job: int
) -> None:
    blame, market = oracles[0].node.blame, oracles[0].node.market
    oracles[0].look()
    with pytest.raises(BadInput, match="kept its service level"):
        blame.endorse(BlameProposal(market.head.epoch, job, SILENT))
    live.mine(1, PATIENCE + 20)
    oracles[0].look()
    epoch = market.head.epoch
    for stale in (epoch - 2, epoch + 2):
        with pytest.raises(BadInput, match="stale epoch"):
            blame.endorse(BlameProposal(stale, job, SILENT))


def test_nobody_signs_for_the_blame_of_a_provider_alone(
    live: Live, oracles: list[Oracle], machine: Machine
) -> None:
    live.enter_epoch(1)
    step(oracles)
    admit(machine, oracles)
    job = live.open_job(machine.provider)
    oracles[0].look()
    epoch = oracles[0].node.market.head.epoch
    with pytest.raises(BadInput, match="no cluster's"):
        oracles[0].node.blame.endorse(BlameProposal(epoch, job, 1))


def test_oracles_that_do_not_agree_make_no_customer_wait_for_ever(
    live: Live, oracles: list[Oracle], machine: Machine, other: Machine, job: int
) -> None:
    """Each hears of one member only, not all of the same, so no blame has a quorum."""

    def disagree(seconds: int) -> None:
        for _ in range(seconds // 20):
            live.mine(1, 20)
            for heard, half in ((machine, oracles[::2]), (other, oracles[1::2])):
                for oracle in half:
                    oracle.look()
                    oracle.post("/v1/heartbeats", [heard.heartbeat()])

    disagree(PATIENCE + 20)
    step(oracles, 4)
    assert status(live, job) == JobStatus.ACCEPTED
    disagree(PATIENCE + 20)
    step_until(oracles, lambda: status(live, job) == JobStatus.SLA_MISSED)
    assert live.read("ServiceBonds", "blamed", job) == 0
