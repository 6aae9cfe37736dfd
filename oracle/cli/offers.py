"""`clearwork offers`: what can be bought now, the cheapest first."""

import json
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from oracle.adapters.offer_client import OfferClient
from oracle.api.schemas import OfferQuery, OfferView
from oracle.cli.options import AsJson
from oracle.errors import BadInput

app = typer.Typer(add_completion=False)

HOUR = 3_600


@app.command()
def offers(
    oracle: Annotated[
        str, typer.Option(envvar="CLEARWORK_ORACLE", help="URL of any oracle: it lists offers.")
    ],
    provider: Annotated[int | None, typer.Option(help="Only this provider's.")] = None,
    device_class: Annotated[int | None, typer.Option(help="Only GPUs of this class.")] = None,
    asset: Annotated[str | None, typer.Option(help="Only for this token, by address.")] = None,
    max_price: Annotated[
        int | None, typer.Option(help="At most so many base units for one GPU for one hour.")
    ] = None,
    min_gpus: Annotated[
        int, typer.Option(min=1, max=2**16 - 1, help="At least so many GPUs left.")
    ] = 1,
    limit: Annotated[int, typer.Option(min=1, help="Rows to show.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the offers that can be taken now, the cheapest first.

    An offer is a provider's signed word: whoever pays for a run time within its bounds gets up
    to as many GPUs as are left, at its price, until it expires. Prices in different tokens
    don't compare: choose one with --asset. With --json you get what a taker needs, the
    signature included.

    Example: clearwork offers --oracle http://127.0.0.1:8100 --device-class 1 --min-gpus 8
    """
    query = _query(
        provider=provider,
        device_class=device_class,
        asset=asset,
        max_price=max_price,
        min_gpus=min_gpus,
    )
    found = list(islice(OfferClient(oracle).listed(query), limit))
    if as_json:
        print(json.dumps([one.model_dump(mode="json") for one in found]))
        return
    if not found:
        print("No such offer now. Ask for less, or let a provider know: clearwork provider offer.")
        return
    Console().print(_table(found))


def _query(**asked: int | str | None) -> OfferQuery:
    try:
        return OfferQuery.model_validate(asked)
    except ValidationError as error:
        found = error.errors()[0]
        raise BadInput(
            f"{found['loc'][0]}: {found['msg']}", "`clearwork offers --help` shows an example."
        ) from None


def _table(found: list[OfferView]) -> Table:
    table = Table(
        title="Offers",
        caption="price in base units of the asset for one GPU for one hour; expiry in UTC",
    )
    for column in ("provider", "nonce", "class", "SLA", "GPUs", "price"):
        table.add_column(column, justify="right")
    for column in ("asset", "hours", "expires"):
        table.add_column(column)
    for one in found:
        table.add_row(
            str(one.provider),
            str(one.nonce),
            str(one.device_class),
            str(one.sla or "-"),
            f"{one.available} of {one.gpus}",
            f"{one.price_per_gpu_hour:,}",
            one.asset,
            f"{one.min_seconds / HOUR:g} to {one.max_seconds / HOUR:g}",
            _date(one.expires_at),
        )
    return table


def _date(timestamp: int) -> str:
    try:
        return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError):
        return "never"
