"""OracleCommittee.verify: which signatures pass, and what each of the others reverts with."""

import boa
import pytest
from coincurve import PrivateKey
from eth_account import Account

from oracle.domain.messages import Domain, Report

from .conftest import (
    KEY_OVERLAP,
    OTHER_PAYLOAD,
    PAYLOAD,
    ROUND,
    SUBJECT,
    Consumer,
)

# order of secp256k1
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

UNKNOWN = "oracle_committee: unknown signer"
COUNT = "oracle_committee: wrong signature count"
ORDERING = "oracle_committee: signers not ascending"
TWICE = "oracle_committee: member signed twice"
EXPIRED = "oracle_committee: key expired"
MALLEABLE = "oracle_committee: malleable signature"


def split(signatures: bytes) -> list[bytes]:
    return [signatures[i : i + 65] for i in range(0, len(signatures), 65)]


def by_address(signer) -> int:
    return int(signer.address, 16)


def ascending(*signers):
    return sorted(signers, key=by_address)


def malleable_twin(signature: bytes) -> bytes:
    """The other signature of the same key over the same digest."""
    s = ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


# --- what passes --------------------------------------------------------------------------


def test_returns_the_bitmap_of_signers(check, sign_report, consumer, oracles):
    assert check(sign_report(oracles[:5], consumer)) == 0b0011111
    assert check(sign_report(oracles[2:], consumer)) == 0b1111100
    every_other = [oracles[i] for i in (0, 2, 3, 5, 6)]
    assert check(sign_report(every_other, consumer)) == 0b1101101


def test_same_report_passes_again_and_changes_nothing(check, sign_report, consumer, oracles):
    signatures = sign_report(oracles[:5], consumer)
    assert check(signatures) == check(signatures)


def test_digest_is_the_one_of_the_python_message(committee, consumer, domain_of):
    report = Report(committee.config_digest(), consumer.address, SUBJECT, ROUND, PAYLOAD)
    assert committee.report_digest(consumer.address, SUBJECT, ROUND, PAYLOAD) == report.digest(
        domain_of(committee)
    )


@pytest.mark.parametrize("members", [1, 2, 13, 14, 15, 31])
def test_committees_of_every_size(deploy_committee, sign_report, check, consumer, keys, members):
    """One member, and rosters that end before, at and behind the end of a chunk."""
    signers = keys("size", members)
    threshold = members // 2 + 1
    target = deploy_committee([s.address for s in signers], threshold)

    last = signers[-threshold:]
    bitmap = (2**threshold - 1) << (members - threshold)
    assert check(sign_report(last, consumer, at=target), at=target) == bitmap

    spread = signers[::2][:threshold] if len(signers[::2]) >= threshold else signers[:threshold]
    expected = sum(1 << signers.index(s) for s in spread)
    assert check(sign_report(spread, consumer, at=target), at=target) == expected


def test_thirty_one_of_thirty_one(deploy_committee, sign_report, check, consumer, keys):
    signers = keys("all", 31)
    target = deploy_committee([s.address for s in signers], 31)
    assert check(sign_report(signers, consumer, at=target), at=target) == 2**31 - 1


@pytest.mark.parametrize("members", [13, 14, 15])
def test_stranger_beyond_a_roster_around_the_end_of_a_chunk(
    deploy_committee, sign_report, check, consumer, keys, members
):
    *signers, stranger = keys("size", members + 1)
    threshold = members // 2 + 1
    target = deploy_committee([s.address for s in signers], threshold)
    with boa.reverts(UNKNOWN):
        check(sign_report([*signers[1 - threshold :], stranger], consumer, at=target), at=target)


# --- how many -----------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 4, 6, 7])
def test_any_other_number_of_signatures(check, sign_report, consumer, oracles, count):
    with boa.reverts(COUNT):
        check(sign_report(oracles[:count], consumer))


@pytest.mark.parametrize("change", [-65, -1, 1, 64])
def test_length_that_is_not_a_whole_signature(check, sign_report, consumer, oracles, change):
    signatures = sign_report(oracles[:5], consumer)
    joined = signatures[:change] if change < 0 else signatures + b"\0" * change
    with boa.reverts(COUNT):
        check(joined)


def test_two_hundred_variants_are_refused_at_the_door(
    committee, check, sign_report, consumer, oracles
):
    """One member floods reports of its own; honest reports go through as if nothing was."""
    honest = sign_report(oracles[:5], consumer)
    before = (check(honest), committee.roster(), committee.config_digest())
    flooder = oracles[6]
    for i in range(200):
        variant = sign_report([flooder], consumer, payload=i.to_bytes(32, "big"))
        with boa.reverts(COUNT):
            check(variant)
    with boa.reverts(ORDERING):
        check(sign_report([flooder] * 5, consumer))
    assert (check(honest), committee.roster(), committee.config_digest()) == before


# --- who ----------------------------------------------------------------------------------


def test_order_matters(check, sign_report, consumer, oracles):
    swapped = [oracles[1], oracles[0], *oracles[2:5]]
    with boa.reverts(ORDERING):
        check(sign_report(swapped, consumer))
    with boa.reverts(ORDERING):
        check(sign_report(oracles[4::-1], consumer))
    with boa.reverts(ORDERING):
        check(sign_report([*oracles[1:5], oracles[0]], consumer))


def test_one_signature_twice(check, sign_report, consumer, oracles):
    with boa.reverts(ORDERING):
        check(sign_report([*oracles[:4], oracles[3]], consumer))


@pytest.mark.parametrize("below", range(5))
def test_stranger_among_them(check, sign_report, consumer, oracles, keys, below):
    """One signer in five is unknown, wherever it sorts."""
    members = oracles[1:5]
    stranger = next(
        key
        for key in keys("stranger", 200)
        if sorted([key, *members], key=by_address).index(key) == below
    )
    with boa.reverts(UNKNOWN):
        check(sign_report(ascending(stranger, *members), consumer))


def test_garbage_recovers_nobody(check, sign_report, consumer, oracles):
    honest = split(sign_report(oracles[:5], consumer))
    for v in (0, 1, 26, 29, 255):
        forged = honest[0][:64] + bytes([v])
        with boa.reverts(ORDERING):
            check(b"".join([forged, *honest[1:]]))
    with boa.reverts(ORDERING):
        check(b"\0" * 325)


def test_high_s(check, sign_report, consumer, oracles):
    honest = split(sign_report(oracles[:5], consumer))
    for place in range(5):
        changed = list(honest)
        changed[place] = malleable_twin(honest[place])
        with boa.reverts(MALLEABLE):
            check(b"".join(changed))


def test_largest_low_s(committee, check, sign_report, consumer, oracles, rotate):
    """The bound itself is no malleable signature, one above is.

    Nobody's signature has that s by chance, so the key is made for it: for a nonce and an s it
    is what the signing equation is solved for. A rotation leaves the digest as it was.
    """
    digest = int.from_bytes(
        committee.report_digest(consumer.address, SUBJECT, ROUND, PAYLOAD), "big"
    )
    nonce = PrivateKey(b"\x01" * 32)
    x, y = nonce.public_key.point()
    largest = ORDER // 2
    for s in (largest, largest + 1):
        secret = (s * nonce.to_int() - digest) * pow(x, -1, ORDER) % ORDER
        made = Account.from_key(secret.to_bytes(32, "big"))
        rotate(oracles[0], made)
        signature = x.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + y % 2])
        by_key = {o.address: sign_report([o], consumer) for o in oracles[1:5]}
        by_key[made.address] = signature
        joined = b"".join(by_key[key] for key in sorted(by_key, key=lambda key: int(key, 16)))
        if s == largest:
            assert check(joined) == 0b0011111
        else:
            with boa.reverts(MALLEABLE):
                check(joined)


# --- over what ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"subject": b"\x12" * 32},
        {"epoch": ROUND + 1},
        {"payload": OTHER_PAYLOAD},
        {"config": b"\x01" * 32},
    ],
    ids=["subject", "round", "payload", "config"],
)
def test_signed_over_something_else(check, sign_report, consumer, oracles, change):
    refuse(check, sign_report(oracles[:5], consumer, **change))


def test_signed_for_another_consumer(check, sign_report, oracles, stranger):
    refuse(check, sign_report(oracles[:5], Consumer(stranger)))


def test_signed_for_another_chain(check, sign_report, consumer, oracles, committee, domain_of):
    here = domain_of(committee)
    elsewhere = Domain(here.chain_id + 1, here.verifying_contract)
    refuse(check, sign_report(oracles[:5], consumer, domain=elsewhere))


def test_signed_for_another_committee(check, sign_report, deploy_committee, consumer, oracles):
    """Same members, threshold and rules at another address: nothing carries over."""
    twin = deploy_committee([o.address for o in oracles], 5)
    signatures = sign_report(oracles[:5], consumer, at=twin)
    assert check(signatures, at=twin) == 0b0011111
    refuse(check, signatures)


def refuse(check, signatures: bytes) -> None:
    """A wrong digest recovers keys nobody knows, in no particular order."""
    with pytest.raises(boa.BoaError) as error:
        check(signatures)
    assert UNKNOWN in str(error.value) or ORDERING in str(error.value)


# --- as the committee changes -------------------------------------------------------------


def test_report_of_the_previous_configuration(committee, check, sign_report, consumer, oracles):
    signatures = sign_report(oracles[:5], consumer)
    committee.configure([o.address for o in oracles], 5, 1)
    refuse(check, signatures)
    assert check(sign_report(oracles[:5], consumer)) == 0b0011111


def test_threshold_change_in_the_middle_of_a_round(
    committee, check, sign_report, consumer, oracles
):
    early = sign_report(oracles[:5], consumer)
    committee.configure([o.address for o in oracles], 6, 1)
    with boa.reverts(COUNT):
        check(early)
    with boa.reverts(COUNT):
        check(sign_report(oracles[:5], consumer))
    assert check(sign_report(oracles[:6], consumer)) == 0b0111111


def test_member_dropped_in_the_middle_of_a_round(committee, check, sign_report, consumer, oracles):
    early = sign_report(oracles[:5], consumer)
    committee.configure([o.address for o in oracles[1:]], 5, 1)
    refuse(check, early)
    with boa.reverts(UNKNOWN):
        check(sign_report(oracles[:5], consumer))
    # bit 0 is the first member of the new list
    assert check(sign_report(oracles[1:6], consumer)) == 0b011111


def test_member_that_left_does_not_count(committee, check, sign_report, consumer, oracles):
    committee.leave(sender=oracles[2].address)
    with boa.reverts(UNKNOWN):
        check(sign_report(oracles[:5], consumer))
    others = [o for o in oracles if o is not oracles[2]]
    assert check(sign_report(others[:5], consumer)) == 0b0111011


def test_member_without_bond_does_not_count(
    deploy_committee, sign_report, check, consumer, oracles, token
):
    target = deploy_committee([o.address for o in oracles], 5, bonded=False)
    with boa.reverts(UNKNOWN):
        check(sign_report(oracles[:5], consumer, at=target), at=target)
    token.approve(target, 2**256 - 1)
    for oracle in oracles[:4]:
        target.bond(oracle.address, target.MIN_BOND())
    target.bond(oracles[4].address, target.MIN_BOND() - 1)
    with boa.reverts(UNKNOWN):
        check(sign_report(oracles[:5], consumer, at=target), at=target)
    target.bond(oracles[4].address, 1)
    assert check(sign_report(oracles[:5], consumer, at=target), at=target) == 0b0011111


# --- as keys change -----------------------------------------------------------------------


def test_new_key_counts_at_once_and_the_old_one_until_the_overlap_ends(
    check, sign_report, consumer, oracles, keys, rotate
):
    (fresh,) = keys("fresh", 1)
    rotate(oracles[0], fresh)
    with_new = sign_report(ascending(fresh, *oracles[1:5]), consumer)
    with_old = sign_report(oracles[:5], consumer)
    assert check(with_new) == 0b0011111
    assert check(with_old) == 0b0011111

    boa.env.time_travel(seconds=KEY_OVERLAP - 1)
    assert check(with_old) == 0b0011111
    boa.env.time_travel(seconds=1)
    with boa.reverts(EXPIRED):
        check(with_old)
    assert check(with_new) == 0b0011111


def test_key_that_ends_now_is_left_out_of_a_new_roster(
    check, sign_report, consumer, oracles, keys, rotate
):
    fresh, other = keys("fresh", 2)
    rotate(oracles[0], fresh)
    with_old = sign_report(oracles[:5], consumer)
    boa.env.time_travel(seconds=KEY_OVERLAP)
    rotate(oracles[6], other)
    with boa.reverts(UNKNOWN):
        check(with_old)


def test_two_keys_of_one_member_count_once(check, sign_report, consumer, oracles, keys, rotate):
    (fresh,) = keys("fresh", 1)
    rotate(oracles[0], fresh)
    with boa.reverts(TWICE):
        check(sign_report(ascending(fresh, *oracles[:4]), consumer))


def test_rotation_leaves_signatures_of_the_round_valid(
    committee, check, sign_report, consumer, oracles, keys, rotate
):
    signatures = sign_report(oracles[:5], consumer)
    digest = committee.config_digest()
    for oracle, key in zip(oracles[:5], keys("fresh", 5), strict=True):
        rotate(oracle, key)
    assert committee.config_digest() == digest
    assert check(signatures) == 0b0011111


def test_second_rotation_ends_the_oldest_key_at_once(
    check, sign_report, consumer, oracles, keys, rotate
):
    first, second = keys("fresh", 2)
    rotate(oracles[0], first)
    rotate(oracles[0], second)
    with boa.reverts(UNKNOWN):
        check(sign_report(oracles[:5], consumer))
    assert check(sign_report(ascending(first, *oracles[1:5]), consumer)) == 0b0011111
    assert check(sign_report(ascending(second, *oracles[1:5]), consumer)) == 0b0011111


def test_thirty_one_members_with_two_keys_each(
    deploy_committee, sign_report, check, consumer, keys, claim
):
    members = keys("many", 31)
    target = deploy_committee([m.address for m in members], 16)
    fresh = keys("renewed", 31)
    for member, key in zip(members, fresh, strict=True):
        target.rotate_key(key.address, claim(key, member.address, at=target), sender=member.address)
    assert check(sign_report(members[15:], consumer, at=target), at=target) == 0xFFFF << 15
    assert check(sign_report(fresh[:16], consumer, at=target), at=target) == 0xFFFF
    mixed = ascending(*members[:8], *fresh[8:16])
    assert check(sign_report(mixed, consumer, at=target), at=target) == 0xFFFF
