"""Tables for people: income in percent of target, tokens in whole WORK."""

from collections.abc import Mapping, Sequence

from oracle.domain.demand import UNIT
from scripts._demand.market import HOURS, SCHEDULE, Day, Scenario
from scripts._simulation.tables import markdown

# of the spec's stress test: suppliers' income within so many percent of target, for so many days
BAND = 10
WATCHED = 90


def income(day: Day, policy: str) -> float:
    """What suppliers are paid on a day, in percent of their full targets."""
    return float(100 * getattr(day, policy) / day.target)


def days_held(days: Sequence[Day], scenario: Scenario) -> int | None:
    """Days from the shock on before income first leaves the band; none if it never does."""
    for after, day in enumerate(days[scenario.shock_day :]):
        if abs(income(day, "demand") - 100) > BAND:
            return after
    return None


def shock(days: Sequence[Day], scenario: Scenario) -> str:
    """Income under both policies, at some days after the shock."""
    after = days[scenario.shock_day :]
    rows = [("the day before", days[scenario.shock_day - 1]), ("first day", after[0])]
    rows += [(f"day {number}", after[number - 1]) for number in (2, 30, WATCHED, 180, 360)]
    return markdown(
        ["income, percent of target", "demand", "halving"],
        [
            [name, f"{income(day, 'demand'):.1f}", f"{income(day, 'halving'):.1f}"]
            for name, day in rows
        ],
    )


def reserves(found: Mapping[int, tuple[Scenario, Sequence[Day]]]) -> str:
    """How long which allowance at the shock lasts."""
    rows = []
    for scenario, days in found.values():
        before, after = days[scenario.shock_day - 1], days[scenario.shock_day :]
        owed = sum(each.payment.owed for each in after[1].epochs)
        held = days_held(days, scenario)
        rows.append(
            [
                str(scenario.shock_day),
                tokens(before.allowance),
                f"{before.allowance / owed:.0f}",
                tokens(before.fee_vault),
                f"{min(income(day, 'demand') for day in after[:WATCHED]):.1f}",
                f"more than {len(after)}" if held is None else str(held),
            ]
        )
    return markdown(
        [
            "days before the shock",
            "allowance then, WORK",
            "days of what is owed after it",
            "fee vault then, WORK",
            f"lowest day of {WATCHED}, percent of target",
            "days within 10 percent",
        ],
        rows,
    )


def supply(days: Sequence[Day], scenario: Scenario) -> str:
    """Tokens minted, burnt and kept back."""
    rows = []
    for name, number in (
        ("the day before", scenario.shock_day - 1),
        (f"day {WATCHED}", scenario.shock_day + WATCHED - 1),
        (f"day {scenario.days - scenario.shock_day}", scenario.days - 1),
    ):
        day = days[number]
        rows.append(
            [
                name,
                tokens(day.minted),
                tokens(day.allowance),
                tokens(day.fee_vault),
                tokens(day.burnt),
                tokens(day.minted_by_halving),
                tokens(SCHEDULE.cap),
                f"{100 * day.scale / UNIT:.1f}",
            ]
        )
    return markdown(
        [
            "WORK at the end of",
            "minted, demand",
            "allowance",
            "fee vault",
            "burnt",
            "minted, halving",
            "cap",
            "targets, percent",
        ],
        rows,
    )


def tokens(base_units: int) -> str:
    """Whole tokens, rounded down."""
    return f"{base_units // UNIT:,}"


def document(days: Sequence[Day], scenario: Scenario) -> dict[str, object]:
    """The figures of a run for machines: income in bps of target, tokens in base units."""
    return {
        "shock_day": scenario.shock_day,
        "days_held": days_held(days, scenario),
        "epochs": len(days) * HOURS,
        "days": [
            {
                "demand_bps": day.demand * 10_000 // day.target,
                "halving_bps": day.halving * 10_000 // day.target,
                "allowance": day.allowance,
                "fee_vault": day.fee_vault,
                "minted": day.minted,
                "minted_by_halving": day.minted_by_halving,
                "burnt": day.burnt,
                "scale": day.scale,
            }
            for day in days
        ],
    }
