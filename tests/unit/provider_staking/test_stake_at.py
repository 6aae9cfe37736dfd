"""ProviderStaking.stake_at: what a vote weighs in an epoch, counted once."""

import boa
import pytest

UNIT = 10**18
PAST = "provider_staking: not the current epoch"


@pytest.fixture
def epoch(ledger):
    return lambda: ledger.current_epoch()


def test_delegation_and_self_bond_count(staking, provider, owner, alice, bob, epoch):
    staking.delegate(provider, 40 * UNIT, 0, sender=alice)
    assert staking.stake_at(provider, alice, epoch()) == 40 * UNIT
    assert staking.stake_at(provider, owner, epoch()) == 1_000 * UNIT
    assert staking.stake_at(provider, bob, epoch()) == 0
    assert staking.stake_at(provider + 1, alice, epoch()) == 0
    # an owner that also delegates has both
    staking.delegate(provider, 5 * UNIT, 0, sender=owner)
    assert staking.stake_at(provider, owner, epoch()) == 1_005 * UNIT


def test_what_is_unbonding_does_not_count(staking, provider, owner, alice, epoch):
    staking.delegate(provider, 40 * UNIT, 0, sender=alice)
    staking.undelegate(provider, 30 * UNIT, sender=alice)
    staking.unbond(provider, 900 * UNIT, sender=owner)
    assert staking.stake_at(provider, alice, epoch()) == 10 * UNIT
    assert staking.stake_at(provider, owner, epoch()) == 100 * UNIT


def test_rewards_and_slashes_show_at_once(staking, provider, deployer, alice, slash, epoch):
    staking.delegate(provider, 100 * UNIT, 0, sender=alice)
    staking.add_rewards(provider, 10 * UNIT, 2, sender=deployer)
    assert staking.stake_at(provider, alice, epoch()) == 1095 * UNIT // 10
    slash(provider, 1_000 * UNIT + 1095 * UNIT // 20)
    assert staking.stake_at(provider, alice, epoch()) == 1095 * UNIT // 20


def test_moving_stake_counts_it_once_per_epoch(
    providers, staking, provider, owner, payout, alice, epoch
):
    """Whatever leaves one place counts nowhere for longer than an epoch."""
    other = providers.register("0x" + "00" * 20, payout, 0, 0, 0, "", sender=owner)
    staking.stake(other, 100 * UNIT, sender=owner)
    staking.delegate(provider, 40 * UNIT, 0, sender=alice)
    voted_in = epoch()
    staking.undelegate(provider, 40 * UNIT, sender=alice)
    while epoch() == voted_in:
        both = (staking.stake_at(p, alice, epoch()) for p in (provider, other))
        assert sum(both) == 0
        with boa.reverts("provider_staking: nothing to withdraw"):
            staking.move(provider, other, 32, 0, sender=alice)
        boa.env.time_travel(seconds=600)
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())
    staking.move(provider, other, 32, 0, sender=alice)
    assert staking.stake_at(provider, alice, epoch()) == 0
    assert staking.stake_at(other, alice, epoch()) == 40 * UNIT


def test_a_provider_that_changed_hands_counts_from_the_next_epoch(
    providers, staking, provider, owner, alice, epoch
):
    boa.env.time_travel(seconds=staking.EPOCH_LENGTH())
    assert staking.stake_at(provider, owner, epoch()) == 1_000 * UNIT
    providers.transfer_provider(provider, alice, sender=owner)
    providers.accept_provider(provider, sender=alice)
    assert staking.stake_at(provider, owner, epoch()) == 0
    assert staking.stake_at(provider, alice, epoch()) == 0
    boa.env.time_travel(seconds=staking.EPOCH_LENGTH())
    assert staking.stake_at(provider, alice, epoch()) == 1_000 * UNIT


def test_only_the_current_epoch_is_told(staking, provider, owner, epoch):
    boa.env.time_travel(seconds=staking.EPOCH_LENGTH())
    for other in (epoch() - 1, epoch() + 1, 2**64 - 1):
        with boa.reverts(PAST):
            staking.stake_at(provider, owner, other)
