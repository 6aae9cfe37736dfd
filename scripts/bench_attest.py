"""Measure attestation: verifier, prover, generator, dispute: `make bench-attest`.

Everything that claims one core runs in a process of its own that is bound to one, with one thread
for BLAS, and counts that process's processor time: what else the machine does is not in it. Gas is
that of whole transactions, from anvil's receipts. Writes build/bench/attest.json; with --docs the
table goes into docs/benchmarks.md.
"""

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import click

from oracle.domain.attestation import Dims, Matrix, Opening, WalkDims, draw_queries, walk
from oracle.domain.hashing import keccak
from scripts._bench import OWNER, convict_entry
from scripts._parameters import UNIT
from scripts._project import ROOT
from scripts.bench import DOCS, market

OUT = ROOT / "build" / "bench" / "attest.json"
MARKS = ("<!-- table: make bench-attest -->\n", "<!-- end of attest table -->\n")
SIDES = (4_096, 8_192, 16_384, 32_768)
ROUNDS, QUERIES = 8, 128
REPETITIONS = 7
PROVER = Dims(4_096, 4_096, 4_096, 1)
# the fleet's challenge
FLEET, FLEET_SIDE, CORES = 1_000, 16_384, 2
# a walk as planned for a card of 24 GB: lanes that a verifier replays, steps of each
WALK, WALK_QUERIES = WalkDims(639_472_784, 8_388_608, 328, 8), 64
# 64-bit operations of keccak-f[1600]: 24 rounds of 80 for theta and rho, 76 for chi and iota
PERMUTATION_OPERATIONS = 24 * 156

T = TypeVar("T")


@click.command()
@click.option("--docs", is_flag=True, help="Put the table into docs/benchmarks.md.")
@click.option("--gas/--no-gas", default=True, help="Measure convictions on anvil as well.")
def main(docs: bool, gas: bool) -> None:
    """Measure, write build/bench/attest.json, print the figures."""
    figures = measure(FULL, gas)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=2) + "\n")
    for what, measured, budget in rows(figures):
        print(f"{what:<52} {measured:>12}  {budget}")
    print(f"written: {OUT.relative_to(ROOT)}")
    if docs:
        update_docs(figures)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured: the figures of a small one are no figures, but have their form."""

    # n = K of the chains that are verified and disputed
    sides: tuple[int, ...] = SIDES
    repetitions: int = REPETITIONS
    prover: Dims = PROVER
    # verifications, and n = K of each
    fleet: int = FLEET
    fleet_side: int = FLEET_SIDE
    walk: WalkDims = WALK


FULL = Sizes()


def measure(sizes: Sizes, gas: bool) -> dict[str, Any]:
    """All figures, as they are written."""
    # read when BLAS is loaded, which only the processes below do
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1"))
    asked = chain(sizes.fleet_side)
    repetitions = sizes.repetitions
    figures: dict[str, Any] = {
        "generator_mb_s": on_one_core(partial(generator_rate, repetitions)),
        "verify_ms": {
            str(side): on_one_core(partial(verify_time, side, repetitions)) for side in sizes.sides
        },
        "walk_verify_ms": on_one_core(partial(walk_verify_time, sizes.walk, repetitions)),
        "prover_seconds": on_one_core(partial(prover_times, sizes.prover)),
        "ops_ratio": ops_ratio(asked),
        "ops_ratio_with_hashes": ops_ratio(asked, PERMUTATION_OPERATIONS),
        **fleet_times(sizes.fleet, sizes.fleet_side),
    }
    if gas:
        figures["dispute_gas"] = dispute_gas(sizes.sides)
    return figures


def chain(side: int) -> Dims:
    """The chain whose verification is timed, and whose false entry is convicted."""
    return Dims(side, side, side, ROUNDS)


# --- one core -----------------------------------------------------------------------------------


def on_one_core(work: Callable[[], T]) -> T:
    """Run `work` in a fresh process that may use one core."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, use_cores, (1,)) as pool:
        return pool.submit(work).result()


def use_cores(count: int) -> None:
    """Bind this process to the first `count` cores, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def least_seconds(work: Callable[[], object], repetitions: int) -> float:
    """Processor time of the fastest of some repetitions; the first one compiles."""
    work()
    times = []
    for _ in range(repetitions):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def generator_rate(repetitions: int) -> int:
    """Megabytes of int8 a second."""
    from oracle.adapters.gpu.numpy_backend import NumpyBackend

    rows, length = 2_048, 4_096
    backend = NumpyBackend()
    seconds = least_seconds(lambda: backend.factor(bytes(32), Matrix.A, rows, length), repetitions)
    return int(rows * length / seconds / 1e6)


def verify_time(side: int, repetitions: int) -> float:
    """Milliseconds to check all openings of one chain."""
    return round(1e3 * least_seconds(partial(verify, side), repetitions), 2)


def verify(side: int) -> int:
    """All that a verifier does, on openings of the right shape; returns the false entries.

    The leaves are zeros and the paths lead nowhere, because no honest chain of this size can be
    computed here. Nothing is skipped for it: every path is hashed, every entry recomputed.
    """
    from oracle.adapters.gpu.numpy_backend import NumpyBackend
    from oracle.services.verify import false_entries, in_tree

    dims, seed = chain(side), keccak(b"seed")
    roots = [keccak(bytes([index])) for index in range(dims.rounds)]
    path = tuple(keccak(level.to_bytes(2, "big")) for level in range(dims.depth))
    openings = [
        Opening(query, bytes(128), path) for query in draw_queries(roots[-1], seed, QUERIES, dims)
    ]
    if any(in_tree(dims, roots, opening) for opening in openings):
        raise RuntimeError("a path of nothing leads to a root")
    return len(false_entries(NumpyBackend(), dims, seed, roots, openings))


def walk_verify_time(dims: WalkDims, repetitions: int) -> float:
    """Milliseconds to replay the lanes of one residency walk."""
    from oracle.adapters.gpu.numpy_backend import replay_lanes

    lanes = walk.draw_lanes(bytes(32), bytes(32), WALK_QUERIES, dims)
    key, start = walk.table_key(bytes(32)), bytes(32)
    return round(1e3 * least_seconds(lambda: replay_lanes(key, start, dims, lanes), repetitions), 2)


def prover_times(dims: Dims) -> dict[str, float]:
    """Seconds of one round, by part."""
    from oracle.adapters.gpu.numpy_backend import NumpyBackend
    from oracle.services.prove import prove, warm_up

    spent = {"factor": 0.0, "matmul": 0.0, "fold_commit": 0.0}

    class Stopwatch:
        """The backend, with a clock on every part."""

        name = "stopwatch"

        def __init__(self) -> None:
            self._backend = NumpyBackend()

        def __getattr__(self, part: str) -> Any:
            def timed(*arguments: Any) -> Any:
                start = time.process_time()
                result = getattr(self._backend, part)(*arguments)
                spent[part] = spent.get(part, 0.0) + time.process_time() - start
                return result

            return timed

    warm_up(NumpyBackend())
    prove(Stopwatch(), bytes(32), dims)
    # to the microsecond: a small round takes less than a millisecond
    return {
        "generate": round(spent["factor"], 6),
        "multiply": round(spent["matmul"], 6),
        "hash": round(spent["fold_commit"], 6),
    }


# --- counted ------------------------------------------------------------------------------------


def ops_ratio(dims: Dims, per_hash: int = 0) -> float:
    """Operations of the verifier of a chain over those of its prover, `per_hash` for a keccak.

    Without hashes these are the int8 operations that the rate on chain counts.
    """
    opened = QUERIES * (2 * dims.k + per_hash * (2 * dims.k // 32 + dims.depth + 1))
    generated = (dims.rounds * dims.m + dims.n) * dims.k // 32
    hashed = generated + dims.rounds * 2 * dims.leaves
    return float(f"{opened / (dims.operations + per_hash * hashed):.2g}")


# --- two cores ----------------------------------------------------------------------------------


def fleet_times(fleet: int, side: int) -> dict[str, float]:
    """Wall and processor seconds of `fleet` verifications in a pool of `CORES` processes."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(CORES, spawn, use_cores, (CORES,)) as pool:
        # every worker has its kernels before the clock starts
        list(pool.map(verify, [side] * 4 * CORES))
        start = time.perf_counter()
        used = sum(pool.map(processor_time, [side] * fleet, chunksize=10))
        return {
            "fleet_1000_s": round(time.perf_counter() - start, 1),
            "fleet_1000_cpu_s": round(used, 1),
        }


def processor_time(side: int) -> float:
    """Seconds of one verification."""
    start = time.process_time()
    verify(side)
    return time.process_time() - start


# --- on chain -----------------------------------------------------------------------------------


def dispute_gas(sides: Sequence[int]) -> dict[str, int]:
    """Gas of the transaction that convicts a provider of one false entry, by n = K."""
    gas = {}
    with market() as bench:
        bench.fund(OWNER, 1_000 * UNIT)
        for side in sides:
            before = bench.rpc("evm_snapshot")
            _check, conviction = convict_entry(bench, OWNER, chain(side))
            gas[str(side)] = conviction.gas
            bench.rpc("evm_revert", before)
    return gas


# --- results ------------------------------------------------------------------------------------


def rows(figures: dict[str, Any]) -> Sequence[tuple[str, str, str]]:
    """What, measured, budget."""
    prover = figures["prover_seconds"]
    hashing = 1 - prover["multiply"] / sum(prover.values())
    verify_budget = {"16384": "<= 45"}
    return [
        ("keccak generator, MB/s", f"{figures['generator_mb_s']:,}", ">= 100"),
        *(
            (f"verify, n = K = {int(side):,}, ms", f"{ms}", verify_budget.get(side, "-"))
            for side, ms in figures["verify_ms"].items()
        ),
        ("verify a walk of 24 GB, 64 lanes, ms", f"{figures['walk_verify_ms']}", "-"),
        ("prover, n = K = 4,096: generate, s", f"{prover['generate']:.3f}", "-"),
        ("prover: multiply, s", f"{prover['multiply']:.3f}", "-"),
        ("prover: fold and hash, s", f"{prover['hash']:.3f}", "-"),
        ("prover: hashing, of all", f"{hashing:.1%}", "<= 20 %"),
        ("int8 operations, verifier / prover", f"{figures['ops_ratio']}", "<= 1e-06"),
        ("the same, hashes counted", f"{figures['ops_ratio_with_hashes']}", "-"),
        ("1,000 verifications on 2 cores, s", f"{figures['fleet_1000_s']}", "<= 51"),
        ("processor time of it, s", f"{figures['fleet_1000_cpu_s']}", "-"),
        *(
            (f"convict on chain, n = K = {int(side):,}, gas", f"{gas:,}", "-")
            for side, gas in figures.get("dispute_gas", {}).items()
        ),
    ]


def update_docs(figures: dict[str, Any]) -> None:
    """Replace the table between the marks."""
    before, rest = DOCS.read_text().split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    lines = ["| what | measured | budget |", "|---|---:|---:|"]
    lines += [f"| {' | '.join(row)} |" for row in rows(figures)]
    DOCS.write_text(before + MARKS[0] + "\n".join(lines) + "\n" + MARKS[1] + after)


if __name__ == "__main__":
    main()
