"""A subnet's step: who earns, who leaves, what is carried on, and what never depends on order."""

from dataclasses import replace

import pytest
from eth_abi.abi import encode as abi_encode
from hypothesis import given
from hypothesis import strategies as st

from oracle.domain.epochs import EpochInput, EpochRules, close
from oracle.domain.hashing import keccak
from oracle.domain.leaves import Leaf, LeafKind, account_key, provider_key
from oracle.domain.subnets import (
    MAX_LEAVING,
    Memory,
    Outcome,
    Place,
    Step,
    SubnetInput,
    Terms,
    run_subnet,
)
from oracle.errors import BadInput

UNIT = 10**18
HOUR = 3_600
OWNER, ALICE, BOB, CAROL, DAVE = ("0x" + letter * 40 for letter in "fabcd")
TERMS = Terms(
    immunity_epochs=3,
    min_stake=1_000 * UNIT,
    max_validators=64,
    kappa=32_767,
    bonds_moving_average=900_000,
    bonds_penalty=65_535,
    yuma=3,
    liquid_alpha=False,
    alpha_low=45_875,
    alpha_high=58_982,
    alpha_steepness=1_000,
    activity_cutoff=24,
    owner_cut_bps=1_800,
)
STEP = Step(epoch=9, end=10 * HOUR, epoch_length=HOUR)
ALL = 1_000_000


def validator(provider: int, owner: str, stake: int, *weights: tuple[int, int]) -> Place:
    return Place(provider, owner, 10, 0, stake * UNIT, 20, weights)


def miner(provider: int, owner: str, registered_at: int = 10) -> Place:
    return Place(provider, owner, registered_at, registered_at // HOUR, 0)


# two validators who agree that miner 2 is worth three times as much as miner 3
PLACES = (
    validator(1, ALICE, 3_000, (2, 3), (3, 1)),
    validator(2, BOB, 1_000, (2, 3), (3, 1)),
    miner(3, CAROL),
    miner(4, DAVE),
)
SUBNET = SubnetInput(1, ALL, OWNER, TERMS, PLACES, Memory(9 * HOUR, (0, 1)))


def test_owner_miners_and_validators_share_the_budget():
    result = run_subnet(SUBNET, ALL, STEP)
    paid = result.record.paid
    # 18 % for the owner, halves for the others, each place rounded down
    assert ALL * 18 // 100 - 15 <= paid.owner <= ALL * 18 // 100
    half = (ALL - paid.owner) // 2
    assert half - 8 <= paid.miners <= half
    assert half - 8 <= paid.validators <= half
    assert result.miners[2] // result.miners[3] in (2, 3)
    # first bonds of the two are in proportion to their stakes
    assert result.validators[0] > 2.9 * result.validators[1]
    assert sum(result.providers.values()) == paid.miners + paid.validators


def test_a_validator_without_permit_says_nothing_yet_but_gets_one():
    first = run_subnet(replace(SUBNET, memory=None), ALL, STEP)
    # nobody may validate yet: paid by stake, as validators, and no owner lives on it
    assert first.record.paid.owner == first.record.paid.miners == 0
    assert first.record.memory.permits == (0, 1)
    second = run_subnet(
        replace(SUBNET, memory=first.record.memory), ALL, replace(STEP, epoch=10, end=11 * HOUR)
    )
    assert second.record.paid.miners > 0


def test_an_empty_subnet_pays_nobody():
    result = run_subnet(replace(SUBNET, places=()), ALL, STEP)
    assert result.providers == {}
    assert result.record.paid.owner == result.record.paid.miners == 0
    assert result.record.outcome == Outcome(0, ())


def test_nothing_is_nothing():
    result = run_subnet(SUBNET, 0, STEP)
    assert result.providers == {}
    # consensus goes on all the same
    assert result.record.memory.bonds


def test_a_budget_of_any_size_is_shared_to_the_last_digits():
    huge = 2**96 - 1
    paid = run_subnet(SUBNET, huge, STEP).record.paid
    assert 0 <= huge - paid.owner - paid.miners - paid.validators < huge >> 25


@pytest.mark.parametrize(
    ("change", "uid"),
    [({"jailed": True}, 2), ({"jailed": True}, 1), ({"stake": 999 * UNIT}, 1)],
    ids=["jailed miner", "jailed validator", "stake below the least"],
)
def test_who_is_not_paid(change: dict[str, int], uid: int):
    places = list(PLACES)
    places[uid] = replace(places[uid], **change)
    result = run_subnet(replace(SUBNET, places=places), ALL, STEP)
    assert result.miners[uid] == result.validators[uid] == 0
    assert places[uid].provider not in result.providers


def test_a_row_judges_nobody_who_registered_after_its_commit():
    places = [*PLACES[:3], replace(PLACES[3], registered_at=20)]
    result = run_subnet(replace(SUBNET, places=places), ALL, STEP)
    assert result.miners[3] == 0
    assert result.miners[2] > 0


def test_a_silent_validator_stops_counting():
    old = [replace(place, weights_at=HOUR if place.weights else 0) for place in PLACES]
    counts = replace(STEP, end=HOUR + TERMS.activity_cutoff * HOUR, epoch=24)
    assert run_subnet(replace(SUBNET, places=old), ALL, counts).record.paid.miners > 0
    late = replace(counts, end=counts.end + 1)
    assert run_subnet(replace(SUBNET, places=old), ALL, late).record.paid.miners == 0


def test_who_replaced_somebody_inherits_nothing():
    memory = Memory(9 * HOUR, (0, 1), ((0, 2, 9_999), (1, 2, 60_000)))
    newcomer = replace(PLACES[1], registered_at=9 * HOUR, weights_at=9 * HOUR + 1)
    result = run_subnet(
        replace(SUBNET, places=(PLACES[0], newcomer, *PLACES[2:]), memory=memory), ALL, STEP
    )
    # no permit, so no say: its bond with miner 2 is not carried either
    assert result.validators[1] == 0
    assert all(row != 1 for row, _, _ in result.record.memory.bonds)
    assert 1 in result.record.memory.permits


def test_bonds_on_a_newcomer_begin_again():
    memory = Memory(9 * HOUR, (0, 1), ((0, 2, 65_535), (1, 2, 65_535)))
    places = list(PLACES)
    places[2] = replace(PLACES[2], registered_at=9 * HOUR)
    bonds = run_subnet(replace(SUBNET, places=places, memory=memory), ALL, STEP).record.memory.bonds
    assert all(uid != 2 for _, uid, _ in bonds)


def test_the_owner_speaks_whatever_its_stake():
    places = (replace(PLACES[0], owner=OWNER, stake=UNIT), *PLACES[1:])
    result = run_subnet(replace(SUBNET, places=places, memory=Memory(9 * HOUR)), ALL, STEP)
    assert result.record.paid.miners > 0
    assert 0 in result.record.memory.permits


@pytest.mark.parametrize(("owned", "bps"), [((), 0), ((2, 3), 10_000)])
def test_what_the_owner_keeps(owned: tuple[int, ...], bps: int):
    places = [
        replace(place, owner=OWNER) if uid in owned else place for uid, place in enumerate(PLACES)
    ]
    source = replace(SUBNET, places=places)
    assert run_subnet(source, ALL, STEP).record.outcome.withheld_bps == bps


def test_what_the_owner_keeps_is_rounded_up():
    places = [*PLACES[:3], replace(PLACES[3], owner=OWNER)]
    result = run_subnet(replace(SUBNET, places=places), ALL, STEP)
    exact = 10_000 * result.miners[3] / sum(result.miners)
    assert exact <= result.record.outcome.withheld_bps < exact + 1


def test_the_lowest_outside_immunity_leaves_first():
    # epoch 10 is the next: who registered in epoch 7 is immune no longer, in epoch 8 still
    places = [
        *PLACES,
        miner(5, DAVE, 7 * HOUR + 5),
        miner(6, DAVE, 7 * HOUR),
        miner(7, DAVE, 7 * HOUR),
        miner(8, DAVE, 8 * HOUR),
    ]
    result = run_subnet(replace(SUBNET, places=places), ALL, STEP)
    earned = [result.miners[uid] + result.validators[uid] for uid in range(4)]
    by_pay = sorted(range(4), key=lambda uid: earned[uid])
    assert result.record.outcome.leaving == (5, 6, 4, *by_pay)


def test_an_outcome_names_64_at_most():
    places = [miner(uid + 1, DAVE) for uid in range(MAX_LEAVING + 1)]
    leaving = run_subnet(replace(SUBNET, places=places), ALL, STEP).record.outcome.leaving
    assert leaving == tuple(range(MAX_LEAVING))


@given(st.integers(0, 2**64 - 1), st.integers(0, 10_000), st.lists(st.integers(0, 65_535)))
def test_the_content_is_what_the_contract_hashes(epoch: int, bps: int, leaving: list[int]):
    packed = abi_encode(["uint64", "uint16", "uint16[]"], [epoch, bps, leaving])
    assert Outcome(bps, tuple(leaving)).content(epoch) == keccak(packed)


@pytest.mark.parametrize(
    ("change", "share"),
    [
        ({}, -1),
        ({"places": [replace(PLACES[0], stake=-1)]}, 1),
        ({"memory": Memory(10 * HOUR)}, 1),
    ],
)
def test_what_can_not_be_is_refused(change: dict[str, object], share: int):
    with pytest.raises(BadInput, match="subnet 1"):
        run_subnet(replace(SUBNET, **change), share, STEP)


# --- in the epoch ---------------------------------------------------------------------------

EPOCH = EpochInput(
    chain_id=31337,
    distributor="0x" + "d1" * 20,
    ledger="0x" + "1e" * 20,
    from_epoch=9,
    to_epoch=9,
    budget=3 * ALL,
    rules=EpochRules(oracle_share_bps=1_000),
    signatures={ALICE: 1},
    subnets=[replace(SUBNET, subnet=2), SUBNET],
    registry="0x" + "5e" * 20,
    start_of_next=10 * HOUR,
    epoch_length=HOUR,
)


def test_every_subnet_pays_its_tenth_to_the_oracles():
    leaves = close(EPOCH)
    totals = {(leaf.kind, leaf.key): leaf.value for leaf in leaves.rewards}
    assert totals[LeafKind.ACCOUNT, account_key(ALICE)] == 3 * ALL // 10
    paid = [record.paid for record in leaves.subnets]
    assert paid[0] == paid[1]
    assert paid[0].owner + paid[0].miners + paid[0].validators <= ALL * 9 // 10
    assert totals[LeafKind.ACCOUNT, account_key(OWNER)] == 2 * paid[0].owner
    assert (
        totals[LeafKind.PROVIDER, provider_key(3)]
        == 2 * run_subnet(SUBNET, ALL * 9 // 10, STEP).miners[2]
    )
    # no device is there to take the market's share
    assert leaves.reclaimed + leaves.cumulative_rewards == 3 * ALL
    assert leaves.reclaimed >= ALL * 9 // 10


def test_outcomes_stand_behind_the_rewards():
    leaves = close(EPOCH)
    assert [record.subnet for record in leaves.subnets] == [1, 2]
    outcome = leaves.subnets[1].outcome
    assert leaves.outcomes[1] == Leaf(
        LeafKind.SUBNET, (2).to_bytes(32, "big"), int.from_bytes(outcome.content(9), "big")
    )


def test_the_order_of_subnets_does_not_matter():
    assert close(replace(EPOCH, subnets=list(EPOCH.subnets)[::-1])).file == close(EPOCH).file


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"subnets": [SUBNET, SUBNET]}, "subnet is listed twice"),
        ({"budget": ALL - 1, "subnets": [SUBNET]}, "more than the epoch's budget"),
    ],
)
def test_shares_that_can_not_be_are_refused(change: dict[str, object], reason: str):
    with pytest.raises(BadInput, match=reason):
        close(replace(EPOCH, **change))
