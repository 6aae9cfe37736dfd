"""Runs beside the main one: other seeds, worse networks, shorter attestations."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from scripts._parameters import HOUR
from scripts._simulation.conduct import Ladder
from scripts._simulation.figures import Figures, figures
from scripts._simulation.fleet import Plan
from scripts._simulation.simulation import Simulation
from scripts._simulation.terms import ATTESTATION_PERIOD, terms

Progress = Callable[[], None]

SEEDS, SEED_DEVICES = range(2, 6), 200
JITTERS_BPS, LOSSES_BPS, SWEEP_DEVICES = (0, 1_000, 3_000, 5_000), (0, 100, 500), 60
PERIODS, PERIOD_DEVICES = (24, 12, 6, 3, 2, 1), 160
DEADLINES_MS, DEADLINE_DEVICES = (60_000, 20_000, 12_000, 9_000), 60
STUDIES = len(SEEDS) + len(JITTERS_BPS) * len(LOSSES_BPS) + len(PERIODS) + len(DEADLINES_MS)


def play(
    plan: Plan,
    progress: Progress,
    attestation_period: int = ATTESTATION_PERIOD,
    deadline_ms: int | None = None,
) -> Figures:
    """One run, from the plan to its figures."""
    run = Simulation(plan, terms(attestation_period, deadline_ms))
    run.run(progress)
    return figures(run)


def seeds(plan: Plan, progress: Progress) -> Iterator[Figures]:
    """The same fleet, smaller, in other worlds."""
    for seed in SEEDS:
        yield play(replace(plan, seed=seed, devices=SEED_DEVICES, limits=2), progress)


def sweep(plan: Plan, progress: Progress) -> Iterator[Figures]:
    """Honest devices alone, whose cards and networks get worse."""
    honest = replace(plan, devices=SWEEP_DEVICES, cheats_bps=0, limits=0)
    for jitter in JITTERS_BPS:
        for loss in LOSSES_BPS:
            yield play(replace(honest, jitter_bps=jitter, loss_bps=loss), progress)


def periods(plan: Plan, progress: Progress) -> Iterator[Figures]:
    """The same fleet, smaller, where an attestation lasts for fewer hours."""
    smaller = replace(plan, devices=PERIOD_DEVICES, cheats_bps=1_000, limits=2)
    for hours in PERIODS:
        yield play(smaller, progress, hours * HOUR)


def deadlines(plan: Plan, progress: Progress) -> Iterator[Figures]:
    """Honest devices and ladders, where oracles wait for a shorter time."""
    smaller = replace(plan, devices=DEADLINE_DEVICES, cheats_bps=0, limits=12)
    for milliseconds in DEADLINES_MS:
        fleet = replace(smaller, limit_kinds=(Ladder,))
        yield play(fleet, progress, deadline_ms=milliseconds)
