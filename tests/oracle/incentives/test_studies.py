"""Each strategy in a few days: whether it pays, and that the parameter named for it decides."""

from dataclasses import replace

import pytest

from oracle.domain.consensus import Mode
from scripts._incentives import studies
from scripts._incentives.arena import ACTOR, Arena, Judge, copying, populate, pushing, truth
from scripts._incentives.contracts import Votes
from scripts._incentives.studies import Result
from scripts._incentives.terms import World
from scripts._parameters import DAY

# four days: long enough for votes that would thaw in a day to pile up
SHORT = World(epochs=96)
# votes end and stake thaws half-way
HOPPING = replace(SHORT, unbonding_period=2 * DAY, vote_epochs=48)


def signs(study: studies.Study, world: World = SHORT) -> dict[str, int]:
    """1 where a case gains, -1 where it loses, 0 where it changes nothing."""
    return {each.case: (each.gain > 0) - (each.gain < 0) for each in study(world)}


def test_a_seed_gives_the_same_figures_again_and_another_others() -> None:
    world = replace(SHORT, epochs=12)
    first, again = (list(studies.laggards(world)) for _ in range(2))
    assert first == again
    assert first != list(studies.laggards(replace(world, seed=2)))


def test_copies_lose_more_the_later_rows_are_shown() -> None:
    found = {each.case: each.gain for each in studies.copiers(SHORT)}
    gains = [found[f"rows shown {delay} h after the commit"] for delay in (1, 3, 6, 12)]
    assert gains == sorted(gains, reverse=True)
    assert gains[1] < 0
    assert found["without commit-reveal"] > gains[0]


def test_a_minority_that_colludes_loses_and_half_gains() -> None:
    assert signs(studies.colluders) == {
        "20 % of the stake, strict": -1,
        "40 % of the stake, strict": -1,
        "49 % of the stake, strict": -1,
        "50 % of the stake, strict": 1,
        "50 % of the stake, bittensor": 1,
        "51 % of the stake, strict": 1,
    }


def test_half_vetoes_in_strict_mode_and_only_shares_in_the_originals() -> None:
    """What half of the stake gets with its own miner: everything, or not quite."""
    incomes = {}
    for mode in Mode:
        arena = Arena(replace(SHORT, epochs=24), mode=mode)
        judges = [Judge(truth), Judge(truth)]
        half = arena.world.validators * arena.world.others_stake // 2
        _, favourite = populate(arena, judges, [half, half], quality=1_000)
        assert favourite is not None
        for judge in judges:
            judge.row = pushing(favourite)
        arena.play()
        incomes[mode] = arena.income
    assert incomes[Mode.STRICT][ACTOR] > incomes[Mode.BITTENSOR][ACTOR]
    assert incomes[Mode.STRICT]["miners"] < incomes[Mode.BITTENSOR]["miners"]


def test_self_dealing_loses_unless_the_treasury_gives_back() -> None:
    found = list(studies.self_dealers(SHORT))
    assert [each.case for each in found if each.gain >= 0] == [
        "the treasury's part of the fee comes back to it"
    ]
    # of the fees at least what is above the cap ratio
    default = next(each for each in found if each.case.endswith("alone: nobody else pays fees"))
    fees = SHORT.epochs * 30 * 10**18
    assert default.gain <= -fees * (10_000 - SHORT.cap_ratio_bps) // 10_000


def test_a_cap_ratio_above_all_fees_would_pay_the_self_dealer() -> None:
    """The cap is what stops it: above 1, which the controller refuses, it gains."""
    capless = replace(SHORT, cap_ratio_bps=15_000)
    gains = [each.gain for each in studies.self_dealers(capless) if "alone" in each.case]
    assert min(gains) > 0


def test_an_owner_needs_most_of_the_stake_to_keep_emission() -> None:
    assert signs(studies.owners) == {
        f"{share} % of the stake, {account}": 1 if share == 60 else -1
        for share in (20, 40, 60)
        for account in ("its own account", "a hidden second account")
    }
    found = {each.case: each.played for each in studies.owners(SHORT)}
    # what the penalty takes
    assert (
        found["60 % of the stake, its own account"]
        < found["60 % of the stake, a hidden second account"]
    )


def test_votes_pile_up_only_where_stake_thaws_before_they_end() -> None:
    assert list(signs(studies.hoppers, HOPPING).values()) == [-1, 0, 1, 0]


def test_a_bond_that_changes_hands_would_pile_up_without_its_voter() -> None:
    """What SubnetVotes remembers of a self-bond is what stops it."""
    vote = Votes.vote
    with pytest.MonkeyPatch.context() as forgetful:
        forgetful.setattr(Votes, "vote", lambda votes, *args: vote(votes, *args[:3]))
        found = signs(studies.hoppers)
    assert found["its provider changes hands every day"] == 1


def test_late_rows_and_none_lose() -> None:
    found = list(studies.laggards(SHORT))
    assert all(each.gain < 0 for each in found)
    late, refused, never = (each.played for each in found)
    assert late > refused == never


def test_the_price_of_places_decides_who_can_empty_a_subnet() -> None:
    # some days beyond immunity, under which halves of a machine gain a little
    found = signs(studies.snipers, replace(SHORT, epochs=240))
    assert found.pop("two places, judges see two machines") == 1
    assert found.pop("ten of 14 places, a tenth each, price from 10 WORK, x 2") == -1
    crowds = {case for case in found if case.startswith("ten of")}
    assert len(crowds) == 2
    assert all(sign == -1 for case, sign in found.items() if case not in crowds)


def test_whoever_claims_and_when_changes_no_total() -> None:
    assert set(signs(studies.claimants).values()) == {0}


def test_what_the_progress_bar_expects_is_what_is_played() -> None:
    counted = 0

    def advance() -> None:
        nonlocal counted
        counted += 1

    assert len(studies.play(replace(SHORT, epochs=3), advance)) == counted == studies.CASES


@pytest.mark.parametrize(
    ("fair", "played", "bps"), [(100, 101, 100), (100, 99, -100), (0, 5, None)]
)
def test_gains_are_beside_honest_play(fair: int, played: int, bps: int | None) -> None:
    result = Result("a", "b", fair, played)
    assert (result.gain, result.gain_bps) == (played - fair, bps)


def test_a_copier_has_nothing_to_show_before_others_have() -> None:
    arena = Arena(SHORT)
    (mine,), _ = populate(arena, [Judge(copying)], [SHORT.actor_stake])
    assert copying(arena, mine, 0) is None
