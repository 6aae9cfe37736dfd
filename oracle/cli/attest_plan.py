"""`clearwork attest plan`: which challenges suit a device."""

import json
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from oracle.cli.options import AsJson, parse_size
from oracle.domain.attestation import (
    Dims,
    WalkDims,
    bytes_per_second,
    memory_needed,
    operations_per_second,
    plan_bandwidth,
    plan_walk,
)
from oracle.domain.attestation import plan as plan_chain
from oracle.domain.attestation.plan import (
    LANE_BYTES,
    MEGABYTE,
    OPERATIONS_PER_BYTE,
    OPERATIONS_PER_HASH,
)
from oracle.errors import BadInput
from oracle.settings import Settings

# what an oracle opens unless it is set otherwise: entries, or lanes
QUERIES: int = Settings.model_fields["attestation_queries"].default
WINDOW_MS: int = Settings.model_fields["attestation_deadline_ms"].default


def plan(
    tops: Annotated[str, typer.Option(help="Claimed int8 operations a second, in 10^12.")],
    memory: Annotated[str, typer.Option(help="Claimed memory: 24GB, 80GiB, ...")],
    bandwidth: Annotated[
        str | None,
        typer.Option(help="Claimed bytes a second: 900GB. If absent, one per 512 operations."),
    ] = None,
    hashes: Annotated[
        str | None,
        typer.Option(
            help="Claimed keccak hashes a second, in 10^6. If absent, one per 262144 operations."
        ),
    ] = None,
    window: Annotated[
        int,
        typer.Option(
            min=1, help="Milliseconds from the beacon to the deadline, as the oracles have it."
        ),
    ] = WINDOW_MS,
    as_json: AsJson = False,
) -> None:
    """Say which challenges suit a device, what it is certified for, and what verifying costs.

    Every oracle chooses the same for the same claim. Example: clearwork attest plan
    --tops 400 --memory 24GB
    """
    operations = _millions("--tops", tops) * 1_000_000
    memory_mb = parse_size(memory) // MEGABYTE
    read = parse_size(bandwidth) if bandwidth else max(1, operations // OPERATIONS_PER_BYTE)
    hashed = _millions("--hashes", hashes) if hashes else operations // OPERATIONS_PER_HASH
    plans = [
        _planned_chain("throughput", plan_chain(operations, memory_mb, window), operations, window),
        _planned_chain("bandwidth", plan_bandwidth(read, memory_mb, window), read, window),
        _planned_walk(plan_walk(max(1, hashed), memory_mb, window), max(1, hashed)),
    ]
    if as_json:
        print(json.dumps([asdict(each) for each in plans], indent=2))
        return
    # two tables, each of which fits 80 columns whole
    shapes, costs = Table("mode"), Table("mode")
    for column in ("shape", "memory MB"):
        justify: Literal["left", "right"] = "left" if column == "shape" else "right"
        shapes.add_column(column, justify=justify, overflow="fold")
    for column in ("work", "run s", "certified/s", "verifier hashes"):
        costs.add_column(column, justify="right", overflow="fold")
    for each in plans:
        shape = ", ".join(f"{name} {value:,}" for name, value in each.dims.items())
        shapes.add_row(each.mode, shape, f"{each.memory_mb:,}")
        costs.add_row(
            each.mode, f"{each.work:.3g}", f"{each.run_ms / 1e3:.1f}",
            "-" if each.certified is None else f"{each.certified:.3g}", f"{each.verifier_hashes:,}",
        )  # fmt: skip
    console = Console()
    console.print(shapes)
    console.print(costs)


@dataclass(frozen=True, slots=True)
class Planned:
    """One planned challenge: what it asks for, and of whom how much.

    `work`: int8 operations, bytes read or hashes. `run_ms`: at the claimed rate; a bandwidth
    chain takes the time to generate B on top. `certified`: operations or bytes a second that its
    commit proves, if it comes in time; None for a walk. `verifier_hashes`: for `queries` openings.
    """

    mode: str
    dims: dict[str, int]
    work: int
    memory_mb: int
    run_ms: int
    certified: int | None
    queries: int
    verifier_hashes: int


def _planned_chain(mode: str, dims: Dims, rate: int, window_ms: int) -> Planned:
    if mode == "throughput":
        work, bound = dims.operations, operations_per_second(dims, QUERIES, window_ms)
    else:
        work = dims.rounds * dims.n * dims.k
        bound = bytes_per_second(dims, QUERIES, window_ms)
    hashes = QUERIES * (2 * dims.k // 32 + dims.depth + 3)
    memory_mb = memory_needed(dims) // MEGABYTE
    return Planned(
        mode, asdict(dims), work, memory_mb, work * 1_000 // rate, bound, QUERIES, hashes
    )


def _planned_walk(dims: WalkDims, rate: int) -> Planned:
    memory_mb = (dims.table_bytes + LANE_BYTES * dims.lanes) // MEGABYTE
    hashes = QUERIES * (dims.steps * (dims.depth + 1) + dims.tree_depth + 2)
    run_ms = dims.hashes * 1_000 // rate
    return Planned("walk", asdict(dims), dims.hashes, memory_mb, run_ms, None, QUERIES, hashes)


def _millions(option: str, text: str) -> int:
    try:
        value = int(Decimal(text) * 1_000_000)
    except (InvalidOperation, ValueError):
        value = 0
    if value < 1:
        raise BadInput(f"{option} {text}", "pass a positive number, such as 400 or 0.1")
    return value
