"""`clearwork provider`: register, stake, take jobs, be paid."""

import json
import time
from collections.abc import Iterator
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from oracle.adapters.offer_client import OfferClient
from oracle.api.schemas import OfferView, ProofView
from oracle.cli.options import (
    AsJson,
    DeploymentFile,
    Keystore,
    PasswordFile,
    RpcUrls,
    Subnet,
    open_chain,
    open_signer,
    parse_address,
    parse_hash,
)
from oracle.domain.canonical import MAX_INTEGER
from oracle.domain.messages import Offer
from oracle.domain.offers import SignedOffer
from oracle.domain.receipts import JobStatus
from oracle.domain.web_address import web_address
from oracle.errors import BadInput, ClearworkError, NotFound, Transient
from oracle.services.provider import Provider, Terms

app = typer.Typer(
    help="Offer GPUs: register, stake, sign offers, accept jobs, be paid.", no_args_is_help=True
)

HOUR = 3_600
DAY = 24 * HOUR
MAX_UINT16 = 2**16 - 1
MAX_UINT32 = 2**32 - 1

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
def decline(
    job: JobId,
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
) -> None:
    """Refuse an open job: its deposit goes back to the customer."""
    Provider(open_chain(rpc, deployment), open_signer(keystore, password_file)).decline(job)
    print(f"Job {job} is declined, its deposit returned.")


@app.command()
def start(
    job: JobId,
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
) -> None:
    """Say that an accepted job runs now; the first settlement of its usage says it too."""
    Provider(open_chain(rpc, deployment), open_signer(keystore, password_file)).start(job)
    print(f"Job {job} runs.")


@app.command()
def checkpoint(
    job: JobId,
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
    voucher: Annotated[
        bool, typer.Option("--voucher", help="Show the voucher that was settled last.")
    ] = False,
) -> None:
    """Note what is settled of a long job: two dispute windows later nobody can dispute it.

    With --voucher at once: the customer has signed for it. Any key may pay the gas. Repeat it when
    those windows are over, or when more vouchers are settled.
    """
    provider = Provider(open_chain(rpc, deployment), open_signer(keystore, password_file))
    noted = provider.show_voucher(job) if voucher else provider.checkpoint(job)
    print(f"{noted} GPU-seconds of job {job} are noted.")


@app.command()
def offer(
    provider: ProviderId,
    price: Annotated[int, typer.Option(help="Base units for one GPU for one hour.")],
    asset: Annotated[str, typer.Option(help="Address of the listed token that pays.")],
    oracle: Annotated[
        list[str],
        typer.Option(
            envvar="CLEARWORK_ORACLES", help="URL of an oracle that lists it; repeatable."
        ),
    ],
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
    gpus: Annotated[int, typer.Option(min=1, max=MAX_UINT16, help="GPUs for sale.")] = 1,
    device_class: Annotated[
        int, typer.Option(min=1, max=MAX_UINT16, help="Class they are attested for.")
    ] = 1,
    sla: Annotated[
        int, typer.Option(min=0, max=MAX_UINT16, help="Service level you promise, 0 for none.")
    ] = 0,
    min_seconds: Annotated[
        int,
        typer.Option(
            min=0, max=MAX_UINT32, help="Shortest run time that a customer pays in advance."
        ),
    ] = HOUR,
    max_seconds: Annotated[int, typer.Option(min=1, max=MAX_UINT32, help="Longest one.")] = 30
    * DAY,
    valid_for: Annotated[
        int, typer.Option(min=1, max=MAX_UINT32, help="Seconds until it expires.")
    ] = 7 * DAY,
    nonce: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=MAX_INTEGER,
            help="Offers with one nonce share their GPUs: pass an earlier one to change its "
            "price. Default: this machine's clock in milliseconds, so a new one.",
        ),
    ] = None,
    terms: Annotated[str, typer.Option(help="0x hash of what else is agreed.")] = "0x" + "00" * 32,
    as_json: AsJson = False,
) -> None:
    """Sign an offer of GPUs and publish it; costs no gas.

    It binds you: customers take parts of it without asking, until all GPUs are sold, it
    expires, or you revoke it. What was sold does not come back when the job ends: sign a new
    offer. A new price under the same nonce is listed in the old one's place, but who kept the
    old one can still take it; revoke it to raise a price.

    Example: clearwork provider offer 1 --gpus 8 --price 2000000000000000000 --asset 0x..
    --oracle http://127.0.0.1:8100
    """
    chain = open_chain(rpc, deployment)
    signed = Provider(chain, open_signer(keystore, password_file)).sign(
        Offer(
            provider=provider,
            device_class=device_class,
            gpus=gpus,
            sla=sla,
            min_seconds=min_seconds,
            max_seconds=max_seconds,
            expires_at=chain.timestamp() + valid_for,
            nonce=time.time_ns() // 10**6 if nonce is None else nonce,
            asset=parse_address(asset),
            price_per_gpu_hour=price,
            terms=parse_hash(terms),
        )
    )
    for view in _publish(signed, oracle):
        print(
            view.model_dump_json()
            if as_json
            else f"Offer {view.nonce} of provider {provider}: {view.available} of {gpus} GPUs can "
            "be taken now."
        )


def _publish(signed: SignedOffer, oracles: list[str]) -> Iterator[OfferView]:
    """Hand an offer to all oracles; raises the last error where some did not take it."""
    failure: ClearworkError | None = None
    for url in oracles:
        try:
            yield OfferClient(url).publish(signed)
        except ClearworkError as error:
            Console(stderr=True).print(Text(str(error)))
            failure = error
    if failure is not None:
        raise failure


@app.command()
def revoke(
    provider: ProviderId,
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
    nonces: Annotated[
        list[int] | None,
        typer.Argument(help="Nonces of the offers; `clearwork offers --provider` shows them."),
    ] = None,
    below: Annotated[
        int | None, typer.Option(help="Revoke every offer with a lower nonce, listed or not.")
    ] = None,
) -> None:
    """Take offers back for ever, on chain and at once; jobs that took one go on.

    Examples: clearwork provider revoke 1 1760000000000, or all that were ever signed so far:
    clearwork provider revoke 1 --below $(date +%s000)
    """
    if not nonces and below is None:
        raise BadInput("nothing to revoke", "Name nonces, or pass --below.")
    speaker = Provider(open_chain(rpc, deployment), open_signer(keystore, password_file))
    if nonces:
        speaker.revoke(provider, nonces)
    if below is not None:
        speaker.revoke_below(provider, below)
    print(f"Revoked offers of provider {provider}.")


@app.command()
def income(
    provider: ProviderId,
    asset: Annotated[str, typer.Argument(help="Address of the token.")],
    deployment: DeploymentFile,
    rpc: RpcUrls,
    subnet: Subnet = 0,
    as_json: AsJson = False,
) -> None:
    """Show what can be withdrawn now and what waits for the dispute window."""
    chain = open_chain(rpc, deployment)
    asset = chain.w3.to_checksum_address(asset)
    withdrawable, pending = chain.read("JobEscrow", "income", provider, asset, subnet)
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
    subnet: Subnet = 0,
) -> None:
    """Send matured income to the provider's payout address; any key may pay the gas."""
    Provider(open_chain(rpc, deployment), open_signer(keystore, password_file)).withdraw(
        provider, asset, subnet
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
        answer = httpx.get(f"{web_address(oracle)}/v1/proofs/1/0x{key.hex()}", timeout=10)
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
    status = JobStatus(chain.read("JobRegistry", "job_info", job).status)
    print(f"Job {job} is {status.name.lower()}.")
