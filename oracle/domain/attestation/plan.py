"""Which shape to challenge a device with, from what it claims.

A challenge runs for `RUN_EIGHTHS` of the window on a device that is as fast as it says. The rest
is for bad days: hot cards, and a network that takes its time. Integers only, and no measurement:
all oracles of a committee choose the same shape for the same claim and window.
"""

from oracle.domain.attestation.chain import MAX_ROUNDS, WORD_BYTES, Dims
from oracle.domain.attestation.memory import memory_needed
from oracle.domain.attestation.walk import (
    ENDS_PER_LEAF,
    ENTRY_BYTES,
    MAX_LANES,
    MIN_DEPTH,
    WalkDims,
)
from oracle.errors import BadInput

RUN_EIGHTHS = 5
# fewer rounds than this, and one could be skipped by a prover that is a little lucky
MIN_ROUNDS = 8
# a wider product hashes less per operation; a deeper one costs verifiers and the court more
LEAST_SIDE, LARGEST_SIDE = 128, 32_768
# rows may grow beyond: a fast device needs more work in a round, and pays for it in memory
MAX_ROWS = 1 << 20
# rows of A in bandwidth mode: B is read once for all of them
BANDWIDTH_ROWS = 16
# hashes behind an entry of the table, and reads of each entry on average
WALK_DEPTH = MIN_DEPTH
LEAST_READS, MOST_READS = 4, 16
# a verifier replays whole lanes, so they are short and many
LANE_STEPS = 512
# a lane's end, and its share of the tree
LANE_BYTES = 64
# what cards do per byte they read and per keccak they hash, roughly: for claims of one figure
OPERATIONS_PER_BYTE, OPERATIONS_PER_HASH = 512, 262_144
MEGABYTE = 1_000_000
# of the claimed memory, in eighths, that a challenge fills; the rest is the driver's
FILLED_EIGHTHS = 7


def plan(ops_per_second: int, memory_mb: int, window_ms: int) -> Dims:
    """A throughput chain for a device that claims so many int8 operations a second.

    The largest cube of which `MIN_ROUNDS` fit the time and that the memory holds, a little longer
    in k so that whole rounds fill the time; more rows where `MAX_ROUNDS` cubes are over too soon.
    At the claimed rate it runs for `RUN_EIGHTHS` of `window_ms`, the time from the beacon to the
    deadline: a device that comes to 7/10 of its claim still has a tenth of the window to spare.

    `memory_mb` counts 10^6 bytes. Raises `BadInput` for a claim of nothing, of a window below a
    millisecond, or of less memory than the smallest chain needs.
    """
    work = _work(ops_per_second, "operations per second", window_ms)
    memory = _filled(memory_mb)
    side = LARGEST_SIDE
    while side > LEAST_SIDE and not _cube_suits(side, work, memory):
        side //= 2
    dims = _chain(side, side, side, work)
    if memory_needed(dims) > memory:
        raise BadInput(
            f"{memory_mb} MB hold no chain", "claim the memory that the device really has"
        )
    while dims.rounds == MAX_ROUNDS and dims.operations < work and dims.m < MAX_ROWS:
        wider = _chain(2 * dims.m, side, side, work)
        if memory_needed(wider) > memory:
            break
        dims = wider
    return dims


def plan_bandwidth(bytes_per_second: int, memory_mb: int, window_ms: int) -> Dims:
    """A bandwidth chain: a short A, and a B that fills the memory and is read in every round.

    n is the power of two for which k lies between 16 384 and 32 768, so that B fills what the
    claimed memory leaves beside the product; small memories get a smaller k. Raises `BadInput`
    as `plan` does.
    """
    work = _work(bytes_per_second, "bytes per second", window_ms)
    memory = _filled(memory_mb)
    n = LEAST_SIDE
    while n * LARGEST_SIDE < memory:
        n *= 2
    k = min(LARGEST_SIDE, memory // n // WORD_BYTES * WORD_BYTES)
    while k >= WORD_BYTES:
        dims = Dims(BANDWIDTH_ROWS, n, k, _rounds(work, n * k))
        if memory_needed(dims) <= memory:
            return dims
        k -= max(WORD_BYTES, k // 64 // WORD_BYTES * WORD_BYTES)
    raise BadInput(
        f"{memory_mb} MB hold no bandwidth chain", "claim the memory that the device really has"
    )


def plan_walk(hashes_per_second: int, memory_mb: int, window_ms: int) -> WalkDims:
    """A residency walk whose table fills the memory.

    Its lanes read as often as the time leaves when the table is there, at least
    `LEAST_READS` times an entry: fewer, and a prover would save more by not computing the table
    than it pays for missing it. A large memory takes longer than a slow device has in a short
    window. Raises `BadInput` for a claim of nothing.
    """
    budget = _work(hashes_per_second, "hashes per second", window_ms)
    memory = _filled(memory_mb)
    entries = memory // ENTRY_BYTES
    spare = budget - entries * WALK_DEPTH
    reads = min(max(spare, LEAST_READS * entries), MOST_READS * entries)
    lanes = ENDS_PER_LEAF
    while lanes * LANE_STEPS < reads and lanes < MAX_LANES:
        lanes *= 2
    entries = (memory - lanes * LANE_BYTES) // ENTRY_BYTES
    return WalkDims(entries, lanes, -(-reads // lanes), WALK_DEPTH)


def _cube_suits(side: int, work: int, memory: int) -> bool:
    dims = _chain(side, side, side, work)
    return MIN_ROUNDS * 2 * side**3 <= work and memory_needed(dims) <= memory


def _chain(m: int, n: int, side: int, work: int) -> Dims:
    """As many rounds as the work has room for, and k longer by what is left of it."""
    rounds = min(MAX_ROUNDS, max(1, work // (2 * m * n * side)))
    if rounds < MIN_ROUNDS:
        return Dims(m, n, side, rounds)
    words = -(-work // (2 * m * n * rounds * WORD_BYTES))
    return Dims(m, n, min(words * WORD_BYTES, side + max(WORD_BYTES, side // MIN_ROUNDS)), rounds)


def _work(rate: int, what: str, window_ms: int) -> int:
    """What a device of this rate does in its share of the window, rounded up."""
    done = _positive(rate, what) * _positive(window_ms, "milliseconds") * RUN_EIGHTHS
    return -(-done // (8 * 1_000))


def _rounds(work: int, work_of_a_round: int) -> int:
    return min(MAX_ROUNDS, -(-work // work_of_a_round))


def _positive(claim: int, what: str) -> int:
    if claim < 1:
        raise BadInput(f"a claim of {claim} {what}", "claim what the device sustains")
    return claim


def _filled(memory_mb: int) -> int:
    return _positive(memory_mb, "MB") * MEGABYTE * FILLED_EIGHTHS // 8
