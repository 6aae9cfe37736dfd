"""The number that goes on chain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.domain.attestation import (
    Dims,
    bytes_per_second,
    detection_probability,
    operations_per_second,
    phi_fixed_point,
)
from oracle.errors import BadInput

DIMS = Dims(1_024, 1_024, 1_024, 4)


@pytest.mark.parametrize("queries", [1, 2, 3, 16, 32, 128, 1_000, 1_024])
def test_phi_is_the_exact_root_rounded_down(queries: int) -> None:
    phi = phi_fixed_point(queries)

    assert phi**queries * 1_000 <= 2 ** (64 * queries) < (phi + 1) ** queries * 1_000


def test_known_rates() -> None:
    # one query proves a thousandth of the work, many nearly all of it
    assert operations_per_second(DIMS, 1, 1_000) == DIMS.operations // 1_000
    assert operations_per_second(DIMS, 128, 1_000) == 8_138_649_713
    assert 0.9474 < 8_138_649_713 / DIMS.operations < 0.9475


@given(st.integers(1, 2**32 - 1), st.integers(1, 1_023))
def test_a_longer_window_or_fewer_queries_never_count_more(window_ms: int, queries: int) -> None:
    rate = operations_per_second(DIMS, queries, window_ms)

    assert operations_per_second(DIMS, queries, window_ms + 1) <= rate
    assert rate <= operations_per_second(DIMS, queries + 1, window_ms)
    assert rate * window_ms <= DIMS.operations * 1_000


@pytest.mark.parametrize(("queries", "window_ms"), [(0, 1), (-1, 1), (1_025, 1), (1, 0), (1, -5)])
def test_no_rate_without_queries_or_window(queries: int, window_ms: int) -> None:
    with pytest.raises(BadInput):
        operations_per_second(DIMS, queries, window_ms)


def test_bandwidth_counts_b_once_a_round() -> None:
    dims = Dims(16, 4_096, 1_024, 4)

    assert bytes_per_second(dims, 1, 1_000) == 4 * 4_096 * 1_024 // 1_000
    assert bytes_per_second(dims, 128, 10) == operations_per_second(dims, 128, 10) // 32
    with pytest.raises(BadInput):
        bytes_per_second(dims, 128, 0)


def test_rate_stays_in_its_uint64() -> None:
    huge = Dims(2**19, 2**20, 131_072, 64)
    assert operations_per_second(huge, 1_024, 1) == 2**64 - 1


def test_detection_probability() -> None:
    assert detection_probability(0.1, 0) == 0
    assert detection_probability(1.0, 1) == 1
    assert detection_probability(0.1, 128) == pytest.approx(0.9999986, abs=1e-7)
