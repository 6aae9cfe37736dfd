"""`clearwork receipt`: read execution receipts and check them, with or without a chain."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from pydantic_core import from_json
from rich.console import Console
from rich.table import Table
from rich.text import Text

from oracle.adapters.chain.deployment import Deployment
from oracle.adapters.receipt_client import ReceiptClient
from oracle.api.schemas import FiledReceiptBody, SignedReceiptBody, receipt_schema
from oracle.cli.options import AsJson, open_chain
from oracle.domain.execution import ExecutionReceipt, SignedReceipt
from oracle.errors import BadInput, NotFound, Transient
from oracle.services.signers import check_escrow, check_signers

app = typer.Typer(
    help="Execution receipts: one signed document per job that says what ran, what came of it "
    "and, where it failed, at which layer: quote, capacity, start, execution, output or "
    "settlement. Its provider signs it, the customer or an oracle counter-signs; where a "
    "provider left none, the oracles issue one.",
    no_args_is_help=True,
)

_WHERE = "docs/schemas/execution-receipt.json has the form; `clearwork receipt schema` prints it."


@app.command()
def show(
    job: Annotated[int, typer.Argument(min=1, help="Number of the job.")],
    oracle: Annotated[
        list[str],
        typer.Option(
            envvar="CLEARWORK_ORACLES",
            help="URL of an oracle; repeat it to gather the signatures of several.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Show the execution receipts of a job: what failed, at which layer, and who signed.

    The signatures are checked, the signers' roles are not: that is what `verify` does.

    Example: clearwork receipt show 3 --oracle http://127.0.0.1:8100 --json > job-3.json
    """
    receipts: dict[str, SignedReceipt] = {}
    opinions: dict[str, list[tuple[str, FiledReceiptBody]]] = {}
    for url in oracle:
        for filed in _ask(url, job, alone=len(oracle) == 1):
            signed = filed.signed()
            signed.check()
            known = receipts.get(filed.document)
            receipts[filed.document] = known.merged(signed) if known else signed
            opinions.setdefault(filed.document, []).append((url, filed))
    if not receipts:
        raise NotFound(
            f"there is no receipt of job {job} here",
            "A job that still runs has none. Ask another oracle, or wait: a failed job gets one.",
        )
    if as_json:
        bodies = [SignedReceiptBody.of(one).model_dump(mode="json") for one in receipts.values()]
        print(json.dumps(bodies, indent=2, ensure_ascii=False))
        return
    for document, signed in receipts.items():
        Console().print(_table(signed, opinions[document]))


@app.command()
def verify(
    files: Annotated[
        list[Path],
        typer.Argument(help="What `show --json` printed, or - for standard input.", metavar="FILE"),
    ],
    deployment: Annotated[
        Path | None,
        typer.Option(
            envvar="CLEARWORK_DEPLOYMENT",
            help="deployments/<chain id>.json: also check chain and escrow.",
        ),
    ] = None,
    rpc: Annotated[
        list[str] | None,
        typer.Option(
            envvar="CLEARWORK_RPC_URLS",
            help="JSON-RPC endpoint, repeatable: also check by the contracts that every signer "
            "holds the role it signs in. Needs --deployment.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check execution receipts; exit code 2 and the exact fault if one does not hold.

    Offline: the form of the document, its hash over the canonical JSON (RFC 8785), and that
    every signature is its signer's. That convinces whoever knows the signers' addresses. With
    a deployment and an endpoint the contracts say whose addresses they are.

    Example: clearwork receipt show 3 --oracle URL --json | clearwork receipt verify -
    """
    if rpc and deployment is None:
        raise BadInput("an endpoint without a deployment", "Pass --deployment too.")
    receipts = [signed for file in files for signed in _read(file)]
    chain = open_chain(rpc, deployment) if rpc and deployment else None
    for signed in receipts:
        signed.check()
        if chain is not None:
            check_signers(chain, signed)
        elif deployment is not None:
            check_escrow(Deployment.load(deployment), signed.receipt)
    summaries = [_summary(signed) for signed in receipts]
    if as_json:
        print(json.dumps({"valid": True, "roles_checked": bool(chain), "receipts": summaries}))
        return
    for signed, summary in zip(receipts, summaries, strict=True):
        receipt = signed.receipt
        print(
            f"valid: job {receipt.job} of provider {receipt.provider}, {_outcome(receipt)}; "
            f"signed by {', '.join(sorted({str(one.role) for one in signed.signatures}))}"
            + ("" if summary["counter_signed"] else ", counter-signed by nobody")
        )
    if chain is None:
        print("The signers' roles are not checked: pass --deployment and --rpc.")


@app.command()
def schema() -> None:
    """Print the JSON Schema of a receipt, for other programs that check one."""
    print(schema_text(), end="")


def schema_text() -> str:
    """docs/schemas/execution-receipt.json."""
    return json.dumps(receipt_schema(), indent=2) + "\n"


def _ask(url: str, job: int, alone: bool) -> list[FiledReceiptBody]:
    """An oracle's receipts; one of several may be down."""
    try:
        return ReceiptClient(url).filed(job)
    except Transient as error:
        if alone:
            raise
        Console(stderr=True).print(Text(f"{error} It is left out."))
        return []


def _read(file: Path) -> list[SignedReceipt]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
        # unlike the standard library's, this parser bounds how deep lists may nest
        content = from_json(text, allow_inf_nan=False)
    except OSError as error:
        raise BadInput(f"cannot read {file}: {error.strerror}", "Name an existing file.") from error
    except ValueError as error:
        raise BadInput(f"{file} is no JSON: {error}", _WHERE) from error
    entries = content if isinstance(content, list) else [content]
    if not entries:
        raise BadInput(f"there is no receipt in {file}", "Name what `show --json` printed.")
    return [_parse(entry) for entry in entries]


def _parse(entry: Any) -> SignedReceipt:
    try:
        body = SignedReceiptBody.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the receipt"
        raise BadInput(f"{place}: {first['msg']}", _WHERE) from error
    if body.model_dump(mode="json") != entry:
        raise BadInput("a field is left out: the form asks for null where nothing is", _WHERE)
    return body.signed()


def _summary(signed: SignedReceipt) -> dict[str, Any]:
    receipt = signed.receipt
    return {
        "job": receipt.job,
        "document": "0x" + receipt.hash.hex(),
        "issuer": str(receipt.issuer),
        "status": receipt.status.name.lower(),
        "layer": None if receipt.fault is None else str(receipt.fault.layer),
        "counter_signed": signed.is_counter_signed,
        "signers": [{"role": str(one.role), "signer": one.signer} for one in signed.signatures],
    }


def _outcome(receipt: ExecutionReceipt) -> str:
    status = receipt.status.name.lower().replace("_", " ")
    return status if receipt.fault is None else f"{status} at layer {receipt.fault.layer}"


def _table(signed: SignedReceipt, opinions: list[tuple[str, FiledReceiptBody]]) -> Table:
    """One receipt for people. What others wrote is shown as text: no markup, no escape codes."""
    receipt, fault, work = signed.receipt, signed.receipt.fault, signed.receipt.work
    rows: list[tuple[str, object]] = [
        ("outcome", _outcome(receipt)),
        ("why", fault and fault.reason),
        ("evidence", fault and fault.evidence and "0x" + fault.evidence.hex()),
        ("provider", receipt.provider),
        ("devices", ", ".join("0x" + device.hex() for device in receipt.devices)),
        ("GPU-seconds", f"{receipt.gpu_seconds:,}"),
        ("ended at", f"{receipt.ended_at} (chain time)"),
        ("image", work and work.image),
        ("command", work and " ".join(work.command)),
        ("input", work and work.input),
        ("output", work and work.output),
        ("exit code", work and work.exit_code),
        ("peak memory", work and work.peak_memory_mb and f"{work.peak_memory_mb:,} MB"),
        ("issued by", receipt.issuer),
        *((f"signed, {one.role}", one.signer) for one in signed.signatures),
        *(
            (f"{filed.state} at", f"{url} {filed.reason}")
            for url, filed in opinions
            if filed.state != "agreed"
        ),
        ("document", "0x" + receipt.hash.hex()),
    ]
    table = Table(title=f"Job {receipt.job}", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        if value is not None and value != "":
            table.add_row(name, Text(_printable(str(value))))
    return table


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
