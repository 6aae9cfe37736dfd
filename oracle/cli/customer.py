"""`clearwork customer`: open jobs or take offers, follow them, co-sign, dispute, end them."""

import json
import time
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.table import Table

from oracle.adapters.offer_client import OfferClient
from oracle.adapters.receipt_client import ReceiptClient
from oracle.adapters.voucher_client import VoucherClient
from oracle.api.schemas import OfferQuery, SignedReceiptBody
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
from oracle.domain.hashing import keccak
from oracle.domain.messages import Voucher
from oracle.domain.receipts import FINAL, JobStatus
from oracle.errors import BadInput, ClearworkError, NotFound, Transient
from oracle.services.customer import Customer, Order

app = typer.Typer(help="Buy GPU time: open jobs, follow them, co-sign usage.", no_args_is_help=True)
log = structlog.get_logger()

# times an agent is asked for the receipt of a job that is over
RECEIPT_TRIES = 5
HOUR = 3_600

JobId = Annotated[int, typer.Argument(help="Number of the job.")]


@app.command(name="open")
def open_job(
    provider: Annotated[int, typer.Option(help="Provider that may accept.")],
    asset: Annotated[str, typer.Option(help="Address of the listed token that pays.")],
    price: Annotated[int, typer.Option(help="Base units for one GPU for one hour.")],
    deposit: Annotated[int, typer.Option(help="Base units to pay in now.")],
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
    gpus: Annotated[int, typer.Option(help="GPUs the provider must have free.")] = 1,
    device_class: Annotated[int, typer.Option(help="Class the GPUs are attested for.")] = 1,
    sla: Annotated[int, typer.Option(help="Service level, 0 for none.")] = 0,
    terms: Annotated[str, typer.Option(help="0x hash of the agreed terms.")] = "0x" + "00" * 32,
    subnet: Subnet = 0,
    as_json: AsJson = False,
) -> None:
    """Open and fund a job; unspent deposit comes back when it ends.

    Example: clearwork customer open --provider 1 --asset 0x.. --price 3600000000000000000
    --deposit 5000000000000000000 --sla 1
    """
    terms_hash = parse_hash(terms)
    chain = open_chain(rpc, deployment)
    order = Order(
        provider=provider,
        asset=chain.w3.to_checksum_address(asset),
        gpus=gpus,
        device_class=device_class,
        price_per_gpu_hour=price,
        deposit=deposit,
        sla=sla,
        terms=terms_hash,
        subnet=subnet,
    )
    job = Customer(chain, open_signer(keystore, password_file)).open_job(order)
    print(json.dumps({"job": job}) if as_json else f"Job {job} waits for provider {provider}.")


@app.command()
def jobs(
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
    as_json: AsJson = False,
) -> None:
    """List your jobs with what they used and what is left."""
    customer = Customer(open_chain(rpc, deployment), open_signer(keystore, password_file))
    rows = [
        {
            "job": number,
            "provider": job.provider,
            "status": JobStatus(job.status).name.lower(),
            "gpu_seconds": job.settled,
            "deposit": job.deposit,
            "spent": job.settled * job.price_per_gpu_hour // 3600,
        }
        for number, job in customer.jobs()
    ]
    if as_json:
        print(json.dumps(rows))
        return
    table = Table(title="Your jobs", caption="deposit and spent in base units of the asset")
    for column in ("job", "provider", "status", "gpu_seconds", "deposit", "spent"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(
            *(f"{value:,}" if isinstance(value, int) else value for value in row.values())
        )
    Console().print(table)


@app.command()
def take(
    oracle: Annotated[
        str, typer.Option(envvar="CLEARWORK_ORACLE", help="URL of any oracle: it lists offers.")
    ],
    provider: Annotated[int, typer.Option(help="Whose offer.")],
    nonce: Annotated[int, typer.Option(help="Which one; `clearwork offers` shows it.")],
    hours: Annotated[float, typer.Option(min=0, help="How long to pay for now.")],
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
    gpus: Annotated[int, typer.Option(min=1, help="How many of its GPUs.")] = 1,
    subnet: Subnet = 0,
    as_json: AsJson = False,
) -> None:
    """Take a provider's offer, or part of it: one transaction opens, funds and accepts the job.

    Example: clearwork customer take --oracle http://127.0.0.1:8100 --provider 1
    --nonce 1760000000000 --gpus 8 --hours 24
    """
    wanted = OfferQuery(provider=provider, min_gpus=gpus)
    found = next((one for one in OfferClient(oracle).listed(wanted) if one.nonce == nonce), None)
    if found is None:
        raise NotFound(
            f"no offer {nonce} of provider {provider} with {gpus} GPUs left",
            f"See what there is: clearwork offers --provider {provider}",
        )
    customer = Customer(open_chain(rpc, deployment), open_signer(keystore, password_file))
    job = customer.take(found.signed(), gpus, round(hours * HOUR), subnet)
    print(json.dumps({"job": job}) if as_json else f"Job {job} is accepted by provider {provider}.")


@app.command()
def lower(
    job: JobId,
    amount: Annotated[int, typer.Argument(help="Base units of the job's asset.")],
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
) -> None:
    """Take back part of a job's deposit; what its provider may have earned stays."""
    Customer(open_chain(rpc, deployment), open_signer(keystore, password_file)).lower(job, amount)
    print(f"Took {amount} base units back from job {job}.")


@app.command()
def leave(
    job: JobId,
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
) -> None:
    """End a job whose provider has lost devices: refund and compensation.

    The first call notes the shortage on chain. If the grace of the service level is not over yet,
    repeat the command when it is.
    """
    Customer(open_chain(rpc, deployment), open_signer(keystore, password_file)).leave(job)
    print(f"Job {job} is over: refund and compensation are paid.")


@app.command()
def reclaim(
    job: JobId,
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
    request: Annotated[
        bool, typer.Option("--request", help="Announce it; it can be done after the job timeout.")
    ] = False,
) -> None:
    """Take the deposit of a silent job back: announce it with --request, repeat without."""
    customer = Customer(open_chain(rpc, deployment), open_signer(keystore, password_file))
    if request:
        customer.request_reclaim(job)
        print(f"Job {job} ends after the job timeout unless its usage rises.")
    else:
        customer.reclaim(job)
        print(f"Job {job} is over, its unspent deposit returned.")


@app.command()
def dispute(
    job: JobId,
    evidence: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="What shows the fraud; kept by you.")
    ],
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
    provider: Annotated[
        int | None, typer.Option(help="Member to accuse, where a cluster has the job.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Accuse the provider of reporting usage that was not, and hold what is still pending.

    The court takes a bond of you and gives it back unless you are wrong. Only the hash of the
    evidence goes on chain: give the file to the oracles when they ask.
    """
    customer = Customer(open_chain(rpc, deployment), open_signer(keystore, password_file))
    accused = customer.job(job).provider if provider is None else provider
    case_id, kept = customer.dispute(job, accused, keccak(evidence.read_bytes()))
    if as_json:
        print(json.dumps({"case_id": "0x" + case_id.hex(), "kept": kept}))
        return
    print(f"Case 0x{case_id.hex()} is open; {kept} base units wait for its end.")


@app.command()
def settle_dispute(
    job: JobId,
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
) -> None:
    """Have what a dispute kept back paid, once the court has closed its case."""
    customer = Customer(open_chain(rpc, deployment), open_signer(keystore, password_file))
    upheld, amount = customer.settle_dispute(job)
    whose = "they go back to the customer" if upheld else "they are the provider's"
    print(f"{amount} base units of job {job} are free; {whose}.")


@app.command()
def close(
    job: JobId,
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
) -> None:
    """Close a job whose status is final: refund, and compensation where its provider failed."""
    Customer(open_chain(rpc, deployment), open_signer(keystore, password_file)).close(job)
    print(f"Job {job} is closed, its unspent deposit returned.")


@app.command()
def claim_refund(
    asset: Annotated[str, typer.Argument(help="Address of the token.")],
    receiver: Annotated[str, typer.Argument(help="Address that can receive it.")],
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
) -> None:
    """Collect refunds that your own address could not receive, to another one."""
    customer = Customer(open_chain(rpc, deployment), open_signer(keystore, password_file))
    amount = customer.claim_refund(parse_address(asset), parse_address(receiver))
    print(f"Sent {amount} base units to {receiver}.")


@app.command()
def top_up(
    job: JobId,
    amount: Annotated[int, typer.Argument(help="Base units of the job's asset.")],
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
) -> None:
    """Add to a job's deposit; a refund goes to the job's customer whoever paid."""
    Customer(open_chain(rpc, deployment), open_signer(keystore, password_file)).top_up(job, amount)
    print(f"Added {amount} base units to job {job}.")


@app.command()
def cancel(
    job: JobId,
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
) -> None:
    """Take back a job that its provider has not accepted, with the whole deposit."""
    Customer(open_chain(rpc, deployment), open_signer(keystore, password_file)).cancel(job)
    print(f"Job {job} is cancelled, its deposit returned.")


@app.command()
def co_sign(
    job: JobId,
    agent: Annotated[str, typer.Option(help="URL of the provider's agent.")],
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two vouchers.")] = 2.0,
    accept_end: Annotated[
        bool,
        typer.Option(
            "--accept-end",
            help="Sign the end that the provider names, also where it costs you compensation.",
        ),
    ] = False,
    receipt: Annotated[
        Path | None,
        typer.Option(help="Also write the execution receipt, counter-signed, to this file."),
    ] = None,
) -> None:
    """Follow a running job and sign vouchers for its usage until it is over.

    Each voucher replaces the one before. Nothing is signed that your own clock contradicts:
    stop this command and the committee's measurements take over. An end with less usage than
    your service level promises is signed only with --accept-end: pass it when you had the job
    end early yourself. With the last voucher you counter-sign the provider's execution receipt;
    see `clearwork receipt --help`.
    """
    customer = Customer(open_chain(rpc, deployment), open_signer(keystore, password_file))
    last = _follow(customer, VoucherClient(agent), job, interval, accept_end)
    _counter_sign(customer, ReceiptClient(agent), last, interval, receipt)


def _follow(
    customer: Customer, agent: VoucherClient, job: int, interval: float, accept_end: bool
) -> Voucher:
    """Sign what the agent claims until the job is over; returns the last voucher.

    What goes wrong is logged and asked again: an agent or a node may be back in a moment.
    """
    signed = 0
    while True:
        try:
            usage = agent.usage(job)
            status = _status(usage.status)
            if usage.gpu_seconds > signed or status in FINAL:
                voucher = customer.co_sign(job, usage.gpu_seconds, status, accept_end)
                agent.hand_in(voucher)
                log.info("co-signed", job=job, gpu_seconds=usage.gpu_seconds, status=status.name)
                signed = usage.gpu_seconds
                if status in FINAL:
                    return voucher.voucher
        except ClearworkError as error:
            log.warning("not co-signed", job=job, reason=str(error), remedy=error.remedy)
        time.sleep(interval)


def _status(number: int) -> JobStatus:
    """The status that an agent names; raises `BadInput` for a number that is none."""
    try:
        return JobStatus(number)
    except ValueError:
        raise BadInput(
            f"no job has status {number}", "Ask the provider which version its agent runs."
        ) from None


def _counter_sign(
    customer: Customer, agent: ReceiptClient, voucher: Voucher, interval: float, file: Path | None
) -> None:
    """Counter-sign the receipt of a job that is over; what can't be signed is logged."""
    for _ in range(RECEIPT_TRIES):
        try:
            for issued in agent.issued(voucher.job):
                signed = customer.counter_sign(issued.signed(), voucher)
                body = SignedReceiptBody.of(signed)
                if file is not None:
                    file.write_text(body.model_dump_json(indent=2) + "\n")
                agent.counter_sign(voucher.job, body)
                log.info("receipt counter-signed", job=voucher.job, document=body.document)
            return
        except Transient as error:
            log.warning("receipt not counter-signed", job=voucher.job, reason=str(error))
            time.sleep(interval)
        except BadInput as error:
            log.warning("receipt refused", job=voucher.job, reason=str(error), remedy=error.remedy)
            return
