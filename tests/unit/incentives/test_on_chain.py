"""Strategies of the incentive simulation on the contracts: what the arena pays is what they pay."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from scripts._incentives.arena import ACTOR, Arena, Judge, copying, populate, pushing, truth
from scripts._incentives.contracts import BPS
from scripts._incentives.terms import World
from tests.compiled import compiled
from tests.unit.conftest import ROLE_DELAY, ROOT, load
from tests.unit.incentives.on_chain import SUBNET, OnChain
from tests.unit.reward_market import RewardMarket

EPOCHS = 8
QUALITY = 5_000
FEE_SOURCE = ROOT / "tests" / "stateful" / "contracts" / "fee_source.vy"
WORLD = World(epochs=EPOCHS, newcomer_epochs=3)
WORLD = replace(WORLD, terms=replace(WORLD.terms, immunity_epochs=2))


@pytest.fixture(
    params=[
        pytest.param(WORLD, id="eight epochs"),
        pytest.param(World(), id="thirty days", marks=pytest.mark.slow),
    ]
)
def world(request: pytest.FixtureRequest) -> World:
    """A short world, and the simulation's own: its length and parameters."""
    found: World = request.param
    return found


@pytest.fixture
def open_arena(
    world: World,
    split: Callable[[Any], None],
    token: Any,
    contracts: dict[str, Any],
    rewards: RewardMarket,
) -> Callable[..., OnChain]:
    """An arena on the test market; its fees are those that a stand-in for the escrow is told."""
    source = compiled(FEE_SOURCE).deploy(token)
    split(load("FeeMeter", source, ROLE_DELAY))

    def _open(**changes: Any) -> OnChain:
        return OnChain(world=world, contracts=contracts, rewards=rewards, fees=source, **changes)

    return _open


def rehearse(arena: OnChain, stranger: str) -> None:
    """Play on the contracts, then have a stranger claim for everybody, in an order of its own."""
    arena.settle()
    arena.play()
    assert arena.income[ACTOR] > 0
    assert arena.chain.rows
    token, distributor = arena.rewards.token, arena.rewards.distributor
    arena.claim_all(random.Random(1), stranger)
    assert token.balanceOf(stranger) == 0
    for leaf in arena.posted.rewards:
        assert distributor.claimed(int(leaf.kind), leaf.key) == leaf.value


@pytest.mark.slow
def test_a_copier(open_arena: Callable[..., OnChain], stranger: str) -> None:
    arena = open_arena()
    populate(arena, [Judge(copying)], [arena.world.actor_stake])
    rehearse(arena, stranger)


def collude(arena: OnChain, share_bps: int) -> None:
    """Two validators of the actor, with so much of the stake, push its miner."""
    others = arena.world.validators * arena.world.others_stake
    each = others * share_bps // (BPS - share_bps) // 2
    judges = [Judge(truth), Judge(truth)]
    _, favourite = populate(arena, judges, [each, each], quality=QUALITY)
    assert favourite is not None
    for judge in judges:
        judge.row = pushing(favourite)


@pytest.mark.parametrize("share_bps", [pytest.param(4_000, marks=pytest.mark.slow), 5_000])
def test_colluders(open_arena: Callable[..., OnChain], stranger: str, share_bps: int) -> None:
    arena = open_arena()
    collude(arena, share_bps)
    rehearse(arena, stranger)


@pytest.mark.parametrize("hidden", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_an_owner_that_keeps_emission(
    open_arena: Callable[..., OnChain], subnets: Any, stranger: str, hidden: bool
) -> None:
    arena = open_arena(owner=ACTOR)
    judge = Judge(truth)
    stake = arena.world.validators * arena.world.others_stake * 3 // 2
    _, miner = populate(arena, [judge], [stake], quality=QUALITY)
    assert miner is not None
    judge.row = pushing(miner)
    if hidden:
        arena.places[miner] = replace(arena.places[miner], owner="hidden")
    rehearse(arena, stranger)
    assert (subnets.withheld_bps(SUBNET) > 9_000) == (not hidden)


@pytest.mark.slow
def test_laggards(open_arena: Callable[..., OnChain], stranger: str) -> None:
    """One shows its rows in the window's last epoch, one when it is over."""
    arena = open_arena()
    window = arena.world.reveal_window
    populate(arena, [Judge(truth, window - 1), Judge(truth, window)], [arena.world.actor_stake] * 2)
    rehearse(arena, stranger)


@pytest.mark.slow
def test_snipers(open_arena: Callable[..., OnChain], stranger: str) -> None:
    """Two places in the last minute of every second epoch."""
    arena = open_arena()

    def _register(arena: Arena, epoch: int) -> None:
        if epoch % 2:
            for _ in range(2):
                arena.register(ACTOR, arena.start(epoch + 1) - 60, epoch, QUALITY)

    arena.at_end = _register
    populate(arena, [], [])
    rehearse(arena, stranger)
    assert arena.spent[ACTOR] > 0
