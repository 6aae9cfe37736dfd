"""The split of a budget: exact examples, and rules that hold for every epoch."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.domain.epochs import MAX_ORACLE_SHARE_BPS, EpochInput, EpochRules, LiveDevice, close
from oracle.domain.hashing import keccak
from oracle.domain.leaves import (
    EpochLeaves,
    Leaf,
    LeafKind,
    account_key,
    job_key,
    payee_key,
    provider_key,
)
from oracle.domain.merkle import EMPTY_ROOT, verify
from oracle.domain.receipts import MAX_RECEIPTS, AgreedReceipt, Receipt, unpack
from oracle.errors import BadInput

DISTRIBUTOR = "0x" + "d1" * 20
LEDGER = "0x" + "1e" * 20
ALICE, BOB, CAROL = ("0x" + letter * 40 for letter in "abc")

EPOCH = EpochInput(
    chain_id=31337,
    distributor=DISTRIBUTOR,
    ledger=LEDGER,
    from_epoch=3,
    to_epoch=3,
    budget=1_000,
    rules=EpochRules(oracle_share_bps=1_000),
)


def device(name: int, provider: int, ops: int, jailed: bool = False) -> LiveDevice:
    """A device whose id is a number."""
    return LiveDevice(name.to_bytes(32, "big"), provider, ops, jailed)


def agreed(job: int, payee: int, seconds: int = 60, status: int = 3) -> AgreedReceipt:
    return AgreedReceipt(Receipt(job, seconds, status), payee)


def provider_leaf(provider: int, value: int) -> Leaf:
    return Leaf(LeafKind.PROVIDER, provider_key(provider), value)


def account_leaf(account: str, value: int) -> Leaf:
    return Leaf(LeafKind.ACCOUNT, account_key(account), value)


# --- exact examples -----------------------------------------------------------------------


def test_an_epoch_with_nobody_is_reclaimed_whole():
    leaves = close(EPOCH)
    assert leaves.rewards == leaves.usage == leaves.attestations == ()
    assert leaves.reward_tree.root == EMPTY_ROOT
    assert (leaves.cumulative_rewards, leaves.reclaimed) == (0, 1_000)


def test_providers_share_by_the_speed_of_their_devices():
    leaves = close(replace(EPOCH, devices=[device(1, 7, 50), device(2, 8, 30), device(3, 7, 10)]))
    # 900 for providers: 7 has 60 of 90 operations, 8 has 30
    assert leaves.rewards == (provider_leaf(7, 600), provider_leaf(8, 300))
    assert leaves.reclaimed == 100


def test_oracles_share_by_signatures_counted():
    leaves = close(replace(EPOCH, signatures={ALICE: 3, BOB: 1, CAROL: 0}))
    assert leaves.rewards == (account_leaf(ALICE, 75), account_leaf(BOB, 25))
    assert leaves.reclaimed == 900


def test_dust_is_reclaimed():
    leaves = close(
        replace(
            EPOCH,
            devices=[device(i, i, 1) for i in range(1, 8)],
            signatures={ALICE: 1, BOB: 1, CAROL: 1},
        )
    )
    assert [leaf.value for leaf in leaves.rewards] == [900 // 7] * 7 + [100 // 3] * 3
    assert leaves.reclaimed == 900 % 7 + 100 % 3


def test_the_submitter_is_paid_out_of_the_oracles_share():
    rules = EpochRules(oracle_share_bps=1_000, submission_bounty=40)
    leaves = close(replace(EPOCH, rules=rules, submitter=CAROL, signatures={ALICE: 1, CAROL: 2}))
    assert leaves.rewards == (account_leaf(ALICE, 20), account_leaf(CAROL, 40 + 40))


def test_the_bounty_is_capped_by_the_oracles_share():
    rules = EpochRules(oracle_share_bps=1_000, submission_bounty=10**9)
    leaves = close(replace(EPOCH, rules=rules, submitter=CAROL, signatures={ALICE: 1}))
    assert leaves.rewards == (account_leaf(CAROL, 100),)


def test_without_a_submitter_there_is_no_bounty():
    rules = EpochRules(oracle_share_bps=1_000, submission_bounty=40)
    leaves = close(replace(EPOCH, rules=rules, signatures={ALICE: 1}))
    assert leaves.rewards == (account_leaf(ALICE, 100),)


def test_a_jailed_provider_gets_nothing_new_and_keeps_what_it_had():
    leaves = close(
        replace(
            EPOCH,
            previous=[provider_leaf(7, 5)],
            devices=[device(1, 7, 50, jailed=True), device(2, 8, 10)],
        )
    )
    assert leaves.rewards == (provider_leaf(7, 5), provider_leaf(8, 900))
    # it is attested all the same
    assert len(leaves.attestations) == 2


def test_devices_of_no_speed_take_nothing():
    assert close(replace(EPOCH, devices=[device(1, 7, 0)])).rewards == ()


def test_rewards_add_up_over_epochs():
    first = close(replace(EPOCH, devices=[device(1, 7, 1)], signatures={ALICE: 1}))
    second = close(
        replace(EPOCH, previous=first.rewards, devices=[device(2, 8, 1)], signatures={ALICE: 1})
    )
    assert second.rewards == (
        provider_leaf(7, 900),
        provider_leaf(8, 900),
        account_leaf(ALICE, 200),
    )
    assert second.cumulative_rewards == 2_000
    assert second.reclaimed == 0


def test_usage_and_attestations_have_trees_of_their_own():
    leaves = close(replace(EPOCH, devices=[device(5, 7, 11)], usage={9: 3_600, 7: 0}))
    assert leaves.usage == (
        Leaf(LeafKind.USAGE, provider_key(7), 0),
        Leaf(LeafKind.USAGE, provider_key(9), 3_600),
    )
    assert leaves.attestations == (Leaf(LeafKind.ATTESTATION, (5).to_bytes(32, "big"), 11),)
    usage = leaves.usage[1]
    tree = leaves.usage_tree
    assert verify(tree.root, usage.hash(31337, LEDGER), tree.proof(1))
    assert leaves.attestation_tree.root == leaves.attestations[0].hash(31337, LEDGER)


def test_a_job_is_settled_by_the_hash_of_its_receipt():
    leaves = close(replace(EPOCH, receipts=[agreed(5, payee=7, seconds=90, status=4)]))
    packed = (5).to_bytes(8, "big") + (90).to_bytes(7, "big") + b"\4"
    hashed = int.from_bytes(keccak(packed), "big")
    assert leaves.usage_leaves == (
        Leaf(LeafKind.JOB, (5).to_bytes(32, "big"), hashed),
        Leaf(LeafKind.PAYEE, provider_key(7), hashed),
    )
    assert set(leaves.packed.values()) == {packed}
    job, tree = leaves.usage_leaves[0], leaves.usage_tree
    assert verify(tree.root, job.hash(31337, LEDGER), tree.proof(0))


def test_a_payee_has_one_leaf_for_all_its_jobs():
    receipts = [agreed(9, payee=7), agreed(2, payee=8), agreed(3, payee=7)]
    leaves = close(replace(EPOCH, receipts=receipts, usage={7: 1}))
    assert [(leaf.kind, leaf.key) for leaf in leaves.usage_leaves] == [
        (LeafKind.USAGE, provider_key(7)),
        *((LeafKind.JOB, job_key(job)) for job in (2, 3, 9)),
        *((LeafKind.PAYEE, payee_key(payee)) for payee in (7, 8)),
    ]
    assert [r.job for r in unpack(leaves.packed[LeafKind.PAYEE, payee_key(7)])] == [3, 9]


def test_a_payee_of_many_jobs_has_further_parts():
    jobs = 2 * MAX_RECEIPTS + 1
    leaves = close(replace(EPOCH, receipts=[agreed(job, payee=7) for job in range(1, jobs + 1)]))
    parts = {key: packed for (kind, key), packed in leaves.packed.items() if kind is LeafKind.PAYEE}
    assert list(parts) == [((part << 32) + 7).to_bytes(32, "big") for part in range(3)]
    assert [len(packed) // 16 for packed in parts.values()] == [MAX_RECEIPTS, MAX_RECEIPTS, 1]
    together = [receipt.job for packed in parts.values() for receipt in unpack(packed)]
    assert together == list(range(1, jobs + 1))


def test_a_leaf_is_hashed_twice_over_five_words():
    leaf = account_leaf(ALICE, 5)
    words = (
        (31337).to_bytes(32, "big")
        + bytes(12)
        + bytes.fromhex("d1" * 20)
        + (2).to_bytes(32, "big")
        + bytes(12)
        + bytes.fromhex("aa" * 20)
        + (5).to_bytes(32, "big")
    )
    assert leaf.hash(31337, DISTRIBUTOR) == keccak(keccak(words))


def test_the_report_names_the_three_roots_and_the_file():
    leaves = close(replace(EPOCH, devices=[device(1, 7, 1)], usage={7: 60}, signatures={ALICE: 1}))
    report = leaves.report(previous=b"\1" * 32, rules_version=4)
    assert (report.from_epoch, report.to_epoch) == (3, 3)
    assert report.previous == b"\1" * 32
    assert report.reward_root == leaves.reward_tree.root
    assert report.usage_root == leaves.usage_tree.root
    assert report.attestation_root == leaves.attestation_tree.root
    assert report.cumulative_rewards == 1_000
    assert report.data_hash == leaves.data_hash
    assert report.rules_version == 4


# --- refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"from_epoch": 4}, "epoch 4 is after 3"),
        ({"budget": -1}, "below 0"),
        ({"usage": {1: -1}}, "below 0"),
        ({"signatures": {ALICE: -1}}, "below 0"),
        ({"devices": [device(1, 7, -1)]}, "below 0"),
        ({"devices": [device(1, 7, 1), device(1, 8, 1)]}, "device is listed twice"),
        ({"previous": [provider_leaf(7, 1), provider_leaf(7, 2)]}, "leaf is listed twice"),
        ({"previous": [Leaf(LeafKind.USAGE, provider_key(7), 1)]}, "leaf of another tree"),
        ({"receipts": [agreed(5, 7), agreed(5, 8)]}, "job is listed twice"),
        ({"signatures": {"0x12": 1}}, "not an address: '0x12'"),
        ({"signatures": {"oracle": 1}}, "not an address: 'oracle'"),
    ],
)
def test_a_snapshot_that_contradicts_itself(change: dict[str, Any], message: str):
    with pytest.raises(BadInput, match=message):
        close(replace(EPOCH, **change))


@pytest.mark.parametrize(("share", "bounty"), [(-1, 0), (MAX_ORACLE_SHARE_BPS + 1, 0), (0, -1)])
def test_rules_have_bounds(share: int, bounty: int):
    with pytest.raises(BadInput, match="out of bounds"):
        EpochRules(share, bounty)


# --- rules that hold for every epoch --------------------------------------------------------

addresses = st.sampled_from(["0x" + f"{i:040x}" for i in range(1, 9)])
providers = st.integers(1, 9)
amounts = st.integers(0, 10**24)
previous_leaves = st.dictionaries(
    st.one_of(
        st.tuples(st.just(LeafKind.PROVIDER), providers.map(provider_key)),
        st.tuples(st.just(LeafKind.ACCOUNT), addresses.map(account_key)),
    ),
    amounts,
).map(lambda totals: [Leaf(*owner, value) for owner, value in totals.items()])
epochs = st.builds(
    replace,
    st.just(EPOCH),
    budget=amounts,
    rules=st.builds(EpochRules, st.integers(0, MAX_ORACLE_SHARE_BPS), amounts),
    previous=previous_leaves,
    devices=st.lists(
        st.builds(
            device, st.integers(0, 10**6), providers, st.integers(0, 2**64 - 1), st.booleans()
        ),
        unique_by=lambda d: d.device,
    ),
    usage=st.dictionaries(providers, st.integers(0, 2**40 - 1)),
    receipts=st.lists(
        st.builds(agreed, st.integers(1, 99), providers, st.integers(0, 2**40), st.integers(3, 9)),
        unique_by=lambda a: a.receipt.job,
    ),
    signatures=st.dictionaries(addresses, st.integers(0, 1_000)),
    submitter=st.none() | addresses,
)


def by_owner(leaves: Any) -> dict[tuple[LeafKind, bytes], int]:
    return {(leaf.kind, leaf.key): leaf.value for leaf in leaves}


@given(epochs)
def test_what_is_paid_and_what_is_reclaimed_is_the_budget(epoch: EpochInput):
    leaves = close(epoch)
    before = sum(leaf.value for leaf in epoch.previous)
    assert leaves.reclaimed >= 0
    assert leaves.cumulative_rewards - before + leaves.reclaimed == epoch.budget


@given(epochs)
def test_no_leaf_ever_falls_or_disappears(epoch: EpochInput):
    after = by_owner(close(epoch).rewards)
    for owner, value in by_owner(epoch.previous).items():
        assert after[owner] >= value


@given(epochs)
def test_oracles_never_get_more_than_their_share(epoch: EpochInput):
    before = by_owner(epoch.previous)
    gained = sum(
        leaf.value - before.get((leaf.kind, leaf.key), 0)
        for leaf in close(epoch).rewards
        if leaf.kind == LeafKind.ACCOUNT
    )
    assert gained * 10_000 <= epoch.budget * epoch.rules.oracle_share_bps


@given(epochs, st.randoms())
def test_the_order_of_the_snapshot_does_not_matter(epoch: EpochInput, random: Any):
    def shuffled(items: Any) -> list[Any]:
        return random.sample(list(items), len(list(items)))

    other = replace(
        epoch,
        previous=shuffled(epoch.previous),
        devices=shuffled(epoch.devices),
        usage=dict(shuffled(epoch.usage.items())),
        receipts=shuffled(epoch.receipts),
        signatures=dict(shuffled(epoch.signatures.items())),
    )
    assert close(other) == close(epoch)
    assert close(other).data_hash == close(epoch).data_hash


@given(epochs)
def test_leaves_ascend_and_each_is_proved(epoch: EpochInput):
    leaves: EpochLeaves = close(epoch)
    owners = [(leaf.kind, leaf.key) for leaf in leaves.rewards]
    assert owners == sorted(set(owners))
    for i, leaf in enumerate(leaves.rewards):
        tree = leaves.reward_tree
        assert verify(tree.root, leaf.hash(31337, DISTRIBUTOR), tree.proof(i))


@given(epochs)
def test_every_receipt_is_in_one_leaf_of_its_job_and_one_of_its_payee(epoch: EpochInput):
    leaves = close(epoch)
    owners = [(leaf.kind, leaf.key) for leaf in leaves.usage_leaves]
    assert owners == sorted(set(owners))
    payee_of = {a.receipt: a.payee for a in epoch.receipts}
    found: dict[LeafKind, list[Receipt]] = {LeafKind.JOB: [], LeafKind.PAYEE: []}
    for (kind, key), packed in leaves.packed.items():
        receipts = unpack(packed)
        found[kind] += receipts
        if kind is LeafKind.PAYEE:
            assert {payee_of[receipt] for receipt in receipts} == {int.from_bytes(key, "big")}
    for receipts in found.values():
        assert sorted(receipts) == sorted(payee_of)
    tree = leaves.usage_tree
    for i, leaf in enumerate(leaves.usage_leaves):
        assert verify(tree.root, leaf.hash(31337, LEDGER), tree.proof(i))
