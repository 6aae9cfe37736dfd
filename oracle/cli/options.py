"""Options that several commands share, and what they open."""

import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from oracle.adapters.chain.client import Chain
from oracle.adapters.chain.deployment import Deployment
from oracle.adapters.signer import Signer
from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.domain.recovery import checksum
from oracle.errors import BadInput

Document = TypeVar("Document", bound=BaseModel)

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
ComputeBackend = Annotated[
    str, typer.Option("--backend", help="auto, or one that `clearwork agent backends` lists.")
]
Subnet = Annotated[
    int,
    typer.Option(
        "--subnet", min=0, max=2**16 - 1, help="Subnet whose fees a job counts for, 0 for none."
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


def parse_size(text: str) -> int:
    """Bytes of a size such as 24GB, 80GiB or 900MB; `BadInput` for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kMGTP]?)(i?)B", text)
    if match is None:
        raise BadInput(f"{text!r} is no size", "Write a number and a unit: 24GB, 80GiB, 900MB.")
    power = " kMGTP".index(match[2] or " ")
    return int(Decimal(match[1]) * (1_024 if match[3] else 1_000) ** power)


def read_document(
    file: Path, document: type[Document], remedy: str = "name a file that `prove` wrote"
) -> Document:
    """A file of JSON, or standard input for `-`; `BadInput` with `remedy` for another one."""
    return parse_document(read_text(file, remedy), file, document, remedy)


def read_text(file: Path, remedy: str) -> str:
    """What is in a file, or comes from standard input for `-`; `BadInput` where it is no text."""
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read {file}: {error}", remedy) from error


def parse_document(text: str, file: Path, document: type[Document], remedy: str) -> Document:
    """What the text of a file says; `BadInput` with the first place where it is no `document`."""
    try:
        return document.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BadInput(f"{file}: {place}: {first['msg']}", remedy) from error


def open_chain(rpc: list[str], deployment: Path) -> Chain:
    """The connected chain; `Misconfigured` for a wrong chain id or a missing deployment."""
    return Chain(rpc, Deployment.load(deployment)).connect()


def open_signer(keystore: Path, password_file: Path) -> Signer:
    """The key in a keystore file; `Misconfigured` where it can't be opened."""
    return KeystoreSigner.load(keystore, password_file)
