"""The contracts as an oracle reads them: one method per fact, answers kept for one block."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, replace
from typing import Any, TypeVar

from oracle.adapters.chain.client import BATCH_SIZE, Block, Chain
from oracle.domain.hashing import keccak
from oracle.domain.market import (
    FIRST_CLUSTER,
    NOBODY,
    Attestation,
    Committee,
    DeviceClass,
    DeviceEntry,
    Head,
    Job,
    PayeeMember,
    Provider,
    ServiceLevel,
)
from oracle.domain.messages import Domain, Offer
from oracle.domain.offers import SignedOffer
from oracle.domain.proposals import SignedBatch
from oracle.errors import ClearworkError, Conflict, NotFound

T = TypeVar("T")
# a contract, a function of it and its arguments
View = tuple[Any, ...]

REGISTRY = "DeviceRegistry"
# what happens to its entries: attested or renewed, taken out after its time, struck
ATTESTED, EXPIRED, REVOKED = "DeviceAttested", "DeviceExpired", "DeviceRevoked"

# the supply policy `demand`, which not every market has
POLICY = "DemandPolicy"

# how many of the newest blocks a reorganisation may replace
REORGANISED_BLOCKS = 100


class Market:
    """Facts at the newest block that `follow` has seen.

    What is asked twice within one block is read once, so that a thousand heartbeats of one
    provider cost one call. What was asked first at the last head is asked again at the next, so
    the first question there reads it in one request. Reads take no lock across the network.
    """

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self._genesis = int(chain.read("EpochLedger", "GENESIS"))
        self.epoch_length = int(chain.read("EpochLedger", "EPOCH_LENGTH"))
        self._lock = threading.Lock()
        self._facts: dict[tuple[Any, ...], Any] = {}
        # calls of views that were asked for at this head, and those that are likely to be
        self._asked: dict[View, None] = {}
        self._likely: list[View] = []
        self._classes: dict[int, DeviceClass] = {}
        self._service_levels: dict[int, ServiceLevel] = {}
        self._running: set[int] = set()
        self._attestations: dict[bytes, Attestation] = {}
        # first block to search for accepted jobs, and for changes of devices
        self._unsearched = self._unsearched_devices = chain.deployment.first_block
        self._block = chain.head()

    # --- time ---------------------------------------------------------------------------------

    def follow(self) -> Head:
        """Look at the chain; forgets everything read before if it moved."""
        block = self.chain.head()
        with self._lock:
            if block.hash != self._block.hash:
                self._block = block
                self._facts = {}
                self._likely, self._asked = list(self._asked)[: BATCH_SIZE - 1], {}
        return self.head

    @property
    def head(self) -> Head:
        """The newest block seen, without asking again."""
        block = self._block
        return Head(block.number, block.timestamp, self.epoch_at(block.timestamp))

    def epoch_at(self, timestamp: int) -> int:
        """The epoch that a chain time is in; 0 before the first."""
        return max(0, timestamp - self._genesis) // self.epoch_length

    def start_of(self, epoch: int) -> int:
        """Chain time at which an epoch starts."""
        return self._genesis + epoch * self.epoch_length

    def _at_head(self, read: Callable[[], T], *key: Any) -> T:
        facts = self._facts
        if key not in facts:
            facts[key] = read()
        found: T = facts[key]
        return found

    def _read(self, *view: Any) -> Any:
        """What a view answers: contract, function and its arguments."""
        facts = self._facts
        self._asked[view] = None
        if view not in facts:
            facts.update(self._read_with_likely(view))
        return facts[view]

    def _read_with_likely(self, view: View) -> dict[View, Any]:
        likely, self._likely = self._likely, []
        views = list(dict.fromkeys([view, *likely]))
        if len(views) > 1:
            # one that has no answer any more spoils them all
            with suppress(ClearworkError):
                return dict(zip(views, self.chain.read_all(views, None), strict=True))
        contract, function, *args = view
        return {view: self.chain.read(contract, function, *args)}

    def finalized(self) -> Block:
        """The latest block that the chain calls final, as it was at this head."""
        return self._at_head(self.chain.finalized, "finalized")

    # --- committee and ledger -----------------------------------------------------------------

    def domain(self, contract: str) -> Domain:
        """The EIP-712 domain of a contract."""
        return Domain(self.chain.chain_id, self.chain.deployment.address(contract))

    def committee(self) -> Committee:
        """Who may report now."""
        return Committee(
            config=bytes(self._read("OracleCommittee", "config_digest")),
            threshold=int(self._read("OracleCommittee", "threshold")),
            members=tuple(self._read("OracleCommittee", "members")),
        )

    def member_of_key(self, key: str) -> str | None:
        """The committee identity a signing key speaks for now."""
        member = str(self._read("OracleCommittee", "member_of_key", key))
        return None if member == NOBODY else member

    def counts(self, member: str) -> bool:
        """Whether a member is bonded and not convicted, so that its signatures count."""
        return bool(self._read("OracleCommittee", "counts", member))

    def rules_version(self) -> int:
        """The rules that the committee works by."""
        return int(self._read("OracleCommittee", "rules_version"))

    def beacon(self, epoch: int) -> bytes | None:
        """The epoch's randomness, None while nobody has recorded it."""
        found = bytes(self._read("EpochLedger", "beacon", epoch))
        return found if any(found) else None

    def beacon_time(self, epoch: int) -> int:
        """Chain time of the block that recorded the epoch's beacon."""
        # one block is at least one second, so the epoch can't reach further back
        first = max(0, self._block.number - self.epoch_length)
        # the beacon may have come in a block after the one that `follow` saw
        for log in self.chain.logs("EpochLedger", "BeaconRecorded", first, epoch=epoch):
            return self.chain.block(log["blockNumber"]).timestamp
        return self.start_of(epoch)

    # --- providers, devices, jobs -------------------------------------------------------------

    def provider(self, provider: int) -> Provider:
        """A provider's keys; raises `NotFound` for one that never registered."""
        info = self._read("ProviderRegistry", "provider_info", provider)
        jailed_until = self._read("ProviderStaking", "jailed_until", provider)
        found = Provider(info.owner, info.operator, jailed_until)
        if found.owner == NOBODY:
            raise NotFound(
                f"there is no provider {provider}", "Register it with ProviderRegistry.register."
            )
        return found

    def members(self, payee: int) -> tuple[int, ...]:
        """The providers behind a payee: itself, or all of a cluster in the order of its places."""
        if payee < FIRST_CLUSTER:
            return (payee,)
        return tuple(member.provider for member in self.cluster(payee))

    def cluster(self, payee: int) -> tuple[PayeeMember, ...]:
        """The members of a cluster, in the order of their places."""
        members = self._read("ClusterRegistry", "members_of", payee)
        return tuple(PayeeMember(member.provider, member.gpus) for member in members)

    def speaker(self, payee: int) -> Provider:
        """The provider whose keys sign for a payee: itself, or a cluster's lead."""
        if payee < FIRST_CLUSTER:
            return self.provider(payee)
        _, _, lead, _ = self._read("ClusterRegistry", "cluster_info", payee)
        return self.provider(lead)

    def device(self, device: bytes) -> DeviceEntry | None:
        """A device's entry in the registry, None where it was never entered."""
        return self._at_head(lambda: self.device_at(device, None), "device", device)

    def device_at(self, device: bytes, block: Block | None) -> DeviceEntry | None:
        """The same at a block."""
        return _entry(self.chain.read(REGISTRY, "device_info", device, block=block))

    def devices_at(self, devices: Sequence[bytes], block: Block) -> list[DeviceEntry | None]:
        """The same of many, in their order."""
        calls = [(REGISTRY, "device_info", device) for device in devices]
        return [_entry(info) for info in self.chain.read_all(calls, block)]

    def attestations(self) -> Mapping[bytes, Attestation]:
        """The last attestation of every device, but of those that were struck since."""
        return self._at_head(self._read_attestations, "attestations")

    def _read_attestations(self) -> dict[bytes, Attestation]:
        last, found = self._block.number, self._attestations
        for event, log in self.chain.logs_of(
            REGISTRY, (ATTESTED, EXPIRED, REVOKED), self._unsearched_devices, last
        ):
            args = log["args"]
            device = bytes(args["device"])
            if event == ATTESTED:
                found[device] = Attestation(
                    args["provider"], args["device_class"], args["attested_until"], is_entered=True
                )
            elif event == REVOKED:
                found.pop(device, None)
            # blocks are read twice, and what was struck later is not there the second time
            elif device in found:
                found[device] = replace(found[device], is_entered=False)
        # a reorganisation may bring back what the newest blocks have lost
        self._unsearched_devices = max(self._unsearched_devices, last - REORGANISED_BLOCKS)
        return dict(found)

    def lapsed(self) -> Mapping[bytes, Attestation]:
        """Devices whose attestation has run out, and that their provider can still sell."""
        return self._at_head(self._find_lapsed, "lapsed")

    def _find_lapsed(self) -> dict[bytes, Attestation]:
        now = self.head.timestamp
        return {
            device: one
            for device, one in self.attestations().items()
            if one.is_entered and one.attested_until <= now
        }

    def attestation_epoch(self, device: bytes) -> int | None:
        """The epoch of a device's last recorded result, None where it was never entered."""
        if self.device(device) is None:
            return None
        return int(self._read(REGISTRY, "attestation_epoch", device))

    def classes(self) -> list[DeviceClass]:
        """All device classes; terms of a class never change, so each is read once."""
        count = int(self._read(REGISTRY, "class_count"))
        now = self.head.timestamp
        for number in range(1, count + 1):
            if number not in self._classes:
                if now < int(self._read(REGISTRY, "class_usable_from", number)):
                    continue
                info = self._read(REGISTRY, "class_info", number)
                self._classes[number] = DeviceClass(
                    number, info.min_ops_per_second, info.min_memory_mb
                )
        return [self._classes[number] for number in sorted(self._classes)]

    def job(self, job: int) -> Job:
        """A job; raises `NotFound` for a number never given."""
        found: Job = self._at_head(lambda: self.job_at(job, None), "job", job)
        return found

    def job_at(self, job: int, block: Block | None) -> Job:
        """The same at a block."""
        info = self.chain.read("JobRegistry", "job_info", job, block=block)
        if info.customer == NOBODY:
            raise NotFound(f"there is no job {job}", "Open one with JobEscrow.open_job.")
        return _job(job, info)

    def running_jobs(self) -> list[Job]:
        """All jobs that were accepted and are not over, ascending."""
        return self._at_head(self._read_running_jobs, "running jobs")

    def _read_running_jobs(self) -> list[Job]:
        last = self._block.number
        for log in self.chain.logs("JobRegistry", "JobAccepted", self._unsearched, last):
            self._running.add(int(log["args"]["job"]))
        # a reorganisation may bring back what the newest blocks have lost
        self._unsearched = max(self._unsearched, last - REORGANISED_BLOCKS)
        jobs = [job for job in self._jobs(sorted(self._running), None) if job.is_active]
        self._running = {job.job for job in jobs}
        self._facts.update({("job", job.job): job for job in jobs})
        return jobs

    def _jobs(self, numbers: Sequence[int], block: Block | None) -> Iterator[Job]:
        """Those of the jobs that exist."""
        calls = [("JobRegistry", "job_info", number) for number in numbers]
        for number, info in zip(numbers, self.chain.read_all(calls, block), strict=True):
            if info.customer != NOBODY:
                yield _job(number, info)

    def service_level(self, sla: int) -> ServiceLevel:
        """The terms of a service level; they never change, so each is read once."""
        if sla not in self._service_levels:
            terms = self.chain.read("ServiceBonds", "sla_terms", sla)
            self._service_levels[sla] = ServiceLevel(terms.uptime_bps, terms.collateral_per_gpu)
        return self._service_levels[sla]

    def is_blamed(self, job: int, block: Block | None = None) -> bool:
        """Whether the committee's word on who failed a cluster's job is on chain."""
        return bool(self.chain.read("ServiceBonds", "blamed", job, block=block))

    def job_count(self) -> int:
        """Number of the newest job; the first is 1."""
        return int(self._read("JobEscrow", "job_count"))

    def takes(self, batch: SignedBatch) -> bool:
        """Whether the escrow would take a batch for the committee's word."""
        subject = batch.index.to_bytes(32, "big")
        try:
            self.chain.read(
                "OracleCommittee",
                "verify",
                subject,
                batch.epoch,
                keccak(batch.receipts),
                batch.signatures,
                caller=self.chain.deployment.address("JobEscrow"),
            )
        except Conflict:
            return False
        return True

    # --- offers -------------------------------------------------------------------------------

    def offered_gpus(self, offer: Offer) -> int:
        """GPUs of an offer that nobody has taken; 0 where it is revoked or has expired."""
        return int(self._read("OfferBook", "available", astuple(offer)))

    def is_signed(self, signed: SignedOffer) -> bool:
        """Whether an offer's signer speaks for its provider, and has signed it."""
        return bool(
            self.chain.read(
                "OfferBook", "is_signed", astuple(signed.offer), signed.signer, signed.signature
            )
        )

    def attested_gpus(self, provider: int, device_class: int) -> int:
        """Live devices of a provider in a class."""
        entered = int(self._read(REGISTRY, "capacity", provider, device_class))
        lapsed = sum(
            (one.provider, one.device_class) == (provider, device_class)
            for one in self.lapsed().values()
        )
        return max(0, entered - lapsed)

    def sellable_gpus(self, provider: int, device_class: int, sla: int) -> int:
        """Those of them that `ServiceBonds` would bind to one more job: no other job has them,
        and the provider is not jailed, owes no customer, has the stake that its devices need and
        the service level's collateral in free self-bond."""
        committed = int(self._read("ServiceBonds", "committed_gpus", provider, device_class))
        free = max(0, self.attested_gpus(provider, device_class) - committed)
        if not free or self._read("ProviderStaking", "is_jailed", provider):
            return 0
        if self._read("ServiceBonds", "debt_of", provider):
            return 0
        needed = self._read(REGISTRY, "required_stake", provider)
        if self._read("ProviderStaking", "slashable", provider) < needed:
            return 0
        per_gpu = self.service_level(sla).collateral_per_gpu
        if not per_gpu:
            return free
        return min(free, int(self._read("ProviderStaking", "free_self_bond", provider)) // per_gpu)

    def is_listed(self, asset: str) -> bool:
        """Whether the escrow takes deposits of a token."""
        return bool(self._read("JobEscrow", "market_of", asset, 0))

    def sla_count(self) -> int:
        """Number of the newest service level; the first is 1, and 0 promises nothing."""
        return int(self._read("ServiceBonds", "sla_count"))

    # --- epochs -------------------------------------------------------------------------------

    def active_epoch(self) -> int | None:
        """The last epoch of the report whose rewards can be claimed, None while there is none."""
        epoch, is_active = self._read("EpochLedger", "active_epoch")
        return int(epoch) if is_active else None

    def active_root(self) -> bytes:
        """The reward root of that report, zero while there is none."""
        root, _ = self._read("EpochLedger", "active_rewards")
        return bytes(root)

    def reclaimable(self, block: Block | None) -> int:
        """Base units of the work token that no leaf of the active report took."""
        active, is_active = self.chain.read("EpochLedger", "active_epoch", block=block)
        if not is_active:
            return 0
        _, rewards = self.chain.read("EpochLedger", "active_rewards", block=block)
        read = self.chain.read
        granted = read("EmissionsController", "cumulative_budget", active, block=block)
        return int(granted - rewards - read("EmissionsController", "reclaimed", block=block))

    def has_demand_policy(self) -> bool:
        """Whether the deployment has a policy `demand`, and it is in office."""
        addresses = self.chain.deployment.addresses
        return POLICY in addresses and (
            self._read("EmissionsController", "role_holder", keccak(b"POLICY")) == addresses[POLICY]
        )

    def first_payable_epoch(self) -> int:
        """The first epoch whose device time the policy would still pay for."""
        released = int(self._read(POLICY, "next_epoch"))
        # a policy that has just come into office releases no epoch that was pressed before
        pressed = int(self._read("EmissionsController", "next_epoch"))
        return max(0, max(released, pressed) - int(self._read(POLICY, "WAIT_EPOCHS")))

    def has_device_time(self, epoch: int, block: Block | None = None) -> bool:
        """Whether the policy has the figures of an epoch."""
        return any(self.chain.read(POLICY, "posted", epoch, block=block))

    def has_outcome(self, subnet: int, epoch: int, block: Block | None = None) -> bool:
        """Whether the registry has adopted a subnet's outcome of this epoch or a newer one."""
        adopted, exists = self.chain.read("SubnetRegistry", "outcome_epoch", subnet, block=block)
        return bool(exists and adopted >= epoch)

    def jobs(self, block: Block) -> Mapping[int, Job]:
        """All jobs at a block, by number."""
        count = int(self.chain.read("JobEscrow", "job_count", block=block))
        return {job.job: job for job in self._jobs(range(1, count + 1), block)}


def _entry(info: Any) -> DeviceEntry | None:
    if not info.attested_until:
        return None
    return DeviceEntry(
        provider=info.provider,
        device_class=info.device_class,
        ops_per_second=info.ops_per_second,
        memory_mb=info.memory_mb,
        attested_until=info.attested_until,
        result=bytes(info.result),
    )


def _job(job: int, info: Any) -> Job:
    return Job(
        job=job,
        provider=info.provider,
        gpus=info.gpus,
        device_class=info.device_class,
        status=info.status,
        price_per_gpu_hour=info.price_per_gpu_hour,
        deposit=info.deposit,
        settled=info.settled,
        accepted_at=info.accepted_at,
        sla=info.sla,
        asset=info.asset,
    )
