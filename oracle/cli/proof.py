"""`clearwork proof`: what to send to be paid out of the active epoch report."""

from typing import Annotated

import typer
from rich.console import Console

from oracle.adapters.report_client import ReportClient
from oracle.api.schemas import CallView, ProofView
from oracle.cli.options import AsJson
from oracle.domain.leaves import LeafKind, account_key, job_key, payee_key, provider_key

app = typer.Typer(
    help="Proofs against the active epoch report, as calldata that anyone may send: the "
    "contracts pay whom the report names, not the sender.",
    no_args_is_help=True,
)

Oracle = Annotated[
    str, typer.Option(envvar="CLEARWORK_ORACLE", help="URL of any oracle: they all agree.")
]
Provider = Annotated[int, typer.Argument(min=1, max=2**24 - 1, help="Id of the provider.")]


@app.command()
def job(
    job: Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="Number of the job.")],
    oracle: Oracle,
    as_json: AsJson = False,
) -> None:
    """Settle one job: its receipt, agreed by the committee and not settled yet.

    Example: clearwork proof job 7 --oracle http://127.0.0.1:8100
    """
    _show(oracle, LeafKind.JOB, job_key(job), as_json)


@app.command()
def payee(
    payee: Annotated[
        int, typer.Argument(min=1, max=2**24 - 1, help="Id of the provider or cluster.")
    ],
    oracle: Oracle,
    part: Annotated[
        int, typer.Option(min=0, max=2**31, help="Part: each but the last has 512 jobs.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Settle all jobs of a provider or cluster in one transaction."""
    _show(oracle, LeafKind.PAYEE, payee_key(payee, part), as_json)


@app.command()
def provider(provider: Provider, oracle: Oracle, as_json: AsJson = False) -> None:
    """Claim a provider's rewards: a part at once, the rest vests."""
    _show(oracle, LeafKind.PROVIDER, provider_key(provider), as_json)


@app.command()
def account(
    account: Annotated[str, typer.Argument(help="Address, for example of an oracle.")],
    oracle: Oracle,
    as_json: AsJson = False,
) -> None:
    """Claim the rewards of an account."""
    _show(oracle, LeafKind.ACCOUNT, account_key(account), as_json)


def _show(oracle: str, kind: LeafKind, key: bytes, as_json: bool) -> None:
    view = ReportClient(oracle).proof(kind, key)
    if as_json:
        typer.echo(view.model_dump_json(indent=2))
        return
    console = Console()
    for number, call in enumerate(calls(view), 1):
        # plain lines: they are copied into other tools
        console.print(f"[bold]{number}. to[/] {call.to}", highlight=False)
        typer.echo(call.calldata)


def calls(view: ProofView) -> list[CallView]:
    """What to send, in order."""
    return [*view.before, CallView(to=view.to, calldata=view.calldata)]
