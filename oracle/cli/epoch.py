"""`clearwork epoch`: who got what of an epoch, and whether the report about it is right."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from oracle.adapters.chain.history import Posted
from oracle.adapters.report_client import ReportClient
from oracle.api.schemas import EpochSummaryView
from oracle.cli.options import AsJson, DeploymentFile, RpcUrls, open_chain
from oracle.domain.leaves import LeafKind
from oracle.domain.summary import AT_LARGE, Reason
from oracle.errors import Conflict, NotFound
from oracle.services.replay import Replay, Replayed

app = typer.Typer(
    help="Epochs: who got what and why, and whether a posted report is right.",
    no_args_is_help=True,
)

UNIT = 10**18
BAR = 12
WHY: dict[int, str] = {
    Reason.NO_TAKER: "nobody took it",
    Reason.WITHHELD: "kept by a subnet's owner",
    Reason.FEE_CAP: "over what fees allow",
    Reason.NO_FEES: "nobody paid fees",
    Reason.NO_POLICY: "kept by a supply policy that is gone",
}

Oracle = Annotated[
    str, typer.Option(envvar="CLEARWORK_ORACLE", help="URL of any oracle: they all agree.")
]


@app.command()
def show(
    epoch: Annotated[int, typer.Argument(min=0, help="Number of the epoch.")],
    oracle: Oracle,
    top: Annotated[int, typer.Option(min=0, max=500, help="Earners to name.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Budget, subnets, top earners, and what came back to the controller and why.

    Example: clearwork epoch show 12 --oracle http://127.0.0.1:8100
    """
    view = ReportClient(oracle).summary(epoch, top)
    if as_json:
        typer.echo(view.model_dump_json(indent=2))
        return
    console = Console()
    for table in tables(view):
        console.print(table)


def tables(view: EpochSummaryView) -> list[Table]:
    """A summary for people, in whole tokens; bars are parts of all that was released."""
    epochs = str(view.to_epoch)
    if view.from_epoch != view.to_epoch:
        epochs = f"{view.from_epoch} to {view.to_epoch}"
    released = int(view.released)
    supply = (view.minted, view.burnt_for_credits, view.net)
    minted, burnt, net = (_tokens(int(amount)) for amount in supply)
    budget = Table(
        title=f"Epoch {epochs}: {_tokens(released)} WORK",
        caption=f"{minted} WORK minted, {burnt} burnt for credits meanwhile, net {net}\n"
        f"report 0x{view.report_hash.hex()}",
    )
    for column in ("", "share", "owner", "miners", "validators", "oracles", "nobody", ""):
        budget.add_column(column, justify="right" if column else "left", no_wrap=True)
    for line in view.subnets:
        name = "at large" if line.subnet == AT_LARGE else f"subnet {line.subnet}"
        parts = (line.share, line.owner, line.miners, line.validators, line.oracles, line.rest)
        bar = _bar(int(line.share), released)
        budget.add_row(name, *(_tokens(int(part)) for part in parts), bar)
    earners = Table(title="Top earners", caption=f"of {view.paid_to} that earned anything")
    for column in ("who", "WORK", ""):
        earners.add_column(column, justify="right" if column == "WORK" else "left")
    for one in view.earners:
        who = f"provider {one.key}" if one.kind == LeafKind.PROVIDER else one.key
        earners.add_row(who, _tokens(int(one.amount)), _bar(int(one.amount), released))
    returned = Table(title="Not paid out")
    for column in ("why", "WORK", ""):
        returned.add_column(column, justify="right" if column == "WORK" else "left")
    for reason, amount in view.reclaimed.items():
        returned.add_row(
            WHY.get(reason, f"reason {reason}"), _tokens(int(amount)), _bar(int(amount), released)
        )
    return [budget, earners, returned]


def _tokens(amount: int) -> str:
    """Base units as tokens, rounded towards zero to four places."""
    if amount < 0:
        return "-" + _tokens(-amount)
    return f"{amount // UNIT:,}.{amount % UNIT // 10**14:04}"


def _bar(part: int, whole: int) -> str:
    return "█" * (part * BAR // whole) if whole else ""


@app.command()
def replay(
    deployment: DeploymentFile,
    rpc: RpcUrls,
    oracle: Annotated[
        str | None,
        typer.Option(
            envvar="CLEARWORK_ORACLE",
            help="URL of an oracle for leaf files, which are checked against the posted hash. "
            "Absent: rewards and attestations only, from the first report on.",
        ),
    ] = None,
    from_block: Annotated[
        int, typer.Option(min=0, help="Replay reports posted in or after this block.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Rebuild posted reports from the chain and say whether their roots are right.

    Needs a node that keeps old state. A wrong report is an error (exit code 2).

    Example: clearwork epoch replay --deployment deployments/31337.json
    --rpc http://127.0.0.1:8545 --oracle http://127.0.0.1:8100
    """
    client = ReportClient(oracle) if oracle else None

    def fetch(posted: Posted) -> bytes | None:
        if client is None:
            return None
        try:
            return client.leaf_file(posted.report_hash)
        except NotFound:
            return None

    console = Console(stderr=as_json)
    found = []
    with console.status("replaying ...") as status:
        for one in Replay(open_chain(rpc, deployment), fetch).run(from_block):
            found.append(one)
            status.update(f"replayed up to epoch {one.posted.to_epoch}")
    if as_json:
        typer.echo(json.dumps([_json(one) for one in found]))
    else:
        console.print(_verdicts(found))
    first = next((one for one in found if one.wrong), None)
    if first is not None:
        raise Conflict(
            f"the report up to epoch {first.posted.to_epoch} is not what the chain says: "
            + ", ".join(first.wrong),
            "Tell the guardian, who can disable it before it is active; compare leaf files.",
        )


def _json(one: Replayed) -> dict[str, object]:
    return {
        "report_hash": "0x" + one.posted.report_hash.hex(),
        "from_epoch": one.from_epoch,
        "to_epoch": one.posted.to_epoch,
        "right": not one.wrong,
        "wrong": one.wrong,
        "unchecked": one.unchecked,
    }


def _verdicts(found: list[Replayed]) -> Table:
    table = Table(title="Reports")
    for column in ("epochs", "report", "verdict", "unchecked"):
        table.add_column(column)
    for one in found:
        table.add_row(
            f"{one.from_epoch} to {one.posted.to_epoch}",
            f"0x{one.posted.report_hash.hex()[:16]}",
            f"[red]wrong: {', '.join(one.wrong)}[/]" if one.wrong else "[green]right[/]",
            ", ".join(one.unchecked),
        )
    return table
