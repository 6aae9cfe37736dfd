"""Calibrate: how fast a backend is here, by its parts and by whole challenges."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from oracle.adapters.gpu.backend import Backend
from oracle.adapters.gpu.classes import DeviceClass
from oracle.domain.attestation import (
    LEAF_BYTES,
    Matrix,
    bytes_per_second,
    operations_per_second,
    plan,
    plan_bandwidth,
    plan_walk,
    steps_per_second,
)
from oracle.domain.attestation.plan import RUN_EIGHTHS
from oracle.services.prove import prove, prove_walk, warm_up

CHAIN_QUERIES, WALK_QUERIES = 128, 64
# a part is measured on as much work as takes this long
ENOUGH_SECONDS = 0.1
LARGEST_SIDE = 16_384
# in which challenges are planned here: a run takes four seconds
WINDOW_MS = 6_400
# of the slowest run that becomes the floor: a card is not always as cool as here
FLOOR_BPS, BPS = 9_000, 10_000
# a chain that suits a rate fills so many eighths of the window that it is rated by
WINDOW_EIGHTHS = {"throughput": RUN_EIGHTHS, "bandwidth": RUN_EIGHTHS, "walk": 8}
# more bytes a second than any device reads: a bandwidth chain of the most rounds
WIDEST_CLAIM = 10**15
_SEED = bytes(32)


@dataclass(frozen=True, slots=True)
class Rates:
    """What the parts of a backend do here: 10^6 bytes or 10^9 int8 operations a second."""

    generate_mb_s: float
    int8_gops: float
    hash_mb_s: float

    @property
    def ops_per_second(self) -> int:
        """The product's rate, as a claim to plan a challenge for."""
        return max(1, int(self.int8_gops * 1e9))

    @property
    def hashes_per_second(self) -> int:
        """Keccaks a second, from the generator: 32 bytes each."""
        return max(1, int(self.generate_mb_s * 1e6 / 32))


def measure_rates(backend: Backend[Any, Any]) -> Rates:
    """Measure each part on squares that grow until they take `ENOUGH_SECONDS`."""
    warm_up(backend)

    def generate(side: int) -> None:
        rows = backend.factor(_SEED, Matrix.A, side, side)
        # a GPU is done only when something is read from it
        backend.fold_pairs(rows[:1], rows[:1])

    side, seconds = _enough(generate)
    generate_rate = side * side / seconds / 1e6

    def multiply(side: int) -> Callable[[], None]:
        a, b = (backend.factor(_SEED, matrix, side, side) for matrix in Matrix)

        def run() -> None:
            int(backend.matmul(a, b)[0][0])

        return run

    side, seconds = _enough_prepared(multiply)
    product_rate = 2 * side**3 / seconds / 1e9

    def commit(side: int) -> Callable[[], None]:
        rows = [backend.factor(_SEED, matrix, side, 32) for matrix in Matrix]
        product = backend.matmul(*rows)

        def run() -> None:
            # reading the root waits for it
            bytes(backend.fold_commit(product).root)

        return run

    side, seconds = _enough_prepared(commit)
    # folded bytes, and two nodes of 32 bytes a leaf
    hashed = side * side * (LEAF_BYTES + 64) // LEAF_BYTES
    return Rates(round(generate_rate, 1), round(product_rate, 2), round(hashed / seconds / 1e6, 1))


def calibrate(
    backend: Backend[Any, Any], name: str, memory_mb: int, runs: int, say: Callable[[str], None]
) -> DeviceClass:
    """Run whole challenges as an oracle would plan them, and make a class of the slowest ones.

    The floors are the bounds that an oracle would certify who claims what the slowest run took,
    less a tenth: work counts by the whole window, not by its own time. `say` is told each step.
    """
    rates = measure_rates(backend)
    say(
        f"{rates.generate_mb_s} MB/s generated, {rates.int8_gops} GOPS, "
        f"{rates.hash_mb_s} MB/s hashed"
    )
    floors = {}
    for kind, (prove_one, bound) in _challenges(backend, rates, memory_mb).items():
        bounds = []
        for run in range(1, runs + 1):
            elapsed_ms = _milliseconds(partial(prove_one, run.to_bytes(32, "big")))
            bounds.append(bound(elapsed_ms))
            say(f"{kind}, run {run}: {elapsed_ms:,} ms, at least {bounds[-1]:.4g} a second")
        floors[kind] = min(bounds) * WINDOW_EIGHTHS[kind] * FLOOR_BPS // (8 * BPS)
    return DeviceClass(
        name=name,
        # of a kind of card, whichever place it has here
        backend=re.sub(r":\d+$", "", backend.name),
        memory_mb=memory_mb,
        ops_per_second=max(1, floors["throughput"]),
        bytes_per_second=floors["bandwidth"],
        walk_steps_per_second=floors["walk"],
        calibrated=True,
        source=f"measured on this card: the slowest of {runs} runs in its window, "
        f"less {BPS - FLOOR_BPS} bps",
    )


def _challenges(
    backend: Backend[Any, Any], rates: Rates, memory_mb: int
) -> dict[str, tuple[Callable[[bytes], bytes], Callable[[int], int]]]:
    """By kind: how to prove it for a seed, and the bound that milliseconds lead to."""
    chain = plan(rates.ops_per_second, memory_mb, WINDOW_MS)
    # B takes longer to generate than to read: as many rounds as a chain may have
    wide = plan_bandwidth(WIDEST_CLAIM, memory_mb, WINDOW_MS)
    table = plan_walk(rates.hashes_per_second, memory_mb, WINDOW_MS)
    return {
        "throughput": (
            lambda seed: prove(backend, seed, chain).final_seed,
            partial(operations_per_second, chain, CHAIN_QUERIES),
        ),
        "bandwidth": (
            lambda seed: prove(backend, seed, wide).final_seed,
            partial(bytes_per_second, wide, CHAIN_QUERIES),
        ),
        "walk": (
            lambda seed: prove_walk(backend, seed, seed, table).commitment,
            partial(steps_per_second, table, WALK_QUERIES),
        ),
    }


def _milliseconds(work: Callable[[], bytes]) -> int:
    """Whole milliseconds, rounded up as an oracle does."""
    started = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - started) // 1_000_000 + 1


def _enough(work: Callable[[int], None]) -> tuple[int, float]:
    return _enough_prepared(lambda side: lambda: work(side))


def _enough_prepared(prepare: Callable[[int], Callable[[], None]]) -> tuple[int, float]:
    """The first side for which the work takes long enough to be timed, and its seconds."""
    side = 64
    while True:
        work = prepare(side)
        started = time.perf_counter()
        work()
        seconds = time.perf_counter() - started
        if seconds >= ENOUGH_SECONDS or side == LARGEST_SIDE:
            return side, seconds
        side *= 2
