"""One oracle: every part wired to its neighbours, and the two background loops."""

import os
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import URL

from oracle.adapters.chain.client import Chain
from oracle.adapters.chain.deployment import Deployment
from oracle.adapters.chain.history import History
from oracle.adapters.chain.market import Market
from oracle.adapters.chain.sender import WEI_PER_GWEI, Sender
from oracle.adapters.chain.subnets import Subnets
from oracle.adapters.clock import Clock
from oracle.adapters.gpu.backend import Backend
from oracle.adapters.gpu.numpy_backend import NumpyBackend
from oracle.adapters.peers import Peer
from oracle.adapters.signer import Signer
from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.adapters.store.database import Database
from oracle.adapters.store.leaf_files import LeafFiles
from oracle.adapters.store.store import Store
from oracle.adapters.workers import Processors, Workers
from oracle.domain.admission import Admission
from oracle.domain.attestation import Dims, Mode
from oracle.domain.renewal import RenewalRules
from oracle.domain.settlement import Settlement
from oracle.errors import Misconfigured
from oracle.services.attest import Attest, AttestationRules
from oracle.services.blame import Blame
from oracle.services.close_epoch import CloseEpoch
from oracle.services.device_time import DeviceTimes
from oracle.services.execution import Execution
from oracle.services.ingest import Ingest
from oracle.services.membership import Member
from oracle.services.offers import Offers
from oracle.services.quorum import Quorum
from oracle.services.record import Record
from oracle.services.rounds import RoundRules, Rounds
from oracle.services.settle import Settle, SettlementRules
from oracle.services.snapshot import Snapshots
from oracle.services.submit import Outbox
from oracle.services.uptime import Uptime, UsageRules
from oracle.services.verification import VERIFICATION
from oracle.settings import Settings, WorkerSettings

log = structlog.get_logger()

# seconds a loop gets to finish its step on shutdown
STOP_TIMEOUT = 15


class Node:
    """One operator's oracle. `start` and `stop` its loops; the routes call its services."""

    def __init__(
        self,
        settings: Settings,
        chain: Chain,
        signer: Signer | None,
        backend: Backend[Any, Any] | None = None,
    ) -> None:
        self.settings = settings
        self.chain = chain
        self.clock = Clock()
        self.database = Database(settings.database).migrate()
        self.store = Store(self.database)
        self.store.claim(
            {
                "chain": str(chain.chain_id),
                "registry": chain.deployment.address("DeviceRegistry"),
                "committee": chain.deployment.address("OracleCommittee"),
            }
        )
        self.market = Market(chain)
        self.member = Member(self.store, self.market, signer)
        self.peers = [Peer(url) for url in settings.peers]
        self.quorum = Quorum(self.market, self.member, self.peers)
        cap = settings.max_fee_gwei * WEI_PER_GWEI
        self.outbox = Outbox(
            self.store, self.market, Sender(chain, signer, cap) if signer else None
        )
        self.workers = open_processors(settings)
        admission = Admission(settings.slice_classes, settings.certified_classes)
        self.ingest = Ingest(self.store, self.market, admission)
        self.offers = Offers(self.store, self.market)
        self.attest = Attest(
            self.store,
            self.market,
            self.clock,
            NumpyBackend() if backend is None else backend,
            _attestation_rules(settings),
            self.member,
            self.workers,
        )
        shared = (self.store, self.market, self.member, self.peers, self.quorum, self.outbox)
        renewal = RenewalRules(
            settings.renewal_epochs * self.market.epoch_length, settings.renewal_change_bps
        )
        self.record = Record(*shared, self.attest, renewal, admission)
        usage_rules = UsageRules(
            settings.usage_lag, settings.heartbeat_grace, settings.uptime_after
        )
        uptime = Uptime(self.store, self.market, usage_rules)
        self.blame = Blame(
            self.store,
            self.market,
            self.member,
            self.quorum,
            self.outbox,
            uptime,
            patience=settings.uptime_after,
        )
        self.settle = Settle(*shared, uptime, self.blame, usage_rules, _settlement_rules(settings))
        history = History(chain, self.market)
        self.execution = Execution(
            self.store, self.market, history, self.member, self.settle, usage_rules
        )
        self.close_epoch = CloseEpoch(
            self.store,
            self.market,
            history,
            Snapshots(self.market, history, Subnets(chain)),
            self.member,
            self.peers,
            self.quorum,
            self.outbox,
            LeafFiles(leaf_directory(settings)),
        )
        self.device_times = DeviceTimes(
            self.store,
            self.market,
            history,
            self.member,
            self.peers,
            self.quorum,
            self.outbox,
            usage_rules.grace,
        )
        self.rounds = Rounds(
            self.store,
            self.market,
            self.member,
            self.outbox,
            self.attest,
            self.record,
            self.settle,
            self.close_epoch,
            self.device_times,
            self.execution,
            RoundRules(settings.poll_interval, settings.round_interval, settings.leader_delay),
        )
        self._stop = threading.Event()
        self._loops: list[threading.Thread] = []

    @classmethod
    def open(cls, settings: Settings) -> "Node":
        """The node that the settings describe; raises `Misconfigured` for what can't run."""
        chain = Chain(settings.rpc_urls, Deployment.load(settings.deployment)).connect()
        return cls(settings, chain, open_signer(settings))

    def start(self) -> None:
        """Start following the chain and working."""
        for loop in (self.rounds.watch, self.rounds.work):
            thread = threading.Thread(target=loop, args=(self._stop,), name=loop.__name__)
            thread.start()
            self._loops.append(thread)
        mode = "dry" if self.member.is_dry else "signing"
        log.info("oracle started", mode=mode, chain_id=self.chain.chain_id)

    def stop(self) -> None:
        """Let both loops finish their step, then close everything."""
        self._stop.set()
        for thread in self._loops:
            thread.join(STOP_TIMEOUT)
        self.workers.close()
        for peer in self.peers:
            peer.close()
        self.database.close()
        log.info("oracle stopped")

    def causes(self) -> list[str]:
        """Why this oracle is not healthy, one line each."""
        dead = [
            f"{thread.name}: the loop has ended; restart the oracle and read its log"
            for thread in self._loops
            if not thread.is_alive()
        ]
        return self.rounds.causes.all() + dead


def open_signer(settings: Settings) -> Signer | None:
    """The key that the settings name, None to run dry."""
    if settings.keystore is None:
        return None
    if settings.password_file is None:
        raise Misconfigured(
            "there is a keystore but no password file", "Set CLEARWORK_PASSWORD_FILE."
        )
    return KeystoreSigner.load(settings.keystore, settings.password_file)


def open_processors(settings: Settings) -> Processors:
    """Where openings are checked: by processes here, or by tasks for workers anywhere."""
    if not settings.verify_tasks:
        return Workers(process_count(settings), settings.verify_queue)
    tasks: Processors = _tasks().Tasks(task_database(settings), VERIFICATION, settings.verify_queue)
    return tasks


async def work(settings: WorkerSettings) -> None:
    """Check what oracles leave in the settings' database until SIGINT or SIGTERM."""
    processes = process_count(settings)
    concurrency = max(1, processes)
    workers = Workers(processes, concurrency)
    try:
        await _tasks().serve(task_database(settings), VERIFICATION, concurrency, workers)
    finally:
        workers.close()


def process_count(settings: WorkerSettings) -> int:
    """How many processes check openings."""
    return _cores() if settings.verify_workers is None else settings.verify_workers


def _cores() -> int:
    """Processors that this process may use, which a container or `taskset` limits."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS


def task_database(settings: WorkerSettings) -> URL:
    """The database that tasks are in; raises `Misconfigured` for a file."""
    if isinstance(settings.database, URL):
        return settings.database
    raise Misconfigured(
        f"{settings.database} is a file, and other hosts can't take tasks from it",
        "Set CLEARWORK_DATABASE to postgresql://user@host:port/database.",
    )


def _tasks() -> Any:
    # optional: an oracle with a file has no use for it
    try:
        return import_module("oracle.adapters.tasks")
    except ModuleNotFoundError as error:
        raise Misconfigured(
            "what tasks need is not installed", "Run `pip install clearwork[postgres]`."
        ) from error


def leaf_directory(settings: Settings) -> Path:
    """Where the leaf files lie: beside the database's file, unless the settings say otherwise."""
    if settings.leaf_files is not None:
        return settings.leaf_files
    if isinstance(settings.database, Path):
        return settings.database.with_name(settings.database.stem + "-leaves")
    raise Misconfigured(
        "PostgreSQL holds the database, and nothing says where the leaf files go",
        "Set CLEARWORK_LEAF_FILES to a directory.",
    )


def _settlement_rules(settings: Settings) -> SettlementRules:
    return SettlementRules(
        way=Settlement(settings.settlement),
        # a job comes again when its usage is old enough and the next round is due
        interval=max(settings.round_interval, settings.usage_lag),
        wei_per_gpu_hour=settings.gpu_hour_gwei * WEI_PER_GWEI,
    )


def _attestation_rules(settings: Settings) -> AttestationRules:
    shape = (
        settings.attestation_m,
        settings.attestation_n,
        settings.attestation_k,
        settings.attestation_rounds,
    )
    numbers = [number for number in shape if number is not None]
    if len(numbers) not in (0, len(shape)):
        raise Misconfigured(
            "some of the attestation's dimensions are set, and some are not",
            "Set all of CLEARWORK_ATTESTATION_M, _N, _K and _ROUNDS, or none to have them planned.",
        )
    return AttestationRules(
        fixed=Dims(*numbers) if numbers else None,
        queries=settings.attestation_queries,
        deadline_ms=settings.attestation_deadline_ms,
        modes=tuple(Mode[name.upper()] for name in settings.attestation_modes),
    )
