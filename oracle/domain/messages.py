"""Every message anybody signs, as EIP-712 structs (https://eips.ethereum.org/EIPS/eip-712).

One frozen dataclass per struct. Field names and order are those of the Solidity-style type
string; Python spells them in snake case. All fields are static, so a struct hash is one
keccak over 32-byte words.

The verifying contract of a message is the contract whose rule it feeds:

====================  =================
message               verifying contract
====================  =================
Report, Observation,
Proposal, KeyClaim    OracleCommittee
Voucher, Usage,
ExecutionReceipt      JobEscrow
Registration,
Heartbeat, Challenge,
Commit, WalkCommit,
Ack, Query, Open      DeviceRegistry
Offer                 OfferBook
====================  =================
"""

from dataclasses import dataclass, fields
from functools import cache
from typing import ClassVar

from oracle.domain.hashing import keccak

DOMAIN_NAME = "Clearwork"
DOMAIN_VERSION = "1"

_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"


@dataclass(frozen=True, slots=True)
class Domain:
    """An EIP-712 domain of Clearwork: a chain and the contract that will check the message."""

    chain_id: int
    verifying_contract: str

    @property
    def separator(self) -> bytes:
        """The 32-byte domain separator."""
        return _separator(self.chain_id, self.verifying_contract.lower())


@cache
def _separator(chain_id: int, verifying_contract: str) -> bytes:
    return keccak(
        keccak(_DOMAIN_TYPE.encode())
        + keccak(DOMAIN_NAME.encode())
        + keccak(DOMAIN_VERSION.encode())
        + chain_id.to_bytes(32, "big")
        + bytes.fromhex(verifying_contract.removeprefix("0x")).rjust(32, b"\0")
    )


@dataclass(frozen=True, slots=True)
class Message:
    """Base of all signed structs; `TYPE` is the EIP-712 type string."""

    TYPE: ClassVar[str]

    def struct_hash(self) -> bytes:
        """EIP-712 `hashStruct`. Raises `OverflowError` where a number does not fit its type."""
        type_hash, widths = _layout(self.TYPE)
        words = [
            _word(getattr(self, field.name), bits)
            for field, bits in zip(fields(self), widths, strict=True)
        ]
        return keccak(b"".join([type_hash, *words]))

    def digest(self, domain: Domain) -> bytes:
        """The 32 bytes that are signed."""
        return keccak(b"\x19\x01" + domain.separator + self.struct_hash())


@cache
def _layout(type_string: str) -> tuple[bytes, tuple[int, ...]]:
    """Type hash, and the width of each field in bits (0 for bytes32 and address)."""
    types = [part.split()[0] for part in type_string[type_string.index("(") + 1 : -1].split(",")]
    return keccak(type_string.encode()), tuple(map(_bits, types))


def _bits(solidity: str) -> int:
    if solidity == "bool":
        return 8
    return int(solidity.removeprefix("uint")) if solidity.startswith("uint") else 0


def _word(value: int | bytes | str, bits: int) -> bytes:
    if isinstance(value, int):
        return value.to_bytes(bits // 8, "big").rjust(32, b"\0")
    if isinstance(value, str):
        raw = bytes.fromhex(value.removeprefix("0x"))
        if len(raw) != 20:
            raise OverflowError(f"not an address: {value!r}")
        return raw.rjust(32, b"\0")
    if len(value) != 32:
        raise OverflowError(f"not 32 bytes: {value.hex()}")
    return value


# --- the committee's word ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Report(Message):
    """What committee members sign, whatever it is about; see IOracleCommittee.vyi."""

    TYPE = "Report(bytes32 config,address consumer,bytes32 subject,uint64 round,bytes32 payload)"
    config: bytes
    consumer: str
    subject: bytes
    round: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Observation(Message):
    """One oracle's own measurements, signed for its peers; `content` hashes the body."""

    TYPE = "Observation(bytes32 config,bytes32 subject,uint64 round,bytes32 content)"
    config: bytes
    subject: bytes
    round: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Proposal(Message):
    """A member asks its peers to sign what it proposes; `body` hashes the request."""

    TYPE = "Proposal(bytes32 body)"
    body: bytes


@dataclass(frozen=True, slots=True)
class KeyClaim(Message):
    """A new signing key agrees to speak for a committee member; the member then rotates to it."""

    TYPE = "KeyClaim(address member,address key)"
    member: str
    key: str


@dataclass(frozen=True, slots=True)
class Result(Message):
    """Payload of a report about a device; see IDeviceRegistry.vyi. Not signed on its own."""

    TYPE = (
        "Result(uint24 provider,bytes32 device,bytes32 identity,uint16 deviceClass,"
        "uint64 opsPerSecond,uint32 memoryMb,uint32 elapsedMs,bytes32 commit,"
        "bytes32 openings,bytes32 evidence)"
    )
    provider: int
    device: bytes
    identity: bytes
    device_class: int
    ops_per_second: int
    memory_mb: int
    elapsed_ms: int
    commit: bytes
    openings: bytes
    evidence: bytes


@dataclass(frozen=True, slots=True)
class EpochReport(Message):
    """Payload of a report about an epoch; see IEpochLedger.vyi. Not signed on its own."""

    TYPE = (
        "EpochReport(uint64 fromEpoch,uint64 toEpoch,bytes32 previous,bytes32 rewardRoot,"
        "bytes32 usageRoot,bytes32 attestationRoot,uint256 cumulativeRewards,"
        "bytes32 dataHash,uint32 rulesVersion)"
    )
    from_epoch: int
    to_epoch: int
    previous: bytes
    reward_root: bytes
    usage_root: bytes
    attestation_root: bytes
    cumulative_rewards: int
    data_hash: bytes
    rules_version: int


@dataclass(frozen=True, slots=True)
class DeviceTime(Message):
    """Payload of a report about live devices; see IDemandPolicy.vyi. Not signed on its own.

    `classes` hashes the list (`oracle.domain.demand.hash_classes`).
    """

    TYPE = "DeviceTime(uint64 epoch,bytes32 classes)"
    epoch: int
    classes: bytes


@dataclass(frozen=True, slots=True)
class Verdict(Message):
    """Payload of a report about an accusation; see ISlashingCourt.vyi. Not signed on its own."""

    TYPE = "Verdict(bytes32 caseId,bool guilty,uint96 loss)"
    case_id: bytes
    guilty: bool
    loss: int


# --- jobs ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Offer(Message):
    """The provider's word on GPUs for sale, as IOfferBook.vyi explains each field."""

    TYPE = (
        "Offer(uint24 provider,uint16 deviceClass,uint16 gpus,uint16 sla,uint32 minSeconds,"
        "uint32 maxSeconds,uint64 expiresAt,uint64 nonce,address asset,"
        "uint256 pricePerGpuHour,bytes32 terms)"
    )
    provider: int
    device_class: int
    gpus: int
    sla: int
    min_seconds: int
    max_seconds: int
    expires_at: int
    nonce: int
    asset: str
    price_per_gpu_hour: int
    terms: bytes


@dataclass(frozen=True, slots=True)
class Voucher(Message):
    """The customer's word that a job has used this much in all; pays at once."""

    TYPE = "Voucher(uint64 job,uint40 cumulativeGpuSeconds,uint8 status)"
    job: int
    cumulative_gpu_seconds: int
    status: int


@dataclass(frozen=True, slots=True)
class Usage(Message):
    """The operator key's word on one job; `telemetry` hashes what the meter saw."""

    TYPE = (
        "Usage(uint64 job,uint64 seq,uint64 timestamp,uint40 cumulativeGpuSeconds,"
        "uint8 status,bytes32 telemetry)"
    )
    job: int
    seq: int
    timestamp: int
    cumulative_gpu_seconds: int
    status: int
    telemetry: bytes


@dataclass(frozen=True, slots=True)
class ExecutionReceipt(Message):
    """A document about a job (oracle/domain/execution.py), whoever signs it: provider,
    customer, oracle. `document` is the keccak of its canonical form."""

    TYPE = "ExecutionReceipt(uint64 job,uint40 cumulativeGpuSeconds,uint8 status,bytes32 document)"
    job: int
    cumulative_gpu_seconds: int
    status: int
    document: bytes


# --- devices ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Registration(Message):
    """An operator key presents a device to an oracle: identity, what it claims, inventory hash.

    The claim decides how much it is asked to compute, and nothing else.
    """

    TYPE = (
        "Registration(uint24 provider,bytes32 identity,uint64 opsPerSecond,uint32 memoryMb,"
        "bytes32 inventory)"
    )
    provider: int
    identity: bytes
    ops_per_second: int
    memory_mb: int
    inventory: bytes


@dataclass(frozen=True, slots=True)
class Heartbeat(Message):
    """A device is alive; `telemetry` hashes utilisation, power and memory readings."""

    TYPE = "Heartbeat(bytes32 device,uint64 seq,uint64 timestamp,bytes32 telemetry)"
    device: bytes
    seq: int
    timestamp: int
    telemetry: bytes


@dataclass(frozen=True, slots=True)
class Challenge(Message):
    """An oracle's word on what a device has to compute, and how it will be questioned.

    m, n, k and rounds are those of a chain; in residency mode entries, lanes, steps and depth
    of a walk. `secret_hash` is the keccak of the secret that the `Query` reveals, `deadline_ms`
    runs from the epoch's beacon.
    """

    TYPE = (
        "Challenge(uint24 provider,bytes32 device,uint64 epoch,bytes32 seed,uint8 mode,uint64 m,"
        "uint32 n,uint32 k,uint16 rounds,uint16 queries,uint32 deadlineMs,bytes32 secretHash)"
    )
    provider: int
    device: bytes
    epoch: int
    seed: bytes
    mode: int
    m: int
    n: int
    k: int
    rounds: int
    queries: int
    deadline_ms: int
    secret_hash: bytes


@dataclass(frozen=True, slots=True)
class Commit(Message):
    """The prover's word on one chain of products; a false entry under it convicts."""

    TYPE = (
        "Commit(uint24 provider,bytes32 device,uint64 epoch,bytes32 seed,uint32 m,uint32 n,"
        "uint32 k,uint16 rounds,bytes32 finalSeed)"
    )
    provider: int
    device: bytes
    epoch: int
    seed: bytes
    m: int
    n: int
    k: int
    rounds: int
    final_seed: bytes


@dataclass(frozen=True, slots=True)
class WalkCommit(Message):
    """The prover's word on one residency walk: `root` is that of the tree over the lanes' ends.

    A struct of its own, so that it can never be taken for a chain's.
    """

    TYPE = (
        "WalkCommit(uint24 provider,bytes32 device,uint64 epoch,bytes32 seed,uint64 entries,"
        "uint32 lanes,uint32 steps,uint16 depth,bytes32 root)"
    )
    provider: int
    device: bytes
    epoch: int
    seed: bytes
    entries: int
    lanes: int
    steps: int
    depth: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Ack(Message):
    """An oracle's receipt for a commit, by its struct hash: when it arrived, from the beacon on."""

    TYPE = "Ack(bytes32 commit,uint32 elapsedMs)"
    commit: bytes
    elapsed_ms: int


@dataclass(frozen=True, slots=True)
class Query(Message):
    """The oracle's secret, released after the Ack: what is opened is drawn from it."""

    TYPE = "Query(bytes32 commit,bytes32 secret)"
    commit: bytes
    secret: bytes


@dataclass(frozen=True, slots=True)
class Open(Message):
    """The prover's word that this is its answer to a Query; a wrong one counts against it.

    `secret_hash` is the challenge's, `openings` hashes the whole answer (`answer_hash`),
    `evidence` is that of the card (`Evidence.hash`), zero for a device without.
    """

    TYPE = "Open(bytes32 commit,bytes32 secretHash,bytes32 openings,bytes32 evidence)"
    commit: bytes
    secret_hash: bytes
    openings: bytes
    evidence: bytes = bytes(32)
