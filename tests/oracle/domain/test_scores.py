"""A validator's opinion: from speed and settled work to a row that the registry takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.domain.scores import BPS, MAX_U16, MAX_WEIGHTS, Row, score
from oracle.errors import BadInput

OWN = 1
PLACES = (OWN, 2, 3, 4)


def test_speed_and_work_count_half_each():
    # 2 has all the work and a third of the speed, 3 the rest
    row = score(PLACES, OWN, {2: 10, 3: 20}, {2: 5}, 5_000)
    assert row == Row((1, 2), (MAX_U16, MAX_U16 // 2))


@pytest.mark.parametrize(
    ("speeds", "used", "usage_bps", "row"),
    [
        ({}, {}, 5_000, Row((), ())),
        ({2: 7}, {}, 5_000, Row((1,), (MAX_U16,))),
        ({}, {3: 7}, 5_000, Row((2,), (MAX_U16,))),
        ({2: 1, 3: 1}, {3: 1}, 0, Row((1, 2), (MAX_U16, MAX_U16))),
        ({2: 1}, {3: 1}, BPS, Row((2,), (MAX_U16,))),
        # one's own place is never weighed, nor does what one has take from others
        ({OWN: 99, 2: 1}, {OWN: 99}, 5_000, Row((1,), (MAX_U16,))),
        # a score that rounds to nothing is no entry
        ({2: 1, 3: 10**9}, {}, 0, Row((2,), (MAX_U16,))),
    ],
)
def test_rows(speeds: dict[int, int], used: dict[int, int], usage_bps: int, row: Row):
    assert score(PLACES, OWN, speeds, used, usage_bps) == row


def test_the_best_256_are_kept_in_the_order_of_uids():
    places = range(2, 302)
    speeds = {provider: 1_000 + provider % 7 for provider in places}
    row = score(places, OWN, speeds, {}, 0)
    assert len(row.uids) == MAX_WEIGHTS
    assert list(row.uids) == sorted(row.uids)
    kept = {speeds[uid + 2] for uid in row.uids}
    left = {speeds[provider] for uid, provider in enumerate(places) if uid not in row.uids}
    assert min(kept) >= max(left)


@pytest.mark.parametrize(
    ("least", "row"),
    [
        (0, Row((1,), (MAX_U16,))),
        (1, Row((1,), (MAX_U16,))),
        (2, Row((1, 2, 3), (MAX_U16, 1, 1))),
        (3, Row((1, 2, 3), (MAX_U16, 1, 1))),
        # more than there are
        (9, Row((1, 2, 3), (MAX_U16, 1, 1))),
    ],
)
def test_a_row_has_the_entries_that_its_subnet_asks_for(least: int, row: Row):
    assert score(PLACES, OWN, {2: 10**9, 3: 1}, {}, 0, least) == row
    # but nobody is judged where nobody has done anything
    assert score(PLACES, OWN, {}, {}, 0, least) == Row((), ())


@pytest.mark.parametrize("usage_bps", [-1, BPS + 1])
def test_a_share_above_one_is_refused(usage_bps: int):
    with pytest.raises(BadInput, match="usage share"):
        score(PLACES, OWN, {2: 1}, {}, usage_bps)


numbers = st.dictionaries(st.integers(1, 9), st.integers(0, 2**64), max_size=9)


@given(st.lists(st.integers(1, 9), unique=True), numbers, numbers, st.integers(0, BPS))
def test_every_row_is_one_the_registry_takes(
    places: list[int], speeds: dict[int, int], used: dict[int, int], usage_bps: int
):
    row = score(places, OWN, speeds, used, usage_bps)
    assert list(row.uids) == sorted(set(row.uids))
    assert all(0 < weight <= MAX_U16 for weight in row.weights)
    assert not row.weights or max(row.weights) == MAX_U16
    assert all(places[uid] != OWN for uid in row.uids)
    # nobody who is better in both has less
    of = dict(zip(row.uids, row.weights, strict=True))
    judged = [(uid, who) for uid, who in enumerate(places) if who != OWN]
    for uid, who in judged:
        for other, whose in judged:
            if speeds.get(who, 0) >= speeds.get(whose, 0) and used.get(who, 0) >= used.get(
                whose, 0
            ):
                assert of.get(uid, 0) >= of.get(other, 0)
