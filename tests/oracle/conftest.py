"""A real market on anvil, and oracles in this process that are driven step by step.

The contracts are the real ones. Time stands still unless a test moves it: anvil mines a block
per transaction and the oracles' loops are not started, so nothing here waits or races. Each
test starts from the same chain snapshot.
"""

import copy
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from eth_account.signers.local import LocalAccount
from fastapi.testclient import TestClient
from web3 import Web3

from oracle.adapters.chain import client
from oracle.adapters.chain.client import Chain
from oracle.adapters.chain.deployment import Deployment
from oracle.adapters.gpu.numpy_backend import NumpyBackend
from oracle.adapters.peers import Peer
from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.adapters.store.database import Database
from oracle.api.app import create_app
from oracle.api.node import Node
from oracle.api.schemas import EvidenceBody, OpeningBody, OpeningsBody
from oracle.domain import messages
from oracle.domain.admission import uuid_identity
from oracle.domain.attestation import Dims, Opening, answer_hash, device_id, draw_queries
from oracle.domain.canonical import canonical_hash
from oracle.domain.evidence import Evidence
from oracle.domain.hashing import keccak
from oracle.domain.messages import Domain, Message
from oracle.domain.records import NO_EVIDENCE
from oracle.services.prove import Proof, prove
from oracle.settings import Settings
from scripts._anvil import anvil, test_key
from tests.oracle.evidence.forge import Card
from tests.oracle.postgres import Server, server

ROOT = Path(__file__).parents[2]
UNIT = 10**18
HOUR = 3_600
DAY = 24 * HOUR
EPOCH_LENGTH = 60
ACTIVATION_DELAY = 60
ORACLE_BOND = 1_000 * UNIT
LEAF_BOND = 10 * UNIT
LEAF_ANSWER_PERIOD = 10 * 60
SELF_BOND = 1_000 * UNIT
PRICE = 36 * UNIT  # per GPU-hour: a hundredth of a token per GPU-second
DIMS = Dims(m=128, n=128, k=256, rounds=2)
QUERIES = 16


@dataclass
class Live:
    """The market on chain, and what people do to it."""

    w3: Web3
    deployment_file: Path
    deployment: Deployment
    chain: Chain
    deployer: LocalAccount
    oracles: list[LocalAccount]
    provider_owner: LocalAccount
    operator: LocalAccount
    customer: LocalAccount

    def send(self, sender: LocalAccount, contract: str, function: str, *args: Any) -> Any:
        """One transaction of a person, confirmed."""
        call = self.chain.contract(contract).functions[function](*args)
        return self.chain.transact(KeystoreSigner(sender), call)

    def send_as(self, sender: str, contract: str, function: str, *args: Any) -> None:
        """One transaction of a contract, as it would send it."""
        address = self.deployment.address(sender)
        for method, value in (
            ("anvil_impersonateAccount", [address]),
            ("anvil_setBalance", [address, hex(10**18)]),
        ):
            self.w3.provider.make_request(method, value)  # type: ignore[arg-type]
        call = self.chain.contract(contract).functions[function](*args)
        receipt = self.w3.eth.wait_for_transaction_receipt(call.transact({"from": address}))
        assert receipt["status"] == 1

    def read(self, contract: str, function: str, *args: Any) -> Any:
        return self.chain.read(contract, function, *args)

    def sign(self, signer: LocalAccount, message: Message, contract: str) -> bytes:
        domain = Domain(self.chain.chain_id, self.deployment.address(contract))
        return KeystoreSigner(signer).sign(message.digest(domain))

    def committee_signs(self, consumer: str, subject: bytes, round_: int, payload: bytes) -> bytes:
        """Signatures of three oracles under a report to a contract, joined."""
        config = bytes(self.read("OracleCommittee", "config_digest"))
        address = self.deployment.address(consumer)
        report = messages.Report(config, address, subject, round_, payload)
        return b"".join(self.sign(key, report, "OracleCommittee") for key in self.oracles[:3])

    def mine(self, blocks: int = 1, seconds: int = 0) -> None:
        """Let chain time pass, then mine."""
        if seconds:
            self.w3.provider.make_request("evm_increaseTime", [seconds])  # type: ignore[arg-type]
        self.w3.provider.make_request("anvil_mine", [hex(blocks)])  # type: ignore[arg-type]

    def enter_epoch(self, epoch: int) -> None:
        """Move chain time to the start of an epoch and finalise the one before."""
        start = self.read("EpochLedger", "GENESIS") + epoch * EPOCH_LENGTH
        now = self.chain.timestamp()
        self.mine(3, max(0, start - now))

    def register_provider(self) -> int:
        """A provider with a self-bond; returns its number."""
        self.send(self.deployer, "WorkToken", "transfer", self.provider_owner.address, SELF_BOND)
        staking = self.deployment.address("ProviderStaking")
        self.send(self.provider_owner, "WorkToken", "approve", staking, 2**256 - 1)
        terms = (self.operator.address, self.provider_owner.address, 1_000, 10_000, 2_000, "")
        self.send(self.provider_owner, "ProviderRegistry", "register", *terms)
        provider = self.read("ProviderRegistry", "provider_of_operator", self.operator.address)
        self.send(self.provider_owner, "ProviderStaking", "stake", provider, SELF_BOND)
        return int(provider)

    def open_job(self, provider: int, deposit: int = 100 * UNIT, sla: int = 0) -> int:
        """A funded and accepted job of one GPU."""
        escrow = self.deployment.address("JobEscrow")
        token = self.deployment.address("WorkToken")
        self.send(self.deployer, "WorkToken", "transfer", self.customer.address, deposit)
        self.send(self.customer, "WorkToken", "approve", escrow, deposit)
        terms = (provider, token, 1, 1, PRICE, deposit, sla, bytes(32))
        self.send(self.customer, "JobEscrow", "open_job", *terms)
        job = int(self.read("JobEscrow", "job_count"))
        self.send(self.operator, "JobRegistry", "accept", job)
        return job


class Lazy(NumpyBackend):
    """A prover's backend that does none of the work."""

    def matmul(self, a: Any, b: Any) -> Any:
        return super().matmul(a, b) * 0


@dataclass
class Machine:
    """A provider's device, played by a test."""

    live: Live
    provider: int
    # without a card that proves who made it
    uuid: str = "machine"
    memory_mb: int = 1_024
    # entries that oracles ask for
    queries: int = QUERIES
    ops_per_second: int = 10**9
    hardware: dict[str, Any] = field(default_factory=lambda: {"name": "test machine", "mig": False})
    card: Card | None = None
    seq: int = 0

    @property
    def identity(self) -> bytes:
        return self.card.device_key if self.card else uuid_identity(self.uuid)

    @property
    def inventory(self) -> dict[str, Any]:
        return {"uuid": self.uuid, **self.hardware}

    @property
    def device(self) -> bytes:
        return device_id(self.identity, self.provider)

    def registration(self) -> dict[str, Any]:
        message = messages.Registration(
            self.provider,
            self.identity,
            self.ops_per_second,
            self.memory_mb,
            canonical_hash(self.inventory),
        )
        return {
            "provider": self.provider,
            "identity": "0x" + self.identity.hex(),
            "ops_per_second": self.ops_per_second,
            "memory_mb": self.memory_mb,
            "inventory": self.inventory,
            "agent_url": "http://127.0.0.1:9",
            "signature": self._signed(message, "DeviceRegistry"),
        }

    def heartbeat(self) -> dict[str, Any]:
        self.seq += 1
        telemetry = {"power_mw": 1_000}
        now = self.live.chain.timestamp()
        message = messages.Heartbeat(self.device, self.seq, now, canonical_hash(telemetry))
        return {
            "device": "0x" + self.device.hex(),
            "seq": self.seq,
            "timestamp": now,
            "telemetry": telemetry,
            "signature": self._signed(message, "DeviceRegistry"),
        }

    def usage(self, job: int, gpu_seconds: int, status: int = 3, seq: int = 0) -> dict[str, Any]:
        self.seq += 1
        seq = seq or self.seq
        telemetry = {"utilisation": 99}
        now = self.live.chain.timestamp()
        message = messages.Usage(job, seq, now, gpu_seconds, status, canonical_hash(telemetry))
        return {
            "job": job,
            "seq": seq,
            "timestamp": now,
            "cumulative_gpu_seconds": gpu_seconds,
            "status": status,
            "telemetry": telemetry,
            "signature": self._signed(message, "JobEscrow"),
        }

    def prove(self, challenge: dict[str, Any]) -> tuple[Proof, dict[str, Any]]:
        """Compute a challenge; returns the proof and the body of the commit."""
        return self.prove_on(NumpyBackend(), challenge)

    def skipping(self, challenge: dict[str, Any]) -> tuple[Proof, dict[str, Any]]:
        """The same by a machine that skips all products and commits to zeros."""
        return self.prove_on(Lazy(), challenge)

    def prove_on(self, backend: Any, challenge: dict[str, Any]) -> tuple[Proof, dict[str, Any]]:
        """The same on any backend."""
        dims = Dims(*(challenge[name] for name in ("m", "n", "k", "rounds")))
        proof = prove(backend, bytes.fromhex(challenge["seed"][2:]), dims)
        return proof, self.commit_body(challenge, proof)

    def commit_body(self, challenge: dict[str, Any], proof: Proof, **changes: Any) -> Any:
        values = {
            "provider": self.provider,
            "device": self.device,
            "epoch": challenge["epoch"],
            "seed": proof.seed,
            **asdict(proof.dims),
            "final_seed": proof.final_seed,
            **changes,
        }
        signature = self._signed(messages.Commit(**values), "DeviceRegistry")
        body = {k: "0x" + v.hex() if isinstance(v, bytes) else v for k, v in values.items()}
        return {
            **body,
            "roots": ["0x" + root.hex() for root in proof.roots],
            "signature": signature,
        }

    def openings(self, proof: Proof, ack: dict[str, Any]) -> dict[str, Any]:
        """The signed answer to a query."""
        secret = bytes.fromhex(ack["secret"][2:])
        asked = draw_queries(proof.final_seed, secret, self.queries, proof.dims)
        evidence = self.card.evidence(proof.seed) if self.card else None
        return self.opened(ack, proof.answer(asked), evidence)

    def opened(
        self, ack: dict[str, Any], openings: list[Opening], evidence: Evidence | None = None
    ) -> dict[str, Any]:
        """Any answer, signed."""
        commit = bytes.fromhex(ack["commit"][2:])
        secret_hash = keccak(bytes.fromhex(ack["secret"][2:]))
        evidence_hash = evidence.hash() if evidence else NO_EVIDENCE
        message = messages.Open(commit, secret_hash, answer_hash(openings), evidence_hash)
        body = OpeningsBody(
            commit=commit,
            openings=[OpeningBody.of(one) for one in openings],
            evidence=EvidenceBody.of(evidence) if evidence else None,
            signature=self.live.sign(self.live.operator, message, "DeviceRegistry"),
        )
        return body.model_dump(mode="json")

    def _signed(self, message: Message, contract: str) -> str:
        return "0x" + self.live.sign(self.live.operator, message, contract).hex()


@dataclass
class Oracle:
    """One oracle in this process, with its HTTP interface."""

    node: Node
    http: TestClient

    def look(self) -> None:
        self.node.market.follow()
        self.node.attest.see_beacon()

    def post(self, path: str, body: Any, status: int = 200) -> Any:
        answer = self.http.post(path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def get(self, path: str, status: int = 200) -> Any:
        answer = self.http.get(path)
        assert answer.status_code == status, answer.text
        return answer.json()


def step(oracles: list[Oracle], times: int = 1) -> None:
    """All oracles look at the chain and take one turn of their work loop."""
    for _ in range(times):
        for oracle in oracles:
            oracle.look()
            oracle.node.rounds.tick()
        # anvil answers before it has mined what it was sent
        oracles[0].node.chain.w3.provider.make_request("anvil_mine", ["0x1", "0x0"])
        for oracle in oracles:
            oracle.look()


def step_until(oracles: list[Oracle], done: Callable[[], bool], tries: int = 16) -> None:
    """Step, a second apart, until the chain says so: who leads when is up to the clock."""
    for _ in range(tries):
        if done():
            return
        step(oracles)
    raise AssertionError("the oracles did not get there")


def attest(machine: Machine, oracles: list[Oracle]) -> list[Any]:
    """Take one machine through the protocol with every oracle; returns the verdicts."""
    verdicts = []
    proof, commit = None, None
    for oracle in oracles:
        oracle.look()
        oracle.post("/v1/devices", machine.registration())
        challenge = oracle.get(f"/v1/devices/0x{machine.device.hex()}/challenge")
        assert challenge["state"] == "open"
        if proof is None:
            proof, commit = machine.prove(challenge)
        ack = oracle.post("/v1/commits", commit)
        verdicts.append(oracle.post("/v1/openings", machine.openings(proof, ack)))
    return verdicts


def enter(machine: Machine, oracles: list[Oracle]) -> None:
    """Take one machine through the protocol until it is in the registry."""
    attest(machine, oracles)
    read = machine.live.read
    step_until(oracles, lambda: read("DeviceRegistry", "device_info", machine.device)[4] > 0)


def admit(machine: Machine, oracles: Sequence[Oracle] = ()) -> None:
    """Enter one machine by the committee's word alone, and make it known to oracles: for tests of
    what comes after."""
    for oracle in oracles:
        oracle.look()
        oracle.post("/v1/devices", machine.registration())
    record(machine, machine.live.read("EpochLedger", "current_epoch"))
    for oracle in oracles:
        oracle.look()


def record(machine: Machine, epoch: int) -> None:
    """What the committee's attestation ends with: a signed result in the registry."""
    live = machine.live
    result = messages.Result(
        provider=machine.provider,
        device=machine.device,
        identity=machine.identity,
        device_class=1,
        # about what it shows in `enter`
        ops_per_second=360_000,
        memory_mb=machine.memory_mb,
        elapsed_ms=1_000,
        commit=keccak(b"commit"),
        openings=keccak(b"openings"),
        evidence=NO_EVIDENCE,
    )
    word = live.committee_signs("DeviceRegistry", machine.device, epoch, result.struct_hash())
    live.send(live.deployer, "DeviceRegistry", "record", astuple(result), epoch, word)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server."""
    with server() as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def _no_patience() -> None:
    """Anvil mines at once: a fifth of a second per transaction would be most of a test's time."""
    client.CONFIRMATION_POLL = 0.01


@pytest.fixture(scope="session")
def anvil_url() -> Iterator[str]:
    with anvil("--slots-in-an-epoch", "1") as url:
        yield url


@pytest.fixture(scope="session")
def deployed(anvil_url: str, tmp_path_factory: pytest.TempPathFactory) -> Live:
    """All contracts, wired as the deploy script wires them; seconds-long windows."""
    w3 = Web3(Web3.HTTPProvider(anvil_url))
    deployer, *oracles, owner, operator, customer = [test_key(i) for i in range(8)]
    oracles.sort(key=lambda oracle: int(oracle.address, 16))
    addresses = _deploy(w3, deployer, oracles)
    path = tmp_path_factory.mktemp("deployment") / "31337.json"
    contracts = {n: {"address": a, "block": 0} for n, a in addresses.items()}
    record = {"chain_id": w3.eth.chain_id, "network": "test", "contracts": contracts}
    path.write_text(json.dumps(record))
    deployment = Deployment.load(path)
    chain = Chain([anvil_url], deployment).connect()
    return Live(w3, path, deployment, chain, deployer, oracles, owner, operator, customer)


def _deploy(w3: Web3, deployer: LocalAccount, oracles: list[LocalAccount]) -> dict[str, str]:
    # only here: Ape takes seconds to load
    from scripts._project import abi_of, container

    addresses: dict[str, str] = {}
    guardian = treasury = deployer.address
    role_delay = 15 * DAY

    def transact(call: Any) -> Any:
        sent = call.transact({"from": deployer.address})
        receipt = w3.eth.wait_for_transaction_receipt(sent)
        assert receipt["status"] == 1
        return receipt

    def deploy(name: str, *args: Any) -> str:
        code = container(name).contract_type.deployment_bytecode.bytecode
        factory = w3.eth.contract(abi=abi_of(name), bytecode=code)
        addresses[name] = transact(factory.constructor(*args))["contractAddress"]
        return addresses[name]

    def call(name: str, function: str, *args: Any) -> None:
        transact(w3.eth.contract(addresses[name], abi=abi_of(name)).functions[function](*args))

    genesis = w3.eth.get_block("latest")["timestamp"]
    allocation = [(deployer.address, 1_000_000 * UNIT)]
    token = deploy("WorkToken", "Clearwork", "WORK", 21_000_000 * UNIT, allocation, role_delay)
    members = [oracle.address for oracle in oracles]
    committee = deploy("OracleCommittee", token, members, 3, ORACLE_BOND, 14 * DAY, HOUR, 2_000, 1)
    providers = deploy("ProviderRegistry", 14 * DAY)
    clock = (genesis, EPOCH_LENGTH)
    staking = deploy(
        "ProviderStaking", providers, token, *clock, 14 * DAY, DAY, 100 * UNIT, UNIT, role_delay
    )
    registry = deploy("DeviceRegistry", committee, staking, DAY, DAY, role_delay)
    controller = deploy(
        "EmissionsController", token, *clock, UNIT // 2, 12, 3_000, 9_000, role_delay
    )
    ledger = deploy("EpochLedger", committee, controller, ACTIVATION_DELAY, guardian)
    distributor = deploy(
        "RewardDistributor", token, ledger, controller, staking, 180 * DAY, 2_500, 0, role_delay
    )
    clusters = deploy("ClusterRegistry", providers, role_delay)
    bonds = deploy("ServiceBonds", staking, registry, clusters, committee, role_delay)
    offers = deploy("OfferBook", providers, role_delay)
    jobs = deploy("JobRegistry", providers, clusters, bonds, offers, 2 * DAY, role_delay)
    prices = deploy("Prices", token, guardian, role_delay)
    compute_credits = deploy("ComputeCredits", token, prices, controller, role_delay)
    escrow = deploy(
        "JobEscrow",
        *(token, providers, clusters, jobs, committee, ledger, compute_credits),
        *(20, 300, 5_000, treasury, guardian, role_delay),
    )
    subnet_prices = ((100 * UNIT, 20_000, 14 * DAY), (UNIT, 11_000, DAY))
    subnets = deploy("SubnetRegistry", staking, ledger, 24, *subnet_prices)
    votes = deploy("SubnetVotes", staking, subnets, 14 * DAY // EPOCH_LENGTH, role_delay)
    meter = deploy("FeeMeter", escrow, role_delay)
    verifier = deploy("MatmulVerifier")
    policy = (
        *(5_000, 100, 500, 3_000, 9_000, 7_500, 3, 1_000, 30 * DAY, 100 * UNIT, 200 * UNIT),
        *(2 * DAY, 3 * DAY, 2 * DAY, 5 * DAY),
    )
    court = deploy(
        "SlashingCourt",
        *(token, staking, registry, jobs, distributor, verifier, committee, policy),
    )
    requests = deploy("LeafRequests", token, court, ledger, LEAF_BOND, LEAF_ANSWER_PERIOD, 20)
    for holder, contract, role in [
        (controller, "WorkToken", "MINTER"),
        (court, "ProviderStaking", "SLASHER"),
        (bonds, "ProviderStaking", "LOCKER"),
        (escrow, "ClusterRegistry", "ESCROW"),
        (jobs, "ServiceBonds", "JOBS"),
        (jobs, "OfferBook", "JOBS"),
        (escrow, "JobRegistry", "ESCROW"),
        (escrow, "ComputeCredits", "ESCROW"),
        (court, "JobRegistry", "COURT"),
        (court, "DeviceRegistry", "COURT"),
        (court, "RewardDistributor", "COURT"),
        (requests, "SlashingCourt", "REQUESTS"),
        (distributor, "EmissionsController", "DISTRIBUTOR"),
        (ledger, "EmissionsController", "LEDGER"),
        (votes, "EmissionsController", "VOTES"),
        (meter, "EmissionsController", "FEES"),
        (subnets, "EmissionsController", "SUBNETS"),
        (controller, "SubnetVotes", "CONTROLLER"),
        (controller, "FeeMeter", "CONTROLLER"),
        (prices, "FeeMeter", "PRICES"),
    ]:
        call(contract, "set_role", keccak(role.encode()), holder)
    call("DeviceRegistry", "add_class", 1_000, 256, 100 * UNIT)
    call("DeviceRegistry", "add_class", 10**15, 40_000, 500 * UNIT)
    call("WorkToken", "approve", escrow, 10_000)
    call("JobEscrow", "list_asset", token)
    # half a USD for a token, and one for a credit, of which the owner needs some for the probe
    feed = deploy("GovernorFeed", deployer.address, 50_000_000)
    limits = (7 * DAY, DAY, UNIT // 100, 100 * UNIT, 2_000, HOUR)
    call("Prices", "set_feed", token, (feed, 18, *limits))
    call("Prices", "set_feed", compute_credits, (compute_credits, 6, *limits))
    call("WorkToken", "approve", compute_credits, UNIT)
    call("ComputeCredits", "buy", UNIT, 0)
    call("ComputeCredits", "approve", escrow, 10_000)
    call("JobEscrow", "list_asset", compute_credits)
    call("WorkToken", "approve", committee, 4 * ORACLE_BOND)
    for member in members:
        call("OracleCommittee", "bond", member, ORACLE_BOND)
    return addresses


@pytest.fixture
def live(deployed: Live) -> Iterator[Live]:
    """The market, as it was after its deployment when the test is over."""
    with undone(deployed):
        yield deployed


@contextmanager
def undone(live: Live) -> Iterator[None]:
    """Nothing that happens inside has happened."""
    request: Any = live.w3.provider.make_request
    # a revert also sets the node's clock back, which went on while other tests ran
    request("evm_revert", [request("evm_snapshot", [])["result"]])
    snapshot = request("evm_snapshot", [])["result"]
    try:
        yield
    finally:
        # what is still on its way to be mined belongs to this test, not to the chain of the next
        request("anvil_dropAllTransactions", [])
        request("anvil_mine", ["0x1", "0x0"])
        request("evm_revert", [snapshot])


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An oracle's database with all tables and no row, to be copied."""
    path = tmp_path_factory.mktemp("database") / "oracle.db"
    Database(path).migrate().close()
    return path


class Seat:
    """The HTTP interface of whichever oracle sits here: building its routes takes longer than most
    tests."""

    def __init__(self, node: Node) -> None:
        self.node = node
        # without `with`: the lifespan, and with it the loops, stays off
        self.http = TestClient(create_app(cast(Node, self)), base_url="http://oracle")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.node, name)


@pytest.fixture(scope="session")
def seats() -> list[Seat]:
    """Those of the tests before, to be taken in turn."""
    return []


@pytest.fixture
def make_oracle(
    live: Live, anvil_url: str, tmp_path: Path, empty_database: Path, seats: list[Seat]
) -> Callable[..., Oracle]:
    """Build an oracle for a committee key, or a dry one for None."""
    free = iter(list(seats))

    def seat(node: Node) -> Seat:
        if node.settings.max_body_bytes != Settings.model_fields["max_body_bytes"].default:
            return Seat(node)
        found = next(free, None)
        if found is None:
            found = Seat(node)
            seats.append(found)
        found.node = node
        return found

    def make(key: LocalAccount | None, name: str = "oracle", **changes: Any) -> Oracle:
        values: dict[str, Any] = {
            "rpc_urls": [anvil_url],
            "deployment": live.deployment_file,
            "database": tmp_path / name / "oracle.db",
            "attestation_m": DIMS.m,
            "attestation_n": DIMS.n,
            "attestation_k": DIMS.k,
            "attestation_rounds": DIMS.rounds,
            "attestation_queries": QUERIES,
            "attestation_deadline_ms": 30_000,
            "verify_workers": 0,
            "usage_lag": 0,
            "heartbeat_grace": 30,
            "round_interval": 4,
            "leader_delay": 1,
            **changes,
        }
        settings = Settings(**values)
        if isinstance(settings.database, Path) and not settings.database.exists():
            settings.database.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(empty_database, settings.database)
        # a chain of its own, with what the first one has found out about contracts
        chain = copy.copy(live.chain)
        node = Node(settings, chain, KeystoreSigner(key) if key else None)
        return Oracle(node, seat(node).http)

    return make


@pytest.fixture
def make_oracles(live: Live, make_oracle: Callable[..., Oracle]) -> Callable[..., list[Oracle]]:
    """Build four oracles that are each other's peers, with the same changes to their settings."""

    def make(**changes: Any) -> list[Oracle]:
        made = [make_oracle(key, f"oracle-{i}", **changes) for i, key in enumerate(live.oracles)]
        introduce(made)
        return made

    return make


@pytest.fixture
def oracles(make_oracles: Callable[..., list[Oracle]]) -> list[Oracle]:
    """Four of them with the settings of all tests."""
    return make_oracles()


def introduce(oracles: list[Oracle]) -> None:
    """Make oracles each other's peers."""
    for oracle in oracles:
        oracle.node.peers[:] = [Peer("http://oracle", o.http) for o in oracles if o is not oracle]


@pytest.fixture
def machine(live: Live) -> Machine:
    """The device of a registered provider."""
    return Machine(live, live.register_provider())
