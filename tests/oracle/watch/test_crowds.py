"""What a provider does to the audit of others: answers slowly, signs much, stakes nothing."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from eth_account import Account
from structlog.testing import capture_logs

from oracle.adapters.gpu.numpy_backend import NumpyBackend
from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.api.schemas import CommitBody, CommitView, LeafView
from oracle.domain.attestation import Dims, chain_seeds, shape_numbers
from oracle.domain.hashing import keccak
from oracle.domain.messages import Commit
from oracle.services import open_leaves
from oracle.services import watch as module
from oracle.services.filing import Filer
from oracle.services.prove import Proof, prove
from oracle.services.request_leaves import LeafRequester
from oracle.services.watch import Watcher
from scripts import _anvil
from tests.oracle.conftest import LEAF_ANSWER_PERIOD, LEAF_BOND, SELF_BOND, UNIT, Lazy, Live
from tests.oracle.watch.conftest import BUDGET, ORACLE

DIMS = Dims(128, 128, 32, 2)
LEAVES = 4


@dataclass
class Agent:
    """An agent on a real port, which takes its time."""

    url: str = ""
    # seconds before an answer
    pause: float = 0.0
    # whether its headers never end
    drips: bool = False
    up: bool = True
    proofs: dict[str, Proof] = field(default_factory=dict)
    opened: int = 0
    over: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    """Opens leaves as its agent likes."""

    agent: Agent

    def do_GET(self) -> None:
        agent = self.agent
        agent.opened += 1
        agent.over.wait(agent.pause)
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        round_index, index = int(query["round"][0]), int(query["index"][0])
        leaf, path = agent.proofs[address.path.split("/")[3]].open_leaf(round_index, index)
        self.send_response(200 if agent.up else 500)
        if agent.drips:
            self.flush_headers()
            with suppress(OSError):
                for _ in range(100):
                    self.wfile.write(b"x")
                    agent.over.wait(0.05)
            return
        self.end_headers()
        view = LeafView(round=round_index, index=index, leaf=leaf, path=path)
        self.wfile.write(view.model_dump_json().encode())

    def log_message(self, *_: Any) -> None:
        """Nothing: a test is silent."""


@pytest.fixture
def make_agent() -> Iterator[Callable[[], Agent]]:
    with ExitStack() as running:

        def make() -> Agent:
            agent = Agent()
            handler = type("Handler", (Handler,), {"agent": agent})
            server = running.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), handler))
            threading.Thread(target=server.serve_forever).start()
            running.callback(server.shutdown)
            running.callback(agent.over.set)
            agent.url = f"http://127.0.0.1:{server.server_port}"
            return agent

        yield make


@pytest.fixture
def agent(make_agent: Callable[[], Agent]) -> Agent:
    return make_agent()


@dataclass
class Crowd:
    """Providers, and what an oracle publishes of their commits."""

    live: Live
    page: int = 50
    published: list[CommitView] = field(default_factory=list)

    def commit(
        self, owner: Live, provider: int, agent: Agent, backend: Any = None, end: int = 0
    ) -> None:
        """Publish one more commit of a provider; `end`: to another end of the last chain."""
        number = len(self.published) + 1
        seed = keccak(bytes([number - 1 if end else number]))
        proof = prove(backend or NumpyBackend(), seed, DIMS)
        roots = [bytes([end]) * 32] * DIMS.rounds if end else proof.roots
        epoch = int(self.live.read("EpochLedger", "current_epoch"))
        shape = shape_numbers(DIMS)
        final_seed = chain_seeds(seed, roots)[-1]
        commit = Commit(provider, b"device".ljust(32), epoch, seed, *shape, final_seed)
        signature = self.live.sign(owner.operator, commit, "DeviceRegistry")
        agent.proofs["0x" + commit.struct_hash().hex()] = proof
        body = CommitBody.of(commit, roots, signature)
        view = CommitView(id=number, commit=body, agent_url=agent.url, verdict=None)
        self.published.append(view)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What the oracle publishes."""
        if request.url.path != "/v1/commits":
            return httpx.Response(200, json=[])
        after = int(request.url.params["after"])
        found = [each.model_dump(mode="json") for each in self.published if each.id > after]
        return httpx.Response(200, json=found[: self.page])


@pytest.fixture
def crowd(live: Live) -> Crowd:
    live.enter_epoch(1)
    return Crowd(live)


@pytest.fixture
def other(live: Live) -> Live:
    """The market as somebody sees it who provides, too."""
    return replace(live, provider_owner=_anvil.test_key(7), operator=_anvil.test_key(8))


@pytest.fixture
def watcher(live: Live, crowd: Crowd) -> Iterator[Watcher]:
    key = _anvil.test_key(9)
    live.send(live.deployer, "WorkToken", "transfer", key.address, BUDGET)
    watcher = Watcher(
        chain=live.chain,
        sources=[ORACLE],
        backend=NumpyBackend(),
        signer=KeystoreSigner(key),
        leaves=LEAVES,
        asks=2,
        bond_budget=BUDGET,
    )
    watcher.opener.http = httpx.AsyncClient(mounts={ORACLE: httpx.MockTransport(crowd.answer)})
    yield watcher
    watcher.close()


@pytest.fixture
def poor(live: Live) -> int:
    """A provider that has registered and staked nothing."""
    terms = live.operator.address, live.provider_owner.address, 1_000, 10_000, 2_000, ""
    live.send(live.provider_owner, "ProviderRegistry", "register", *terms)
    return int(live.read("ProviderRegistry", "provider_of_operator", live.operator.address))


def stake(live: Live, provider: int) -> None:
    live.send(live.deployer, "WorkToken", "transfer", live.provider_owner.address, SELF_BOND)
    staking = live.deployment.address("ProviderStaking")
    live.send(live.provider_owner, "WorkToken", "approve", staking, SELF_BOND)
    live.send(live.provider_owner, "ProviderStaking", "stake", provider, SELF_BOND)


def slash(live: Live, provider: int, amount: int) -> None:
    nobody = "0x" + 40 * "0"
    order = amount, nobody, 0, nobody, 0
    live.send_as("SlashingCourt", "ProviderStaking", "slash", provider, order)


def requests(live: Live) -> list[Any]:
    return [event.args for event in live.chain.logs("LeafRequests", "LeafRequested")]


def sent(live: Live, watcher: Watcher) -> int:
    return live.w3.eth.get_transaction_count(watcher.signer.address)  # type: ignore[union-attr]


def look(watcher: Watcher, times: int) -> list[str]:
    """Kinds of the convictions of so many looks."""
    return [found.kind for _ in range(times) for found in watcher.watch_once()]


# --- time ---------------------------------------------------------------------------------------


def test_headers_that_drip_end_with_the_time_of_an_answer(
    live: Live, crowd: Crowd, agent: Agent, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_leaves, "FETCH_SECONDS", 0.3)
    crowd.commit(live, live.register_provider(), agent)
    agent.drips = True
    started = time.monotonic()
    assert watcher.watch_once() == []
    # of 5 s for which it drips
    assert time.monotonic() - started < 4
    assert agent.opened == 1
    agent.drips = False
    assert watcher.watch_once() == []
    assert agent.opened == 1 + LEAVES


@pytest.fixture
def slow(
    request: pytest.FixtureRequest,
    live: Live,
    crowd: Crowd,
    agent: Agent,
    watcher: Watcher,
    monkeypatch: pytest.MonkeyPatch,
) -> int:
    """A provider that has signed some commits, twenty if not said, whose agent answers slowly."""
    monkeypatch.setattr(open_leaves, "PROVIDER_SECONDS", 0.25)
    provider = live.register_provider()
    for _ in range(getattr(request, "param", 20)):
        crowd.commit(live, provider, agent)
    agent.pause = 0.1
    return provider


def test_a_slow_agent_holds_nobody_else_up(
    live: Live,
    other: Live,
    crowd: Crowd,
    agent: Agent,
    make_agent: Any,
    watcher: Watcher,
    slow: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crowd.commit(other, other.register_provider(), make_agent(), Lazy())
    started = time.monotonic()
    assert look(watcher, 1) == ["false_attestation"]
    # its leaves would take 8 s; its time is up after a quarter of one, the rest is the chain's
    assert time.monotonic() - started < 6
    assert 0 < agent.opened <= 3

    # and what was left over is not lost, nor does it convict
    assert look(watcher, 3) == []
    agent.pause = 0
    monkeypatch.setattr(open_leaves, "PROVIDER_SECONDS", 60)
    opened = agent.opened
    assert look(watcher, 1) == []
    assert agent.opened == opened + 20 * LEAVES
    assert watcher._withheld == {}
    assert requests(live) == []


@pytest.mark.parametrize("slow", [1, 20], indirect=True)
def test_who_stays_slow_is_asked_on_chain(
    live: Live, watcher: Watcher, slow: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert look(watcher, 3) == []
    assert requests(live) == []
    patient = live.read("LeafRequests", "REQUEST_EPOCHS") // module.PATIENCE
    live.enter_epoch(1 + patient + 1)
    assert look(watcher, 2) == []
    assert [each.provider for each in requests(live)] == [slow]


def test_slow_providers_wait_beside_each_other(
    live: Live,
    crowd: Crowd,
    make_agent: Any,
    watcher: Watcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(open_leaves, "PROVIDER_SECONDS", 2.0)
    agents = []
    for number in range(6):
        # one owner, operators of their own
        owner = replace(live, operator=Account.create())
        agents.append(make_agent())
        crowd.commit(owner, owner.register_provider(), agents[-1], Lazy() if number else None)
        agents[-1].pause = 60 if number < 5 else 0
    monkeypatch.setattr(open_leaves, "FETCH_SECONDS", 2.0)
    started = time.monotonic()
    assert look(watcher, 1) == ["false_attestation"]
    # one after the other they would take ten seconds
    assert time.monotonic() - started < 8
    assert [agent.opened for agent in agents] == [1] * 6
    # no more at a time than there are places
    monkeypatch.setattr(open_leaves, "PROVIDERS_AT_ONCE", 1)
    for agent in agents:
        agent.pause = 0.0
        agent.over.set()
    assert sorted(look(watcher, 1)) == ["false_attestation"] * 4


def test_a_source_with_pages_without_end_is_not_read(
    live: Live, crowd: Crowd, agent: Agent, watcher: Watcher
) -> None:
    crowd.commit(live, live.register_provider(), agent, Lazy())
    (view,) = crowd.published
    crowd.page = module.MAX_LIST + 1
    crowd.published = [view.model_copy(update={"id": each}) for each in range(1, crowd.page + 1)]
    with capture_logs() as logs:
        assert look(watcher, 1) == []
    assert [entry["source"] for entry in logs] == [ORACLE]
    assert "at most 1000 items" in logs[0]["error"]
    crowd.page = module.MAX_LIST
    assert look(watcher, 1) == ["false_attestation"]
    assert agent.opened == 1


def test_a_page_holds_the_same_commit_twice(
    live: Live, crowd: Crowd, agent: Agent, watcher: Watcher
) -> None:
    provider = live.register_provider()
    crowd.commit(live, provider, agent)
    crowd.published.append(crowd.published[0].model_copy(update={"id": 2}))
    assert look(watcher, 2) == []
    assert agent.opened == LEAVES


def test_an_agent_at_no_address_withholds(
    live: Live, other: Live, crowd: Crowd, agent: Agent, watcher: Watcher
) -> None:
    provider = live.register_provider()
    nowhere = (
        "", "x", "http://", "http://[::1", "http://127.0.0.1:99999", "http://127.0.0.1:-1",
        "ftp://127.0.0.1", "http://\x00", "http://" + "a" * 300, "http://ü\u200b.example",
        "http://xn--/", "http://127.0.0.1:1/%zz?a#b", "//127.0.0.1",
    )  # fmt: skip
    for url in nowhere:
        crowd.commit(live, provider, replace(agent, url=url))
    crowd.commit(other, other.register_provider(), agent, Lazy())
    assert look(watcher, 1) == ["false_attestation"]
    assert len(watcher._withheld) == len(nowhere)


def test_a_providers_commits_take_turns(
    live: Live, agent: Agent, watcher: Watcher, slow: int
) -> None:
    """Or it would hide one behind another that is never shown whole."""
    agent.up = False
    agent.pause = 0.05
    for _ in range(8):
        watcher.watch_once()
    assert all(each.asks for each in watcher._withheld.values())
    assert len(watcher._withheld) == 20


# --- room ---------------------------------------------------------------------------------------


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watcher that remembers one commit with withheld leaves of a provider, two in all."""
    monkeypatch.setattr(module, "MAX_WITHHELD", 2)
    monkeypatch.setattr(module, "MAX_WITHHELD_EACH", 1)


def test_what_there_was_no_room_for_is_looked_at_again(
    no_room: None, live: Live, crowd: Crowd, agent: Agent, watcher: Watcher
) -> None:
    provider = live.register_provider()
    crowd.page = 2
    for number in range(5):
        crowd.commit(live, provider, agent, Lazy() if number == 3 else None)
    agent.up = False
    assert look(watcher, 6) == []
    assert len(watcher._withheld) == 1
    agent.up = True
    assert look(watcher, 6) == ["false_attestation"]
    # five audits, all of them done: nothing is read again
    assert watcher._withheld == watcher._next_again == watcher._passed_over == {}
    assert len(watcher._audited) == 5


def test_one_provider_does_not_take_up_all_room(
    no_room: None, live: Live, other: Live, crowd: Crowd, agent: Agent, watcher: Watcher
) -> None:
    first, second = live.register_provider(), other.register_provider()
    for _ in range(3):
        crowd.commit(live, first, agent)
    crowd.commit(other, second, agent)
    agent.up = False
    assert look(watcher, 1) == []
    waiting = [each.shown.commit.provider for each in watcher._withheld.values()]
    assert waiting == [first, second]


# --- stake --------------------------------------------------------------------------------------


def test_who_has_no_stake_is_not_audited_until_it_has(
    live: Live, crowd: Crowd, agent: Agent, watcher: Watcher, poor: int
) -> None:
    crowd.commit(live, poor, agent, Lazy())
    with capture_logs() as logs:
        assert look(watcher, 3) == []
    said = [entry for entry in logs if entry["event"] == "not worth a conviction"]
    assert [entry["provider"] for entry in said] == [poor]
    assert agent.opened == 0
    assert sent(live, watcher) == 0
    # an entry needs stake, and the commit that it is given for was seen before
    stake(live, poor)
    assert look(watcher, 2) == ["false_attestation"]


def test_two_ends_of_who_has_no_stake_are_filed_when_it_has(
    live: Live, crowd: Crowd, agent: Agent, watcher: Watcher, poor: int
) -> None:
    crowd.commit(live, poor, agent)
    crowd.commit(live, poor, agent, end=7)
    assert look(watcher, 2) == []
    assert sent(live, watcher) == 0
    stake(live, poor)
    assert "equivocation" in look(watcher, 2)


def test_who_has_lost_its_stake_is_asked_nothing_on_chain(
    live: Live, crowd: Crowd, agent: Agent, watcher: Watcher
) -> None:
    provider = live.register_provider()
    crowd.commit(live, provider, agent)
    agent.up = False
    assert look(watcher, 1) == []
    slash(live, provider, SELF_BOND - UNIT)
    assert look(watcher, 3) == []
    assert requests(live) == []
    assert sent(live, watcher) == 0
    # its own stake again, and it is
    stake(live, provider)
    assert look(watcher, 1) == []
    assert [each.provider for each in requests(live)] == [provider]


def test_a_request_of_others_is_not_executed_for_nothing(
    live: Live, crowd: Crowd, agent: Agent, watcher: Watcher
) -> None:
    provider = live.register_provider()
    crowd.commit(live, provider, agent)
    agent.up = False
    assert look(watcher, 2) == []
    assert len(requests(live)) == 1
    slash(live, provider, SELF_BOND)
    live.mine(1, 3 * LEAF_ANSWER_PERIOD)
    filer = Filer(live.chain, KeystoreSigner(live.customer), gas_cap=10**6)
    stranger = LeafRequester(live.chain, filer)
    assert len(list(stranger.look())) == 1
    stranger.execute_due()
    assert live.read("ProviderStaking", "is_jailed", provider) is False
    # whose bond it is executes all the same
    assert look(watcher, 1) == ["withheld_opening"]
    assert look(watcher, 1) == []
    assert watcher.requests.bonds.returned == LEAF_BOND
