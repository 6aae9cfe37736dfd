"""Cards that compute for real, on a clock that only their work moves.

Oracles read the time of `Stopwatch`; each multiplication of a `Card` moves it by what a card of
its rate would take. So rates are exact, whatever the machine that runs the tests is doing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from oracle.adapters.gpu.numpy_backend import NumpyBackend
from oracle.api.schemas import LaneBody, LanesBody, WalkBody
from oracle.domain.attestation import (
    LEAF_BYTES,
    FoldedTree,
    Mode,
    WalkDims,
    answer_hash,
    walk,
)
from oracle.domain.hashing import keccak
from oracle.domain.messages import Open, WalkCommit
from oracle.services.prove import Proof, WalkProof, prove_walk
from scripts._anvil import test_key as key_of
from tests.oracle.conftest import QUERIES, Live, Machine, Oracle, introduce

# operations of one chain of the tests' dimensions
OPERATIONS = 2 * 2 * 128 * 128 * 256
# of chain time; far above the seconds that anvil's clock adds between two blocks
SECONDS = 1_000
# a card like that needs five eighths of it, as for a planned challenge
WINDOW_MS = SECONDS * 1_600
RATE = OPERATIONS // SECONDS


@dataclass
class Stopwatch:
    """Nanoseconds."""

    ns: int = 0

    def advance(self, seconds: float) -> None:
        self.ns += int(seconds * 10**9)


class Card(NumpyBackend):
    """A card that sustains `rate` operations per second on a stopwatch."""

    def __init__(self, watch: Stopwatch, rate: int = RATE) -> None:
        self._watch = watch
        self.rate = rate

    def matmul(self, a: Any, b: Any) -> Any:
        product = super().matmul(a, b)
        self._watch.advance(2 * product.size * a.shape[1] / self.rate)
        return product


@pytest.fixture
def watch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def timed(
    live: Live, make_oracle: Callable[..., Oracle], watch: Stopwatch
) -> Callable[..., list[Oracle]]:
    """Oracles that look at the stopwatch, each `lag` seconds later than the one before."""

    def make(lag: float = 0, count: int = 4, **settings: Any) -> list[Oracle]:
        values = {"attestation_deadline_ms": WINDOW_MS, "leader_delay": 1, **settings}
        made = [
            make_oracle(key, f"timed-{i}", **values) for i, key in enumerate(live.oracles[:count])
        ]
        for place, oracle in enumerate(made):
            # what has not begun is not late: a beacon is seen at once
            oracle.node.clock.now_ns = (  # type: ignore[method-assign]
                lambda late=place * lag: watch.ns + (int(late * 10**9) if watch.ns else 0)
            )
        introduce(made)
        return made

    return make


def begin(live: Live, oracles: list[Oracle], epoch: int = 1) -> None:
    """Enter an epoch and let everybody see its beacon in the block that holds it."""
    live.enter_epoch(epoch)
    for oracle in oracles:
        oracle.look()
    live.send(live.deployer, "EpochLedger", "record_beacon")
    for oracle in oracles:
        oracle.look()


def challenge(oracle: Oracle, machine: Machine, state: str = "open") -> dict[str, Any]:
    """Register and ask; checks the state."""
    oracle.post("/v1/devices", machine.registration())
    view: dict[str, Any] = oracle.get(f"/v1/devices/0x{machine.device.hex()}/challenge")
    assert view["state"] == state, view
    return view


def answer(
    oracles: list[Oracle], machine: Machine, proof: Proof, body: dict[str, Any]
) -> list[dict[str, Any]]:
    """Hand in a commit and its openings everywhere; the verdicts."""
    verdicts = []
    for oracle in oracles:
        challenge(oracle, machine)
        ack = oracle.post("/v1/commits", body)
        verdicts.append(oracle.post("/v1/openings", machine.openings(proof, ack)))
    return verdicts


def attest_on(card: NumpyBackend, machine: Machine, oracles: list[Oracle]) -> list[dict[str, Any]]:
    """Take one device through an epoch's challenge on a card."""
    proof, body = machine.prove_on(card, challenge(oracles[0], machine))
    return answer(oracles, machine, proof, body)


OWNERS = ("the same provider", "another provider")


def owned_by(owner: str, machine: Machine) -> Machine:
    """A machine of the first provider, or the same one in somebody else's hands."""
    return machine if owner == OWNERS[0] else of_another_provider(machine)


def of_another_provider(machine: Machine) -> Machine:
    """The same machine in somebody else's hands."""
    other = replace(machine.live, provider_owner=key_of(8), operator=key_of(9))
    return replace(machine, live=other, provider=other.register_provider())


def entry(live: Live, machine: Machine) -> Any:
    """A device's entry in the registry."""
    return live.read("DeviceRegistry", "device_info", machine.device)


class Hasher(NumpyBackend):
    """A card that hashes so many times a second on a stopwatch, with memory or without."""

    def __init__(self, watch: Stopwatch, rate: float, holds_table: bool = True) -> None:
        self._watch = watch
        self._rate = rate
        self._holds_table = holds_table

    def table(self, key: bytes, dims: WalkDims) -> Any:
        self._watch.advance(
            (dims.hashes if self._holds_table else dims.hashes_without_memory) / self._rate
        )
        return super().table(key, dims) if self._holds_table else NoTable(key)


@dataclass(frozen=True)
class NoTable:
    """A walk in which each entry is made when a lane asks for it, and forgotten."""

    key: bytes

    def walk(self, start: bytes, dims: WalkDims) -> FoldedTree:
        ends = b"".join(NumpyBackend().lane_ends(self.key, start, dims, range(dims.lanes)))
        blocks = [ends[at : at + LEAF_BYTES] for at in range(0, len(ends), LEAF_BYTES)]
        levels = [b"".join(map(keccak, blocks))]
        while len(levels[-1]) > 32:
            below = levels[-1]
            pairs = (below[at : at + 64] for at in range(0, len(below), 64))
            levels.append(b"".join(map(keccak, pairs)))
        return FoldedTree(ends, levels)


def walk_of(
    machine: Machine, view: dict[str, Any], backend: NumpyBackend | None = None
) -> tuple[WalkProof, dict[str, Any]]:
    """Walk through the table of a residency challenge; the proof and the signed commit."""
    assert view["mode"] == Mode.RESIDENCY
    dims = WalkDims(*(view[name] for name in ("m", "n", "k", "rounds")))
    seed = bytes.fromhex(view["seed"][2:])
    proof = prove_walk(backend or NumpyBackend(), seed, seed, dims)
    commit = WalkCommit(
        machine.provider,
        machine.device,
        view["epoch"],
        seed,
        dims.entries,
        dims.lanes,
        dims.steps,
        dims.depth,
        proof.tree.root,
    )
    signature = machine.live.sign(machine.live.operator, commit, "DeviceRegistry")
    return proof, WalkBody.of(commit, signature).model_dump(mode="json")


def lanes_of(machine: Machine, proof: WalkProof, ack: dict[str, Any]) -> dict[str, Any]:
    """The signed answer to the query for a walk."""
    secret, name = bytes.fromhex(ack["secret"][2:]), bytes.fromhex(ack["commit"][2:])
    lanes = proof.answer(walk.draw_lanes(proof.commitment, secret, QUERIES, proof.dims))
    message = Open(name, keccak(secret), answer_hash(lanes))
    signature = machine.live.sign(machine.live.operator, message, "DeviceRegistry")
    return LanesBody(
        commit=name, openings=[LaneBody.of(one) for one in lanes], signature=signature
    ).model_dump(mode="json")
