"""`clearwork yuma`: what consensus makes of one case."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic_core import from_json
from rich import box
from rich.console import Console
from rich.table import Table

from oracle.cli.options import AsJson
from oracle.cli.yuma_case import Case, expected
from oracle.domain.consensus import Mode
from oracle.errors import BadInput, NotFound

app = typer.Typer(add_completion=False)

_ANY_CASE = "docs/consensus.md says what a case looks like."
# how many cases of a file an error names
_NAMED = 5


@app.command()
def yuma(
    file: Annotated[
        Path, typer.Argument(help="JSON with a case, or with `cases`; - for standard input.")
    ],
    case: Annotated[
        str | None, typer.Option("--case", help="Name of the case, in a file that has several.")
    ] = None,
    mode: Annotated[
        Mode,
        typer.Option(
            help="strict: a weight needs more than half the stake, and a bond without a weight "
            "decays. bittensor: the original to the bit, where exactly half is enough at the "
            "usual kappa and liquid alpha drops such a bond."
        ),
    ] = Mode.STRICT,
    as_json: AsJson = False,
) -> None:
    """Compute the epochs of one case by Yuma consensus: who earns what, and why.

    A case has a subnet's parameters and one or more epochs: stakes, weights, registrations.
    Permits and bonds pass from each epoch to the next. Everything is computed in whole numbers;
    any two machines get the same bits. --json prints the case in its own schema, with the
    results as `expected` of each epoch. docs/consensus.md explains every number.

    Example: clearwork yuma cases.json --case edge_exact_half_split --mode bittensor
    """
    chosen = Case.parse(_choose(_read(file), case, file))
    if as_json:
        print(json.dumps({**chosen.solved(mode), "mode": str(mode)}, separators=(",", ":")))
        return
    # in a log the table takes the width it needs
    console = Console(width=None if sys.stdout.isatty() else 120)
    for number, (epoch, outputs) in enumerate(zip(chosen.epochs, chosen.run(mode), strict=True)):
        result = expected(outputs)
        title = f"{chosen.name}, epoch {number}, mode {mode}"
        console.print(_table(title, result))
        if epoch.expected is not None:
            print(_comparison(epoch.expected, result))


def _read(file: Path) -> Any:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
        return from_json(text, allow_inf_nan=False)
    except OSError as error:
        raise BadInput(f"cannot read {file}: {error.strerror}", "Name an existing file.") from error
    except ValueError as error:
        raise BadInput(f"{file} is no JSON: {error}", _ANY_CASE) from error


def _choose(content: Any, name: str | None, file: Path) -> Any:
    if not isinstance(content, dict):
        raise BadInput(f"{file} holds no case", _ANY_CASE)
    cases = content.get("cases", [content])
    if not isinstance(cases, list) or not all(isinstance(each, dict) for each in cases):
        raise BadInput("cases: not a list of cases", _ANY_CASE)
    if name is None:
        if len(cases) == 1:
            return cases[0]
        raise BadInput(f"{file} holds {len(cases)} cases", f"Choose with --case: {_names(cases)}.")
    found = [each for each in cases if each.get("name") == name]
    if not found:
        raise NotFound(f"{file} has no case {name!r}", f"It has {_names(cases)}.")
    return found[0]


def _names(cases: list[dict[str, Any]]) -> str:
    names = [str(each.get("name")) for each in cases]
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _table(title: str, result: dict[str, Any]) -> Table:
    """One epoch for people: uids that have or get something."""
    shares = ("active_stake", "consensus", "validator_trust", "incentive", "dividends")
    columns = [result[f"{name}_bits"] for name in shares]
    columns += [result["server_emission"], result["validator_emission"]]
    silent = 0
    table = Table(title=title, box=box.SIMPLE, title_justify="left", caption_justify="left")
    for name in (
        *("uid", "stake", "consensus", "trust", "incentive", "dividends"),
        *("as server", "as validator", "bonds", "permit"),
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for uid, numbers in enumerate(zip(*columns, strict=True)):
        permit, bonds = result["new_permits"][uid], len(result["bonds_u16"][uid])
        if not (any(numbers) or permit or bonds):
            silent += 1
            continue
        table.add_row(
            str(uid),
            *(_decimal(bits) for bits in numbers[: len(shares)]),
            *(f"{amount:,}" for amount in numbers[len(shares) :]),
            str(bonds),
            ("yes" if permit else "no") + ("" if result["active"][uid] else ", inactive"),
        )
    table.caption = (
        "stake: share of what counts; all shares rounded down\n"
        "as server, as validator: emission in base units; permit: for the next epoch"
    )
    if silent:
        table.caption += f"\n{silent} uids without any of this are left out"
    return table


def _decimal(bits: int) -> str:
    """An I32F32 of 0 or more with six decimals, rounded down."""
    whole, millionths = divmod(bits * 10**6 >> 32, 10**6)
    return f"{whole}.{millionths:06}"


def _comparison(wanted: dict[str, Any], result: dict[str, Any]) -> str:
    """Where a result differs from what the file says; it may leave fields out, or null."""
    different = [
        name for name, value in wanted.items() if value is not None and result.get(name) != value
    ]
    if not different:
        return "All of it is what the file expects."
    return f"The file expects something else of {', '.join(different)}."
