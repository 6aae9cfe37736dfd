"""The incentive simulation's twins, step by step beside the contracts that they stand for."""

import random
from collections.abc import Callable
from typing import Any

import boa
from eth_account.signers.local import LocalAccount

from oracle.domain.subnets import Place
from scripts._incentives.arena import Arena, Judge, truth
from scripts._incentives.contracts import RisingPrice, Vesting, Votes
from scripts._incentives.terms import World
from tests.unit.conftest import DAY, UID_PRICE, UNIT, VOTE_EPOCHS, role
from tests.unit.reward_market import RewardMarket, provider_leaf
from tests.unit.subnets import STAKE, Rules, pass_epochs

ROW = ([1, 2], [65_535, 7])
SALT = b"\5" * 32


def test_the_price_of_a_place(
    subnets: Any, create: Callable[..., int], enter: Callable[..., tuple[int, str]]
) -> None:
    subnet = create(rules=Rules(max_uids=64))
    floor, factor_bps, period = UID_PRICE
    twin = RisingPrice(floor, factor_bps, period)
    dice = random.Random(1)
    for _ in range(12):
        assert subnets.uid_price(subnet) == twin.price(boa.env.timestamp)
        enter(subnet)
        twin.sell(boa.env.timestamp)
        assert subnets.uid_price(subnet) == twin.price(boa.env.timestamp)
        boa.env.time_travel(seconds=dice.choice([1, 60, 3_600, 7_777, 2 * DAY]))


def test_votes_of_those_who_vote_renew_and_hop(
    votes: Any, create: Callable[..., int], neuron: Callable[..., tuple[int, str]]
) -> None:
    subnet = create()
    taker = str(boa.env.generate_address("controller"))
    votes.set_role(role("CONTROLLER"), taker)
    twin = Votes(VOTE_EPOCHS)
    voters = [neuron(STAKE + number) for number in range(3)]
    # epoch => who votes in it
    plan = {0: [0, 1], 5: [1], VOTE_EPOCHS: [0, 2], VOTE_EPOCHS + 3: [2]}
    for epoch in range(2 * VOTE_EPOCHS + 5):
        for number in plan.get(epoch, []):
            provider, holder = voters[number]
            with boa.env.prank(holder):
                votes.vote(provider, [(subnet, 10_000)])
            twin.vote(holder, STAKE + number, epoch)
        pass_epochs(1)
        with boa.env.prank(taker):
            assert votes.take(epoch)[subnet] == twin.take(epoch)
    assert twin.counted == 0


def test_votes_with_a_bond_that_changes_hands(
    votes: Any, providers: Any, create: Callable[..., int], neuron: Callable[..., tuple[int, str]]
) -> None:
    subnet = create()
    taker = str(boa.env.generate_address("controller"))
    votes.set_role(role("CONTROLLER"), taker)
    twin = Votes(VOTE_EPOCHS)
    provider, owner = neuron()
    following = [str(boa.env.generate_address()), owner]
    for epoch in range(3 * VOTE_EPOCHS):
        if epoch in (0, 2, 5, VOTE_EPOCHS + 6):
            votes.vote(provider, [(subnet, 10_000)], sender=owner)
            twin.vote(owner, STAKE, epoch, bond_of="provider")
        elif epoch in (1, 4):
            # who takes it over votes from the next epoch on
            to = following.pop(0)
            providers.transfer_provider(provider, to, sender=owner)
            providers.accept_provider(provider, sender=to)
            owner = to
        pass_epochs(1)
        counted = votes.take(epoch, sender=taker)[subnet]
        assert counted == twin.take(epoch) <= STAKE
    assert twin.counted == 0
    assert votes.bond_voter(provider) == twin.bond_voter["provider"] == owner


def test_when_a_row_may_be_committed_and_shown(
    subnets: Any, create: Callable[..., int], enter: Callable[..., tuple[int, str]]
) -> None:
    """The arena's validators beside the contract: every step in the epoch in which it may be."""
    for late in range(3):
        rules = Rules(max_uids=8, reveal_delay=2, reveal_window=2, commit_interval=3)
        subnet = create(rules=rules)
        provider, owner = enter(subnet)
        for _ in range(2):
            enter(subnet)
        world = World(reveal_delay=2, reveal_window=2, commit_interval=3)
        arena = Arena(world)
        arena.places = [Place(1, "a", 0, 0, 0) for _ in range(3)]
        arena.quality = {1: 100, 2: 100}
        judge = Judge(truth, late=late)
        commit = subnets.weights_commit(subnet, provider, *ROW, SALT)
        for epoch in range(12):
            before, committed = arena.places[0].weights_at, judge.committed_epoch
            waits_since = judge.pending[0] if judge.pending else None
            arena._judge(0, judge, epoch)
            with boa.env.prank(owner):
                if arena.places[0].weights_at != before:
                    subnets.reveal_weights(subnet, provider, *ROW, SALT)
                elif waits_since is None or epoch - waits_since not in (2, 3):
                    # nothing to show, too early, or too late; between, a validator may wait
                    with boa.reverts():
                        subnets.reveal_weights(subnet, provider, *ROW, SALT)
                if judge.committed_epoch != committed:
                    subnets.commit_weights(subnet, provider, commit)
                else:
                    with boa.reverts():
                        subnets.commit_weights(subnet, provider, commit)
            pass_epochs(1)
        assert (arena.places[0].weights_at == 0) == (late == 2)


def test_what_a_provider_is_paid_whenever_somebody_claims(
    market: None,
    token: Any,
    controller: Any,
    ledger: Any,
    distributor: Any,
    staking: Any,
    committee_signs: Any,
    neuron: Callable[..., tuple[int, str]],
    stranger: str,
) -> None:
    rewards = RewardMarket(token, controller, ledger, distributor, committee_signs)
    provider, _ = neuron()
    period, immediate_bps = distributor.VESTING_PERIOD(), distributor.IMMEDIATE_BPS()
    twin = Vesting(period, immediate_bps)
    dice = random.Random(1)
    paid, cumulative = 0, 0
    for step in range(10):
        cumulative += dice.randrange(1, 3 * UNIT)
        rewards.close([provider_leaf(provider, cumulative)])
        boa.env.time_travel(seconds=dice.randrange(20 * DAY))
        # the tenth is claimed, so that nothing is left
        if step % 3 != 1:
            with boa.env.prank(stranger):
                paid += rewards.claim(provider_leaf(provider, cumulative))
            twin.claim(cumulative, boa.env.timestamp)
        assert twin.paid == paid
        assert twin.claimed == distributor.claimed(1, provider_leaf(provider, 0).key)
    boa.env.time_travel(seconds=period)
    distributor.release(provider)
    twin.release(boa.env.timestamp)
    assert twin.paid == cumulative
    assert distributor.unvested(provider) == 0


def test_who_delegates_before_a_claim_shares_in_it(
    market: None,
    token: Any,
    controller: Any,
    ledger: Any,
    distributor: Any,
    staking: Any,
    subnets: Any,
    committee_signs: Any,
    neuron: Callable[..., tuple[int, str]],
    delegator: LocalAccount,
    customer: LocalAccount,
) -> None:
    """A limit that docs/incentives.md names: what waits to be claimed is shared with whoever is
    there when it is claimed."""
    rewards = RewardMarket(token, controller, ledger, distributor, committee_signs)
    provider, _ = neuron()

    def _delegate(account: str) -> None:
        token.transfer(account, STAKE)
        with boa.env.prank(account):
            token.approve(staking, STAKE)
            staking.delegate(provider, STAKE, 0)

    _delegate(delegator.address)
    rewards.close([provider_leaf(provider, 40 * UNIT)])
    _delegate(customer.address)
    rewards.claim(provider_leaf(provider, 40 * UNIT))
    epoch = subnets.current_epoch()
    early, late = (
        staking.stake_at(provider, account.address, epoch) for account in (delegator, customer)
    )
    assert late > STAKE
    assert abs(early - late) <= 1
