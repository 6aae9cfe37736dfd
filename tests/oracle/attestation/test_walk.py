"""The residency walk: by the letter of its definition, and every way to fake it."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sha3 import keccak_256

from oracle.adapters.gpu.numpy_backend import NumpyTable
from oracle.adapters.gpu.reference import ReferenceBackend
from oracle.domain.attestation import (
    WalkDims,
    next_seed,
    plan_walk,
    steps_per_second,
    walk,
)
from oracle.domain.attestation.plan import OPERATIONS_PER_HASH
from oracle.errors import BadInput, NotFound
from oracle.services.prove import WalkProof, prove_walk
from oracle.services.verify import ACCEPTED, Fault, Verdict, check_lanes
from tests.backends import skip_if_interpreted

SEED, START, SECRET = b"seed".ljust(32), b"start".ljust(32), b"secret".ljust(32)
DIMS = WalkDims(entries=1_000, lanes=64, steps=20, depth=8)
QUERIES = 16


def keccak(data: bytes) -> bytes:
    digest: bytes = keccak_256(data).digest()
    return digest


def _check(backend: Any, proof: WalkProof, **changed: Any) -> Verdict:
    asked = walk.draw_lanes(proof.commitment, SECRET, QUERIES, proof.dims)
    fields: dict[str, Any] = {
        "dims": proof.dims,
        "seed": proof.seed,
        "start": proof.start,
        "root": proof.tree.root,
        "secret": SECRET,
        "queries": QUERIES,
        "openings": proof.answer(asked),
    }
    return check_lanes(backend, **{**fields, **changed})


@pytest.fixture(scope="module")
def honest(numpy_backend: Any) -> WalkProof:
    return prove_walk(numpy_backend, SEED, START, DIMS)


# --- definition ---------------------------------------------------------------------------------


def test_a_walk_by_the_letter(honest: WalkProof) -> None:
    key = keccak(SEED + (2).to_bytes(24, "big") + (0).to_bytes(8, "big"))
    for lane in (0, 5, 63):
        x = keccak(START + lane.to_bytes(8, "big"))
        for _ in range(DIMS.steps):
            index = int.from_bytes(x[:8], "little") % DIMS.entries
            entry = (int.from_bytes(key, "big") + index).to_bytes(32, "big")
            for _ in range(DIMS.depth):
                entry = keccak(entry)
            x = keccak(x + entry)
        assert honest.answer([lane])[0].end == x

    shape = b"".join(value.to_bytes(8, "big") for value in (1_000, 64, 20, 8))
    tag = keccak(b"Clearwork residency walk")
    assert honest.commitment == keccak(tag + SEED + START + shape + honest.tree.root)


@pytest.mark.parametrize(
    "dims",
    [
        WalkDims(1, 4, 1, 8),
        WalkDims(7, 8, 3, 9),
        WalkDims(129, 16, 5, 12),
        WalkDims(1_000, 128, 2, 8),
    ],
)
def test_backends_walk_alike(backend: Any, numpy_backend: Any, dims: WalkDims) -> None:
    if dims.entries * dims.depth > 1_000:
        skip_if_interpreted(backend)
    proof = prove_walk(backend, SEED, START, dims)
    key = walk.table_key(SEED)
    lanes = [0, dims.lanes - 1, 2, 2]

    assert proof.commitment == prove_walk(numpy_backend, SEED, START, dims).commitment
    ends = [walk.lane_end(key, START, dims, lane) for lane in lanes]
    assert [opening.end for opening in proof.answer(lanes)] == ends
    assert backend.lane_ends(key, START, dims, lanes) == ends
    assert _check(backend, proof) == ACCEPTED


def test_a_key_at_the_end_of_its_range_wraps(backend: Any) -> None:
    dims = WalkDims(4, 4, 1, 8)
    for key in (b"\xff" * 32, bytes(24) + b"\xff" * 8):
        ends = [walk.lane_end(key, START, dims, lane) for lane in range(4)]
        assert backend.lane_ends(key, START, dims, range(4)) == ends
        assert backend.table(key, dims).walk(START, dims).leaf(0) == b"".join(ends)


@pytest.mark.parametrize(
    "shape",
    [
        (0, 4, 1, 8),
        (2**40 + 1, 4, 1, 8),
        (8, 2, 1, 8),
        (8, 6, 1, 8),
        (8, 2**31, 1, 8),
        (8, 4, 0, 8),
        (8, 4, 2**20 + 1, 8),
        (8, 4, 1, 7),
        (8, 4, 1, 1_025),
    ],
)
def test_impossible_walks_are_refused(shape: tuple[int, int, int, int]) -> None:
    with pytest.raises(BadInput):
        WalkDims(*shape)


def test_lanes_outside_the_walk(honest: WalkProof) -> None:
    for lane in (-1, 64):
        with pytest.raises(NotFound):
            honest.answer([lane])


# --- attacks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_entries_that_are_not_in_memory_show(numpy_backend: Any, share: float) -> None:
    """A prover that holds a part of the table and reads another entry where it has none."""
    table = numpy_backend.table(walk.table_key(SEED), DIMS)
    held = int(DIMS.entries * (1 - share))
    table.entries[held:] = table.entries[: DIMS.entries - held]
    proof = WalkProof(DIMS, SEED, START, NumpyTable(table.entries).walk(START, DIMS))

    assert _check(numpy_backend, proof).fault is Fault.LANE


def test_entries_made_again_cost_what_the_plan_reckons(
    monkeypatch: pytest.MonkeyPatch, honest: WalkProof
) -> None:
    """Every hash of both provers, counted: the ends are the same, the work is not."""
    counted: Counter[str] = Counter()
    who = "honest"

    def counting(data: bytes) -> bytes:
        counted[who] += 1
        return keccak(data)

    key = walk.table_key(SEED)
    monkeypatch.setattr(walk, "keccak", counting)
    table = ReferenceBackend().table(key, DIMS)
    ends = table.walk(START, DIMS).folded
    # where a lane begins is no part of its steps
    assert counted["honest"] - DIMS.lanes == DIMS.hashes
    who = "without memory"
    again = [walk.lane_end(key, START, DIMS, lane) for lane in range(DIMS.lanes)]
    assert counted["without memory"] - DIMS.lanes == DIMS.hashes_without_memory

    assert b"".join(again) == bytes(ends) == bytes(honest.tree.folded)


@pytest.mark.parametrize(
    ("tops", "memory_mb", "window_ms"), [(400, 24_000, 12_000), (281, 80_000, 24_000)]
)
def test_planned_walks_are_late_without_a_table(tops: int, memory_mb: int, window_ms: int) -> None:
    """At the rate that the plan reckons with, for devices that it suits."""
    rate = tops * 10**12 // OPERATIONS_PER_HASH
    dims = plan_walk(rate, memory_mb, window_ms)
    assert dims.hashes * 1_000 <= rate * window_ms < dims.hashes_without_memory * 1_000


def test_a_shorter_walk_or_a_shallower_table_is_another(numpy_backend: Any) -> None:
    for less in (replace(DIMS, steps=19), replace(DIMS, entries=999)):
        short = prove_walk(numpy_backend, SEED, START, less)
        assert _check(numpy_backend, replace(short, dims=DIMS)).fault is Fault.LANE
    deeper = prove_walk(numpy_backend, SEED, START, DIMS)
    assert _check(numpy_backend, replace(deeper, dims=replace(DIMS, depth=9))).fault is Fault.LANE


def test_another_devices_or_epochs_walk_is_no_answer(numpy_backend: Any, honest: WalkProof) -> None:
    for stolen in (replace(honest, seed=b"x" * 32), replace(honest, start=b"x" * 32)):
        assert _check(numpy_backend, stolen).fault is Fault.LANE


def test_lanes_opened_are_the_lanes_asked_for(numpy_backend: Any, honest: WalkProof) -> None:
    asked = walk.draw_lanes(honest.commitment, SECRET, QUERIES, DIMS)
    openings = honest.answer(asked)
    others = honest.answer([asked[0] ^ 1, *asked[1:]])
    for given_instead in (others, openings[::-1], openings[:-1], [], [openings[0]] * QUERIES):
        verdict = _check(numpy_backend, honest, openings=given_instead)
        assert verdict.fault is Fault.LIST
    assert _check(numpy_backend, honest, openings=[], queries=0).fault is Fault.LIST
    assert _check(numpy_backend, honest, secret=b"y" * 32).fault is Fault.LIST


def test_a_lane_end_is_the_committed_one(numpy_backend: Any, honest: WalkProof) -> None:
    openings = honest.answer(walk.draw_lanes(honest.commitment, SECRET, QUERIES, DIMS))
    first = openings[0]
    flipped = bytes([first.leaf[0] ^ 1]) + first.leaf[1:]
    for broken in (
        replace(first, leaf=flipped),
        replace(first, leaf=first.leaf[:-1]),
        replace(first, path=first.path[:-1]),
        replace(first, path=(*first.path, bytes(32))),
    ):
        verdict = _check(numpy_backend, honest, openings=[broken, *openings[1:]])
        assert verdict == Verdict(Fault.PATH, lane=first.lane)
        assert f"lane {first.lane}" in verdict.reason


def test_a_walk_is_no_chain(honest: WalkProof) -> None:
    """Neither the final seed nor the key of a chain is one of a walk, whatever the roots are."""
    assert honest.commitment != next_seed(SEED, honest.tree.root)
    assert walk.table_key(SEED) not in {
        keccak(SEED + tag.to_bytes(24, "big") + bytes(8)) for tag in (0, 1)
    }


# --- planning -----------------------------------------------------------------------------------


def test_plans_of_known_devices() -> None:
    """Frozen: every oracle of a committee has to choose these."""
    assert plan_walk(10**7, 256, 6_400) == WalkDims(6_868_928, 65_536, 428, 8)
    assert plan_walk(2 * 10**9, 24_000, 6_400) == WalkDims(639_472_784, 8_388_608, 328, 8)


@given(st.integers(10**6, 10**10), st.integers(16, 300_000))
def test_a_walk_fills_the_memory_and_reads_all_of_it(hashes: int, memory_mb: int) -> None:
    dims = plan_walk(hashes, memory_mb, 6_400)
    memory = memory_mb * 10**6

    assert memory * 3 // 4 <= dims.table_bytes + 64 * dims.lanes <= memory
    assert dims.lanes * dims.steps >= 4 * dims.entries
    # computing what is asked for costs at least three times what holding it does
    assert dims.hashes_without_memory >= 3 * dims.hashes
    # what a verifier replays
    assert dims.steps <= 512


def test_a_rate_of_steps() -> None:
    assert steps_per_second(DIMS, 1, 1_000) == 64 * 20 // 1_000
    assert steps_per_second(DIMS, 64, 10) < 64 * 20 * 100
    with pytest.raises(BadInput):
        plan_walk(0, 100, 6_400)
