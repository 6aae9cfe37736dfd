"""How much work a verified commit proves, as integers: the number goes on chain."""

from functools import cache

from oracle.domain.attestation.chain import Dims
from oracle.domain.attestation.walk import WalkDims
from oracle.errors import BadInput

PHI_BITS = 64
MAX_QUERIES = 1_024
# a prover that computed less than the share phi passes with probability below 1 / 1000
RISK_DENOMINATOR = 1_000


def operations_per_second(dims: Dims, queries: int, window_ms: int) -> int:
    """Lower bound of int8 operations per second behind a chain whose openings all held.

    floor(phi * operations / window) with phi = 0.001^(1 / queries): whoever computed a smaller
    share of the entries would have been caught with probability 99.9 %. `window_ms` is the time
    that all devices have, from the beacon to the deadline, however early a commit came: so the
    bounds of all devices on a card, whoever owns them, add up to no more than the card does in it.
    Rounds down twice (phi, quotient), never up; capped at the uint64 it travels in. Raises
    `BadInput` for a window below 1 ms.
    """
    return _lower_bound(dims.operations, queries, window_ms)


def bytes_per_second(dims: Dims, queries: int, window_ms: int) -> int:
    """Lower bound of memory bandwidth behind a bandwidth chain whose openings all held.

    Every round reads the n * k bytes of B, which does not fit a cache; they count once per
    round, however many rows A has. Rounded as `operations_per_second`.
    """
    return _lower_bound(dims.rounds * dims.n * dims.k, queries, window_ms)


def steps_per_second(dims: WalkDims, queries: int, elapsed_ms: int) -> int:
    """Lower bound of dependent table reads a second behind a walk whose `queries` lanes all held.

    `elapsed_ms` is the time of the whole walk, with that for the table. Rounded as
    `operations_per_second`.
    """
    return _lower_bound(dims.lanes * dims.steps, queries, elapsed_ms)


def _lower_bound(work: int, queries: int, time_ms: int) -> int:
    if time_ms < 1:
        raise BadInput(f"work within {time_ms} ms", "give a time of 1 ms or more")
    numerator = phi_fixed_point(queries) * work * 1_000
    return min(numerator // (time_ms << PHI_BITS), 2**64 - 1)


@cache
def phi_fixed_point(queries: int) -> int:
    """floor(0.001^(1 / queries) * 2^64), exactly: an integer root, no float.

    Raises `BadInput` outside 1..1024 queries.
    """
    if not 1 <= queries <= MAX_QUERIES:
        raise BadInput(f"{queries} queries", f"ask for 1 to {MAX_QUERIES} entries")
    target = (1 << (PHI_BITS * queries)) // RISK_DENOMINATOR
    low, high = 0, 1 << PHI_BITS
    while high - low > 1:
        middle = (low + high) // 2
        if middle**queries <= target:
            low = middle
        else:
            high = middle
    return low


def detection_probability(skipped: float, queries: int) -> float:
    """Chance that at least one of `queries` entries falls into the `skipped` share of the work.

    For people and tests; no payment depends on it. A prover that guesses the skipped bytes is
    right in 1 of 256: for it, `skipped` is 255 / 256 of the share it did not compute.
    """
    return float(1.0 - (1.0 - skipped) ** queries)
