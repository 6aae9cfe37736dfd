"""What an oracle believes of reported usage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.domain.usage import believable, covered_seconds, misses_uptime


@pytest.mark.parametrize(
    ("beats", "covered"),
    [
        ([], 0),
        ([100], 30),
        ([100, 100], 30),
        ([100, 110, 120], 50),
        ([100, 150], 60),
        ([120, 100, 110], 50),
        ([195], 5),
        # before the job began
        ([80], 10),
    ],
)
def test_covered_seconds(beats: list[int], covered: int) -> None:
    assert covered_seconds(beats, start=100, now=200, grace=30) == covered


@given(st.lists(st.integers(0, 1_000)), st.integers(1, 300))
def test_cover_is_bounded_by_time_and_beats(beats: list[int], grace: int) -> None:
    covered = covered_seconds(beats, start=100, now=700, grace=grace)
    assert 0 <= covered <= min(600, grace * len(beats))


@pytest.mark.parametrize(
    ("reported", "gpus", "elapsed", "covered", "believed"),
    [
        (50, 1, 100, 100, 50),
        (500, 2, 100, 400, 200),
        (500, 8, 100, 90, 90),
        (0, 1, 100, 100, 0),
        # the chain's head went back behind the acceptance
        (50, 1, -5, 100, 0),
    ],
)
def test_believable(reported: int, gpus: int, elapsed: int, covered: int, believed: int) -> None:
    assert believable(reported, gpus, elapsed, covered) == believed


@pytest.mark.parametrize(
    ("covered", "uptime_bps", "missed"),
    [
        (1_800, 9_000, False),
        (1_799, 9_000, True),
        (2_000, 10_000, False),
        (1_999, 10_000, True),
        (0, 1, True),
        (0, 0, False),
        # spare devices don't count beyond the job's own GPUs
        (9_999, 10_000, False),
    ],
)
def test_misses_uptime(covered: int, uptime_bps: int, missed: bool) -> None:
    assert misses_uptime(2, 1_000, covered, uptime_bps) is missed


def test_uptime_can_not_be_missed_in_no_time() -> None:
    assert not misses_uptime(2, 0, 0, 10_000)
