"""Time the check of a GPU's evidence on one core: `make bench-evidence`.

Takes a file with evidence (`clearwork agent evidence --out`, or what NVIDIA's tools write) and
checks its cards over and over: with the maker's authorities kept from earlier checks, as an oracle
has them, and without. Writes build/bench/evidence.json, milliseconds of processor time.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import click

from oracle.domain.evidence import Evidence, identify, read_evidence, read_report
from oracle.domain.evidence.chain import forget_authorities
from scripts._project import ROOT

OUT = ROOT / "build" / "bench" / "evidence.json"
VECTORS = Path(os.environ.get("CLEARWORK_VECTORS", ROOT.parent / "shared" / "vectors"))
BUDGET_MS = 10


@click.command()
@click.option(
    "--evidence",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=VECTORS / "nvidia" / "multi_gpu_hopper.json",
    help="File with evidence.",
)
@click.option("--checks", default=200, help="How often to check.")
def main(evidence: Path, checks: int) -> None:
    """Print and write the median and the slowest of CHECKS."""
    cards = read_evidence(evidence.read_bytes())
    figures: dict[str, float] = {}
    _milliseconds(cards[0], _nothing)  # the first one also sets up the cryptography
    for name, before in (("known_maker", _nothing), ("first_of_its_maker", forget_authorities)):
        taken = [_milliseconds(cards[turn % len(cards)], before) for turn in range(checks)]
        figures[f"{name}_ms"] = round(median(taken), 3)
        figures[f"{name}_slowest_ms"] = round(max(taken), 3)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=2) + "\n")
    for name, figure in figures.items():
        print(f"{name:30}{figure:8.3f}  budget {BUDGET_MS}")


def _milliseconds(card: Evidence, before: Callable[[], None]) -> float:
    before()
    start = time.process_time_ns()
    identify(card, read_report(card.report).nonce, int(time.time()))
    return (time.process_time_ns() - start) / 1e6


def _nothing() -> None:
    pass


if __name__ == "__main__":
    main()
