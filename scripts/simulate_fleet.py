"""A day of an attested fleet on a virtual clock: `make simulate-fleet`.

Devices of mixed cards compute small chains, oracles check them with the product's code, a watcher
convicts, epochs pay; eight kinds of cheats are among them, and four that pass as long as
they compute what is asked. The same seed gives the same figures on every machine. Writes
build/bench/fleet_attestation.json; with --docs the tables go into docs/attestation-fleet.md and the
chart into docs/charts. docs/attestation-fleet.md says what is real and what is modelled.
"""

import json
import sys
import time

import click
from rich.console import Console
from rich.progress import Progress

from scripts._pages import update_docs
from scripts._project import ROOT
from scripts._simulation import studies, tables
from scripts._simulation.chart import chart
from scripts._simulation.figures import Figures
from scripts._simulation.fleet import Plan

OUT = ROOT / "build" / "bench" / "fleet_attestation.json"
DOCS = ROOT / "docs" / "attestation-fleet.md"
CHART = ROOT / "docs" / "charts" / "attestation-fleet.svg"


@click.command()
@click.option("--devices", default=1_000, show_default=True, help="Devices, cheats included.")
@click.option("--hours", default=24, show_default=True, help="Epochs of an hour.")
@click.option("--seed", default=1, show_default=True, help="Of everything that is drawn.")
@click.option("--jitter", default=30.0, show_default=True, help="Percent, of speed and latency.")
@click.option("--loss", default=1.0, show_default=True, help="Percent of packets.")
@click.option("--studies", "more", is_flag=True, help="Also other seeds, networks, parameters.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON, not as tables.")
@click.option("--docs", is_flag=True, help="Put tables and chart into docs.")
def main(
    devices: int, hours: int, seed: int, jitter: float, loss: float, more: bool, as_json: bool,
    docs: bool,
) -> None:  # fmt: skip
    """Simulate, write build/bench/fleet_attestation.json, print the figures."""
    if devices < 20 or hours < 1 or not 0 <= jitter < 100 or not 0 <= loss < 100:
        raise click.UsageError(
            "Simulate 20 devices or more for at least an hour, jitter and loss from 0 to below 100."
        )
    plan = Plan(devices, hours, seed, jitter_bps=round(jitter * 100), loss_bps=round(loss * 100))
    started = time.process_time()
    with Progress(console=Console(file=sys.stderr)) as progress:
        task = progress.add_task("simulating", total=hours * (1 + more * studies.STUDIES))

        def advance() -> None:
            progress.advance(task)

        run = studies.play(plan, advance)
        found = {"main": [run]}
        if more:
            found["seeds"] = list(studies.seeds(plan, advance))
            found["sweep"] = list(studies.sweep(plan, advance))
            found["periods"] = list(studies.periods(plan, advance))
            found["windows"] = list(studies.windows(plan, advance))
    seconds = time.process_time() - started
    document = {name: [each.document() for each in runs] for name, runs in found.items()}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(document, indent=2) + "\n")
    shown = written(found)
    print(json.dumps(document, indent=2) if as_json else "\n".join(shown.values()))
    print(f"{seconds:.0f} s of processor time; written: {OUT.relative_to(ROOT)}", file=sys.stderr)
    if docs:
        CHART.parent.mkdir(exist_ok=True)
        CHART.write_text(chart(run))
        update_docs(DOCS, shown)


def written(found: dict[str, list[Figures]]) -> dict[str, str]:
    """The tables of what was run, by name."""
    shown = {"caught": tables.kinds(found["main"][0]), "money": tables.money(found["main"][0])}
    shown["honest"] = tables.honest([*found["main"], *found.get("seeds", [])])
    if "sweep" in found:
        shown["sweep"] = tables.honest(found["sweep"])
    if "periods" in found:
        shown["periods"] = tables.periods(found["periods"])
        shown["windows"] = tables.windows(found["windows"])
    return shown


if __name__ == "__main__":
    main()
