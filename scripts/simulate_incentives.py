"""Thirty days of a subnet with somebody who does not play fair: `make simulate-incentives`.

Eight kinds of strategies, each beside honest play by the same actor with the same stake, by the
product's consensus and split. The same seed gives the same figures on every machine. Writes
build/bench/incentives.json; with --docs the tables go into docs/incentives.md and the chart into
docs/charts. docs/incentives.md says what is real and what is modelled.
"""

import json
import sys
import time

import click
from rich.console import Console
from rich.progress import Progress

from scripts._incentives import studies, tables
from scripts._incentives.chart import chart
from scripts._incentives.terms import World
from scripts._pages import update_docs
from scripts._project import ROOT

OUT = ROOT / "build" / "bench" / "incentives.json"
DOCS = ROOT / "docs" / "incentives.md"
CHART = ROOT / "docs" / "charts" / "incentives.svg"
# newcomers come after a day, and what they do takes a while to show
LEAST_DAYS = 3


@click.command()
@click.option("--days", default=30, show_default=True, help="Of 24 epochs.")
@click.option("--seed", default=1, show_default=True, help="Of everything that is drawn.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON, not as tables.")
@click.option("--docs", is_flag=True, help="Put tables and chart into docs.")
def main(days: int, seed: int, as_json: bool, docs: bool) -> None:
    """Simulate, write build/bench/incentives.json, print the figures."""
    if days < LEAST_DAYS:
        raise click.UsageError(f"Simulate {LEAST_DAYS} days or more.")
    world = World(epochs=24 * days, seed=seed)
    started = time.process_time()
    with Progress(console=Console(file=sys.stderr)) as progress:
        task = progress.add_task("simulating", total=studies.CASES)
        results = studies.play(world, lambda: progress.advance(task))
    seconds = time.process_time() - started
    document = {
        "parameters": world.document(),
        "results": [result.document() for result in results],
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(document, indent=2) + "\n")
    shown = {"strategies": tables.strategies(results), "parameters": tables.parameters(world)}
    print(json.dumps(document, indent=2) if as_json else "\n".join(shown.values()))
    print(f"{seconds:.0f} s of processor time; written: {OUT.relative_to(ROOT)}", file=sys.stderr)
    if docs:
        CHART.parent.mkdir(exist_ok=True)
        CHART.write_text(chart(results))
        update_docs(DOCS, shown)


if __name__ == "__main__":
    main()
