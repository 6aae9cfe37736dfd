"""ProviderStaking.slash: who loses, who is paid, what burns."""

import boa
import pytest

UNIT = 10**18
ZERO = "0x" + "00" * 20


@pytest.fixture
def backed(staking, provider, owner, alice):
    """1 000 of self-bond, 250 of it unbonding; 1 000 delegated, 500 of it unbonding."""
    staking.unbond(provider, 250 * UNIT, sender=owner)
    staking.delegate(provider, 1_000 * UNIT, 0, sender=alice)
    staking.undelegate(provider, 500 * UNIT, sender=alice)
    return provider


def tiers(staking, provider):
    """Whole tokens active and unbonding: of the self-bond, of the delegations."""
    bond, pool = staking.self_bond(provider), staking.delegation_pool(provider)
    parts = (bond.active, bond.unbonding, pool.tokens, pool.unbonding)
    return tuple(part // UNIT for part in parts)


@pytest.mark.parametrize(
    ("amount", "left"),
    [
        (0, (750, 250, 500, 500)),
        (400, (450, 150, 500, 500)),
        (1_000, (0, 0, 500, 500)),
        (1_400, (0, 0, 300, 300)),
        (2_000, (0, 0, 0, 0)),
    ],
)
def test_self_bond_first_each_tier_pro_rata(token, staking, backed, slash, amount, left, solvent):
    supply = token.totalSupply()
    assert slash(backed, amount * UNIT) == amount * UNIT
    assert supply - token.totalSupply() == amount * UNIT
    assert tiers(staking, backed) == left
    assert staking.slashable(backed) == (2_000 - amount) * UNIT
    assert solvent()


def test_victim_and_reporter_are_paid_and_the_rest_burns(
    token, staking, backed, slash, victim, reporter, slasher, deployer, solvent
):
    supply = token.totalSupply()
    caller, governor = token.balanceOf(slasher), token.balanceOf(deployer)
    taken = slash(backed, 1_400 * UNIT, victim, 600 * UNIT, reporter, 700 * UNIT)
    entry = staking.get_logs()[-1]
    assert taken == 1_400 * UNIT
    assert token.balanceOf(victim) == 600 * UNIT
    assert token.balanceOf(reporter) == 700 * UNIT
    assert supply - token.totalSupply() == 100 * UNIT
    assert (entry.from_self_bond, entry.from_delegation) == (1_000 * UNIT, 400 * UNIT)
    assert (entry.victim, entry.victim_amount) == (victim, 600 * UNIT)
    assert (entry.reporter, entry.reporter_amount) == (reporter, 700 * UNIT)
    assert (entry.provider, entry.burnt) == (backed, 100 * UNIT)
    # never to the caller or the owner
    assert (token.balanceOf(slasher), token.balanceOf(deployer)) == (caller, governor)
    assert solvent()


def test_the_last_unit_burns(token, staking, backed, slash, victim):
    supply = token.totalSupply()
    assert slash(backed, 2, victim, 1) == 2
    assert supply - token.totalSupply() == 1


def test_nothing_burns_when_all_is_owed(token, staking, backed, slash, victim, reporter):
    supply = token.totalSupply()
    slash(backed, 100, victim, 50, reporter, 50)
    assert token.totalSupply() == supply


@pytest.mark.parametrize("amount", [0, 1, 10**30])
def test_order_that_spends_more_than_it_takes_reverts(backed, slash, victim, amount, refused):
    with refused("provider_staking: order spends more than it takes"):
        slash(backed, amount, victim, amount + 1)


def test_order_that_overflows_reverts(staking, backed, slasher, victim, reporter, state):
    before = state()
    with boa.reverts(compiler="safeadd"):
        staking.slash(backed, (1, victim, 2**256 - 1, reporter, 2), sender=slasher)
    assert state() == before


@pytest.mark.parametrize(("amount", "cut"), [(100, 51), (101, 51), (1, 1), (0, 0)])
def test_reporter_gets_at_most_what_the_provider_signed(
    token, backed, slash, reporter, amount, cut, refused
):
    if cut > amount // 2:
        with refused("provider_staking: reporter cut over the signed share"):
            slash(backed, amount, reporter=reporter, reporter_amount=cut)
    slash(backed, amount, reporter=reporter, reporter_amount=amount // 2)
    assert token.balanceOf(reporter) == amount // 2


def test_provider_that_signed_nothing_pays_no_reporter(
    providers, staking, owner, payout, slash, reporter, refused
):
    provider = providers.register(ZERO, payout, 0, 0, 0, "", sender=owner)
    staking.stake(provider, 100 * UNIT, sender=owner)
    with refused("provider_staking: reporter cut over the signed share"):
        slash(provider, 100 * UNIT, reporter=reporter, reporter_amount=1)
    assert slash(provider, 100 * UNIT) == 100 * UNIT


# --- less than was ordered ----------------------------------------------------------------


def test_victim_comes_before_reporter_and_burning(
    token, staking, provider, slash, victim, reporter
):
    # 1 000 there, 4 000 ordered
    supply = token.totalSupply()
    taken = slash(provider, 4_000 * UNIT, victim, 800 * UNIT, reporter, 2_000 * UNIT)
    assert taken == 1_000 * UNIT
    assert token.balanceOf(victim) == 800 * UNIT
    assert token.balanceOf(reporter) == 200 * UNIT
    assert token.totalSupply() == supply


def test_victim_gets_all_there_is(token, staking, provider, slash, victim, reporter):
    taken = slash(provider, 4_000 * UNIT, victim, 2_000 * UNIT, reporter, 2_000 * UNIT)
    assert taken == 1_000 * UNIT
    assert token.balanceOf(victim) == 1_000 * UNIT
    assert token.balanceOf(reporter) == 0


def test_reporter_is_capped_by_what_was_taken(token, staking, provider, slash, reporter):
    supply = token.totalSupply()
    slash(provider, 4_000 * UNIT, reporter=reporter, reporter_amount=2_000 * UNIT)
    assert token.balanceOf(reporter) == 500 * UNIT
    assert supply - token.totalSupply() == 500 * UNIT


def test_nothing_to_take(token, staking, registered, slash, victim):
    assert slash(registered, 1_000 * UNIT, victim, 1_000 * UNIT) == 0
    assert token.balanceOf(victim) == 0


def test_unknown_provider_loses_nothing(staking, provider, slash):
    assert slash(provider + 1, 1_000 * UNIT) == 0
    assert staking.slashable(provider) == 1_000 * UNIT


# --- after a slash ------------------------------------------------------------------------


def test_second_slash_takes_from_what_is_left(staking, backed, slash):
    slash(backed, 500 * UNIT)
    slash(backed, 300 * UNIT)
    assert tiers(staking, backed) == (150, 50, 500, 500)


def test_wiped_self_bond_drops_its_requests(staking, backed, owner, slash, refused):
    slash(backed, 1_000 * UNIT)
    assert staking.unbondings(backed) == []
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())
    with refused("provider_staking: nothing to withdraw"):
        staking.withdraw(backed, 32, sender=owner)
    with refused("provider_staking: no such request"):
        staking.cancel_unbonding(backed, 0, sender=owner)
    # and can be bonded, unbonded and withdrawn again
    staking.stake(backed, 100 * UNIT, sender=owner)
    staking.unbond(backed, 100 * UNIT, sender=owner)
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())
    assert staking.withdraw(backed, 32, sender=owner) == 100 * UNIT


def test_dust_of_a_wiped_pool_waits_for_the_next_owner(staking, backed, owner, bob, slash, solvent):
    slash(backed, 2_000 * UNIT - 10)
    assert staking.delegation_pool(backed) == (5, 0, 5)
    staking.stake(backed, 100 * UNIT, sender=owner)
    staking.delegate(backed, 10 * UNIT, 0, sender=bob)
    assert staking.delegation(backed, bob) == (10 * UNIT, 10 * UNIT + 5)
    assert solvent()


def test_costs_the_same_with_many_requests(staking, backed, alice, owner, slash):
    with boa.env.anchor():
        slash(backed, 1_500 * UNIT)
        few = staking._computation.get_gas_used()
    for _ in range(20):
        staking.undelegate(backed, 1 * UNIT, sender=alice)
        staking.unbond(backed, 1 * UNIT, sender=owner)
    slash(backed, 1_500 * UNIT)
    assert abs(staking._computation.get_gas_used() - few) < 200


def test_only_the_slasher(staking, backed, owner, deployer, locker, slasher, refused):
    for caller in (owner, deployer, locker):
        with refused("roles: caller lacks the role"):
            staking.slash(backed, (0, ZERO, 0, ZERO, 0), sender=caller)


def test_scheduled_reporter_cut_does_not_count_yet(providers, provider, owner, slash, reporter):
    providers.schedule_reporter_cut(provider, 0, sender=owner)
    assert slash(provider, 100, reporter=reporter, reporter_amount=50) == 100
