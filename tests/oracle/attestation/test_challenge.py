"""What a device is asked in an epoch: turns, shapes, and the hash of a whole answer."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.domain.attestation import (
    Dims,
    LaneOpening,
    Mode,
    Opening,
    Query,
    WalkDims,
    answer_hash,
    challenge_shape,
    last_turn,
    mode_at,
    plan,
    plan_bandwidth,
    plan_walk,
    shape_numbers,
    shape_of,
)
from oracle.errors import BadInput

ALL = tuple(Mode)
FIXED = Dims(128, 128, 256, 2)
WINDOW_MS = 12_000


def test_modes_take_turns() -> None:
    assert [mode_at(epoch, ALL) for epoch in range(4)] == [*Mode, Mode.THROUGHPUT]
    assert {mode_at(epoch, (Mode.THROUGHPUT,)) for epoch in range(9)} == {Mode.THROUGHPUT}


@given(st.integers(0, 2**40), st.permutations(ALL), st.integers(1, 3))
def test_the_last_turn_is_the_newest(epoch: int, order: list[Mode], count: int) -> None:
    modes = tuple(order[:count])
    for mode in modes:
        turn = last_turn(epoch, mode, modes)
        assert epoch - count < turn <= epoch
        if turn >= 0:
            assert mode_at(turn, modes) is mode


def test_shapes_follow_the_claim() -> None:
    ops, memory = 10**13, 24_000
    assert challenge_shape(Mode.THROUGHPUT, ops, memory, WINDOW_MS) == plan(ops, memory, WINDOW_MS)
    assert challenge_shape(Mode.BANDWIDTH, ops, memory, WINDOW_MS) == plan_bandwidth(
        ops // 512, memory, WINDOW_MS
    )
    assert challenge_shape(Mode.RESIDENCY, ops, memory, WINDOW_MS) == plan_walk(
        ops // 262_144, memory, WINDOW_MS
    )


@given(st.integers(1, 2**63 - 1), st.integers(1, 2**32 - 1), st.sampled_from(Mode))
def test_every_claim_has_one_shape_or_a_reason(ops: int, memory: int, mode: Mode) -> None:
    try:
        shape = challenge_shape(mode, ops, memory, WINDOW_MS)
    except BadInput:
        return
    assert challenge_shape(mode, ops, memory, WINDOW_MS) == shape
    numbers = shape_numbers(shape)
    assert shape_of(mode, numbers) == shape
    # what the message can carry
    assert all(n < 2**bits for n, bits in zip(numbers, (64, 32, 32, 16), strict=True))


def test_fixed_dimensions_win_over_the_claim() -> None:
    assert challenge_shape(Mode.THROUGHPUT, 10**15, 80_000, WINDOW_MS, FIXED) == FIXED
    assert challenge_shape(Mode.BANDWIDTH, 10**15, 80_000, WINDOW_MS, FIXED) == replace(FIXED, m=16)
    walk = challenge_shape(Mode.RESIDENCY, 10**15, 80_000, WINDOW_MS, FIXED)
    assert isinstance(walk, WalkDims)
    assert walk.table_bytes <= 10**6


@pytest.mark.parametrize(("ops", "memory"), [(0, 1), (1, 0)])
def test_a_claim_of_nothing_is_refused(ops: int, memory: int) -> None:
    with pytest.raises(BadInput):
        challenge_shape(Mode.THROUGHPUT, ops, memory, WINDOW_MS)


OPENING = Opening(Query(1, 2, 3), bytes(128), (b"\1" * 32, b"\2" * 32))
LANE = LaneOpening(5, bytes(128), (b"\1" * 32,))


@pytest.mark.parametrize(
    "other",
    [
        [],
        [OPENING, OPENING],
        [replace(OPENING, query=Query(1, 2, 4))],
        [replace(OPENING, leaf=b"\1" + bytes(127))],
        [replace(OPENING, path=OPENING.path[:1])],
        [replace(OPENING, path=OPENING.path[::-1])],
        [LANE],
        [replace(LANE, lane=6)],
        [replace(LANE, path=())],
    ],
)
def test_an_answer_hash_is_that_of_one_answer(other: list[Opening | LaneOpening]) -> None:
    assert answer_hash(other) not in (answer_hash([OPENING]), answer_hash([LANE, LANE]))
