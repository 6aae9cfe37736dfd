"""The schedule against Bittensor's own figures and against a clock that ticks by seconds."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.domain.emission import Schedule

VECTORS = json.loads((Path(__file__).parents[2] / "data" / "schedule.json").read_text())[
    "block_emission"
]
BITTENSOR = Schedule(cap=21 * 10**15, initial=10**9, block_seconds=12)

# small enough to tick through, so that spans cross several halvings and reach the cap
schedules = st.builds(
    Schedule,
    cap=st.integers(1, 5_000),
    initial=st.integers(1, 3_000),
    block_seconds=st.integers(1, 15),
)


def tick(schedule: Schedule, issuance: int, duration: int, carry: int) -> tuple[int, int]:
    """The definition: second by second, at the rate of the issuance before it."""
    issued = issuance
    for _ in range(duration):
        whole, carry = divmod(carry + schedule.block_emission(issued), schedule.block_seconds)
        issued += whole
        if issued >= schedule.cap:
            return schedule.cap - issuance, 0
    return issued - issuance, carry


@pytest.mark.parametrize("point", VECTORS["points"], ids=lambda p: str(p["issuance_rao"]))
def test_points_of_the_original(point: dict[str, int]):
    assert BITTENSOR.block_emission(point["issuance_rao"]) == point["block_emission_rao"]


@pytest.mark.parametrize("step", VECTORS["exact_thresholds"], ids=lambda s: str(s["emission_from"]))
def test_thresholds_of_the_original(step: dict[str, int]):
    assert BITTENSOR.block_emission(step["threshold_rao"] - 1) == step["emission_before"]
    assert BITTENSOR.block_emission(step["threshold_rao"]) == step["emission_from"]


@given(schedules, st.data())
def test_a_span_emits_what_its_seconds_emit(schedule: Schedule, data: st.DataObject):
    issuance = data.draw(st.integers(0, schedule.cap - 1))
    carry = data.draw(st.integers(0, schedule.block_seconds - 1))
    duration = data.draw(st.integers(0, 300))
    expected = tick(schedule, issuance, duration, carry)
    assert schedule.emission(issuance, duration, carry) == expected


@given(schedules, st.integers(0, 10**6), st.integers(0, 10**6))
def test_two_spans_emit_what_one_emits(schedule: Schedule, first: int, second: int):
    early, carry = schedule.emission(0, first)
    late, rest = schedule.emission(early, second, carry)
    assert (early + late, rest) == schedule.emission(0, first + second)


@given(schedules, st.integers(0, 10**9))
def test_the_cap_is_never_passed(schedule: Schedule, duration: int):
    assert schedule.emission(0, duration)[0] <= schedule.cap


def test_the_cap_is_reached_and_then_nothing_comes():
    schedule = Schedule(cap=100, initial=100, block_seconds=1)
    assert schedule.emission(0, 1) == (100, 0)
    assert schedule.emission(100, 10) == (0, 0)
    assert schedule.block_emission(100) == schedule.block_emission(101) == 0


def test_a_halving_inside_a_span():
    # 10 a second until 50 of 100 are out, then 5 until 75, then 2
    schedule = Schedule(cap=100, initial=10, block_seconds=1)
    assert schedule.emission(0, 5) == (50, 0)
    assert schedule.emission(0, 8) == (65, 0)
    assert schedule.emission(0, 11) == (77, 0)


def test_the_fraction_of_a_unit_is_carried():
    # 1 unit per 12 seconds: an hour in pieces of 5 seconds loses nothing
    schedule = Schedule(cap=10**6, initial=1, block_seconds=12)
    issued = carry = 0
    for _ in range(720):
        emitted, carry = schedule.emission(issued, 5, carry)
        issued += emitted
    assert (issued, carry) == (300, 0)


def test_bittensors_first_halving_takes_four_years():
    years = 4 * 365 * 86_400
    issued, _ = BITTENSOR.emission(0, years)
    # 12-second blocks of 10^9: 10 512 000 blocks, just past half of the cap
    assert issued == 10_500_000 * 10**9 + 12_000 * 10**9 // 2
