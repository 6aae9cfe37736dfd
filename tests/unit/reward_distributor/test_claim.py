"""Claims: who is paid, how much, and what no root can do."""

from collections.abc import Callable
from typing import Any

import boa
import pytest
from eth_account.signers.local import LocalAccount

from oracle.domain.leaves import Leaf, LeafKind, provider_key
from tests.unit.conftest import DAY, UNIT
from tests.unit.reward_market import (
    ACCOUNT,
    PROVIDER,
    RewardMarket,
    account_leaf,
    logged,
    provider_leaf,
)


def held(rewards: RewardMarket) -> tuple[int, ...]:
    """What a refused claim must leave alone."""
    distributor = rewards.distributor
    return (
        rewards.token.balanceOf(distributor),
        rewards.token.totalSupply(),
        distributor.reserved(),
        distributor.adopted_total(),
    )


# --- accounts -----------------------------------------------------------------------------


def test_an_account_is_paid_all_at_once_whoever_calls(
    rewards: RewardMarket, oracles: list[LocalAccount], stranger: str
):
    oracle = oracles[0].address
    leaf = account_leaf(oracle, 7 * UNIT)
    rewards.close([leaf, account_leaf(oracles[1], 5 * UNIT)])
    before = rewards.token.balanceOf(oracle)
    with boa.env.prank(stranger):
        assert rewards.claim(leaf) == 7 * UNIT
    (event,) = logged(rewards.distributor, "Claimed")
    assert (event.kind, event.key, event.paid, event.vesting, event.cumulative) == (
        ACCOUNT,
        leaf.key,
        7 * UNIT,
        0,
        7 * UNIT,
    )
    assert rewards.token.balanceOf(oracle) == before + 7 * UNIT
    assert rewards.token.balanceOf(stranger) == 0
    assert rewards.distributor.claimed(ACCOUNT, leaf.key) == 7 * UNIT
    assert rewards.distributor.open_to_claims() == 5 * UNIT


def test_the_first_claim_adopts_the_active_root(rewards: RewardMarket, oracles: list[LocalAccount]):
    first, second = account_leaf(oracles[0], 7), account_leaf(oracles[1], 5)
    rewards.close([first, second])
    assert rewards.distributor.adopted_total() == 0
    rewards.claim(first)
    (event,) = logged(rewards.distributor, "RootAdopted")
    assert (event.root, event.total) == (rewards.tree.root, 12)
    assert rewards.distributor.adopted_total() == 12
    rewards.claim(second)
    assert logged(rewards.distributor, "RootAdopted") == []
    assert rewards.distributor.open_to_claims() == 0


def test_a_later_epoch_pays_the_difference(rewards: RewardMarket, oracles: list[LocalAccount]):
    oracle = oracles[0]
    rewards.close([account_leaf(oracle, 7)])
    assert rewards.claim(account_leaf(oracle, 7)) == 7
    rewards.close([account_leaf(oracle, 10)])
    assert rewards.claim(account_leaf(oracle, 10)) == 3


def test_epochs_that_nobody_claimed_are_paid_by_one_claim(
    rewards: RewardMarket, oracles: list[LocalAccount]
):
    for cumulative in (3, 8, 20):
        rewards.close([account_leaf(oracles[0], cumulative)])
    assert rewards.claim(account_leaf(oracles[0], 20)) == 20


def test_a_claim_is_not_paid_twice(rewards: RewardMarket, oracles: list[LocalAccount]):
    leaf = account_leaf(oracles[0], 7)
    rewards.close([leaf, account_leaf(oracles[1], 5)])
    rewards.claim(leaf)
    before = held(rewards)
    with boa.reverts("reward_distributor: nothing to claim"):
        rewards.claim(leaf)
    assert held(rewards) == before


def test_a_leaf_of_nothing(rewards: RewardMarket, oracles: list[LocalAccount]):
    leaf = account_leaf(oracles[0], 0)
    rewards.close([leaf])
    before = held(rewards)
    with boa.reverts("reward_distributor: nothing to claim"):
        rewards.claim(leaf)
    assert held(rewards) == before


def test_one_base_unit(rewards: RewardMarket, oracles: list[LocalAccount]):
    rewards.close([account_leaf(oracles[0], 1)])
    assert rewards.claim(account_leaf(oracles[0], 1)) == 1


def test_a_whole_budget(rewards: RewardMarket, oracles: list[LocalAccount]):
    last = rewards.end_epochs()
    leaf = account_leaf(oracles[0], rewards.controller.cumulative_budget(last))
    rewards.post([leaf])
    rewards.activate()
    assert rewards.claim(leaf) == leaf.value
    assert rewards.token.balanceOf(rewards.distributor) == 0


# --- proofs -------------------------------------------------------------------------------


def test_before_any_report(rewards: RewardMarket, oracles: list[LocalAccount]):
    rewards.end_epochs()
    before = held(rewards)
    with boa.reverts("reward_distributor: not in the active root"):
        rewards.claim(account_leaf(oracles[0], 7), proof=[])
    assert held(rewards) == before


def test_a_report_pays_only_once_it_is_active(rewards: RewardMarket, oracles: list[LocalAccount]):
    leaf = account_leaf(oracles[0], 7)
    rewards.end_epochs()
    rewards.post([leaf])
    before = held(rewards)
    with boa.reverts("reward_distributor: not in the active root"):
        rewards.claim(leaf)
    assert held(rewards) == before
    rewards.activate()
    assert rewards.claim(leaf) == 7


def test_a_disabled_report_never_pays(
    rewards: RewardMarket, oracles: list[LocalAccount], guardian: str
):
    leaf = account_leaf(oracles[0], 7)
    rewards.end_epochs()
    report = rewards.post([leaf])
    with boa.env.prank(guardian):
        rewards.ledger.disable([tuple(getattr(report, f) for f in report.__slots__)], "wrong")
    rewards.activate()
    with boa.reverts("reward_distributor: not in the active root"):
        rewards.claim(leaf)
    assert rewards.distributor.claimed(ACCOUNT, leaf.key) == 0


def test_a_proof_against_the_report_before_it_works_until_the_next_is_adopted(
    rewards: RewardMarket, oracles: list[LocalAccount]
):
    early, late = account_leaf(oracles[0], 7), account_leaf(oracles[1], 5)
    rewards.close([early, late])
    old = [rewards.tree.proof(rewards.hash(leaf)) for leaf in (early, late)]
    rewards.claim(early)
    rewards.close([early, account_leaf(oracles[1], 9)])
    assert rewards.claim(late, proof=old[1]) == 5
    assert rewards.claim(account_leaf(oracles[1], 9)) == 4
    with boa.reverts("reward_distributor: not in the active root"):
        rewards.claim(late, proof=old[1])


@pytest.mark.parametrize("change", ["kind", "key", "value", "proof", "shorter", "longer"])
def test_anything_else_than_the_leaf_is_refused(
    rewards: RewardMarket, oracles: list[LocalAccount], change: str
):
    leaf = account_leaf(oracles[0], 7)
    rewards.close([leaf, *(account_leaf(oracle, 5) for oracle in oracles[1:5])])
    proof = rewards.tree.proof(rewards.hash(leaf))
    claims = {
        "kind": (Leaf(PROVIDER, leaf.key, 7), proof),
        "key": (account_leaf(oracles[1], 7), proof),
        "value": (account_leaf(oracles[0], 8), proof),
        "proof": (leaf, [proof[-1], *proof[1:]]),
        "shorter": (leaf, proof[:-1]),
        "longer": (leaf, [*proof, rewards.tree.root]),
    }
    before = held(rewards)
    with boa.reverts("reward_distributor: not in the active root"):
        rewards.claim(*claims[change])
    assert held(rewards) == before
    assert rewards.claim(leaf) == 7


def test_a_leaf_of_no_known_kind(rewards: RewardMarket):
    leaf = Leaf(LeafKind.USAGE, provider_key(1), 7)
    rewards.close([leaf])
    before = held(rewards)
    with boa.reverts("reward_distributor: unknown kind"):
        rewards.claim(leaf)
    assert held(rewards) == before
    assert rewards.distributor.claimed(3, leaf.key) == 0


@pytest.mark.parametrize("kind", [PROVIDER, ACCOUNT])
def test_a_key_that_names_nobody(rewards: RewardMarket, kind: LeafKind):
    leaf = Leaf(kind, b"\1" + bytes(31), 7)
    rewards.close([leaf])
    before = held(rewards)
    with boa.reverts():
        rewards.claim(leaf)
    assert held(rewards) == before


def test_the_contract_and_the_oracle_hash_a_leaf_alike(
    rewards: RewardMarket, oracles: list[LocalAccount]
):
    for leaf in (account_leaf(oracles[0], 2**256 - 1), provider_leaf(2**24 - 1, 0)):
        assert rewards.distributor.leaf(leaf.kind, leaf.key, leaf.value) == rewards.hash(leaf)


def test_every_leaf_of_a_tree_is_claimed(rewards: RewardMarket):
    accounts = [str(boa.env.generate_address()) for _ in range(21)]
    leaves = [account_leaf(account, 10 + i) for i, account in enumerate(accounts)]
    rewards.close(leaves)
    assert {len(rewards.tree.proof(i)) for i in range(21)} == {4, 5}
    for i, leaf in enumerate(leaves):
        assert rewards.claim(leaf) == 10 + i
    assert rewards.distributor.open_to_claims() == 0


# --- no root pays more than it declared -----------------------------------------------------


def test_leaves_beyond_the_declared_total_are_not_paid(
    rewards: RewardMarket, oracles: list[LocalAccount]
):
    first, second = account_leaf(oracles[0], 70), account_leaf(oracles[1], 50)
    rewards.close([first, second], total=100)
    # budgets whose report is not active yet are here too, and stay out of reach
    rewards.end_epochs(2)
    assert rewards.claim(first) == 70
    before = held(rewards)
    with boa.reverts("reward_distributor: over the declared total"):
        rewards.claim(second)
    assert held(rewards) == before
    # a corrected report makes the claim good
    rewards.post([first, second])
    rewards.activate()
    rewards.distributor.adopt()
    assert rewards.claim(second) == 50


def test_a_root_of_lies_cannot_touch_what_vests(
    rewards: RewardMarket, provider: int, oracles: list[LocalAccount]
):
    rewards.close([provider_leaf(provider, 1_000)])
    rewards.claim(provider_leaf(provider, 1_000))
    lie = account_leaf(oracles[0], 10**30)
    rewards.close([provider_leaf(provider, 1_000), lie], total=1_000)
    before = held(rewards)
    with boa.reverts("reward_distributor: over the declared total"):
        rewards.claim(lie)
    assert held(rewards) == before
    assert rewards.distributor.unvested(provider) + rewards.distributor.releasable(provider) == 750


# --- providers ----------------------------------------------------------------------------


def test_a_provider_gets_a_quarter_at_once_and_the_rest_vests(
    rewards: RewardMarket, provider: int, payout: str, stranger: str
):
    leaf = provider_leaf(provider, 1_001)
    rewards.close([leaf])
    with boa.env.prank(stranger):
        assert rewards.claim(leaf) == 250  # a quarter, rounded down
    (event,) = logged(rewards.distributor, "Claimed")
    assert (event.kind, event.key) == (PROVIDER, leaf.key)
    assert (event.paid, event.vesting, event.cumulative) == (250, 751, 1_001)
    # without delegators all of it is the provider's
    assert rewards.token.balanceOf(payout) == 250
    assert rewards.token.balanceOf(stranger) == 0
    assert rewards.distributor.unvested(provider) == 751
    assert rewards.distributor.releasable(provider) == 0
    assert rewards.distributor.claimed(PROVIDER, leaf.key) == 1_001
    assert rewards.distributor.vesting_end(provider) == boa.env.evm.patch.timestamp + 180 * DAY
    assert rewards.token.balanceOf(rewards.distributor) >= rewards.distributor.reserved() >= 751


def test_delegators_share_it(
    rewards: RewardMarket, provider: int, staking: Any, token: Any, payout: str, deployer: str
):
    token.approve(staking, 100 * UNIT)
    staking.delegate(provider, 100 * UNIT, 0)
    rewards.close([provider_leaf(provider, 4 * UNIT)])
    rewards.claim(provider_leaf(provider, 4 * UNIT))
    # one token at once: a tenth is the provider's commission
    assert token.balanceOf(payout) == UNIT // 10
    assert staking.delegation_pool(provider)[0] == 100 * UNIT + UNIT * 9 // 10


def test_a_claim_passes_on_what_has_vested(rewards: RewardMarket, provider: int, payout: str):
    rewards.close([provider_leaf(provider, 4_000)])
    rewards.claim(provider_leaf(provider, 4_000))
    boa.env.time_travel(seconds=90 * DAY)
    rewards.close([provider_leaf(provider, 8_000)])
    # half of 3 000 has vested, and two hours' worth of it
    paid = rewards.claim(provider_leaf(provider, 8_000))
    assert paid == 1_000 + 1_500 + 3_000 * 2 // (180 * 24)
    assert rewards.token.balanceOf(payout) == 1_000 + paid
    assert rewards.distributor.unvested(provider) == 8_000 - 1_000 - paid


def test_ends_merge_by_amount(rewards: RewardMarket, provider: int):
    rewards.close([provider_leaf(provider, 4_000)])
    rewards.claim(provider_leaf(provider, 4_000))
    first_end = rewards.distributor.vesting_end(provider)
    boa.env.time_travel(seconds=90 * DAY)
    rewards.close([provider_leaf(provider, 8_000)])
    waiting = rewards.distributor.unvested(provider)
    rewards.claim(provider_leaf(provider, 8_000))
    second_end = boa.env.evm.patch.timestamp + 180 * DAY
    weighted = waiting * first_end + 3_000 * second_end
    assert rewards.distributor.vesting_end(provider) == -(-weighted // (waiting + 3_000))


def test_a_reward_too_small_to_split_vests_whole(rewards: RewardMarket, provider: int, payout: str):
    rewards.close([provider_leaf(provider, 3)])
    assert rewards.claim(provider_leaf(provider, 3)) == 0
    assert rewards.token.balanceOf(payout) == 0
    assert rewards.distributor.unvested(provider) == 3
    boa.env.time_travel(seconds=180 * DAY)
    assert rewards.distributor.release(provider) == 3


def test_a_jailed_providers_claim_waits_and_loses_nothing(
    rewards: RewardMarket, provider: int, jail: Callable[[int, int], None], payout: str
):
    rewards.close([provider_leaf(provider, 1_000)])
    jail(provider, boa.env.evm.patch.timestamp + DAY)
    before = held(rewards)
    with boa.reverts("reward_distributor: provider is jailed"):
        rewards.claim(provider_leaf(provider, 1_000))
    assert held(rewards) == before
    assert rewards.distributor.claimed(PROVIDER, provider_key(provider)) == 0
    boa.env.time_travel(seconds=DAY)
    rewards.close([provider_leaf(provider, 1_400)])
    assert rewards.claim(provider_leaf(provider, 1_400)) == 350
    assert rewards.token.balanceOf(payout) == 350


def test_a_provider_jailed_for_ever_is_never_paid(
    rewards: RewardMarket, provider: int, jail: Callable[[int, int], None]
):
    rewards.close([provider_leaf(provider, 1_000)])
    jail(provider, 2**64 - 1)
    before = held(rewards)
    boa.env.time_travel(seconds=2**35)
    with boa.reverts("reward_distributor: provider is jailed"):
        rewards.claim(provider_leaf(provider, 1_000))
    assert held(rewards) == before


def test_a_provider_nobody_registered(rewards: RewardMarket):
    leaf = provider_leaf(77, 1_000)
    rewards.close([leaf])
    before = held(rewards)
    with boa.reverts("provider_registry: unknown provider"):
        rewards.claim(leaf)
    assert held(rewards) == before


def test_one_failing_claim_does_not_block_another(
    rewards: RewardMarket, provider: int, oracles: list[LocalAccount]
):
    good = account_leaf(oracles[0], 5)
    rewards.close([provider_leaf(77, 1_000), good, provider_leaf(provider, 100)])
    with boa.reverts("provider_registry: unknown provider"):
        rewards.claim(provider_leaf(77, 1_000))
    assert rewards.claim(good) == 5
    assert rewards.claim(provider_leaf(provider, 100)) == 25
