"""ProviderStaking.delegate: tokens in, shares out."""

import boa
import pytest

UNIT = 10**18
EMISSION = 1


def test_first_delegator_gets_a_share_per_token(token, staking, provider, alice, solvent):
    had = token.balanceOf(alice)
    assert staking.delegate(provider, 100 * UNIT, 100 * UNIT, sender=alice) == 100 * UNIT
    (entry,) = (log for log in staking.get_logs() if type(log).__name__ == "Delegated")
    assert (entry.provider, entry.delegator) == (provider, alice)
    assert (entry.tokens, entry.shares) == (100 * UNIT, 100 * UNIT)
    assert staking.delegation(provider, alice) == (100 * UNIT, 100 * UNIT)
    assert staking.delegation_pool(provider) == (100 * UNIT, 100 * UNIT, 0)
    assert had - token.balanceOf(alice) == 100 * UNIT
    assert solvent()


def test_later_delegator_pays_the_risen_price(staking, provider, deployer, alice, bob, solvent):
    staking.delegate(provider, 100 * UNIT, 0, sender=alice)
    # 10 % commission: 50 of 55.555... reach the pool
    staking.add_rewards(provider, 50 * UNIT * 10 // 9, EMISSION, sender=deployer)
    price = staking.delegation_pool(provider).tokens / (100 * UNIT)
    assert price == pytest.approx(1.5)
    shares = staking.delegate(provider, 30 * UNIT, 0, sender=bob)
    assert shares == 30 * UNIT * 100 * UNIT // staking.delegation(provider, alice)[1]
    assert 30 * UNIT - staking.delegation(provider, bob)[1] in (0, 1, 2)
    assert solvent()


def test_later_delegator_pays_the_fallen_price(staking, provider, alice, bob, slash):
    staking.delegate(provider, 100 * UNIT, 0, sender=alice)
    slash(provider, 1_050 * UNIT)
    staking.stake(provider, 100 * UNIT, sender=alice)
    assert staking.delegate(provider, 50 * UNIT, 0, sender=bob) == 100 * UNIT
    assert staking.delegation(provider, alice) == staking.delegation(provider, bob)


def test_adding_adds(staking, provider, alice):
    staking.delegate(provider, 5 * UNIT, 0, sender=alice)
    staking.delegate(provider, 7 * UNIT, 0, sender=alice)
    assert staking.delegation(provider, alice) == (12 * UNIT, 12 * UNIT)


def test_exactly_the_minimum_and_one_less(staking, provider, alice, refused):
    with refused("provider_staking: delegation below minimum"):
        staking.delegate(provider, staking.MIN_DELEGATION() - 1, 0, sender=alice)
    with refused("provider_staking: delegation below minimum"):
        staking.delegate(provider, 0, 0, sender=alice)
    staking.delegate(provider, staking.MIN_DELEGATION(), 0, sender=alice)


def test_fewer_shares_than_expected_reverts(staking, provider, deployer, alice, bob, refused):
    staking.delegate(provider, 100 * UNIT, 0, sender=alice)
    staking.add_rewards(provider, 1, EMISSION, sender=deployer)
    with refused("provider_staking: fewer shares than expected"):
        staking.delegate(provider, 10 * UNIT, 10 * UNIT, sender=bob)


def test_provider_without_first_loss_stake_gets_no_delegation(
    staking, registered, owner, alice, refused
):
    with refused("provider_staking: provider lacks self-bond"):
        staking.delegate(registered, 10 * UNIT, 0, sender=alice)
    staking.stake(registered, 100 * UNIT, sender=owner)
    staking.delegate(registered, 10 * UNIT, 0, sender=alice)
    staking.unbond(registered, 100 * UNIT, sender=owner)
    with refused("provider_staking: provider lacks self-bond"):
        staking.delegate(registered, 10 * UNIT, 0, sender=alice)


def test_unknown_provider_reverts(staking, provider, alice, refused):
    with refused("provider_staking: provider lacks self-bond"):
        staking.delegate(provider + 1, 10 * UNIT, 0, sender=alice)


def test_more_than_the_payer_has_reverts(token, staking, provider, alice, refused):
    with refused("erc20: transfer amount exceeds balance"):
        staking.delegate(provider, token.balanceOf(alice) + 1, 0, sender=alice)


def test_more_than_a_word_holds_reverts(staking, provider, alice, refused):
    with refused("staking_words: too many tokens"):
        staking.delegate(provider, 2**96, 0, sender=alice)


def test_pools_of_two_providers_are_apart(
    providers, staking, provider, owner, payout, alice, slash
):
    other = providers.register("0x" + "00" * 20, payout, 0, 0, 0, "", sender=owner)
    staking.stake(other, 100 * UNIT, sender=owner)
    staking.delegate(provider, 10 * UNIT, 0, sender=alice)
    staking.delegate(other, 20 * UNIT, 0, sender=alice)
    slash(provider, 1_010 * UNIT)
    assert staking.delegation(provider, alice) == (0, 0)
    assert staking.delegation(other, alice) == (20 * UNIT, 20 * UNIT)


def test_old_requests_survive_a_new_delegation(staking, provider, alice):
    staking.delegate(provider, 10 * UNIT, 0, sender=alice)
    staking.undelegate(provider, 4 * UNIT, sender=alice)
    before = staking.undelegations(provider, alice)
    boa.env.time_travel(seconds=1_000)
    staking.delegate(provider, 10 * UNIT, 0, sender=alice)
    assert staking.undelegations(provider, alice) == before
