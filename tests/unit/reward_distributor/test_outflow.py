"""The cap on what claims take per day: they wait, and never lose anything."""

from collections.abc import Callable
from typing import Any

import boa
import pytest
from eth_account.signers.local import LocalAccount
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.domain.leaves import Leaf, account_key, provider_key
from tests.unit.conftest import DAY, HOUR, ROLE_DELAY, UNIT, load
from tests.unit.reward_market import (
    ACCOUNT,
    PROVIDER,
    RewardMarket,
    account_leaf,
    logged,
    provider_leaf,
)

# a day of the initial emission, the least there can be
CAP = 3_600 * UNIT
# what 64 hours emit
BUDGET = 9_600 * UNIT
USED_UP = "reward_distributor: outflow of the day is used up"


@pytest.fixture
def capped(rewards: RewardMarket) -> RewardMarket:
    rewards.distributor.set_outflow_cap(CAP)
    return rewards


@pytest.fixture
def declare(capped: RewardMarket) -> Callable[..., None]:
    """Report these leaves for 64 hours; the first claim adopts the report."""

    def _declare(*leaves: Leaf, total: int | None = None) -> None:
        capped.end_epochs(64)
        capped.post(list(leaves), total)
        capped.activate()

    return _declare


def wait(seconds: int) -> None:
    boa.env.time_travel(seconds=seconds)


def test_a_claim_above_the_cap_is_paid_bit_by_bit(
    capped: RewardMarket, declare: Any, oracles: list[LocalAccount], stranger: str
):
    leaf, account = account_leaf(oracles[0], BUDGET), oracles[0].address
    before = capped.token.balanceOf(account)
    declare(leaf)
    with boa.env.prank(stranger):
        assert capped.claim(leaf) == CAP
    (event,) = logged(capped.distributor, "Claimed")
    assert (event.paid, event.cumulative) == (CAP, CAP)
    assert capped.distributor.claimed(ACCOUNT, account_key(account)) == CAP
    assert capped.distributor.held() == BUDGET - CAP
    assert capped.distributor.open_to_claims() == 0
    with boa.reverts(USED_UP):
        capped.claim(leaf)
    assert capped.distributor.claimed(ACCOUNT, account_key(account)) == CAP
    wait(DAY // 2)
    assert capped.claim(leaf) == CAP // 2
    wait(DAY)
    assert capped.claim(leaf) == CAP
    wait(5 * DAY)
    assert capped.claim(leaf) == BUDGET - 5 * CAP // 2
    assert capped.token.balanceOf(account) - before == BUDGET
    assert capped.distributor.held() == 0
    with boa.reverts("reward_distributor: nothing to claim"):
        capped.claim(leaf)


def test_of_a_providers_claim_a_share_of_the_part_vests(
    capped: RewardMarket, declare: Any, provider: int
):
    leaf = provider_leaf(provider, BUDGET)
    declare(leaf)
    assert capped.claim(leaf) == CAP // 4
    (event,) = logged(capped.distributor, "Claimed")
    assert (event.paid, event.vesting, event.cumulative) == (CAP // 4, CAP * 3 // 4, CAP)
    assert capped.distributor.claimed(PROVIDER, provider_key(provider)) == CAP
    assert capped.distributor.unvested(provider) == CAP * 3 // 4
    assert capped.distributor.reserved() == capped.distributor.unvested(provider) + 150 * UNIT * (
        capped.controller.next_epoch() - 64
    )


def test_what_vests_is_paid_whatever_claims_took(
    capped: RewardMarket, declare: Any, provider: int, oracles: list[LocalAccount]
):
    """It was counted when it was claimed."""
    mine, other = provider_leaf(provider, 1_000 * UNIT), account_leaf(oracles[0], BUDGET // 2)
    declare(mine, other)
    capped.claim(mine)
    wait(90 * DAY)
    # nobody has looked at the cap meanwhile: the first claim counts as made just now
    assert capped.claim(other) == CAP - 1_000 * UNIT
    with boa.reverts(USED_UP):
        capped.claim(other)
    assert capped.distributor.release(provider) == 375 * UNIT


def test_claims_below_the_cap_together_reach_it(
    capped: RewardMarket, declare: Any, oracles: list[LocalAccount]
):
    leaves = [account_leaf(oracle, 1_000 * UNIT) for oracle in oracles]
    declare(*leaves)
    assert [capped.claim(leaf) for leaf in leaves[:4]] == [1_000 * UNIT] * 3 + [600 * UNIT]
    with boa.reverts(USED_UP):
        capped.claim(leaves[4])
    wait(HOUR)
    assert capped.claim(leaves[4]) == CAP // 24
    wait(DAY)
    assert [capped.claim(leaf) for leaf in leaves[3:]] == [
        400 * UNIT, 850 * UNIT, 1_000 * UNIT, 1_000 * UNIT,
    ]  # fmt: skip


def test_a_newer_report_lets_out_what_has_come_free(
    capped: RewardMarket, declare: Any, oracles: list[LocalAccount]
):
    one, other = account_leaf(oracles[0], 3_000 * UNIT), account_leaf(oracles[1], 3_000 * UNIT)
    declare(one, other)
    capped.claim(one)
    assert capped.distributor.open_to_claims() == 600 * UNIT
    wait(DAY // 2)
    # taken counts at the next look, which is now
    declare(one, other)
    capped.distributor.adopt()
    assert capped.distributor.open_to_claims() == 600 * UNIT
    wait(DAY // 2)
    capped.distributor.adopt()
    assert capped.distributor.open_to_claims() == 2_400 * UNIT
    assert capped.distributor.held() == 600 * UNIT


def test_what_a_newer_report_opens_does_not_hide_what_was_taken(
    capped: RewardMarket, declare: Any, oracles: list[LocalAccount]
):
    first, other = account_leaf(oracles[0], 3_000 * UNIT), account_leaf(oracles[1], 5_000 * UNIT)
    declare(first, account_leaf(oracles[1], 500 * UNIT))
    capped.claim(first)
    declare(first, other)
    capped.distributor.adopt()
    assert capped.distributor.open_to_claims() == 600 * UNIT
    assert capped.distributor.held() == 4_400 * UNIT
    assert capped.claim(other) == 600 * UNIT


def test_a_lying_root_ends_at_the_declared_total_all_the_same(
    capped: RewardMarket, declare: Any, oracles: list[LocalAccount]
):
    liar = account_leaf(oracles[0], 2**90)
    declare(liar, total=4_000 * UNIT)
    assert capped.claim(liar) == CAP
    # once nothing is held back it is refused as without a cap
    wait(30 * DAY)
    with boa.reverts("reward_distributor: over the declared total"):
        capped.claim(liar)


def test_a_claim_costs_no_more_gas_under_a_cap(rewards: RewardMarket, oracles: list[LocalAccount]):
    def gas() -> int:
        with boa.env.anchor():
            rewards.claim(account_leaf(oracles[0], 1_000))
            rewards.claim(account_leaf(oracles[1], 1_000))
            return int(rewards.distributor._computation.get_gas_used())

    rewards.close(
        [
            account_leaf(oracles[0], 1_000),
            account_leaf(oracles[1], 1_000),
            account_leaf(oracles[2], 1),
        ]
    )
    without = gas()
    rewards.distributor.set_outflow_cap(CAP)
    assert abs(gas() - without) < 50


# --- changing it ----------------------------------------------------------------------------


def test_the_owner_changes_it_within_bounds(rewards: RewardMarket, stranger: str):
    distributor = rewards.distributor
    assert distributor.outflow_cap() == 0
    for value, reason in [
        (1, "outflow cap below a day of emission"),
        (CAP - 1, "outflow cap below a day of emission"),
        (2**96, "outflow cap out of bounds"),
    ]:
        with boa.reverts(f"reward_distributor: {reason}"):
            distributor.set_outflow_cap(value)
    with boa.reverts("ownable: caller is not the owner"), boa.env.prank(stranger):
        distributor.set_outflow_cap(CAP)
    assert distributor.outflow_cap() == 0
    for previous, value in [(0, CAP), (CAP, 2**96 - 1), (2**96 - 1, 0)]:
        distributor.set_outflow_cap(value)
        (event,) = logged(distributor, "OutflowCapChanged")
        assert (event.previous, event.current) == (previous, value)
        assert distributor.outflow_cap() == value


def test_the_constructor_has_the_same_bounds(
    token: Any, ledger: Any, controller: Any, staking: Any
):
    arguments = (token, ledger, controller, staking, DAY, 0)
    with boa.reverts("reward_distributor: outflow cap below a day of emission"):
        load("RewardDistributor", *arguments, CAP - 1, ROLE_DELAY)
    assert load("RewardDistributor", *arguments, CAP, ROLE_DELAY).outflow_cap() == CAP


@pytest.mark.parametrize("left", [1, BUDGET - CAP])
def test_without_a_cap_all_is_let_out_at_once(
    capped: RewardMarket, declare: Any, oracles: list[LocalAccount], left: int
):
    leaf = account_leaf(oracles[0], CAP + left)
    declare(leaf)
    capped.claim(leaf)
    assert capped.distributor.held() == left
    capped.distributor.set_outflow_cap(0)
    assert capped.distributor.held() == 0
    assert capped.claim(leaf) == left


def test_a_cap_counts_from_when_it_is_set(rewards: RewardMarket, oracles: list[LocalAccount]):
    one, other = account_leaf(oracles[0], 4_000 * UNIT), account_leaf(oracles[1], 4_000 * UNIT)
    rewards.end_epochs(64)
    rewards.post([one, other])
    rewards.activate()
    rewards.claim(one)
    rewards.distributor.set_outflow_cap(CAP)
    assert rewards.distributor.held() == 400 * UNIT
    assert rewards.claim(other) == CAP
    # higher: what was taken still counts
    rewards.distributor.set_outflow_cap(CAP + 100 * UNIT)
    assert rewards.distributor.open_to_claims() == 100 * UNIT
    assert rewards.claim(other) == 100 * UNIT


def test_a_cap_is_raised_by_what_it_is_raised(
    capped: RewardMarket, declare: Any, oracles: list[LocalAccount]
):
    one, other = account_leaf(oracles[0], 1_000 * UNIT), account_leaf(oracles[1], BUDGET // 2)
    declare(one, other)
    capped.claim(one)
    assert capped.distributor.open_to_claims() == CAP - 1_000 * UNIT
    capped.distributor.set_outflow_cap(CAP + 100 * UNIT)
    assert capped.distributor.open_to_claims() == CAP - 900 * UNIT


def test_a_cap_forgets_what_was_taken_under_an_earlier_one(
    capped: RewardMarket, declare: Any, oracles: list[LocalAccount]
):
    """Nobody counted in between, so what was counted before says nothing about the day."""
    one, other = account_leaf(oracles[0], CAP), account_leaf(oracles[1], BUDGET - CAP)
    declare(one, other)
    capped.claim(one)
    with boa.reverts(USED_UP):
        capped.claim(other)
    capped.distributor.set_outflow_cap(0)
    capped.distributor.set_outflow_cap(CAP)
    assert capped.distributor.held() == BUDGET - 2 * CAP
    assert capped.claim(other) == CAP
    with boa.reverts(USED_UP):
        capped.claim(other)


# --- any course of events -------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.integers(0, 3),  # account
        st.integers(0, 2 * DAY),  # seconds until then
        st.sampled_from(["claim", "claim", "claim", "adopt", "report"]),
    ),
    max_size=14,
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15
)
@given(parts=st.lists(st.integers(0, 100), min_size=4, max_size=4), steps=STEPS)
def test_no_day_takes_more_and_nothing_is_lost(
    capped: RewardMarket, declare: Any, oracles: list[LocalAccount], parts: Any, steps: Any
):
    """In any span of time claims take at most the cap and what comes free in the span."""
    with boa.env.anchor():
        whole = max(1, sum(parts))
        leaves = [
            account_leaf(oracle, BUDGET * part // whole)
            for oracle, part in zip(oracles, parts, strict=False)
        ]
        declare(*leaves)
        claimed = [0] * 4
        taken: list[tuple[int, int]] = []

        def claim(account: int) -> None:
            leaf = leaves[account]
            if leaf.value == claimed[account]:
                return
            now = boa.env.evm.patch.timestamp
            try:
                paid = capped.claim(leaf)
            except boa.BoaError as refused:
                if USED_UP not in str(refused):
                    raise
                return
            claimed[account] += paid
            taken.append((now, paid))
            for since, _ in taken:
                span = sum(amount for at, amount in taken if at >= since)
                assert span <= CAP + CAP * (now - since) // DAY

        for account, seconds, what in steps:
            wait(seconds)
            if what == "claim":
                claim(account)
            elif what == "adopt":
                capped.distributor.adopt()
            else:
                capped.end_epochs()
                capped.post(leaves)
                capped.activate()
        for _ in range(6):
            for account in range(4):
                claim(account)
            wait(DAY)
        assert claimed == [leaf.value for leaf in leaves]
        assert capped.distributor.held() == 0
