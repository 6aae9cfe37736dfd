"""The court takes what has not vested, for a victim and for the fire, and nothing else."""

import boa
import pytest
from eth_account.signers.local import LocalAccount

from tests.unit.conftest import DAY, ROLE_DELAY, role
from tests.unit.reward_market import RewardMarket, logged, provider_leaf

VESTING = 180 * DAY
NOBODY = "0x" + "00" * 20
# everything that has not vested, to nobody
ALL = (2**256 - 1, NOBODY, 0)


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
        assert vesting.distributor.seize_vesting(provider, *ALL) == 3_000
    (event,) = logged(vesting.distributor, "VestingSeized")
    assert (event.provider, event.victim) == (provider, NOBODY)
    assert (event.victim_amount, event.burnt) == (0, 3_000)
    assert vesting.token.totalSupply() == supply - 3_000
    assert vesting.distributor.reserved() == reserved - 3_000
    assert vesting.distributor.unvested(provider) == 0
    # what was paid before is not paid again
    with boa.reverts("reward_distributor: nothing to claim"):
        vesting.claim(provider_leaf(provider, 4_000))


def test_what_has_vested_is_paid_to_the_provider(
    vesting: RewardMarket, provider: int, court_account: str, payout: str
):
    boa.env.time_travel(seconds=VESTING // 3)
    with boa.env.prank(court_account):
        assert vesting.distributor.seize_vesting(provider, *ALL) == 2_000
    (event,) = logged(vesting.distributor, "VestingReleased")
    assert (event.provider, event.amount) == (provider, 1_000)
    assert vesting.token.balanceOf(payout) == 2_000
    assert vesting.distributor.releasable(provider) == 0
    assert vesting.distributor.vesting_end(provider) == boa.env.evm.patch.timestamp


def test_later_rewards_vest_from_then_on(
    vesting: RewardMarket, provider: int, court_account: str, payout: str
):
    boa.env.time_travel(seconds=VESTING // 3)
    with boa.env.prank(court_account):
        vesting.distributor.seize_vesting(provider, *ALL)
    vesting.close([provider_leaf(provider, 8_000)])
    # a quarter of 4 000 at once; the 1 000 that had vested were paid before
    assert vesting.claim(provider_leaf(provider, 8_000)) == 1_000
    assert vesting.distributor.unvested(provider) == 3_000
    assert vesting.distributor.vesting_end(provider) == boa.env.evm.patch.timestamp + VESTING


@pytest.mark.parametrize(
    ("amount", "victim_amount", "paid", "burnt"),
    [
        (1, 0, 0, 1),
        (1, 1, 1, 0),
        (1, 2, 1, 0),
        (500, 200, 200, 300),
        (2_000, 2_000, 2_000, 0),
        (2_000, 2**256 - 1, 2_000, 0),
        (2_001, 700, 700, 1_300),
        (2**256 - 1, 2**256 - 1, 2_000, 0),
    ],
)
def test_the_victim_first_and_the_rest_vests_on(
    vesting: RewardMarket, provider: int, court_account: str, payout: str, customer: LocalAccount,
    amount: int, victim_amount: int, paid: int, burnt: int,
):  # fmt: skip
    boa.env.time_travel(seconds=VESTING // 3)
    distributor, end = vesting.distributor, vesting.distributor.vesting_end(provider)
    supply, reserved = vesting.token.totalSupply(), distributor.reserved()
    with boa.env.prank(court_account):
        seized = distributor.seize_vesting(provider, amount, customer.address, victim_amount)
    (event,) = logged(distributor, "VestingSeized")
    assert (event.victim, event.victim_amount, event.burnt) == (customer.address, paid, burnt)
    assert seized == paid + burnt
    assert vesting.token.balanceOf(customer.address) == paid
    assert vesting.token.totalSupply() == supply - burnt
    # 1 000 had vested and went to the provider
    assert vesting.token.balanceOf(payout) == 2_000
    assert distributor.reserved() == reserved - 1_000 - seized
    left = 2_000 - seized
    assert distributor.unvested(provider) == left
    if left:
        assert distributor.vesting_end(provider) == end
    boa.env.time_travel(seconds=VESTING)
    assert distributor.releasable(provider) == left


def test_taking_nothing_changes_nothing(
    vesting: RewardMarket, provider: int, court_account: str, payout: str
):
    boa.env.time_travel(seconds=VESTING // 3)
    with boa.env.prank(court_account):
        assert vesting.distributor.seize_vesting(provider, 0, NOBODY, 5) == 0
    assert vesting.distributor.releasable(provider) == 1_000
    assert vesting.token.balanceOf(payout) == 1_000


@pytest.mark.parametrize("again", [False, True])
def test_nothing_to_take_is_no_failure(
    rewards: RewardMarket, provider: int, court_account: str, again: bool
):
    if again:
        rewards.close([provider_leaf(provider, 4_000)])
        rewards.claim(provider_leaf(provider, 4_000))
        with boa.env.prank(court_account):
            rewards.distributor.seize_vesting(provider, *ALL)
    supply = rewards.token.totalSupply()
    with boa.env.prank(court_account):
        assert rewards.distributor.seize_vesting(provider, *ALL) == 0
    assert logged(rewards.distributor, "VestingSeized") == []
    assert rewards.token.totalSupply() == supply


def test_only_the_court(vesting: RewardMarket, provider: int, stranger: str, deployer: str):
    supply = vesting.token.totalSupply()
    for caller in (stranger, deployer):
        with boa.env.prank(caller), boa.reverts("roles: caller lacks the role"):
            vesting.distributor.seize_vesting(provider, *ALL)
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
        vesting.distributor.seize_vesting(provider, *ALL)
    with boa.env.prank(stranger):
        assert vesting.distributor.seize_vesting(provider, *ALL) > 0


def test_a_single_base_unit_that_has_vested_is_paid(
    rewards: RewardMarket, provider: int, court_account: str, payout: str
):
    rewards.close([provider_leaf(provider, 4)])
    rewards.claim(provider_leaf(provider, 4))
    boa.env.time_travel(seconds=VESTING // 3)
    assert rewards.distributor.releasable(provider) == 1
    with boa.env.prank(court_account):
        assert rewards.distributor.seize_vesting(provider, *ALL) == 2
    assert rewards.token.balanceOf(payout) == 2
    assert rewards.distributor.reserved() == rewards.token.balanceOf(rewards.distributor)
