"""The byte that stands for an entry."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

INT32 = st.integers(-(2**31), 2**31 - 1)


@pytest.mark.parametrize("case", range(3), ids=["golden", "tiny", "rect"])
def test_golden_vectors(verifier, golden, case):
    vector = golden["single"][case]
    folded = [verifier.fold(entry) for entry in vector["c_row0_first4"]]
    assert folded == vector["fold8_row0_first8"][:4]


@settings(max_examples=100, deadline=None)
@given(entry=INT32)
def test_is_the_xor_of_four_bytes(verifier, fold_of, entry):
    assert verifier.fold(entry) == fold_of(entry)


@pytest.mark.parametrize(
    ("entry", "folded"),
    [(0, 0), (1, 1), (-1, 0), (255, 255), (256, 1), (2**31 - 1, 0x80), (-(2**31), 0x80)],
)
def test_edges(verifier, entry, folded):
    assert verifier.fold(entry) == folded
