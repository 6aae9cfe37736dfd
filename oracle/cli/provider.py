"""`clearwork provider`: register, stake, take jobs, be paid."""

import json
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.table import Table

from oracle.api.schemas import ProofView
from oracle.cli.options import (
    AsJson,
    DeploymentFile,
    Keystore,
    PasswordFile,
    RpcUrls,
    open_chain,
    open_signer,
)
from oracle.domain.receipts import JobStatus
from oracle.errors import NotFound, Transient
from oracle.services.provider import Provider, Terms

app = typer.Typer(help="Offer GPUs: register, stake, accept jobs, be paid.", no_args_is_help=True)

ProviderId = Annotated[int, typer.Argument(help="Id that `clearwork provider register` printed.")]
JobId = Annotated[int, typer.Argument(help="Number of the job.")]


@app.command()
def register(
    operator: Annotated[str, typer.Option(help="Address of the hot key your agent signs with.")],
    payout: Annotated[str, typer.Option(help="Address that receives your income.")],
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
    emission_commission_bps: Annotated[
        int, typer.Option(help="Share of emission you keep before your delegators, in bps.")
    ] = 1_000,
    job_commission_bps: Annotated[
        int, typer.Option(help="Share of job income you keep before your delegators, in bps.")
    ] = 10_000,
    max_reporter_bps: Annotated[
        int, typer.Option(help="Most of a slash that a reporter may get, in bps; only falls.")
    ] = 2_000,
    uri: Annotated[str, typer.Option(help="Where you describe yourself.")] = "",
    as_json: AsJson = False,
) -> None:
    """Become a provider. The key in the keystore is its owner: keep it cold."""
    provider = Provider(open_chain(rpc, deployment), open_signer(keystore, password_file))
    terms = Terms(
        operator, payout, emission_commission_bps, job_commission_bps, max_reporter_bps, uri
    )
    number = provider.register(terms)
    print(json.dumps({"provider": number}) if as_json else f"You are provider {number}.")


@app.command()
def stake(
    provider: ProviderId,
    tokens: Annotated[int, typer.Argument(help="Base units of the work token.")],
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
) -> None:
    """Add to a provider's self-bond; anyone may, only the owner gets it back."""
    Provider(open_chain(rpc, deployment), open_signer(keystore, password_file)).stake(
        provider, tokens
    )
    print(f"Staked {tokens} base units behind provider {provider}.")


@app.command()
def accept(
    job: JobId,
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
) -> None:
    """Take an open job; its service level's collateral is locked from your self-bond."""
    Provider(open_chain(rpc, deployment), open_signer(keystore, password_file)).accept(job)
    print(f"Job {job} is yours.")


@app.command()
def income(
    provider: ProviderId,
    asset: Annotated[str, typer.Argument(help="Address of the token.")],
    deployment: DeploymentFile,
    rpc: RpcUrls,
    as_json: AsJson = False,
) -> None:
    """Show what can be withdrawn now and what waits for the dispute window."""
    chain = open_chain(rpc, deployment)
    asset = chain.w3.to_checksum_address(asset)
    withdrawable, pending = chain.read("JobEscrow", "income", provider, asset)
    if as_json:
        print(json.dumps({"withdrawable": withdrawable, "pending": pending}))
        return
    table = Table(title=f"Income of provider {provider}", caption="base units")
    table.add_column("withdrawable", justify="right")
    table.add_column("pending", justify="right")
    table.add_row(f"{withdrawable:,}", f"{pending:,}")
    Console().print(table)


@app.command()
def withdraw(
    provider: ProviderId,
    asset: Annotated[str, typer.Argument(help="Address of the token.")],
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
) -> None:
    """Send matured income to the provider's payout address; any key may pay the gas."""
    Provider(open_chain(rpc, deployment), open_signer(keystore, password_file)).withdraw(
        provider, asset
    )
    print("Sent to the payout address.")


@app.command()
def claim(
    provider: ProviderId,
    oracle: Annotated[str, typer.Option(help="URL of any oracle: it serves the proofs.")],
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
) -> None:
    """Claim the provider's rewards of all epochs so far; any key may pay the gas."""
    chain = open_chain(rpc, deployment)
    key = provider.to_bytes(32, "big")
    try:
        answer = httpx.get(f"{oracle.rstrip('/')}/v1/proofs/1/0x{key.hex()}", timeout=10)
    except httpx.HTTPError as error:
        raise Transient(f"{oracle} does not answer: {error}", "Ask another oracle.") from error
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise NotFound(f"no rewards of provider {provider} yet", "Wait for the next epoch.")
    leaf = ProofView.model_validate_json(answer.raise_for_status().content)
    Provider(chain, open_signer(keystore, password_file)).claim(
        leaf.kind, leaf.key, leaf.cumulative, leaf.proof
    )
    print(f"Claimed up to {leaf.cumulative} base units in all.")


@app.command()
def close(
    job: JobId,
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
) -> None:
    """Close a job that is over: frees your GPUs and your collateral."""
    chain = open_chain(rpc, deployment)
    Provider(chain, open_signer(keystore, password_file)).close(job)
    status = JobStatus(chain.read("JobEscrow", "job_info", job).status)
    print(f"Job {job} is {status.name.lower()}.")
