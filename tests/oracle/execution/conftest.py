"""Receipts as providers, customers and oracles write them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.api.schemas import FiledReceiptBody, SignedReceiptBody
from oracle.domain import messages
from oracle.domain.execution import (
    ExecutionReceipt,
    Fault,
    Layer,
    ReceiptSignature,
    Role,
    SignedReceipt,
    Work,
)
from oracle.domain.receipts import JobStatus
from tests.oracle.conftest import Live, Machine, record

PLAIN = ExecutionReceipt(
    chain_id=31_337,
    escrow="0x" + "22" * 20,
    job=7,
    provider=2,
    period=1,
    issuer=Role.PROVIDER,
    devices=(b"\x01" * 32, b"\x02" * 32),
    work=Work(
        image="sha256:" + "ab" * 32,
        command=("python", "train.py", "--name", "größe 😀"),
        exit_code=0,
        peak_memory_mb=512,
    ),
    gpu_seconds=25,
    telemetry=b"\x03" * 32,
    status=JobStatus.COMPLETED,
    fault=None,
    ended_at=1_700_000_000,
)
BROKEN = replace(
    PLAIN, status=JobStatus.PROVIDER_FAULT, fault=Fault(Layer.OUTPUT, "no weights were written")
)


def sign(receipt: ExecutionReceipt, *signers: tuple[Role, LocalAccount]) -> SignedReceipt:
    """A receipt with the signatures of some people in some roles."""
    return SignedReceipt(
        receipt,
        tuple(
            ReceiptSignature(role, key.address, KeystoreSigner(key).sign(receipt.digest()))
            for role, key in signers
        ),
    )


def body(signed: SignedReceipt) -> dict[str, Any]:
    """As it is posted."""
    return SignedReceiptBody.of(signed).model_dump(mode="json")


@pytest.fixture
def receipt_of(live: Any) -> Callable[..., ExecutionReceipt]:
    """A receipt of a job on the live chain."""

    def make(job: int, provider: int, **changes: Any) -> ExecutionReceipt:
        return replace(
            PLAIN,
            **{
                "chain_id": live.chain.chain_id,
                "escrow": live.deployment.address("JobEscrow").lower(),
                "job": job,
                "provider": provider,
                "ended_at": live.chain.timestamp(),
                **changes,
            },
        )

    return make


@pytest.fixture
def job(live: Live, machine: Machine) -> int:
    """A running job of a provider with an attested device, a minute old."""
    live.enter_epoch(1)
    record(machine, 1)
    number = live.open_job(machine.provider)
    live.mine(3, 60)
    return number


def receipts_at(oracle: Any, job: int) -> list[FiledReceiptBody]:
    """What an oracle serves of a job."""
    return [FiledReceiptBody.model_validate(one) for one in oracle.get(f"/v1/jobs/{job}/receipts")]


def end(live: Live, machine: Machine, job: int, seconds: int, status: JobStatus) -> None:
    """The customer's last voucher, settled by the provider, in a final block."""
    voucher = messages.Voucher(job, seconds, status)
    signature = live.sign(live.customer, voucher, "JobEscrow")
    live.send(live.operator, "JobEscrow", "settle_voucher", job, seconds, int(status), signature)
    live.mine(3)
