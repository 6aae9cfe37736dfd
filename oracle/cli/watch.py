"""`clearwork watch`: check everybody's claims and file what is false."""

import json
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from oracle.adapters.chain.client import Chain
from oracle.adapters.chain.deployment import Deployment
from oracle.adapters.gpu import load_backend
from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.domain.web_address import web_address
from oracle.errors import Misconfigured
from oracle.services.filing import Conviction
from oracle.services.prove import warm_up
from oracle.services.request_leaves import Bonds
from oracle.services.watch import Watcher

app = typer.Typer()


@app.command()
def watch(
    oracle: Annotated[list[str], typer.Option(help="URL of an oracle to watch; repeatable.")],
    deployment: Annotated[Path, typer.Option(help="deployments/<chain id>.json")],
    rpc: Annotated[list[str], typer.Option(help="JSON-RPC endpoint; repeatable.")],
    keystore: Annotated[
        Path | None, typer.Option(help="Key that files proofs and earns. Absent: run dry.")
    ] = None,
    password_file: Annotated[Path | None, typer.Option(help="Password of the keystore.")] = None,
    leaves: Annotated[
        int, typer.Option(min=1, help="Leaves of 128 entries to open per commit.")
    ] = 64,
    gas_cap: Annotated[int, typer.Option(help="Most gas one proof may use.")] = 2_000_000,
    bond_budget: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Base units of the staked token for bonds, held or lost within seven days, to ask "
            "on chain for leaves that an agent withholds; an eighth of it for one provider. "
            "Absent: only say what would be asked for.",
        ),
    ] = None,
    asks: Annotated[
        int, typer.Option(min=1, help="Looks in a row that a leaf is withheld before that.")
    ] = 12,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 5.0,
    once: Annotated[bool, typer.Option("--once", help="Look once and exit.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON line per conviction or bond.")
    ] = False,
) -> None:
    """Recompute what oracles and providers signed, convict liars, earn the bounty.

    Bonds are counted from the last seven days of the chain's logs, also after a restart. Ctrl-C
    ends it, with a table of what it earned unless --json is given.

    Example: clearwork watch --oracle http://127.0.0.1:8001 --deployment deployments/31337.json
    --rpc http://127.0.0.1:8545 --keystore watcher.json --password-file watcher.pw
    """
    signer = None
    if keystore is not None:
        if password_file is None:
            raise Misconfigured("the keystore needs its password", "Pass --password-file.")
        signer = KeystoreSigner.load(keystore, password_file)
    chain = Chain(rpc, Deployment.load(deployment)).connect()
    backend = load_backend()
    warm_up(backend)
    watcher = Watcher(
        chain=chain,
        sources=[web_address(url) for url in oracle],
        backend=backend,
        signer=signer,
        leaves=leaves,
        gas_cap=gas_cap,
        bond_budget=bond_budget,
        asks=asks,
    )
    with closing(watcher):
        try:
            _watch(watcher, None if once else interval, as_json)
        finally:
            # however it ends: without --once by Ctrl-C, or by an error
            if not as_json:
                bonds = watcher.requests.bonds
                Console().print(_table(watcher.convictions, watcher.earned, bonds))


def _watch(watcher: Watcher, interval: float | None, as_json: bool) -> None:
    """Look every `interval` seconds, for ever; None: look once."""
    bonds = Bonds()
    while True:
        for conviction in watcher.watch_once():
            if as_json:
                print(json.dumps(asdict(conviction)), flush=True)
        if watcher.requests.bonds != bonds:
            bonds = watcher.requests.bonds
            if as_json:
                print(json.dumps({"bonds": asdict(bonds)}), flush=True)
        if interval is None:
            return
        time.sleep(interval)


def _table(convictions: list[Conviction], earned: int, bonds: Bonds) -> Table:
    caption = (
        f"base units of the staked token; earned {earned:,}\n"
        f"bonds paid {bonds.paid:,}, returned {bonds.returned:,}, lost {bonds.lost:,}"
    )
    table = Table(title="Convictions", caption=caption)
    for column in ("kind", "offender", "slashed", "victim", "reporter", "burnt", "gas"):
        table.add_column(column, justify="left" if column in ("kind", "offender") else "right")
    for c in convictions:
        amounts = (c.slashed, c.victim_paid, c.reporter_paid, c.burnt, c.gas)
        table.add_row(c.kind, c.offender, *(f"{amount:,}" for amount in amounts))
    return table
