"""ProviderStaking.undelegate: shares in, a request out."""

import boa
import pytest

UNIT = 10**18
EMISSION = 1


@pytest.fixture
def delegated(staking, provider, alice):
    """Alice with 100 shares of 1 token each."""
    staking.delegate(provider, 100 * UNIT, 0, sender=alice)
    return provider


def test_request_holds_what_the_shares_were_worth(staking, delegated, alice, solvent):
    ready_at = boa.env.evm.patch.timestamp + staking.UNBONDING_PERIOD()
    assert staking.undelegate(delegated, 40 * UNIT, sender=alice) == 40 * UNIT
    (entry,) = staking.get_logs()
    assert (entry.provider, entry.delegator) == (delegated, alice)
    assert (entry.tokens, entry.shares, entry.ready_at) == (40 * UNIT, 40 * UNIT, ready_at)
    assert staking.delegation(delegated, alice) == (60 * UNIT, 60 * UNIT)
    assert staking.delegation_pool(delegated) == (60 * UNIT, 60 * UNIT, 40 * UNIT)
    assert staking.undelegations(delegated, alice) == [(40 * UNIT, ready_at)]
    assert solvent()


def test_rewards_after_the_request_are_not_shared_with_it(staking, delegated, deployer, alice):
    staking.undelegate(delegated, 50 * UNIT, sender=alice)
    staking.add_rewards(delegated, 100 * UNIT, EMISSION, sender=deployer)
    assert staking.undelegations(delegated, alice)[0].tokens == 50 * UNIT
    assert staking.delegation(delegated, alice)[1] == 140 * UNIT


def test_all_of_it(staking, delegated, alice):
    staking.undelegate(delegated, 100 * UNIT, sender=alice)
    assert staking.delegation(delegated, alice) == (0, 0)
    assert staking.delegation_pool(delegated) == (0, 0, 100 * UNIT)


def test_remainder_is_a_whole_delegation_or_nothing(staking, delegated, alice, refused):
    """The Graph: a tiny remainder let its owner inflate the share price."""
    with refused("provider_staking: remaining delegation below minimum"):
        staking.undelegate(delegated, 99 * UNIT + 1, sender=alice)
    with refused("provider_staking: remaining delegation below minimum"):
        staking.undelegate(delegated, 100 * UNIT - 1, sender=alice)
    staking.undelegate(delegated, 99 * UNIT, sender=alice)


def test_remainder_of_few_but_dear_shares_reverts(
    providers, staking, provider, deployer, alice, refused
):
    """Worth a whole delegation, yet too few shares to divide the next one finely."""
    staking.delegate(provider, 1 * UNIT, 0, sender=alice)
    providers.set_commission(provider, EMISSION, 0, sender=providers.provider_info(provider).owner)
    few = 10**9 - 1
    # so that `few` shares are worth a whole delegation
    donation = UNIT * UNIT // few + 1
    # a price that the supply of a real token can't pay; minted for this test
    token = boa.env.lookup_contract(staking.TOKEN())
    token.eval(f"erc20._mint({deployer}, {donation})")
    staking.add_rewards(provider, donation, EMISSION, sender=deployer)
    assert few * staking.delegation_pool(provider).tokens // UNIT >= UNIT
    with refused("provider_staking: remaining delegation below minimum"):
        staking.undelegate(provider, UNIT - few, sender=alice)
    staking.undelegate(provider, UNIT - 10**9, sender=alice)


@pytest.mark.parametrize("shares", [100 * UNIT + 1, 2**256 - 1])
def test_more_than_held_reverts(staking, delegated, alice, shares, refused):
    with refused("provider_staking: more shares than held"):
        staking.undelegate(delegated, shares, sender=alice)


def test_shares_of_others_are_out_of_reach(staking, delegated, bob, owner, refused):
    for caller in (bob, owner):
        with refused("provider_staking: more shares than held"):
            staking.undelegate(delegated, 1, sender=caller)


@pytest.mark.parametrize("shares", [0, 1, 10**9 - 1])
def test_dust_reverts_and_opens_no_request(staking, delegated, alice, shares, refused):
    with refused("share_pool: amount too small"):
        staking.undelegate(delegated, shares, sender=alice)


def test_32_requests_fit_and_the_33rd_reverts(staking, delegated, alice, refused):
    for _ in range(32):
        staking.undelegate(delegated, 1 * UNIT, sender=alice)
    with refused("provider_staking: too many open requests"):
        staking.undelegate(delegated, 1 * UNIT, sender=alice)


def test_each_request_keeps_its_own_timer(staking, delegated, alice):
    staking.undelegate(delegated, 10 * UNIT, sender=alice)
    (first,) = staking.undelegations(delegated, alice)
    boa.env.time_travel(seconds=1_000)
    staking.undelegate(delegated, 10 * UNIT, sender=alice)
    assert staking.undelegations(delegated, alice)[0] == first
    assert staking.undelegations(delegated, alice)[1].ready_at == first.ready_at + 1_000


def test_leaving_is_possible_without_first_loss_stake(staking, delegated, alice, slash):
    slash(delegated, 1_000 * UNIT)
    staking.undelegate(delegated, 100 * UNIT, sender=alice)
    assert staking.delegation_pool(delegated).unbonding == 100 * UNIT
