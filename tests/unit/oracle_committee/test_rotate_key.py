"""OracleCommittee.rotate_key: whose key it becomes, and how long the old one lives."""

import boa

from oracle.domain.messages import KeyClaim

from .conftest import KEY_OVERLAP

IN_USE = 2**256 - 1
NOBODY = "0x" + "00" * 20


def test_both_keys_speak_for_the_member_during_the_overlap(committee, oracles, keys, rotate):
    member, (fresh,) = oracles[0], keys("fresh", 1)
    rotate(member, fresh)
    (event,) = [e for e in committee.get_logs() if type(e).__name__ == "KeyRotated"]
    ends = boa.env.evm.patch.timestamp + KEY_OVERLAP
    assert (event.member, event.previous, event.current) == (
        member.address,
        member.address,
        fresh.address,
    )
    assert event.previous_valid_until == ends
    assert committee.key_of(member.address) == fresh.address
    assert committee.previous_key_of(member.address) == member.address
    assert committee.key_valid_until(member.address) == ends
    assert committee.key_valid_until(fresh.address) == IN_USE
    assert committee.member_of_key(fresh.address) == member.address
    assert committee.member_of_key(member.address) == member.address

    boa.env.time_travel(seconds=KEY_OVERLAP)
    assert committee.member_of_key(member.address) == NOBODY
    assert committee.member_of_key(fresh.address) == member.address


def test_claim_digest_is_the_one_of_the_python_message(committee, domain_of, oracles, stranger):
    message = KeyClaim(oracles[0].address, stranger)
    digest = committee.key_claim_digest(oracles[0].address, stranger)
    assert digest == message.digest(domain_of(committee))


def test_rotating_again_ends_the_oldest_key_now_but_never_prolongs_one(
    committee, oracles, keys, rotate
):
    member = oracles[0]
    first, second, third = keys("fresh", 3)
    rotate(member, first)
    boa.env.time_travel(seconds=10)
    rotate(member, second)
    now = boa.env.evm.patch.timestamp
    assert committee.key_valid_until(member.address) == now
    assert committee.member_of_key(member.address) == NOBODY

    boa.env.time_travel(seconds=2 * KEY_OVERLAP)
    rotate(member, third)
    # `first` had ended by itself long before
    assert committee.key_valid_until(first.address) == now + KEY_OVERLAP


def test_key_in_use_by_anyone_is_refused(committee, oracles, keys, rotate, claim, state_of):
    mine, theirs = oracles[:2]
    (fresh,) = keys("fresh", 1)
    rotate(theirs, fresh)
    before = state_of(mine.address, theirs.address)
    for taken in (mine, theirs, fresh):
        with boa.reverts("oracle_committee: key in use"):
            rotate(mine, taken)
    assert state_of(mine.address, theirs.address) == before


def test_retired_key_is_never_taken_again(oracles, keys, rotate):
    member, (fresh,) = oracles[0], keys("fresh", 1)
    rotate(member, fresh)
    boa.env.time_travel(seconds=10 * KEY_OVERLAP)
    with boa.reverts("oracle_committee: key in use"):
        rotate(member, member)
    with boa.reverts("oracle_committee: key in use"):
        rotate(oracles[1], member)


def test_key_must_have_agreed(committee, oracles, keys, claim, state_of, stranger):
    """Nobody takes a key it does not hold: not a stranger's, not one claimed for another."""
    member = oracles[0].address
    fresh, other = keys("fresh", 2)
    before = state_of(member)
    for_another_member = claim(fresh, oracles[1].address)
    by_another_key = claim(other, member)
    garbage = b"\0" * 65
    for proof in (for_another_member, by_another_key, garbage):
        with boa.reverts("oracle_committee: key did not sign the claim"):
            committee.rotate_key(fresh.address, proof, sender=member)
    with boa.reverts("oracle_committee: key did not sign the claim"):
        committee.rotate_key(NOBODY, garbage, sender=member)
    for proof in (b"", claim(fresh, member)[:64]):
        with boa.reverts("oracle_committee: claim is not 65 bytes"):
            committee.rotate_key(fresh.address, proof, sender=member)
    assert state_of(member) == before


def test_claim_for_another_committee_is_refused(committee, deploy_committee, oracles, keys, claim):
    twin = deploy_committee([o.address for o in oracles], 5, bonded=False)
    member, (fresh,) = oracles[0].address, keys("fresh", 1)
    with boa.reverts("oracle_committee: key did not sign the claim"):
        committee.rotate_key(fresh.address, claim(fresh, member, at=twin), sender=member)


def test_only_members_rotate(committee, keys, claim, stranger):
    (fresh,) = keys("fresh", 1)
    with boa.reverts("oracle_committee: caller is not a member"):
        committee.rotate_key(fresh.address, claim(fresh, stranger), sender=stranger)
    assert committee.bound_to(fresh.address) == NOBODY


def test_dropped_member_rotates_but_does_not_count(committee, oracles, keys, rotate):
    member, (fresh,) = oracles[0], keys("fresh", 1)
    committee.configure([o.address for o in oracles[1:]], 5, 1)
    roster = committee.roster()
    rotate(member, fresh)
    assert committee.member_of_key(fresh.address) == NOBODY
    assert committee.roster() == roster
