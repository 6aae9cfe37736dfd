"""The packed words of ProviderStaking: what goes in comes out, and nothing spills over.

The example of each has every field full.
"""

from typing import Any

import boa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.compiled import CONTRACTS, compiled

TOKENS = st.integers(0, 2**96 - 1)
SHARES = st.integers(0, 2**128 - 1)
GENERATION = st.integers(0, 2**32 - 1)
LIFE = st.integers(0, 2**20 - 1)
REQUESTS = st.integers(0, 32)


@pytest.fixture(scope="module")
def words() -> Any:
    return compiled(CONTRACTS / "modules" / "staking_words.vy").deploy().internal


@settings(max_examples=50, deadline=None)
@given(fields=st.tuples(TOKENS, SHARES, GENERATION))
@example(fields=(2**96 - 1, 2**128 - 1, 2**32 - 1))
def test_pool(words, fields):
    word = words._pack_pool(fields)
    assert words._pool(word) == fields
    assert (words._tokens(word), words._shares(word), words._generation(word)) == fields
    assert words._life(fields[2]) == fields[2] >> 12


@settings(max_examples=50, deadline=None)
@given(fields=st.tuples(TOKENS, TOKENS, st.integers(0, 2**36 - 1), LIFE, REQUESTS))
@example(fields=(2**96 - 1, 2**96 - 1, 2**36 - 1, 2**20 - 1, 2**8 - 1))
def test_bond(words, fields):
    assert words._bond(words._pack_bond(fields)) == fields


@settings(max_examples=50, deadline=None)
@given(fields=st.tuples(SHARES, GENERATION, GENERATION, REQUESTS))
@example(fields=(2**128 - 1, 2**32 - 1, 2**32 - 1, 2**64 - 1))
def test_position(words, fields):
    assert words._position(words._pack_position(fields)) == fields


@settings(max_examples=50, deadline=None)
@given(fields=st.tuples(SHARES, GENERATION, st.integers(0, 2**64 - 1)))
@example(fields=(2**128 - 1, 2**32 - 1, 2**96 - 1))
def test_request(words, fields):
    assert words._request(words._pack_request(fields)) == fields


@settings(max_examples=50, deadline=None)
@given(fields=st.tuples(TOKENS, TOKENS, st.integers(0, 2**40 - 1)))
@example(fields=(2**96 - 1, 2**96 - 1, 2**64 - 1))
def test_cooling(words, fields):
    assert words._cooling(words._pack_cooling(fields)) == fields


@settings(max_examples=50, deadline=None)
@given(fields=st.tuples(TOKENS, st.integers(0, 2**64 - 1)))
@example(fields=(2**96 - 1, 2**160 - 1))
def test_disputed(words, fields):
    assert words._disputed(words._pack_disputed(fields)) == fields


@pytest.mark.parametrize("tokens", [2**96, 2**128, 2**256 - 1])
def test_tokens_that_do_not_fit_revert(words, tokens):
    with boa.reverts("staking_words: too many tokens"):
        words._pack_pool((tokens, 0, 0))
    with boa.reverts("staking_words: too much self-bond"):
        words._pack_bond((tokens, 0, 0, 0, 0))
    with boa.reverts("staking_words: too much held"):
        words._pack_disputed((tokens, 0))
