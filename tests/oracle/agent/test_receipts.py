"""The agent's execution receipts: one per job, kept before it is sent, never two."""

import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from eth_account import Account
from fastapi.testclient import TestClient

from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.api.agent import public_app
from oracle.api.schemas import FaultBody, JobUsageBody, SignedReceiptBody, WorkBody
from oracle.domain.canonical import canonical_hash
from oracle.domain.execution import Layer, ReceiptSignature, Role, SignedReceipt
from oracle.domain.receipts import JobStatus
from oracle.errors import BadInput, Conflict, NotFound, Unauthorized
from oracle.services.meter import JobFailure, _outcome
from oracle.services.vouchers import VoucherDesk

JOB = 3
WORK = WorkBody(command=["train"], output="sha256:" + "ab" * 32, exit_code=0, peak_memory_mb=64)


def ended(status: JobStatus = JobStatus.COMPLETED, seconds: int = 25, **more: Any) -> JobUsageBody:
    return JobUsageBody(gpu_seconds=seconds, status=status, **more)


@pytest.fixture
def agent(world: Any) -> Any:
    agent = world.agent()
    yield agent
    agent.state.close()


def the_receipt(agent: Any) -> SignedReceipt:
    (body,) = agent.receipts(JOB)
    signed = body.signed()
    signed.check()
    return signed  # type: ignore[no-any-return]


# --- issued ---------------------------------------------------------------------------------------


def test_a_job_that_ends_leaves_one_signed_receipt_at_every_oracle(world: Any) -> None:
    agent = world.agent()
    agent.report_usage(JOB, ended(JobStatus.RUNNING, 10))
    assert agent.receipts(JOB) == []
    agent.report_usage(JOB, ended(work=WORK))
    signed = the_receipt(agent)
    world.run(lambda: all(oracle.receipts for oracle in world.oracles), agent)

    for oracle in world.oracles:
        assert [body.signed() for body in oracle.receipts] == [signed]
    receipt = signed.receipt
    assert (receipt.job, receipt.provider, receipt.period) == (JOB, agent.config.provider, 1)
    assert (receipt.gpu_seconds, receipt.status, receipt.fault) == (25, JobStatus.COMPLETED, None)
    assert receipt.work == WORK.work()
    assert receipt.devices == (agent.device_id,)
    assert receipt.ended_at == world.chain.now
    # the telemetry is that of the last usage sample, which the oracles have
    assert receipt.telemetry == canonical_hash(world.oracles[0].usage[-1].telemetry)
    assert [one.signer for one in signed.signatures] == [world.signer.address]


@pytest.mark.parametrize(
    ("status", "layer"),
    [
        (JobStatus.PROVIDER_FAULT, Layer.EXECUTION),
        (JobStatus.CAPACITY_LOST, Layer.CAPACITY),
        (JobStatus.SLA_MISSED, Layer.CAPACITY),
        (JobStatus.INFRASTRUCTURE, Layer.EXECUTION),
    ],
)
def test_every_failure_class_names_a_layer(agent: Any, status: JobStatus, layer: Layer) -> None:
    agent.report_usage(JOB, ended(status))
    fault = the_receipt(agent).receipt.fault
    assert fault is not None
    assert fault.layer is layer


def test_the_job_knows_its_layer_best(agent: Any) -> None:
    fault = FaultBody(layer=Layer.START, reason="no such image")
    agent.report_usage(JOB, ended(JobStatus.PROVIDER_FAULT, fault=fault))
    assert the_receipt(agent).receipt.fault == fault.fault()


@pytest.mark.parametrize("status", [JobStatus.RUNNING, JobStatus.COMPLETED])
def test_a_fault_without_a_failure_signs_nothing(agent: Any, status: JobStatus) -> None:
    fault = FaultBody(layer=Layer.START, reason="no such image")
    with pytest.raises(BadInput, match="has no fault"):
        agent.report_usage(JOB, ended(status, fault=fault))
    assert agent.state.undelivered() == 0
    assert agent.state.job(JOB) == (0, 0)
    assert agent.receipts(JOB) == []


# --- durable, and one truth -----------------------------------------------------------------------


def test_a_receipt_is_kept_while_no_oracle_answers_and_over_a_restart(world: Any) -> None:
    for oracle in world.oracles:
        oracle.down = True
    first = world.agent()
    first.report_usage(JOB, ended())
    signed = the_receipt(first)
    first.state.close()

    for oracle in world.oracles:
        oracle.down = False
    world.run(lambda: all(oracle.receipts for oracle in world.oracles))
    assert world.oracles[2].receipts[0].signed() == signed


def test_repeating_the_last_report_repeats_the_document(world: Any, agent: Any) -> None:
    agent.report_usage(JOB, ended(work=WORK))
    signed = the_receipt(agent)
    world.chain.now += 60
    agent.report_usage(JOB, ended(work=replace_work(exit_code=1)))
    assert the_receipt(agent) == signed


def replace_work(**changes: Any) -> WorkBody:
    return WorkBody.of(replace(WORK.work(), **changes))


def test_a_crash_between_receipt_and_job_does_not_sign_a_second_one(
    world: Any, agent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(agent.state, "save_job", crash)
        with pytest.raises(KeyboardInterrupt):
            agent.report_usage(JOB, ended(work=WORK))
    signed = the_receipt(agent)
    world.chain.now += 60
    agent.report_usage(JOB, ended(work=WORK))
    assert the_receipt(agent) == signed
    assert agent.state.job(JOB) == (25, JobStatus.COMPLETED)


def test_a_receipt_that_is_not_in_the_outbox_is_not_kept(
    agent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(agent.state, "_post", full)
        with pytest.raises(OSError, match="disk full"):
            agent.state.save_receipt(JOB, 1, "body", ["http://oracle"], "/v1/receipts", 10)
    assert agent.state.receipts(JOB) == []


def test_a_job_that_ended_is_not_ended_otherwise(agent: Any) -> None:
    agent.report_usage(JOB, ended())
    signed = the_receipt(agent)
    with pytest.raises(Conflict, match="has ended"):
        agent.report_usage(JOB, ended(JobStatus.PROVIDER_FAULT))
    assert the_receipt(agent) == signed


# --- counter-signed -------------------------------------------------------------------------------


@pytest.fixture
def customer(world: Any, monkeypatch: pytest.MonkeyPatch) -> KeystoreSigner:
    signer = KeystoreSigner(Account.create())
    job = SimpleNamespace(customer=signer.address, provider=7)
    read = world.chain.read
    monkeypatch.setattr(
        world.chain, "read", lambda c, f, *args: job if f == "job_info" else read(c, f, *args)
    )
    return signer


def counter_signed(signed: SignedReceipt, signer: KeystoreSigner) -> SignedReceiptBody:
    signature = signer.sign(signed.receipt.digest())
    own = ReceiptSignature(Role.CUSTOMER, signer.address, signature)
    return SignedReceiptBody.of(signed.merged(SignedReceipt(signed.receipt, (own,))))


def test_the_customers_signature_reaches_every_oracle(world: Any, customer: Any) -> None:
    agent = world.agent()
    agent.report_usage(JOB, ended(work=WORK))
    desk = VoucherDesk(world.chain, world.signer, agent.state, 7, 60)
    public = TestClient(public_app(agent, desk))
    body = public.get(f"/v1/jobs/{JOB}/receipts").json()[0]
    both = counter_signed(SignedReceiptBody.model_validate(body).signed(), customer)
    for _ in range(2):
        answer = public.post(f"/v1/jobs/{JOB}/receipts", json=both.model_dump(mode="json"))
        assert answer.status_code == 204
    assert agent.receipts(JOB) == [both]
    world.run(lambda: all(both in oracle.receipts for oracle in world.oracles), agent)
    assert [len(oracle.receipts) for oracle in world.oracles] == [2, 2, 2]


def test_a_strangers_signature_is_refused(agent: Any, customer: Any) -> None:
    agent.report_usage(JOB, ended())
    signed = the_receipt(agent)
    stranger = counter_signed(signed, KeystoreSigner(Account.create()))
    with pytest.raises(Unauthorized, match="signed as customer"):
        agent.take_counter_signature(JOB, stranger)
    assert the_receipt(agent) == signed


def test_a_signature_over_another_receipt_is_refused(agent: Any, customer: Any) -> None:
    agent.report_usage(JOB, ended())
    signed = the_receipt(agent)
    other = replace(signed.receipt, gpu_seconds=26)
    signature = agent.signer.sign(other.digest())
    forged = SignedReceipt(
        other, (ReceiptSignature(Role.PROVIDER, agent.signer.address, signature),)
    )
    for job in (JOB, JOB + 1):
        with pytest.raises(NotFound, match="no such receipt"):
            agent.take_counter_signature(job, counter_signed(forged, customer))
    with pytest.raises(NotFound, match="no such receipt"):
        agent.take_counter_signature(JOB + 1, counter_signed(signed, customer))


# --- what the meter makes of an end ---------------------------------------------------------------


def test_outcomes_of_work() -> None:
    assert _outcome(None) == _outcome(SystemExit(0)) == (JobStatus.COMPLETED, 0, None)
    status, code, fault = _outcome(SystemExit(9))
    assert (status, code, fault and fault.layer) == (JobStatus.PROVIDER_FAULT, 9, Layer.EXECUTION)
    failure = JobFailure(Layer.CAPACITY, "the card is gone", JobStatus.CAPACITY_LOST)
    status, code, fault = _outcome(failure)
    assert (status, code) == (JobStatus.CAPACITY_LOST, 1)
    assert fault is not None
    assert (fault.layer, fault.reason) == (Layer.CAPACITY, "the card is gone")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x" * 1_000),
        FileNotFoundError(b"\xff".decode(sys.getfilesystemencoding(), "surrogateescape")),
        JobFailure(Layer.OUTPUT, ""),
        SystemExit("a message"),
        KeyboardInterrupt(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_job_dies_of_can_be_signed(agent: Any, error: BaseException) -> None:
    status, _, fault = _outcome(error)
    assert fault is not None
    agent.report_usage(JOB, ended(status, fault=FaultBody.of(fault)))
    assert the_receipt(agent).receipt.fault == fault
