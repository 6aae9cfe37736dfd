"""Write the ABIs of all contracts to deployments/abi/<Name>.json. Needs no network."""

from pathlib import Path

import click

from scripts._project import CONTRACTS, OPTIONAL, ROOT, abi_of, abi_text


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / "deployments" / "abi",
    help="Folder to write to.",
)
def cli(out: Path) -> None:
    """Write the ABIs of all contracts to deployments/abi."""
    out.mkdir(parents=True, exist_ok=True)
    names = [*CONTRACTS, *OPTIONAL]
    for name in names:
        (out / f"{name}.json").write_text(abi_text(abi_of(name)))
    click.echo(f"{len(names)} ABIs in {out}")
