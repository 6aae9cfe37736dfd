"""`clearwork customer`: open jobs, watch them, co-sign their vouchers."""

import json
import time
from pathlib import Path
from typing import Annotated

import httpx
import structlog
import typer
from rich.console import Console
from rich.table import Table

from oracle.adapters.receipt_client import ReceiptClient
from oracle.api.schemas import SignedReceiptBody
from oracle.cli.options import (
    AsJson,
    DeploymentFile,
    Keystore,
    PasswordFile,
    RpcUrls,
    open_chain,
    open_signer,
    parse_hash,
)
from oracle.domain.messages import Voucher
from oracle.domain.receipts import FINAL, JobStatus
from oracle.errors import BadInput, Transient
from oracle.services.customer import Customer, Order

app = typer.Typer(help="Buy GPU time: open jobs, follow them, co-sign usage.", no_args_is_help=True)
log = structlog.get_logger()

# times an agent is asked for the receipt of a job that is over
RECEIPT_TRIES = 5

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
    interval: Annotated[float, typer.Option(help="Seconds between two vouchers.")] = 2.0,
    receipt: Annotated[
        Path | None,
        typer.Option(help="Also write the execution receipt, counter-signed, to this file."),
    ] = None,
) -> None:
    """Follow a running job and sign vouchers for its usage until it is over.

    Each voucher replaces the one before. Nothing is signed that your own clock contradicts:
    stop this command and the committee's measurements take over. With the last voucher you
    counter-sign the provider's execution receipt; see `clearwork receipt --help`.
    """
    customer = Customer(open_chain(rpc, deployment), open_signer(keystore, password_file))
    url = f"{agent.rstrip('/')}/v1/jobs/{job}"
    signed = 0
    while True:
        try:
            usage = httpx.get(url, timeout=10).raise_for_status().json()
            cumulative, status = int(usage["gpu_seconds"]), JobStatus(usage["status"])
            if cumulative > signed or status in FINAL:
                voucher = customer.co_sign(job, cumulative, status)
                body = {
                    "cumulative_gpu_seconds": cumulative,
                    "status": int(status),
                    "signature": "0x" + voucher.signature.hex(),
                }
                httpx.post(f"{url}/vouchers", json=body, timeout=30).raise_for_status()
                log.info("co-signed", job=job, gpu_seconds=cumulative, status=status.name)
                signed = cumulative
                if status in FINAL:
                    break
        except (httpx.HTTPError, BadInput) as error:
            log.warning("not co-signed", job=job, reason=str(error))
        time.sleep(interval)
    _counter_sign(customer, ReceiptClient(agent), voucher.voucher, interval, receipt)


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
