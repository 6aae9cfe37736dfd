"""Receipts left for the root: agreed in rounds, carried by the report, proved to the escrow."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from oracle.domain.hashing import keccak
from oracle.domain.leaves import Leaf, LeafKind, decode, job_key, payee_key
from oracle.domain.merkle import verify
from oracle.domain.proposals import EpochProposal, SignedBatch
from oracle.domain.receipts import Receipt, pack
from oracle.domain.settlement import (
    ADOPT_GAS,
    BATCH_GAS,
    CLAIM_GAS,
    PAYEE_GAS,
    RECEIPT_GAS,
    Settlement,
)
from oracle.errors import BadInput
from oracle.services.close_epoch import stored
from tests.oracle.conftest import (
    ACTIVATION_DELAY,
    Live,
    Machine,
    Oracle,
    admit,
    step,
    step_until,
)


@pytest.fixture
def oracles(make_oracles: Callable[..., list[Oracle]]) -> list[Oracle]:
    """Four oracles that leave everything for the root."""
    return make_oracles(settlement=Settlement.ROOT)


@pytest.fixture
def job(live: Live, oracles: list[Oracle], machine: Machine) -> int:
    """A job that used ten GPU-seconds in epoch 1, which all oracles have heard of."""
    live.enter_epoch(1)
    step(oracles)
    admit(machine, oracles)
    number = live.open_job(machine.provider)
    use(live, oracles, machine, number, 10)
    return number


def use(live: Live, oracles: list[Oracle], machine: Machine, job: int, seconds: int) -> None:
    """Let a job's usage grow to `seconds`, ten at a time."""
    beat(oracles, machine)
    live.mine(1, 10)
    beat(oracles, machine)
    body = machine.usage(job, seconds)
    for oracle in oracles:
        oracle.post("/v1/usage", [body])


def beat(oracles: list[Oracle], machine: Machine) -> None:
    body = machine.heartbeat()
    for oracle in oracles:
        oracle.look()
        oracle.post("/v1/heartbeats", [body])


def kept(oracles: list[Oracle]) -> list[SignedBatch]:
    return [batch for oracle in oracles for batch in oracle.node.store.batches(2**62)]


def agree(oracles: list[Oracle]) -> int:
    """Let the oracles agree on a batch; returns its epoch."""
    step_until(oracles, lambda: bool(kept(oracles)))
    return kept(oracles)[0].epoch


def close_epoch(live: Live, oracles: list[Oracle], epoch: int) -> None:
    live.enter_epoch(epoch + 1)
    step_until(oracles, lambda: live.read("EpochLedger", "last_epoch")[0] >= epoch)


def posted_leaves(live: Live, oracles: list[Oracle]) -> Any:
    """The leaves of the report on top."""
    head = live.read("EpochLedger", "head")
    holder = next(o for o in oracles if o.node.store.epoch(head))
    return decode(holder.node.close_epoch.leaf_file(head))


def settled(live: Live, job: int) -> int:
    return int(live.read("JobRegistry", "job_info", job)[9])


def test_usage_is_proved_by_the_active_report(
    live: Live, oracles: list[Oracle], machine: Machine, job: int
) -> None:
    close_epoch(live, oracles, agree(oracles))
    assert settled(live, job) == 0
    head = live.read("EpochLedger", "head")
    rebuilt = [oracle for oracle in oracles if oracle.node.store.epoch(head)]
    assert len(rebuilt) >= 3

    live.mine(1, ACTIVATION_DELAY)
    for oracle in rebuilt:
        oracle.look()
    packed = pack([Receipt(job, 10, 3)])
    root = rebuilt[0].node.store.epoch(head).report.usage_root
    for kind, key in [
        (LeafKind.JOB, job_key(job)),
        (LeafKind.PAYEE, payee_key(machine.provider)),
    ]:
        proofs = [oracle.get(f"/v1/proofs/{int(kind)}/0x{key.hex()}") for oracle in rebuilt]
        assert all(proof == proofs[0] for proof in proofs)
        proof = proofs[0]
        assert proof["receipts"] == "0x" + packed.hex()
        leaf = Leaf(kind, key, int.from_bytes(keccak(packed), "big"))
        hashed = leaf.hash(live.chain.chain_id, live.deployment.address("EpochLedger"))
        assert verify(root, hashed, [bytes.fromhex(node[2:]) for node in proof["proof"]])


@pytest.mark.parametrize("by_payee", [False, True])
def test_the_calldata_served_settles_the_job(
    live: Live, oracles: list[Oracle], machine: Machine, job: int, by_payee: bool
) -> None:
    close_epoch(live, oracles, agree(oracles))
    live.mine(1, ACTIVATION_DELAY)
    oracles[0].look()
    kind, key = (
        (LeafKind.PAYEE, payee_key(machine.provider)) if by_payee else (LeafKind.JOB, job_key(job))
    )
    proof = oracles[0].get(f"/v1/proofs/{int(kind)}/0x{key.hex()}")
    for call in [*proof["before"], proof]:
        sent = live.w3.eth.send_transaction(
            {"from": live.customer.address, "to": call["to"], "data": call["calldata"]}
        )
        assert live.w3.eth.wait_for_transaction_receipt(sent)["status"] == 1
    assert settled(live, job) == 10
    # adopted once for all leaves
    assert len(proof["before"]) == 1
    assert oracles[0].get(f"/v1/proofs/{int(kind)}/0x{key.hex()}")["before"] == []


def test_a_kept_batch_can_be_settled_by_anyone(live: Live, oracles: list[Oracle], job: int) -> None:
    agree(oracles)
    (batch,) = next(found for o in oracles if (found := o.get("/v1/batches")))
    receipts, signatures = (bytes.fromhex(batch[name][2:]) for name in ("receipts", "signatures"))
    arguments = (batch["epoch"], batch["index"], receipts, signatures)
    live.send(live.customer, "JobEscrow", "settle_batch", *arguments)
    assert settled(live, job) == 10
    # nothing is left to say about the job
    close_epoch(live, oracles, batch["epoch"])
    assert posted_leaves(live, oracles).receipts == ()


def test_what_was_said_once_is_not_said_again(live: Live, oracles: list[Oracle], job: int) -> None:
    agree(oracles)
    step(oracles, 16)
    # whoever led a round since keeps one batch at most
    assert all(len(oracle.node.store.batches(2**62)) <= 1 for oracle in oracles)


def test_receipts_stay_in_the_root_until_they_are_settled(
    live: Live, oracles: list[Oracle], machine: Machine, job: int
) -> None:
    close_epoch(live, oracles, agree(oracles))
    first = posted_leaves(live, oracles).receipts
    assert [agreed.receipt for agreed in first] == [Receipt(job, 10, 3)]
    # nobody keeps a batch of the first epoch, nobody hears of the job again
    for oracle in oracles:
        oracle.node.store.forget_batches(2**62)
    close_epoch(live, oracles, live.read("EpochLedger", "last_epoch")[0] + 1)
    assert posted_leaves(live, oracles).receipts == first


def test_batches_of_an_active_report_are_dropped(
    live: Live, oracles: list[Oracle], job: int
) -> None:
    epoch = agree(oracles)
    close_epoch(live, oracles, epoch)
    assert any(batch.epoch == epoch for batch in kept(oracles))
    live.mine(1, ACTIVATION_DELAY)
    for oracle in oracles:
        oracle.node.close_epoch._gather(epoch)
    assert not any(batch.epoch == epoch for batch in kept(oracles))


# --- what a follower refuses ----------------------------------------------------------------


@pytest.fixture
def holder(live: Live, oracles: list[Oracle], job: int) -> Oracle:
    """The oracle that keeps a batch of an epoch that is over and pressed."""
    epoch = agree(oracles)
    live.enter_epoch(epoch + 1)
    live.send(live.deployer, "EmissionsController", "press", 64)
    live.mine(3)
    for oracle in oracles:
        oracle.look()
    return next(oracle for oracle in oracles if oracle.node.store.batches(epoch))


def batch_of(holder: Oracle) -> SignedBatch:
    return holder.node.close_epoch.batches(2**62)[0]


def proposal(leader: Oracle, *batches: SignedBatch) -> EpochProposal:
    """A report on the epoch of the leader's batch that carries `batches`."""
    report = leader.node.close_epoch._rebuild(batch_of(leader).epoch, batches)
    return EpochProposal(report.from_epoch, report.to_epoch, report.struct_hash(), batches)


def test_all_sign_what_carries_the_batch(oracles: list[Oracle], holder: Oracle) -> None:
    good = proposal(holder, batch_of(holder))
    for oracle in oracles:
        oracle.node.close_epoch.endorse(good)


def test_whoever_keeps_a_batch_refuses_a_report_without_it(
    oracles: list[Oracle], holder: Oracle
) -> None:
    bad = proposal(holder)
    with pytest.raises(BadInput, match="is left out"):
        holder.node.close_epoch.endorse(bad)
    signed = {statement.report.payload for statement in holder.node.store.statements(0, 99)}
    assert bad.report_hash not in signed


def test_parts_of_the_same_batches_are_one_report_to_rebuild(
    oracles: list[Oracle], holder: Oracle
) -> None:
    whole, part = proposal(holder, batch_of(holder)), proposal(holder)
    closing = holder.node.close_epoch
    closing._built.clear()
    for asked in (part, replace(part, report_hash=bytes(32)), whole):
        with suppress(BadInput):
            closing.endorse(asked)
    assert [report.struct_hash() for report in closing._built.values()] == [whole.report_hash]


def test_receipts_without_a_quorum(oracles: list[Oracle], holder: Oracle, job: int) -> None:
    good = batch_of(holder)
    more = pack([Receipt(job, 9_000, 3)])
    for forged in (
        replace(good, receipts=more),
        replace(good, index=good.index + 1),
        replace(good, signatures=good.signatures[:-65]),
    ):
        bad = proposal(holder, forged)
        for oracle in oracles:
            with pytest.raises(BadInput, match="not the committee's word"):
                oracle.node.close_epoch.endorse(bad)


def test_batches_of_a_later_epoch(
    oracles: list[Oracle], holder: Oracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = batch_of(holder)
    late = proposal(holder, replace(good, epoch=good.epoch + 1))
    monkeypatch.setattr(oracles[0].node.market, "takes", lambda _: True)
    with pytest.raises(BadInput, match="in the epochs reported"):
        oracles[0].node.close_epoch.endorse(late)


def test_another_hash_than_the_batches_give(oracles: list[Oracle], holder: Oracle) -> None:
    good, empty = proposal(holder, batch_of(holder)), proposal(holder)
    with pytest.raises(BadInput, match="this oracle rebuilds"):
        oracles[0].node.close_epoch.endorse(replace(good, report_hash=empty.report_hash))


def test_a_leader_adopts_what_the_first_member_is_bound_to(
    live: Live, oracles: list[Oracle], holder: Oracle
) -> None:
    """Two leaders gathered different batches: the report of the one before us is finished."""
    poorer = proposal(holder)
    statement = holder.node.close_epoch._committee_report(
        holder.node.close_epoch._rebuild(poorer.to_epoch, ())
    )
    members = holder.node.market.committee().members
    first = next(
        oracle
        for oracle in oracles
        if oracle.node.member.identity() == members[poorer.to_epoch % len(members)]
    )
    first.node.member.endorse(statement, stored(poorer))
    leader = next(oracle for oracle in oracles if oracle is not first)
    leader.node.store.keep_batch(batch_of(holder))
    for oracle in oracles:
        if oracle is not leader:
            oracle.node.store.forget_batches(2**62)
    # what it sent for the epoch before is on chain
    leader.node.outbox.tick()
    assert leader.node.close_epoch.lead(poorer.to_epoch)
    step_until([leader], lambda: live.read("EpochLedger", "head") == poorer.report_hash)
    # whoever was left out comes with the next report, from the batch or from a new one
    assert kept(oracles)


# --- who decides ----------------------------------------------------------------------------


def choices(logs: Any) -> list[tuple[Settlement, int, int, int, str]]:
    """Of each choice in the log the way, how many batches, what one costs, what the root costs,
    and what follows from that."""
    found = []
    for one in logs:
        if one["event"] == "settlement chosen":
            costs, conclusion = one["reason"].split(": ")
            read = re.fullmatch(r"(\d+) x ([\d,]+) gas in batches, ([\d,]+) by the root", costs)
            assert read, costs
            rounds, batch, root = (int(each.replace(",", "")) for each in read.groups())
            found.append((one["way"], rounds, batch, root, conclusion))
    return found


# gas of the one receipt of these tests
SHARED = RECEIPT_GAS + PAYEE_GAS
IN_A_BATCH, BY_THE_ROOT = BATCH_GAS + SHARED, ADOPT_GAS + CLAIM_GAS + SHARED


def test_auto_leaves_for_the_root_what_would_cost_more_than_it_is_worth(
    live: Live, make_oracles: Callable[..., list[Oracle]], machine: Machine
) -> None:
    made = make_oracles(settlement=Settlement.AUTO, gpu_hour_gwei=1)
    live.enter_epoch(1)
    step(made)
    admit(machine, made)
    job = live.open_job(machine.provider)
    live.w3.provider.make_request("anvil_setNextBlockBaseFeePerGas", [hex(10**9)])  # type: ignore[arg-type]
    live.mine()
    use(live, made, machine, job, 10)
    with capture_logs() as logs:
        agree(made)
    assert settled(live, job) == 0
    # and the log says why: what either way costs
    way, rounds, batch, root, conclusion = choices(logs)[0]
    assert (way, batch, root) == (Settlement.ROOT, IN_A_BATCH, BY_THE_ROOT)
    saved = int(conclusion.removeprefix("the root saves ").removesuffix(" wei").replace(",", ""))
    assert saved > 0
    assert saved % (rounds * batch - root) == 0
    assert next(one["way"] for one in logs if one["event"] == "batch signed") == way


def test_auto_settles_at_once_what_is_worth_more_than_gas(
    live: Live, make_oracles: Callable[..., list[Oracle]], machine: Machine
) -> None:
    made = make_oracles(settlement=Settlement.AUTO, gpu_hour_gwei=10**12)
    live.enter_epoch(1)
    step(made)
    admit(machine, made)
    job = live.open_job(machine.provider)
    use(live, made, machine, job, 10)
    with capture_logs() as logs:
        step_until(made, lambda: settled(live, job) == 10)
    assert kept(made) == []
    # near the end of an epoch a batch is the cheaper way anyhow
    for way, _, batch, root, conclusion in choices(logs):
        assert (way, batch, root) == (Settlement.BATCH, IN_A_BATCH, BY_THE_ROOT)
        assert re.search(r"wei are less than .* at stake$|^batches are cheaper$", conclusion)
    assert choices(logs)
