"""ProviderStaking.withdraw_delegation: matured requests are paid to the delegator."""

import boa
import pytest

UNIT = 10**18
EMISSION = 1


@pytest.fixture
def leaving(staking, provider, alice, bob):
    """Alice and Bob with 100 each, Alice with 10 + 20 + 30 on their way out, a day apart."""
    staking.delegate(provider, 100 * UNIT, 0, sender=alice)
    staking.delegate(provider, 100 * UNIT, 0, sender=bob)
    for shares in (10, 20, 30):
        staking.undelegate(provider, shares * UNIT, sender=alice)
        boa.env.time_travel(seconds=86_400)
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD() - 3 * 86_400)
    return provider


def test_matured_requests_only(token, staking, leaving, alice, refused, solvent):
    had = token.balanceOf(alice)
    assert staking.withdraw_delegation(leaving, 32, sender=alice) == 10 * UNIT
    entry = staking.get_logs()[-1]
    assert (entry.provider, entry.delegator, entry.tokens) == (leaving, alice, 10 * UNIT)
    assert token.balanceOf(alice) - had == 10 * UNIT
    with refused("provider_staking: nothing to withdraw"):
        staking.withdraw_delegation(leaving, 32, sender=alice)
    boa.env.time_travel(seconds=2 * 86_400)
    assert staking.withdraw_delegation(leaving, 32, sender=alice) == 50 * UNIT
    assert staking.undelegations(leaving, alice) == []
    assert staking.delegation(leaving, alice) == (40 * UNIT, 40 * UNIT)
    assert solvent()


def test_no_more_requests_than_asked_for(staking, leaving, alice, refused):
    boa.env.time_travel(seconds=2 * 86_400)
    with refused("provider_staking: nothing to withdraw"):
        staking.withdraw_delegation(leaving, 0, sender=alice)
    assert staking.withdraw_delegation(leaving, 2, sender=alice) == 50 * UNIT
    assert staking.withdraw_delegation(leaving, 2, sender=alice) == 10 * UNIT


def test_nothing_for_whoever_has_no_request(staking, leaving, owner, bob, refused):
    for caller in (owner, bob):
        with refused("provider_staking: nothing to withdraw"):
            staking.withdraw_delegation(leaving, 32, sender=caller)


def test_another_leaver_does_not_move_it(staking, leaving, alice, bob):
    before = staking.undelegations(leaving, alice)
    staking.undelegate(leaving, 100 * UNIT, sender=bob)
    assert staking.undelegations(leaving, alice) == before
    assert staking.withdraw_delegation(leaving, 32, sender=alice) == 10 * UNIT


def test_last_one_out_takes_the_dust(token, staking, provider, alice, bob, slash):
    staking.delegate(provider, 3 * UNIT, 0, sender=alice)
    staking.delegate(provider, 3 * UNIT, 0, sender=bob)
    staking.undelegate(provider, 3 * UNIT, sender=alice)
    staking.undelegate(provider, 3 * UNIT, sender=bob)
    # leaves an odd number of units for two equal requests
    slash(provider, 1_000 * UNIT + 1)
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())
    assert staking.withdraw_delegation(provider, 1, sender=alice) == 3 * UNIT - 1
    assert staking.withdraw_delegation(provider, 1, sender=bob) == 3 * UNIT
    assert token.balanceOf(staking) == 0


def test_requests_wiped_out_alone_leave_the_pool(
    staking, provider, deployer, alice, bob, slash, refused
):
    """A slash leaves less than a billionth of what unbonds, and more of the pool."""
    staking.delegate(provider, 1_000 * UNIT, 0, sender=alice)
    staking.delegate(provider, 1_000 * UNIT, 0, sender=bob)
    staking.undelegate(provider, 10**9, sender=alice)
    # doubles the price of the shares that stayed
    staking.add_rewards(provider, 20_000 * UNIT // 9, EMISSION, sender=deployer)
    slash(provider, staking.slashable(provider) - 3 * 10**12)

    assert staking.undelegations(provider, alice) == []
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())
    with refused("provider_staking: nothing to withdraw"):
        staking.withdraw_delegation(provider, 32, sender=alice)
    assert staking.delegation(provider, bob) == (1_000 * UNIT, 3 * 10**12 // 2)
    # the next request starts with a clean slate
    staking.undelegate(provider, 1_000 * UNIT, sender=bob)
    staking.undelegate(provider, 1_000 * UNIT - 10**9, sender=alice)
    assert len(staking.undelegations(provider, alice)) == 1
    assert staking.slashable(provider) == 3 * 10**12
