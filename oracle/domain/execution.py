"""Execution receipts: what ran, what came of it, and at which layer it failed.

A receipt is a small JSON document about one job. Its hash is keccak of the canonical form
(RFC 8785, see `oracle.domain.canonical`); the hash is signed as `messages.ExecutionReceipt`
under the escrow's domain. The provider issues one when a job ends; the customer or an oracle
counter-signs it. For a failed job whose provider left none, an oracle issues one itself.
Source: specification "Contracts", section JobEscrow; docs/execution-receipts.md.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from oracle.domain import messages
from oracle.domain.canonical import MAX_INTEGER, Tree, canonical_hash, canonical_json
from oracle.domain.receipts import COMPENSATED, FINAL, JobStatus
from oracle.domain.recovery import recover
from oracle.errors import BadInput, Unauthorized

VERSION = 1
MAX_PROVIDER = 2**24 - 1
MAX_PERIOD = 2**16 - 1
MAX_GPU_SECONDS = 2**40 - 1
MAX_MEMORY_MB = 2**32 - 1
MAX_EXIT_CODE = 2**31 - 1
MAX_DEVICES = 64
MAX_ARGUMENTS = 64
# characters
MAX_ARGUMENT = 1_024
MAX_REASON = 512

ADDRESS_PATTERN = "^0x[0-9a-f]{40}$"
HASH_PATTERN = "^0x[0-9a-f]{64}$"
DIGEST_PATTERN = "^sha256:[0-9a-f]{64}$"

_REMEDY = "docs/schemas/execution-receipt.json says what a receipt may hold."


class Layer(StrEnum):
    """Where a job failed, in the order in which a job goes through them."""

    # no provider took the job
    QUOTE = "quote"
    # the devices were not there, or vanished
    CAPACITY = "capacity"
    # image, command or input could not be started
    START = "start"
    # it ran and broke, or was not computed as promised
    EXECUTION = "execution"
    # it ended, but what it delivered is missing or wrong
    OUTPUT = "output"
    # the work was done, but was not reported, signed or paid
    SETTLEMENT = "settlement"


class Role(StrEnum):
    """As what somebody signs a receipt."""

    PROVIDER = "provider"
    CUSTOMER = "customer"
    ORACLE = "oracle"


FAILED = COMPENSATED | {JobStatus.INFRASTRUCTURE, JobStatus.CANCELLED}
"""Statuses that name a layer at fault; with all others there is none."""

STATUSES = FINAL | {JobStatus.RUNNING, JobStatus.CANCELLED}
"""What a receipt may say of its job."""

_USUAL_LAYER = {
    JobStatus.CAPACITY_LOST: Layer.CAPACITY,
    # what was promised is that the devices are there
    JobStatus.SLA_MISSED: Layer.CAPACITY,
    JobStatus.CANCELLED: Layer.QUOTE,
}


def usual_layer(status: JobStatus) -> Layer:
    """The layer at fault where a failed status is all that is known."""
    return _USUAL_LAYER.get(status, Layer.EXECUTION)


@dataclass(frozen=True, slots=True)
class Work:
    """What ran, as the job told its provider's agent. What it did not tell is None or empty.

    Digests are written `sha256:<64 hex digits>`, as OCI images are.
    """

    image: str | None = None
    command: tuple[str, ...] = ()
    # of the bytes it read and of the bytes it delivered
    input: str | None = None
    output: str | None = None
    # negative: ended by that signal
    exit_code: int | None = None
    # MB of main memory at the highest
    peak_memory_mb: int | None = None

    def __post_init__(self) -> None:
        for name in ("image", "input", "output"):
            digest: str | None = getattr(self, name)
            _check(digest is None or bool(re.fullmatch(DIGEST_PATTERN, digest)), name, digest)
        _check(len(self.command) <= MAX_ARGUMENTS, "command", len(self.command))
        for argument in self.command:
            _check(len(argument) <= MAX_ARGUMENT, "argument", argument)
        if self.exit_code is not None:
            _check(-MAX_EXIT_CODE <= self.exit_code <= MAX_EXIT_CODE, "exit code", self.exit_code)
        if self.peak_memory_mb is not None:
            _check_range("peak memory", self.peak_memory_mb, 0, MAX_MEMORY_MB)

    def document(self) -> dict[str, Tree]:
        """As JSON."""
        return {
            "image": self.image,
            "command": list(self.command),
            "input": self.input,
            "output": self.output,
            "exit_code": self.exit_code,
            "peak_memory_mb": self.peak_memory_mb,
        }


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a job failed."""

    layer: Layer
    # one sentence for people
    reason: str
    # 32 bytes that lead to the proof: a case of the court, or the transaction that ended the job
    evidence: bytes | None = None

    def __post_init__(self) -> None:
        _check(0 < len(self.reason) <= MAX_REASON, "reason", self.reason)
        _check(self.evidence is None or len(self.evidence) == 32, "evidence", self.evidence)

    def document(self) -> dict[str, Tree]:
        """As JSON."""
        return {
            "layer": str(self.layer),
            "reason": self.reason,
            "evidence": None if self.evidence is None else _hex(self.evidence),
        }


@dataclass(frozen=True, slots=True)
class ExecutionReceipt:
    """One document about one job. Raises `BadInput` for a value out of its bounds."""

    chain_id: int
    # the JobEscrow that holds the job
    escrow: str
    job: int
    provider: int
    # number of the receipt among those of its job and issuer, from 1
    period: int
    issuer: Role
    # devices that did the work, sorted; none where the issuer doesn't know
    devices: tuple[bytes, ...]
    # None where the issuer doesn't know
    work: Work | None
    # GPU-seconds since the job began
    gpu_seconds: int
    # canonical hash of the last telemetry, None where there was none
    telemetry: bytes | None
    status: JobStatus
    fault: Fault | None
    # chain time in seconds
    ended_at: int

    def __post_init__(self) -> None:
        _check_range("chain id", self.chain_id, 1, MAX_INTEGER)
        _check(bool(re.fullmatch(ADDRESS_PATTERN, self.escrow)), "escrow", self.escrow)
        _check_range("job", self.job, 1, MAX_INTEGER)
        _check_range("provider", self.provider, 1, MAX_PROVIDER)
        _check_range("period", self.period, 1, MAX_PERIOD)
        _check(self.issuer is not Role.CUSTOMER, "issuer", self.issuer)
        _check(len(self.devices) <= MAX_DEVICES, "number of devices", len(self.devices))
        _check(all(len(device) == 32 for device in self.devices), "device", self.devices)
        _check(list(self.devices) == sorted(set(self.devices)), "order of devices", self.devices)
        _check_range("GPU-seconds", self.gpu_seconds, 0, MAX_GPU_SECONDS)
        _check(self.telemetry is None or len(self.telemetry) == 32, "telemetry", self.telemetry)
        _check(self.status in STATUSES, "status", self.status)
        _check_range("end", self.ended_at, 0, MAX_INTEGER)
        if (self.fault is not None) != (self.status in FAILED):
            raise BadInput(
                f"status {self.status.name.lower()} "
                + ("names no layer at fault" if self.fault is None else "has no fault"),
                "A failed job names one layer, any other job none.",
            )

    def document(self) -> dict[str, Tree]:
        """As JSON; what the schema in docs/schemas describes."""
        return {
            "version": VERSION,
            "chain_id": self.chain_id,
            "escrow": self.escrow,
            "job": self.job,
            "provider": self.provider,
            "period": self.period,
            "issuer": str(self.issuer),
            "devices": [_hex(device) for device in self.devices],
            "work": None if self.work is None else self.work.document(),
            "gpu_seconds": self.gpu_seconds,
            "telemetry": None if self.telemetry is None else _hex(self.telemetry),
            "status": self.status.name.lower(),
            "fault": None if self.fault is None else self.fault.document(),
            "ended_at": self.ended_at,
        }

    def canonical(self) -> bytes:
        """The bytes that are hashed."""
        return canonical_json(self.document())

    @property
    def hash(self) -> bytes:
        """Keccak of the canonical form: the receipt's name."""
        return canonical_hash(self.document())

    def digest(self) -> bytes:
        """The 32 bytes that everybody signs, in whatever role."""
        message = messages.ExecutionReceipt(self.job, self.gpu_seconds, self.status, self.hash)
        return message.digest(messages.Domain(self.chain_id, self.escrow))


@dataclass(frozen=True, slots=True, order=True)
class ReceiptSignature:
    """One signature over a receipt: 65 bytes of a plain key, and whose it claims to be."""

    role: Role
    # checksum address of the key
    signer: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A receipt with the signatures it has gathered."""

    receipt: ExecutionReceipt
    signatures: tuple[ReceiptSignature, ...]

    def check(self) -> None:
        """Whether every signature is its signer's, and the issuer is among them.

        Needs no chain, so it says nothing about who holds a role. Raises `BadInput` and
        `Unauthorized`.
        """
        digest = self.receipt.digest()
        seen = set()
        for one in self.signatures:
            signer = recover(digest, one.signature)
            if signer != one.signer:
                raise Unauthorized(
                    f"the {one.role}'s signature is by {signer}, not {one.signer}",
                    "The document or the signature was changed: ask for the original.",
                )
            if (one.role, one.signer) in seen:
                raise BadInput(f"{one.signer} signed twice as {one.role}", "Send each one once.")
            seen.add((one.role, one.signer))
        if self.receipt.issuer not in (one.role for one in self.signatures):
            raise Unauthorized(
                f"the receipt's issuer, its {self.receipt.issuer}, has not signed it",
                "A receipt without its issuer's signature is nobody's word.",
            )

    @property
    def is_counter_signed(self) -> bool:
        """Whether a customer or an oracle other than the issuer has signed."""
        witnesses = {one.signer for one in self.signatures if one.role is not Role.PROVIDER}
        return len(witnesses) > (self.receipt.issuer is Role.ORACLE)

    def merged(self, other: "SignedReceipt") -> "SignedReceipt":
        """With the signatures of another copy, in a fixed order."""
        known = {(one.role, one.signer): one for one in (*other.signatures, *self.signatures)}
        return replace(self, signatures=tuple(sorted(known.values())))


# --- jobs that ended without a receipt ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """A conviction that ended a job."""

    # EIP-712 digest that the court files it under
    id: bytes
    # kind of SlashingCourt
    kind: int


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job failed, by the chain's own logs."""

    job: int
    provider: int
    # what it ended with; RUNNING or ACCEPTED where nobody ever reported an end
    status: JobStatus
    # GPU-seconds settled
    gpu_seconds: int
    # chain time in seconds
    ended_at: int
    transaction: bytes
    case: Case | None = None
    # devices that were struck by the same transaction
    devices: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What one oracle saw of a job before it ended."""

    # GPU-seconds of the last usage sample, None for none
    reported: int | None
    # chain time at which a device of the provider was last heard of, None for never
    last_heartbeat: int | None


FALSE_ATTESTATION, WITHHELD_OPENING = 1, 6
"""Kinds of cases: SlashingCourt.FALSE_ATTESTATION and WITHHELD_OPENING."""
_KINDS = {FALSE_ATTESTATION: "false attestation", WITHHELD_OPENING: "withheld opening"}


def judge(ending: Ending, seen: Seen, grace: int) -> tuple[JobStatus, Fault]:
    """Failure class and layer at fault of a failed job, as far as chain and heartbeats tell.

    `grace` is how many seconds a heartbeat vouches for. What the chain says decides; only for
    a job that ended in silence does the verdict rest on what this oracle `seen`.
    """
    if ending.case is not None:
        what = _KINDS.get(ending.case.kind, f"kind {ending.case.kind}")
        reason = f"the provider was convicted by SlashingCourt: {what}; evidence is the case id"
        return JobStatus.PROVIDER_FAULT, Fault(Layer.EXECUTION, reason, ending.case.id)
    if ending.status in FAILED:
        reason = (
            "no provider took the job"
            if ending.status is JobStatus.CANCELLED
            else f"reported as {ending.status.name.lower()}, without a receipt of the provider"
        )
        layer = usual_layer(ending.status)
        return ending.status, Fault(layer, f"{reason}; {_BY_TRANSACTION}", ending.transaction)
    status, layer, reason = _silence(ending, seen, grace)
    return status, Fault(layer, f"{reason}; {_BY_TRANSACTION}", ending.transaction)


_BY_TRANSACTION = "evidence is the transaction that ended it"


def _silence(ending: Ending, seen: Seen, grace: int) -> tuple[JobStatus, Layer, str]:
    """Why a job was reclaimed."""
    last = seen.last_heartbeat
    if last is None or last + grace < ending.ended_at:
        since = "never" if last is None else f"last at chain time {last}"
        return (
            JobStatus.CAPACITY_LOST,
            Layer.CAPACITY,
            f"no heartbeat of the provider's devices ({since})",
        )
    if seen.reported is None:
        return JobStatus.PROVIDER_FAULT, Layer.START, "the devices were there, no work began"
    return (
        JobStatus.INFRASTRUCTURE,
        Layer.SETTLEMENT,
        f"{seen.reported} GPU-seconds reported, {ending.gpu_seconds} settled, then silence",
    )


def _check_range(name: str, value: int, least: int, most: int) -> None:
    _check(least <= value <= most, name, value)


def _check(holds: bool, name: str, value: object) -> None:
    if not holds:
        raise BadInput(f"{name} of a receipt is out of bounds: {str(value)[:80]}", _REMEDY)


def _hex(value: bytes) -> str:
    return "0x" + value.hex()
