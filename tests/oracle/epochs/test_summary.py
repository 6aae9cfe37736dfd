"""A report in numbers: everything adds up, and what does not is refused."""

from dataclasses import replace

import pytest

from oracle.domain.epochs import LiveDevice, close
from oracle.domain.leaves import LeafKind
from oracle.domain.summary import AT_LARGE, Granted, Reason, minted_by_epoch, summarise
from oracle.errors import BadInput
from tests.oracle.epochs.test_subnets import ALICE, ALL, EPOCH, OWNER

BPS = EPOCH.rules.oracle_share_bps
DEVICES = [LiveDevice(bytes(32), 9, 5), LiveDevice(b"\1" * 32, 8, 1)]
FIRST = close(replace(EPOCH, devices=DEVICES))
GRANTED = Granted(
    scheduled=4 * ALL,
    released=3 * ALL + 7,
    shares={AT_LARGE: ALL, 1: ALL, 2: ALL},
    cut={Reason.NO_FEES: 7},
    minted=3 * ALL - 5,
    burnt=0,
)


def test_everything_released_is_somewhere():
    found = summarise(FIRST, None, GRANTED, BPS, top=100)
    assert sum(line.share for line in found.subnets) + 7 == found.released
    for line in found.subnets:
        parts = (line.owner, line.miners, line.validators, line.oracles, line.rest)
        assert sum(parts) == line.share
        assert min(parts) >= 0
    assert found.reclaimed == {Reason.NO_TAKER: FIRST.reclaimed, Reason.NO_FEES: 7}
    assert sum(one.amount for one in found.earners) + FIRST.reclaimed == 3 * ALL
    assert found.paid_to == len(found.earners)


@pytest.mark.parametrize("burnt", [0, 1, 3 * ALL, 5 * ALL])
def test_net_is_what_was_minted_less_what_was_burnt(burnt):
    found = summarise(FIRST, None, replace(GRANTED, burnt=burnt), BPS, top=0)
    assert (found.minted, found.burnt_for_credits) == (3 * ALL - 5, burnt)
    assert found.net == 3 * ALL - 5 - burnt


@pytest.mark.parametrize(
    ("minted", "by_epoch"),
    [
        (600, {3: 100, 4: 200, 5: 300}),
        # what came back pays the oldest first
        (599, {3: 99, 4: 200, 5: 300}),
        (500, {3: 0, 4: 200, 5: 300}),
        (301, {3: 0, 4: 1, 5: 300}),
        (0, {3: 0, 4: 0, 5: 0}),
    ],
)
def test_what_came_back_is_not_minted_again(minted, by_epoch):
    assert minted_by_epoch({5: 300, 3: 100, 4: 200}, minted) == by_epoch


def test_lines_are_the_market_and_every_subnet():
    at_large, first, second = summarise(FIRST, None, GRANTED, BPS, 0).subnets
    assert (at_large.subnet, first.subnet, second.subnet) == (AT_LARGE, 1, 2)
    # five sixths and one sixth, each rounded down
    assert at_large.miners == ALL * 9 // 10 * 5 // 6 + ALL * 9 // 10 // 6
    assert at_large.owner == at_large.validators == 0
    assert first.owner == FIRST.subnets[0].paid.owner > 0


def test_earners_are_those_of_these_epochs():
    second = close(
        replace(
            EPOCH,
            from_epoch=10,
            to_epoch=10,
            subnets=[],
            previous=FIRST.rewards,
            signatures={ALICE: 1},
        )
    )
    granted = Granted(3 * ALL, 3 * ALL, {AT_LARGE: 3 * ALL}, {}, 3 * ALL, 0)
    found = summarise(second, FIRST, granted, BPS, top=5)
    (one,) = found.earners
    assert (one.kind, one.key, one.amount) == (LeafKind.ACCOUNT, ALICE, 3 * ALL // 10)
    assert found.paid_to == 1


def test_the_most_come_first_and_only_so_many():
    found = summarise(FIRST, None, GRANTED, BPS, top=2)
    every = summarise(FIRST, None, GRANTED, BPS, top=100).earners
    amounts = [one.amount for one in every]
    assert amounts == sorted(amounts, reverse=True)
    assert found.earners == every[:2]
    assert found.paid_to == len(every)
    assert any(one.key == OWNER for one in every)


@pytest.mark.parametrize(
    ("previous", "granted", "reason"),
    [
        (None, replace(GRANTED, shares={AT_LARGE: ALL}), "granted"),
        (close(replace(EPOCH, budget=2 * EPOCH.budget)), GRANTED, "a reward falls"),
        (
            close(replace(EPOCH, signatures={"0x" + "77" * 20: 1}, subnets=[])),
            GRANTED,
            "a reward is gone",
        ),
    ],
)
def test_what_does_not_belong_together_is_refused(previous: object, granted: Granted, reason: str):
    with pytest.raises(BadInput, match=reason):
        summarise(FIRST, previous, granted, BPS, 1)  # type: ignore[arg-type]
