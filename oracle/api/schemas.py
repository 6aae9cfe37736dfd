"""Bodies of the HTTP interface, shared by the oracle, the agent, customers and watchers.

Bytes travel as 0x-prefixed lower-case hex, money and 64-bit numbers as JSON integers,
signatures as 65 bytes r, s, v. What a signature covers is a struct of
`oracle.domain.messages`, rebuilt from the body: a body holds no digest anybody could swap.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from oracle.domain import device_time, execution, messages, proposals
from oracle.domain.attestation import LaneOpening, Opening, Query
from oracle.domain.canonical import MAX_INTEGER
from oracle.domain.demand import ClassTime
from oracle.domain.evidence import MAX_CHAIN_BYTES, MAX_REPORT_BYTES, Evidence
from oracle.domain.offers import MAX_PRICE, SignedOffer, Wanted
from oracle.domain.receipts import JobStatus, unpack
from oracle.domain.records import Answer
from oracle.domain.recovery import checksum
from oracle.domain.summary import EpochSummary
from oracle.domain.web_address import web_address
from oracle.errors import BadInput


def _parse_hex(value: object) -> object:
    if isinstance(value, str):
        if not value.startswith("0x"):
            raise ValueError("expected hex digits behind 0x")
        return bytes.fromhex(value[2:])
    return value


def _check_web_address(text: str) -> str:
    try:
        web_address(text)
    except BadInput as error:
        raise ValueError(str(error)) from None
    return text


def _show_hex(value: bytes) -> str:
    return "0x" + value.hex()


_Hex = [BeforeValidator(_parse_hex), PlainSerializer(_show_hex, return_type=str, when_used="json")]
Hash = Annotated[bytes, *_Hex, Field(min_length=32, max_length=32)]
Leaf = Annotated[bytes, *_Hex, Field(min_length=128, max_length=128)]
Signature = Annotated[bytes, *_Hex, Field(min_length=65, max_length=65)]
# of requests between oracles: of `messages.Proposal`, over the body as it is sent
SIGNATURE_HEADER = "Clearwork-Signature"
Address = Annotated[str, Field(pattern="^0x[0-9a-fA-F]{40}$")]
# up to what a job can have, 2^80 - 1; as a decimal string, because readers of JSON round it
Price = Annotated[
    int,
    PlainSerializer(str, return_type=str, when_used="json"),
    Field(ge=0, le=MAX_PRICE),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,25}$"}),
]
Packed = Annotated[bytes, *_Hex, Field(max_length=8_192)]

U8 = Annotated[int, Field(ge=0, lt=2**8)]
U16 = Annotated[int, Field(ge=0, lt=2**16)]
U24 = Annotated[int, Field(ge=0, lt=2**24)]
U32 = Annotated[int, Field(ge=0, lt=2**32)]
U40 = Annotated[int, Field(ge=0, lt=2**40)]
# below 2^63: what a database integer holds; nothing counted here comes near
U64 = Annotated[int, Field(ge=0, lt=2**63)]


class Body(BaseModel):
    """Base of all bodies: unknown fields are refused, instances are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Problem(Body):
    """An error, as problem+json (RFC 9457). `title` says what is wrong, `detail` what to do."""

    type: str
    title: str
    status: int
    detail: str


# --- agent to oracle --------------------------------------------------------------------------


class RegistrationBody(Body):
    """POST /v1/devices; answered with `DeviceView`. Signed: `messages.Registration`."""

    provider: U24
    identity: Hash
    # what the device claims to sustain, int8 operations per second: its challenges are planned so
    ops_per_second: Annotated[int, Field(ge=1, lt=2**63)]
    memory_mb: U32
    # name, driver, PCI id, MIG and vGPU mode, ...; canonical JSON, hashed into the message
    inventory: dict[str, str | int | bool | None]
    # where the agent answers openings, e.g. http://127.0.0.1:9000
    agent_url: Annotated[
        str, Field(max_length=2_048, pattern="^https?://"), AfterValidator(_check_web_address)
    ]
    signature: Signature


class ChallengeView(Body):
    """GET /v1/devices/{device}/challenge: what this device has to compute in this epoch.

    `state`: `waiting` (the epoch has no beacon yet), `resting` (too many failures in a row: there
    is none until epoch `resumes`), `open` (compute and commit), `committed` (openings are due),
    `accepted` or `refused` (done for this epoch). The numbers are absent while waiting and
    resting. Signed: `messages.Challenge`; `state` and `remaining_ms` are not.
    """

    state: Literal["waiting", "resting", "open", "committed", "accepted", "refused"]
    epoch: U64
    seed: Hash | None = None
    # 0 throughput, 1 bandwidth, 2 residency
    mode: U8 | None = None
    # of a chain; in residency mode entries, lanes, steps and depth of a walk
    m: U64 | None = None
    n: U32 | None = None
    k: U32 | None = None
    rounds: U16 | None = None
    # number of entries or lanes to open
    queries: U16 | None = None
    # milliseconds from the beacon to the commit
    deadline_ms: U32 | None = None
    # keccak of the secret that they will be drawn from
    secret_hash: Hash | None = None
    oracle: str | None = None
    signature: Signature | None = None
    # milliseconds left on the oracle's clock
    remaining_ms: int | None = None
    resumes: U64 | None = None

    def message(self, provider: int, device: bytes) -> messages.Challenge:
        """The struct that `signature` covers. Raises `BadInput` where there is no challenge."""
        names = [field.name for field in fields(messages.Challenge)][2:]
        values = {name: getattr(self, name) for name in names}
        if None in values.values():
            raise BadInput("a challenge without all its numbers", "ask the oracle's operator")
        return messages.Challenge(provider=provider, device=device, **values)


class CommitBody(Body):
    """POST /v1/commits; answered with `AckView`. Signed: `messages.Commit`.

    `roots` are the roots of all rounds in order; they chain `seed` to `final_seed`.
    """

    provider: U24
    device: Hash
    epoch: U64
    seed: Hash
    m: U32
    n: U32
    k: U32
    rounds: U16
    final_seed: Hash
    roots: list[Hash] = Field(min_length=1, max_length=64)
    signature: Signature

    @classmethod
    def of(cls, commit: messages.Commit, roots: Sequence[bytes], signature: bytes) -> Self:
        """A signed commit as it travels."""
        return cls(**asdict(commit), roots=list(roots), signature=signature)

    def message(self) -> messages.Commit:
        """The struct that `signature` covers."""
        return messages.Commit(**self.model_dump(exclude={"roots", "signature"}))


class WalkBody(Body):
    """POST /v1/walks; answered with `AckView`. Signed: `messages.WalkCommit`."""

    provider: U24
    device: Hash
    epoch: U64
    seed: Hash
    entries: U64
    lanes: U32
    steps: U32
    depth: U16
    root: Hash
    signature: Signature

    @classmethod
    def of(cls, commit: messages.WalkCommit, signature: bytes) -> Self:
        """A signed commit as it travels."""
        return cls(**asdict(commit), signature=signature)

    def message(self) -> messages.WalkCommit:
        """The struct that `signature` covers."""
        return messages.WalkCommit(**self.model_dump(exclude={"signature"}))


class AckView(Body):
    """Receipt for a commit, and then the query: open what is drawn from `secret`.

    Two messages with a signature each: `messages.Ack` and `messages.Query`.
    """

    commit: Hash
    elapsed_ms: U32
    secret: Hash
    oracle: str
    ack_signature: Signature
    query_signature: Signature


class ContradictionView(Body):
    """GET /v1/evidence of an agent: two things an oracle signed that exclude each other."""

    # URL that it answered at
    oracle: str
    epoch: U64
    reason: str
    # signed first
    challenge: ChallengeView
    # another one for the same seed
    second: ChallengeView | None = None
    # a query whose secret is not the challenge's
    ack: AckView | None = None


class OpeningBody(Body):
    """One entry (i, j) of round `round`: the 128 folded bytes that hold it, and their path."""

    round: U16
    i: U32
    j: U32
    leaf: Leaf
    path: list[Hash] = Field(max_length=32)

    @classmethod
    def of(cls, opening: Opening) -> Self:
        """An opening as it travels."""
        query = opening.query
        return cls(
            round=query.round, i=query.i, j=query.j, leaf=opening.leaf, path=list(opening.path)
        )

    def opening(self) -> Opening:
        """What the body says."""
        return Opening(Query(self.round, self.i, self.j), self.leaf, tuple(self.path))


class EvidenceBody(Body):
    """A card's attestation report for the challenge's seed, and its certificates as PEM."""

    report: Annotated[bytes, *_Hex, Field(max_length=MAX_REPORT_BYTES)]
    chain: Annotated[bytes, *_Hex, Field(max_length=MAX_CHAIN_BYTES)]

    @classmethod
    def of(cls, evidence: Evidence) -> Self:
        """Evidence as it travels."""
        return cls(report=evidence.report, chain=evidence.chain)

    def evidence(self) -> Evidence:
        """What the body says."""
        return Evidence(self.report, self.chain)


class OpeningsBody(Body):
    """POST /v1/openings; answered with `VerdictView`. The order is that of the queries.

    Signed: `messages.Open`; what it hashes is rebuilt from the body and the challenge.
    """

    commit: Hash
    openings: list[OpeningBody] = Field(max_length=1_024)
    # of a card whose identity is certified
    evidence: EvidenceBody | None = None
    signature: Signature

    def answer(self) -> Answer:
        """What the body says."""
        return Answer(
            tuple(one.opening() for one in self.openings),
            self.signature,
            self.evidence.evidence() if self.evidence else None,
        )


class LaneBody(Body):
    """One lane of a walk: the leaf that holds its end, and the leaf's path."""

    lane: U32
    leaf: Leaf
    path: list[Hash] = Field(max_length=32)

    @classmethod
    def of(cls, opening: LaneOpening) -> Self:
        """An opening as it travels."""
        return cls(lane=opening.lane, leaf=opening.leaf, path=list(opening.path))

    def opening(self) -> LaneOpening:
        """What the body says."""
        return LaneOpening(self.lane, self.leaf, tuple(self.path))


class LanesBody(Body):
    """POST /v1/walks/openings; answered with `VerdictView`. Signed: `messages.Open`."""

    commit: Hash
    openings: list[LaneBody] = Field(max_length=1_024)
    # of a card whose identity is certified
    evidence: EvidenceBody | None = None
    signature: Signature

    def answer(self) -> Answer:
        """What the body says."""
        return Answer(
            tuple(one.opening() for one in self.openings),
            self.signature,
            self.evidence.evidence() if self.evidence else None,
        )


class VerdictView(Body):
    """What this oracle makes of a commit.

    Lower bounds: `ops_per_second` of a throughput chain, `bytes_per_second` of a bandwidth
    chain; 0 if refused, and in other modes.
    """

    commit: Hash
    mode: U8 = 0
    accepted: bool
    reason: str
    ops_per_second: U64
    bytes_per_second: U64 = 0
    elapsed_ms: U32
    # hash of the answer judged, and the operator key's signature over its `messages.Open`
    answer: Hash | None = None
    answer_signature: Signature | None = None
    # hash of the evidence that came with it, see GET /v1/evidence/{hash}
    evidence: Hash | None = None


class HeartbeatBody(Body):
    """One of POST /v1/heartbeats (a list, at most 1 000). Signed: `messages.Heartbeat`."""

    device: Hash
    seq: U64
    timestamp: U64
    telemetry: dict[str, int | None]
    signature: Signature


class UsageBody(Body):
    """One of POST /v1/usage (a list, at most 1 000). Signed: `messages.Usage`."""

    job: U64
    seq: U64
    timestamp: U64
    cumulative_gpu_seconds: U40
    status: U8
    telemetry: dict[str, int | None]
    signature: Signature


class Receipt(Body):
    """Answer per entry of a batch: `stored`, `duplicate`, `quarantined` or `refused`."""

    state: Literal["stored", "duplicate", "quarantined", "refused"]
    reason: str = ""


# --- execution receipts -------------------------------------------------------------------------

_HashText = Annotated[str, Field(pattern=execution.HASH_PATTERN)]
_Digest = Annotated[str, Field(pattern=execution.DIGEST_PATTERN)]
_Whole = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
# from JSON an enumeration is a string, which strict mode would refuse
_Layer = Annotated[execution.Layer, Field(strict=False)]
_Role = Annotated[execution.Role, Field(strict=False)]
_Status = Literal[
    "running",
    "completed",
    "customer_cancelled",
    "provider_fault",
    "capacity_lost",
    "sla_missed",
    "infrastructure",
    "cancelled",
]


class Document(Body):
    """Base of what is hashed or written to files: nothing is converted, "3" is no number."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, json_schema_serialization_defaults_required=True
    )


class WorkBody(Document):
    """What ran. What the job did not tell is null or empty."""

    image: _Digest | None = Field(None, description="digest of the container image")
    command: list[Annotated[str, Field(max_length=execution.MAX_ARGUMENT)]] = Field(
        default_factory=list, max_length=execution.MAX_ARGUMENTS, description="with its arguments"
    )
    input: _Digest | None = Field(None, description="digest of the bytes it read")
    output: _Digest | None = Field(None, description="digest of the bytes it delivered")
    exit_code: (
        Annotated[int, Field(ge=-execution.MAX_EXIT_CODE, le=execution.MAX_EXIT_CODE)] | None
    ) = Field(None, description="negative: ended by that signal")
    peak_memory_mb: Annotated[int, Field(ge=0, le=execution.MAX_MEMORY_MB)] | None = Field(
        None, description="MB of main memory at the highest"
    )

    @classmethod
    def of(cls, work: execution.Work) -> "WorkBody":
        """The body for a domain object."""
        return cls.model_validate(work.document())

    def work(self) -> execution.Work:
        """What the body says."""
        return execution.Work(**{**self.model_dump(), "command": tuple(self.command)})


class FaultBody(Document):
    """Why a job failed."""

    layer: _Layer = Field(description="where, in the order in which a job goes through them")
    reason: str = Field(
        min_length=1, max_length=execution.MAX_REASON, description="one sentence for people"
    )
    evidence: _HashText | None = Field(
        None, description="case of the court, or transaction, that proves it"
    )

    @classmethod
    def of(cls, fault: execution.Fault) -> "FaultBody":
        """The body for a domain object."""
        return cls.model_validate(fault.document())

    def fault(self) -> execution.Fault:
        """What the body says."""
        return execution.Fault(self.layer, self.reason, _from_hex(self.evidence))


class ExecutionReceiptBody(Document):
    """What is hashed and signed about one job: keccak of its canonical JSON (RFC 8785)."""

    version: Literal[1] = Field(description="of this format")
    chain_id: Annotated[int, Field(ge=1, le=MAX_INTEGER)]
    escrow: Annotated[str, Field(pattern=execution.ADDRESS_PATTERN)] = Field(
        description="the JobEscrow that holds the job"
    )
    job: Annotated[int, Field(ge=1, le=MAX_INTEGER)]
    provider: Annotated[int, Field(ge=1, le=execution.MAX_PROVIDER)]
    period: Annotated[int, Field(ge=1, le=execution.MAX_PERIOD)] = Field(
        description="number of the receipt among those of its job and issuer"
    )
    issuer: Literal["provider", "oracle"]
    devices: list[_HashText] = Field(
        max_length=execution.MAX_DEVICES,
        description="ids of the devices that did the work, sorted; empty where unknown",
    )
    work: WorkBody | None = Field(description="null where the issuer does not know")
    gpu_seconds: Annotated[int, Field(ge=0, le=execution.MAX_GPU_SECONDS)] = Field(
        description="since the job began"
    )
    telemetry: _HashText | None = Field(
        description="keccak of the canonical JSON of the last telemetry"
    )
    status: _Status
    fault: FaultBody | None = Field(description="of failed jobs only")
    ended_at: _Whole = Field(description="chain time in seconds")

    @classmethod
    def of(cls, receipt: execution.ExecutionReceipt) -> "ExecutionReceiptBody":
        """The body for a receipt."""
        return cls.model_validate(receipt.document())

    def receipt(self) -> execution.ExecutionReceipt:
        """The receipt in a body; raises `BadInput` for what contradicts itself."""
        return execution.ExecutionReceipt(
            chain_id=self.chain_id,
            escrow=self.escrow,
            job=self.job,
            provider=self.provider,
            period=self.period,
            issuer=execution.Role(self.issuer),
            devices=tuple(bytes.fromhex(device[2:]) for device in self.devices),
            work=None if self.work is None else self.work.work(),
            gpu_seconds=self.gpu_seconds,
            telemetry=_from_hex(self.telemetry),
            status=JobStatus[self.status.upper()],
            fault=None if self.fault is None else self.fault.fault(),
            ended_at=self.ended_at,
        )


class ReceiptSignatureBody(Document):
    """One signature (65 bytes r, s, v) over the EIP-712 digest of a receipt."""

    role: _Role
    signer: Annotated[str, Field(pattern="^0x[0-9a-fA-F]{40}$")]
    signature: Annotated[str, Field(pattern="^0x[0-9a-f]{130}$")]


class SignedReceiptBody(Document):
    """An execution receipt with its signatures: the file that people keep and pass on.

    One of POST /v1/receipts (a list, at most 100). Signed: `messages.ExecutionReceipt`.
    """

    receipt: ExecutionReceiptBody
    document: _HashText = Field(description="keccak of the canonical JSON of `receipt`")
    signatures: list[ReceiptSignatureBody] = Field(max_length=64)

    @classmethod
    def of(cls, signed: execution.SignedReceipt) -> "SignedReceiptBody":
        """The body for a signed receipt."""
        return cls(
            receipt=ExecutionReceiptBody.of(signed.receipt),
            document="0x" + signed.receipt.hash.hex(),
            signatures=[
                ReceiptSignatureBody(
                    role=one.role, signer=one.signer, signature="0x" + one.signature.hex()
                )
                for one in signed.signatures
            ],
        )

    def signed(self) -> execution.SignedReceipt:
        """The signed receipt in a body.

        Raises `BadInput` for a document hash that is another's, or a receipt that contradicts
        itself. The signatures are not checked.
        """
        receipt = self.receipt.receipt()
        if self.document != "0x" + receipt.hash.hex():
            raise BadInput(
                f"the receipt hashes to 0x{receipt.hash.hex()}, not to {self.document}",
                "It was changed after it was hashed: ask for the original.",
            )
        return execution.SignedReceipt(
            receipt,
            tuple(
                execution.ReceiptSignature(one.role, one.signer, bytes.fromhex(one.signature[2:]))
                for one in self.signatures
            ),
        )


class FiledReceiptBody(SignedReceiptBody):
    """One of GET /v1/jobs/{job}/receipts of an oracle: a receipt, and what it makes of it.

    `state`: `pending` (waits for the chain), `agreed` (counter-signed or issued here),
    `disputed` (see `reason`), `conflicting` (a second document; kept as evidence only).
    """

    state: Literal["pending", "agreed", "disputed", "conflicting"]
    reason: str = ""


def receipt_schema() -> dict[str, object]:
    """JSON Schema (draft 2020-12) of a signed receipt: docs/schemas/execution-receipt.json."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://clearwork.example/schemas/execution-receipt.json",
        **SignedReceiptBody.model_json_schema(mode="serialization"),
    }


def _checksum(address: str) -> str:
    return checksum(bytes.fromhex(address[2:]))


def _from_hex(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text[2:])


# --- offers ---------------------------------------------------------------------------------


class OfferBody(Body):
    """POST /v1/offers; answered with `OfferView`. Signed: `messages.Offer`.

    Every reader of JSON keeps all of its numbers exactly, so that anybody can hand it to the
    escrow as it was signed. The signature of a contract (ERC-1271) may be longer than 65 bytes.
    """

    provider: U24
    device_class: U16
    gpus: U16
    sla: U16
    min_seconds: U32
    max_seconds: U32
    # chain time in seconds
    expires_at: _Whole
    nonce: _Whole
    asset: Address
    # base units of `asset`, as a decimal string
    price_per_gpu_hour: Price
    terms: Hash
    signer: Address
    signature: Annotated[bytes, *_Hex, Field(max_length=1_024)]

    @classmethod
    def of(cls, signed: SignedOffer, **more: Any) -> Self:
        """The body for a signed offer; `more` are the fields of a view."""
        return cls(**asdict(signed.offer), signer=signed.signer, signature=signed.signature, **more)

    def signed(self) -> SignedOffer:
        """The signed offer in a body; its signature is not checked."""
        fields = {name: getattr(self, name) for name in messages.Offer.__slots__}
        offer = messages.Offer(**{**fields, "asset": _checksum(self.asset)})
        return SignedOffer(offer, _checksum(self.signer), self.signature)


class OfferQuery(Body):
    """What GET /v1/offers is asked for; absent means any."""

    provider: U24 | None = None
    device_class: U16 | None = None
    asset: Address | None = None
    # base units of `asset` for one GPU for one hour
    max_price: Price | None = None
    min_gpus: Annotated[int, Field(ge=1, lt=2**16)] = 1
    # `id` of the last offer of the page before
    after: Annotated[int, Field(ge=0, lt=2**63)] = 0

    def wanted(self) -> Wanted:
        """The question, without the page."""
        return Wanted(
            provider=self.provider,
            device_class=self.device_class,
            asset=None if self.asset is None else _checksum(self.asset),
            max_price=self.max_price,
            min_gpus=self.min_gpus,
        )


class OfferView(OfferBody):
    """One of GET /v1/offers: an offer that can be taken now."""

    id: int
    # GPUs that can be taken: not sold, not busy with other jobs, and backed by stake
    available: U16


# --- oracle to oracle -------------------------------------------------------------------------


class JobObservation(Body):
    """What one oracle saw of one job."""

    job: U64
    cumulative_gpu_seconds: U40
    status: U8


class UsageObservation(Body):
    """GET /v1/peer/usage/{epoch}: one oracle's signed view of all jobs. Signed:
    `messages.Observation` with subject 0, see `proposals.usage_message`."""

    epoch: U64
    jobs: list[JobObservation]
    oracle: Address
    signature: Signature

    @classmethod
    def of(cls, seen: proposals.UsageObservation) -> "UsageObservation":
        """The body for an observation."""
        jobs = [
            JobObservation(
                job=job.job,
                cumulative_gpu_seconds=job.cumulative_gpu_seconds,
                status=job.status,
            )
            for job in seen.jobs
        ]
        return cls(epoch=seen.epoch, jobs=jobs, oracle=seen.oracle, signature=seen.signature)

    def observation(self) -> proposals.UsageObservation:
        """The observation in a body."""
        jobs = tuple(
            proposals.JobObservation(job.cumulative_gpu_seconds, job.status, job.job)
            for job in self.jobs
        )
        return proposals.UsageObservation(self.epoch, jobs, self.oracle, self.signature)


class DeviceObservation(Body):
    """GET /v1/peer/devices/{device}/{epoch}: one oracle's signed verdict on a device. Signed:
    `messages.Observation` with subject = device, see `proposals.device_message`."""

    device: Hash
    epoch: U64
    commit: Hash
    ops_per_second: U64
    elapsed_ms: U32
    openings: Hash
    # zero for a device that proves no identity
    evidence: Hash
    oracle: Address
    signature: Signature

    @classmethod
    def of(cls, seen: proposals.DeviceObservation) -> "DeviceObservation":
        """The body for an observation."""
        return cls(**asdict(seen))

    def observation(self) -> proposals.DeviceObservation:
        """The observation in a body."""
        return proposals.DeviceObservation(**self.model_dump())


class UsageProposal(Body):
    """POST /v1/peer/proposals/usage: a leader's batch with the observations it came from.

    Answered with `PeerSignature`, as are all proposals.
    """

    epoch: U64
    index: U32
    observations: list[UsageObservation] = Field(max_length=31)
    receipts: Packed

    @classmethod
    def of(cls, proposal: proposals.UsageProposal) -> "UsageProposal":
        """The body for a proposal."""
        return cls(
            epoch=proposal.epoch,
            index=proposal.index,
            observations=[UsageObservation.of(seen) for seen in proposal.observations],
            receipts=proposal.receipts,
        )

    def proposal(self) -> proposals.UsageProposal:
        """The proposal in a body."""
        observations = tuple(seen.observation() for seen in self.observations)
        return proposals.UsageProposal(self.epoch, self.index, observations, self.receipts)


class BlameProposal(Body):
    """POST /v1/peer/proposals/blame: which members of a cluster failed a job."""

    epoch: U64
    job: U64
    mask: Annotated[int, Field(ge=1, lt=2**64)]

    @classmethod
    def of(cls, proposal: proposals.BlameProposal) -> "BlameProposal":
        """The body for a proposal."""
        return cls(**asdict(proposal))

    def proposal(self) -> proposals.BlameProposal:
        """The proposal in a body."""
        return proposals.BlameProposal(self.epoch, self.job, self.mask)


class DeviceProposal(Body):
    """POST /v1/peer/proposals/device: a leader's choice of observations.

    GET /v1/peer/proposals/device/{device}/{epoch} answers with the one an oracle has signed.
    """

    device: Hash
    epoch: U64
    observations: list[DeviceObservation] = Field(max_length=31)

    @classmethod
    def of(cls, proposal: proposals.DeviceProposal) -> "DeviceProposal":
        """The body for a proposal."""
        observations = [DeviceObservation.of(seen) for seen in proposal.observations]
        return cls(device=proposal.device, epoch=proposal.epoch, observations=observations)

    def proposal(self) -> proposals.DeviceProposal:
        """The proposal in a body."""
        observations = tuple(seen.observation() for seen in self.observations)
        return proposals.DeviceProposal(self.device, self.epoch, observations)


class ClassTimeBody(Body):
    """Live time of a device class in an epoch, and the share for which devices were there."""

    device_class: U16
    device_seconds: U64
    availability_bps: Annotated[int, Field(ge=0, le=10_000)]


class DeviceTimeObservation(Body):
    """GET /v1/peer/device-time/{epoch}: one oracle's signed view of it. Signed:
    `messages.Observation` with subject keccak256("DeviceTime"), see `device_time`."""

    epoch: U64
    classes: list[ClassTimeBody] = Field(max_length=device_time.MAX_CLASSES)
    oracle: Address
    signature: Signature

    @classmethod
    def of(cls, seen: device_time.DeviceTimeObservation) -> "DeviceTimeObservation":
        """The body for an observation."""
        classes = [ClassTimeBody(**asdict(each)) for each in seen.classes]
        return cls(epoch=seen.epoch, classes=classes, oracle=seen.oracle, signature=seen.signature)

    def observation(self) -> device_time.DeviceTimeObservation:
        """The observation in a body."""
        classes = tuple(ClassTime(**each.model_dump()) for each in self.classes)
        return device_time.DeviceTimeObservation(self.epoch, classes, self.oracle, self.signature)


class DeviceTimeProposal(Body):
    """POST /v1/peer/proposals/device-time: a leader's choice of observations.

    GET /v1/peer/proposals/device-time/{epoch} answers with the one an oracle has signed.
    """

    epoch: U64
    observations: list[DeviceTimeObservation] = Field(max_length=31)

    @classmethod
    def of(cls, proposal: device_time.DeviceTimeProposal) -> "DeviceTimeProposal":
        """The body for a proposal."""
        observations = [DeviceTimeObservation.of(seen) for seen in proposal.observations]
        return cls(epoch=proposal.epoch, observations=observations)

    def proposal(self) -> device_time.DeviceTimeProposal:
        """The proposal in a body."""
        observations = tuple(seen.observation() for seen in self.observations)
        return device_time.DeviceTimeProposal(self.epoch, observations)


class SignedBatch(Body):
    """One of GET /v1/batches: receipts with the committee's signatures, left for the epoch's
    root. JobEscrow.settle_batch(epoch, index, receipts, signatures) takes them from anyone."""

    epoch: U64
    index: U32
    receipts: Packed
    signatures: Annotated[bytes, *_Hex, Field(max_length=31 * 65)]

    def batch(self) -> proposals.SignedBatch:
        """The batch in a body; raises `BadInput` for receipts that no batch can hold."""
        unpack(self.receipts)
        return proposals.SignedBatch(self.epoch, self.index, self.receipts, self.signatures)


class EpochProposal(Body):
    """POST /v1/peer/proposals/epoch: a follower rebuilds the report and signs if it is equal."""

    from_epoch: U64
    to_epoch: U64
    report_hash: Hash
    batches: list[SignedBatch] = Field(default=[], max_length=proposals.MAX_BATCHES)

    @classmethod
    def of(cls, proposal: proposals.EpochProposal) -> "EpochProposal":
        """The body for a proposal."""
        return cls.model_validate(asdict(proposal))

    def proposal(self) -> proposals.EpochProposal:
        """The proposal in a body."""
        batches = tuple(body.batch() for body in self.batches)
        return proposals.EpochProposal(self.from_epoch, self.to_epoch, self.report_hash, batches)


class PeerSignature(Body):
    """Answer to a proposal: this oracle's signature over the committee report."""

    oracle: Address
    signature: Signature


# --- public views -----------------------------------------------------------------------------


class DeviceView(Body):
    """A device as this oracle knows it."""

    device: Hash
    provider: U24
    identity: Hash
    # whether that is the key burnt into a card, which it proves in every epoch
    is_certified: bool = False
    # what it claims, int8 operations per second and MB
    claimed_ops_per_second: U64
    memory_mb: U32
    agent_url: str
    last_heartbeat: U64 | None
    # GPU class and bounds in the registry; None while not entered
    device_class: U16 | None
    ops_per_second: U64 | None
    attested_until: U64 | None


class CardView(Body):
    """One of GET /v1/evidence/{hash}: report and PEM certificates in base64, nonce in hex."""

    arch: str
    certificate: str
    evidence: str
    nonce: str


class CommitView(Body):
    """GET /v1/commits?after=0: every signed commit with this oracle's verdict, for watchers."""

    id: int
    commit: CommitBody
    agent_url: str
    verdict: VerdictView | None


class WalkView(Body):
    """GET /v1/walks?after=0: every signed commit to a residency walk, with the verdict."""

    id: int
    walk: WalkBody
    agent_url: str
    verdict: VerdictView | None


class EpochView(Body):
    """One of GET /v1/epochs: a report that this oracle has rebuilt.

    Amounts are decimal strings, because a uint256 is more than JSON readers keep.
    """

    from_epoch: U64
    to_epoch: U64
    report_hash: Hash
    previous: Hash
    reward_root: Hash
    usage_root: Hash
    attestation_root: Hash
    cumulative_rewards: str
    data_hash: Hash
    rules_version: U32
    # block that its inputs were read at
    block_number: int
    block_hash: Hash


class EarnerView(Body):
    """Who got something of an epoch: kind 1, a provider by number, or 2, an account by address."""

    kind: int
    key: str
    amount: str


class SubnetLineView(Body):
    """A subnet's part of an epoch; 0 is the market at large, whose miners are devices."""

    subnet: int
    share: str
    owner: str
    miners: str
    validators: str
    oracles: str
    rest: str


class EpochSummaryView(Body):
    """GET /v1/epochs/{epoch}/summary: who got what of a report, in base units as text.

    `released`, of what is `scheduled` or was kept back, is the sum of all shares and of what was
    cut; `minted` is what of the shares is new, as the rest had come back from earlier epochs; `net`
    is that less what was `burnt_for_credits` in these epochs, and negative where that is more;
    `reclaimed`, a share's rest included, is by the reason code of EmissionsController: 1 no taker,
    2 withheld by a subnet's owner, 3 over the fee cap, 4 no fees, 5 no policy that kept it.
    """

    from_epoch: U64
    to_epoch: U64
    report_hash: Hash
    transaction: Hash
    scheduled: str
    released: str
    minted: str
    burnt_for_credits: str
    net: str
    subnets: list[SubnetLineView]
    earners: list[EarnerView]
    paid_to: int
    reclaimed: dict[int, str]

    @classmethod
    def of(cls, report_hash: bytes, transaction: bytes, found: EpochSummary) -> "EpochSummaryView":
        """The view of a summary."""
        return cls(
            from_epoch=found.from_epoch,
            to_epoch=found.to_epoch,
            report_hash=report_hash,
            transaction=transaction,
            scheduled=str(found.scheduled),
            released=str(found.released),
            minted=str(found.minted),
            burnt_for_credits=str(found.burnt_for_credits),
            net=str(found.net),
            subnets=[
                SubnetLineView(
                    subnet=line.subnet,
                    share=str(line.share),
                    owner=str(line.owner),
                    miners=str(line.miners),
                    validators=str(line.validators),
                    oracles=str(line.oracles),
                    rest=str(line.rest),
                )
                for line in found.subnets
            ],
            earners=[
                EarnerView(kind=int(one.kind), key=one.key, amount=str(one.amount))
                for one in found.earners
            ],
            paid_to=found.paid_to,
            reclaimed={reason: str(amount) for reason, amount in found.reclaimed.items()},
        )


class JobView(Body):
    """One of GET /v1/jobs: a job on chain beside what this oracle has heard of it."""

    job: U64
    provider: U24
    gpus: U16
    device_class: U16
    status: U8
    # cumulative GPU-seconds settled on chain
    settled: U40
    # cumulative GPU-seconds in the provider's newest usage sample; None for none
    reported: U40 | None
    # chain time in seconds, 0 before acceptance
    accepted_at: U64


class StatusView(Body):
    """GET /v1/status: the head of the chain and what the attestation asks for."""

    chain_id: int
    block: int
    # chain time in seconds
    timestamp: U64
    epoch: U64
    epoch_ends: U64
    beacon: Hash | None
    # contract name -> address
    contracts: dict[str, str]
    members: list[str]
    threshold: int
    # the chain that all devices compute; None: planned for what each one claims
    m: U32 | None = None
    n: U32 | None = None
    k: U32 | None = None
    rounds: U16 | None = None
    queries: int
    deadline_ms: int
    # what devices show, an epoch each in turn
    modes: list[str]


class StatementView(Body):
    """GET /v1/statements?after=0: every report signature this oracle has seen, for watchers."""

    id: int
    config: Hash
    consumer: Address
    subject: Hash
    round: U64
    payload: Hash
    oracle: Address
    signature: Signature


class CallView(Body):
    """A transaction that anyone may send."""

    to: str
    calldata: str


class ProofView(Body):
    """GET /v1/proofs/{kind}/{key}: what a claim needs, and the calldata ready to send.

    `receipts`: the packed receipts that a leaf of kind 5 or 6 stands for; their keccak is its
    `cumulative`. `before`: what has to be sent first, once for all leaves of a report.
    """

    kind: U8
    key: Hash
    cumulative: int
    receipts: Packed
    proof: list[Hash]
    root: Hash
    before: list[CallView]
    to: str
    calldata: str


class HealthView(Body):
    """GET /health: 200 when `ok`, else 503; `causes` say what is wrong and what to do."""

    ok: bool
    causes: list[str]
    chain_id: int
    block: int
    epoch: int
    oracle: str | None
    member: bool


# --- the provider's agent -----------------------------------------------------------------------


class LeafView(Body):
    """GET /v1/commits/{commit}/openings?round=&index= of an agent: one leaf and its path.

    `index` counts leaves: entry (i, j) lies in leaf (i * n + j) // 128.
    """

    round: U16
    index: U32
    leaf: Leaf
    path: list[Hash] = Field(max_length=32)


class JobUsageBody(Body):
    """POST /v1/jobs/{job}/usage of an agent's control interface, on the provider's own machine.

    `gpu_seconds` is cumulative over the life of the job. The agent signs it as `Usage`. A
    report that ends the job says what ran, and why it failed: the agent issues its receipt.
    """

    gpu_seconds: U40
    status: U8
    telemetry: dict[str, int | None] = Field(default_factory=dict, max_length=64)
    work: WorkBody | None = None
    fault: FaultBody | None = None


class JobUsageView(Body):
    """GET /v1/jobs/{job}/usage of an agent's control interface: the last usage it signed."""

    job: U64
    gpu_seconds: U40
    # 0 before the first report
    status: U8
    # messages not yet taken by every oracle
    undelivered: int


class VoucherBody(Body):
    """POST /v1/jobs/{job}/vouchers of an agent: its customer's word. Signed: `messages.Voucher`.

    The signature of a customer that is a contract (ERC-1271) may be longer than 65 bytes.
    """

    cumulative_gpu_seconds: U40
    status: U8
    signature: Annotated[bytes, *_Hex, Field(max_length=1_024)]


class TelemetryView(Body):
    """GET /v1/telemetry of an agent: its device, and how it is doing right now."""

    device: Hash
    provider: U24
    inventory: dict[str, str | int | bool | None]
    telemetry: dict[str, int | None]
