"""A pool that was slashed almost to nothing: who stayed keeps the little, who comes is safe."""

import boa
import pytest

UNIT = 10**18
GWEI = 10**9
EMISSION = 1


def mature(staking):
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())


@pytest.fixture
def crushed(staking, provider, owner, alice, bob, slash):
    """Alice delegated 1 100 and bob 11 of which 1 is unbonding; 2 222 gwei are left."""
    staking.delegate(provider, 1_100 * UNIT, 0, sender=alice)
    staking.delegate(provider, 11 * UNIT, 0, sender=bob)
    staking.undelegate(provider, 1 * UNIT, sender=bob)
    slash(provider, staking.slashable(provider) - 2_222 * GWEI)
    staking.stake(provider, 1_000 * UNIT, sender=owner)
    return provider


def test_those_who_stayed_share_what_is_left(staking, crushed, alice, bob):
    assert staking.delegation(crushed, alice)[1] == pytest.approx(2_200 * GWEI, abs=1)
    assert staking.delegation(crushed, bob)[1] == pytest.approx(20 * GWEI, abs=1)
    (request,) = staking.undelegations(crushed, bob)
    assert request.tokens == pytest.approx(2 * GWEI, abs=1)


def test_refilled_pool_is_not_wiped_by_a_later_slash(
    staking, crushed, owner, alice, bob, slash, solvent
):
    """Whoever delegates after the fall loses what is slashed then, and nothing for the past."""
    staking.delegate(crushed, 400 * UNIT, 0, sender=bob)
    slash(crushed, 1_000 * UNIT + 200 * UNIT)
    assert staking.delegation(crushed, bob)[1] == pytest.approx(200 * UNIT, abs=2_222 * GWEI)
    assert solvent()


def test_it_can_fall_again_and_again(staking, crushed, owner, alice, bob, slash, solvent):
    for _ in range(6):
        staking.delegate(crushed, 400 * UNIT, 0, sender=bob)
        before = staking.delegation(crushed, bob)[1]
        assert before >= 400 * UNIT - 10**4
        slash(crushed, staking.slashable(crushed) - 10**10)
        assert 0 < staking.delegation(crushed, bob)[1] <= 10**10
        staking.stake(crushed, 1_000 * UNIT, sender=owner)
        assert solvent()


def test_requests_from_before_and_after_a_fall_are_paid_what_they_are_worth(
    staking, provider, owner, alice, bob, slash, solvent
):
    staking.delegate(provider, 1_000 * UNIT, 0, sender=alice)
    staking.undelegate(provider, 500 * UNIT, sender=alice)
    # leaves 10**10 of the delegations, half of it unbonding
    slash(provider, staking.slashable(provider) - 10**10)
    staking.stake(provider, 1_000 * UNIT, sender=owner)
    staking.delegate(provider, 100 * UNIT, 0, sender=alice)
    staking.undelegate(provider, staking.delegation(provider, alice)[0], sender=alice)
    first, second = staking.undelegations(provider, alice)
    assert first.tokens == pytest.approx(5 * 10**9, abs=2)
    assert second.tokens == pytest.approx(100 * UNIT + 5 * 10**9, abs=10**4)
    mature(staking)
    paid = staking.withdraw_delegation(provider, 32, sender=alice)
    assert paid == pytest.approx(100 * UNIT + 10**10, abs=10**4)
    assert staking.delegation_pool(provider).shares == 0
    assert solvent()


def test_self_bond_that_fell_while_unbonding(staking, provider, owner, payout, token, slash):
    staking.unbond(provider, 500 * UNIT, sender=owner)
    slash(provider, 1_000 * UNIT - 10**10)
    (request,) = staking.unbondings(provider)
    assert request.tokens == 5 * 10**9
    staking.stake(provider, 1_000 * UNIT, sender=owner)
    staking.unbond(provider, 500 * UNIT, sender=owner)
    mature(staking)
    assert staking.withdraw(provider, 32, sender=owner) == pytest.approx(
        500 * UNIT + 5 * 10**9, abs=10**4
    )
    assert staking.unbondings(provider) == []


def test_requests_of_a_wiped_pool_do_not_take_up_places(staking, provider, owner, slash):
    for _ in range(32):
        staking.unbond(provider, UNIT, sender=owner)
    slash(provider, staking.slashable(provider))
    assert staking.unbondings(provider) == []
    staking.stake(provider, 1_000 * UNIT, sender=owner)
    for _ in range(32):
        staking.unbond(provider, UNIT, sender=owner)
    assert [r.tokens for r in staking.unbondings(provider)] == [UNIT] * 32
    with boa.reverts("provider_staking: too many open requests"):
        staking.unbond(provider, UNIT, sender=owner)


def test_last_one_of_a_fallen_pool_keeps_its_part(
    staking, provider, owner, deployer, alice, bob, slash, solvent
):
    """However few shares a fall left a delegator with, others can't leave with its tokens."""
    staking.delegate(provider, 2 * UNIT, 0, sender=alice)
    staking.add_rewards(provider, 2 * UNIT, EMISSION, sender=deployer)
    staking.delegate(provider, 1 * UNIT, 0, sender=bob)
    slash(provider, staking.slashable(provider) - 2 * 10**9)
    staking.stake(provider, 1_000 * UNIT, sender=owner)
    staking.add_rewards(provider, 1_000 * UNIT, EMISSION, sender=deployer)
    before = staking.delegation(provider, bob)[1]
    assert before > 100 * UNIT
    staking.undelegate(provider, staking.delegation(provider, alice)[0], sender=alice)
    assert staking.delegation(provider, bob)[1] >= before
    assert solvent()


def test_nobody_owns_a_fallen_pool_that_all_have_left(
    token, staking, provider, owner, payout, deployer, slash, solvent
):
    """What rescaling rounds away must not earn, nor make shares too dear for who comes next."""
    delegators = [str(boa.env.generate_address(f"delegator {i}")) for i in range(40)]
    for number, delegator in enumerate(delegators):
        tokens = UNIT + number * 12_345_678_901_234_567
        token.transfer(delegator, tokens)
        token.approve(staking, tokens, sender=delegator)
        staking.delegate(provider, tokens, 0, sender=delegator)
    slash(provider, staking.slashable(provider) - 2 * GWEI)
    staking.stake(provider, 1_000 * UNIT, sender=owner)
    held = [staking.delegation(provider, each)[0] for each in delegators]
    assert 0 < staking.delegation_pool(provider).shares - sum(held) < len(delegators)
    staking.add_rewards(provider, 1_000 * UNIT, EMISSION, sender=deployer)
    for delegator, shares in zip(delegators, held, strict=True):
        staking.undelegate(provider, shares, sender=delegator)
    assert staking.delegation_pool(provider).shares == 0
    assert staking.delegation_pool(provider).tokens < GWEI
    before = token.balanceOf(payout)
    staking.add_rewards(provider, 100 * UNIT, EMISSION, sender=deployer)
    assert token.balanceOf(payout) - before == 100 * UNIT
    assert staking.delegate(provider, UNIT, 0, sender=owner) == UNIT
    assert solvent()


@pytest.mark.parametrize(("left", "owned"), [(GWEI - 1, 0), (GWEI, GWEI)])
def test_less_than_a_gwei_starts_the_pool_anew(staking, provider, alice, slash, left, owned):
    staking.delegate(provider, 100 * UNIT, 0, sender=alice)
    slash(provider, staking.slashable(provider) - left)
    shares, worth = staking.delegation(provider, alice)
    assert (shares > 0, worth) == (owned > 0, owned)
    assert staking.delegation_pool(provider).tokens == left
