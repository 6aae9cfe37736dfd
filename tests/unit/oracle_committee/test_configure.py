"""OracleCommittee.configure: the list, the digest, and what happens to who was listed."""

import boa
import pytest
from eth_abi import encode
from sha3 import keccak_256

from .conftest import BOND_DELAY, MIN_BOND

LISTED = 2**256 - 1


def expected_digest(committee, number, members, threshold, rules):
    words = encode(
        ["uint256", "address", "uint256", "address[]", "uint256", "uint32"],
        [boa.env.evm.patch.chain_id, committee.address, number, members, threshold, rules],
    )
    return keccak_256(words).digest()


def test_digest_binds_everything(committee, oracles):
    members = [o.address for o in oracles]
    seen = set()
    for number, (listed, threshold, rules) in enumerate(
        [(members, 5, 1), (members, 5, 1), (members, 6, 1), (members[:6], 6, 1), (members, 5, 2)],
        start=1,
    ):
        if number > 1:
            committee.configure(listed, threshold, rules)
        digest = committee.config_digest()
        assert digest == expected_digest(committee, number, listed, threshold, rules)
        assert committee.config_number() == number
        seen.add(digest)
    assert len(seen) == 5


def test_logs_the_configuration(committee, oracles):
    members = [o.address for o in oracles[:3]]
    committee.configure(members, 2, 9)
    event = next(e for e in committee.get_logs() if type(e).__name__ == "CommitteeConfigured")
    assert (event.config, event.number) == (committee.config_digest(), 2)
    assert (event.members, event.threshold) == (members, 2)
    assert committee.rules_version() == 9


def test_only_the_owner(committee, oracles, stranger, state_of):
    before = state_of(*(o.address for o in oracles))
    with boa.reverts("ownable: caller is not the owner"):
        committee.configure([stranger], 1, 1, sender=stranger)
    assert state_of(*(o.address for o in oracles)) == before


def test_refuses_lists_that_are_not_ascending(committee, oracles, state_of):
    a, b, c = (o.address for o in oracles[:3])
    before = state_of(a, b, c)
    for members in ([b, a, c], [a, a, b], [a, c, b], ["0x" + "00" * 20, a, b]):
        with boa.reverts("oracle_committee: members not ascending"):
            committee.configure(members, 2, 1)
    assert state_of(a, b, c) == before


@pytest.mark.parametrize(("count", "threshold"), [(2, 1), (6, 3), (7, 3), (7, 0)])
def test_refuses_less_than_a_majority(committee, oracles, state_of, count, threshold):
    before = state_of()
    with boa.reverts("oracle_committee: threshold is not a majority"):
        committee.configure([o.address for o in oracles[:count]], threshold, 1)
    assert state_of() == before


def test_refuses_more_than_there_are(committee, oracles, state_of):
    before = state_of()
    with boa.reverts("oracle_committee: threshold above member count"):
        committee.configure([o.address for o in oracles], 8, 1)
    assert state_of() == before


def test_dropped_member_waits_for_its_bond(committee, oracles):
    dropped = oracles[0].address
    assert committee.bond_locked_until(dropped) == LISTED
    committee.configure([o.address for o in oracles[1:]], 5, 1)
    assert committee.bond_locked_until(dropped) == boa.env.evm.patch.timestamp + BOND_DELAY
    assert not committee.counts(dropped)
    assert committee.member_of_key(dropped) == "0x" + "00" * 20
    assert committee.bond_of(dropped) == MIN_BOND


def test_dropping_again_does_not_start_the_wait_again(committee, oracles):
    dropped = oracles[0].address
    rest = [o.address for o in oracles[1:]]
    committee.configure(rest, 5, 1)
    free_at = committee.bond_locked_until(dropped)
    boa.env.time_travel(seconds=1_000)
    committee.configure(rest, 5, 1)
    assert committee.bond_locked_until(dropped) == free_at


def test_listed_again_counts_with_its_old_bond_and_key(committee, oracles, keys, rotate):
    members = [o.address for o in oracles]
    (fresh,) = keys("fresh", 1)
    rotate(oracles[0], fresh)
    committee.configure(members[1:], 5, 1)
    committee.configure(members, 5, 1)
    assert committee.counts(members[0])
    assert committee.bond_locked_until(members[0]) == LISTED
    assert committee.member_of_key(fresh.address) == members[0]


def test_newcomer_counts_once_it_is_bonded(committee, oracles, stranger):
    members = sorted([*(o.address for o in oracles), stranger], key=lambda a: int(a, 16))
    committee.configure(members, 6, 1)
    assert committee.key_of(stranger) == stranger
    assert not committee.counts(stranger)
    committee.bond(stranger, MIN_BOND)
    assert committee.counts(stranger)
    assert committee.member_of_key(stranger) == stranger


def test_refuses_who_has_retired(committee, oracles, state_of):
    members = [o.address for o in oracles]
    committee.leave(sender=members[3])
    before = state_of(*members)
    with boa.reverts("oracle_committee: listed member has retired"):
        committee.configure(members, 5, 1)
    assert state_of(*members) == before
    committee.configure(members[:3] + members[4:], 4, 1)
    assert committee.threshold() == 4


def test_refuses_an_address_that_is_a_key_of_another(committee, oracles, keys, rotate, state_of):
    (fresh,) = keys("fresh", 1)
    rotate(oracles[0], fresh)
    members = sorted([*(o.address for o in oracles), fresh.address], key=lambda a: int(a, 16))
    before = state_of(*members)
    with boa.reverts("oracle_committee: address is another member's key"):
        committee.configure(members, 5, 1)
    assert state_of(*members) == before
