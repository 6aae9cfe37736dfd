"""The connected chain, the account that acts on it, and how a script tells what went wrong."""

from collections.abc import Iterator
from contextlib import contextmanager

import ape
import click
from ape.api import AccountAPI
from ape.exceptions import ApeException

from oracle.errors import BadInput, ClearworkError, Misconfigured


@contextmanager
def explained(afterwards: str = "") -> Iterator[None]:
    """Turn an expected error into its message, what to do about it, and its exit code."""
    try:
        yield
    except (ClearworkError, ApeException) as error:
        remedy = error.remedy if isinstance(error, ClearworkError) else ""
        lines = [str(error), remedy, afterwards]
        failure = click.ClickException("\n".join(line for line in lines if line))
        failure.exit_code = error.exit_code if isinstance(error, ClearworkError) else 1
        raise failure from error


def network_name() -> str:
    """The connected network as Ape calls it: ecosystem:network."""
    network = ape.chain.provider.network
    return f"{network.ecosystem.name}:{network.name}"


def is_local() -> bool:
    """Whether the connected chain is a throw-away one: Ape's local network, or a fork."""
    return bool(ape.chain.provider.network.is_dev)


def deployer(alias: str | None) -> AccountAPI:
    """The account that deploys; raises `BadInput` where none is named or known."""
    if alias:
        try:
            return ape.accounts.load(alias)
        except KeyError:
            raise BadInput(
                f"Ape knows no account {alias!r}", "`ape accounts list` shows those it knows."
            ) from None
    if not is_local():
        raise Misconfigured(
            "no account to send from",
            "Name it with --account ALIAS; `ape accounts import ALIAS` takes a key in.",
        )
    return ape.accounts.test_accounts[0]
