"""The packed word of a provider's terms: what goes in comes out, and nothing spills over."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.compiled import CONTRACTS, compiled

BPS = st.integers(0, 10_000)


@pytest.fixture(scope="module")
def words() -> Any:
    return compiled(CONTRACTS / "modules" / "provider_terms.vy").deploy().internal


@settings(max_examples=50, deadline=None)
@given(
    owner=st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex()),
    shares=st.tuples(BPS, BPS, BPS),
    raised_at=st.integers(0, 2**48 - 1),
)
# every field full
@example(owner="0x" + "ff" * 20, shares=(2**16 - 1,) * 3, raised_at=2**48 - 1)
def test_terms(words, owner, shares, raised_at):
    word = words._pack((owner, *shares, raised_at))
    assert words._owner(word).lower() == owner
    assert words._max_reporter_bps(word) == shares[2]
    terms = words._terms(word)
    assert terms.owner.lower() == owner
    assert terms[1:4] == shares
    assert terms.raised_at == raised_at
