"""Tables for people: markdown, amounts in WORK a card, times in the largest fitting unit."""

from collections.abc import Sequence

from scripts._parameters import UNIT
from scripts._simulation.figures import Figures, Kind


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column is text, the others figures."""
    lines = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows]) + "\n"


def duration(seconds: int | None) -> str:
    """Seconds, minutes or hours; "-" for never."""
    if seconds is None:
        return "-"
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7_200:
        return f"{seconds // 60} min"
    return f"{seconds / 3_600:.1f} h"


def work(base_units: int, cards: int) -> str:
    """WORK a card, to a tenth, rounded down."""
    tenths = base_units * 10 // (cards * UNIT)
    return f"{tenths / 10:,.1f}"


def percent(ppm: int) -> str:
    """Parts per million as a percentage."""
    return f"{ppm / 10_000:.3f} %"


def defences(kind: Kind) -> str:
    """What stopped it first, and how often."""
    return ", ".join(f"{how} ({cards})" for how, cards in sorted(kind.first.items())) or "nothing"


def verdict(kind: Kind) -> str:
    """Whether cheating pays."""
    if kind.is_even:
        return "as honest"
    return "loses" if kind.loses else "**gains**"


KIND_HEAD = (
    "cheat", "cards", "caught", "median", "p90", "longest", "stopped first by", "convicted",
    "median",
)  # fmt: skip
MONEY_HEAD = (
    "WORK a card", "stake", "lost", "rewards seized", "to the watcher", "gained", "rent",
    "net", "honest owner", "of it lent", "cheating",
)  # fmt: skip


def kinds(run: Figures) -> str:
    """Who is caught, when and by what."""
    return markdown(
        KIND_HEAD,
        [
            (
                kind.kind if kind.stoppable else f"*{kind.kind}*", str(kind.cards),
                f"{100 * kind.caught // kind.cards} %", duration(kind.median_s),
                duration(kind.p90_s), duration(kind.longest_s), defences(kind),
                f"{kind.convicted}", duration(kind.conviction_median_s),
            )
            for kind in run.kinds
        ],
    )  # fmt: skip


def money(run: Figures) -> str:
    """What cheating costs and brings."""
    return markdown(
        MONEY_HEAD,
        [
            (
                kind.kind if kind.stoppable else f"*{kind.kind}*",
                *(
                    work(amount, kind.cards)
                    for amount in (
                        kind.stake, kind.slashed, kind.seized, kind.reporter, kind.gained,
                        kind.rent, kind.net, kind.honest, kind.lent,
                    )
                ),
                verdict(kind),
            )
            for kind in run.kinds
        ],
    )  # fmt: skip


def honest(runs: Sequence[Figures]) -> str:
    """Honest devices of some runs."""
    return markdown(
        ("run", "jitter", "packets lost", "challenges", "convicted", "refused", "no quorum",
         "below class", "hours without entry", "hours in a lower class"),
        [
            (
                f"{run.devices} devices, seed {run.seed}", f"+-{run.jitter_bps / 100:g} %",
                f"{run.loss_bps / 100:g} %", f"{run.honest.challenges:,}",
                str(run.honest.convicted), str(sum(run.honest.refused.values())),
                percent(run.honest.missed_ppm), percent(run.honest.below_class_ppm),
                percent(run.honest.without_entry_ppm), percent(run.honest.lower_class_ppm),
            )
            for run in runs
        ],
    )  # fmt: skip


def periods(runs: Sequence[Figures]) -> str:
    """What cheats that nobody convicts bring, net of an honest owner's pay, by period."""
    names = [kind.kind for kind in runs[0].kinds if not kind.convicted]
    rows = []
    for run in runs:
        found = {kind.kind: kind for kind in run.kinds}
        rows.append(
            (
                duration(run.attestation_period),
                *(work(found[name].net - found[name].honest, found[name].cards) for name in names),
                percent(run.honest.without_entry_ppm),
                f"{run.records * 24 / run.hours / run.devices:.1f}",
            )
        )
    head = ("attestation lasts", *names, "honest hours without entry", "records a device and day")
    return markdown(head, rows)


def windows(runs: Sequence[Figures]) -> str:
    """What a card under two ids in one epoch brings, by the window."""
    rows = []
    for run in runs:
        (ladder,) = run.kinds
        rows.append(
            (
                f"{run.deadline_ms // 1_000} s",
                work(ladder.net - ladder.honest, ladder.cards),
                f"{ladder.paid_hours:g}",
                percent(run.honest.missed_ppm),
                str(sum(run.honest.refused.values())),
            )
        )
    head = ("window", "ladder, WORK a card", "paid hours a card", "honest: no quorum",
            "honest: too late, per oracle")  # fmt: skip
    return markdown(head, rows)
