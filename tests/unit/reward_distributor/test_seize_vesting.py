"""The court burns what has not vested, and nothing else."""

import boa
import pytest

from tests.unit.conftest import DAY, ROLE_DELAY, role
from tests.unit.reward_market import RewardMarket, logged, provider_leaf

VESTING = 180 * DAY


@pytest.fixture
def vesting(rewards: RewardMarket, provider: int) -> RewardMarket:
    """The provider claimed 4 000: 1 000 at once, 3 000 vest."""
    rewards.close([provider_leaf(provider, 4_000)])
    rewards.claim(provider_leaf(provider, 4_000))
    return rewards


def test_everything_unvested_is_burnt(vesting: RewardMarket, provider: int, court_account: str):
    supply = vesting.token.totalSupply()
    reserved = vesting.distributor.reserved()
    with boa.env.prank(court_account):
        assert vesting.distributor.seize_vesting(provider) == 3_000
    (event,) = logged(vesting.distributor, "VestingSeized")
    assert (event.provider, event.amount) == (provider, 3_000)
    assert vesting.token.totalSupply() == supply - 3_000
    assert vesting.distributor.reserved() == reserved - 3_000
    assert vesting.distributor.unvested(provider) == 0
    # what was paid before is not paid again
    with boa.reverts("reward_distributor: nothing to claim"):
        vesting.claim(provider_leaf(provider, 4_000))


def test_what_has_vested_stays_the_providers(
    vesting: RewardMarket, provider: int, court_account: str, payout: str
):
    boa.env.time_travel(seconds=VESTING // 3)
    with boa.env.prank(court_account):
        assert vesting.distributor.seize_vesting(provider) == 2_000
    assert vesting.distributor.releasable(provider) == 1_000
    assert vesting.distributor.release(provider) == 1_000
    assert vesting.token.balanceOf(payout) == 2_000


def test_later_rewards_vest_from_then_on(
    vesting: RewardMarket, provider: int, court_account: str, payout: str
):
    boa.env.time_travel(seconds=VESTING // 3)
    with boa.env.prank(court_account):
        vesting.distributor.seize_vesting(provider)
    vesting.close([provider_leaf(provider, 8_000)])
    # a quarter of 4 000 at once, and the 1 000 that had vested
    assert vesting.claim(provider_leaf(provider, 8_000)) == 2_000
    assert vesting.distributor.unvested(provider) == 3_000
    assert vesting.distributor.vesting_end(provider) == boa.env.evm.patch.timestamp + VESTING


@pytest.mark.parametrize("again", [False, True])
def test_nothing_to_take_is_no_failure(
    rewards: RewardMarket, provider: int, court_account: str, again: bool
):
    if again:
        rewards.close([provider_leaf(provider, 4_000)])
        rewards.claim(provider_leaf(provider, 4_000))
        with boa.env.prank(court_account):
            rewards.distributor.seize_vesting(provider)
    supply = rewards.token.totalSupply()
    with boa.env.prank(court_account):
        assert rewards.distributor.seize_vesting(provider) == 0
    assert logged(rewards.distributor, "VestingSeized") == []
    assert rewards.token.totalSupply() == supply


def test_only_the_court(vesting: RewardMarket, provider: int, stranger: str, deployer: str):
    supply = vesting.token.totalSupply()
    for caller in (stranger, deployer):
        with boa.env.prank(caller), boa.reverts("roles: caller lacks the role"):
            vesting.distributor.seize_vesting(provider)
    assert vesting.token.totalSupply() == supply
    assert vesting.distributor.unvested(provider) == 3_000


def test_a_new_court_waits_for_its_delay(
    vesting: RewardMarket, provider: int, stranger: str, court_account: str
):
    vesting.distributor.set_role(role("COURT"), stranger)
    with boa.reverts("roles: change not ready"):
        vesting.distributor.apply_role(role("COURT"))
    boa.env.time_travel(seconds=ROLE_DELAY)
    vesting.distributor.apply_role(role("COURT"))
    with boa.env.prank(court_account), boa.reverts("roles: caller lacks the role"):
        vesting.distributor.seize_vesting(provider)
    with boa.env.prank(stranger):
        assert vesting.distributor.seize_vesting(provider) > 0
