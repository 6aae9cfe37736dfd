"""One oracle of four may say whatever it likes: the other three agree, record, settle, report."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, cast

import httpx
import pytest

from oracle.adapters import peers
from oracle.adapters.peers import Peer
from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.api import schemas
from oracle.domain.hashing import keccak
from oracle.domain.messages import Proposal
from oracle.errors import Transient
from oracle.services.membership import Member
from tests.oracle.conftest import Live, Machine, Oracle, attest, step, step_until
from tests.oracle.service.test_follow import device_proposal
from tests.oracle.service.test_settle import report, settled, work

BOUND = {"type": "urn:clearwork:Bound", "title": "bound to another", "detail": "adopt that"}
NOTHING = {"type": "urn:clearwork:NotFound", "title": "nothing", "detail": "propose something"}


class Liar:
    """An oracle that answers its peers as a test likes, with what it would say at hand."""

    def __init__(self, oracle: Oracle, others: list[Oracle]) -> None:
        self.oracle, self.others = oracle, others

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        said = self.say(method, path)
        return self.oracle.http.request(method, path, **options) if said is None else said

    def say(self, method: str, path: str) -> httpx.Response | None:
        """What it says; None: the truth."""
        raise NotImplementedError

    def identity_of(self, member: Oracle) -> httpx.Response:
        health = self.oracle.http.get("/health").json()
        return httpx.Response(200, json=health | {"oracle": member.node.member.identity()})


def meet(honest: list[Oracle], liar: Liar) -> None:
    """Make them each other's peers; some meet the liar first, some last."""
    for number, oracle in enumerate(honest):
        met = [Peer("http://oracle", one.http) for one in honest if one is not oracle]
        met.insert(0 if number % 2 else len(met), Peer("http://liar", cast(Any, liar)))
        oracle.node.peers[:] = met


class TalksNonsense(Liar):
    """No answer is of the protocol; it is known by its health."""

    answer = b"[]"

    def say(self, method: str, path: str) -> httpx.Response | None:
        return None if path == "/health" else httpx.Response(200, content=self.answer)


class HasNoHealth(TalksNonsense):
    """Not even that, nor JSON."""

    answer = b"<html>"

    def say(self, method: str, path: str) -> httpx.Response | None:
        return httpx.Response(200, content=self.answer)


class BoundToNothing(Liar):
    """Bound to another proposal, whatever it is asked to sign, and shows none."""

    shows: Any = None

    def say(self, method: str, path: str) -> httpx.Response | None:
        if method == "POST":
            return httpx.Response(409, json=BOUND)
        if "/proposals/" not in path:
            return None
        if self.shows is None:
            return httpx.Response(404, json=NOTHING)
        return httpx.Response(200, json=self.shows)


class BoundToNonsense(BoundToNothing):
    """And shows what no proposal looks like."""

    shows = {"device": "0x", "observations": 7}  # noqa: RUF012 - never changed


class BoundToAnother(BoundToNothing):
    """And shows a proposal that holds, about something else: the last that it saw signed."""

    def say(self, method: str, path: str) -> httpx.Response | None:
        if method == "GET" and "/proposals/device/" in path:
            shown = {"device": "0x" + "11" * 32, "epoch": 1, "observations": []}
            return httpx.Response(200, json=shown)
        return super().say(method, path)


class SaysItIsAnother(Liar):
    """Has the name of an honest member, and signs nothing."""

    def say(self, method: str, path: str) -> httpx.Response | None:
        if path == "/health":
            return self.identity_of(self.others[0])
        return httpx.Response(503, json=NOTHING) if method == "POST" else None


class SignsAsAnother(SaysItIsAnother):
    """And puts its own signature where that member's belongs."""

    def say(self, method: str, path: str) -> httpx.Response | None:
        return self.identity_of(self.others[0]) if path == "/health" else None


class SaysItIsNobody(Liar):
    """Has a name that no member has."""

    def say(self, method: str, path: str) -> httpx.Response | None:
        if path == "/health":
            health = self.oracle.http.get("/health").json()
            return httpx.Response(200, content=json.dumps(health | {"oracle": "0x" + "11" * 20}))
        return None


@pytest.mark.parametrize(
    "liar",
    [
        TalksNonsense,
        HasNoHealth,
        BoundToNothing,
        BoundToNonsense,
        BoundToAnother,
        SaysItIsAnother,
        SignsAsAnother,
        SaysItIsNobody,
    ],
)
def test_three_oracles_do_all_the_work_beside_a_liar(
    live: Live, oracles: list[Oracle], machine: Machine, liar: type[Liar]
) -> None:
    *honest, other = oracles
    meet(honest, liar(other, honest))
    live.enter_epoch(1)
    step_until(honest, lambda: live.read("EpochLedger", "beacon", 1) != bytes(32))
    attest(machine, oracles)
    step_until(honest, lambda: live.read("DeviceRegistry", "device_info", machine.device)[4] > 0)
    job = live.open_job(machine.provider)
    work(live, honest, machine, 20)
    report(honest, machine, job, 15)
    step_until(honest, lambda: settled(live, job) == 15)
    live.enter_epoch(2)
    step_until(honest, lambda: live.read("EpochLedger", "last_epoch")[0] >= 1)


def test_a_liar_that_shows_what_holds_is_followed_once(
    live: Live, oracles: list[Oracle], machine: Machine
) -> None:
    """An honest member is bound to one proposal; the liar says that it is bound to another."""
    *honest, other = oracles
    live.enter_epoch(1)
    step(oracles)
    attest(machine, oracles)
    held, shown = device_proposal(oracles[:3], machine), device_proposal(oracles[1:], machine)
    assert held != shown
    statement = honest[0].node.record.endorse(held)

    class BoundToWhatHolds(BoundToNothing):
        shows = schemas.DeviceProposal.of(shown).model_dump(mode="json")

    meet(honest, BoundToWhatHolds(other, honest))
    for leader in honest[1:]:
        assert leader.node.record.lead(machine.device, 1, patient=False)
        leader.node.outbox.tick()
    live.mine()
    (posted,) = live.chain.logs("DeviceRegistry", "DeviceAttested")
    assert bytes(posted["args"]["result"]) == statement.report.payload


def test_only_members_propose(live: Live, oracles: list[Oracle], machine: Machine) -> None:
    """Who may choose among what holds, could bind each member to something else."""
    live.enter_epoch(1)
    step(oracles)
    attest(machine, oracles)
    asked, leader = oracles[0], oracles[1]
    path = "/v1/peer/proposals/device"
    body = schemas.DeviceProposal.of(device_proposal(oracles[:3], machine)).model_dump_json()
    stranger = Member(leader.node.store, leader.node.market, KeystoreSigner(live.customer))
    vouch = leader.node.member.vouch

    def ask(body: str, signature: bytes | None) -> int:
        headers = {"Content-Type": "application/json"}
        if signature is not None:
            headers[schemas.SIGNATURE_HEADER] = f"0x{signature.hex()}"
        return asked.http.post(path, content=body, headers=headers).status_code

    assert ask(body, None) == 422
    assert ask(body, bytes(64)) == 422
    assert ask(body, bytes(65)) == 401
    assert ask(body, stranger.vouch(body.encode())) == 401
    assert ask(body + " ", vouch(body.encode())) == 401
    # a member's, for another chain or another contract
    message = Proposal(keccak(body.encode()))
    here = leader.node.market.domain("OracleCommittee")
    for domain in (
        replace(here, chain_id=1),
        leader.node.market.domain("JobEscrow"),
    ):
        assert ask(body, leader.node.member.sign(message.digest(domain))) == 401
    assert asked.node.store.statements(0, 9) == []
    assert ask(body, vouch(body.encode())) == 200
    # it is the same request if it is sent again
    assert ask(body, vouch(body.encode())) == 200
    assert len(asked.node.store.statements(0, 9)) == 1


@pytest.mark.parametrize("kind", ["usage", "blame", "device", "device-time", "epoch"])
def test_no_proposal_of_a_stranger_is_looked_at(oracles: list[Oracle], kind: str) -> None:
    answer = oracles[0].http.post(f"/v1/peer/proposals/{kind}", json={})
    assert answer.status_code == 422
    assert "clearwork-signature" in answer.text.lower()


def test_what_drips_or_never_ends_is_over_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(peers, "MAX_ANSWER_BYTES", 10_000)
    for talk in (b"HTTP/1.1 200 OK\r\nA: ", b"HTTP/1.1 200 OK\r\n\r\n", b""):
        with talking(talk) as (url, asked):
            peer = Peer(url)
            started = time.monotonic()
            for _ in range(50):
                with pytest.raises(Transient):
                    peer.usage(1)
            assert time.monotonic() - started < 4
            # and is left alone for ten times as long as it took
            assert len(asked) == 1
            peer.close()
    with talking(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 20_000) as (url, _):
        peer = Peer(url)
        with pytest.raises(Transient, match="more than 10000 bytes"):
            peer.usage(1)
        peer.close()


@contextmanager
def talking(first: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that sends `first` and then a byte from time to time; what it was asked."""
    asked: list[bytes] = []
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            with suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    asked.append(connection.recv(4_096))
                    connection.sendall(first)
                    while not over.wait(0.05):
                        connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        over.set()
        thread.join()
