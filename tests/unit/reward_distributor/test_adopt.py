"""Taking over the active root without a claim."""

import boa
from eth_account.signers.local import LocalAccount

from tests.unit.reward_market import RewardMarket, account_leaf, logged


def test_anyone_adopts_and_the_next_claim_does_not(
    rewards: RewardMarket, oracles: list[LocalAccount], stranger: str
):
    leaf = account_leaf(oracles[0], 30)
    rewards.close([leaf])
    with boa.env.prank(stranger):
        rewards.distributor.adopt()
    (event,) = logged(rewards.distributor, "RootAdopted")
    assert (event.root, event.total) == (rewards.tree.root, 30)
    assert rewards.distributor.adopted_total() == rewards.distributor.open_to_claims() == 30
    assert rewards.claim(leaf) == 30
    assert logged(rewards.distributor, "RootAdopted") == []


def test_a_report_that_waits_is_not_adopted(rewards: RewardMarket, oracles: list[LocalAccount]):
    rewards.end_epochs()
    rewards.post([account_leaf(oracles[0], 30)])
    rewards.distributor.adopt()
    assert rewards.distributor.adopted_total() == rewards.distributor.open_to_claims() == 0


def test_adopting_again_changes_nothing(rewards: RewardMarket, oracles: list[LocalAccount]):
    rewards.close([account_leaf(oracles[0], 30)])
    rewards.distributor.adopt()
    before = rewards.distributor.reserved(), rewards.distributor.open_to_claims()
    rewards.distributor.adopt()
    assert (rewards.distributor.reserved(), rewards.distributor.open_to_claims()) == before
