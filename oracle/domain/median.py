"""The lower median: what a committee says when its members measured different things."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import SupportsRichComparisonT


def lower_median(values: Sequence[SupportsRichComparisonT]) -> SupportsRichComparisonT:
    """Element (n - 1) // 2 of the sorted values: for an even n the lower of the middle two.

    With at least 2f + 1 values it lies between two honest ones, whatever f members say, and
    it never invents a value that nobody reported. Raises `ValueError` for no values.
    """
    if not values:
        raise ValueError("the median of nothing")
    return sorted(values)[(len(values) - 1) // 2]
