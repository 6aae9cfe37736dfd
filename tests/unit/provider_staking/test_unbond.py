"""ProviderStaking.unbond: what may leave the self-bond, and when."""

import boa
import pytest

UNIT = 10**18
DAY = 86_400


def test_unbonding_leaves_active_and_stays_slashable(staking, provider, owner, solvent):
    ready_at = boa.env.evm.patch.timestamp + staking.UNBONDING_PERIOD()
    staking.unbond(provider, 300 * UNIT, sender=owner)
    (entry,) = staking.get_logs()
    assert (entry.provider, entry.tokens, entry.ready_at) == (provider, 300 * UNIT, ready_at)
    assert staking.self_bond(provider) == (700 * UNIT, 300 * UNIT, 0, 0)
    assert staking.unbondings(provider) == [(300 * UNIT, ready_at)]
    assert staking.slashable(provider) == 1_000 * UNIT
    assert solvent()


def test_down_to_the_minimum_or_all_of_it(staking, provider, owner, refused):
    with refused("provider_staking: remaining self-bond below minimum"):
        staking.unbond(provider, 900 * UNIT + 1, sender=owner)
    with refused("provider_staking: remaining self-bond below minimum"):
        staking.unbond(provider, 1_000 * UNIT - 1, sender=owner)
    staking.unbond(provider, 900 * UNIT, sender=owner)
    staking.unbond(provider, 100 * UNIT, sender=owner)
    assert staking.self_bond(provider).active == 0


@pytest.mark.parametrize("tokens", [1_000 * UNIT + 1, 2**256 - 1])
def test_more_than_the_self_bond_reverts(staking, provider, owner, tokens, refused):
    with refused("provider_staking: more than the self-bond"):
        staking.unbond(provider, tokens, sender=owner)


@pytest.mark.parametrize("tokens", [0, 1, 10**9 - 1])
def test_dust_reverts_and_opens_no_request(staking, provider, owner, tokens, refused):
    with refused("share_pool: amount too small"):
        staking.unbond(provider, tokens, sender=owner)


def test_smallest_amount_that_unbonds(staking, provider, owner):
    staking.unbond(provider, 10**9, sender=owner)
    assert staking.self_bond(provider).unbonding == 10**9


def test_only_the_owner_unbonds(staking, provider, operator, payout, alice, refused):
    for caller in (operator.address, payout, alice):
        with refused("provider_staking: caller is not the provider's owner"):
            staking.unbond(provider, 1 * UNIT, sender=caller)


def test_locked_self_bond_stays(staking, provider, owner, locker, refused):
    staking.lock(provider, 600 * UNIT, sender=locker)
    with refused("provider_staking: self-bond is locked"):
        staking.unbond(provider, 400 * UNIT + 1, sender=owner)
    staking.unbond(provider, 400 * UNIT, sender=owner)
    assert staking.free_self_bond(provider) == 0


def test_32_requests_fit_and_the_33rd_reverts(staking, provider, owner, refused):
    for _ in range(32):
        staking.unbond(provider, 1 * UNIT, sender=owner)
    assert len(staking.unbondings(provider)) == 32
    with refused("provider_staking: too many open requests"):
        staking.unbond(provider, 1 * UNIT, sender=owner)


def test_requests_of_the_owner_and_of_delegators_do_not_share_entries(
    staking, provider, owner, alice
):
    staking.delegate(provider, 100 * UNIT, 0, sender=owner)
    for _ in range(32):
        staking.unbond(provider, 1 * UNIT, sender=owner)
    staking.undelegate(provider, 1 * UNIT, sender=owner)
    staking.delegate(provider, 100 * UNIT, 0, sender=alice)
    staking.undelegate(provider, 2 * UNIT, sender=alice)
    assert len(staking.unbondings(provider)) == 32
    assert [r.tokens for r in staking.undelegations(provider, owner)] == [1 * UNIT]
    assert [r.tokens for r in staking.undelegations(provider, alice)] == [2 * UNIT]


def test_new_request_after_a_slash_does_not_share_it(staking, provider, owner, slash):
    staking.unbond(provider, 100 * UNIT, sender=owner)
    slash(provider, 500 * UNIT)
    staking.unbond(provider, 100 * UNIT, sender=owner)
    assert [r.tokens for r in staking.unbondings(provider)] == [50 * UNIT, 100 * UNIT]


def test_jailed_provider_can_leave(staking, provider, owner, slasher):
    staking.jail(provider, 2**64 - 1, sender=slasher)
    staking.unbond(provider, 1_000 * UNIT, sender=owner)
    assert staking.self_bond(provider) == (0, 1_000 * UNIT, 0, 0)
