"""The worked numbers of the specification, to the last unit."""

from typing import Any

import boa

UNIT = 10**18
DAY = 86_400


def mature(staking: Any) -> None:
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())


def test_slash_scales_self_bond_and_its_requests(
    token, staking, provider, owner, payout, reporter, slash, refused, solvent
):
    # self 1000, of it 100 + 100 unbonding
    staking.unbond(provider, 100 * UNIT, sender=owner)
    staking.unbond(provider, 100 * UNIT, sender=owner)
    supply = token.totalSupply()

    assert slash(provider, 200 * UNIT, reporter=reporter, reporter_amount=50 * UNIT) == 200 * UNIT

    assert staking.slashable(provider) == 800 * UNIT
    assert [r.tokens for r in staking.unbondings(provider)] == [80 * UNIT, 80 * UNIT]
    assert token.balanceOf(reporter) == 50 * UNIT
    assert supply - token.totalSupply() == 150 * UNIT
    assert solvent()
    # the provider signed 50 %
    with refused("provider_staking: reporter cut over the signed share"):
        slash(provider, 100 * UNIT, reporter=reporter, reporter_amount=51 * UNIT)

    mature(staking)
    assert staking.withdraw(provider, 1, sender=owner) == 80 * UNIT
    assert staking.withdraw(provider, 1, sender=owner) == 80 * UNIT
    assert token.balanceOf(payout) == 160 * UNIT
    assert staking.self_bond(provider).active == 640 * UNIT


def test_self_bond_loses_before_the_pool(token, staking, registered, owner, alice, slash, solvent):
    staking.stake(registered, 800 * UNIT, sender=owner)
    staking.delegate(registered, 1_500 * UNIT, 0, sender=alice)
    staking.undelegate(registered, 100 * UNIT, sender=alice)

    assert slash(registered, 1_000 * UNIT) == 1_000 * UNIT

    assert staking.self_bond(registered).active == 0
    pool = staking.delegation_pool(registered)
    assert pool.tokens + pool.unbonding == 1_300 * UNIT
    # 86.666..., rounded down; the odd unit is the pool's
    assert pool.unbonding == 86_666_666_666_666_666_666
    assert pool.tokens == 1_213_333_333_333_333_333_334
    assert solvent()

    mature(staking)
    had = token.balanceOf(alice)
    assert staking.withdraw_delegation(registered, 32, sender=alice) == 86_666_666_666_666_666_666
    assert token.balanceOf(alice) - had == 86_666_666_666_666_666_666


def test_wiped_pool_owes_nothing_and_can_be_refilled(
    staking, provider, owner, alice, bob, slash, refused, solvent
):
    staking.delegate(provider, 300 * UNIT, 0, sender=alice)
    shares = staking.delegate(provider, 100 * UNIT, 0, sender=bob)
    staking.undelegate(provider, shares, sender=bob)
    mature(staking)

    assert slash(provider, staking.slashable(provider)) == 1_400 * UNIT

    assert staking.delegation(provider, alice) == (0, 0)
    assert staking.undelegations(provider, bob) == []
    with refused("provider_staking: provider lacks self-bond"):
        staking.delegate(provider, 150 * UNIT, 0, sender=alice)
    with refused("provider_staking: more shares than held"):
        staking.undelegate(provider, 1, sender=alice)
    with refused("provider_staking: nothing to withdraw"):
        staking.withdraw_delegation(provider, 32, sender=bob)

    # refill: the provider puts first-loss stake in again, alice 150
    staking.stake(provider, 100 * UNIT, sender=owner)
    staking.delegate(provider, 150 * UNIT, 0, sender=alice)
    assert staking.delegation(provider, alice) == (150 * UNIT, 150 * UNIT)
    assert staking.delegation(provider, bob) == (0, 0)
    assert staking.undelegations(provider, bob) == []
    with refused("provider_staking: nothing to withdraw"):
        staking.withdraw_delegation(provider, 32, sender=bob)
    assert solvent()


def test_twelve_cycles_leave_no_empty_entries(staking, provider, owner):
    for _ in range(12):
        staking.unbond(provider, 10 * UNIT, sender=owner)
        mature(staking)
        assert staking.withdraw(provider, 32, sender=owner) == 10 * UNIT
    assert staking.unbondings(provider) == []

    first_ready = boa.env.evm.patch.timestamp + staking.UNBONDING_PERIOD()
    staking.unbond(provider, 20 * UNIT, sender=owner)
    boa.env.time_travel(seconds=4 * DAY)
    second_ready = boa.env.evm.patch.timestamp + staking.UNBONDING_PERIOD()
    staking.unbond(provider, 30 * UNIT, sender=owner)

    assert second_ready - first_ready == 4 * DAY
    assert [(r.tokens, r.ready_at) for r in staking.unbondings(provider)] == [
        (20 * UNIT, first_ready),
        (30 * UNIT, second_ready),
    ]
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD() - 4 * DAY)
    assert staking.withdraw(provider, 32, sender=owner) == 20 * UNIT
    assert [(r.tokens, r.ready_at) for r in staking.unbondings(provider)] == [
        (30 * UNIT, second_ready)
    ]


def test_matured_and_unmatured_share_a_slash(
    staking, registered, owner, alice, slash, refused, solvent
):
    staking.stake(registered, 100 * UNIT, sender=owner)
    staking.delegate(registered, 100 * UNIT, 0, sender=alice)
    staking.unbond(registered, 100 * UNIT, sender=owner)
    staking.undelegate(registered, 30 * UNIT, sender=alice)
    boa.env.time_travel(seconds=DAY)
    staking.undelegate(registered, 70 * UNIT, sender=alice)
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD() - DAY)
    staking.withdraw(registered, 32, sender=owner)
    assert staking.slashable(registered) == 100 * UNIT

    assert slash(registered, 70 * UNIT) == 70 * UNIT

    assert staking.withdraw_delegation(registered, 32, sender=alice) == 9 * UNIT
    with refused("provider_staking: nothing to withdraw"):
        staking.withdraw_delegation(registered, 32, sender=alice)
    boa.env.time_travel(seconds=DAY)
    assert staking.withdraw_delegation(registered, 32, sender=alice) == 21 * UNIT
    assert staking.slashable(registered) == 0
    assert solvent()
