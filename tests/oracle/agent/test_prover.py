"""The agent holds oracles to what they signed, and leaves those alone that refuse it."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from oracle.adapters.oracle_client import OracleClient
from oracle.adapters.problem import error_of
from oracle.api.agent import public_app
from oracle.api.schemas import ContradictionView, WalkBody
from oracle.domain.attestation import Dims, Mode
from oracle.domain.hashing import keccak
from oracle.domain.messages import Query
from oracle.domain.recovery import recover
from oracle.errors import Busy, Transient
from oracle.services.vouchers import VoucherDesk

from .conftest import DIMS, PROVIDER, WALK

HONEST = 2


def _judged(world: Any, but: Any = None) -> bool:
    return all(oracle.verdicts for oracle in world.oracles if oracle is not but)


def _evidence(agent: Any) -> list[ContradictionView]:
    return [ContradictionView.model_validate_json(body) for body in agent.state.evidence()]


def _until(world: Any, agent: Any, done: Callable[[], bool]) -> list[ContradictionView]:
    """Run until something holds; what evidence the agent has then."""
    close, agent.state.close = agent.state.close, lambda: None
    world.run(done, agent)
    found = _evidence(agent)
    close()
    return found


# --- oracles that break their word ----------------------------------------------------------


def test_a_secret_changed_after_the_commit_opens_nothing(world: Any) -> None:
    liar, *_ = world.oracles
    liar.other_secret = b"one that asks for better entries".ljust(32)
    agent = world.agent()
    (found,) = _until(
        world, agent, lambda: _judged(world, but=liar) and bool(agent.state.evidence())
    )

    assert liar.commits
    assert liar.openings == []
    # the oracle's own signatures, on a promise and on what breaks it
    assert found.oracle == liar.url
    assert found.ack is not None
    challenge = found.challenge.message(PROVIDER, agent.device_id)
    assert found.challenge.signature is not None
    key = liar.key.address
    assert recover(challenge.digest(liar.registry), found.challenge.signature) == key
    query = Query(found.ack.commit, found.ack.secret)
    assert recover(query.digest(liar.registry), found.ack.query_signature) == key
    assert keccak(found.ack.secret) != challenge.secret_hash


@pytest.mark.parametrize(
    "more", [{"queries": 9}, {"dims": Dims(32, 32, 64, 3)}, {"secret": b"other".ljust(32)}]
)
def test_asking_for_more_than_the_first_challenge_said(world: Any, more: dict[str, Any]) -> None:
    greedy = world.oracles[0]
    greedy.busy = 10**6
    agent = world.agent()

    def caught() -> bool:
        if greedy.commits:
            for name, value in more.items():
                setattr(greedy, name, value)
        return bool(agent.state.evidence())

    (found,) = _until(world, agent, caught)
    assert greedy.openings == []
    assert len(greedy.commits) == 1
    first, second = (
        view.message(PROVIDER, agent.device_id) for view in (found.challenge, found.second)
    )
    assert first != second
    assert first.seed == second.seed


def test_the_first_challenge_is_remembered_over_a_restart(world: Any) -> None:
    greedy = world.oracles[0]
    greedy.busy = 10**6
    world.run(lambda: bool(greedy.commits))
    greedy.busy, greedy.queries = 0, 128
    agent = world.agent()
    (found,) = _until(world, agent, lambda: bool(agent.state.evidence()))
    assert (found.challenge.queries, found.second.queries) == (8, 128)
    assert greedy.openings == []


def test_evidence_is_public(world: Any) -> None:
    liar = world.oracles[0]
    liar.other_secret = bytes(32)
    agent = world.agent()
    close, agent.state.close = agent.state.close, lambda: None
    world.run(lambda: bool(agent.state.evidence()), agent)
    desk = VoucherDesk(world.chain, world.signer, agent.state, PROVIDER, 60)
    (view,) = TestClient(public_app(agent, desk)).get("/v1/evidence").json()
    assert "changed its secret" in view["reason"]
    close()


def test_nothing_is_signed_for_a_stranger(world: Any) -> None:
    stranger = world.oracles[0]
    del world.chain.members[stranger.key.address]
    world.run(lambda: _judged(world, but=stranger))
    assert stranger.registrations
    assert stranger.commits == []


def test_nothing_is_signed_for_one_member_in_anothers_name(world: Any) -> None:
    stranger, other, _ = world.oracles
    world.chain.members[stranger.key.address] = other.key.address
    world.run(lambda: _judged(world, but=stranger))
    assert stranger.commits == []


@pytest.mark.parametrize("queries", [0, 1_025, 2**16 - 1])
def test_an_impossible_number_of_entries(world: Any, queries: int) -> None:
    greedy = world.oracles[0]
    greedy.queries = queries
    world.run(lambda: _judged(world, but=greedy))
    assert greedy.commits == []


# --- modes ----------------------------------------------------------------------------------


def test_bandwidth_is_a_chain_of_sixteen_rows(world: Any) -> None:
    for oracle in world.oracles:
        oracle.mode, oracle.dims = Mode.BANDWIDTH, Dims(16, 32, 64, 2)
    world.run(lambda: _judged(world))
    assert all(oracle.verdicts[0].accepted for oracle in world.oracles)


def test_residency_is_a_walk(world: Any) -> None:
    for oracle in world.oracles:
        oracle.mode = Mode.RESIDENCY
    world.run(lambda: _judged(world))
    assert all(oracle.verdicts[0].accepted for oracle in world.oracles)
    (body,) = world.oracles[0].commits
    assert isinstance(body, WalkBody)
    assert (body.entries, body.lanes) == (WALK.entries, WALK.lanes)
    assert world.backend.products == 0


def test_a_table_that_does_not_fit_is_refused(world: Any) -> None:
    world.settings["memory_mb"] = 1
    greedy, *others = world.oracles
    greedy.mode, greedy.walk = Mode.RESIDENCY, type(WALK)(2**15, 8, 4, 8)
    world.run(lambda: all(oracle.verdicts for oracle in others))
    assert greedy.commits == []


# --- back-off -------------------------------------------------------------------------------


def _epochs(world: Any, agent: Any, count: int) -> list[int]:
    """Let `count` epochs pass; those that the first oracle got a commit in."""
    epoch = rested = 1

    def is_over() -> bool:
        if not agent.backoff.is_ready(epoch):
            return rested > 10  # polls in which nothing happened
        judged = [
            [verdict for verdict, body in oracle._judged() if body.epoch == epoch]
            for oracle in world.oracles
        ]
        is_accepted = any(verdict.accepted for verdicts in judged for verdict in verdicts)
        # a refusal that arrives first counts until the agent has heard of the others
        return (not is_accepted or agent.backoff.failures == 0) and all(
            verdicts or epoch in oracle.missed
            for oracle, verdicts in zip(world.oracles, judged, strict=True)
        )

    def passed() -> bool:
        nonlocal rested, epoch
        rested += 1
        if is_over():
            epoch, rested = epoch + 1, 0
            world.chain.beacons[epoch] = bytes([epoch]) * 32
            for oracle in world.oracles:
                oracle.epoch = epoch
        return epoch > count

    world.run(passed, agent)
    return [commit.epoch for commit in world.oracles[0].commits if commit.epoch <= count]


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """No jitter."""
    monkeypatch.setattr("oracle.services.agent.secrets.randbelow", lambda _: 0)


def test_a_refused_device_tries_ever_less_often(world: Any, steady: None) -> None:
    for oracle in world.oracles:
        oracle.unfair = True
    assert _epochs(world, world.agent(), 9) == [1, 2, 4, 8]


def test_a_late_device_tries_ever_less_often(world: Any, steady: None) -> None:
    for oracle in world.oracles:
        oracle.late = True
    agent = world.agent()
    _epochs(world, agent, 9)
    assert world.backend.products == 4 * DIMS.rounds
    assert agent.backoff.failures == 4


def test_one_unfair_oracle_holds_up_nobody(world: Any, steady: None) -> None:
    world.oracles[0].unfair = True
    agent = world.agent()
    assert _epochs(world, agent, 5) == [1, 2, 3, 4, 5]
    assert agent.backoff.failures == 0


def test_jitter_comes_from_the_agent(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def draw(bound: int) -> int:
        asked.append(bound)
        return bound - 1

    monkeypatch.setattr("oracle.services.agent.secrets.randbelow", draw)
    for oracle in world.oracles:
        oracle.unfair = True
    # 1, then 1 + 1, then 2 + 2 + 1
    assert _epochs(world, world.agent(), 6) == [1, 2, 5]
    assert asked[0] == 1


def test_a_resting_oracle_is_not_answered(world: Any) -> None:
    resting, *others = world.oracles
    original = resting._challenge
    resting._challenge = lambda device: original(device).model_copy(
        update={"state": "resting", "seed": None, "resumes": 9}
    )
    world.run(lambda: all(oracle.verdicts for oracle in others))
    assert resting.commits == []


# --- what a busy oracle says ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), ("86400", 60), ("0", 0), ("9" * 5_000, 60)]
)
def test_a_busy_oracle_says_when_to_come_back(header: str, seconds: int) -> None:
    error = error_of(httpx.Response(503, headers={"Retry-After": header}), "oracle")
    assert isinstance(error, Busy)
    assert error.retry_after == seconds


@pytest.mark.parametrize("header", ["", "soon", "-1", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_another_header_says_nothing(header: str) -> None:
    error = error_of(httpx.Response(503, headers={"Retry-After": header}), "oracle")
    assert isinstance(error, Transient)
    assert not isinstance(error, Busy)


def test_an_oracle_that_is_busy_is_asked_again_later(world: Any) -> None:
    busy = world.oracles[0]
    asked: list[float] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        asked.append(asyncio.get_running_loop().time())
        return httpx.Response(503, headers={"Retry-After": "1"})

    real, transport = busy.client, httpx.MockTransport(answer)

    class Client(OracleClient):
        async def challenge(self, device: bytes) -> Any:
            client = OracleClient(busy.url, transport)
            return await client.challenge(device)

    busy.client = lambda: Client(busy.url, real()._http._transport)
    world.run(lambda: len(asked) == 3)
    assert asked[2] - asked[0] >= 2
