"""Ten thousand operations in a row leave no more unowned than ten do: dust does not pile up."""

import random

import pytest

from tests.stateful.conftest import World
from tests.stateful.evm import Reverted
from tests.unit.conftest import MIN_DELEGATION, MIN_SELF_BOND, UNBONDING_PERIOD, UNIT

OPERATIONS = 10_000
PROVIDER = 1
EMISSION = 1
MAX_REQUESTS = 32
# base units that nobody can claim in a pool with owners: what was rounded down for each of them,
# and what rescaling took with the rewards on it; a trillionth of a token
DUST = 10**6
# the same in a pool without owners: what one that started anew leaves to the next
FORFEITED = 10**9


def check(world: World) -> None:
    """What nobody can claim is bounded, however long the pools have lived."""
    staking, people = world.staking, world.delegators
    pool, bond = staking.delegation_pool(PROVIDER), staking.self_bond(PROVIDER)
    held = [staking.delegation(PROVIDER, p)[1] for p in people]
    leaving = [r.tokens for p in people for r in staking.undelegations(PROVIDER, p)]
    own = [r.tokens for r in staking.unbondings(PROVIDER)]
    for tokens, claims in (
        (pool.tokens, held),
        (pool.unbonding, leaving),
        (bond.unbonding, own),
    ):
        assert 0 <= tokens - sum(claims) < (DUST if any(claims) else FORFEITED)
    assert world.token.balanceOf(staking) == staking.slashable(PROVIDER)


def operate(world: World, rng: random.Random) -> None:
    """One operation; what it takes from somebody goes to somebody who will put it in again."""
    staking, owner = world.staking, world.owners[PROVIDER - 1]
    person = rng.choice(world.delegators)
    active = staking.self_bond(PROVIDER).active
    what = rng.choices(
        ("delegate", "undelegate", "cancel", "withdraw", "unbond", "reward", "slash", "fall"),
        (20, 20, 5, 20, 5, 10, 10, 3),
    )[0]
    if active < MIN_SELF_BOND:
        staking.stake(PROVIDER, 1_000 * UNIT - active, sender=owner)
    elif what == "delegate":
        staking.delegate(PROVIDER, rng.randint(MIN_DELEGATION, 20 * UNIT), 0, sender=person)
    elif what == "undelegate":
        shares, _ = staking.delegation(PROVIDER, person)
        staking.undelegate(PROVIDER, rng.choice((shares, rng.randint(0, shares))), sender=person)
    elif what == "cancel":
        staking.cancel_undelegation(PROVIDER, rng.randint(0, 3), 0, sender=person)
    elif what == "withdraw":
        world.evm.time_travel(rng.randint(1, UNBONDING_PERIOD))
        staking.withdraw_delegation(PROVIDER, rng.randint(1, MAX_REQUESTS), sender=person)
    elif what == "unbond":
        if len(staking.unbondings(PROVIDER)) == MAX_REQUESTS:
            staking.withdraw(PROVIDER, MAX_REQUESTS, sender=owner)
        staking.unbond(PROVIDER, rng.randint(0, active), sender=owner)
    elif what == "reward":
        staking.add_rewards(PROVIDER, rng.randint(1, UNIT), EMISSION, sender=world.thief)
    else:
        slashable = staking.slashable(PROVIDER)
        left = rng.randint(slashable // 2, slashable)
        if what == "fall":
            left = min(slashable, 10 ** rng.randint(0, 18) * rng.randint(1, 9))
        receiver = min((owner, *world.delegators, world.thief), key=world.token.balanceOf)
        order = (slashable - left, receiver, slashable - left, world.reporter, 0)
        staking.slash(PROVIDER, order, sender=world.court)


# ten thousand more of the same operations, in another order
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_dust_does_not_pile_up(world, seed):
    rng = random.Random(seed)
    with world.evm.anchor():
        # what the payout address gets goes on to the owner, so that nobody runs dry
        world.providers.set_payout(PROVIDER, world.owners[0], sender=world.owners[0])
        done = tried = 0
        while done < OPERATIONS:
            tried += 1
            assert tried < 3 * OPERATIONS, "most operations are refused"
            try:
                operate(world, rng)
            except Reverted:
                continue
            done += 1
            if done % 10 == 0:
                check(world)
        check(world)
