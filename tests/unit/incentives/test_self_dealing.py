"""A customer that pays its own provider, through the escrow, the fee meter and the split."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import boa
import pytest

from oracle.domain.receipts import JobStatus
from scripts._incentives.arena import ACTOR, Judge, populate, truth
from scripts._incentives.contracts import BPS
from scripts._incentives.terms import World
from tests.unit.conftest import HOUR, UNIT
from tests.unit.incentives.on_chain import SUBNET, OnChain
from tests.unit.market import *  # noqa: F403 - fixtures
from tests.unit.market import _wired  # noqa: F401 - a fixture
from tests.unit.reward_market import RewardMarket

# an hour, for which one account has tokens enough through a month; the fee is 3 %
PAY = 100 * UNIT
FEE = 3 * UNIT
# everybody in the subnet is the actor
WORLD = replace(World(epochs=4, newcomer_epochs=1_000), validators=0, miners=2)


@pytest.fixture(
    params=[
        pytest.param(WORLD, id="four epochs"),
        pytest.param(
            replace(WORLD, epochs=World().epochs), id="thirty days", marks=pytest.mark.slow
        ),
    ]
)
def world(request: pytest.FixtureRequest) -> World:
    found: World = request.param
    return found


@dataclass
class Jobs:
    """Pays fees by the vouchers of one job in each market, for an hour more in each epoch.

    `deposit`: base units of each job. `spent`: what the job in the subnet has cost the customer.
    """

    escrow: Any
    accepted_job: Callable[..., int]
    settle: Callable[..., None]
    deposit: int
    # by market: the job, and the seconds that it was paid for
    running: dict[int, tuple[int, int]] = field(default_factory=dict)
    spent: int = 0

    def list_market(self, asset: Any, subnet: int) -> None:
        # the market at large has been there before
        if subnet:
            self.escrow.list_asset(asset, subnet)

    def earn(self, market: int, amount: int) -> None:
        subnet = market - 1
        if market not in self.running:
            job = self.accepted_job(price=PAY, deposit=self.deposit, subnet=subnet)
            self.running[market] = job, 0
        job, seconds = self.running[market]
        before = self.escrow.earned_fees(market)
        self.settle(job, seconds + HOUR, JobStatus.RUNNING)
        assert self.escrow.earned_fees(market) - before == amount
        self.running[market] = job, seconds + HOUR
        if subnet:
            self.spent += PAY


@pytest.fixture
def play(
    world: World,
    split: Callable[[Any], None],
    meter: Any,
    contracts: dict[str, Any],
    rewards: RewardMarket,
    escrow: Any,
    asset: Any,
    provider: int,
    payer: str,
    payout: str,
    accepted_job: Callable[..., int],
    settle: Callable[..., None],
) -> Callable[[int, int], tuple[int, int, int]]:
    """What the actor earns and what its jobs cost it, by fees an epoch at large and in the subnet.

    Returns emission, payments and income from jobs, base units.
    """
    split(meter)

    def _play(at_large: int, own: int) -> tuple[int, int, int]:
        with boa.env.anchor():
            asset.transfer(payer, 2 * world.epochs * PAY)
            asset.approve(escrow, 2 * world.epochs * PAY, sender=payer)
            jobs = Jobs(escrow, accepted_job, settle, world.epochs * PAY)
            there = replace(world, fees=(at_large, own))
            arena = OnChain(
                world=there, contracts=contracts, rewards=rewards, fees=jobs, owner=ACTOR
            )
            # all places are its own, as the study has it, under a name that nobody connects
            populate(arena, [Judge(truth)], [there.actor_stake])
            arena.places = [replace(place, owner="hidden") for place in arena.places]
            arena.settle()
            arena.play()
            before = asset.balanceOf(payout)
            if jobs.spent:
                escrow.withdraw(provider, asset, SUBNET)
            return sum(arena.granted().values()), jobs.spent, asset.balanceOf(payout) - before

    return _play


@pytest.mark.parametrize("at_large", [0, FEE])
def test_it_loses(
    world: World, play: Callable[[int, int], tuple[int, int, int]], at_large: int
) -> None:
    fair, nothing, none = play(at_large, 0)
    played, spent, income = play(at_large, FEE)
    assert (nothing, none) == (0, 0)
    fees = spent - income
    assert fees == world.epochs * FEE
    # what comes back is at most the cap ratio of its fees
    assert fees // 2 < played - fair <= fees * world.cap_ratio_bps // BPS
