"""ProviderStaking.stake: anyone adds to a self-bond, nobody touches it by doing so."""

import boa
import pytest

UNIT = 10**18


def test_stake_becomes_self_bond(token, staking, registered, owner, solvent):
    had = token.balanceOf(owner)
    staking.stake(registered, 1_000 * UNIT, sender=owner)
    (entry,) = (e for e in staking.get_logs() if type(e).__name__ == "Staked")
    assert (entry.provider, entry.payer, entry.tokens) == (registered, owner, 1_000 * UNIT)
    assert staking.self_bond(registered) == (1_000 * UNIT, 0, 0, 0)
    assert had - token.balanceOf(owner) == 1_000 * UNIT
    assert solvent()


def test_exactly_the_minimum_counts_and_one_less_reverts(staking, registered, owner, refused):
    with refused("provider_staking: self-bond below minimum"):
        staking.stake(registered, staking.MIN_SELF_BOND() - 1, sender=owner)
    staking.stake(registered, staking.MIN_SELF_BOND(), sender=owner)
    assert staking.free_self_bond(registered) == staking.MIN_SELF_BOND()


@pytest.mark.parametrize("tokens", [1, 10 * UNIT])
def test_any_amount_adds_to_a_whole_self_bond(staking, provider, owner, tokens):
    staking.stake(provider, tokens, sender=owner)
    assert staking.self_bond(provider).active == 1_000 * UNIT + tokens


def test_third_party_only_adds(providers, staking, provider, owner, alice, locker, refused):
    """Livepeer: funding someone else's stake reset the owner's unlock timer."""
    staking.unbond(provider, 100 * UNIT, sender=owner)
    (before,) = staking.unbondings(provider)
    boa.env.time_travel(seconds=1_000)
    staking.stake(provider, 5 * UNIT, sender=alice)
    assert staking.unbondings(provider) == [before]
    assert providers.provider_info(provider).owner == owner
    assert staking.self_bond(provider) == (905 * UNIT, 100 * UNIT, 0, 0)
    assert staking.delegation(provider, alice) == (0, 0)
    with refused("provider_staking: caller is not the provider's owner"):
        staking.unbond(provider, 5 * UNIT, sender=alice)


def test_slashed_bond_must_be_made_whole(staking, provider, owner, slash, refused):
    slash(provider, 950 * UNIT)
    with refused("provider_staking: self-bond below minimum"):
        staking.stake(provider, 50 * UNIT - 1, sender=owner)
    staking.stake(provider, 50 * UNIT, sender=owner)
    assert staking.self_bond(provider).active == 100 * UNIT


def test_nothing_reverts(staking, provider, owner, refused):
    with refused("provider_staking: nothing to stake"):
        staking.stake(provider, 0, sender=owner)


@pytest.mark.parametrize("unknown", [0, 2, 2**24 - 1])
def test_unknown_provider_reverts(staking, provider, owner, unknown, refused):
    with refused("provider_staking: unknown provider"):
        staking.stake(unknown, 1_000 * UNIT, sender=owner)


def test_provider_that_signed_no_reporter_cut_can_stake(providers, staking, owner, payout):
    """Its word of self-bond is zero before the first stake."""
    provider = providers.register("0x" + "00" * 20, payout, 0, 0, 0, "", sender=owner)
    staking.stake(provider, 100 * UNIT, sender=owner)
    assert staking.self_bond(provider).active == 100 * UNIT


def test_more_than_the_payer_has_reverts(token, staking, provider, owner, refused):
    with refused("erc20: transfer amount exceeds balance"):
        staking.stake(provider, token.balanceOf(owner) + 1, sender=owner)


def test_more_than_a_word_holds_reverts(staking, provider, owner, refused):
    with refused("staking_words: too much self-bond"):
        staking.stake(provider, 2**96 - 1_000 * UNIT, sender=owner)
