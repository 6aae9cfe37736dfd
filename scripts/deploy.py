"""Deploy and wire a whole market: `ape run deploy --network ethereum:local:foundry`.

On a local chain the deployer is Ape's test account 0. Elsewhere it is an account that Ape
keeps (`ape accounts import ALIAS`), named by `--account`. To deploy to an anvil that runs
already, set APE_FOUNDRY_HOST to its URL; start that anvil without --block-time, with which
Ape would not wait for receipts.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import ape
import click
from ape.api import TestProviderAPI
from ape.cli import ConnectedProviderCommand
from ape.logging import LogLevel, logger

from oracle.errors import BadInput
from scripts._deployment import Progress, source_commit, write_atomically
from scripts._market import build_market, check_chain
from scripts._networks import deployer, explained, is_local, network_name
from scripts._parameters import Parameters
from scripts._project import ROOT


@click.command(cls=ConnectedProviderCommand)
@click.option(
    "--params",
    type=click.Path(dir_okay=False, path_type=Path),
    default=ROOT / "deployments" / "params" / "local.yaml",
    help="Parameter file. Default: deployments/params/local.yaml",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write. Default: deployments/<chain id>.json",
)
@click.option("--account", "alias", help="Alias of the deployer's account, where it isn't local.")
@click.option(
    "--dry-run", is_flag=True, help="Do everything, then undo it: a local chain or a fork."
)
def cli(params: Path, out: Path | None, alias: str | None, dry_run: bool) -> None:
    """Deploy and wire a whole market."""
    out = out or ROOT / "deployments" / f"{ape.chain.provider.chain_id}.json"
    with explained(afterwards="Nothing was sent."):
        check_target(out, dry_run)
        account = deployer(alias)
        parameters = Parameters.load(params, allow_test_keys=is_local())
        check_chain(parameters, account)

    click.echo(f"{network_name()}, deployer {account.address}, parameters {params}")
    progress = Progress(None if dry_run else progress_path(), ape.chain.blocks.head.timestamp)
    with (
        explained(afterwards="Not complete: the same command again goes on where it stopped."),
        logger.at_level(LogLevel.WARNING),
        undone() if dry_run else nullcontext(),
    ):
        build_market(parameters, account, progress, click.echo)
    if dry_run:
        click.echo("This was a rehearsal: the chain is as before, and nothing was written.")
        return
    write_atomically(out, record(progress))
    progress.finish()
    click.echo(f"The market is up: {out}")


def check_target(out: Path, dry_run: bool) -> None:
    """Raise `BadInput` for a record that exists, and for a rehearsal that can't be undone."""
    if out.exists() and not dry_run:
        raise BadInput(
            f"{out} already describes a deployment, which is never overwritten",
            "Write to another file with --out, or remove it if its chain is gone.",
        )
    provider = ape.chain.provider
    if dry_run and not isinstance(provider, TestProviderAPI):
        raise BadInput(
            f"{provider.name} can't undo what it did",
            "Rehearse on a fork, for example --network ethereum:mainnet-fork:foundry.",
        )


@contextmanager
def undone() -> Iterator[None]:
    """Take back on the way out what happened to the chain.

    Ape's own `chain.isolate` would also swallow the errors.
    """
    snapshot = ape.chain.snapshot()
    try:
        yield
    finally:
        ape.chain.restore(snapshot)


def record(progress: Progress) -> dict[str, Any]:
    """The content of `deployments/<chain id>.json`."""
    return {
        "chain_id": ape.chain.provider.chain_id,
        "network": network_name(),
        "commit": source_commit(),
        "contracts": progress.contracts,
    }


def progress_path() -> Path:
    """Where a run on this chain keeps its progress: a chain is an id and a first block."""
    first_block = ape.chain.provider.get_block(0).hash.hex().removeprefix("0x")
    name = f"{ape.chain.provider.chain_id}-{first_block[:16]}.json"
    return ROOT / "build" / "deploy" / name
