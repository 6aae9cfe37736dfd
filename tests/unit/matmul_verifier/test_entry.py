"""The int32 entry, bit for bit that of the specification."""

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

MAX_K = 131_072
MAX_DIM = 2**32 - 1
SEED = bytes(range(32))
OTHER = bytes(range(32, 64))

seeds = st.binary(min_size=32, max_size=32)
dims = st.integers(0, MAX_DIM)


@pytest.mark.parametrize("case", range(3), ids=["golden", "tiny", "rect"])
def test_golden_vectors(verifier, golden, case):
    vector = golden["single"][case]
    seed = bytes.fromhex(vector["seed"][2:])
    entries = [verifier.entry(seed, seed, vector["K"], 0, j) for j in range(4)]
    assert entries == vector["c_row0_first4"]


@settings(max_examples=60, deadline=None)
@given(seed_r=seeds, seed_0=seeds, words=st.integers(1, 24), i=dims, j=dims)
def test_is_the_dot_product(verifier, entry_of, seed_r, seed_0, words, i, j):
    k = 32 * words
    assert verifier.entry(seed_r, seed_0, k, i, j) == entry_of(seed_r, seed_0, k, i, j)


@pytest.mark.parametrize("k", [32, 64, 96, 128, 160, MAX_K - 32, MAX_K])
def test_both_loops_and_both_ends_of_k(verifier, entry_of, k):
    assert verifier.entry(SEED, OTHER, k, 3, 5) == entry_of(SEED, OTHER, k, 3, 5)


def test_largest_row_and_column(verifier, entry_of):
    expected = entry_of(SEED, OTHER, 64, MAX_DIM, MAX_DIM)
    assert verifier.entry(SEED, OTHER, 64, MAX_DIM, MAX_DIM) == expected


def test_rows_and_columns_are_drawn_apart(verifier):
    assert verifier.entry(SEED, OTHER, 64, 1, 2) != verifier.entry(SEED, OTHER, 64, 2, 1)
    assert verifier.entry(SEED, OTHER, 64, 1, 2) != verifier.entry(OTHER, SEED, 64, 1, 2)


@pytest.mark.parametrize("k", [0, 1, 31, 33, MAX_K + 32, 2**256 - 32])
def test_reverts_on_k_out_of_bounds(verifier, k):
    with boa.reverts("matmul_verifier: inner dimension out of bounds"):
        verifier.entry(SEED, OTHER, k, 0, 0)


@pytest.mark.parametrize(("i", "j"), [(MAX_DIM + 1, 0), (0, MAX_DIM + 1), (2**256 - 1, 0)])
def test_reverts_on_a_place_out_of_bounds(verifier, i, j):
    with boa.reverts("matmul_verifier: place out of bounds"):
        verifier.entry(SEED, OTHER, 32, i, j)
