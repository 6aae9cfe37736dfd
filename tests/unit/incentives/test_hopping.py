"""Stake that votes from place to place, on the contracts: what the arena counts is what they do."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boa
import pytest

from scripts._incentives.arena import ACTOR
from scripts._incentives.studies import Hop, Hopper
from scripts._incentives.terms import World
from tests.unit.conftest import EPOCH_LENGTH, ROLE_DELAY, UNBONDING_PERIOD, VOTE_EPOCHS, load
from tests.unit.incentives.on_chain import SUBNET, OnChain
from tests.unit.incentives.test_on_chain import WORLD, open_arena  # noqa: F401 - a fixture

BPS = 10_000
THAWS = UNBONDING_PERIOD // EPOCH_LENGTH


@pytest.fixture(
    params=[
        pytest.param(replace(WORLD, vote_epochs=VOTE_EPOCHS), id="eight epochs"),
        pytest.param(World(), id="thirty days", marks=pytest.mark.slow),
    ]
)
def world(request: pytest.FixtureRequest) -> World:
    found: World = request.param
    return found


@pytest.fixture
def contracts(contracts: dict[str, Any], world: World, staking: Any, subnets: Any) -> Any:
    """The market's, with votes that stand as long as the world's."""
    votes = load("SubnetVotes", staking, subnets, world.vote_epochs, ROLE_DELAY)
    return {**contracts, "SubnetVotes": votes}


class OnChainHopper(Hopper):
    """Votes with a self-bond; the same tokens each time, as soon as they can stand there."""

    arena: OnChain

    def settle(self) -> None:
        """After the arena's own `settle`: the actor's stake stands somewhere, or lies ready."""
        self.provider = 0
        if self.hop.judges:
            self.provider = int(self.arena.subnets.neuron(SUBNET, self.uid).provider)

    def vote(self, epoch: int) -> None:
        arena, chain = self.arena, self.arena.contracts
        # who owns a provider since the very start of an epoch may vote in it
        arena._go(arena.start(epoch) + 1)
        staking, stake = chain["ProviderStaking"], arena.world.actor_stake
        first = epoch == 0
        if first and not self.provider:
            self.provider = arena._provider_of(ACTOR, stake)
        elif not first and self.hop.every and not self.hop.with_provider:
            self._withdraw(self.provider)
            left, self.provider = self.provider, arena._provider_of(ACTOR, 0)
            owner, tokens = arena.accounts[left], arena.rewards.token
            tokens.approve(staking, stake, sender=owner)
            staking.stake(self.provider, stake, sender=owner)
        super().vote(epoch)
        owner = arena.accounts[self.provider]
        chain["SubnetVotes"].vote(self.provider, [(SUBNET, BPS)], sender=owner)
        if self.hop.with_provider:
            # whoever takes it over votes from the next epoch on
            heir = arena._account()
            chain["ProviderRegistry"].transfer_provider(self.provider, heir, sender=owner)
            chain["ProviderRegistry"].accept_provider(self.provider, sender=heir)
            arena.accounts[self.provider] = heir
            with boa.reverts("subnet_votes: no stake"):
                chain["SubnetVotes"].vote(self.provider, [(SUBNET, BPS)], sender=heir)
        elif self.hop.every:
            staking.unbond(self.provider, stake, sender=owner)

    def _withdraw(self, provider: int) -> None:
        staking, owner = self.arena.contracts["ProviderStaking"], self.arena.accounts[provider]
        staking.withdraw(provider, 10, sender=owner)


@pytest.mark.parametrize(
    "hop",
    [
        Hop(None),
        Hop(THAWS, judges=True),
        pytest.param(Hop(THAWS), marks=pytest.mark.slow),
        Hop(24, with_provider=True),
    ],
    ids=["stays", "judges", "only votes", "changes hands"],
)
def test_what_it_brings(
    open_arena: Callable[..., OnChain],  # noqa: F811 - the fixture
    world: World,
    stranger: str,
    hop: Hop,
) -> None:
    if hop.with_provider and world.epochs < 24:
        hop = replace(hop, every=3)
    arena = open_arena()
    hopper = OnChainHopper(arena, hop)
    arena.settle()
    hopper.settle()
    arena.play()
    assert arena.income[ACTOR] > 0
    arena.claim_all(random.Random(1), stranger)
