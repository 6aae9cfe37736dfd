"""The published leaf file: one encoding for one set of leaves, nothing else is read."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.domain.hashing import keccak
from oracle.domain.leaves import (
    EpochLeaves,
    Leaf,
    LeafKind,
    account_key,
    decode,
    encode,
    provider_key,
)
from oracle.domain.receipts import MAX_CUMULATIVE, MAX_JOB, AgreedReceipt, Receipt
from oracle.domain.subnets import Memory, Outcome, Paid, SubnetRecord
from oracle.errors import BadInput

HEADER_SIZE = 20 + 8 + 20 + 20 + 20 + 8 + 8 + 16 + 6 * 4
# two owed credits
OWED_SIZE = 2 * 19
# two subnets of `example`: heads, two leaving, three permits, two bonds
SUBNETS_SIZE = 2 * 80 + 2 * 2 + 3 * 2 + 2 * 6
REST_SIZE = OWED_SIZE + SUBNETS_SIZE

addresses = st.integers(0, 2**160 - 1).map(lambda n: f"0x{n:040x}")


def leaves_of(kind: LeafKind, keys: Any, values: Any) -> Any:
    return st.dictionaries(keys, values, max_size=8).map(
        lambda d: tuple(Leaf(kind, key, value) for key, value in sorted(d.items()))
    )


def receipts_of(jobs: Any) -> tuple[AgreedReceipt, ...]:
    return tuple(
        AgreedReceipt(Receipt(job, *what), payee) for job, (payee, *what) in sorted(jobs.items())
    )


uids = st.integers(0, 2**16 - 1)
amounts = st.integers(0, 2**128 - 1)
memories = st.builds(
    Memory,
    stepped_at=st.integers(0, 2**40 - 1),
    permits=st.sets(uids, max_size=4).map(sorted).map(tuple),
    bonds=st.dictionaries(st.tuples(uids, uids), uids, max_size=4).map(
        lambda bonds: tuple((*pair, value) for pair, value in sorted(bonds.items()))
    ),
)
outcomes = st.builds(
    Outcome,
    withheld_bps=st.integers(0, 10_000),
    leaving=st.lists(uids, max_size=64, unique=True).map(tuple),
)
contents = st.tuples(outcomes, memories, st.builds(Paid, amounts, amounts, amounts, amounts))
subnets = st.dictionaries(uids, contents, max_size=3).map(
    lambda found: tuple(SubnetRecord(subnet, *what) for subnet, what in sorted(found.items()))
)
provider_keys = st.integers(0, 2**24 - 1).map(provider_key)
leaf_files = st.builds(
    EpochLeaves,
    chain_id=st.integers(0, 2**64 - 1),
    distributor=addresses,
    ledger=addresses,
    from_epoch=st.integers(0, 2**64 - 1),
    to_epoch=st.integers(0, 2**64 - 1),
    reclaimed=st.integers(0, 2**128 - 1),
    rewards=st.builds(
        lambda providers, accounts: providers + accounts,
        leaves_of(LeafKind.PROVIDER, provider_keys, st.integers(0, 2**120 - 1)),
        leaves_of(LeafKind.ACCOUNT, addresses.map(account_key), st.integers(0, 2**120 - 1)),
    ),
    usage=leaves_of(LeafKind.USAGE, provider_keys, st.integers(0, 2**56 - 1)),
    attestations=leaves_of(
        LeafKind.ATTESTATION, st.binary(min_size=32, max_size=32), st.integers(0, 2**64 - 1)
    ),
    receipts=st.dictionaries(
        st.integers(1, MAX_JOB),
        st.tuples(st.integers(0, 2**24 - 1), st.integers(0, MAX_CUMULATIVE), st.integers(0, 255)),
        max_size=8,
    ).map(receipts_of),
    registry=addresses,
    subnets=subnets,
    owed_credits=st.dictionaries(st.integers(0, 2**24 - 1), amounts, max_size=4).map(
        lambda owed: tuple(sorted(owed.items()))
    ),
)


def example() -> EpochLeaves:
    """Two leaves of each kind."""
    return EpochLeaves(
        chain_id=31337,
        distributor="0x" + "d1" * 20,
        ledger="0x" + "1e" * 20,
        from_epoch=1,
        to_epoch=2,
        reclaimed=3,
        rewards=(
            Leaf(LeafKind.PROVIDER, provider_key(1), 10),
            Leaf(LeafKind.ACCOUNT, account_key("0x" + "aa" * 20), 20),
        ),
        usage=(
            Leaf(LeafKind.USAGE, provider_key(1), 60),
            Leaf(LeafKind.USAGE, provider_key(2), 70),
        ),
        attestations=(
            Leaf(LeafKind.ATTESTATION, bytes([1]) * 32, 5),
            Leaf(LeafKind.ATTESTATION, bytes([2]) * 32, 6),
        ),
        receipts=(
            AgreedReceipt(Receipt(7, 3_600, 3), 1),
            AgreedReceipt(Receipt(9, 60, 4), 2),
        ),
        registry="0x" + "5e" * 20,
        owed_credits=((1, 500), (2, 7)),
        subnets=(
            SubnetRecord(1, Outcome(5_000, (4, 2)), Memory(900, (1, 3), ((1, 2, 7), (3, 0, 9)))),
            SubnetRecord(2, Outcome(0, ()), Memory(900, (5,)), Paid(100, 18, 40, 41)),
        ),
    )


@given(leaf_files)
def test_what_is_written_is_read_back(leaves: EpochLeaves):
    assert decode(encode(leaves)) == leaves


@given(leaf_files, st.data())
def test_a_changed_file_is_refused_or_means_something_else(
    leaves: EpochLeaves, data: st.DataObject
):
    file = bytearray(encode(leaves))
    file[data.draw(st.integers(0, len(file) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        changed = decode(bytes(file))
    except BadInput:
        return
    assert changed != leaves
    assert encode(changed) == bytes(file)


def test_a_reward_takes_36_bytes_and_a_job_19():
    file = encode(example())
    assert len(file) == HEADER_SIZE + 2 * 36 + 2 * 10 + 2 * 40 + 2 * 19 + REST_SIZE
    first = file[HEADER_SIZE : HEADER_SIZE + 36]
    assert first == b"\x01" + (1).to_bytes(20, "big") + (10).to_bytes(15, "big")
    assert (
        file[-REST_SIZE - 19 : -REST_SIZE]
        == (9).to_bytes(8, "big") + (60).to_bytes(7, "big") + b"\4" + b"\0\0\2"
    )


def test_leaves_that_settle_jobs_take_no_space_of_their_own():
    leaves = example()
    # two of usage, two jobs, two payees
    assert len(leaves.usage_leaves) == 6
    assert decode(encode(leaves)).usage_tree.root == leaves.usage_tree.root


def test_the_data_hash_is_the_hash_of_the_file():
    assert example().data_hash == keccak(encode(example()))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda file: b"", "header"),
        (lambda file: file[: HEADER_SIZE - 1], "header"),
        (lambda file: b"C" + file[1:], "header"),
        (lambda file: file[:-1], "ends early"),
        (lambda file: file + b"\0", "after the last leaf"),
        (lambda file: file[:HEADER_SIZE] + b"\3" + file[HEADER_SIZE + 1 :], "no known kind"),
        (lambda file: file[:-118] + file[-78:-38] + file[-118:-78] + file[-38:], "do not ascend"),
        (lambda file: file[:-78] + file[-118:-78] + file[-38:], "do not ascend"),
        (lambda file: file[:-38] + file[-19:] + file[-38:-19], "jobs do not ascend"),
        (lambda file: file[:-19] + file[-38:-19], "jobs do not ascend"),
        (lambda file: file[:-38] + bytes(8) + file[-30:], "jobs do not ascend from 1"),
    ],
)
def test_another_file_is_refused(change: Any, reason: str):
    without = replace(example(), subnets=(), owed_credits=())
    with pytest.raises(BadInput, match=reason):
        decode(change(encode(without)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda first, second: (second, first), "subnets do not ascend"),
        (lambda first, second: (first, first), "subnets do not ascend"),
        (lambda first, _: (replace(first, memory=Memory(9, (3, 1))),), "do not ascend"),
        (lambda first, _: (replace(first, memory=Memory(9, (1, 1))),), "do not ascend"),
        (
            lambda first, _: (replace(first, memory=Memory(9, (), ((1, 2, 3), (1, 2, 4)))),),
            "do not ascend",
        ),
        (
            lambda first, _: (replace(first, memory=Memory(9, (), ((2, 1, 3), (1, 2, 4)))),),
            "do not ascend",
        ),
    ],
)
def test_subnets_out_of_order_are_refused(change: Any, reason: str):
    leaves = example()
    with pytest.raises(BadInput, match=reason):
        decode(encode(replace(leaves, subnets=change(*leaves.subnets))))


@pytest.mark.parametrize("owed", [((2, 7), (1, 500)), ((1, 500), (1, 500))])
def test_owed_credits_out_of_order_are_refused(owed: Any):
    with pytest.raises(BadInput, match="do not ascend"):
        decode(encode(replace(example(), owed_credits=owed)))


def test_an_outcome_has_a_leaf_beside_the_rewards():
    leaves = example()
    without = replace(leaves, subnets=())
    assert len(leaves.reward_tree) == len(without.reward_tree) + 2
    assert leaves.reward_tree.proof(len(leaves.rewards))
    other = replace(leaves, registry="0x" + "5f" * 20)
    assert other.reward_tree.root != leaves.reward_tree.root


@pytest.mark.parametrize(
    "leaf",
    [
        Leaf(LeafKind.PROVIDER, provider_key(1), 2**120),
        Leaf(LeafKind.PROVIDER, b"\1" + bytes(31), 1),
    ],
)
def test_what_does_not_fit_is_not_written(leaf: Leaf):
    leaves = EpochLeaves(1, "0x" + "00" * 20, "0x" + "00" * 20, 0, 0, 0, (leaf,), (), ())
    with pytest.raises(OverflowError):
        encode(leaves)


@pytest.mark.parametrize(
    ("agreed", "error"),
    [
        (AgreedReceipt(Receipt(1, 1, 3), 2**24), OverflowError),
        (AgreedReceipt(Receipt(1, MAX_CUMULATIVE + 1, 3), 1), BadInput),
    ],
)
def test_a_receipt_that_does_not_fit_is_not_written(agreed: AgreedReceipt, error: type[Exception]):
    nowhere = "0x" + "00" * 20
    leaves = EpochLeaves(1, nowhere, nowhere, 0, 0, 0, (), (), (), (agreed,))
    with pytest.raises(error):
        encode(leaves)
