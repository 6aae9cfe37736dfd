"""Tables for people: WORK to a tenth, rounded down, and percent of what honest play leaves."""

from collections.abc import Sequence

from scripts._incentives.studies import Result
from scripts._incentives.terms import World
from scripts._parameters import DAY, UNIT
from scripts._simulation.tables import markdown

HEAD = ("strategy", "case", "honest, WORK", "played, WORK", "gain, WORK", "gain", "so it")


def work(base_units: int, sign: str = "") -> str:
    """WORK to a tenth, rounded down, so that no loss looks like nothing."""
    return f"{base_units * 10 // UNIT / 10:{sign},.1f}"


def percent(bps: int | None) -> str:
    """A gain in percent; "-" beside nothing."""
    return "-" if bps is None else f"{bps / 100:+.2f} %"


def verdict(result: Result) -> str:
    """Whether it pays."""
    if result.gain == 0:
        return "changes nothing"
    return "loses" if result.gain < 0 else "**gains**"


def strategies(results: Sequence[Result]) -> str:
    """A row for each case."""
    rows = [
        (
            each.strategy, each.case if each.stoppable else f"*{each.case}*", work(each.fair),
            work(each.played), work(each.gain, "+"), percent(each.gain_bps), verdict(each),
        )
        for each in results
    ]  # fmt: skip
    # cases are text as well
    return markdown(HEAD, rows).replace("|---|---:|", "|---|---|", 1)


def parameters(world: World) -> str:
    """All parameters of a run."""
    terms = world.terms
    rows = (
        ("epochs, of seconds", f"{world.epochs} of {world.epoch_length:,}"),
        ("seed", str(world.seed)),
        ("emission before the first halving, WORK in 12 s", f"{world.schedule.initial / UNIT:g}"),
        ("issued before, WORK", work(world.issued)),
        ("beta; cap ratio, bps", f"{world.beta_bps:,}; {world.cap_ratio_bps:,}"),
        ("fee; of it burnt, bps", f"{world.fee_bps:,}; {world.burn_bps:,}"),
        ("honest fees an epoch: at large; subnet, WORK", "; ".join(map(work, world.fees))),
        ("votes: at large; subnet, WORK", "; ".join(map(work, world.votes))),
        ("epochs of a vote; days that stake thaws",
         f"{world.vote_epochs}; {world.unbonding_period // DAY}"),
        ("days of vesting; paid at once, bps",
         f"{world.vesting_period // DAY}; {world.immediate_bps:,}"),
        ("honest validators; stake of each, WORK",
         f"{world.validators}; {work(world.others_stake)}"),
        ("the actor's stake, WORK", work(world.actor_stake)),
        ("miners", str(world.miners)),
        ("a miner's quality moves in an epoch by at most, bps", f"{world.drift_bps:,}"),
        ("a validator misjudges it by at most, bps", f"{world.noise_bps:,}"),
        ("epochs: commit interval; reveal delay; reveal window",
         f"{world.commit_interval}; {world.reveal_delay}; {world.reveal_window}"),
        ("price of a place: floor, WORK; factor, bps; hours back to the floor",
         f"{work(world.uid_floor)}; {world.uid_factor_bps:,}; {world.uid_period // 3_600}"),
        ("epochs between two strangers who register", str(world.newcomer_epochs)),
        ("immunity; activity cutoff, epochs",
         f"{terms.immunity_epochs}; {terms.activity_cutoff}"),
        ("kappa; yuma; liquid alpha",
         f"{terms.kappa:,}; {terms.yuma}; {'on' if terms.liquid_alpha else 'off'}"),
        ("owner's cut, bps", f"{terms.owner_cut_bps:,}"),
    )  # fmt: skip
    return markdown(("parameter", "value"), rows)
