"""A fleet of machines on disk and the epoch that closes over it, as an oracle would do both.

Heartbeats lie in the oracle's own table, row for row what ingest stores, with random bytes for
digests and signatures: both were checked on arrival and nobody reads them again. Which job runs
on which machine, and who owns it, is what the chain would say.
"""

import random
import resource
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from oracle.adapters.store.database import Database
from oracle.adapters.store.store import Store
from oracle.domain.epochs import RULES, EpochInput, LiveDevice, close
from oracle.domain.hashing import keccak
from oracle.domain.leaves import Leaf, LeafKind
from oracle.domain.market import Job
from oracle.domain.merkle import LARGE, MerkleTree
from oracle.domain.messages import EpochReport
from oracle.domain.receipts import JobStatus, Receipt
from oracle.domain.settlement import outstanding, settled_by_provider
from oracle.domain.usage import believable, covered_seconds

# chain seconds between heartbeats, and for which one vouches
BEAT = 60
GRACE = 120
RULES_VERSION = 1
TELEMETRY = (
    '{"gpu_clock_mhz": 1980, "memory_used_mb": 71234, "power_mw": 612000, "utilisation": 97}'
)
# GPU-seconds of every job that the chain has settled before
SETTLED = 60
# bytes of a digest and a signature
NOISE = 32 + 65
# SQLite's cache while the file is filled, in KiB
FILL_CACHE = 1_500_000


@dataclass(frozen=True, slots=True)
class Fleet:
    """How many machines of how many providers, each heard of `beats` times in an epoch.

    One job runs on every machine, a minute of it settled before. Machines, jobs and providers
    are numbered from 1, a provider's machines one after the other. `members`: the committee.
    """

    machines: int
    providers: int
    beats: int
    epoch: int
    # chain time at which the epoch starts
    start: int
    # struct hash of the report before
    previous: bytes
    chain_id: int
    distributor: str
    ledger: str
    budget: int
    members: tuple[str, ...]

    @property
    def end(self) -> int:
        """Chain time at which the epoch ends."""
        return self.start + self.beats * BEAT

    def device(self, machine: int) -> bytes:
        """A machine's device id."""
        return keccak(b"machine" + machine.to_bytes(4, "big"))

    def provider(self, machine: int) -> int:
        """The owner of a machine."""
        return 1 + (machine - 1) * self.providers // self.machines

    def machines_of(self, provider: int) -> range:
        """The machines of one owner."""
        first, after = (
            -(-(p - 1) * self.machines // self.providers) + 1 for p in (provider, provider + 1)
        )
        return range(first, after)

    def sample(self, jobs: int, payees: int, dice: random.Random) -> tuple[list[int], list[int]]:
        """Jobs of the whole fleet, and payees that own none of those, both ascending."""
        chosen = sorted(dice.sample(range(1, self.providers + 1), payees))
        whole = {machine for payee in chosen for machine in self.machines_of(payee)}
        rest = [machine for machine in range(1, self.machines + 1) if machine not in whole]
        return sorted(dice.sample(rest, jobs)), chosen

    def jobs(self) -> dict[int, Job]:
        """The jobs as the escrow has them at the end of the epoch."""
        return {
            number: Job(
                job=number,
                provider=self.provider(number),
                gpus=1,
                device_class=1,
                status=JobStatus.RUNNING,
                price_per_gpu_hour=10**18,
                deposit=10**19,
                settled=SETTLED,
                accepted_at=self.start,
            )
            for number in range(1, self.machines + 1)
        }

    def devices(self) -> list[LiveDevice]:
        """The registry's live devices."""
        return [
            LiveDevice(self.device(machine), self.provider(machine), 10**15)
            for machine in range(1, self.machines + 1)
        ]


@dataclass(frozen=True, slots=True)
class Claim:
    """A leaf, the receipts it stands for, and its path."""

    leaf: Leaf
    receipts: bytes
    path: list[bytes]


@dataclass(frozen=True, slots=True)
class Closed:
    """The report, what was asked of it, and what it took."""

    report: EpochReport
    claims: list[Claim]
    receipts: int
    leaves: int
    file_bytes: int
    read_s: float
    aggregate_s: float
    tree_s: float
    proofs_s: float
    # processor time of the four
    cpu_s: float
    peak_mb: int


def fill(path: Path, fleet: Fleet) -> None:
    """Write the fleet's heartbeats, in the order in which they would arrive."""
    for old in path.parent.glob(path.name + "*"):
        old.unlink()
    Database(path).migrate().close()
    connection = sqlite3.connect(path)
    # a power cut costs this file, not anybody's heartbeats
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(f"PRAGMA cache_size = -{FILL_CACHE}")
    connection.executemany(
        "INSERT INTO heartbeats (device, seq, digest, timestamp, telemetry, signature,"
        " arrived_at, quarantined) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        _rows(fleet),
    )
    connection.commit()
    connection.close()


def _rows(fleet: Fleet) -> Iterator[tuple[object, ...]]:
    # in the order of the index, or filling it would take minutes
    devices = sorted(fleet.device(machine) for machine in range(1, fleet.machines + 1))
    dice = random.Random(fleet.machines)
    for seq in range(1, fleet.beats + 1):
        sent = fleet.start + (seq - 1) * BEAT
        noise = dice.randbytes(NOISE * fleet.machines)
        delays = dice.choices(range(BEAT), k=fleet.machines)
        for place, (device, delay) in enumerate(zip(devices, delays, strict=True)):
            start = NOISE * place
            digest = noise[start : start + 32]
            signature = noise[start + 32 : start + NOISE]
            yield device, seq, digest, sent, TELEMETRY, signature, sent + delay, False


def agree(
    fleet: Fleet, jobs: Mapping[int, Job], beats: Mapping[bytes, Sequence[int]]
) -> list[Receipt]:
    """What an oracle believes of every job whose provider says that it never paused."""
    elapsed = fleet.end - fleet.start
    receipts = []
    for job in jobs.values():
        heard = beats.get(fleet.device(job.job), ())
        covered = covered_seconds(heard, job.accepted_at, fleet.end, GRACE)
        seconds = believable(elapsed, job.gpus, elapsed, covered)
        receipts.append(Receipt(job.job, seconds, JobStatus.RUNNING))
    return receipts


def peak_mb() -> int:
    """The most memory that this process has held, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage counts the process that started this one
        return int(status.read_text().split("VmHWM:")[1].split()[0]) // 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20


def close_fleet(path: Path, fleet: Fleet, wanted: Iterable[tuple[LeafKind, bytes]]) -> Closed:
    """Close the epoch from what is on disk; `wanted` are the leaves to claim, by kind and key.

    Call it in a process of its own: the peak is the process's.
    """
    # an oracle has its kernels loaded when an epoch ends
    MerkleTree([keccak(number.to_bytes(4, "big")) for number in range(LARGE)])
    jobs, devices = fleet.jobs(), fleet.devices()
    store = Store(Database(path))

    started, processor = time.perf_counter(), time.process_time()
    beats = store.beats(since=fleet.start)
    read = time.perf_counter()
    receipts = agree(fleet, jobs, beats)
    del beats
    aggregated = time.perf_counter()
    leaves = close(
        EpochInput(
            chain_id=fleet.chain_id,
            distributor=fleet.distributor,
            ledger=fleet.ledger,
            from_epoch=fleet.epoch,
            to_epoch=fleet.epoch,
            budget=fleet.budget,
            rules=RULES[RULES_VERSION],
            devices=devices,
            usage=settled_by_provider(jobs.values()),
            receipts=outstanding(receipts, jobs),
            signatures=dict.fromkeys(fleet.members, 1),
        )
    )
    report = leaves.report(fleet.previous, rules_version=RULES_VERSION)
    built = time.perf_counter()
    trees = (
        (leaves.rewards, leaves.reward_tree),
        (leaves.usage_leaves, leaves.usage_tree),
        (leaves.attestations, leaves.attestation_tree),
    )
    # each is made and let go, as when somebody asks for it
    for _, tree in trees:
        for place in range(len(tree)):
            tree.proof(place)
    proved = time.perf_counter()
    cpu, peak = time.process_time() - processor, peak_mb()

    places = {
        (leaf.kind, leaf.key): (leaf, tree, place)
        for entries, tree in trees
        for place, leaf in enumerate(entries)
    }
    claims = []
    for owner in wanted:
        leaf, tree, place = places[owner]
        claims.append(Claim(leaf, leaves.packed.get(owner, b""), tree.proof(place)))
    return Closed(
        report=report,
        claims=claims,
        receipts=len(leaves.receipts),
        leaves=len(places),
        file_bytes=len(leaves.file),
        read_s=read - started,
        aggregate_s=aggregated - read,
        tree_s=built - aggregated,
        proofs_s=proved - built,
        cpu_s=cpu,
        peak_mb=peak,
    )
