"""Commands of `clearwork` as people type them, in this process."""

import json
from pathlib import Path

import typer
from eth_account.signers.local import LocalAccount
from typer.testing import CliRunner

from oracle.errors import ClearworkError
from tests.oracle.conftest import Live


def run(app: typer.Typer, *arguments: str) -> str:
    """Output of a command; raises what `clearwork` would print as an error."""
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})
    if isinstance(result.exception, ClearworkError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def reads(live: Live, url: str) -> list[str]:
    """Options that name the chain."""
    return ["--rpc", url, "--deployment", str(live.deployment_file)]


def signs(live: Live, url: str, key: LocalAccount, folder: Path) -> list[str]:
    """Options that name the chain and somebody's key."""
    file, password = folder / f"{key.address}.json", folder / "password"
    password.write_text("password")
    # the weakest of derivations: it is slow for people's keys on purpose
    file.write_text(json.dumps(key.encrypt("password", kdf="pbkdf2", iterations=1)))
    return [*reads(live, url), "--keystore", str(file), "--password-file", str(password)]
