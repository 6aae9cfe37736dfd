"""Measure what the market's transactions cost: `make bench`.

Writes build/bench/gas.json and prints every figure beside the best that another network was
measured with, our budget, and the floor: what the EVM charges for the same effects without a
single instruction. With --docs the table goes into docs/benchmarks.md. A figure over its budget
that no decision argues for makes it fail.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import ape
import click
from ape.logging import LogLevel, logger
from rich.console import Console
from rich.progress import track
from rich.table import Table

from scripts._anvil import anvil
from scripts._bench import Bench, Measurement, bench_parameters, measure
from scripts._bench_subnets import emission
from scripts._deployment import Progress
from scripts._market import build_market
from scripts._parameters import Parameters
from scripts._project import ROOT

OUT = ROOT / "build" / "bench" / "gas.json"
FLOORS = OUT.with_name("gas_floor.json")
DOCS = ROOT / "docs" / "benchmarks.md"
COLUMNS = ("transaction", "ours", "best peer", "of peer", "budget", "of budget", "floor")
MARKS = ("<!-- table: make bench -->\n", "<!-- end of table -->\n")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of the table: what it is, whom we compare with, what we allow ourselves."""

    key: str
    what: str
    peer: int | None
    peer_name: str
    budget: int | None


ROWS = (
    Row("stake_first", "stake, first", 89_944, "The Graph", 80_000),
    Row("stake_add", "stake, again", 55_744, "The Graph", 48_000),
    Row("delegate_new", "delegate, first", 90_069, "The Graph", 85_000),
    Row("delegate_add", "delegate, again", 72_969, "The Graph", 60_000),
    Row("unbond_first", "unbond, first", 152_460, "Prime Intellect", 95_000),
    Row("unbond_second", "unbond, second", 101_148, "Prime Intellect", 75_000),
    Row("undelegate_first", "undelegate, first", 152_460, "Prime Intellect", 95_000),
    Row("undelegate_second", "undelegate, second", 101_148, "Prime Intellect", 75_000),
    Row("slash", "slash, 200 unbonding, 3 delegators", 106_289, "The Graph", 90_000),
    Row("open_job", "open and fund a job", 91_121, "The Graph", 125_000),
    Row("top_up", "top up a job", 56_921, "The Graph", 50_000),
    Row("take_offer_first", "take an offer: open, fund, accept", None, "nobody", None),
    Row("take_offer_again", "take more of it", None, "nobody", None),
    Row("voucher_repeat", "settle a voucher, again", 145_240, "The Graph", 60_000),
    Row("vouchers_10_per_voucher", "a voucher of 10, one provider", None, "nobody", None),
    Row("cluster_form_4", "form a cluster of 4", None, "nobody", None),
    Row("cluster_accept_4", "accept a job with it", None, "nobody", None),
    Row("cluster_voucher_repeat", "settle its voucher, again", None, "nobody", None),
    *(
        Row(f"receipts_{size}_per_receipt", f"a receipt of {size}, one provider", *known)
        for size, known in {
            1: (None, "nobody", None),
            10: (81_000, "Livepeer", None),
            50: (80_600, "The Graph", 7_500),
            100: (None, "nobody", None),
            400: (None, "nobody", 6_200),
            512: (None, "nobody", None),
        }.items()
    ),
    *(
        Row(
            f"receipts_scattered_{size}_per_receipt",
            f"a receipt of {size}, all of other providers",
            None,
            "nobody",
            None,
        )
        for size in (1, 10, 50, 100, 400, 512)
    ),
    Row("committee_report_5of7", "epoch report, 5 of 7 signatures", 99_717, "OCR2, 3", 90_000),
    Row("device_renewal", "renew a device, 5 of 7 signatures", None, "nobody", None),
    Row("claim_140k_repeat", "claim of 140 000, again", 88_558, "EigenLayer", 62_000),
    Row("claim_vesting_repeat", "claim that vests, again", None, "nobody", 78_000),
    Row("claim_vesting_alone_repeat", "the same without delegators", None, "nobody", 78_000),
    Row("press", "press an epoch's budget, one subnet", None, "nobody", None),
    Row("subnet_create", "create a subnet", None, "nobody", None),
    Row("subnet_register", "buy a place in it", None, "nobody", None),
    Row("weights_commit", "commit to weights, again", None, "nobody", None),
    Row("weights_reveal_64", "reveal 64 weights, again", None, "nobody", None),
    Row("gauge_vote", "vote for two subnets, again", None, "nobody", None),
    Row("verify_n16384", "recompute an entry, n = 16 384", None, "nobody", None),
    Row("convict_n16384", "convict it: check, slash, jail", None, "nobody", 250_000),
    Row("court_convict_equivocation", "convict of two ends of a chain", None, "nobody", None),
    Row("leaf_request", "ask for a withheld leaf", None, "nobody", None),
    Row("leaf_answer", "show it, n = 16 384", None, "nobody", None),
    Row("leaf_execute", "convict of not showing it", None, "nobody", None),
    Row("court_accuse", "accuse: bond, hold stake", None, "nobody", None),
    Row("court_answer", "answer an accusation", None, "nobody", None),
    Row("court_rule", "rule on it, 5 of 7 signatures", None, "nobody", None),
    Row("court_execute", "execute: refund, slash, jail", None, "nobody", None),
)

# rows that are over their budget, and the decision in docs/decisions that says why
ARGUED = {
    "claim_vesting_repeat": "0036",
    "claim_vesting_alone_repeat": "0036",
    "convict_n16384": "0008",
}


@click.command()
@click.option("--docs", is_flag=True, help="Put the table into docs/benchmarks.md.")
def main(docs: bool) -> None:
    """Measure, write build/bench/gas.json, print the table."""
    figures = measured()
    OUT.parent.mkdir(parents=True, exist_ok=True)
    for path, numbers in (
        (OUT, {key: figure.gas for key, figure in figures.items()}),
        (FLOORS, {key: figure.floor for key, figure in figures.items()}),
    ):
        path.write_text(json.dumps(numbers, indent=2, sort_keys=True) + "\n")
    # in a log the table takes the width it needs
    Console(width=None if sys.stdout.isatty() else 120).print(table(figures))
    print(f"written: {OUT.relative_to(ROOT)}, {FLOORS.relative_to(ROOT)}")
    if docs:
        update_docs(DOCS, figures)
    if found := faults(figures):
        raise click.ClickException("\n".join(found))


def faults(figures: dict[str, Measurement]) -> list[str]:
    """The rows that are over their budget unargued, or argued about though they hold it."""
    found = []
    for row in ROWS:
        gas = figures[row.key].gas
        over = row.budget is not None and gas > row.budget
        if over and row.key not in ARGUED:
            found.append(f"{row.what}: {gas:,} gas, over its budget of {row.budget:,}")
        if not over and row.key in ARGUED:
            found.append(
                f"{row.what}: holds its budget now, decision {ARGUED[row.key]} is outdated"
            )
    return found


def measured() -> dict[str, Measurement]:
    """Figures by key, from a chain and a market of our own."""
    with market() as bench:
        steps = track(
            chain(measure(bench), emission(bench)),
            "measuring",
            total=len(ROWS),
            console=Console(file=sys.stderr),
        )
        return {measurement.key: measurement for measurement in steps}


@contextmanager
def market() -> Iterator[Bench]:
    """A market to measure in, on a chain of its own."""
    with anvil("--accounts", "20", "--gas-limit", "60000000") as url:
        os.environ["APE_FOUNDRY_HOST"] = url
        with (
            ape.networks.parse_network_choice("ethereum:local:foundry"),
            logger.at_level(LogLevel.WARNING),
        ):
            local = Parameters.load(
                ROOT / "deployments" / "params" / "local.yaml", allow_test_keys=True
            )
            contracts = build_market(
                bench_parameters(local),
                ape.accounts.test_accounts[0],
                Progress(None, ape.chain.blocks.head.timestamp),
                print,
            )
        yield Bench(url, {name: str(each.address) for name, each in contracts.items()})


def table(figures: dict[str, Measurement]) -> Table:
    """The figures for the terminal; what is over its budget is red, yellow where it may be."""
    result = Table(title="Gas of whole transactions", min_width=120)
    for column in COLUMNS:
        result.add_column(column, justify="right" if column != COLUMNS[0] else "left")
    for row in ROWS:
        over = row.budget is not None and figures[row.key].gas > row.budget
        style = "yellow" if row.key in ARGUED else "red"
        result.add_row(*cells(row, figures[row.key]), style=style if over else None)
    return result


def cells(row: Row, figure: Measurement) -> tuple[str, ...]:
    """One line of the table, in the order of `COLUMNS`."""
    peer = f"{row.peer:,} ({row.peer_name})" if row.peer else "-"
    ratio = f"{figure.gas / row.peer:.2f}" if row.peer else "-"
    budget = f"{row.budget:,}" if row.budget else "-"
    share = f"{100 * figure.gas / row.budget:.0f} %" if row.budget else "-"
    return row.what, f"{figure.gas:,}", peer, ratio, budget, share, f"{figure.floor:,}"


def update_docs(path: Path, figures: dict[str, Measurement]) -> None:
    """Replace the table between the marks."""
    before, rest = path.read_text().split(MARKS[0])
    # other tables have the same end
    after = rest.split(MARKS[1], 1)[1]
    lines = [
        f"| {' | '.join(COLUMNS)} |",
        f"|---|{'---:|' * (len(COLUMNS) - 1)}",
        *(f"| {' | '.join(cells(row, figures[row.key]))} |" for row in ROWS),
    ]
    path.write_text(before + MARKS[0] + "\n".join(lines) + "\n" + MARKS[1] + after)


if __name__ == "__main__":
    main()
