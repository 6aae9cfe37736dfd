"""ProviderStaking.jail: terms, for ever, and what ends them."""

import boa
import pytest

UNIT = 10**18
FOR_EVER = 2**64 - 1


@pytest.fixture
def now():
    return boa.env.evm.patch.timestamp


def test_term_runs_and_ends(staking, provider, slasher, now):
    assert not staking.is_jailed(provider)
    staking.jail(provider, now + 100, sender=slasher)
    (entry,) = staking.get_logs()
    assert (entry.provider, entry.until) == (provider, now + 100)
    assert staking.jailed_until(provider) == now + 100
    boa.env.time_travel(seconds=99)
    assert staking.is_jailed(provider)
    boa.env.time_travel(seconds=1)
    assert not staking.is_jailed(provider)


@pytest.mark.parametrize("shorter", [0, 1, 99])
def test_longer_term_stays(staking, provider, slasher, now, shorter):
    staking.jail(provider, now + 100, sender=slasher)
    staking.jail(provider, now + shorter, sender=slasher)
    (entry,) = staking.get_logs()
    assert entry.until == now + 100
    assert staking.jailed_until(provider) == now + 100
    staking.jail(provider, now + 101, sender=slasher)
    assert staking.jailed_until(provider) == now + 101


@pytest.mark.parametrize("until", [2**36 - 1, 2**36, FOR_EVER])
def test_for_ever(staking, provider, slasher, until):
    staking.jail(provider, until, sender=slasher)
    assert staking.jailed_until(provider) == FOR_EVER
    boa.env.time_travel(seconds=10**9)
    assert staking.is_jailed(provider)


@pytest.mark.parametrize("shorter", [0, 1, 2**36 - 2])
def test_nothing_ends_for_ever(staking, provider, owner, slasher, locker, refused, shorter):
    staking.jail(provider, FOR_EVER, sender=slasher)
    staking.jail(provider, shorter, sender=slasher)
    staking.stake(provider, 1_000 * UNIT, sender=owner)
    assert staking.jailed_until(provider) == FOR_EVER
    # whatever time it is: it can't take a job, not even one without collateral
    boa.env.time_travel(seconds=2**35)
    assert staking.is_jailed(provider)
    for tokens in (0, 1):
        with refused("provider_staking: provider is jailed"):
            staking.lock(provider, tokens, sender=locker)


def test_everybody_leaves_who_is_jailed_for_ever(
    token, providers, staking, provider, owner, payout, alice, slasher, locker, solvent
):
    staking.delegate(provider, 100 * UNIT, 0, sender=alice)
    staking.lock(provider, 200 * UNIT, sender=locker)
    other = providers.register("0x" + "00" * 20, payout, 0, 0, 0, "", sender=owner)
    staking.stake(other, 100 * UNIT, sender=owner)
    staking.jail(provider, FOR_EVER, sender=slasher)
    # its jobs end as any other's, and what they locked is free after
    staking.release(provider, 200 * UNIT, sender=locker)
    boa.env.time_travel(seconds=2 * staking.LOCK_PERIOD())
    staking.unbond(provider, 1_000 * UNIT, sender=owner)
    staking.undelegate(provider, 40 * UNIT, sender=alice)
    staking.undelegate(provider, 60 * UNIT, sender=alice)
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())
    had = token.balanceOf(payout)
    assert staking.withdraw(provider, 32, sender=owner) == 1_000 * UNIT
    assert token.balanceOf(payout) - had == 1_000 * UNIT
    assert staking.withdraw_delegation(provider, 1, sender=alice) == 60 * UNIT
    assert staking.move(provider, other, 32, 0, sender=alice) == 40 * UNIT
    assert staking.slashable(provider) == 0
    assert solvent()


def test_last_term_that_ends(staking, provider, slasher):
    staking.jail(provider, 2**36 - 2, sender=slasher)
    assert staking.jailed_until(provider) == 2**36 - 2


def test_term_in_the_past_jails_nobody(staking, provider, slasher, now):
    staking.jail(provider, now - 1, sender=slasher)
    assert not staking.is_jailed(provider)


def test_over_term_goes_on_until_the_self_bond_is_whole(
    staking, provider, owner, slasher, slash, now
):
    slash(provider, 950 * UNIT)
    staking.jail(provider, now + 100, sender=slasher)
    boa.env.time_travel(seconds=100)
    assert staking.is_jailed(provider)
    staking.stake(provider, 50 * UNIT, sender=owner)
    assert not staking.is_jailed(provider)


def test_small_self_bond_alone_is_no_jail(staking, provider, slash):
    slash(provider, 950 * UNIT)
    assert not staking.is_jailed(provider)


def test_stake_and_terms_are_untouched(staking, provider, owner, slasher, locker, now):
    staking.unbond(provider, 100 * UNIT, sender=owner)
    staking.lock(provider, 200 * UNIT, sender=locker)
    before = staking.self_bond(provider), staking.unbondings(provider)
    staking.jail(provider, FOR_EVER, sender=slasher)
    assert (staking.self_bond(provider), staking.unbondings(provider)) == before


def test_only_the_slasher(staking, provider, owner, locker, slasher, deployer, refused):
    for caller in (owner, locker, deployer):
        with refused("roles: caller lacks the role"):
            staking.jail(provider, FOR_EVER, sender=caller)
