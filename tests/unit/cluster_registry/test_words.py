"""The packed words of clusters: what goes in comes out, and nothing spills over."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.market import load_module

MEMBERS, PER_WORD, WORDS = 64, 6, 11
UINT16, UINT24 = 2**16 - 1, 2**24 - 1
MEMBER = st.tuples(st.integers(1, UINT24), st.integers(1, UINT16))

many = settings(max_examples=60, deadline=None)


@pytest.fixture(scope="module")
def words() -> Any:
    return load_module("cluster_words")


def head_of(joined: set[int], collateral: int, device_class: int, lead: int, count: int) -> int:
    """The layout of the module's docstring, written a second time."""
    bits = sum(1 << index for index in joined)
    return bits << 160 | collateral << 32 | device_class << 16 | lead << 8 | count


@many
@given(members=st.lists(MEMBER, min_size=1, max_size=MEMBERS))
# every field full, and the last place of all
@example(members=[(UINT24, UINT16)] * MEMBERS)
def test_members_come_back(words, members):
    stored = [0] * WORDS
    for index, member in enumerate(members):
        placed = words._place(index, member)
        # nobody else's bits
        assert stored[index // PER_WORD] & placed == 0
        stored[index // PER_WORD] |= placed
    assert all(word < 2**240 for word in stored)
    assert [words._at(stored[i // PER_WORD], i) for i in range(len(members))] == members
    # an empty place is nobody
    for index in range(len(members), WORDS * PER_WORD):
        assert words._at(stored[index // PER_WORD], index) == (0, 0)


@many
@given(
    count=st.integers(1, MEMBERS),
    place=st.integers(0, MEMBERS - 1),
    device_class=st.integers(0, UINT16),
    collateral=st.integers(0, 2**128 - 1),
    changes=st.lists(st.tuples(st.integers(0, MEMBERS - 1), st.booleans()), max_size=9),
)
@example(
    count=MEMBERS,
    place=MEMBERS - 1,
    device_class=UINT16,
    collateral=2**128 - 1,
    changes=[(index, True) for index in range(MEMBERS)],
)
def test_a_head_keeps_its_fields_while_members_come_and_go(
    words, count, place, device_class, collateral, changes
):
    lead = place % count
    head = words._pack_head(device_class, collateral, lead, count)
    joined = {lead}
    assert head == head_of(joined, collateral, device_class, lead, count)
    for place, joins in changes:
        index = place % count
        head = words._with_joined(head, index, joins)
        joined = joined | {index} if joins else joined - {index}
        assert head == head_of(joined, collateral, device_class, lead, count) < 2**256
    assert words._count(head) == count
    assert words._lead(head) == lead
    assert words._device_class(head) == device_class
    assert words._max_collateral(head) == collateral
    assert [words._has_joined(head, index) for index in range(count)] == [
        index in joined for index in range(count)
    ]
    assert words._is_complete(head) == (len(joined) == count)
