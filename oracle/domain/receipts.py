"""Packed receipts: what the committee signs about many jobs at once.

One receipt is 16 bytes, big endian: uint64 job | uint56 cumulative GPU-seconds | uint8 status.
A batch holds 1 to 512 of them, sorted by job, each job once; jobs are numbered from 1.
Source: specification "Contracts", section JobEscrow.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from oracle.errors import BadInput

RECEIPT_BYTES = 16
MAX_RECEIPTS = 512
MAX_JOB = 2**64 - 1
MAX_CUMULATIVE = 2**56 - 1


class JobStatus(IntEnum):
    """The status byte of a job. Reports may carry RUNNING and what ends a job."""

    NONE = 0
    OPEN = 1
    ACCEPTED = 2
    RUNNING = 3
    COMPLETED = 4
    CUSTOMER_CANCELLED = 5
    PROVIDER_FAULT = 6
    CAPACITY_LOST = 7
    SLA_MISSED = 8
    INFRASTRUCTURE = 9
    CLOSED = 10
    CANCELLED = 11


FINAL = frozenset(
    {
        JobStatus.COMPLETED,
        JobStatus.CUSTOMER_CANCELLED,
        JobStatus.PROVIDER_FAULT,
        JobStatus.CAPACITY_LOST,
        JobStatus.SLA_MISSED,
        JobStatus.INFRASTRUCTURE,
    }
)
"""What a report may end a job with."""

COMPENSATED = frozenset({JobStatus.PROVIDER_FAULT, JobStatus.CAPACITY_LOST, JobStatus.SLA_MISSED})
"""Ends for which the customer is compensated from the provider's collateral."""


@dataclass(frozen=True, slots=True, order=True)
class Receipt:
    """Cumulative GPU-seconds of one job since it began, and its status."""

    job: int
    cumulative_gpu_seconds: int
    status: int


@dataclass(frozen=True, slots=True)
class AgreedReceipt:
    """A receipt that a quorum has signed, and the provider that it pays."""

    receipt: Receipt
    payee: int


def latest(receipts: Iterable[Receipt]) -> dict[int, Receipt]:
    """Per job, ascending, the receipt that says most: more GPU-seconds, else a later status."""
    by_job: dict[int, Receipt] = {}
    for receipt in receipts:
        known = by_job.get(receipt.job)
        if known is None or receipt > known:
            by_job[receipt.job] = receipt
    return dict(sorted(by_job.items()))


def pack(receipts: Iterable[Receipt]) -> bytes:
    """The bytes of a batch. Sorts by job; raises `BadInput` for what no batch can hold."""
    ordered = sorted(receipts)
    if not 1 <= len(ordered) <= MAX_RECEIPTS:
        raise BadInput(
            f"a batch of {len(ordered)} receipts", f"Send 1 to {MAX_RECEIPTS} receipts at once."
        )
    if len({receipt.job for receipt in ordered}) != len(ordered):
        raise BadInput("a job occurs twice in a batch", "Send the larger receipt of the two.")
    return b"".join(map(pack_one, ordered))


def pack_one(receipt: Receipt) -> bytes:
    """The 16 bytes of one receipt; raises `BadInput` for what does not fit them."""
    fits = (
        1 <= receipt.job <= MAX_JOB
        and 0 <= receipt.cumulative_gpu_seconds <= MAX_CUMULATIVE
        and 0 <= receipt.status <= 0xFF
    )
    if not fits:
        raise BadInput(f"{receipt} does not fit 16 bytes", "Look at where the numbers come from.")
    return (
        receipt.job.to_bytes(8, "big")
        + receipt.cumulative_gpu_seconds.to_bytes(7, "big")
        + receipt.status.to_bytes(1, "big")
    )


def unpack(packed: bytes) -> list[Receipt]:
    """The receipts of a batch. Raises `BadInput` for bytes that `pack` would not have made."""
    count, rest = divmod(len(packed), RECEIPT_BYTES)
    if rest or not 1 <= count <= MAX_RECEIPTS:
        raise BadInput(
            f"{len(packed)} bytes are no batch", f"A batch is 1 to {MAX_RECEIPTS} times 16 bytes."
        )
    receipts = [
        unpack_one(packed[start : start + RECEIPT_BYTES])
        for start in range(0, len(packed), RECEIPT_BYTES)
    ]
    jobs = [receipt.job for receipt in receipts]
    if jobs[0] == 0:
        raise BadInput("there is no job 0", "Jobs are numbered from 1.")
    if any(later <= earlier for earlier, later in pairwise(jobs)):
        raise BadInput("a batch is not sorted by job", "Sort by job; each job occurs once.")
    return receipts


def unpack_one(packed: bytes) -> Receipt:
    """The receipt in 16 bytes."""
    return Receipt(
        job=int.from_bytes(packed[:8], "big"),
        cumulative_gpu_seconds=int.from_bytes(packed[8:15], "big"),
        status=packed[15],
    )
