"""The lower median."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.domain.median import lower_median


@pytest.mark.parametrize(
    ("values", "middle"),
    [([7], 7), ([1, 9], 1), ([9, 1, 5], 5), ([4, 3, 2, 1], 2), ([5, 5, 5, 0], 5)],
)
def test_lower_of_the_middle_two(values: list[int], middle: int) -> None:
    assert lower_median(values) == middle


def test_nothing_has_no_median() -> None:
    with pytest.raises(ValueError, match="nothing"):
        lower_median([])


@given(
    st.lists(st.integers(0, 100), min_size=3, max_size=20),
    st.lists(st.integers(-(10**9), 10**9), max_size=9),
)
def test_a_minority_can_not_leave_the_honest_range(honest: list[int], lies: list[int]) -> None:
    lies = lies[: (len(honest) - 1) // 2]
    assert min(honest) <= lower_median(honest + lies) <= max(honest)
