"""`clearwork subnet`: list subnets, create one, buy a place, vote."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table

from oracle.cli.options import (
    AsJson,
    DeploymentFile,
    Keystore,
    PasswordFile,
    RpcUrls,
    open_chain,
    open_signer,
)
from oracle.errors import BadInput
from oracle.services.subnets import KINDS, SubnetClient, list_subnets

app = typer.Typer(
    help="Subnets: list them, create one, buy a place, vote with stake.", no_args_is_help=True
)

MaxPrice = Annotated[
    int | None,
    typer.Option(help="Most base units of the work token to burn. Absent: the present price."),
]

EXAMPLE = """rules: {max_uids: 256, immunity_epochs: 24, min_weights: 4, commit_interval: 4,
  reveal_delay: 1, reveal_window: 2, min_stake: 1000000000000000000000}
consensus: {max_validators: 64, kappa: 32767, bonds_moving_average: 900000, bonds_penalty: 65535,
  yuma: 3, liquid_alpha: true, alpha_low: 45875, alpha_high: 58982, alpha_steepness: 1000,
  activity_cutoff: 24, owner_cut_bps: 1800}
"""


@app.command("list")
def show(deployment: DeploymentFile, rpc: RpcUrls, as_json: AsJson = False) -> None:
    """All subnets: what they are for, how full, what a place costs, what the owner keeps."""
    found = list_subnets(open_chain(rpc, deployment))
    if as_json:
        print(json.dumps([asdict(each) for each in found]))
        return
    table = Table(title="Subnets", caption="price: base units of the work token for a place, burnt")
    for column in ("subnet", "kind", "owner", "uids", "price", "owner keeps"):
        table.add_column(column, justify="left" if column in ("kind", "owner") else "right")
    for each in found:
        table.add_row(
            str(each.subnet),
            each.kind,
            each.owner,
            f"{each.uids} of {each.max_uids}",
            f"{each.price:,}",
            f"{each.withheld_bps / 100:.2f} %",
        )
    Console().print(table)


@app.command()
def example() -> None:
    """Print a parameter file for `create`, to be changed."""
    print(EXAMPLE, end="")


@app.command()
def create(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(KINDS)}.")],
    parameters: Annotated[Path, typer.Argument(help="YAML as `clearwork subnet example` prints.")],
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
    max_price: MaxPrice = None,
    as_json: AsJson = False,
) -> None:
    """Create a subnet. The key in the keystore owns it and gets the owner's cut."""
    rules, consensus = _read(parameters)
    client = SubnetClient(open_chain(rpc, deployment), open_signer(keystore, password_file))
    subnet = client.create(kind, rules, consensus, max_price)
    print(json.dumps({"subnet": subnet}) if as_json else f"Subnet {subnet} is yours.")


@app.command()
def register(
    subnet: Annotated[int, typer.Argument(help="Number of the subnet.")],
    provider: Annotated[int, typer.Argument(help="Provider that gets the place.")],
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
    max_price: MaxPrice = None,
    as_json: AsJson = False,
) -> None:
    """Buy a provider a place in a subnet, as its owner or operator."""
    client = SubnetClient(open_chain(rpc, deployment), open_signer(keystore, password_file))
    uid = client.register(subnet, provider, max_price)
    print(json.dumps({"uid": uid}) if as_json else f"Provider {provider} has uid {uid}.")


@app.command()
def vote(
    provider: Annotated[int, typer.Argument(help="Provider behind which your stake stands.")],
    choices: Annotated[
        list[str] | None,
        typer.Argument(help="SUBNET=BPS, 10000 in all; subnet 0 is the market at large."),
    ] = None,
    *,
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
    as_json: AsJson = False,
) -> None:
    """Vote on how the emission is split; without choices, end the vote.

    Example: clearwork subnet vote 7 0=5000 1=5000
    """
    client = SubnetClient(open_chain(rpc, deployment), open_signer(keystore, password_file))
    stake = client.vote(provider, _choices(choices or ()))
    print(json.dumps({"stake": stake}) if as_json else f"{stake:,} base units of stake vote.")


def _choices(texts: Sequence[str]) -> dict[int, int]:
    found: dict[int, int] = {}
    for text in texts:
        try:
            subnet, bps = map(int, text.split("="))
        except ValueError:
            raise BadInput(f"{text!r} is no choice", "Write SUBNET=BPS, such as 1=10000.") from None
        if subnet in found:
            raise BadInput(f"subnet {subnet} is chosen twice", "Name each subnet once.")
        found[subnet] = bps
    return found


def _read(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    remedy = "Start from what `clearwork subnet example` prints."
    try:
        content = yaml.safe_load(file.read_text())
        rules, consensus = content["rules"], content["consensus"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise BadInput(f"cannot read {file}: {error}", remedy) from error
    expected = yaml.safe_load(EXAMPLE)
    for name, fields in (("rules", rules), ("consensus", consensus)):
        if not isinstance(fields, dict) or fields.keys() != expected[name].keys():
            raise BadInput(f"{file}: {name} is not {', '.join(expected[name])}", remedy)
    return rules, consensus
