"""OracleCommittee.prove_equivocation: two truths under one name cost the bond."""

import boa
import pytest
from coincurve import PrivateKey
from eth_account import Account

from oracle.domain.messages import Report

from .conftest import (
    BOND_DELAY,
    KEY_OVERLAP,
    MIN_BOND,
    OTHER_PAYLOAD,
    PAYLOAD,
    REPORTER_BPS,
    ROUND,
    SUBJECT,
    Consumer,
)

# the order of secp256k1, and the largest s that EIP-2 allows
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
MAX_S = ORDER // 2
REWARD = MIN_BOND * REPORTER_BPS // 10_000


@pytest.fixture
def convict(committee, consumer, sign_report, reporter):
    """Report two signatures; each part of the case open to change."""

    def _convict(
        first,
        second=None,
        *,
        config=None,
        payloads=(PAYLOAD, OTHER_PAYLOAD),
        signatures=None,
        sender=reporter,
    ):
        config = committee.config_digest() if config is None else config
        second = first if second is None else second
        if signatures is None:
            signatures = [
                sign_report([signer], consumer, payload=payload, config=config)
                for signer, payload in zip((first, second), payloads, strict=True)
            ]
        committee.prove_equivocation(
            config,
            consumer.address,
            SUBJECT,
            ROUND,
            payloads[0],
            signatures[0],
            payloads[1],
            signatures[1],
            sender=sender,
        )

    return _convict


def test_bond_is_slashed_shared_and_burnt(committee, token, oracles, convict, reporter):
    member = oracles[0].address
    held, supply = token.balanceOf(committee), token.totalSupply()
    convict(oracles[0])
    (event,) = [e for e in committee.get_logs() if type(e).__name__ == "Equivocated"]
    assert (event.member, event.reporter) == (member, reporter)
    assert (event.slashed, event.reporter_amount) == (MIN_BOND, REWARD)
    assert event.burnt == MIN_BOND - REWARD
    assert (event.subject, event.round) == (SUBJECT, ROUND)
    assert token.balanceOf(reporter) == REWARD
    assert token.totalSupply() == supply - (MIN_BOND - REWARD)
    assert token.balanceOf(committee) == held - MIN_BOND
    assert committee.bond_of(member) == 0


def test_convicted_member_stops_counting_at_once_and_for_good(
    committee, oracles, convict, check, sign_report, consumer
):
    member = oracles[0].address
    digest = committee.config_digest()
    convict(oracles[0])
    assert not committee.counts(member)
    assert committee.retired(member)
    with boa.reverts("oracle_committee: unknown signer"):
        check(sign_report(oracles[:5], consumer))
    # the rest of the committee goes on under the same digest
    assert committee.config_digest() == digest
    assert check(sign_report(oracles[1:6], consumer)) == 0b0111110
    with boa.reverts("oracle_committee: member has retired"):
        committee.bond(member, MIN_BOND)


def test_order_of_the_two_does_not_matter(committee, oracles, convict):
    convict(oracles[0], payloads=(OTHER_PAYLOAD, PAYLOAD))
    assert committee.bond_of(oracles[0].address) == 0


def test_whole_bond_goes_and_dust_is_burnt(committee, token, oracles, convict, reporter):
    committee.bond(oracles[0].address, 3)
    supply = token.totalSupply()
    convict(oracles[0])
    assert token.balanceOf(reporter) == (MIN_BOND + 3) * REPORTER_BPS // 10_000
    assert supply - token.totalSupply() == MIN_BOND + 3 - token.balanceOf(reporter)


def test_second_proof_finds_nothing(committee, oracles, convict, state_of):
    convict(oracles[0])
    before = state_of(oracles[0].address)
    with boa.reverts("oracle_committee: nothing to slash"):
        convict(oracles[0])
    with boa.reverts("oracle_committee: nothing to slash"):
        convict(oracles[0], payloads=(PAYLOAD, b"\x44" * 32))
    assert state_of(oracles[0].address) == before


def test_each_of_several_equivocators_pays(committee, token, oracles, convict):
    held = token.balanceOf(committee)
    for oracle in oracles[:3]:
        convict(oracle)
    assert token.balanceOf(committee) == held - 3 * MIN_BOND


def test_any_config_digest_convicts(committee, oracles, convict):
    old = committee.config_digest()
    committee.configure([o.address for o in oracles], 6, 2)
    convict(oracles[0], config=old)
    convict(oracles[1], config=b"\x99" * 32)
    assert [committee.bond_of(o.address) for o in oracles[:2]] == [0, 0]


def test_two_keys_of_one_member_convict_it(committee, oracles, keys, rotate, convict):
    (fresh,) = keys("fresh", 1)
    rotate(oracles[0], fresh)
    convict(oracles[0], fresh)
    assert committee.bond_of(oracles[0].address) == 0
    assert committee.member_of_key(fresh.address) == "0x" + "00" * 20


def test_dropped_member_stays_convictable_until_its_bond_is_free(committee, oracles, convict):
    committee.configure([o.address for o in oracles[1:]], 5, 1)
    boa.env.time_travel(seconds=BOND_DELAY - 1)
    convict(oracles[0])
    assert committee.bond_of(oracles[0].address) == 0


def test_member_that_left_stays_convictable(committee, oracles, convict):
    committee.leave(sender=oracles[0].address)
    free_at = committee.bond_locked_until(oracles[0].address)
    convict(oracles[0])
    assert committee.bond_of(oracles[0].address) == 0
    assert committee.bond_locked_until(oracles[0].address) == free_at
    boa.env.time_travel(seconds=BOND_DELAY)
    with boa.reverts("oracle_committee: no bond"):
        committee.withdraw_bond(sender=oracles[0].address)


def test_withdrawn_bond_is_out_of_reach(committee, oracles, convict):
    committee.leave(sender=oracles[0].address)
    boa.env.time_travel(seconds=BOND_DELAY)
    committee.withdraw_bond(sender=oracles[0].address)
    with boa.reverts("oracle_committee: nothing to slash"):
        convict(oracles[0])


def test_ended_key_convicts_for_the_bond_delay_and_no_longer(
    committee, oracles, keys, rotate, convict, state_of
):
    """A key that leaks long after its rotation is no weapon against its member."""
    (fresh,) = keys("fresh", 1)
    rotate(oracles[0], fresh)
    boa.env.time_travel(seconds=KEY_OVERLAP + BOND_DELAY - 1)
    with boa.env.anchor():
        convict(oracles[0])
        assert committee.bond_of(oracles[0].address) == 0
    boa.env.time_travel(seconds=1)
    before = state_of(oracles[0].address)
    with boa.reverts("oracle_committee: key ended too long ago"):
        convict(oracles[0])
    assert state_of(oracles[0].address) == before
    convict(fresh)
    assert committee.bond_of(oracles[0].address) == 0


# --- what convicts nobody -----------------------------------------------------------------


def test_same_payload_twice(oracles, convict, state_of):
    before = state_of(oracles[0].address)
    with boa.reverts("oracle_committee: payloads are equal"):
        convict(oracles[0], payloads=(PAYLOAD, PAYLOAD))
    assert state_of(oracles[0].address) == before


def test_two_members_that_disagree(oracles, convict, state_of):
    before = state_of(*(o.address for o in oracles))
    with boa.reverts("oracle_committee: signed by different members"):
        convict(oracles[0], oracles[1])
    assert state_of(*(o.address for o in oracles)) == before


@pytest.mark.parametrize(
    "change",
    [
        {"subject": b"\x12" * 32},
        {"epoch": ROUND + 1},
        {"consumer": Consumer("0x" + "ab" * 20)},
        {"config": b"\x77" * 32},
    ],
    ids=["subject", "round", "consumer", "config"],
)
def test_honest_signatures_over_different_things(
    oracles, convict, sign_report, consumer, state_of, change
):
    """A corrected report has another subject, the next one another round: no equivocation."""
    first = sign_report([oracles[0]], consumer)
    second = sign_report(
        [oracles[0]], **({"consumer": consumer, "payload": OTHER_PAYLOAD} | change)
    )
    before = state_of(oracles[0].address)
    with boa.reverts("oracle_committee: not a member's signature"):
        convict(oracles[0], signatures=[first, second])
    assert state_of(oracles[0].address) == before


def test_stranger_and_garbage(keys, convict, oracles, sign_report, consumer):
    (nobody,) = keys("nobody", 1)
    with boa.reverts("oracle_committee: not a member's signature"):
        convict(nobody)
    honest = sign_report([oracles[0]], consumer)
    with boa.reverts("oracle_committee: not a member's signature"):
        convict(oracles[0], signatures=[honest, b"\0" * 65])
    for short in (b"", honest[:64]):
        with boa.reverts("oracle_committee: signature is not 65 bytes"):
            convict(oracles[0], signatures=[honest, short])


def test_self_conviction_costs_the_member_most_of_its_bond(committee, token, oracles, convict):
    member = oracles[0].address
    convict(oracles[0], sender=member)
    assert token.balanceOf(member) == REWARD


def test_the_smallest_reward_is_paid(
    deploy_committee, token, oracles, consumer, sign_report, reporter
):
    member = oracles[0].address
    committee = deploy_committee([member], 1, min_bond=5, bonded=False)
    token.approve(committee, 5)
    committee.bond(member, 5)
    config = committee.config_digest()
    payloads = (PAYLOAD, OTHER_PAYLOAD)
    a, b = (sign_report([oracles[0]], consumer, payload=p, at=committee) for p in payloads)
    had = token.balanceOf(reporter)
    committee.prove_equivocation(
        config, consumer.address, SUBJECT, ROUND, PAYLOAD, a, OTHER_PAYLOAD, b, sender=reporter
    )
    assert token.balanceOf(reporter) == had + 1
    assert token.balanceOf(committee) == 0


def test_the_largest_s_of_a_signature_counts(
    deploy_committee, token, oracles, consumer, sign_report, domain_of, reporter
):
    """For a given digest, nonce and s there is one key that signs so."""
    committee = deploy_committee([oracles[0].address], 1)
    config = bytes(32)
    report = Report(config, consumer.address, SUBJECT, ROUND, PAYLOAD)
    digest = int.from_bytes(report.digest(domain_of(committee)), "big")
    nonce = 0x1234567
    r, y = PrivateKey.from_int(nonce).public_key.point()
    secret = (MAX_S * nonce - digest) * pow(r, -1, ORDER) % ORDER
    liar = Account.from_key(secret.to_bytes(32, "big"))
    first = r.to_bytes(32, "big") + MAX_S.to_bytes(32, "big") + bytes([27 + y % 2])
    second = sign_report([liar], consumer, payload=OTHER_PAYLOAD, config=config, at=committee)
    committee.configure([liar.address], 1, 1)
    committee.bond(liar.address, MIN_BOND)
    committee.prove_equivocation(
        config, consumer.address, SUBJECT, ROUND, PAYLOAD, first, OTHER_PAYLOAD, second,
        sender=reporter,
    )  # fmt: skip
    assert committee.retired(liar.address)
