"""What a request is, read back; and the word that it is packed in."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.conftest import LEAF_BOND
from tests.unit.leaf_requests.conftest import NO_REQUEST
from tests.unit.market import load_module


def test_nothing_before_a_request(desk, leaf_requests, honest, provider):
    assert tuple(desk.request(honest)) == NO_REQUEST
    for nobody in (0, provider, 2**24 - 1):
        assert leaf_requests.open_requests(nobody) == 0
        assert leaf_requests.bond_of(nobody) == LEAF_BOND


def test_requests_are_told_apart_by_all_that_names_them(desk, leaf_requests, honest):
    desk.ask(honest)
    place = list(desk.place(honest))
    for part in range(4):
        other = list(place)
        other[part] = place[part] + 1 if isinstance(place[part], int) else b"\7" * 32
        assert tuple(leaf_requests.requests(*other)) == NO_REQUEST


@pytest.fixture(scope="module")
def word():
    return load_module("request_word")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    requester=st.binary(min_size=20, max_size=20),
    provider=st.integers(0, 2**24 - 1),
    deadline=st.integers(0, 2**40 - 1),
    depth=st.integers(0, 32),
    bonds=st.integers(0, 64),
    stage=st.integers(1, 3),
)
def test_a_word_unpacks_to_what_was_packed(
    word, requester, provider, deadline, depth, bonds, stage
):
    request = ("0x" + requester.hex(), provider, deadline, depth, bonds, stage)
    packed = word._pack(request)
    unpacked = tuple(word._unpack(packed))
    assert (unpacked[0].lower(), *unpacked[1:]) == request
