"""Bonds: paying in, leaving, taking them back."""

import boa
import pytest

from .conftest import BOND_DELAY, MIN_BOND

LISTED = 2**256 - 1


# --- bond ---------------------------------------------------------------------------------


def test_anyone_adds_to_a_bond(committee, token, oracles, watcher):
    member = oracles[0].address
    token.transfer(watcher.address, 5)
    token.approve(committee, 5, sender=watcher.address)
    held = token.balanceOf(committee)
    committee.bond(member, 5, sender=watcher.address)
    (event,) = [e for e in committee.get_logs() if type(e).__name__ == "Bonded"]
    assert (event.member, event.payer, event.tokens) == (member, watcher.address, 5)
    assert committee.bond_of(member) == MIN_BOND + 5
    assert token.balanceOf(committee) == held + 5
    assert committee.bond_locked_until(member) == LISTED


def test_a_bond_that_was_enough_leaves_the_roster_alone(deploy_committee, oracles):
    member = oracles[0].address
    committee = deploy_committee([member], 1)
    roster = committee.roster()
    committee.bond(member, 1)
    assert committee.roster() == roster


@pytest.mark.parametrize(
    ("member", "amount", "reason"),
    [
        ("member", 0, "oracle_committee: nothing to bond"),
        ("nobody", 1, "oracle_committee: no member"),
        ("member", 10**30, "erc20: transfer amount exceeds balance"),
    ],
)
def test_refusals(committee, oracles, state_of, member, amount, reason):
    address = oracles[0].address if member == "member" else "0x" + "00" * 20
    before = state_of(oracles[0].address)
    with boa.reverts(reason):
        committee.bond(address, amount)
    assert state_of(oracles[0].address) == before


def test_nothing_goes_to_a_retired_member(committee, oracles, state_of):
    member = oracles[0].address
    committee.leave(sender=member)
    before = state_of(member)
    with boa.reverts("oracle_committee: member has retired"):
        committee.bond(member, 1)
    assert state_of(member) == before


# --- leave --------------------------------------------------------------------------------


def test_leaving_ends_counting_and_starts_the_wait(committee, oracles):
    member = oracles[0].address
    members, digest = committee.members(), committee.config_digest()
    committee.leave(sender=member)
    (event,) = [e for e in committee.get_logs() if type(e).__name__ == "MemberLeft"]
    free_at = boa.env.evm.patch.timestamp + BOND_DELAY
    assert (event.member, event.bond_locked_until) == (member, free_at)
    assert committee.bond_locked_until(member) == free_at
    assert committee.retired(member)
    assert not committee.counts(member)
    assert (committee.members(), committee.config_digest()) == (members, digest)


def test_leaving_after_being_dropped_does_not_lengthen_the_wait(committee, oracles):
    member = oracles[0].address
    committee.configure([o.address for o in oracles[1:]], 5, 1)
    free_at = committee.bond_locked_until(member)
    boa.env.time_travel(seconds=100)
    committee.leave(sender=member)
    assert committee.bond_locked_until(member) == free_at


def test_who_cannot_leave(committee, oracles, stranger, state_of):
    member = oracles[0].address
    with boa.reverts("oracle_committee: caller was never listed"):
        committee.leave(sender=stranger)
    committee.leave(sender=member)
    before = state_of(member)
    boa.env.time_travel(seconds=10)
    with boa.reverts("oracle_committee: caller has left"):
        committee.leave(sender=member)
    assert state_of(member) == before


# --- withdraw_bond ------------------------------------------------------------------------


def test_bond_comes_back_after_the_delay_and_only_once(committee, token, oracles, state_of):
    member = oracles[0].address
    committee.leave(sender=member)
    boa.env.time_travel(seconds=BOND_DELAY - 1)
    before = state_of(member)
    with boa.reverts("oracle_committee: bond is locked"):
        committee.withdraw_bond(sender=member)
    assert state_of(member) == before

    boa.env.time_travel(seconds=1)
    held = token.balanceOf(committee)
    committee.withdraw_bond(sender=member)
    (event,) = [e for e in committee.get_logs() if type(e).__name__ == "BondWithdrawn"]
    assert (event.member, event.tokens) == (member, MIN_BOND)
    assert token.balanceOf(member) == MIN_BOND
    assert token.balanceOf(committee) == held - MIN_BOND
    assert committee.bond_of(member) == 0

    with boa.reverts("oracle_committee: no bond"):
        committee.withdraw_bond(sender=member)
    assert token.balanceOf(member) == MIN_BOND


def test_listed_member_cannot_withdraw(committee, oracles, state_of):
    member = oracles[0].address
    boa.env.time_travel(seconds=10 * BOND_DELAY)
    before = state_of(member)
    with boa.reverts("oracle_committee: bond is locked"):
        committee.withdraw_bond(sender=member)
    assert state_of(member) == before


def test_who_was_never_listed_withdraws_at_any_time(committee, token, stranger):
    committee.bond(stranger, 7)
    committee.withdraw_bond(sender=stranger)
    assert token.balanceOf(stranger) == 7


def test_stranger_has_no_bond(committee, stranger):
    with boa.reverts("oracle_committee: no bond"):
        committee.withdraw_bond(sender=stranger)


def test_withdrawn_member_listed_again_needs_a_new_bond(committee, oracles):
    member, members = oracles[0].address, [o.address for o in oracles]
    committee.configure(members[1:], 5, 1)
    boa.env.time_travel(seconds=BOND_DELAY)
    committee.withdraw_bond(sender=member)
    committee.configure(members, 5, 1)
    assert not committee.counts(member)
    committee.bond(member, MIN_BOND)
    assert committee.counts(member)


def test_balance_covers_all_bonds(committee, token, oracles):
    """What the contract holds is what it owes, whatever happened to whom."""
    members = [o.address for o in oracles]
    committee.bond(members[1], 123)
    committee.leave(sender=members[2])
    committee.configure([m for m in members if m != members[2]][1:], 4, 1)
    boa.env.time_travel(seconds=BOND_DELAY)
    committee.withdraw_bond(sender=members[2])
    assert token.balanceOf(committee) == sum(committee.bond_of(m) for m in members)
