"""ProviderStaking.withdraw: matured self-bond goes to the payout address."""

import boa
import pytest

UNIT = 10**18
DAY = 86_400


def test_nothing_before_the_period_is_over(staking, provider, owner, refused):
    staking.unbond(provider, 100 * UNIT, sender=owner)
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD() - 1)
    with refused("provider_staking: nothing to withdraw"):
        staking.withdraw(provider, 32, sender=owner)


def test_all_of_it_from_the_second_it_is_over(token, staking, provider, owner, payout, solvent):
    staking.unbond(provider, 100 * UNIT, sender=owner)
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())
    assert staking.withdraw(provider, 32, sender=owner) == 100 * UNIT
    entry = staking.get_logs()[-1]
    assert (entry.provider, entry.receiver, entry.tokens) == (provider, payout, 100 * UNIT)
    assert token.balanceOf(payout) == 100 * UNIT
    assert staking.self_bond(provider) == (900 * UNIT, 0, 0, 0)
    assert solvent()


def test_without_requests_reverts(staking, provider, owner, refused):
    with refused("provider_staking: nothing to withdraw"):
        staking.withdraw(provider, 32, sender=owner)


def test_zero_requests_reverts(staking, provider, owner, refused):
    staking.unbond(provider, 100 * UNIT, sender=owner)
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())
    with refused("provider_staking: nothing to withdraw"):
        staking.withdraw(provider, 0, sender=owner)


@pytest.mark.parametrize("max_requests", [1, 2, 3])
def test_no_more_requests_than_asked_for(staking, provider, owner, max_requests):
    for _ in range(3):
        staking.unbond(provider, 10 * UNIT, sender=owner)
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())
    assert staking.withdraw(provider, max_requests, sender=owner) == max_requests * 10 * UNIT
    assert len(staking.unbondings(provider)) == 3 - max_requests


def test_any_larger_number_means_all(staking, provider, owner):
    for _ in range(32):
        staking.unbond(provider, 1 * UNIT, sender=owner)
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())
    assert staking.withdraw(provider, 2**256 - 1, sender=owner) == 32 * UNIT
    assert staking.unbondings(provider) == []


def test_matured_request_behind_a_younger_one_is_paid(staking, provider, owner):
    """The Graph: a long first request blocked later matured ones."""
    for tokens in (10, 20, 30):
        staking.unbond(provider, tokens * UNIT, sender=owner)
        boa.env.time_travel(seconds=DAY)
    # the last one moves in front of the second
    staking.cancel_unbonding(provider, 0, sender=owner)
    assert [r.tokens for r in staking.unbondings(provider)] == [30 * UNIT, 20 * UNIT]
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD() - 2 * DAY)
    assert staking.withdraw(provider, 1, sender=owner) == 20 * UNIT
    boa.env.time_travel(seconds=DAY)
    assert staking.withdraw(provider, 1, sender=owner) == 30 * UNIT


def test_slashing_strands_no_matured_request(staking, provider, owner, slash):
    """Prime Intellect: slashing skipped matured entries by index and stranded them."""
    staking.unbond(provider, 100 * UNIT, sender=owner)
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())
    staking.unbond(provider, 100 * UNIT, sender=owner)
    slash(provider, 500 * UNIT)
    assert staking.withdraw(provider, 32, sender=owner) == 50 * UNIT
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())
    assert staking.withdraw(provider, 32, sender=owner) == 50 * UNIT


def test_emptied_entries_are_used_again(staking, provider, owner, refused):
    """Prime Intellect: emptied entries stayed and merged later requests into one timer."""
    for _ in range(32):
        staking.unbond(provider, 1 * UNIT, sender=owner)
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())
    staking.withdraw(provider, 20, sender=owner)
    for _ in range(20):
        staking.unbond(provider, 2 * UNIT, sender=owner)
    assert sorted(r.tokens for r in staking.unbondings(provider)) == (
        [1 * UNIT] * 12 + [2 * UNIT] * 20
    )
    with refused("provider_staking: too many open requests"):
        staking.unbond(provider, 2 * UNIT, sender=owner)
    assert staking.withdraw(provider, 32, sender=owner) == 12 * UNIT


def test_only_the_owner_withdraws(staking, provider, owner, operator, payout, alice, refused):
    staking.unbond(provider, 100 * UNIT, sender=owner)
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())
    for caller in (operator.address, payout, alice):
        with refused("provider_staking: caller is not the provider's owner"):
            staking.withdraw(provider, 32, sender=caller)
