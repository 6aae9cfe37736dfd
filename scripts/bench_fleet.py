"""Close an epoch over a whole network and claim from it: `make bench-fleet`.

Heartbeats are written to disk first, untimed. Then an oracle's work is timed in a process of its
own: read them, agree on every job, build leaves, roots and all proofs. The report goes to the real
EpochLedger on anvil with the committee's signatures, and random leaves are claimed against it.
Writes build/bench/fleet.json; with --docs the table goes into docs/benchmarks.md.
"""

import json
import multiprocessing
import random
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import click

from oracle.domain.epochs import LeafKind, provider_key
from scripts._bench import HOUR, MEMBERS, OPERATOR, OWNER, UNIT, Bench
from scripts._fleet import BEAT, Claim, Closed, Fleet, close_fleet, fill
from scripts._project import ROOT
from scripts.bench import DOCS, market

DATABASE = ROOT / "build" / "bench" / "fleet.db"
OUT = DATABASE.with_suffix(".json")
STAKE = 100 * UNIT

T = TypeVar("T")


@click.command()
@click.option("--machines", default=140_000, show_default=True, help="Machines, a job on each.")
@click.option("--providers", default=20_000, show_default=True, help="Providers they belong to.")
@click.option("--beats", default=60, show_default=True, help="Heartbeats of each machine.")
@click.option("--claims", default=1_000, show_default=True, help="Leaves to claim on chain.")
@click.option("--docs", is_flag=True, help="Put the table into docs/benchmarks.md.")
def main(machines: int, providers: int, beats: int, claims: int, docs: bool) -> None:
    """Measure, write build/bench/fleet.json, print the figures."""
    with market() as bench:
        chain = Chain(bench)
        # whoever is claimed for has to exist on chain
        owners = chain.register(claims)
        fleet = chain.fleet(machines, providers, beats)
        print(f"writing {machines * beats:,} heartbeats ...", flush=True)
        apart(fill, DATABASE, fleet)
        print("closing the epoch ...", flush=True)
        closed = apart(close_fleet, DATABASE, fleet, owners)
        print(f"posting the report, claiming {claims:,} leaves ...", flush=True)
        figures = figures_of(closed, *chain.settle(closed))
    OUT.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))
    print(f"written: {OUT.relative_to(ROOT)}")
    DATABASE.unlink()
    if docs:
        update_docs(DOCS, figures)


def apart(work: Callable[..., T], *arguments: Any) -> T:
    """Run `work` in a fresh process."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as pool:
        return pool.submit(work, *arguments).result()
