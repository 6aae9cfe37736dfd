"""Runs beside the main one: other seeds, worse networks, shorter attestations."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from scripts._parameters import HOUR
from scripts._simulation.conduct import (
    ClaimsMore,
    Ladder,
    Late,
    Oversells,
    Rents,
    Replays,
    TakesTurns,
    TwoIds,
)
from scripts._simulation.figures import Figures, figures
from scripts._simulation.fleet import Plan
from scripts._simulation.simulation import Simulation
from scripts._simulation.terms import ATTESTATION_PERIOD, terms

Progress = Callable[[], None]

SEEDS, SEED_DEVICES = range(2, 6), 100
# in these only time counts, so that no chains are computed
JITTERS_BPS, LOSSES_BPS, SWEEP_DEVICES = (0, 1_000, 3_000, 5_000), (0, 100, 500), 200
PERIODS, PERIOD_DEVICES = (24 * HOUR, 6 * HOUR, 2 * HOUR, ATTESTATION_PERIOD), 200
WINDOWS_MS, WINDOW_DEVICES = (60_000, 30_000, 20_000, 12_000), 200
# convicted by nobody: what they sign is true, or refused before it counts
UNCONVICTED = (Replays, ClaimsMore, TwoIds, Oversells, Late)
# true when they answer, paid for epochs in which they did not or for what is left of a window
SILENT = (Rents, TakesTurns, Ladder)
STUDIES = len(SEEDS) + len(JITTERS_BPS) * len(LOSSES_BPS) + len(PERIODS) + len(WINDOWS_MS)


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
    honest = replace(plan, devices=SWEEP_DEVICES, cheats_bps=0, limits=0, computes=False)
    for jitter in JITTERS_BPS:
        for loss in LOSSES_BPS:
            yield play(replace(honest, jitter_bps=jitter, loss_bps=loss), progress)


def periods(plan: Plan, progress: Progress) -> Iterator[Figures]:
    """Cheats that nobody convicts, where an attestation lasts for fewer hours."""
    smaller = replace(
        plan,
        devices=PERIOD_DEVICES,
        cheats_bps=1_500,
        limits=6,
        kinds=UNCONVICTED,
        limit_kinds=SILENT,
        computes=False,
    )
    for period in PERIODS:
        yield play(smaller, progress, period)


def windows(plan: Plan, progress: Progress) -> Iterator[Figures]:
    """Honest devices and ladders, where the window is longer or shorter."""
    smaller = replace(
        plan, devices=WINDOW_DEVICES, cheats_bps=0, limits=20, limit_kinds=(Ladder,),
        computes=False,
    )  # fmt: skip
    for milliseconds in WINDOWS_MS:
        yield play(smaller, progress, deadline_ms=milliseconds)
