"""`clearwork cluster`: providers that take jobs together."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
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
from oracle.services.cluster import Clusters, Member, read_cluster

app = typer.Typer(
    help="Take jobs together that need more GPUs than one provider has.", no_args_is_help=True
)

ClusterId = Annotated[int, typer.Argument(help="Id that `clearwork cluster form` printed.")]
ProviderId = Annotated[int, typer.Argument(help="Id of your provider.")]


@app.command()
def form(
    members: Annotated[
        list[str], typer.Argument(help="PROVIDER:GPUS of every member, for example 3:8 5:4.")
    ],
    lead: Annotated[int, typer.Option(help="Member that speaks for all: your provider.")],
    device_class: Annotated[int, typer.Option(help="Class of all devices.")],
    max_collateral_per_gpu: Annotated[
        int, typer.Option(help="Most self-bond a job may lock per GPU, in base units.")
    ],
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
    as_json: AsJson = False,
) -> None:
    """Form a cluster of up to 64 providers. It takes jobs once all the others have joined.

    A cluster never changes. Its income and its collateral are shared by GPUs; a member that fails
    a job loses its own collateral only.

    Example: clearwork cluster form 3:8 5:4 --lead 3 --device-class 1 --max-collateral-per-gpu
    50000000000000000000
    """
    clusters = Clusters(open_chain(rpc, deployment), open_signer(keystore, password_file))
    number = clusters.form(
        [_member(text) for text in members], device_class, max_collateral_per_gpu, lead
    )
    if as_json:
        print(json.dumps({"cluster": number}))
        return
    others = ", ".join(text.partition(":")[0] for text in members if _member(text).provider != lead)
    print(f"Cluster {number} is formed.")
    if others:
        print(f"Next, by each of {others}: clearwork cluster join {number} PROVIDER")


def _member(text: str) -> Member:
    provider, colon, gpus = text.partition(":")
    if not (colon and provider.isdigit() and gpus.isdigit()):
        raise BadInput(f"{text!r} is no member", "Write PROVIDER:GPUS, for example 3:8.")
    return Member(int(provider), int(gpus))


@app.command()
def join(
    cluster: ClusterId,
    provider: ProviderId,
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
) -> None:
    """Agree to a cluster: its lead may take jobs that bind your GPUs and your collateral."""
    Clusters(open_chain(rpc, deployment), open_signer(keystore, password_file)).join(
        cluster, provider
    )
    print(f"Provider {provider} has joined cluster {cluster}.")


@app.command()
def leave(
    cluster: ClusterId,
    provider: ProviderId,
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
) -> None:
    """Agree no more: the cluster takes no new job, those it has go on."""
    Clusters(open_chain(rpc, deployment), open_signer(keystore, password_file)).leave(
        cluster, provider
    )
    print(f"Provider {provider} has left cluster {cluster}: it takes no new job.")


@app.command()
def show(
    cluster: ClusterId, deployment: DeploymentFile, rpc: RpcUrls, as_json: AsJson = False
) -> None:
    """Show a cluster's members and terms."""
    found = read_cluster(open_chain(rpc, deployment), cluster)
    if as_json:
        print(json.dumps(asdict(found)))
        return
    state = "can take jobs" if found.complete else "waits for members to join"
    table = Table(
        title=f"Cluster {cluster} {state}",
        caption=f"device class {found.device_class}, at most {found.max_collateral_per_gpu:,} base "
        "units of collateral per GPU",
    )
    table.add_column("provider", justify="right")
    table.add_column("GPUs", justify="right")
    table.add_column("role")
    for member in found.members:
        role = "lead" if member.provider == found.lead else ""
        table.add_row(str(member.provider), str(member.gpus), role)
    Console().print(table)


@app.command()
def draw(
    cluster: ClusterId,
    provider: ProviderId,
    asset: Annotated[str, typer.Argument(help="Address of the token it was earned in.")],
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
) -> None:
    """Send a member its share to its payout address; any key may pay the gas."""
    Clusters(open_chain(rpc, deployment), open_signer(keystore, password_file)).draw(
        cluster, provider, asset
    )
    print("Sent to the payout address.")
