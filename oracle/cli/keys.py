"""`clearwork keys`: make keys, and see whose they are."""

import json
from pathlib import Path
from typing import Annotated

import typer

from oracle.adapters.signer.keystore import KeystoreSigner, address_in
from oracle.cli.options import AsJson

app = typer.Typer(help="Keys in encrypted files: make one, see its address.", no_args_is_help=True)

KeystorePath = Annotated[
    Path, typer.Argument(help="Keystore file (Web3 Secret Storage, version 3).")
]


@app.command()
def new(
    keystore: KeystorePath,
    password_file: Annotated[
        Path,
        typer.Option(
            help="File with the password; one is drawn and written where the file is missing."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Make a key from the system's randomness and print its address. Never overwrites one."""
    signer = KeystoreSigner.create(keystore, password_file)
    if as_json:
        typer.echo(json.dumps({"address": signer.address, "keystore": str(keystore)}))
        return
    typer.echo(signer.address)
    typer.echo(f"key in {keystore}, password in {password_file}: back both up, apart.", err=True)


@app.command()
def show(keystore: KeystorePath, as_json: AsJson = False) -> None:
    """Print the address of a keystore file; needs no password."""
    address = address_in(keystore)
    if as_json:
        typer.echo(json.dumps({"address": address, "keystore": str(keystore)}))
    else:
        typer.echo(address)
