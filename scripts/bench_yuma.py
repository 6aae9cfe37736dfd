"""Time one epoch of Yuma consensus on one core: `make bench-yuma`.

The subnets are drawn as those of the published vectors are, so their inputs are known. Every
figure is the median of several epochs in a process bound to one core: its own processor time,
which other work on the machine is not in, and beside it the time that passed. Writes
build/bench/yuma.json; with --docs the table goes into docs/benchmarks.md.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from oracle.domain.consensus import Inputs, Params, Rows, run_epoch
from scripts._project import ROOT
from scripts.bench import DOCS
from scripts.bench_attest import on_one_core

OUT = ROOT / "build" / "bench" / "yuma.json"
MARKS = ("<!-- table: make bench-yuma -->\n", "<!-- end of yuma table -->\n")
REPETITIONS = 15
SEED = 41
SIZES = ((64, 1_024), (256, 4_096))
RULES = {
    "yuma2": {"yuma3": False, "liquid_alpha": False},
    "yuma3": {"yuma3": True, "liquid_alpha": False},
    "liquid": {"yuma3": True, "liquid_alpha": True},
}
TITLES = {"yuma2": "Yuma 2", "yuma3": "Yuma 3", "liquid": "Yuma 3, liquid alpha"}
# seconds on one core: the budget, and what the original's Rust takes for the same work
BUDGETS = {(64, "yuma2"): 0.05, (64, "yuma3"): 0.05, (64, "liquid"): 0.3}
BUDGETS |= {(256, "yuma2"): 0.8, (256, "yuma3"): 0.8, (256, "liquid"): 2.0}
ORIGINAL = {(64, "yuma2"): 0.02, (64, "liquid"): 1.16, (256, "yuma2"): 0.31, (256, "liquid"): 9.7}
COLUMNS = ("epoch", "measured, s", "time passed, s", "budget, s", "of budget", "the original, s")

PARAMS = Params(
    tempo=360,
    activity_cutoff=5_000,
    last_mechanism_step_block=0,
    stake_threshold=0,
    owner_uid=None,
    max_allowed_validators=0,
    kappa=32_767,
    bonds_penalty=65_535,
    yuma3=False,
    liquid_alpha=False,
    alpha_low=45_875,
    alpha_high=58_982,
    alpha_sigmoid_steepness=1_000,
    bonds_moving_average=900_000,
    rao_emission=296 * 10**9,
)


@click.command()
@click.option("--docs", is_flag=True, help="Put the table into docs/benchmarks.md.")
def main(docs: bool) -> None:
    """Measure, write build/bench/yuma.json, print the figures."""
    figures: dict[str, float] = {}
    for validators, miners in SIZES:
        for rule in RULES:
            key = f"{rule}_{validators}x{miners}"
            figures |= on_one_core(partial(epoch_time, key, validators, miners, rule))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=2) + "\n")
    for line in rows(figures):
        print(f"{line[0]:<40}" + "".join(f"{cell:>16}" for cell in line[1:]))
    print(f"written: {OUT.relative_to(ROOT)}")
    if docs:
        update_docs(figures)


def epoch_time(key: str, validators: int, miners: int, rule: str) -> dict[str, float]:
    """Median seconds of an epoch with old bonds: of the processor, and on the clock."""
    subnet = draw(SEED, validators, miners)
    subnet = replace(subnet, params=replace(subnet.params, **RULES[rule]))
    run_epoch(subnet)
    spent, passed = [], []
    for _ in range(REPETITIONS):
        start, start_spent = time.perf_counter(), time.process_time()
        run_epoch(subnet)
        spent.append(time.process_time() - start_spent)
        passed.append(time.perf_counter() - start)
    return {f"{key}_s": round(median(spent), 4), f"{key}_wall_s": round(median(passed), 4)}


# --- a subnet as the vectors' generator draws it ------------------------------------------------


def draw(seed: int, validators: int, miners: int) -> Inputs:
    """Validators with heavy stakes who roughly agree, a fifth of the weights missing."""
    n = validators + miners
    numbers = splitmix64(seed, miners + validators + validators * miners)
    base, skew = numbers[:miners] % 2**16, numbers[miners : miners + validators] % 2**20
    cells = numbers[miners + validators :].reshape(validators, miners)
    weights = np.minimum(base * (50 + (cells & 0xFFFF) % 101) // 100, 2**16 - 1)
    weights[(cells >> 32) % 5 == 0] = 0
    weights = weights * (2**16 - 1) // weights.max(axis=1, keepdims=True)
    bonds = splitmix64(seed ^ 0xB0B0, validators * miners) % 2**16
    stake = np.zeros(n, np.uint64)
    stake[:validators] = 10**9 + skew**2
    return Inputs(
        params=replace(PARAMS, max_allowed_validators=validators),
        block=1_000,
        last_update=np.where(np.arange(n) < validators, 990, 0).astype(np.uint64),
        block_at_registration=np.zeros(n, np.uint64),
        stake=stake,
        validator_permits=np.arange(n) < validators,
        weights=_rows(weights, weights > 0),
        bonds=_rows(bonds.reshape(validators, miners), np.full((validators, miners), True)),
    )


def _rows(matrix: NDArray[Any], held: NDArray[np.bool_]) -> Rows:
    validators, miners = matrix.shape
    row, column = np.nonzero(held)
    return Rows.from_entries(validators + miners, row, validators + column, matrix[held])


def splitmix64(seed: int, count: int) -> NDArray[np.uint64]:
    """The first numbers of the generator (Steele, Lea, Flood: Fast splittable generators)."""
    state = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = state + np.uint64(seed)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


# --- the table ----------------------------------------------------------------------------------


def rows(figures: dict[str, float]) -> Sequence[tuple[str, ...]]:
    """Lines of the table, in the order of `COLUMNS`."""
    return [_line(figures, *size, rule) for size in SIZES for rule in RULES]


def _line(figures: dict[str, float], validators: int, miners: int, rule: str) -> tuple[str, ...]:
    key, size = f"{rule}_{validators}x{miners}", f"{validators} validators, {miners:,} miners"
    measured, budget = figures[f"{key}_s"], BUDGETS[validators, rule]
    original = ORIGINAL.get((validators, rule))
    return (
        f"{TITLES[rule]}, {size}",
        f"{measured:.3f}",
        f"{figures[f'{key}_wall_s']:.3f}",
        f"{budget}",
        f"{100 * measured / budget:.0f} %",
        "-" if original is None else f"{original}",
    )


def update_docs(figures: dict[str, float]) -> None:
    """Replace the table between the marks."""
    before, rest = DOCS.read_text().split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    lines = [
        f"| {' | '.join(COLUMNS)} |",
        f"|---|{'---:|' * (len(COLUMNS) - 1)}",
        *(f"| {' | '.join(line)} |" for line in rows(figures)),
    ]
    DOCS.write_text(before + MARKS[0] + "\n".join(lines) + "\n" + MARKS[1] + after)


if __name__ == "__main__":
    main()
