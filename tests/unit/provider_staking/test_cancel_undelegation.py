"""ProviderStaking.cancel_undelegation: a request goes back into the pool."""

import boa
import pytest

UNIT = 10**18
EMISSION = 1


@pytest.fixture
def leaving(staking, provider, alice):
    """Alice with 100 shares, 10 + 20 + 30 of them on their way out."""
    staking.delegate(provider, 100 * UNIT, 0, sender=alice)
    for shares in (10, 20, 30):
        staking.undelegate(provider, shares * UNIT, sender=alice)
        boa.env.time_travel(seconds=86_400)
    return provider


def test_request_becomes_shares_again(staking, leaving, alice, solvent):
    assert staking.cancel_undelegation(leaving, 1, 20 * UNIT, sender=alice) == 20 * UNIT
    (entry,) = staking.get_logs()
    assert (entry.provider, entry.delegator) == (leaving, alice)
    assert (entry.tokens, entry.shares) == (20 * UNIT, 20 * UNIT)
    assert staking.delegation(leaving, alice) == (60 * UNIT, 60 * UNIT)
    assert [r.tokens for r in staking.undelegations(leaving, alice)] == [10 * UNIT, 30 * UNIT]
    assert solvent()


def test_shares_cost_what_they_cost_now(staking, leaving, deployer, alice, refused):
    staking.add_rewards(leaving, 400 * UNIT // 9, EMISSION, sender=deployer)
    assert staking.delegation(leaving, alice)[1] == 80 * UNIT
    with refused("provider_staking: fewer shares than expected"):
        staking.cancel_undelegation(leaving, 2, 15 * UNIT + 1, sender=alice)
    assert staking.cancel_undelegation(leaving, 2, 15 * UNIT, sender=alice) == 15 * UNIT


def test_into_an_empty_pool(staking, provider, alice):
    staking.delegate(provider, 100 * UNIT, 0, sender=alice)
    staking.undelegate(provider, 100 * UNIT, sender=alice)
    staking.cancel_undelegation(provider, 0, 100 * UNIT, sender=alice)
    assert staking.delegation(provider, alice) == (100 * UNIT, 100 * UNIT)


def test_slash_is_not_escaped_by_cancelling(staking, leaving, alice, slash):
    slash(leaving, 1_050 * UNIT)
    for _ in range(3):
        staking.cancel_undelegation(leaving, 0, 0, sender=alice)
    assert staking.delegation(leaving, alice)[1] == 50 * UNIT
    assert staking.delegation_pool(leaving).unbonding == 0


@pytest.mark.parametrize("index", [3, 32, 2**256 - 1])
def test_no_such_request_reverts(staking, leaving, alice, index, refused):
    with refused("provider_staking: no such request"):
        staking.cancel_undelegation(leaving, index, 0, sender=alice)


def test_requests_of_others_are_out_of_reach(staking, leaving, owner, bob, refused):
    for caller in (owner, bob):
        with refused("provider_staking: no such request"):
            staking.cancel_undelegation(leaving, 0, 0, sender=caller)


def test_request_that_was_wiped_out_cannot_be_cancelled(staking, leaving, alice, slash, refused):
    """The Graph: views went on to show thaw requests that were void."""
    slash(leaving, 1_100 * UNIT)
    assert staking.undelegations(leaving, alice) == []
    with refused("provider_staking: no such request"):
        staking.cancel_undelegation(leaving, 0, 0, sender=alice)


def test_request_slashed_to_dust_reverts_but_can_be_withdrawn(
    staking, provider, deployer, alice, slash, refused
):
    staking.delegate(provider, 100 * UNIT, 0, sender=alice)
    staking.undelegate(provider, 2 * 10**9, sender=alice)
    slash(provider, 1_050 * UNIT)
    staking.add_rewards(provider, 60 * UNIT, EMISSION, sender=deployer)
    with refused("share_pool: amount too small"):
        staking.cancel_undelegation(provider, 0, 0, sender=alice)
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())
    assert staking.withdraw_delegation(provider, 1, sender=alice) == 10**9


def test_request_alone_is_a_whole_delegation_or_stays(staking, provider, alice, refused):
    staking.delegate(provider, 10 * UNIT, 0, sender=alice)
    staking.undelegate(provider, 1 * UNIT - 1, sender=alice)
    staking.undelegate(provider, 9 * UNIT + 1, sender=alice)
    with refused("provider_staking: remaining delegation below minimum"):
        staking.cancel_undelegation(provider, 0, 0, sender=alice)
    staking.cancel_undelegation(provider, 1, 0, sender=alice)
    staking.cancel_undelegation(provider, 0, 0, sender=alice)
    assert staking.delegation(provider, alice) == (10 * UNIT, 10 * UNIT)
