"""What oracles tell each other, and the one arithmetic by which all of them reach one report.

A leader collects signed observations, derives the report from them with the functions below
and proposes both; a follower repeats the derivation and signs only if it gets the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from oracle.domain import messages
from oracle.domain.device_time import DeviceTimeProposal
from oracle.domain.hashing import keccak
from oracle.domain.market import DeviceClass
from oracle.domain.median import lower_median
from oracle.domain.receipts import Receipt
from oracle.errors import BadInput

# batches in one proposal: with the most signatures they just fit the default body limit
MAX_BATCHES = 48
# an observation of usage is about all jobs
ALL_JOBS = bytes(32)


@dataclass(frozen=True, slots=True, order=True)
class JobObservation:
    """What one oracle saw of one job; ordered by cumulative GPU-seconds, then status."""

    cumulative_gpu_seconds: int
    status: int
    job: int


@dataclass(frozen=True, slots=True)
class UsageObservation:
    """One oracle's signed view of all jobs in an epoch. `oracle` is its committee identity."""

    epoch: int
    jobs: tuple[JobObservation, ...]
    oracle: str
    signature: bytes

    def message(self, config: bytes) -> messages.Observation:
        """The struct that `signature` covers."""
        return usage_message(config, self.epoch, self.jobs)


@dataclass(frozen=True, slots=True)
class DeviceObservation:
    """One oracle's signed word that a device's commit held under its own queries."""

    device: bytes
    epoch: int
    # struct hash of the provider's Commit
    commit: bytes
    # lower bound of int8 operations per second
    ops_per_second: int
    elapsed_ms: int
    # hash of the entries it opened
    openings: bytes
    # hash of the evidence that proved its identity, zero for a device without
    evidence: bytes
    oracle: str
    signature: bytes

    def message(self, config: bytes) -> messages.Observation:
        """The struct that `signature` covers."""
        return device_message(
            config,
            self.device,
            self.epoch,
            self.commit,
            self.ops_per_second,
            self.elapsed_ms,
            self.openings,
            self.evidence,
        )


@dataclass(frozen=True, slots=True)
class UsageProposal:
    """A leader's batch, with the observations it was derived from."""

    epoch: int
    index: int
    observations: tuple[UsageObservation, ...]
    # packed, 16 bytes each (oracle.domain.receipts)
    receipts: bytes


@dataclass(frozen=True, slots=True)
class DeviceProposal:
    """A leader's choice of observations; the result follows from them."""

    device: bytes
    epoch: int
    observations: tuple[DeviceObservation, ...]


@dataclass(frozen=True, slots=True)
class BlameProposal:
    """Whom a leader blames for a cluster's job: a follower signs if it misses exactly them."""

    epoch: int
    job: int
    # bit i for member i of the cluster
    mask: int


@dataclass(frozen=True, slots=True)
class SignedBatch:
    """A batch with its quorum: JobEscrow.settle_batch takes it from anyone, at any time."""

    epoch: int
    index: int
    # packed, 16 bytes each
    receipts: bytes
    # as the contracts want them
    signatures: bytes


@dataclass(frozen=True, slots=True)
class EpochProposal:
    """A leader's report on epochs, by its hash: every follower rebuilds it alone.

    `batches` were left for the root: signed in these epochs, and nowhere else to be read.
    """

    from_epoch: int
    to_epoch: int
    report_hash: bytes
    batches: tuple[SignedBatch, ...] = ()


Proposal = UsageProposal | BlameProposal | DeviceProposal | DeviceTimeProposal | EpochProposal


def usage_message(
    config: bytes, epoch: int, jobs: Iterable[JobObservation]
) -> messages.Observation:
    """The struct an oracle signs about usage: its jobs in ascending order, 16 bytes each."""
    packed = b"".join(
        job.job.to_bytes(8, "big")
        + job.cumulative_gpu_seconds.to_bytes(7, "big")
        + job.status.to_bytes(1, "big")
        for job in sorted(jobs, key=lambda job: job.job)
    )
    return messages.Observation(config, ALL_JOBS, epoch, keccak(packed))


def device_message(
    config: bytes,
    device: bytes,
    epoch: int,
    commit: bytes,
    ops_per_second: int,
    elapsed_ms: int,
    openings: bytes,
    evidence: bytes,
) -> messages.Observation:
    """The struct an oracle signs about a device."""
    figures = ops_per_second.to_bytes(32, "big") + elapsed_ms.to_bytes(32, "big")
    content = keccak(commit + figures + openings + evidence)
    return messages.Observation(config, device, epoch, content)


def aggregate_usage(observations: Sequence[UsageObservation], threshold: int) -> dict[int, Receipt]:
    """The receipt of every job that follows from the observations, by job, ascending.

    The lower median over the oracles that saw the job, at least `threshold` of them.
    """
    by_job: dict[int, dict[str, JobObservation]] = defaultdict(dict)
    for observation in observations:
        for seen in observation.jobs:
            by_job[seen.job][observation.oracle] = seen
    receipts = {}
    for job, seen_by in sorted(by_job.items()):
        if len(seen_by) >= threshold:
            middle = lower_median(list(seen_by.values()))
            receipts[job] = Receipt(job, middle.cumulative_gpu_seconds, middle.status)
    return receipts


def best_class(
    classes: Iterable[DeviceClass], ops_per_second: int, memory_mb: int
) -> DeviceClass | None:
    """The class with the highest operations floor, then memory floor, that both figures reach."""
    return max(
        (
            candidate
            for candidate in classes
            if candidate.min_ops_per_second <= ops_per_second
            and candidate.min_memory_mb <= memory_mb
        ),
        key=lambda c: (c.min_ops_per_second, c.min_memory_mb, -c.device_class),
        default=None,
    )


def aggregate_device(
    proposal: DeviceProposal,
    provider: int,
    identity: bytes,
    memory_mb: int,
    classes: Iterable[DeviceClass],
) -> messages.Result:
    """The result that follows from the observations of one device.

    The lower median of the operations bound, with the elapsed time that goes with it; the best
    class (highest operations floor, then memory) whose floors hold. Raises `BadInput` for
    observations of different commits or evidence, or a device below every class.
    """
    observations = sorted(proposal.observations, key=lambda seen: int(seen.oracle, 16))
    if len({(seen.commit, seen.evidence) for seen in observations}) != 1:
        raise BadInput(
            "the observations are not of one commit and evidence", "Gather those that agree."
        )
    ops, slowness = lower_median([(o.ops_per_second, -o.elapsed_ms) for o in observations])
    best = best_class(classes, ops, memory_mb)
    if best is None:
        raise BadInput(
            f"{ops} operations/s and {memory_mb} MB are below every device class",
            "Attest again on an idle machine, or have a class with lower floors added.",
        )
    return messages.Result(
        provider=provider,
        device=proposal.device,
        identity=identity,
        device_class=best.device_class,
        ops_per_second=ops,
        memory_mb=memory_mb,
        elapsed_ms=-slowness,
        commit=observations[0].commit,
        openings=keccak(b"".join(seen.openings for seen in observations)),
        evidence=observations[0].evidence,
    )
