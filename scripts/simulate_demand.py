"""Demand and price fall at once, under both supply policies: `make simulate-demand`.

A market grows, then network fees fall by 55 % and the price of the work token by half. Writes
build/bench/emission_policies.json; with --docs the tables go into docs/emission-policies.md and the
chart into docs/charts. docs/emission-policies.md says what is the product's and what is modelled.
"""

import json
from dataclasses import replace
from pathlib import Path

import click

from scripts._demand import tables
from scripts._demand.chart import chart
from scripts._demand.market import Day, Scenario, play
from scripts._pages import update_docs
from scripts._project import ROOT

OUT = ROOT / "build" / "bench" / "emission_policies.json"
DOCS = ROOT / "docs" / "emission-policies.md"
CHART = ROOT / "docs" / "charts" / "emission-policies.svg"
# days before the shock: the shorter, the less the allowance has grown
SHOCK_DAYS = (30, 45, 60, 90, 120, 180, 360)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON, not as tables.")
@click.option("--docs", is_flag=True, help="Put tables and chart into docs.")
def main(as_json: bool, docs: bool) -> None:
    """Simulate, write build/bench/emission_policies.json, print the figures."""
    scenario = Scenario()
    days = list(play(scenario))
    found = {number: early(scenario, number) for number in SHOCK_DAYS}
    document = tables.document(days, scenario)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(document, indent=2) + "\n")
    shown = {
        "shock": tables.shock(days, scenario),
        "reserves": tables.reserves(found),
        "supply": tables.supply(days, scenario),
    }
    print(json.dumps(document, indent=2) if as_json else "\n".join(shown.values()))
    if docs:
        write_docs(DOCS, CHART, shown, chart(days, scenario))


def early(scenario: Scenario, shock_day: int) -> tuple[Scenario, list[Day]]:
    """The same market with the shock at another day, by which the fleet is whole; a year of it."""
    other = replace(
        scenario,
        shock_day=shock_day,
        growth_days=min(shock_day, scenario.growth_days),
        days=shock_day + 360,
    )
    return other, list(play(other))


def write_docs(page: Path, drawing: Path, shown: dict[str, str], drawn: str) -> None:
    """Put tables and chart where they belong."""
    drawing.parent.mkdir(exist_ok=True)
    drawing.write_text(drawn)
    update_docs(page, shown)


if __name__ == "__main__":
    main()
