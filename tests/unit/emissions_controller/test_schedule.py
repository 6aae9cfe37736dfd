"""The Vyper schedule against Bittensor's figures and against its twin in Python."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.domain.emission import Schedule
from tests.unit.conftest import load

VECTORS = json.loads((Path(__file__).parents[2] / "data" / "schedule.json").read_text())[
    "block_emission"
]
RAO_CAP = 21 * 10**15
LARGEST = 2**96 - 1
# the fixtures below never change state
shared = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)


def _controller(cap: int, initial: int, block_seconds: int) -> Any:
    token = load("WorkToken", "Small", "SMALL", cap, [], 0)
    return load("EmissionsController", token, 0, 3_600, initial, block_seconds, 0, 0, 0)


@pytest.fixture(scope="module")
def bittensor() -> Any:
    """The original's constants: 21 million tokens of 10^9 rao, one token per 12 seconds."""
    return _controller(RAO_CAP, 10**9, 12)


@pytest.fixture(scope="module")
def tiny() -> Any:
    """Every span crosses halvings."""
    return _controller(3_000, 700, 7)


@pytest.fixture(scope="module")
def largest() -> Any:
    """All bounds at once."""
    return _controller(LARGEST, LARGEST, 3_600)


def test_every_point_of_the_original(bittensor: Any):
    assert len(VECTORS["points"]) == 17
    for point in VECTORS["points"]:
        assert bittensor.block_emission(point["issuance_rao"]) == point["block_emission_rao"]


def test_every_threshold_of_the_original(bittensor: Any):
    assert len(VECTORS["exact_thresholds"]) == 30
    for step in VECTORS["exact_thresholds"]:
        threshold = step["threshold_rao"]
        assert bittensor.block_emission(threshold - 1) == step["emission_before"]
        assert bittensor.block_emission(threshold) == step["emission_from"]


def test_nothing_is_emitted_at_and_above_the_cap(bittensor: Any):
    assert bittensor.block_emission(RAO_CAP) == 0
    assert bittensor.block_emission(2**256 - 1) == 0
    assert bittensor.emission(RAO_CAP, 3_600, 5) == (0, 0)


@shared
@given(
    issuance=st.integers(0, RAO_CAP),
    duration=st.one_of(st.integers(0, 10**5), st.integers(0, 2**40)),
    carry=st.integers(0, 11),
)
def test_emission_is_its_twins_at_the_originals_size(
    bittensor: Any, issuance: int, duration: int, carry: int
):
    expected = Schedule(RAO_CAP, 10**9, 12).emission(issuance, duration, carry)
    assert bittensor.emission(issuance, duration, carry) == expected


@shared
@given(issuance=st.integers(0, 3_000), duration=st.integers(0, 10_000), carry=st.integers(0, 6))
def test_emission_is_its_twins_over_many_halvings(
    tiny: Any, issuance: int, duration: int, carry: int
):
    expected = Schedule(3_000, 700, 7).emission(issuance, duration, carry)
    assert tiny.emission(issuance, duration, carry) == expected


@shared
@given(
    issuance=st.one_of(st.integers(0, LARGEST), st.integers(LARGEST - 10**6, LARGEST)),
    duration=st.one_of(st.integers(0, 10), st.integers(0, 2**64 - 1)),
    carry=st.integers(0, 3_599),
)
def test_emission_is_its_twins_at_all_bounds(
    largest: Any, issuance: int, duration: int, carry: int
):
    expected = Schedule(LARGEST, LARGEST, 3_600).emission(issuance, duration, carry)
    assert largest.emission(issuance, duration, carry) == expected


def test_one_call_can_go_through_every_phase(largest: Any):
    schedule = Schedule(LARGEST, LARGEST, 1)
    phases = [schedule.block_emission(LARGEST - (LARGEST >> k)) for k in range(97)]
    assert phases[0] == LARGEST
    assert phases[-2:] == [1, 0]
    # the slowest schedule there is ends within the loop's bound
    everything = largest.emission(0, 2**64 - 1, 0)
    assert everything == Schedule(LARGEST, LARGEST, 3_600).emission(0, 2**64 - 1, 0)
    assert LARGEST - everything[0] < 3_600


def test_a_look_ahead_is_bounded(bittensor: Any):
    with boa.reverts("emissions_controller: issuance above the cap"):
        bittensor.emission(RAO_CAP + 1, 1, 0)
    with boa.reverts("emissions_controller: carry out of bounds"):
        bittensor.emission(0, 1, 12)


def test_issuance_counts_the_genesis_allocation(deploy_controller: Callable[..., Any]):
    controller = deploy_controller(1_000, 8, 1, allocated=500)
    assert controller.issuance() == 500
    assert controller.block_emission(controller.issuance()) == 4
