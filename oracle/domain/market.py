"""What the contracts say, unpacked: the facts that the service decides on."""

from dataclasses import dataclass

from oracle.domain.receipts import JobStatus

SECONDS_PER_HOUR = 3_600
NOBODY = "0x" + "0" * 40
# payees from here on are clusters of providers (contracts/modules/payees.vy)
FIRST_CLUSTER = 2**23


@dataclass(frozen=True, slots=True)
class Head:
    """The newest block an oracle has seen, and the epoch it is in."""

    number: int
    # chain time in seconds
    timestamp: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Committee:
    """Who may report, at one block."""

    config: bytes
    threshold: int
    # identities, in the committee's own order
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's keys that matter to an oracle."""

    owner: str
    # hot key: signs registrations, commits, heartbeats, usage
    operator: str
    jailed_until: int


@dataclass(frozen=True, slots=True)
class PayeeMember:
    """A provider behind a payee, and the GPUs it brings; a cluster's never change."""

    provider: int
    gpus: int


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """What a provider promises for a job; the terms of a number never change."""

    # bps of the GPU-seconds since acceptance, 0 for none
    uptime_bps: int
    # base units of the staked token that a job locks for each GPU
    collateral_per_gpu: int


@dataclass(frozen=True, slots=True)
class Job:
    """A job on the escrow."""

    job: int
    # payee: a provider, or a cluster of them
    provider: int
    gpus: int
    device_class: int
    status: int
    # base units of the job's asset for one GPU for one hour
    price_per_gpu_hour: int
    # base units paid in so far
    deposit: int
    # cumulative GPU-seconds settled on chain
    settled: int
    # chain time in seconds, 0 before acceptance
    accepted_at: int
    # service level, 0 for none
    sla: int = 0
    # token that pays
    asset: str = NOBODY

    @property
    def is_of_cluster(self) -> bool:
        """Whether its payee is a cluster."""
        return self.provider >= FIRST_CLUSTER

    @property
    def is_active(self) -> bool:
        """Whether a receipt can still change it: accepted, and neither closed nor cancelled."""
        return JobStatus.ACCEPTED <= self.status <= JobStatus.INFRASTRUCTURE

    @property
    def has_ended(self) -> bool:
        """Whether its final status is known."""
        return self.status >= JobStatus.COMPLETED

    @property
    def covered(self) -> int:
        """The most GPU-seconds that the deposit pays for."""
        return ((self.deposit + 1) * SECONDS_PER_HOUR - 1) // self.price_per_gpu_hour

    def is_ended_by(self, status: int) -> bool:
        """Whether a receipt with this status would give the job its final one."""
        return self.is_active and status >= JobStatus.COMPLETED and not self.has_ended

    def advances(self, cumulative_gpu_seconds: int, status: int) -> bool:
        """Whether the escrow would apply a receipt: more usage, or a first final status."""
        if not self.is_active:
            return False
        return self.is_ended_by(status) or min(cumulative_gpu_seconds, self.covered) > self.settled


@dataclass(frozen=True, slots=True)
class DeviceClass:
    """The floors of a class; the oracle picks the highest class whose floors hold."""

    device_class: int
    min_ops_per_second: int
    min_memory_mb: int


@dataclass(frozen=True, slots=True)
class Attestation:
    """A device's last attestation, also where its entry was taken out of the registry since."""

    provider: int
    device_class: int
    # chain time in seconds
    attested_until: int
    # whether it counts for its provider's capacity: nobody has expired it
    is_entered: bool


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """A device in the registry."""

    provider: int
    device_class: int
    ops_per_second: int
    memory_mb: int
    attested_until: int
    # struct hash of the last result
    result: bytes
