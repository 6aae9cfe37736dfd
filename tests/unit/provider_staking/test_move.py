"""ProviderStaking.move: matured requests go behind another provider without leaving."""

import boa
import pytest

UNIT = 10**18
ZERO = "0x" + "00" * 20


@pytest.fixture
def other(providers, staking, owner, payout):
    """A second provider that takes delegations."""
    provider = providers.register(ZERO, payout, 0, 0, 0, "", sender=owner)
    staking.stake(provider, 100 * UNIT, sender=owner)
    return provider


@pytest.fixture
def leaving(staking, provider, alice):
    """Alice has 10 tokens behind a provider and 30 on their way out, in two requests."""
    staking.delegate(provider, 40 * UNIT, 0, sender=alice)
    staking.undelegate(provider, 10 * UNIT, sender=alice)
    staking.undelegate(provider, 20 * UNIT, sender=alice)
    return provider


def mature(staking):
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())


def test_tokens_go_straight_behind_the_other(token, staking, leaving, other, alice, solvent):
    mature(staking)
    had = token.balanceOf(alice)
    assert staking.move(leaving, other, 32, 30 * UNIT, sender=alice) == 30 * UNIT
    moved, delegated = staking.get_logs()
    assert (moved.source, moved.target, moved.delegator, moved.tokens) == (
        leaving,
        other,
        alice,
        30 * UNIT,
    )
    assert (delegated.provider, delegated.tokens) == (other, 30 * UNIT)
    assert token.balanceOf(alice) == had
    assert staking.undelegations(leaving, alice) == []
    assert staking.delegation(leaving, alice) == (10 * UNIT, 10 * UNIT)
    assert staking.delegation(other, alice) == (30 * UNIT, 30 * UNIT)
    assert solvent()


def test_back_to_the_same_provider(staking, leaving, alice, solvent):
    mature(staking)
    staking.move(leaving, leaving, 32, 0, sender=alice)
    assert staking.undelegations(leaving, alice) == []
    assert staking.delegation(leaving, alice) == (40 * UNIT, 40 * UNIT)
    assert solvent()


def test_one_request_at_a_time(staking, leaving, other, alice):
    mature(staking)
    assert staking.move(leaving, other, 1, 0, sender=alice) == 20 * UNIT
    assert [r.tokens for r in staking.undelegations(leaving, alice)] == [10 * UNIT]
    assert staking.move(leaving, other, 1, 0, sender=alice) == 10 * UNIT


def test_nothing_moves_before_it_matures(staking, leaving, other, alice, refused):
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD() - 1)
    with refused("provider_staking: nothing to withdraw"):
        staking.move(leaving, other, 32, 0, sender=alice)
    boa.env.time_travel(seconds=1)
    staking.move(leaving, other, 32, 0, sender=alice)
    with refused("provider_staking: nothing to withdraw"):
        staking.move(leaving, other, 32, 0, sender=alice)


def test_a_slash_before_the_move_is_borne(staking, leaving, other, alice, slash):
    slash(leaving, 1_020 * UNIT)
    mature(staking)
    assert staking.move(leaving, other, 32, 0, sender=alice) == 15 * UNIT
    # and one after it is the other's
    slash(leaving, staking.slashable(leaving))
    assert staking.delegation(other, alice) == (15 * UNIT, 15 * UNIT)


def test_target_needs_self_bond(providers, staking, leaving, owner, payout, alice, refused):
    bare = providers.register(ZERO, payout, 0, 0, 0, "", sender=owner)
    mature(staking)
    with refused("provider_staking: provider lacks self-bond"):
        staking.move(leaving, bare, 32, 0, sender=alice)
    with refused("provider_staking: provider lacks self-bond"):
        staking.move(leaving, bare + 1, 32, 0, sender=alice)


def test_least_delegation_and_slippage_hold(staking, provider, other, alice, refused):
    staking.delegate(provider, 40 * UNIT, 0, sender=alice)
    staking.undelegate(provider, UNIT - 1, sender=alice)
    mature(staking)
    with refused("provider_staking: delegation below minimum"):
        staking.move(provider, other, 32, 0, sender=alice)
    staking.undelegate(provider, 10 * UNIT, sender=alice)
    mature(staking)
    with refused("provider_staking: fewer shares than expected"):
        staking.move(provider, other, 32, 11 * UNIT, sender=alice)


def test_stake_that_a_case_holds_does_not_move(staking, leaving, other, alice, slasher, refused):
    mature(staking)
    staking.hold(leaving, staking.slashable(leaving) - 30 * UNIT + 1, sender=slasher)
    with refused("provider_staking: stake is held by a case"):
        staking.move(leaving, other, 32, 0, sender=alice)
    staking.drop(leaving, 1, sender=slasher)
    assert staking.move(leaving, other, 32, 0, sender=alice) == 30 * UNIT


def test_nobody_moves_for_somebody_else(staking, leaving, other, bob, owner, refused):
    mature(staking)
    for caller in (bob, owner):
        with refused("provider_staking: nothing to withdraw"):
            staking.move(leaving, other, 32, 0, sender=caller)
