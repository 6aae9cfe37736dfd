"""What burnt credits bring: their worth out of the emission, and what it can't cover stays owed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.domain.credits import Redeemed, by_provider, redeem
from oracle.domain.epochs import LiveDevice, close
from oracle.domain.leaves import LeafKind, provider_key
from oracle.errors import BadInput
from tests.oracle.epochs.test_epochs import EPOCH

# of EPOCH: 1 000 less the oracles' tenth
NET = 900


@pytest.mark.parametrize(
    ("owed", "worth", "available", "result"),
    [
        ({}, 0, 0, Redeemed({}, {})),
        ({}, 5, 9, Redeemed({}, {})),
        ({1: 0}, 0, 9, Redeemed({}, {})),
        # without a price everything waits
        ({1: 30, 2: 10}, 0, 100, Redeemed({}, {1: 30, 2: 10})),
        ({1: 30, 2: 10}, 80, 100, Redeemed({1: 60, 2: 20}, {})),
        ({1: 30, 2: 10}, 80, 80, Redeemed({1: 60, 2: 20}, {})),
        # half of it: half stays owed
        ({1: 30, 2: 10}, 80, 40, Redeemed({1: 30, 2: 10}, {1: 15, 2: 5})),
        ({1: 30, 2: 10}, 80, 0, Redeemed({}, {1: 30, 2: 10})),
        # a unit of the token that nobody can have a whole part of
        ({1: 1, 2: 1}, 1, 1, Redeemed({}, {})),
    ],
)
def test_redeem(owed: dict[int, int], worth: int, available: int, result: Redeemed):
    assert redeem(owed, worth, available) == result


amounts = st.integers(0, 2**112)


@given(st.dictionaries(st.integers(1, 9), amounts), amounts, amounts)
def test_never_more_than_there_is_nor_than_it_is_worth(
    owed: dict[int, int], worth: int, available: int
):
    result = redeem(owed, worth, available)
    assert sum(result.paid.values()) <= min(worth, available)
    total = sum(owed.values())
    for who, amount in owed.items():
        left, paid = result.owed.get(who, 0), result.paid.get(who, 0)
        assert left <= amount
        if total and worth:
            # what was paid and what is owed are worth what it was, less a unit of each
            whole = amount * worth
            assert whole - total - worth <= paid * total + left * worth <= whole


def test_a_clusters_credits_are_its_members():
    earned = {3: 5, 2**23: 100, 2**23 + 1: 7}
    members = {2**23: {3: 1, 4: 2}, 2**23 + 1: {9: 1, 8: 1}}
    # a third and two thirds; the odd one to who comes first
    assert by_provider(earned, members) == {3: 5 + 34, 4: 66, 8: 4, 9: 3}


def test_credits_come_before_speed():
    epoch = replace(
        EPOCH, devices=[LiveDevice(bytes(32), 7, 10)], credits={8: 50, 7: 10}, credits_worth=600
    )
    leaves = close(epoch)
    totals = {leaf.key: leaf.value for leaf in leaves.rewards if leaf.kind is LeafKind.PROVIDER}
    assert totals == {provider_key(7): 100 + NET - 600, provider_key(8): 500}
    assert leaves.owed_credits == ()


def test_what_the_emission_does_not_cover_is_carried():
    leaves = close(replace(EPOCH, credits={8: 50, 7: 10}, credits_worth=2 * NET))
    assert leaves.cumulative_rewards == NET
    assert leaves.owed_credits == ((7, 5), (8, 25))


@pytest.mark.parametrize("change", [{"credits": {1: -1}}, {"credits_worth": -1}])
def test_nothing_below_nothing(change: dict[str, object]):
    with pytest.raises(BadInput, match="below 0"):
        close(replace(EPOCH, **change))
