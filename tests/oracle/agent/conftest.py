"""An agent between a chain that is a dictionary and oracles that speak the real protocol.

The oracles run in this process, but everything between them and the agent is real: HTTP
bodies, signatures, timing of the protocol, verification of the openings.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from eth_account import Account
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from oracle.adapters.chain.deployment import Deployment
from oracle.adapters.gpu.device import Device, HostDevice
from oracle.adapters.gpu.numpy_backend import NumpyBackend
from oracle.adapters.oracle_client import OracleClient
from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.adapters.store.agent_state import AgentState
from oracle.api.schemas import (
    AckView,
    ChallengeView,
    CommitBody,
    DeviceView,
    HeartbeatBody,
    LanesBody,
    OpeningsBody,
    Receipt,
    RegistrationBody,
    SignedReceiptBody,
    UsageBody,
    VerdictView,
    WalkBody,
)
from oracle.domain.attestation import (
    Dims,
    Mode,
    WalkDims,
    answer_hash,
    device_id,
    seed_zero,
    shape_numbers,
)
from oracle.domain.canonical import canonical_hash
from oracle.domain.hashing import keccak
from oracle.domain.market import NOBODY
from oracle.domain.messages import (
    Ack,
    Challenge,
    Commit,
    Domain,
    Heartbeat,
    Open,
    Query,
    Registration,
    Usage,
)
from oracle.domain.recovery import recover
from oracle.errors import ClearworkError, Conflict, NotFound, Transient
from oracle.services.agent import Agent, AgentConfig
from oracle.services.verify import Verdict, check_commit, check_lanes, verify_openings

CHAIN_ID = 31_337
REGISTRY, ESCROW = "0x" + "11" * 20, "0x" + "22" * 20
PROVIDER = 7
DIMS = Dims(32, 32, 64, 2)
WALK = WalkDims(entries=64, lanes=8, steps=4, depth=8)


class DictChain:
    """What an agent reads from a chain: beacons, jobs and the time. `down` makes it unreachable."""

    def __init__(self) -> None:
        self.deployment = Deployment(
            CHAIN_ID, "test", {"DeviceRegistry": REGISTRY, "JobEscrow": ESCROW}, {}
        )
        self.chain_id = CHAIN_ID
        self.beacons: dict[int, bytes] = {}
        self.now = 1_700_000_000
        # signing key -> member
        self.members: dict[str, str] = {}
        self.down = False

    def read(self, contract: str, function: str, number: Any) -> Any:
        self._check()
        if (contract, function) == ("OracleCommittee", "member_of_key"):
            return self.members.get(number, NOBODY)
        if (contract, function) == ("JobRegistry", "job_info"):
            return SimpleNamespace(provider=PROVIDER)
        assert (contract, function) == ("EpochLedger", "beacon")
        return self.beacons.get(number, bytes(32))

    def timestamp(self) -> int:
        self._check()
        return self.now

    def _check(self) -> None:
        if self.down:
            raise Transient("no RPC endpoint answers", "wait")


@dataclass
class LocalOracle:
    """One oracle of the protocol, without storage or peers. Tests bend its public fields."""

    url: str
    chain: DictChain
    operator: str
    epoch: int = 1
    dims: Dims = DIMS
    queries: int = 8
    secret: bytes = b"secret".ljust(32)
    # what it hands out instead of the right seed
    wrong_seed: bytes | None = None
    # what it reveals instead of the secret it promised
    other_secret: bytes | None = None
    mode: Mode = Mode.THROUGHPUT
    walk: WalkDims = WALK
    # refuses whatever is opened
    unfair: bool = False
    down: bool = False
    # answers this many openings with 503 first
    busy: int = 0
    # answers batches that contain this text with 422
    allergic_to: str | None = None
    forge_ack: bool = False
    # takes no commit any more
    late: bool = False
    # epochs whose commit came late
    missed: set[int] = field(default_factory=set)
    registrations: list[RegistrationBody] = field(default_factory=list)
    commits: list[CommitBody | WalkBody] = field(default_factory=list)
    openings: list[OpeningsBody | LanesBody] = field(default_factory=list)
    verdicts: list[VerdictView] = field(default_factory=list)
    heartbeats: list[HeartbeatBody] = field(default_factory=list)
    usage: list[UsageBody] = field(default_factory=list)
    receipts: list[SignedReceiptBody] = field(default_factory=list)
    known: dict[bytes, RegistrationBody] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.key = KeystoreSigner(Account.create())
        self.chain.members[self.key.address] = self.key.address
        self.backend = NumpyBackend()
        self.registry = Domain(CHAIN_ID, REGISTRY)
        self.app = self._app()

    def client(self) -> OracleClient:
        return OracleClient(self.url, _Switch(self))

    def _challenge(self, device: bytes) -> ChallengeView:
        if device not in self.known:
            raise NotFound("unknown device", "register it")
        beacon = self.chain.beacons.get(self.epoch)
        if beacon is None:
            return ChallengeView(state="waiting", epoch=self.epoch)
        if any(v.accepted and c.epoch == self.epoch for v, c in self._judged()):
            return ChallengeView(state="accepted", epoch=self.epoch)
        committed = any(c.epoch == self.epoch for c in self.commits)
        message = self._message(device, beacon)
        return ChallengeView(
            **{k: v for k, v in asdict(message).items() if k not in ("provider", "device")},
            state="committed" if committed else "open",
            oracle=self.key.address,
            signature=self.key.sign(message.digest(self.registry)),
            remaining_ms=60_000,
        )

    def _message(self, device: bytes, beacon: bytes) -> Challenge:
        seed = seed_zero(beacon, CHAIN_ID, REGISTRY, PROVIDER, device, self.epoch)
        shape: Any = self.walk if self.mode is Mode.RESIDENCY else self.dims
        return Challenge(
            PROVIDER,
            device,
            self.epoch,
            self.wrong_seed or seed,
            self.mode,
            *shape_numbers(shape),
            queries=self.queries,
            deadline_ms=60_000,
            secret_hash=keccak(self.secret),
        )

    def _judged(self) -> Iterator[tuple[VerdictView, CommitBody | WalkBody]]:
        by_hash = {c.message().struct_hash(): c for c in self.commits}
        for verdict in self.verdicts:
            yield verdict, by_hash[verdict.commit]

    def _expected(self, body: CommitBody) -> Commit:
        challenge = self._challenge(body.device)
        assert challenge.seed is not None
        shape = (self.dims.m, self.dims.n, self.dims.k, self.dims.rounds)
        return Commit(PROVIDER, body.device, self.epoch, challenge.seed, *shape, bytes(32))

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.exception_handler(ClearworkError)
        def explain(_: Request, error: Exception) -> JSONResponse:
            assert isinstance(error, ClearworkError)
            problem = {"title": str(error), "detail": error.remedy}
            return JSONResponse(problem, error.http_status)

        @app.post("/v1/devices")
        def register(body: RegistrationBody) -> DeviceView:
            inventory = canonical_hash(body.inventory)
            message = Registration(
                body.provider, body.identity, body.ops_per_second, body.memory_mb, inventory
            )
            assert recover(message.digest(self.registry), body.signature) == self.operator
            device = device_id(body.identity, body.provider)
            self.registrations.append(body)
            self.known[device] = body
            return DeviceView(
                device=device,
                provider=body.provider,
                identity=body.identity,
                claimed_ops_per_second=body.ops_per_second,
                memory_mb=body.memory_mb,
                agent_url=body.agent_url,
                last_heartbeat=None,
                device_class=None,
                ops_per_second=None,
                attested_until=None,
            )

        @app.get("/v1/devices/{device}/challenge")
        def challenge(device: str) -> ChallengeView:
            return self._challenge(bytes.fromhex(device[2:]))

        @app.post("/v1/commits")
        def commit(body: CommitBody) -> AckView:
            self._check_in_time(body)
            # before it is acknowledged: then a test may change what is asked for
            assert check_commit(body.message(), body.roots, self._expected(body)).accepted
            return self._acknowledge(body)

        @app.post("/v1/walks")
        def walk_commit(body: WalkBody) -> AckView:
            self._check_in_time(body)
            assert (body.entries, body.lanes, body.steps, body.depth) == shape_numbers(self.walk)
            return self._acknowledge(body)

        @app.post("/v1/openings")
        def openings(body: OpeningsBody) -> VerdictView:
            stored = self._asked(body)
            assert isinstance(stored, CommitBody)
            opened = [one.opening() for one in body.openings]
            return self._judge(
                body,
                opened,
                verify_openings(
                    self.backend, stored.message(), stored.roots, self.secret, self.queries, opened
                ),
            )

        @app.post("/v1/walks/openings")
        def lanes(body: LanesBody) -> VerdictView:
            stored = self._asked(body)
            assert isinstance(stored, WalkBody)
            opened = [one.opening() for one in body.openings]
            seed, root = stored.seed, stored.root
            return self._judge(
                body,
                opened,
                check_lanes(
                    self.backend, self.walk, seed, seed, root, self.secret, self.queries, opened
                ),
            )

        @app.post("/v1/heartbeats")
        async def heartbeats(request: Request, bodies: list[HeartbeatBody]) -> list[Receipt]:
            return [self._take_heartbeat(body) for body in bodies]

        @app.post("/v1/usage")
        async def usage(request: Request, bodies: list[UsageBody]) -> Any:
            if self.allergic_to and self.allergic_to in (await request.body()).decode():
                return JSONResponse({"title": "malformed", "detail": "mend it"}, 422)
            return [self._take_usage(body) for body in bodies]

        @app.post("/v1/receipts")
        async def receipts(request: Request, bodies: list[SignedReceiptBody]) -> list[Receipt]:
            return [self._take_receipt(body) for body in bodies]

        return app

    def _check_in_time(self, body: CommitBody | WalkBody) -> None:
        if self.late or body.epoch != self.epoch:
            self.missed.add(body.epoch)
            raise Conflict("the challenge expired", "be faster")

    def _acknowledge(self, body: CommitBody | WalkBody) -> AckView:
        message = body.message()
        assert recover(message.digest(self.registry), body.signature) == self.operator
        if body not in self.commits:
            self.commits.append(body)
        commit, secret = message.struct_hash(), self.other_secret or self.secret
        ack, query = Ack(commit, 5), Query(commit, secret)
        signature = self.key.sign(ack.digest(self.registry))
        return AckView(
            commit=commit,
            elapsed_ms=5,
            secret=secret,
            oracle=self.key.address,
            ack_signature=bytes(65) if self.forge_ack else signature,
            query_signature=self.key.sign(query.digest(self.registry)),
        )

    def _asked(self, body: OpeningsBody | LanesBody) -> CommitBody | WalkBody:
        if self.busy:
            self.busy -= 1
            raise Transient("busy", "try again")
        return next(c for c in self.commits if c.message().struct_hash() == body.commit)

    def _judge(
        self, body: OpeningsBody | LanesBody, opened: Sequence[Any], verdict: Verdict
    ) -> VerdictView:
        evidence = body.answer().evidence_hash
        message = Open(body.commit, keccak(self.secret), answer_hash(opened), evidence)
        assert recover(message.digest(self.registry), body.signature) == self.operator
        accepted = verdict.accepted and not self.unfair
        view = VerdictView(
            commit=body.commit,
            accepted=accepted,
            reason=verdict.reason,
            ops_per_second=1 if accepted else 0,
            elapsed_ms=5,
        )
        self.openings.append(body)
        self.verdicts.append(view)
        return view

    def _take_receipt(self, body: SignedReceiptBody) -> Receipt:
        body.signed().check()
        if body in self.receipts:
            return Receipt(state="duplicate")
        self.receipts.append(body)
        return Receipt(state="stored")

    def _take_heartbeat(self, body: HeartbeatBody) -> Receipt:
        telemetry = canonical_hash(body.telemetry)
        message = Heartbeat(body.device, body.seq, body.timestamp, telemetry)
        assert recover(message.digest(self.registry), body.signature) == self.operator
        self.heartbeats.append(body)
        return Receipt(state="stored")

    def _take_usage(self, body: UsageBody) -> Receipt:
        message = Usage(
            body.job,
            body.seq,
            body.timestamp,
            body.cumulative_gpu_seconds,
            body.status,
            canonical_hash(body.telemetry),
        )
        assert recover(message.digest(Domain(CHAIN_ID, ESCROW)), body.signature) == self.operator
        if any((body.job, body.seq) == (seen.job, seen.seq) for seen in self.usage):
            return Receipt(state="duplicate")
        self.usage.append(body)
        return Receipt(state="stored")


class _Switch(httpx.AsyncBaseTransport):
    """The network between agent and oracle, with a plug to pull."""

    def __init__(self, oracle: LocalOracle) -> None:
        self._oracle = oracle
        self._inner = httpx.ASGITransport(oracle.app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._oracle.down:
            raise httpx.ConnectError("connection refused")
        return await self._inner.handle_async_request(request)


class CountingBackend(NumpyBackend):
    """Counts the products it computed."""

    def __init__(self) -> None:
        self.products = 0

    def matmul(self, a: Any, b: Any) -> Any:
        self.products += 1
        return super().matmul(a, b)


@dataclass
class World:
    """Everything around one agent, which can be restarted on the same state."""

    folder: Path
    chain: DictChain
    signer: KeystoreSigner
    oracles: list[LocalOracle]
    backend: Any = field(default_factory=CountingBackend)
    device: Device = field(default_factory=lambda: HostDevice("CPU-test"))
    # the card's own; by default the UUID's
    identity: bytes | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    def agent(self) -> Agent:
        state = AgentState(self.folder / "agent.db")
        config = AgentConfig(
            provider=PROVIDER,
            keystore=Path("unused"),
            password_file=Path("unused"),
            oracles=tuple(oracle.url for oracle in self.oracles),
            deployment=Path("unused"),
            rpc=("unused",),
            state=self.folder,
            poll_seconds=0.02,
            **{"heartbeat_seconds": 0.05, **self.settings},
        )
        return Agent(
            config=config,
            backend=self.backend,
            device=self.device,
            identity=self.identity or self.device.inventory.identity,
            signer=self.signer,
            chain=self.chain,  # type: ignore[arg-type]
            state=state,
            public_url="http://127.0.0.1:9000",
            clients=[oracle.client() for oracle in self.oracles],
            ops_per_second=10**9,
        )

    def run(self, until: Callable[[], bool], agent: Agent | None = None) -> None:
        """Run an agent until something holds; fails after ten seconds."""
        running = agent or self.agent()
        asyncio.run(_run(running, until))
        running.state.close()


async def _run(agent: Agent, until: Callable[[], bool]) -> None:
    task = asyncio.create_task(agent.run())
    deadline = time.monotonic() + 10
    try:
        while not until():
            if task.done():
                await task
            assert time.monotonic() < deadline, "it never happened"
            await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An agent's surroundings with three oracles, in an epoch whose beacon is known."""
    monkeypatch.setattr("oracle.services.agent.FIRST_RETRY", 0.02)
    monkeypatch.setattr("oracle.services.agent.LAST_RETRY", 0.05)
    chain = DictChain()
    chain.beacons[1] = b"beacon".ljust(32)
    signer = KeystoreSigner(Account.create())
    oracles = [LocalOracle(f"http://oracle-{i}", chain, signer.address) for i in range(3)]
    return World(tmp_path, chain, signer, oracles)
