"""Followers: what a leader can't make them sign."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from oracle.adapters.peers import Peer
from oracle.domain.proposals import (
    DeviceProposal,
    EpochProposal,
    JobObservation,
    UsageObservation,
    UsageProposal,
    usage_message,
)
from oracle.domain.receipts import Receipt, pack
from oracle.errors import BadInput, Bound, NotFound, Unauthorized
from oracle.services.quorum import BoundElsewhere
from oracle.services.settle import Settle
from tests.oracle.conftest import (
    DAY,
    SELF_BOND,
    Live,
    Machine,
    Oracle,
    admit,
    attest,
    step,
    step_until,
)

EPOCH = 1


@pytest.fixture
def job(live: Live, oracles: list[Oracle], machine: Machine) -> int:
    """A job that has run for a minute on an attested device."""
    live.enter_epoch(EPOCH)
    step(oracles)
    admit(machine, oracles)
    number = live.open_job(machine.provider)
    live.mine(1, 20)
    for oracle in oracles:
        oracle.look()
    return number


def observe(oracle: Oracle, job: int, seconds: int, epoch: int = EPOCH) -> UsageObservation:
    """An observation that an oracle signs, whatever it has seen."""
    jobs = (JobObservation(seconds, 3, job),)
    member, market = oracle.node.member, oracle.node.market
    digest = usage_message(market.committee().config, epoch, jobs).digest(
        market.domain("OracleCommittee")
    )
    return UsageObservation(epoch, jobs, member.identity(), member.sign(digest))


def proposal(oracles: list[Oracle], job: int, seconds: int = 10) -> UsageProposal:
    observations = tuple(observe(oracle, job, seconds) for oracle in oracles)
    return UsageProposal(EPOCH, 0, observations, pack([Receipt(job, seconds, 3)]))


# --- usage ----------------------------------------------------------------------------------


def test_batch_that_follows_from_its_observations_is_signed(
    oracles: list[Oracle], job: int
) -> None:
    signed = oracles[3].node.settle.endorse(proposal(oracles[:3], job))
    assert signed.oracle == oracles[3].node.member.identity()


@pytest.mark.parametrize(
    "receipt",
    [Receipt(1, 11, 3), Receipt(1, 9, 3), Receipt(1, 10, 4), Receipt(2, 10, 3)],
)
def test_receipt_that_is_not_the_median(oracles: list[Oracle], job: int, receipt: Receipt) -> None:
    bent = replace(proposal(oracles[:3], job), receipts=pack([receipt]))
    with pytest.raises(BadInput, match="not the lower median"):
        oracles[3].node.settle.endorse(bent)


def test_too_few_observers(oracles: list[Oracle], job: int) -> None:
    with pytest.raises(BadInput, match="2 oracles observed, 3 must"):
        oracles[3].node.settle.endorse(proposal(oracles[:2], job))


def test_one_observer_counted_twice(oracles: list[Oracle], job: int) -> None:
    with pytest.raises(BadInput, match="2 oracles observed, 3 must"):
        oracles[3].node.settle.endorse(proposal([*oracles[:2], oracles[1]], job))


def test_forged_observation(oracles: list[Oracle], job: int) -> None:
    good = proposal(oracles[:3], job)
    forged = replace(good.observations[0], jobs=(JobObservation(9, 3, job),))
    with pytest.raises(Unauthorized):
        oracles[3].node.settle.endorse(replace(good, observations=(forged, *good.observations[1:])))


def test_observation_of_another_epoch(oracles: list[Oracle], job: int) -> None:
    good = proposal(oracles[:3], job)
    old = observe(oracles[0], job, 10, epoch=0)
    with pytest.raises(BadInput, match="observation of epoch 0"):
        oracles[3].node.settle.endorse(replace(good, observations=(old, *good.observations[1:])))


def test_stale_epoch(oracles: list[Oracle], job: int, live: Live) -> None:
    good = proposal(oracles[:3], job)
    live.enter_epoch(EPOCH + 2)
    oracles[3].look()
    with pytest.raises(BadInput, match="stale epoch 1"):
        oracles[3].node.settle.endorse(good)


def test_more_than_the_clock_allows(oracles: list[Oracle], job: int) -> None:
    with pytest.raises(BadInput, match="can't have used 10000"):
        oracles[3].node.settle.endorse(proposal(oracles[:3], job, 10_000))


def test_less_than_the_chain_has_settled(oracles: list[Oracle], job: int, live: Live) -> None:
    from oracle.domain.messages import Voucher

    voucher = live.sign(live.customer, Voucher(job, 15, 3), "JobEscrow")
    live.send(live.operator, "JobEscrow", "settle_voucher", job, 15, 3, voucher)
    oracles[3].look()
    with pytest.raises(BadInput, match="15 GPU-seconds settled already"):
        oracles[3].node.settle.endorse(proposal(oracles[:3], job, 10))


def test_second_batch_under_one_number(oracles: list[Oracle], job: int) -> None:
    follower = oracles[3].node.settle
    first = follower.endorse(proposal(oracles[:3], job, 10))
    with pytest.raises(Bound):
        follower.endorse(proposal(oracles[:3], job, 11))
    assert follower.endorse(proposal(oracles[:3], job, 10)) == first


def test_leader_that_meets_a_used_number_draws_another(
    oracles: list[Oracle],
    job: int,
    live: Live,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    numbers = count()
    monkeypatch.setattr(Settle, "_draw_index", lambda *_: next(numbers))
    # a batch number is burnt at two members by a leader that died
    for oracle in oracles[:2]:
        oracle.node.settle.endorse(proposal(oracles[:3], job, 3))
    for oracle in oracles:
        oracle.post("/v1/heartbeats", [machine.heartbeat()])
    live.mine(1, 15)
    body = machine.usage(job, 12)
    for oracle in oracles:
        oracle.look()
        oracle.post("/v1/usage", [body])
    step_until(oracles, lambda: live.read("JobRegistry", "job_info", job)[9] == 12)
    (batch,) = live.chain.logs("JobEscrow", "BatchSettled")
    assert batch["args"]["index"] == 1


def test_numbers_rise_with_time_and_nobody_can_tell_them(oracles: list[Oracle], live: Live) -> None:
    market, settle = oracles[0].node.market, oracles[0].node.settle
    live.enter_epoch(EPOCH)
    oracles[0].look()
    early = {settle._draw_index(EPOCH) for _ in range(50)}
    live.mine(1, 10)
    oracles[0].look()
    late = {settle._draw_index(EPOCH) for _ in range(50)}
    assert len(early | late) > 90
    assert max(early) < min(late)
    # the clock has passed the epoch's end since its number was read
    live.mine(1, market.epoch_length)
    oracles[0].look()
    ended = [settle._draw_index(EPOCH) for _ in range(50)]
    assert max(late) < min(ended)
    assert max(ended) < 2**32


# --- devices --------------------------------------------------------------------------------


@pytest.fixture
def accepted(live: Live, oracles: list[Oracle], machine: Machine) -> Machine:
    """A machine that all oracles have accepted and nobody has recorded."""
    live.enter_epoch(EPOCH)
    live.send(live.deployer, "EpochLedger", "record_beacon")
    attest(machine, oracles)
    return machine


def device_proposal(oracles: list[Oracle], machine: Machine) -> DeviceProposal:
    seen = (oracle.node.attest.observation(machine.device, EPOCH) for oracle in oracles)
    return DeviceProposal(machine.device, EPOCH, tuple(seen))


def test_forged_throughput(oracles: list[Oracle], accepted: Machine) -> None:
    good = device_proposal(oracles[:3], accepted)
    forged = replace(good.observations[0], ops_per_second=10**15)
    with pytest.raises(Unauthorized):
        oracles[3].node.record.endorse(replace(good, observations=(forged, *good.observations[1:])))


def test_device_that_this_oracle_never_checked(
    live: Live, oracles: list[Oracle], accepted: Machine, make_oracle: Callable[..., Oracle]
) -> None:
    newcomer = make_oracle(live.oracles[3], "newcomer")
    newcomer.look()
    with pytest.raises(NotFound, match="no accepted commit"):
        newcomer.node.record.endorse(device_proposal(oracles[:3], accepted))


def test_competing_leader_adopts_what_others_signed(
    live: Live, oracles: list[Oracle], accepted: Machine
) -> None:
    # one leader got two signatures on its choice of observations and died
    first = device_proposal(oracles[:3], accepted)
    for oracle in oracles[:2]:
        oracle.node.record.endorse(first)
    # the next would choose others, and finds itself bound to fail alone
    second = device_proposal(oracles[1:], accepted)
    assert second != first
    with pytest.raises(Bound):
        oracles[0].node.record.endorse(second)
    assert oracles[3].node.record.lead(accepted.device, EPOCH, patient=False)
    oracles[3].node.outbox.tick()
    live.mine()
    posted = next(iter(live.chain.logs("DeviceRegistry", "DeviceAttested")))
    payload = oracles[0].node.store.statements(0, 9)[0].report.payload
    assert bytes(posted["args"]["result"]) == payload


def test_leader_that_is_bound_itself_adopts_its_own_word(
    oracles: list[Oracle], accepted: Machine
) -> None:
    first = device_proposal(oracles[:3], accepted)
    oracles[3].node.record.endorse(first)
    assert oracles[3].node.record.lead(accepted.device, EPOCH, patient=True)


def test_bound_peer_is_told_apart_from_other_conflicts(oracles: list[Oracle], job: int) -> None:
    for oracle in oracles[:2]:
        oracle.node.settle.endorse(proposal(oracles[:3], job, 10))
    peer = Peer("http://oracle", oracles[0].http)
    with pytest.raises(Bound):
        peer.endorse(proposal(oracles[:3], job, 11), oracles[3].node.member.vouch)
    leader = oracles[3].node
    other = proposal(oracles[:3], job, 11)
    with pytest.raises(BoundElsewhere):
        leader.quorum.collect(leader.settle._report(other), other)


def test_what_the_registry_refused_is_not_sent_again_in_that_epoch(
    live: Live, oracles: list[Oracle], accepted: Machine
) -> None:
    # the class asks for 100 tokens of stake; nothing is left behind the device
    live.send(live.provider_owner, "ProviderStaking", "unbond", accepted.provider, SELF_BOND)
    live.mine(1, 15 * DAY)
    live.send(live.provider_owner, "ProviderStaking", "withdraw", accepted.provider, 9)
    live.mine()
    before = [live.w3.eth.get_transaction_count(o.address) for o in live.oracles]
    assert oracles[3].node.record.lead(accepted.device, EPOCH, patient=False)
    oracles[3].node.outbox.tick()
    assert oracles[3].node.record.is_recorded(accepted.device, EPOCH)
    assert [live.w3.eth.get_transaction_count(o.address) for o in live.oracles] == before


# --- epochs ---------------------------------------------------------------------------------


def test_report_that_rebuilds_otherwise(live: Live, oracles: list[Oracle]) -> None:
    live.enter_epoch(1)
    live.send(live.deployer, "EmissionsController", "press", 1)
    live.mine(3)
    oracles[0].look()
    with pytest.raises(BadInput, match="this oracle rebuilds"):
        oracles[0].node.close_epoch.endorse(EpochProposal(0, 0, bytes(32)))
    assert oracles[0].node.store.statements(0, 9) == []


@pytest.mark.parametrize(("first", "last"), [(1, 1), (1, 0), (2, 5)])
def test_report_that_leaves_epochs_out(
    live: Live, oracles: list[Oracle], first: int, last: int
) -> None:
    live.enter_epoch(2)
    oracles[0].look()
    with pytest.raises(BadInput, match="stale epochs"):
        oracles[0].node.close_epoch.endorse(EpochProposal(first, last, bytes(32)))
