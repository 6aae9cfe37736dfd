"""Budgets in, unearned budgets out: the controller's two doors."""

import boa
import pytest
from eth_account.signers.local import LocalAccount

from tests.unit.reward_market import RewardMarket, account_leaf


def test_a_budget_is_reserved_until_its_report_is_adopted(
    rewards: RewardMarket, oracles: list[LocalAccount]
):
    last = rewards.end_epochs()
    budget = rewards.controller.cumulative_budget(last)
    assert rewards.token.balanceOf(rewards.distributor) == budget
    assert rewards.distributor.reserved() == budget
    assert rewards.distributor.open_to_claims() == 0
    rewards.post([account_leaf(oracles[0], 30), account_leaf(oracles[1], 20)])
    rewards.activate()
    rewards.claim(account_leaf(oracles[0], 30))
    assert rewards.distributor.reserved() == budget - 50
    assert rewards.distributor.open_to_claims() == 20


def test_a_budget_that_did_not_come_in(rewards: RewardMarket, controller: object):
    rewards.end_epochs()
    reserved = rewards.distributor.reserved()
    with boa.env.prank(rewards.controller.address):
        with boa.reverts("reward_distributor: budget is not here"):
            rewards.distributor.fund(1)
        with boa.reverts("claim_head: too much to reserve"):
            rewards.distributor.fund(2**96)
    assert rewards.distributor.reserved() == reserved


def test_no_more_goes_back_than_is_reserved(rewards: RewardMarket):
    rewards.end_epochs()
    reserved = rewards.distributor.reserved()
    with (
        boa.env.prank(rewards.controller.address),
        boa.reverts("claim_head: not that much is reserved"),
    ):
        rewards.distributor.give_back(reserved + 1)
    assert rewards.distributor.reserved() == reserved
    assert rewards.token.balanceOf(rewards.distributor) == reserved


@pytest.mark.parametrize("door", ["fund", "give_back"])
def test_only_the_controller(rewards: RewardMarket, stranger: str, deployer: str, door: str):
    rewards.end_epochs()
    before = rewards.distributor.reserved(), rewards.token.balanceOf(rewards.distributor)
    for caller in (stranger, deployer):
        with (
            boa.env.prank(caller),
            boa.reverts("reward_distributor: caller is not the controller"),
        ):
            getattr(rewards.distributor, door)(1)
    after = rewards.distributor.reserved(), rewards.token.balanceOf(rewards.distributor)
    assert after == before


def test_a_gift_is_open_to_claims_but_moves_no_total(
    rewards: RewardMarket, oracles: list[LocalAccount], deployer: str
):
    rewards.close([account_leaf(oracles[0], 30)])
    rewards.token.transfer(rewards.distributor, 5)
    rewards.claim(account_leaf(oracles[0], 30))
    assert rewards.distributor.open_to_claims() == 5
    assert rewards.distributor.adopted_total() == 30
