"""What vests is paid as it vests, whoever asks however often."""

from collections.abc import Callable
from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.conftest import DAY, role
from tests.unit.reward_market import RewardMarket, account_leaf, logged, provider_leaf

VESTING = 180 * DAY


def test_half_the_time_half_the_reward(
    rewards: RewardMarket, provider: int, payout: str, stranger: str
):
    rewards.close([provider_leaf(provider, 4_000)])
    rewards.claim(provider_leaf(provider, 4_000))
    boa.env.time_travel(seconds=VESTING // 2)
    assert rewards.distributor.releasable(provider) == 1_500
    with boa.env.prank(stranger):
        assert rewards.distributor.release(provider) == 1_500
    (event,) = logged(rewards.distributor, "VestingReleased")
    assert (event.provider, event.amount) == (provider, 1_500)
    assert rewards.token.balanceOf(payout) == 1_000 + 1_500
    assert rewards.distributor.unvested(provider) == 1_500
    assert rewards.distributor.releasable(provider) == 0


def test_everything_at_the_end_and_nothing_after(rewards: RewardMarket, provider: int):
    rewards.close([provider_leaf(provider, 4_001)])
    rewards.claim(provider_leaf(provider, 4_001))
    boa.env.time_travel(seconds=VESTING - 1)
    assert rewards.distributor.unvested(provider) == 1
    boa.env.time_travel(seconds=1)
    assert rewards.distributor.release(provider) == 3_001
    boa.env.time_travel(seconds=VESTING)
    with boa.reverts("reward_distributor: nothing vested"):
        rewards.distributor.release(provider)
    assert rewards.distributor.claimed(1, provider.to_bytes(32, "big")) == 4_001


def test_nothing_has_vested_yet(rewards: RewardMarket, provider: int):
    rewards.close([provider_leaf(provider, 4_000)])
    rewards.claim(provider_leaf(provider, 4_000))
    before = rewards.token.balanceOf(rewards.distributor)
    with boa.reverts("reward_distributor: nothing vested"):
        rewards.distributor.release(provider)
    assert rewards.token.balanceOf(rewards.distributor) == before
    assert rewards.distributor.unvested(provider) == 3_000


def test_a_provider_that_never_claimed(rewards: RewardMarket, provider: int):
    with boa.reverts("reward_distributor: nothing vested"):
        rewards.distributor.release(provider)
    assert rewards.distributor.unvested(provider) == 0
    assert rewards.distributor.vesting_end(provider) == boa.env.evm.patch.timestamp


def test_what_has_vested_is_paid_in_jail_too(
    rewards: RewardMarket, provider: int, jail: Callable[[int, int], None], payout: str
):
    rewards.close([provider_leaf(provider, 4_000)])
    rewards.claim(provider_leaf(provider, 4_000))
    boa.env.time_travel(seconds=VESTING // 2)
    jail(provider, boa.env.evm.patch.timestamp + DAY)
    assert rewards.distributor.release(provider) == 1_500
    assert rewards.token.balanceOf(payout) == 2_500


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20
)
@given(st.lists(st.integers(1, VESTING // 3), max_size=8), st.integers(10**6, 10**24))
def test_a_third_party_moves_nobodys_line(
    rewards: RewardMarket, provider: int, payout: str, waits: list[int], cumulative: int
):
    """However often somebody releases: the end stays, and what has come is on the line."""
    with boa.env.anchor():
        # more than one epoch's budget: let enough of them pass
        leaf = provider_leaf(provider, min(cumulative, budget_after(rewards, 5)))
        rewards.post([leaf])
        rewards.activate()
        rewards.claim(leaf)
        start, vests = boa.env.evm.patch.timestamp, leaf.value - leaf.value // 4
        end = rewards.distributor.vesting_end(provider)
        came = releases = 0
        for wait in waits:
            boa.env.time_travel(seconds=wait)
            if rewards.distributor.releasable(provider):
                came += rewards.distributor.release(provider)
                releases += 1
            now = boa.env.evm.patch.timestamp
            line = vests if now >= end else vests * (now - start) // VESTING
            assert line - releases <= came <= line
            if now < end:
                assert rewards.distributor.vesting_end(provider) == end
        boa.env.time_travel(seconds=VESTING)
        if came < vests:
            came += rewards.distributor.release(provider)
        assert came == vests
        assert rewards.token.balanceOf(payout) == leaf.value


def budget_after(rewards: RewardMarket, epochs: int) -> int:
    last = rewards.end_epochs(epochs)
    return int(rewards.controller.cumulative_budget(last))


def test_amounts_at_the_bound_do_not_spill(rewards: RewardMarket, provider: int, payout: str):
    """All that 64 epochs grant, claimed by one provider, in all fields of its word."""
    total = budget_after(rewards, 64)
    rewards.post([provider_leaf(provider, total)])
    rewards.activate()
    rewards.claim(provider_leaf(provider, total))
    boa.env.time_travel(seconds=VESTING // 2)
    rewards.distributor.release(provider)
    assert rewards.distributor.claimed(1, provider.to_bytes(32, "big")) == total
    waiting: Any = rewards.distributor.unvested(provider)
    assert rewards.token.balanceOf(payout) + waiting == total


def test_a_release_leaves_everybody_elses_claims_whole(
    rewards: RewardMarket, provider: int, stranger: str
):
    """What is paid out is no longer reserved: or the next claims would lack it."""
    rewards.close([provider_leaf(provider, 4_000)])
    rewards.claim(provider_leaf(provider, 4_000))
    rewards.close([provider_leaf(provider, 4_000), account_leaf(stranger, 4_000)])
    boa.env.time_travel(seconds=VESTING)
    assert rewards.distributor.release(provider) == 3_000
    assert rewards.claim(account_leaf(stranger, 4_000)) == 4_000
    assert rewards.distributor.open_to_claims() == 0


@pytest.mark.parametrize(("due", "at_once"), [(1, 0), (3, 0), (4, 1), (5, 1)])
def test_single_base_units(
    rewards: RewardMarket, provider: int, payout: str, due: int, at_once: int
):
    rewards.close([provider_leaf(provider, due)])
    assert rewards.claim(provider_leaf(provider, due)) == at_once
    assert rewards.token.balanceOf(payout) == at_once
    boa.env.time_travel(seconds=VESTING)
    assert rewards.distributor.release(provider) == due - at_once
    assert rewards.token.balanceOf(payout) == due


def test_two_lines_end_at_their_mean_rounded_up(rewards: RewardMarket, provider: int):
    """2 000 base units that end in 120 days and 7 281 that end in 180: amounts whose mean is just
    above a second, where rounding down would show."""
    rewards.close([provider_leaf(provider, 4_000)])
    rewards.claim(provider_leaf(provider, 4_000))
    start = boa.env.evm.patch.timestamp
    rewards.close([provider_leaf(provider, 13_708)])
    boa.env.time_travel(seconds=start + VESTING // 3 - boa.env.evm.patch.timestamp)
    rewards.claim(provider_leaf(provider, 13_708))
    weighted, total = 2_000 * 2 * VESTING // 3 + 7_281 * VESTING, 9_281
    assert weighted % total == 1
    now = boa.env.evm.patch.timestamp
    assert rewards.distributor.vesting_end(provider) == now + weighted // total + 1


def test_roles_are_applied_only_when_scheduled(rewards: RewardMarket, court_account: str):
    distributor = rewards.distributor
    with boa.reverts("roles: nothing scheduled"):
        distributor.apply_role(role("COURT"))
    assert distributor.role_holder(role("COURT")) == court_account
