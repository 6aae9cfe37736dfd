"""`clearwork validator`: weigh the places of subnets, commit, reveal on time."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.table import Table

from oracle.adapters.store.row_files import RowFiles
from oracle.cli.options import (
    AsJson,
    DeploymentFile,
    Keystore,
    PasswordFile,
    RpcUrls,
    open_chain,
    open_signer,
)
from oracle.domain.scores import BPS
from oracle.errors import ClearworkError, Fatal, NotFound
from oracle.services.validate import Step, Validator

app = typer.Typer(help="Weigh the places of subnets, commit, reveal on time.", no_args_is_help=True)
log = structlog.get_logger()


@app.callback()
def _group() -> None:
    """Keeps `run` a command of its own while it is the only one."""


@app.command()
def run(
    provider: Annotated[int, typer.Argument(help="Provider that validates.")],
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
    state: Annotated[
        Path,
        typer.Option(help="Directory of the rows that wait for their reveal. Keep it safe."),
    ] = Path("validator"),
    subnet: Annotated[
        list[int] | None,
        typer.Option(help="Subnet to validate; repeatable. Absent: all with a place."),
    ] = None,
    usage_bps: Annotated[
        int,
        typer.Option(
            min=0, max=BPS, help="Part of a score that settled work makes; the rest is speed."
        ),
    ] = 5_000,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 10.0,
    once: Annotated[bool, typer.Option("--once", help="Look once and exit.")] = False,
    as_json: AsJson = False,
) -> None:
    """Score every place by attested speed and settled work; commit to the row, reveal it on time.

    A row is written to --state before its commit is sent, so a restart loses nothing.

    Example: clearwork validator run 7 --deployment deployments/31337.json
    --rpc http://127.0.0.1:8545 --keystore operator.json --password-file operator.pw
    """
    signer = open_signer(keystore, password_file)
    files = RowFiles(state)
    validator = Validator(open_chain(rpc, deployment), signer, provider, files, usage_bps)
    while True:
        steps = _look(validator, subnet, once)
        if as_json:
            for step in steps:
                print(json.dumps(asdict(step)), flush=True)
        if once:
            break
        time.sleep(interval)
    if not as_json:
        Console().print(_table(steps))


def _look(validator: Validator, subnets: list[int] | None, once: bool) -> list[Step]:
    """One step in each subnet; a loop goes on after errors that may pass."""
    steps = []
    try:
        chosen = subnets or validator.subnets()
        if not chosen:
            raise NotFound(
                "the provider has no place in any subnet",
                "Buy one: clearwork subnet register SUBNET PROVIDER",
            )
    except ClearworkError as error:
        if once:
            raise
        log.warning("look failed", reason=str(error), remedy=error.remedy)
        return []
    for subnet in chosen:
        try:
            steps.append(validator.step(subnet))
        except Fatal:
            raise
        except ClearworkError as error:
            if once:
                raise
            log.warning("step failed", subnet=subnet, reason=str(error), remedy=error.remedy)
    return steps


def _table(steps: list[Step]) -> Table:
    table = Table(title="Weights")
    for column in ("subnet", "done", "detail", "uid: weight"):
        table.add_column(column)
    for step in steps:
        row = step.row
        pairs = zip(row.uids, row.weights, strict=True) if row else ()
        weights = ", ".join(f"{uid}: {weight:,}" for uid, weight in pairs)
        table.add_row(str(step.subnet), step.done, step.detail, weights)
    return table
