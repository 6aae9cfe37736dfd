"""Live time and availability of an epoch, and the figures that follow from observations."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.domain.demand import ClassTime
from oracle.domain.device_time import (
    DeviceTimeObservation,
    Entry,
    Span,
    aggregate,
    live_spans,
    measure,
)
from oracle.errors import BadInput

START, END = 1_000, 1_060
GRACE = 30
ONE, OTHER = b"\1" * 32, b"\2" * 32


def entry(begin: int, until: int, device_class: int = 1, device: bytes = ONE) -> Entry:
    return Entry(device, 7, device_class, begin, until)


@pytest.mark.parametrize(
    ("entries", "spans"),
    [
        ([], []),
        ([entry(0, 5_000)], [(1, START, END)]),
        # made and run out within the epoch
        ([entry(1_010, 1_050)], [(1, 1_010, 1_050)]),
        # not of this epoch: over before, made at its end
        ([entry(0, START)], []),
        ([entry(END, 5_000)], []),
        # renewed: no second counts twice
        ([entry(0, 1_040), entry(1_020, 5_000)], [(1, START, 1_020), (1, 1_020, END)]),
        # renewed after a gap
        ([entry(0, 1_010), entry(1_020, 5_000)], [(1, START, 1_010), (1, 1_020, END)]),
        # into another class
        ([entry(0, 5_000), entry(1_020, 5_000, 2)], [(1, START, 1_020), (2, 1_020, END)]),
        # struck, and entered again
        ([entry(0, 5_000), entry(1_020, 1_020)], [(1, START, 1_020)]),
        (
            [entry(0, 5_000), entry(1_020, 1_020), entry(1_050, 5_000)],
            [(1, START, 1_020), (1, 1_050, END)],
        ),
        # twice in one block: the later one stands
        ([entry(1_020, 5_000), entry(1_020, 1_020)], []),
    ],
)
def test_live_spans(entries: list[Entry], spans: list[tuple[int, int, int]]) -> None:
    assert live_spans(entries, (), START, END) == [Span(ONE, *span) for span in spans]


def test_no_time_of_jailed_providers() -> None:
    assert live_spans([entry(0, 5_000)], {7}, START, END) == []
    assert live_spans([entry(0, 5_000)], {8}, START, END) != []


@given(
    st.lists(
        st.tuples(st.integers(900, 1_100), st.integers(0, 200), st.sampled_from([ONE, OTHER])),
        max_size=8,
    )
)
def test_no_device_has_more_time_than_the_epoch(changes: list[tuple[int, int, bytes]]) -> None:
    entries = [
        entry(begin, begin + length, device=device) for begin, length, device in sorted(changes)
    ]
    spans = live_spans(entries, (), START, END)
    for device in (ONE, OTHER):
        own = sorted((span.begin, span.end) for span in spans if span.device == device)
        assert all(START <= begin < end <= END for begin, end in own)
        assert all(first[1] <= second[0] for first, second in pairwise(own))


def test_measure_adds_up_by_class() -> None:
    spans = [Span(ONE, 2, START, END), Span(OTHER, 1, START, 1_010), Span(OTHER, 2, 1_010, END)]
    # the first is heard of for 45 of 60 s, the other one never
    beats = {ONE: [START + 40, START - 5, END + 1]}
    covered = 25 + 20
    assert measure(spans, beats, GRACE) == (
        ClassTime(1, 10, 0),
        ClassTime(2, 110, covered * 10_000 // 110),
    )


def test_nothing_is_live() -> None:
    assert measure([], {ONE: [START]}, GRACE) == ()


def test_no_more_classes_than_a_report_has_room_for() -> None:
    spans = [Span(ONE, number, START, END) for number in range(1, 70)]
    assert [each.device_class for each in measure(spans, {}, GRACE)] == list(range(1, 65))


def seen(*availability: int) -> DeviceTimeObservation:
    classes = tuple(ClassTime(n, 60 * n, bps) for n, bps in enumerate(availability, start=1))
    return DeviceTimeObservation(3, classes, "0x" + "00" * 20, b"")


@pytest.mark.parametrize(
    ("told", "figure"),
    [([9_000], 9_000), ([9_000, 10_000], 9_000), ([0, 9_000, 10_000], 9_000), ([1, 2, 3, 4], 2)],
)
def test_the_lower_median_of_each_class(told: list[int], figure: int) -> None:
    observations = [seen(bps, 10_000 - bps) for bps in told]
    first, second = aggregate(observations, observations[0].classes)
    assert first == ClassTime(1, 60, figure)
    assert second.availability_bps == sorted(10_000 - bps for bps in told)[(len(told) - 1) // 2]


def test_figures_of_nothing() -> None:
    assert aggregate([seen(), seen()], ()) == ()


def test_other_live_time_is_no_observation() -> None:
    own = seen(9_000).classes
    for wrong in (seen(), seen(9_000, 9_000), replace(seen(), classes=(ClassTime(1, 61, 1),))):
        with pytest.raises(BadInput, match="other live time"):
            aggregate([seen(9_000), wrong], own)


@pytest.mark.parametrize("bps", [-1, 10_001])
def test_impossible_availability_is_no_observation(bps: int) -> None:
    with pytest.raises(BadInput, match="an availability"):
        aggregate([seen(bps)], seen(0).classes)
