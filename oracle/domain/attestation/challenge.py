"""What a device is asked to show in an epoch, and in which shape."""

from collections.abc import Sequence
from enum import IntEnum

from oracle.domain.attestation.chain import Dims
from oracle.domain.attestation.plan import (
    BANDWIDTH_ROWS,
    MEGABYTE,
    OPERATIONS_PER_BYTE,
    OPERATIONS_PER_HASH,
    plan,
    plan_bandwidth,
    plan_walk,
)
from oracle.domain.attestation.walk import WalkDims

# epochs for which a device shows what it committed to: twice the day of one-hour epochs that a
# result is good for. Leaves are asked for on chain within it (LeafRequests.KEEP_EPOCHS)
KEEP_EPOCHS = 48

Shape = Dims | WalkDims


class Mode(IntEnum):
    """What a challenge measures; the value travels in `messages.Challenge`."""

    THROUGHPUT = 0
    """The integer-GEMM chain: operations per second."""
    BANDWIDTH = 1
    """The same chain with 16 rows of A: bytes of B read per second."""
    RESIDENCY = 2
    """A walk through a table that fills the memory."""


def mode_at(epoch: int, modes: Sequence[Mode]) -> Mode:
    """What all devices show in an epoch: the modes in turn.

    All of them show the same at the same time, so that one card under two ids is never asked
    for something light under one of them.
    """
    return modes[epoch % len(modes)]


def last_turn(epoch: int, mode: Mode, modes: Sequence[Mode]) -> int:
    """The newest epoch up to `epoch` in which it was the turn of `mode`; negative for none."""
    return epoch - (epoch - modes.index(mode)) % len(modes)


def challenge_shape(
    mode: Mode, ops_per_second: int, memory_mb: int, window_ms: int, fixed: Dims | None = None
) -> Shape:
    """The shape for a device that claims so many int8 operations a second and so many MB.

    A pure function of the claim and the window, so all oracles of a committee choose alike;
    `fixed` takes the place of the planned throughput chain, and the other modes follow its B.
    Raises `BadInput` for a claim that no challenge fits.
    """
    if mode is Mode.THROUGHPUT:
        return fixed or plan(ops_per_second, memory_mb, window_ms)
    if mode is Mode.BANDWIDTH:
        if fixed:
            return Dims(BANDWIDTH_ROWS, fixed.n, fixed.k, fixed.rounds)
        reads = max(1, ops_per_second // OPERATIONS_PER_BYTE)
        return plan_bandwidth(reads, memory_mb, window_ms)
    if fixed:
        return plan_walk(1, -(-fixed.n * fixed.k // MEGABYTE), window_ms)
    return plan_walk(max(1, ops_per_second // OPERATIONS_PER_HASH), memory_mb, window_ms)


def shape_numbers(shape: Shape) -> tuple[int, int, int, int]:
    """The four numbers of a shape as they travel: m, n, k and rounds of a chain; entries,
    lanes, steps and depth of a walk."""
    if isinstance(shape, Dims):
        return shape.m, shape.n, shape.k, shape.rounds
    return shape.entries, shape.lanes, shape.steps, shape.depth


def shape_of(mode: int, numbers: tuple[int, int, int, int]) -> Shape:
    """The shape behind what `shape_numbers` gave. Raises `BadInput` for an impossible one."""
    return WalkDims(*numbers) if mode == Mode.RESIDENCY else Dims(*numbers)
