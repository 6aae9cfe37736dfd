"""What an oracle keeps about the world, as its use cases read and write it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from oracle.domain import messages
from oracle.domain.admission import Claim
from oracle.domain.attestation import LaneOpening, Mode, Opening, Shape, shape_of
from oracle.domain.canonical import Value
from oracle.domain.evidence import Evidence
from oracle.domain.execution import SignedReceipt

NO_EVIDENCE = bytes(32)


class Outcome(StrEnum):
    """What became of one entry of a batch."""

    STORED = "stored"
    # the same entry was stored before
    DUPLICATE = "duplicate"
    # another entry with the same sequence number exists: neither counts
    QUARANTINED = "quarantined"
    # never stored
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Device:
    """A device that its operator has presented."""

    device: bytes
    provider: int
    identity: bytes
    # what it claims: int8 operations per second, 0 where it registered before claims were asked
    claimed_ops_per_second: int
    memory_mb: int
    inventory: Mapping[str, Value]
    # where its agent answers openings
    agent_url: str
    signature: bytes

    @property
    def claim(self) -> Claim:
        """What it claims to be, as its challenges will keep it."""
        return Claim.of(self.identity, self.inventory, self.memory_mb)


@dataclass(frozen=True, slots=True)
class Sighting:
    """When this oracle first saw an epoch's beacon."""

    epoch: int
    beacon: bytes
    # id of the boot whose monotonic clock `seen_ns` belongs to
    boot: str
    # monotonic nanoseconds
    seen_ns: int
    # chain time between the beacon's block and the head it was first seen under, milliseconds
    age_ms: int


@dataclass(frozen=True, slots=True)
class Challenge:
    """What one device has to compute, and the secret its entries will be drawn from.

    The message holds the secret's keccak: the oracle can't choose the draw afterwards. Nor can
    the device choose what it has shown: `claim` is the one that the challenge was made for.
    """

    message: messages.Challenge
    secret: bytes
    claim: Claim

    @property
    def mode(self) -> Mode:
        """What it measures."""
        return Mode(self.message.mode)

    @property
    def shape(self) -> Shape:
        """The chain or walk that it asks for."""
        it = self.message
        return shape_of(it.mode, (it.m, it.n, it.k, it.rounds))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a device answers to a query; `signature` is the operator key's over the `Open` of it.

    `evidence` of a card whose identity is certified.
    """

    openings: tuple[Opening | LaneOpening, ...]
    signature: bytes
    evidence: Evidence | None = None

    @property
    def evidence_hash(self) -> bytes:
        """What the signature binds of the evidence; raises `EvidenceError` for what has no hash."""
        return self.evidence.hash() if self.evidence else NO_EVIDENCE


@dataclass(frozen=True, slots=True)
class StoredCommit:
    """A provider's signed commit and this oracle's verdict on it. A walk's only root is in it."""

    message: messages.Commit | messages.WalkCommit
    mode: Mode
    roots: tuple[bytes, ...]
    signature: bytes
    # from the beacon to the commit on this oracle's clock
    elapsed_ms: int
    # None until the openings are checked
    accepted: bool | None = None
    reason: str = ""
    # lower bound of int8 operations per second; 0 if refused, and in other modes
    ops_per_second: int = 0
    # lower bound of bytes read per second; 0 if refused, and in other modes
    bytes_per_second: int = 0
    # hash of the entries opened
    openings: bytes | None = None
    # hash of the answer that the verdict is on, and the operator key's signature over its `Open`
    answer: bytes | None = None
    answer_signature: bytes | None = None
    # hash of the evidence that came with the answer; zero for a device that proves no identity
    evidence: bytes = NO_EVIDENCE
    # position in the public list, 0 before it is stored
    id: int = 0

    @property
    def commit(self) -> bytes:
        """Struct hash of the message: the commit's name."""
        return self.message.struct_hash()


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat as it arrived."""

    message: messages.Heartbeat
    telemetry: Mapping[str, Value]
    signature: bytes


@dataclass(frozen=True, slots=True)
class Sample:
    """A usage sample as it arrived."""

    message: messages.Usage
    telemetry: Mapping[str, Value]
    signature: bytes


@dataclass(frozen=True, slots=True)
class Reported:
    """The newest sample of a job that counts, and since when the chain could know of it."""

    job: int
    cumulative_gpu_seconds: int
    status: int
    # chain time at which the sample arrived
    arrived_at: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One oracle's signature over a report, as published for watchers."""

    report: messages.Report
    # committee identity
    oracle: str
    signature: bytes
    # position in the public list, 0 before it is stored
    id: int = 0


class ReceiptState(StrEnum):
    """What this oracle makes of an execution receipt."""

    # waits until the chain has ended the job, or for the usage that goes with it
    PENDING = "pending"
    # signed by this oracle: issued here, or in accord with its own metering
    AGREED = "agreed"
    # the chain or the metering says otherwise
    DISPUTED = "disputed"
    # a second document for one period: kept as evidence against its signer
    CONFLICTING = "conflicting"


@dataclass(frozen=True, slots=True)
class FiledReceipt:
    """An execution receipt as it is kept."""

    signed: SignedReceipt
    state: ReceiptState
    # why it is disputed
    reason: str
    # chain time in seconds
    arrived_at: int
    # position in order of arrival
    id: int


class SubmissionState(StrEnum):
    """How far the service has got with changing the chain."""

    # wanted, no transaction signed
    QUEUED = "queued"
    # a signed transaction is stored; whether the network has it is unknown
    SENT = "sent"
    # the chain says what was wanted, in a block that may still be reorganised
    MINED = "mined"
    # the chain says so in a final block
    FINAL = "final"
    # the contracts don't take it; wanting it again queues it anew
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Submission:
    """Something the service wants the chain to say."""

    id: int
    # unique, e.g. "beacon/12"
    name: str
    contract: str
    calldata: bytes
    # see oracle.services.submit.Goal
    goal: Mapping[str, Any]
    state: SubmissionState
    nonce: int | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed transaction of a submission. Fees in wei per gas, `sent_at` in seconds."""

    hash: bytes
    nonce: int
    raw: bytes
    max_fee: int
    priority_fee: int
    sent_at: int


@dataclass(frozen=True, slots=True)
class ClosedEpoch:
    """A report that this oracle has rebuilt, and the block it was read at."""

    report: messages.EpochReport
    block_number: int
    block_hash: bytes
    # name of the leaf file in the data directory
    leaf_file: str

    @property
    def report_hash(self) -> bytes:
        """The payload that the committee signs."""
        return self.report.struct_hash()


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows per table, and submissions per state."""

    tables: Mapping[str, int]
    submissions: Mapping[str, int]
