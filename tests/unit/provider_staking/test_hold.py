"""ProviderStaking.hold and drop: what open cases keep from leaving."""

import boa
import pytest

UNIT = 10**18
HELD = "provider_staking: stake is held by a case"


@pytest.fixture
def leaving(staking, provider, owner, alice):
    """Self-bond 1 000, of it 300 unbonding; delegation 500, of it 200 unbonding; all matured."""
    staking.delegate(provider, 500 * UNIT, 0, sender=alice)
    staking.unbond(provider, 300 * UNIT, sender=owner)
    staking.undelegate(provider, 200 * UNIT, sender=alice)
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())
    return provider


def test_what_exceeds_the_cases_is_paid(staking, leaving, owner, alice, slasher, refused, solvent):
    staking.hold(leaving, 1_100 * UNIT, sender=slasher)
    assert staking.held_by_cases(leaving) == (1_100 * UNIT, 0)
    assert staking.withdraw(leaving, 32, sender=owner) == 300 * UNIT
    # 1 200 are left: 200 less would be too few
    with refused(HELD):
        staking.withdraw_delegation(leaving, 32, sender=alice)
    staking.drop(leaving, 100 * UNIT, sender=slasher)
    assert staking.withdraw_delegation(leaving, 32, sender=alice) == 200 * UNIT
    assert solvent()


def test_owner_is_held_as_delegators_are(staking, leaving, owner, slasher, refused):
    staking.hold(leaving, 1_200 * UNIT + 1, sender=slasher)
    with refused(HELD):
        staking.withdraw(leaving, 32, sender=owner)
    staking.drop(leaving, 1, sender=slasher)
    assert staking.withdraw(leaving, 32, sender=owner) == 300 * UNIT


def test_cases_add_up_and_end_one_by_one(staking, leaving, owner, slasher, refused):
    for tokens in (700 * UNIT, 600 * UNIT):
        staking.hold(leaving, tokens, sender=slasher)
    assert staking.held_by_cases(leaving)[0] == 1_300 * UNIT
    with refused(HELD):
        staking.withdraw(leaving, 32, sender=owner)
    staking.drop(leaving, 700 * UNIT, sender=slasher)
    staking.withdraw(leaving, 32, sender=owner)
    staking.drop(leaving, 600 * UNIT, sender=slasher)
    assert staking.held_by_cases(leaving)[0] == 0


def test_more_than_there_is_holds_everything(staking, leaving, owner, alice, slasher, refused):
    staking.hold(leaving, 2**96 - 1, sender=slasher)
    with refused(HELD):
        staking.withdraw(leaving, 1, sender=owner)
    with refused(HELD):
        staking.withdraw_delegation(leaving, 1, sender=alice)
    with refused("staking_words: too much held"):
        staking.hold(leaving, 1, sender=slasher)


def test_everything_else_goes_on(staking, provider, owner, alice, bob, slasher, slash, locker):
    staking.hold(provider, 2**90, sender=slasher)
    staking.stake(provider, UNIT, sender=bob)
    staking.delegate(provider, 10 * UNIT, 0, sender=alice)
    staking.undelegate(provider, 5 * UNIT, sender=alice)
    staking.cancel_undelegation(provider, 0, 0, sender=alice)
    staking.unbond(provider, UNIT, sender=owner)
    staking.cancel_unbonding(provider, 0, sender=owner)
    staking.lock(provider, UNIT, sender=locker)
    staking.seize(provider, UNIT, bob, sender=locker)
    assert slash(provider, 10 * UNIT) == 10 * UNIT


def test_leaving_is_noted_only_while_a_case_is_open(staking, provider, owner, slasher):
    staking.unbond(provider, UNIT, sender=owner)
    assert staking.held_by_cases(provider) == (0, 0)
    staking.hold(provider, UNIT, sender=slasher)
    assert staking.held_by_cases(provider) == (UNIT, 0)
    boa.env.time_travel(seconds=100)
    now = boa.env.evm.patch.timestamp
    staking.unbond(provider, UNIT, sender=owner)
    assert staking.held_by_cases(provider) == (UNIT, now)
    boa.env.time_travel(seconds=100)
    # a request that is put back was made all the same
    staking.cancel_unbonding(provider, 1, sender=owner)
    staking.drop(provider, UNIT, sender=slasher)
    assert staking.held_by_cases(provider) == (0, now)
    staking.unbond(provider, UNIT, sender=owner)
    assert staking.held_by_cases(provider) == (0, now)


def test_one_provider_is_not_held_for_another(providers, staking, leaving, owner, payout, slasher):
    other = providers.register("0x" + "00" * 20, payout, 0, 0, 0, "", sender=owner)
    staking.hold(other, 10**6 * UNIT, sender=slasher)
    assert staking.withdraw(leaving, 32, sender=owner) == 300 * UNIT


def test_dropping_more_than_is_held_reverts(staking, provider, slasher, refused):
    with refused("provider_staking: more than cases hold"):
        staking.drop(provider, 1, sender=slasher)
    staking.hold(provider, 5, sender=slasher)
    with refused("provider_staking: more than cases hold"):
        staking.drop(provider, 6, sender=slasher)
    staking.drop(provider, 0, sender=slasher)
    assert staking.held_by_cases(provider) == (5, 0)


def test_only_the_slasher(staking, provider, owner, locker, slasher, deployer, refused):
    for caller in (owner, locker, deployer):
        with refused("roles: caller lacks the role"):
            staking.hold(provider, 1, sender=caller)
        with refused("roles: caller lacks the role"):
            staking.drop(provider, 0, sender=caller)
