"""A small fleet: the same figures every time, nobody honest accused, every cheat caught."""

from dataclasses import replace

import pytest

from oracle.domain.attestation.plan import RUN_EIGHTHS
from oracle.services.request_leaves import PROVIDER_SHARE
from scripts._parameters import BPS, HOUR, UNIT
from scripts._simulation.conduct import (
    KINDS,
    LIMITS,
    ClaimsMore,
    Conduct,
    Ladder,
    LowRank,
    Replays,
    ShowsOnChain,
    Skips,
    TakesTurns,
    TwoIds,
    Withholds,
)
from scripts._simulation.figures import Figures, Kind, figures
from scripts._simulation.fleet import Plan
from scripts._simulation.simulation import Defences, Simulation
from scripts._simulation.terms import ATTESTATION_PERIOD, terms

# a fifth cheats; the longest catch, a withheld leaf, takes six hours
FLEET = Plan(devices=60, hours=10, seed=7, cheats_bps=2_000, limits=2)
FEW = replace(FLEET, devices=24, hours=3, limits=0)


def play(plan: Plan, defences: Defences | None = None) -> Simulation:
    run = Simulation(plan, terms(), defences)
    run.run()
    return run


def only(plan: Plan, kind: type[Conduct], defences: Defences | None = None) -> Kind:
    """The figures of a fleet whose cheats are of one kind."""
    (found,) = figures(play(replace(plan, kinds=(kind,)), defences)).kinds
    return found


@pytest.fixture(scope="module")
def run() -> Simulation:
    return play(FLEET)


@pytest.fixture(scope="module")
def result(run: Simulation) -> Figures:
    return figures(run)


def test_a_seed_gives_the_same_figures_again() -> None:
    first, again = (figures(play(FEW)).document() for _ in range(2))
    assert first == again
    assert figures(play(replace(FEW, seed=8))).document() != first


def test_no_honest_device_is_accused(run: Simulation, result: Figures) -> None:
    assert result.honest.challenges > 300
    assert (result.honest.convicted, result.honest.refused) == (0, {})
    for one in run.devices:
        account = run.accounts[one.provider]
        if type(one.conduct) is Conduct:
            assert (account.slashed, account.jailed_until) == (0, 0)
    # honest chains were opened by the watcher as well
    assert result.audited > sum(kind.convicted for kind in result.kinds)


def test_every_kind_is_there_and_caught(result: Figures) -> None:
    assert [kind.kind for kind in result.kinds] == [kind.name for kind in (*KINDS, *LIMITS)]
    for kind in result.kinds:
        if kind.stoppable:
            assert kind.caught == kind.cards, kind


def test_who_signs_a_lie_is_convicted_and_loses(result: Figures) -> None:
    found = {kind.kind: kind for kind in result.kinds}
    for name in (Skips.name, LowRank.name, Withholds.name):
        kind = found[name]
        assert kind.convicted == kind.cards
        assert kind.loses
        # the policy's half of the stake at least, and no more than a day's cap
        assert kind.stake <= 2 * kind.slashed <= kind.stake * 3 // 2
    convicted = {kind.kind for kind in result.kinds if kind.convicted}
    assert convicted == {Skips.name, LowRank.name, Withholds.name}


def test_money_is_whole_and_adds_up(run: Simulation, result: Figures) -> None:
    for provider, account in run.accounts.items():
        amounts = (account.stake, account.slashed, account.income, account.vesting.granted)
        assert all(type(amount) is int and amount >= 0 for amount in amounts)
        assert account.stake + account.slashed == run.staked[provider]
    for kind in result.kinds:
        assert all(type(amount) is int for amount in (kind.net, kind.honest, kind.reporter))
        assert kind.reporter <= kind.slashed


@pytest.mark.parametrize(
    "kind", [kind for kind in (*KINDS, *LIMITS) if kind not in (Ladder, ShowsOnChain)]
)
def test_no_cheat_brings_more_than_honest_work(result: Figures, kind: type[Conduct]) -> None:
    (found,) = (each for each in result.kinds if each.kind == kind.name)
    assert found.loses or found.is_even, found


@pytest.mark.parametrize("kind", [TwoIds, TakesTurns, Ladder])
def test_two_ids_on_one_card_lose_what_the_second_stake_brings_elsewhere(
    run: Simulation, result: Figures, monkeypatch: pytest.MonkeyPatch, kind: type[Conduct]
) -> None:
    (found,) = (each for each in result.kinds if each.kind == kind.name)
    # twice the stake: the other half, lent, brings a card's emission less commission
    assert found.stake % 2 == 0
    assert 0 < found.lent < found.honest - found.lent
    assert found.loses
    assert not found.is_even
    monkeypatch.setattr("scripts._simulation.figures.COMMISSION_BPS", BPS)
    (alone,) = (each for each in figures(run).kinds if each.kind == kind.name)
    assert (alone.lent, alone.honest) == (0, found.honest - found.lent)


def test_who_needs_all_its_stake_has_none_to_lend(result: Figures) -> None:
    lent = {kind.kind for kind in result.kinds if kind.lent}
    assert lent == {kind.name for kind in (ClaimsMore, TwoIds, TakesTurns, Ladder)}


def test_a_ladder_is_paid_for_no_more_than_its_window(result: Figures) -> None:
    (found,) = (each for each in result.kinds if each.kind == Ladder.name)
    # an honest claim fills five eighths of it
    assert found.net * RUN_EIGHTHS <= (found.honest - found.lent) * 8


def test_who_shows_only_on_chain_earns_its_share_of_the_watcher_s_bonds(
    run: Simulation, result: Figures
) -> None:
    (found,) = (each for each in result.kinds if each.kind == ShowsOnChain.name)
    baits = {one.provider for one in run.devices if one.name == ShowsOnChain.name}
    bonds = sum(run.accounts[provider].bonds for provider in baits)
    # a commit that is asked about beside another one costs more than the one bond that is paid
    share = run.terms.bond_budget // PROVIDER_SHARE
    assert 0 < bonds <= -found.reporter <= len(baits) * share
    assert bonds % run.terms.parameters.leaf_requests.bond == 0
    assert found.gained - bonds <= found.honest * 21 // 20
    assert (found.caught, found.slashed) == (0, 0)
    assert all(not run.accounts[each].bonds for each in run.accounts if each not in baits)


def test_without_a_budget_for_bonds_hiding_leaves_brings_nothing() -> None:
    plan = replace(FEW, cheats_bps=0, limits=1, limit_kinds=(ShowsOnChain,))
    for budget in (0, 20 * UNIT):
        played = Simulation(plan, replace(terms(), bond_budget=budget))
        played.run()
        (found,) = figures(played).kinds
        assert (found.reporter == 0) == (budget == 0)
        assert -found.reporter + played.watcher.budget == budget
        assert found.is_even == (budget == 0)


def test_a_false_leaf_that_is_shown_on_chain_convicts() -> None:
    class Answers(Withholds):
        """Leaves out so much that the first leaf shown is a false one."""

        name = "answers"
        share = 9_900

        def answers_requests(self) -> bool:
            return True

    found = only(FEW, Answers)
    assert found.convicted == found.cards
    # silence convicts after six hours
    assert found.conviction_median_s is not None
    assert found.conviction_median_s < HOUR // 4


def test_a_day_of_attestation_pays_for_epochs_without_an_answer() -> None:
    plan = replace(FEW, kinds=(Replays,), computes=False)
    short, long = (Simulation(plan, terms(period)) for period in (ATTESTATION_PERIOD, 24 * HOUR))
    for one in (short, long):
        one.run()
    (lost,), (kept,) = figures(short).kinds, figures(long).kinds
    assert lost.gained < kept.gained


# --- what is caught is caught by a defence ----------------------------------------------------


@pytest.mark.parametrize("kind", [Skips, LowRank])
def test_without_openings_and_watchers_forgers_pass(kind: type[Conduct]) -> None:
    assert only(FEW, kind).caught
    blind = only(FEW, kind, Defences(openings=False, watcher=False))
    assert (blind.caught, blind.slashed) == (0, 0)


def test_openings_refuse_and_watchers_convict() -> None:
    unwatched = only(FEW, Skips, Defences(watcher=False))
    assert (unwatched.caught, unwatched.convicted) == (unwatched.cards, 0)
    assert set(unwatched.first) == {"refused by oracles"}


def test_without_leaf_requests_silence_convicts_nobody() -> None:
    plan = replace(FEW, hours=9, seed=3)
    assert only(plan, Withholds).convicted
    assert only(plan, Withholds, Defences(leaf_requests=False)).convicted == 0


def test_the_second_id_of_a_card_is_late() -> None:
    kind = only(FEW, TwoIds)
    assert kind.first == {"refused by oracles": kind.cards}
    assert kind.devices == 2 * kind.cards


# --- worse worlds -----------------------------------------------------------------------------


def test_a_bad_network_costs_epochs_but_never_stake() -> None:
    calm, bad = (
        figures(play(replace(FEW, devices=40, cheats_bps=0, jitter_bps=jitter, loss_bps=loss)))
        for jitter, loss in ((0, 0), (5_000, 500))
    )
    assert (calm.honest.missed_ppm, calm.honest.without_entry_ppm) == (0, 0)
    assert bad.honest.missed_ppm > 0
    assert calm.honest.convicted == bad.honest.convicted == 0
