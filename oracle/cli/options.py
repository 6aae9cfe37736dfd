"""Options that several commands share, and what they open."""

from pathlib import Path
from typing import Annotated

import typer

from oracle.adapters.chain.client import Chain
from oracle.adapters.chain.deployment import Deployment
from oracle.adapters.signer import Signer
from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.domain.recovery import checksum
from oracle.errors import BadInput

DeploymentFile = Annotated[
    Path,
    typer.Option(
        "--deployment",
        envvar="CLEARWORK_DEPLOYMENT",
        help="deployments/<chain id>.json, written by `ape run deploy`.",
    ),
]
RpcUrls = Annotated[
    list[str],
    typer.Option("--rpc", envvar="CLEARWORK_RPC_URLS", help="JSON-RPC endpoint; repeatable."),
]
Keystore = Annotated[
    Path,
    typer.Option(
        "--keystore",
        envvar="CLEARWORK_KEYSTORE",
        help="Encrypted key file; `clearwork keys new` makes one.",
    ),
]
PasswordFile = Annotated[
    Path,
    typer.Option(
        "--password-file",
        envvar="CLEARWORK_PASSWORD_FILE",
        help="File with the keystore's password.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def parse_hash(text: str) -> bytes:
    """The 32 bytes of an option; `BadInput` for anything else."""
    return _parse_bytes(text, 32)


def parse_address(text: str) -> str:
    """The address of an option with its checksum; `BadInput` for anything else."""
    return checksum(_parse_bytes(text, 20))


def _parse_bytes(text: str, size: int) -> bytes:
    try:
        found = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise BadInput(f"{text} is no hex number", f"Pass {size} bytes behind 0x.") from None
    if len(found) != size:
        raise BadInput(f"{text} is not {size} bytes", f"Pass {size} bytes behind 0x.")
    return found


def open_chain(rpc: list[str], deployment: Path) -> Chain:
    """The connected chain; `Misconfigured` for a wrong chain id or a missing deployment."""
    return Chain(rpc, Deployment.load(deployment)).connect()


def open_signer(keystore: Path, password_file: Path) -> Signer:
    """The key in a keystore file; `Misconfigured` where it can't be opened."""
    return KeystoreSigner.load(keystore, password_file)
