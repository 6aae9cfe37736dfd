"""A challenge that fits the claim: long enough to time, small enough to hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.domain.attestation import Dims, memory_needed, plan, plan_bandwidth, pruned_levels
from oracle.domain.attestation.memory import TREE_BYTES, tree_bytes
from oracle.domain.attestation.plan import MAX_ROWS
from oracle.errors import BadInput

TERA, GIGA = 10**12, 10**9
# five eighths of it are RUN_SECONDS
WINDOW_MS, RUN_SECONDS = 6_400, 4


def test_plans_of_known_devices() -> None:
    """Frozen: every oracle of a committee has to choose these."""
    assert plan(10**9, 256, WINDOW_MS) == Dims(512, 512, 576, 14)
    assert plan(100 * GIGA, 8_000, WINDOW_MS) == Dims(2_048, 2_048, 2_080, 23)
    assert plan(121 * TERA, 24_000, WINDOW_MS) == Dims(16_384, 16_384, 16_416, 55)
    assert plan(400 * TERA, 24_000, WINDOW_MS) == Dims(32_768, 32_768, 33_888, 22)
    assert plan(1_979 * TERA, 80_000, WINDOW_MS) == Dims(65_536, 32_768, 32_928, 56)


@given(st.integers(10**8, 5 * 10**15), st.integers(1_000, 300_000))
def test_a_chain_runs_for_its_time_within_its_memory(ops: int, memory_mb: int) -> None:
    dims = plan(ops, memory_mb, WINDOW_MS)

    assert memory_needed(dims) <= memory_mb * 10**6
    assert dims.operations <= 9 * RUN_SECONDS * ops // 8
    # only a fast device without memory is done sooner
    if memory_mb >= 48_000 or ops <= 10**11:
        assert dims.operations >= RUN_SECONDS * ops
        assert dims.rounds >= 8
        # and no device is asked for much more than its share of the window: a word of k
        assert dims.operations * dims.n <= RUN_SECONDS * ops * (dims.n + 32)


@given(st.integers(10**8, 10**15), st.integers(1, 10**6))
def test_a_larger_claim_never_means_less_work(ops: int, more: int) -> None:
    assert (
        plan(ops + more, 80_000, WINDOW_MS).operations * 9 // 8
        >= plan(ops, 80_000, WINDOW_MS).operations
    )


def test_a_tiny_claim_still_has_a_chain() -> None:
    assert plan(1, 1, WINDOW_MS) == Dims(128, 128, 128, 1)


@pytest.mark.parametrize(("ops", "memory_mb"), [(0, 100), (-1, 100), (10**9, 0), (10**9, -5)])
def test_a_claim_of_nothing_is_refused(ops: int, memory_mb: int) -> None:
    for planned in (plan, plan_bandwidth):
        with pytest.raises(BadInput):
            planned(ops, memory_mb, WINDOW_MS)


@given(st.integers(10**9, 10**13), st.integers(256, 300_000))
def test_a_bandwidth_chain_fills_the_memory(rate: int, memory_mb: int) -> None:
    dims = plan_bandwidth(rate, memory_mb, WINDOW_MS)

    assert dims.m == 16
    assert memory_needed(dims) <= memory_mb * 10**6 * 7 // 8
    assert dims.n * dims.k >= memory_mb * 10**6 // 2
    assert dims.rounds == 64 or dims.rounds * dims.n * dims.k >= RUN_SECONDS * rate


@given(st.integers(0, 18), st.integers(0, 18), st.integers(1, 64))
def test_trees_are_pruned_no_further_than_needed(a: int, b: int, rounds: int) -> None:
    m, n = 1 << a, 1 << b
    if m * n < 128:
        return
    dims = Dims(m, n, 32, rounds)
    levels = pruned_levels(dims)

    # what has to be computed again lies in one row
    assert levels == 0 or 128 << levels <= n
    assert levels == 0 or tree_bytes(dims, levels - 1) > TREE_BYTES
    assert tree_bytes(dims, 0) == rounds * (m * n + 64 * dims.leaves)


def test_rows_have_an_end() -> None:
    assert plan(2**62, 10**9, WINDOW_MS).m <= MAX_ROWS
