"""One epoch: what ours does differently, what order can't change, what is refused."""

from dataclasses import fields, replace
from random import Random
from typing import Any

import numpy as np
import pytest

from oracle.cli.yuma_case import expected
from oracle.domain.consensus import Inputs, Mode, Outputs, Params, Rows, run_epoch
from oracle.domain.consensus.alpha import LiquidAlpha
from oracle.domain.consensus.fixed import ONE
from oracle.errors import BadInput
from tests.oracle.consensus.cases import Flat, inputs, subnet

HALF_OF_U16, U16 = 32_767, 65_535
DEFAULTS = Params(
    tempo=360,
    activity_cutoff=5_000,
    last_mechanism_step_block=0,
    stake_threshold=0,
    owner_uid=None,
    max_allowed_validators=64,
    kappa=HALF_OF_U16,
    bonds_penalty=U16,
    yuma3=False,
    liquid_alpha=False,
    alpha_low=45_875,
    alpha_high=58_982,
    alpha_sigmoid_steepness=1_000,
    bonds_moving_average=900_000,
    rao_emission=10**9,
)
LIQUID = replace(DEFAULTS, yuma3=True, liquid_alpha=True)


def epoch(
    stake: list[int],
    weights: list[list[list[int]]],
    params: Params = DEFAULTS,
    bonds: list[list[list[int]]] | None = None,
    **changes: Any,
) -> Inputs:
    """An epoch at block 1 000 whose uids with stake are validators, and all of them active."""
    n = len(stake)
    empty: list[list[list[int]]] = [[] for _ in stake]
    values: dict[str, Any] = {
        "block": 1_000,
        "last_update": np.full(n, 990, np.uint64),
        "block_at_registration": np.zeros(n, np.uint64),
        "stake": np.array(stake, np.uint64),
        "validator_permits": np.array(stake) > 0,
        "weights": Rows.of(weights + empty[len(weights) :]),
        "bonds": Rows.of(bonds + empty[len(bonds) :] if bonds else empty),
        **changes,
    }
    return Inputs(params=params, **values)


def consensus(found: Outputs) -> list[int]:
    return found.consensus.tolist()


# --- the first quirk: half of the stake ---------------------------------------------------------


def test_half_the_stake_agrees_on_nothing_in_strict():
    halves = epoch([5, 5, 0, 0], [[[2, U16]], [[3, U16]]])
    assert consensus(run_epoch(halves, Mode.BITTENSOR)) == [0, 0, ONE, ONE]
    assert consensus(run_epoch(halves, Mode.STRICT)) == [0, 0, 0, 0]


def test_strict_is_the_default():
    assert consensus(run_epoch(epoch([5, 5, 0, 0], [[[2, U16]], [[3, U16]]]))) == [0] * 4


def test_one_base_unit_over_half_is_enough_in_strict():
    wins = epoch([10**12 + 1, 10**12, 0, 0], [[[2, U16]], [[3, U16]]])
    assert consensus(run_epoch(wins, Mode.STRICT)) == [0, 0, ONE, 0]


@pytest.mark.parametrize("mirrored", [False, True])
def test_rounding_does_not_break_a_tie(mirrored: bool):
    """A half against a third and a sixth: rounded down, the parts are a bit less than the half."""
    one, others = (3, 2) if mirrored else (2, 3)
    tie = epoch([3, 2, 1, 0, 0], [[[one + 1, U16]], [[others + 1, U16]], [[others + 1, U16]]])
    assert sum(run_epoch(tie).active_stake.tolist()[1:3]) < ONE // 2
    assert consensus(run_epoch(tie, Mode.STRICT)) == [0] * 5


def test_many_small_stakes_tie_with_one_large_one():
    small = 999
    stake = [small, *[1] * small, 0, 0]
    large, many = small + 1, small + 2
    tie = epoch(stake, [[[large, U16]], *[[[many, U16]]] * small])
    assert consensus(run_epoch(tie, Mode.STRICT)) == [0] * len(stake)


def test_a_higher_kappa_is_kept_in_strict():
    sixty = replace(DEFAULTS, kappa=39_322)
    votes = [[[2, U16]], [[3, U16]]]
    for mode in Mode:
        assert consensus(run_epoch(epoch([599, 401, 0, 0], votes, sixty), mode)) == [0] * 4
        assert consensus(run_epoch(epoch([601, 399, 0, 0], votes, sixty), mode))[2] == ONE


def test_a_lower_kappa_is_raised_to_a_majority_in_strict():
    third = replace(DEFAULTS, kappa=21_845)
    votes = epoch([40, 60, 0, 0], [[[2, U16]], [[3, U16]]], third)
    assert consensus(run_epoch(votes, Mode.BITTENSOR)) == [0, 0, ONE, ONE]
    assert consensus(run_epoch(votes, Mode.STRICT)) == [0, 0, 0, ONE]


def test_stake_that_does_not_count_is_no_part_of_the_whole():
    """Half of all stake, but all of what is active."""
    votes = epoch([5, 5, 0, 0], [[[2, U16]], [[3, U16]]])
    late = replace(
        votes,
        block=6_000,
        last_update=np.array([5_990, 1, 5_990, 5_990], np.uint64),
    )
    assert consensus(run_epoch(late, Mode.STRICT)) == [0, 0, ONE, 0]


def test_votes_are_normalised_once_more():
    """What rounding takes from many small active stakes is no part of the whole."""
    kappa = 39_321
    needed, many, each = kappa * ONE // U16, 1_003, 10**9 + 7
    # found by trying: rounded once, the large stake is 26 bits short of kappa
    large = (needed - 627) * many * each // (ONE - needed + 627) + 1
    votes = epoch([large, *[each] * many, 0], [[[many + 1, U16]]], replace(DEFAULTS, kappa=kappa))
    found = run_epoch(votes)
    assert found.active_stake[0] == needed - 26
    assert consensus(found)[-1] == ONE


# --- the second quirk: a bond whose weight is gone ----------------------------------------------

# both validators weigh miner 3, and the first one has a bond with miner 2 from before
GONE = epoch([6, 4, 0, 0], [[[3, U16]], [[3, U16]]], LIQUID, bonds=[[[2, 40_000]]])


def bond(found: Outputs, validator: int, miner: int) -> int | None:
    return dict(list(found.bonds)[validator]).get(miner)


def test_liquid_alpha_drops_a_bond_without_a_weight_in_bittensor():
    assert bond(run_epoch(GONE, Mode.BITTENSOR), 0, 2) is None


def test_a_bond_without_a_weight_decays_in_strict():
    kept = bond(run_epoch(GONE, Mode.STRICT), 0, 2)
    # alpha lies between its bounds, so 1 - 0.9 to 1 - 0.7 of the bond are left
    assert kept is not None
    assert 4_000 <= kept <= 12_001


def test_it_decays_as_one_with_a_weight_of_zero():
    zero = epoch([6, 4, 0, 0], [[[2, 0], [3, U16]], [[3, U16]]], LIQUID, bonds=[[[2, 40_000]]])
    # with penalty 1 this entry stays one: the original treats it as strict treats a missing one
    results = [run_epoch(zero, mode) for mode in Mode] + [run_epoch(GONE, Mode.STRICT)]
    assert len({bond(each, 0, 2) for each in results}) == 1


def test_a_decaying_bond_is_gone_in_the_end():
    now, seen = GONE, []
    for _ in range(12):
        found = run_epoch(now, Mode.STRICT)
        seen.append(bond(found, 0, 2) or 0)
        now = replace(now, bonds=found.bonds)
    assert seen == sorted(seen, reverse=True)
    assert seen[0] > 0
    assert seen[-1] == 0


def test_without_liquid_alpha_both_modes_let_it_decay():
    plain = replace(GONE, params=replace(LIQUID, liquid_alpha=False))
    strict, original = (expected(run_epoch(plain, mode)) for mode in Mode)
    assert strict == original
    assert bond(run_epoch(plain), 0, 2) == 40_000 * 9 // 10 - 1


def test_a_bond_equal_to_its_weight_is_bought():
    """Above the consensus, a validator that agrees with its own bond still gets the high rate."""
    params = replace(LIQUID, bonds_penalty=0, alpha_low=0, alpha_high=U16)
    against = epoch([4, 6, 0, 0], [[[2, U16]], [[3, U16]]], params, bonds=[[[2, U16]]])
    same = run_epoch(against)
    assert consensus(same) == [0, 0, 0, ONE]
    # at distance 1 the rate is 1 / (1 + e^-5): both parts of the bond are rounded down
    rate = LiquidAlpha(0, ONE, 1_000).rate(*(np.array([x]) for x in (ONE, ONE, 0)))
    assert rate[0] / ONE == pytest.approx(0.993307, abs=1e-6)
    assert bond(same, 0, 2) == U16


def test_without_a_consensus_liquid_alpha_has_nothing_to_follow():
    """Nobody agrees on anything: bonds decay at the fixed rate, in both modes."""
    nothing = epoch([6, 4, 0, 0], [], LIQUID, bonds=[[[2, 40_000]]])
    for mode in Mode:
        assert bond(run_epoch(nothing, mode), 0, 2) == 40_000 * 9 // 10 - 1


def test_away_from_both_quirks_the_modes_agree():
    agreed = 0
    for seed in range(300):
        case = subnet(seed, validators=12, miners=30)
        staked = [stake for stake in case["stake"] if stake]
        if case["liquid_alpha"] or case["kappa"] < HALF_OF_U16 or len(set(staked)) < len(staked):
            continue
        strict, original = (expected(run_epoch(inputs(case), mode)) for mode in Mode)
        assert strict == original, seed
        agreed += any(strict["consensus_bits"])
    assert agreed > 10


# --- order --------------------------------------------------------------------------------------


def renamed(case: Flat, new: list[int]) -> Flat:
    """The same subnet where uid i is called new[i]."""
    old = sorted(range(len(new)), key=new.__getitem__)
    result = dict(case)
    for name, value in case.items():
        if isinstance(value, list):
            result[name] = [value[uid] for uid in old]
    for name in ("weights", "bonds"):
        result[name] = [[[new[j], value] for j, value in row] for row in result[name]]
    if case["owner_uid"] is not None:
        result["owner_uid"] = new[case["owner_uid"]]
    return result


@pytest.mark.parametrize("mode", Mode)
def test_the_numbers_of_uids_do_not_matter(mode: Mode):
    """Except for who keeps a permit among equals, so everybody keeps theirs here."""
    for seed in range(60):
        case = {**subnet(seed, validators=10, miners=20), "max_allowed_validators": U16}
        new = list(range(len(case["stake"])))
        Random(seed).shuffle(new)
        one = expected(run_epoch(inputs(case), mode))
        two = expected(run_epoch(inputs(renamed(case, new)), mode))
        for name in one.keys() - {"bonds_u16"}:
            assert [two[name][new[uid]] for uid in range(len(new))] == one[name], (seed, name)
        for uid, row in enumerate(one["bonds_u16"]):
            assert two["bonds_u16"][new[uid]] == sorted([new[j], bond] for j, bond in row), seed


def test_among_equals_the_higher_uid_keeps_its_permit():
    three_of_five = replace(DEFAULTS, max_allowed_validators=3)
    found = run_epoch(epoch([7, 7, 9, 7, 7, 0], [], three_of_five))
    assert found.new_permits.tolist() == [False, False, True, True, True, False]


def test_among_many_equals_the_higher_uids_keep_theirs():
    """More than a sort that only looks stable gets right."""
    n, kept = 200, 17
    found = run_epoch(epoch([5] * n, [], replace(DEFAULTS, max_allowed_validators=kept)))
    assert found.new_permits.tolist() == [uid >= n - kept for uid in range(n)]


def test_the_owner_keeps_a_permit_without_stake():
    owned = replace(DEFAULTS, max_allowed_validators=1, owner_uid=2)
    found = run_epoch(epoch([7, 9, 0], [], owned))
    assert found.new_permits.tolist() == [False, True, True]


def test_the_order_of_entries_does_not_matter():
    for seed in range(30):
        case = subnet(seed, validators=8, miners=30)
        for name in ("weights", "bonds"):
            shuffled = {**case, name: [Random(seed).sample(row, len(row)) for row in case[name]]}
            assert expected(run_epoch(inputs(shuffled))) == expected(run_epoch(inputs(case)))


def test_the_size_of_blocks_does_not_matter(monkeypatch: pytest.MonkeyPatch):
    cases = [inputs(subnet(seed, validators=16, miners=60)) for seed in range(40)]
    usual = [expected(run_epoch(case)) for case in cases]
    monkeypatch.setattr("oracle.domain.consensus.epoch.BLOCK_CELLS", 1)
    assert [expected(run_epoch(case)) for case in cases] == usual


def test_nothing_of_the_input_is_changed():
    case = subnet(5, validators=8, miners=30)
    given = inputs(case)
    run_epoch(given)
    untouched = inputs(case)
    for name in ("last_update", "block_at_registration", "stake", "validator_permits"):
        assert (getattr(given, name) == getattr(untouched, name)).all()
    assert list(given.weights) == list(untouched.weights)
    assert list(given.bonds) == list(untouched.bonds)


def test_results_are_whole_numbers():
    found = run_epoch(inputs(subnet(5)))
    kinds = {field.name: getattr(found, field.name) for field in fields(Outputs)}
    bonds = kinds.pop("bonds")
    assert {str(column.dtype) for column in kinds.values()} == {"int64", "uint64", "bool"}
    assert (bonds.uids.dtype, bonds.values.dtype) == (np.uint16, np.uint16)


def test_a_row_that_sums_to_more_than_i32f32_holds():
    """32 769 entries of 65 535: the sum saturates, so each weight is 2 * 65535 / 2^32."""
    n = 32_770
    row = [[uid, U16] for uid in range(1, n)]
    found = run_epoch(epoch([1, *[0] * (n - 1)], [row]))
    assert set(consensus(found)[1:]) == {2 * U16}


# --- refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"last_update": np.zeros(3, np.uint64)}, "last_update has 3 entries, stake has 2"),
        ({"validator_permits": np.zeros(1, np.bool_)}, "validator_permits has 1 entries"),
        ({"weights": Rows.of([[]])}, "weights has 1 entries"),
        ({"bonds": Rows.of([[], [], []])}, "bonds has 3 entries"),
        ({"commit_blocks": np.zeros(0, np.uint64)}, "commit_blocks has 0 entries"),
        ({"params": replace(DEFAULTS, owner_uid=2)}, "owner_uid 2 is none of the 2 uids"),
        ({"params": replace(DEFAULTS, bonds_moving_average=1_000_001)}, "bonds_moving_average"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], message: str):
    with pytest.raises(BadInput, match=message):
        replace(epoch([1, 1], []), **changes)


@pytest.mark.parametrize("kind", [np.int64, np.float64, np.uint32])
def test_blocks_and_stakes_are_unsigned_64_bits(kind: type):
    with pytest.raises(TypeError, match="not uint64"):
        replace(epoch([1, 1], []), stake=np.ones(2, kind))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[[1, 5], [0, 5], [1, 6]], []], "row 0 has uid 1 twice"),
        ([[[2, 5]], []], "uid outside 0..1"),
        ([[[-1, 5]], []], "uid outside 0..1"),
        ([[[1, 65_536]], []], "value outside 0..65535"),
        ([[[1, -1]], []], "value outside 0..65535"),
    ],
)
def test_rows_that_are_refused(rows: list[list[list[int]]], message: str):
    with pytest.raises(BadInput, match=message):
        Rows.of(rows)


def test_rows_are_what_was_put_in():
    rows = [[[2, 5], [0, 0]], [], [[1, U16]]]
    assert list(Rows.of(rows)) == [[[0, 0], [2, 5]], [], [[1, U16]]]
    assert list(Rows.of([])) == []
