"""Receipts at an oracle's door: what is stored, what is refused, what is kept as evidence."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from oracle.domain.execution import ExecutionReceipt, Fault, Layer, Role
from oracle.domain.receipts import JobStatus
from tests.oracle.conftest import Live, Machine, Oracle, step
from tests.oracle.execution.conftest import body, end, receipts_at, sign

Make = Callable[..., ExecutionReceipt]
RECEIPTS = "/v1/receipts"


@pytest.fixture
def oracle(live: Live, job: int, make_oracle: Callable[..., Oracle]) -> Oracle:
    """One oracle that has seen the job."""
    made = make_oracle(live.oracles[0])
    made.look()
    return made


@pytest.fixture
def oracles(job: int, oracles: list[Oracle]) -> list[Oracle]:
    """All four."""
    for oracle in oracles:
        oracle.look()
    return oracles


@pytest.fixture
def receipt(job: int, machine: Machine, receipt_of: Make) -> ExecutionReceipt:
    return receipt_of(job, machine.provider)


def post(oracle: Oracle, *bodies: dict[str, Any]) -> list[tuple[str, str]]:
    answers = oracle.post(RECEIPTS, list(bodies))
    return [(answer["state"], answer["reason"]) for answer in answers]


def rows(oracle: Oracle) -> int:
    return oracle.node.store.counts().tables["execution_receipts"]


def refused(oracle: Oracle, signed: dict[str, Any], reason: str) -> None:
    """Post what must be refused with a reason that says what to do; nothing is written."""
    ((state, said),) = post(oracle, signed)
    assert state == "refused"
    assert reason in said
    assert rows(oracle) == 0


# --- taken ----------------------------------------------------------------------------------------


def test_a_receipt_is_stored_once(live: Live, oracle: Oracle, receipt: ExecutionReceipt) -> None:
    signed = body(sign(receipt, (Role.PROVIDER, live.operator)))
    assert post(oracle, signed, signed) == [("stored", ""), ("duplicate", "")]
    assert post(oracle, signed) == [("duplicate", "")]
    (filed,) = receipts_at(oracle, receipt.job)
    assert filed.state == "pending"
    assert filed.signed() == sign(receipt, (Role.PROVIDER, live.operator))


def test_jobs_without_receipts_have_an_empty_list(oracle: Oracle, job: int) -> None:
    assert receipts_at(oracle, job) == receipts_at(oracle, 99) == []


def test_a_full_batch_is_taken(live: Live, oracle: Oracle, receipt: ExecutionReceipt) -> None:
    batch = [
        body(sign(replace(receipt, period=n), (Role.PROVIDER, live.operator)))
        for n in range(1, 101)
    ]
    assert post(oracle, *batch) == [("stored", "")] * 100
    assert rows(oracle) == 100


@pytest.mark.parametrize("size", [0, 101])
def test_a_batch_has_bounds(
    live: Live, oracle: Oracle, receipt: ExecutionReceipt, size: int
) -> None:
    signed = body(sign(receipt, (Role.PROVIDER, live.operator)))
    problem = oracle.post(RECEIPTS, [signed] * size, status=422)
    assert problem["title"] == f"a batch of {size}"
    assert "1 to 100" in problem["detail"]
    assert rows(oracle) == 0


def test_signatures_are_added_to_a_known_receipt(
    live: Live, oracle: Oracle, receipt: ExecutionReceipt
) -> None:
    own, customer = (Role.PROVIDER, live.operator), (Role.CUSTOMER, live.customer)
    member = (Role.ORACLE, live.oracles[2])
    assert post(oracle, body(sign(receipt, own))) == [("stored", "")]
    assert post(oracle, body(sign(receipt, own, customer))) == [("stored", "")]
    assert post(oracle, body(sign(receipt, own, member))) == [("stored", "")]
    assert post(oracle, body(sign(receipt, own, customer, member))) == [("duplicate", "")]
    (filed,) = receipts_at(oracle, receipt.job)
    assert [one.role for one in filed.signatures] == ["customer", "oracle", "provider"]


def test_a_late_receipt_is_taken_when_the_job_is_closed(
    live: Live, oracles: list[Oracle], machine: Machine, receipt: ExecutionReceipt
) -> None:
    end(live, machine, receipt.job, receipt.gpu_seconds, JobStatus.COMPLETED)
    live.send(live.operator, "JobRegistry", "close", receipt.job)
    live.mine(3, 1_000)
    step(oracles)
    assert post(oracles[0], body(sign(receipt, (Role.PROVIDER, live.operator))))[0][0] == "stored"
    step(oracles)
    assert receipts_at(oracles[0], receipt.job)[0].state == "agreed"


# --- two truths -----------------------------------------------------------------------------------


def test_another_document_is_evidence_and_the_first_one_stands(
    live: Live, oracle: Oracle, receipt: ExecutionReceipt
) -> None:
    own = (Role.PROVIDER, live.operator)
    first, second = sign(receipt, own), sign(replace(receipt, gpu_seconds=26), own)
    third = sign(replace(receipt, gpu_seconds=27), own)
    assert post(oracle, body(first)) == [("stored", "")]
    for again in (second, second, third):
        ((state, reason),) = post(oracle, body(again))
        assert state == "quarantined"
        assert "came first" in reason
    assert post(oracle, body(first)) == [("duplicate", "")]
    kept = receipts_at(oracle, receipt.job)
    # two signed documents are proof enough: the third is not stored
    assert [(one.state, one.signed()) for one in kept] == [
        ("pending", first),
        ("conflicting", second),
    ]


def test_another_period_is_another_receipt(
    live: Live, oracle: Oracle, receipt: ExecutionReceipt
) -> None:
    own = (Role.PROVIDER, live.operator)
    for period in (2, 1):
        assert post(oracle, body(sign(replace(receipt, period=period), own))) == [("stored", "")]


# --- refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"chain_id": 1}, {"escrow": "0x" + "33" * 20}])
def test_a_receipt_of_another_chain_or_escrow(
    live: Live, oracle: Oracle, receipt: ExecutionReceipt, change: dict[str, Any]
) -> None:
    foreign = sign(replace(receipt, **change), (Role.PROVIDER, live.operator))
    refused(oracle, body(foreign), "Here is chain 31337")


def test_a_receipt_of_another_provider(
    live: Live, oracle: Oracle, receipt: ExecutionReceipt
) -> None:
    other = replace(receipt, provider=receipt.provider + 1)
    refused(oracle, body(sign(other, (Role.PROVIDER, live.operator))), "Only the provider that")


def test_a_receipt_of_no_job(live: Live, oracle: Oracle, receipt: ExecutionReceipt) -> None:
    nowhere = sign(replace(receipt, job=99), (Role.PROVIDER, live.operator))
    refused(oracle, body(nowhere), "there is no job 99")


@pytest.mark.parametrize("role", [Role.PROVIDER, Role.CUSTOMER, Role.ORACLE])
def test_a_signer_without_the_role(
    live: Live, oracle: Oracle, receipt: ExecutionReceipt, role: Role
) -> None:
    stranger = live.deployer
    signers = {Role.PROVIDER: live.operator, role: stranger}
    refused(
        oracle, body(sign(receipt, *signers.items())), f"signed as {role} by {stranger.address}"
    )


def test_a_dropped_operator_key_speaks_no_more(
    live: Live, oracle: Oracle, receipt: ExecutionReceipt
) -> None:
    live.send(
        live.provider_owner,
        "ProviderRegistry",
        "set_operator",
        receipt.provider,
        live.deployer.address,
    )
    oracle.look()
    refused(oracle, body(sign(receipt, (Role.PROVIDER, live.operator))), "a former operator key")


def test_a_receipt_that_claims_to_be_an_oracles(
    live: Live, oracle: Oracle, receipt: ExecutionReceipt
) -> None:
    issued = replace(receipt, issuer=Role.ORACLE)
    refused(oracle, body(sign(issued, (Role.ORACLE, live.oracles[1]))), "Oracles issue their own")


def test_a_signature_over_another_document(
    live: Live, oracle: Oracle, receipt: ExecutionReceipt
) -> None:
    signed = sign(receipt, (Role.PROVIDER, live.operator))
    changed = replace(signed, receipt=replace(receipt, gpu_seconds=99))
    refused(oracle, body(changed), "was changed")


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ({"document": "0x" + "00" * 32}, "hashes to"),
        ({"signatures": "none"}, "malformed"),
        ({"extra": 1}, "malformed"),
    ],
)
def test_a_malformed_receipt_is_a_problem(
    live: Live, oracle: Oracle, receipt: ExecutionReceipt, change: dict[str, Any], title: str
) -> None:
    good = body(sign(receipt, (Role.PROVIDER, live.operator)))
    problem = oracle.post(RECEIPTS, [good, good | change], status=422)
    assert title in problem["title"]
    assert problem["detail"]
    assert rows(oracle) == 0


def test_a_contradiction_is_a_problem(
    live: Live, oracle: Oracle, receipt: ExecutionReceipt
) -> None:
    good = body(sign(receipt, (Role.PROVIDER, live.operator)))
    good["receipt"]["fault"] = {"layer": "start", "reason": "odd", "evidence": None}
    problem = oracle.post(RECEIPTS, [good], status=422)
    assert "names one layer" in problem["detail"]
    assert rows(oracle) == 0


# --- counter-signed -------------------------------------------------------------------------------


def state_of(oracles: list[Oracle], receipt: ExecutionReceipt) -> set[tuple[str, str]]:
    return {
        (filed.state, filed.reason)
        for oracle in oracles
        for filed in receipts_at(oracle, receipt.job)
        if filed.signed().receipt == receipt
    }


def hand_in(live: Live, oracles: list[Oracle], receipt: ExecutionReceipt) -> None:
    for oracle in oracles:
        assert post(oracle, body(sign(receipt, (Role.PROVIDER, live.operator)))) == [("stored", "")]


def test_every_oracle_counter_signs_what_the_chain_confirms(
    live: Live, oracles: list[Oracle], machine: Machine, receipt: ExecutionReceipt
) -> None:
    hand_in(live, oracles, receipt)
    step(oracles)
    assert state_of(oracles, receipt) == {("pending", "")}
    end(live, machine, receipt.job, receipt.gpu_seconds, receipt.status)
    step(oracles)
    assert state_of(oracles, receipt) == {("agreed", "")}
    for oracle, key in zip(oracles, live.oracles, strict=True):
        (filed,) = receipts_at(oracle, receipt.job)
        filed.signed().check()
        signers = {one.signer for one in filed.signatures if one.role is Role.ORACLE}
        assert signers == {key.address}


def test_another_status_than_the_chains_is_disputed(
    live: Live, oracles: list[Oracle], machine: Machine, receipt: ExecutionReceipt
) -> None:
    fault = Fault(Layer.CAPACITY, "the card fell off the bus")
    other = replace(receipt, status=JobStatus.CAPACITY_LOST, fault=fault)
    hand_in(live, oracles, other)
    end(live, machine, receipt.job, receipt.gpu_seconds, JobStatus.COMPLETED)
    step(oracles)
    assert state_of(oracles, other) == {("disputed", "the chain ended the job as completed")}
    (filed,) = receipts_at(oracles[0], receipt.job)
    assert [one.role for one in filed.signatures] == ["provider"]


def test_more_work_than_was_observed_is_disputed(
    live: Live, oracles: list[Oracle], machine: Machine, receipt: ExecutionReceipt
) -> None:
    more = replace(receipt, gpu_seconds=receipt.gpu_seconds + 1)
    hand_in(live, oracles, more)
    end(live, machine, receipt.job, receipt.gpu_seconds, receipt.status)
    live.mine(3, 10)
    step(oracles)
    assert state_of(oracles, more) == {("disputed", "25 GPU-seconds observed")}


@pytest.mark.parametrize("ended_at", [1, 2**40])
def test_an_end_outside_the_jobs_life_is_disputed(
    live: Live,
    oracles: list[Oracle],
    machine: Machine,
    receipt: ExecutionReceipt,
    ended_at: int,
) -> None:
    odd = replace(receipt, ended_at=ended_at)
    hand_in(live, oracles, odd)
    end(live, machine, receipt.job, receipt.gpu_seconds, receipt.status)
    live.mine(3, 10)
    step(oracles)
    ((state, reason),) = state_of(oracles, odd)
    assert state == "disputed"
    assert str(ended_at) in reason


def test_a_period_of_a_running_job_is_counter_signed(
    live: Live, oracles: list[Oracle], machine: Machine, receipt: ExecutionReceipt
) -> None:
    running = replace(receipt, status=JobStatus.RUNNING, gpu_seconds=0)
    hand_in(live, oracles, running)
    step(oracles)
    assert state_of(oracles, running) == {("agreed", "")}


def test_a_dry_oracle_takes_receipts_and_signs_none(
    live: Live, make_oracle: Any, machine: Machine, receipt: ExecutionReceipt
) -> None:
    dry = make_oracle(None, "dry")
    dry.look()
    hand_in(live, [dry], receipt)
    end(live, machine, receipt.job, receipt.gpu_seconds, receipt.status)
    step([dry])
    assert state_of([dry], receipt) == {("pending", "")}


def test_usage_that_comes_after_the_receipt_still_counts(
    live: Live, make_oracle: Any, machine: Machine, receipt: ExecutionReceipt
) -> None:
    patient = make_oracle(live.oracles[0], "patient", usage_lag=300, heartbeat_grace=10_000)
    patient.look()
    patient.post("/v1/devices", machine.registration())
    patient.post("/v1/heartbeats", [machine.heartbeat()])
    more = replace(receipt, gpu_seconds=60, ended_at=live.chain.timestamp())
    hand_in(live, [patient], more)
    end(live, machine, receipt.job, 25, receipt.status)
    live.mine(3, 100)
    step([patient])
    assert state_of([patient], more) == {("pending", "")}
    patient.post("/v1/usage", [machine.usage(receipt.job, 60, receipt.status)])
    live.mine(3)
    step([patient])
    assert state_of([patient], more) == {("agreed", "")}
