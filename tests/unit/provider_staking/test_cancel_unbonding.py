"""ProviderStaking.cancel_unbonding: a request goes back into the self-bond."""

import boa
import pytest

UNIT = 10**18


@pytest.fixture
def three(staking, provider, owner):
    """Three requests of 10, 20 and 30, a day apart."""
    for tokens in (10, 20, 30):
        staking.unbond(provider, tokens * UNIT, sender=owner)
        boa.env.time_travel(seconds=86_400)
    return staking.unbondings(provider)


@pytest.mark.parametrize(
    ("index", "rest"), [(0, [2, 1]), (1, [0, 2]), (2, [0, 1])], ids=["first", "middle", "last"]
)
def test_request_is_removed_and_the_others_keep_their_timers(
    staking, provider, owner, three, index, rest, solvent
):
    staking.cancel_unbonding(provider, index, sender=owner)
    (entry,) = staking.get_logs()
    assert (entry.provider, entry.tokens) == (provider, three[index].tokens)
    assert staking.unbondings(provider) == [three[i] for i in rest]
    assert staking.self_bond(provider).active == 940 * UNIT + three[index].tokens
    assert solvent()


def test_matured_request_can_still_be_cancelled(staking, provider, owner, three):
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())
    for _ in three:
        staking.cancel_unbonding(provider, 0, sender=owner)
    assert staking.self_bond(provider) == (1_000 * UNIT, 0, 0, 0)
    assert staking.unbondings(provider) == []


def test_slash_is_not_escaped_by_cancelling(staking, provider, owner, three, slash):
    slash(provider, 500 * UNIT)
    for _ in three:
        staking.cancel_unbonding(provider, 0, sender=owner)
    assert staking.self_bond(provider) == (500 * UNIT, 0, 0, 0)


@pytest.mark.parametrize("index", [3, 31, 32, 2**256 - 1])
def test_no_such_request_reverts(staking, provider, owner, three, index, refused):
    with refused("provider_staking: no such request"):
        staking.cancel_unbonding(provider, index, sender=owner)


def test_only_the_owner_cancels(staking, provider, operator, alice, three, refused):
    for caller in (operator.address, alice):
        with refused("provider_staking: caller is not the provider's owner"):
            staking.cancel_unbonding(provider, 0, sender=caller)
