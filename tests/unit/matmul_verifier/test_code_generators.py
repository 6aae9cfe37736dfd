"""The contract is compiled by Vyper's experimental code generator. What the other one makes
of the same source must give the same answers."""

from pathlib import Path

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

SOURCE = Path(__file__).parents[3] / "contracts" / "MatmulVerifier.vy"
PRAGMA = "# pragma experimental-codegen\n"

seeds = st.binary(min_size=32, max_size=32)


@pytest.fixture(scope="module")
def other():
    """The same source without the pragma."""
    source = SOURCE.read_text()
    assert PRAGMA in source
    return boa.loads(source.replace(PRAGMA, ""), filename=str(SOURCE))


def test_they_differ(verifier, other):
    assert verifier.bytecode != other.bytecode


@settings(max_examples=60, deadline=None)
@given(seed_r=seeds, seed_0=seeds, words=st.integers(1, 40), i=st.integers(0, 2**32 - 1))
def test_same_entries(verifier, other, seed_r, seed_0, words, i):
    arguments = (seed_r, seed_0, 32 * words, i, 7)
    assert verifier.entry(*arguments) == other.entry(*arguments)


def test_same_verdicts(verifier, other, product):
    for i, j in ((0, 0), (5, 9), (31, 63)):
        for opening in (product.open(i, j), product.falsify(i, j).open(i, j)):
            assert verifier.is_correct(opening.struct) == other.is_correct(opening.struct)
            for place in {"i": 32}, {"k": 31}, {"path": []}, {"root": bytes(32)}:
                with boa.reverts():
                    verifier.is_correct(opening.but(**place).struct)
                with boa.reverts():
                    other.is_correct(opening.but(**place).struct)
