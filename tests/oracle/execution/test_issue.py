"""Failed jobs without a receipt of their provider: the oracle issues one, once."""

from collections.abc import Callable
from typing import Any

import pytest

from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.domain.execution import ExecutionReceipt, Fault, Layer, Role
from oracle.domain.receipts import JobStatus
from oracle.services.customer import Customer, Order
from tests.oracle.conftest import DAY, PRICE, UNIT, Live, Machine, Oracle, step
from tests.oracle.execution.conftest import body, end, receipts_at, sign

JOB_TIMEOUT = 2 * DAY


@pytest.fixture
def oracle(live: Live, job: int, make_oracle: Callable[..., Oracle]) -> Oracle:
    """One oracle: too few to settle anything by itself."""
    made = make_oracle(live.oracles[0])
    made.look()
    return made


def issued(oracle: Oracle, job: int) -> ExecutionReceipt:
    """The one receipt of a job, issued by this oracle."""
    (filed,) = receipts_at(oracle, job)
    signed = filed.signed()
    signed.check()
    assert filed.state == "agreed"
    assert signed.receipt.issuer is Role.ORACLE
    assert signed.receipt.work is None
    return signed.receipt


def reclaim(live: Live, job: int, before: Callable[[], Any] = lambda: None) -> str:
    """Let a job end in silence; returns the transaction. `before` happens right before."""
    live.send(live.customer, "JobRegistry", "request_reclaim", job)
    live.mine(1, JOB_TIMEOUT)
    before()
    receipt = live.send(live.customer, "JobRegistry", "reclaim", job)
    live.mine(3)
    transaction: str = receipt.transactionHash.to_0x_hex()
    return transaction


def close(live: Live, machine: Machine, job: int, status: JobStatus) -> None:
    end(live, machine, job, 25, status)
    live.send(live.operator, "JobRegistry", "close", job)
    live.mine(3)


# --- the layers -----------------------------------------------------------------------------------


def test_devices_that_vanished(live: Live, oracle: Oracle, job: int) -> None:
    transaction = reclaim(live, job)
    step([oracle])
    receipt = issued(oracle, job)
    assert receipt.status is JobStatus.CAPACITY_LOST
    assert receipt.fault is not None
    assert receipt.fault.layer is Layer.CAPACITY
    assert receipt.fault.evidence == bytes.fromhex(transaction[2:])


def test_devices_that_came_back_after_the_end_had_vanished(
    live: Live, oracle: Oracle, machine: Machine, job: int
) -> None:
    oracle.post("/v1/devices", machine.registration())
    reclaim(live, job)
    live.mine(3, 60)
    beat(oracle, machine)
    step([oracle])
    receipt = issued(oracle, job)
    assert receipt.fault is not None
    assert receipt.fault.layer is Layer.CAPACITY


def test_devices_that_were_there_and_did_nothing(
    live: Live, oracle: Oracle, machine: Machine, job: int
) -> None:
    oracle.post("/v1/devices", machine.registration())
    reclaim(live, job, lambda: beat(oracle, machine))
    step([oracle])
    receipt = issued(oracle, job)
    assert (receipt.status, receipt.fault and receipt.fault.layer) == (
        JobStatus.PROVIDER_FAULT,
        Layer.START,
    )


def test_work_that_nobody_settled(live: Live, oracle: Oracle, machine: Machine, job: int) -> None:
    oracle.post("/v1/devices", machine.registration())
    oracle.post("/v1/usage", [machine.usage(job, 25)])
    reclaim(live, job, lambda: beat(oracle, machine))
    step([oracle])
    receipt = issued(oracle, job)
    assert (receipt.status, receipt.fault and receipt.fault.layer) == (
        JobStatus.INFRASTRUCTURE,
        Layer.SETTLEMENT,
    )
    assert receipt.fault is not None
    assert "25 GPU-seconds reported, 0 settled" in receipt.fault.reason


def beat(oracle: Oracle, machine: Machine) -> None:
    oracle.look()
    assert oracle.post("/v1/heartbeats", [machine.heartbeat()])[0]["state"] == "stored"


def test_a_job_that_nobody_took(live: Live, oracle: Oracle, machine: Machine) -> None:
    live.send(live.deployer, "WorkToken", "transfer", live.customer.address, UNIT)
    token = live.deployment.address("WorkToken")
    customer = Customer(live.chain, KeystoreSigner(live.customer))
    job = customer.open_job(Order(machine.provider, token, 1, 1, PRICE, UNIT, 0, bytes(32)))
    customer.cancel(job)
    live.mine(3)
    step([oracle])
    receipt = issued(oracle, job)
    assert (receipt.status, receipt.fault and receipt.fault.layer) == (
        JobStatus.CANCELLED,
        Layer.QUOTE,
    )
    assert receipt.gpu_seconds == 0


@pytest.mark.parametrize(
    ("status", "layer"),
    [
        (JobStatus.PROVIDER_FAULT, Layer.EXECUTION),
        (JobStatus.CAPACITY_LOST, Layer.CAPACITY),
        (JobStatus.INFRASTRUCTURE, Layer.EXECUTION),
    ],
)
def test_a_silent_provider(
    live: Live, oracle: Oracle, machine: Machine, job: int, status: JobStatus, layer: Layer
) -> None:
    close(live, machine, job, status)
    step([oracle])
    receipt = issued(oracle, job)
    assert (receipt.status, receipt.gpu_seconds) == (status, 25)
    assert receipt.fault is not None
    assert receipt.fault.layer is layer


def test_all_oracles_issue_the_same_document(
    live: Live, job: int, oracles: list[Oracle], machine: Machine
) -> None:
    step(oracles)
    close(live, machine, job, JobStatus.SLA_MISSED)
    step(oracles)
    copies = [receipts_at(oracle, job)[0].signed() for oracle in oracles]
    assert len({copy.receipt.hash for copy in copies}) == 1
    merged = copies[0]
    for copy in copies[1:]:
        merged = merged.merged(copy)
    merged.check()
    assert {one.signer for one in merged.signatures} == {key.address for key in live.oracles}


# --- when there is nothing to issue ---------------------------------------------------------------


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.CUSTOMER_CANCELLED])
def test_a_job_that_did_not_fail_needs_no_receipt_of_an_oracle(
    live: Live, oracle: Oracle, machine: Machine, job: int, status: JobStatus
) -> None:
    close(live, machine, job, status)
    step([oracle], 2)
    assert receipts_at(oracle, job) == []


def test_the_providers_own_word_is_enough(
    live: Live, oracle: Oracle, machine: Machine, job: int, receipt_of: Any
) -> None:
    fault = Fault(Layer.OUTPUT, "no space left on device")
    own = receipt_of(job, machine.provider, status=JobStatus.PROVIDER_FAULT, fault=fault)
    oracle.post("/v1/receipts", [body(sign(own, (Role.PROVIDER, live.operator)))])
    close(live, machine, job, JobStatus.PROVIDER_FAULT)
    step([oracle], 2)
    (filed,) = receipts_at(oracle, job)
    assert filed.state == "agreed"
    assert filed.signed().receipt == own


def test_a_provider_that_says_otherwise_does_not_prevent_the_oracles_receipt(
    live: Live, oracle: Oracle, machine: Machine, job: int, receipt_of: Any
) -> None:
    own = receipt_of(job, machine.provider)
    oracle.post("/v1/receipts", [body(sign(own, (Role.PROVIDER, live.operator)))])
    close(live, machine, job, JobStatus.PROVIDER_FAULT)
    step([oracle])
    told, ours = receipts_at(oracle, job)
    assert (told.state, told.reason) == ("disputed", "the chain ended the job as provider_fault")
    assert (ours.state, ours.receipt.issuer) == ("agreed", "oracle")


def test_a_silent_provider_gets_its_time(
    live: Live, make_oracle: Any, machine: Machine, job: int, receipt_of: Any
) -> None:
    patient = make_oracle(live.oracles[0], "patient", usage_lag=300)
    close(live, machine, job, JobStatus.INFRASTRUCTURE)
    step([patient])
    assert receipts_at(patient, job) == []
    fault = Fault(Layer.SETTLEMENT, "the disk of the meter was full")
    own = receipt_of(job, machine.provider, status=JobStatus.INFRASTRUCTURE, fault=fault)
    patient.post("/v1/receipts", [body(sign(own, (Role.PROVIDER, live.operator)))])
    live.mine(3, 400)
    step([patient], 2)
    assert [one.receipt.issuer for one in receipts_at(patient, job)] == ["provider"]


def test_nothing_is_issued_for_a_block_that_may_go_away(
    live: Live, oracle: Oracle, machine: Machine, job: int
) -> None:
    end(live, machine, job, 25, JobStatus.PROVIDER_FAULT)
    live.send(live.operator, "JobRegistry", "close", job)
    oracle.look()
    oracle.node.execution.tick()
    assert receipts_at(oracle, job) == []
    live.mine(3)
    oracle.look()
    oracle.node.execution.tick()
    assert len(receipts_at(oracle, job)) == 1


def test_a_restart_issues_no_second_receipt(
    live: Live, oracle: Oracle, make_oracle: Any, machine: Machine, job: int
) -> None:
    reclaim(live, job)
    step([oracle])
    receipt = issued(oracle, job)
    oracle.node.database.close()
    again = make_oracle(live.oracles[0])
    again.look()
    again.post("/v1/devices", machine.registration())
    assert again.post("/v1/heartbeats", [machine.heartbeat()])[0]["state"] == "stored"
    live.mine(2)
    step([again], 2)
    assert issued(again, job) == receipt


def test_a_long_past_is_read_in_pieces(
    live: Live, oracle: Oracle, machine: Machine, job: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    close(live, machine, job, JobStatus.PROVIDER_FAULT)
    live.mine(20)
    monkeypatch.setattr("oracle.services.execution.MAX_BLOCKS", 10)
    turns = 0
    while not receipts_at(oracle, job):
        oracle.look()
        oracle.node.execution.tick()
        turns += 1
        assert turns < 100
    assert turns > 1
    assert issued(oracle, job).gpu_seconds == 25
