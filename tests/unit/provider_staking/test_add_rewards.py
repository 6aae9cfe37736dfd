"""ProviderStaking.add_rewards: commission to the provider, the rest to the share price."""

import pytest

UNIT = 10**18
EMISSION, JOB = 1, 2


@pytest.fixture
def delegated(staking, provider, alice, bob):
    """Alice with 300 and Bob with 100."""
    staking.delegate(provider, 300 * UNIT, 0, sender=alice)
    staking.delegate(provider, 100 * UNIT, 0, sender=bob)
    return provider


@pytest.mark.parametrize(
    ("kind", "commission"), [(EMISSION, 10 * UNIT), (JOB, 5 * UNIT)], ids=["emission", "job"]
)
def test_kind_chooses_the_commission(
    token, staking, delegated, deployer, payout, alice, bob, kind, commission, solvent
):
    staking.add_rewards(delegated, 100 * UNIT, kind, sender=deployer)
    entry = staking.get_logs()[-1]
    assert (entry.provider, entry.kind) == (delegated, kind)
    assert (entry.commission, entry.shared) == (commission, 100 * UNIT - commission)
    assert token.balanceOf(payout) == commission
    shared = 100 * UNIT - commission
    assert staking.delegation(delegated, alice) == (300 * UNIT, 300 * UNIT + shared * 3 // 4)
    assert staking.delegation(delegated, bob) == (100 * UNIT, 100 * UNIT + shared // 4)
    assert staking.self_bond(delegated).active == 1_000 * UNIT
    assert solvent()


def test_without_delegators_the_provider_gets_all(token, staking, provider, deployer, payout):
    staking.add_rewards(provider, 100 * UNIT, EMISSION, sender=deployer)
    assert token.balanceOf(payout) == 100 * UNIT
    assert staking.delegation_pool(provider) == (0, 0, 0)


def test_delegators_on_their_way_out_do_not_share(
    token, staking, delegated, deployer, payout, alice, bob
):
    staking.undelegate(delegated, 300 * UNIT, sender=alice)
    staking.undelegate(delegated, 100 * UNIT, sender=bob)
    staking.add_rewards(delegated, 100 * UNIT, EMISSION, sender=deployer)
    assert token.balanceOf(payout) == 100 * UNIT
    assert staking.delegation_pool(delegated) == (0, 0, 400 * UNIT)


@pytest.mark.parametrize(("tokens", "commission"), [(0, 0), (1, 0), (9, 0), (10, 1), (19, 1)])
def test_commission_is_rounded_down(
    token, staking, delegated, deployer, payout, tokens, commission
):
    staking.add_rewards(delegated, tokens, EMISSION, sender=deployer)
    assert token.balanceOf(payout) == commission
    assert staking.delegation_pool(delegated).tokens == 400 * UNIT + tokens - commission


def test_whole_commission_shares_nothing(providers, token, staking, owner, payout, deployer, alice):
    provider = providers.register("0x" + "00" * 20, payout, 10_000, 0, 0, "", sender=owner)
    staking.stake(provider, 100 * UNIT, sender=owner)
    staking.delegate(provider, 10 * UNIT, 0, sender=alice)
    staking.add_rewards(provider, 7, EMISSION, sender=deployer)
    assert token.balanceOf(payout) == 7
    staking.add_rewards(provider, 7, JOB, sender=deployer)
    assert token.balanceOf(payout) == 7
    assert staking.delegation_pool(provider).tokens == 10 * UNIT + 7


def test_anyone_may_pay_and_gets_nothing(token, staking, delegated, payout, bob):
    staking.add_rewards(delegated, 40 * UNIT, EMISSION, sender=bob)
    assert staking.delegation(delegated, bob) == (100 * UNIT, 109 * UNIT)


def test_wiped_pool_shares_nothing(token, staking, delegated, deployer, payout, slash):
    slash(delegated, staking.slashable(delegated))
    staking.add_rewards(delegated, 100 * UNIT, EMISSION, sender=deployer)
    assert token.balanceOf(payout) == 100 * UNIT


@pytest.mark.parametrize("kind", [0, 3])
def test_rewards_are_of_one_kind(staking, delegated, deployer, kind, refused):
    with refused("provider_registry: not one kind of payment"):
        staking.add_rewards(delegated, 100, kind, sender=deployer)


def test_unknown_provider_reverts(staking, delegated, deployer, refused):
    for unknown in (0, delegated + 1):
        with refused("provider_registry: unknown provider"):
            staking.add_rewards(unknown, 100, EMISSION, sender=deployer)


def test_payer_without_tokens_reverts(staking, delegated, stranger, refused):
    with refused("erc20: insufficient allowance"):
        staking.add_rewards(delegated, 100 * UNIT, EMISSION, sender=stranger)


def test_more_than_a_word_holds_reverts(token, staking, delegated, deployer, refused):
    token.eval(f"erc20._mint({deployer}, {2**97})")
    with refused("staking_words: too many tokens"):
        staking.add_rewards(delegated, 2**97, EMISSION, sender=deployer)
