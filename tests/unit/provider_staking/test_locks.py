"""ProviderStaking.lock, release and seize: self-bond behind jobs."""

import boa
import pytest

UNIT = 10**18


@pytest.fixture
def window_start(staking):
    """Chain time at the first second of a lock window."""
    period = staking.LOCK_PERIOD()
    boa.env.time_travel(seconds=period - boa.env.evm.patch.timestamp % period)
    return boa.env.evm.patch.timestamp


# --- lock ---------------------------------------------------------------------------------


def test_lock_leaves_less_free(staking, provider, locker):
    staking.lock(provider, 400 * UNIT, sender=locker)
    (entry,) = staking.get_logs()
    assert (entry.provider, entry.tokens) == (provider, 400 * UNIT)
    staking.lock(provider, 100 * UNIT, sender=locker)
    assert staking.self_bond(provider) == (1_000 * UNIT, 0, 500 * UNIT, 0)
    assert staking.free_self_bond(provider) == 500 * UNIT


@pytest.mark.parametrize("tokens", [0, 1, 1_000 * UNIT])
def test_anything_free_can_be_locked(staking, provider, locker, tokens):
    staking.lock(provider, tokens, sender=locker)
    assert staking.free_self_bond(provider) == 1_000 * UNIT - tokens


def test_more_than_is_free_reverts(staking, provider, locker, refused):
    with refused("provider_staking: not enough free self-bond"):
        staking.lock(provider, 1_000 * UNIT + 1, sender=locker)
    staking.lock(provider, 600 * UNIT, sender=locker)
    with refused("provider_staking: not enough free self-bond"):
        staking.lock(provider, 400 * UNIT + 1, sender=locker)


def test_unbonding_self_bond_backs_no_job(staking, provider, owner, locker, refused):
    staking.unbond(provider, 500 * UNIT, sender=owner)
    with refused("provider_staking: not enough free self-bond"):
        staking.lock(provider, 500 * UNIT + 1, sender=locker)


def test_delegations_back_no_job(staking, provider, alice, locker, refused):
    staking.delegate(provider, 500 * UNIT, 0, sender=alice)
    with refused("provider_staking: not enough free self-bond"):
        staking.lock(provider, 1_000 * UNIT + 1, sender=locker)


def test_ended_jobs_still_count(staking, provider, locker, refused):
    staking.lock(provider, 600 * UNIT, sender=locker)
    staking.release(provider, 600 * UNIT, sender=locker)
    with refused("provider_staking: not enough free self-bond"):
        staking.lock(provider, 400 * UNIT + 1, sender=locker)


def test_jailed_provider_takes_no_job(staking, provider, locker, slasher, refused):
    staking.jail(provider, boa.env.evm.patch.timestamp + 10, sender=slasher)
    with refused("provider_staking: provider is jailed"):
        staking.lock(provider, 1, sender=locker)
    boa.env.time_travel(seconds=10)
    staking.lock(provider, 1, sender=locker)


def test_slash_can_leave_less_than_is_locked(staking, provider, locker, slash, refused):
    staking.lock(provider, 900 * UNIT, sender=locker)
    slash(provider, 500 * UNIT)
    assert staking.self_bond(provider) == (500 * UNIT, 0, 900 * UNIT, 0)
    assert staking.free_self_bond(provider) == 0
    with refused("provider_staking: not enough free self-bond"):
        staking.lock(provider, 0, sender=locker)


@pytest.mark.parametrize(
    "call",
    [
        lambda s, p, who: s.lock(p, 0, sender=who),
        lambda s, p, who: s.release(p, 0, sender=who),
        lambda s, p, who: s.seize(p, 0, who, sender=who),
    ],
    ids=["lock", "release", "seize"],
)
def test_only_the_locker(staking, provider, owner, deployer, locker, slasher, call, refused):
    for caller in (owner, deployer, slasher):
        with refused("roles: caller lacks the role"):
            call(staking, provider, caller)


# --- release ------------------------------------------------------------------------------


@pytest.mark.parametrize("into_window", [0, 1, 43_200, 86_399])
def test_released_stays_for_one_to_two_periods(
    staking, provider, locker, window_start, into_window
):
    period = staking.LOCK_PERIOD()
    boa.env.time_travel(seconds=into_window)
    staking.lock(provider, 400 * UNIT, sender=locker)
    staking.release(provider, 400 * UNIT, sender=locker)
    (entry,) = staking.get_logs()
    assert (entry.provider, entry.tokens) == (provider, 400 * UNIT)
    assert staking.self_bond(provider) == (1_000 * UNIT, 0, 0, 400 * UNIT)

    boa.env.time_travel(seconds=2 * period - into_window - 1)
    held_for = boa.env.evm.patch.timestamp + 1 - window_start - into_window
    assert period < held_for <= 2 * period
    assert staking.free_self_bond(provider) == 600 * UNIT
    boa.env.time_travel(seconds=1)
    assert staking.free_self_bond(provider) == 1_000 * UNIT


def test_releases_of_two_windows_end_one_after_the_other(
    staking, provider, locker, window_start, owner
):
    period = staking.LOCK_PERIOD()
    staking.lock(provider, 300 * UNIT, sender=locker)
    staking.release(provider, 100 * UNIT, sender=locker)
    boa.env.time_travel(seconds=period)
    staking.release(provider, 200 * UNIT, sender=locker)
    assert staking.self_bond(provider).cooling == 300 * UNIT
    boa.env.time_travel(seconds=period)
    assert staking.self_bond(provider).cooling == 200 * UNIT
    staking.unbond(provider, 800 * UNIT, sender=owner)
    boa.env.time_travel(seconds=period)
    assert staking.self_bond(provider).cooling == 0


def test_release_after_a_long_silence_forgets_the_old_one(staking, provider, locker):
    staking.lock(provider, 300 * UNIT, sender=locker)
    staking.release(provider, 100 * UNIT, sender=locker)
    boa.env.time_travel(seconds=10 * staking.LOCK_PERIOD())
    staking.release(provider, 200 * UNIT, sender=locker)
    assert staking.self_bond(provider).cooling == 200 * UNIT


def test_released_self_bond_cannot_unbond_meanwhile(
    staking, provider, owner, locker, window_start, refused
):
    staking.lock(provider, 400 * UNIT, sender=locker)
    staking.release(provider, 400 * UNIT, sender=locker)
    boa.env.time_travel(seconds=staking.LOCK_PERIOD())
    with refused("provider_staking: self-bond is locked"):
        staking.unbond(provider, 600 * UNIT + 1, sender=owner)
    boa.env.time_travel(seconds=staking.LOCK_PERIOD())
    staking.unbond(provider, 1_000 * UNIT, sender=owner)


@pytest.mark.parametrize("tokens", [400 * UNIT + 1, 2**256 - 1])
def test_release_of_more_than_is_locked_reverts(staking, provider, locker, tokens, refused):
    staking.lock(provider, 400 * UNIT, sender=locker)
    with refused("provider_staking: more than is locked"):
        staking.release(provider, tokens, sender=locker)


# --- seize --------------------------------------------------------------------------------


def test_victim_is_paid_and_nothing_burns(token, staking, provider, locker, victim, solvent):
    staking.lock(provider, 400 * UNIT, sender=locker)
    supply = token.totalSupply()
    assert staking.seize(provider, 300 * UNIT, victim, sender=locker) == 300 * UNIT
    entry = staking.get_logs()[-1]
    assert (entry.provider, entry.victim) == (provider, victim)
    assert (entry.tokens, entry.paid) == (300 * UNIT, 300 * UNIT)
    assert token.balanceOf(victim) == 300 * UNIT
    assert token.totalSupply() == supply
    assert staking.self_bond(provider) == (700 * UNIT, 0, 100 * UNIT, 0)
    assert solvent()


@pytest.mark.parametrize("tokens", [0, 1, 400 * UNIT])
def test_any_part_of_the_lock(token, staking, provider, locker, victim, tokens):
    staking.lock(provider, 400 * UNIT, sender=locker)
    assert staking.seize(provider, tokens, victim, sender=locker) == tokens
    assert token.balanceOf(victim) == tokens
    assert staking.self_bond(provider).held == 400 * UNIT - tokens


@pytest.mark.parametrize("tokens", [400 * UNIT + 1, 2**256 - 1])
def test_more_than_the_lock_reverts(staking, provider, locker, victim, tokens, refused):
    staking.lock(provider, 400 * UNIT, sender=locker)
    with refused("provider_staking: more than is locked"):
        staking.seize(provider, tokens, victim, sender=locker)


def test_released_self_bond_cannot_be_seized(staking, provider, locker, victim, refused):
    staking.lock(provider, 400 * UNIT, sender=locker)
    staking.release(provider, 400 * UNIT, sender=locker)
    with refused("provider_staking: more than is locked"):
        staking.seize(provider, 1, victim, sender=locker)


def test_unbonding_self_bond_pays_its_part(staking, provider, owner, locker, victim, solvent):
    staking.lock(provider, 400 * UNIT, sender=locker)
    staking.unbond(provider, 500 * UNIT, sender=owner)
    assert staking.seize(provider, 300 * UNIT, victim, sender=locker) == 300 * UNIT
    assert staking.self_bond(provider) == (350 * UNIT, 350 * UNIT, 100 * UNIT, 0)
    assert solvent()


def test_what_slashes_left_is_paid_and_the_whole_lock_ends(
    token, staking, provider, alice, locker, victim, slash, solvent
):
    staking.delegate(provider, 500 * UNIT, 0, sender=alice)
    staking.lock(provider, 400 * UNIT, sender=locker)
    slash(provider, 900 * UNIT)
    assert staking.seize(provider, 300 * UNIT, victim, sender=locker) == 100 * UNIT
    entry = staking.get_logs()[-1]
    assert (entry.tokens, entry.paid) == (300 * UNIT, 100 * UNIT)
    assert token.balanceOf(victim) == 100 * UNIT
    # delegators don't pay for one job's failure
    assert staking.delegation(provider, alice)[1] == 500 * UNIT
    staking.release(provider, 100 * UNIT, sender=locker)
    assert staking.self_bond(provider) == (0, 0, 0, 100 * UNIT)
    assert solvent()


def test_nothing_left_pays_nothing(token, staking, provider, locker, victim, slash):
    staking.lock(provider, 400 * UNIT, sender=locker)
    slash(provider, 1_000 * UNIT)
    assert staking.seize(provider, 400 * UNIT, victim, sender=locker) == 0
    assert token.balanceOf(victim) == 0
    assert staking.self_bond(provider) == (0, 0, 0, 0)
