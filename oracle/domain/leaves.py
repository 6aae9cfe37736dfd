"""What an epoch report commits to: leaves, the trees over them, and the file with all of it.

Every oracle publishes the file; its hash is in the report (specs/contracts.md, EpochLedger).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from itertools import pairwise

from oracle.domain.hashing import keccak
from oracle.domain.merkle import MerkleTree
from oracle.domain.messages import EpochReport
from oracle.domain.receipts import (
    MAX_RECEIPTS,
    RECEIPT_BYTES,
    AgreedReceipt,
    Receipt,
    pack,
    pack_one,
    unpack_one,
)
from oracle.domain.subnets import (
    Memory,
    Outcome,
    Paid,
    SubnetRecord,
)
from oracle.errors import BadInput

NOBODY = "0x" + "00" * 20


class LeafKind(IntEnum):
    """What a leaf's key and value are.

    The first two are claimed from RewardDistributor, the last two settled by JobEscrow.
    """

    # key: provider id; value: cumulative base units, part of which vests
    PROVIDER = 1
    # key: address; value: cumulative base units, paid at once
    ACCOUNT = 2
    # key: provider id; value: cumulative GPU-seconds settled
    USAGE = 3
    # key: device id; value: int8 operations per second attested
    ATTESTATION = 4
    # key: job; value: keccak of the job's packed receipt
    JOB = 5
    # key: provider id, above it from bit `PART_SHIFT` on the part; value: keccak of the packed
    # receipts of its jobs, `MAX_RECEIPTS` in each part but the last
    PAYEE = 6
    # key: subnet; value: keccak of its `Outcome`, for SubnetRegistry; in the tree of rewards
    SUBNET = 7


REWARD_KINDS = (LeafKind.PROVIDER, LeafKind.ACCOUNT)
RECEIPT_KINDS = (LeafKind.JOB, LeafKind.PAYEE)
PART_SHIFT = 32


@dataclass(frozen=True, slots=True, order=True)
class Leaf:
    """One entry of a tree: `key` is 32 bytes, `value` a number below 2^256."""

    kind: LeafKind
    key: bytes
    value: int

    def hash(self, chain_id: int, contract: str) -> bytes:
        """Its hash in the tree, see `leaf_hashes`."""
        return leaf_hashes((self,), chain_id, contract)[0]


def leaf_hashes(leaves: Iterable[Leaf], chain_id: int, contract: str) -> list[bytes]:
    """keccak(keccak(abi_encode(chain id, contract, kind, key, value))) of each leaf.

    `contract` is the RewardDistributor's address for rewards, the EpochLedger's for
    everything else.
    """
    where = chain_id.to_bytes(32, "big") + _address(contract).rjust(32, b"\0")
    return [
        keccak(
            keccak(
                where + leaf.kind.to_bytes(32, "big") + leaf.key + leaf.value.to_bytes(32, "big")
            )
        )
        for leaf in leaves
    ]


def provider_key(provider: int) -> bytes:
    """The key of a provider's leaf."""
    return provider.to_bytes(32, "big")


def job_key(job: int) -> bytes:
    """The key of a job's leaf."""
    return job.to_bytes(32, "big")


def payee_key(payee: int, part: int = 0) -> bytes:
    """The key of one part of a payee's receipts; in part 0 it is the provider's own."""
    return (part << PART_SHIFT | payee).to_bytes(32, "big")


def subnet_key(subnet: int) -> bytes:
    """The key of a subnet's outcome."""
    return subnet.to_bytes(32, "big")


def account_key(account: str) -> bytes:
    """The key of an account's leaf. Raises `BadInput` for what is not an address."""
    return _address(account).rjust(32, b"\0")


@dataclass(frozen=True)
class EpochLeaves:
    """What an epoch report commits to, and what every oracle publishes.

    Leaves ascend by kind and key, receipts by job. `reclaimed`: base units of the budget that
    no leaf took. `owed_credits`: provider and base units of credits that wait for a later report.
    """

    chain_id: int
    distributor: str
    ledger: str
    from_epoch: int
    to_epoch: int
    reclaimed: int
    rewards: tuple[Leaf, ...]
    usage: tuple[Leaf, ...]
    attestations: tuple[Leaf, ...]
    receipts: tuple[AgreedReceipt, ...] = ()
    registry: str = NOBODY
    subnets: tuple[SubnetRecord, ...] = ()
    owed_credits: tuple[tuple[int, int], ...] = ()

    @property
    def cumulative_rewards(self) -> int:
        """Sum of all reward leaves over all time, base units."""
        return sum(leaf.value for leaf in self.rewards)

    @cached_property
    def outcomes(self) -> tuple[Leaf, ...]:
        """The leaves that SubnetRegistry adopts, one a subnet."""
        return tuple(
            Leaf(
                LeafKind.SUBNET,
                subnet_key(record.subnet),
                int.from_bytes(record.outcome.content(self.to_epoch), "big"),
            )
            for record in self.subnets
        )

    @cached_property
    def reward_tree(self) -> MerkleTree:
        """Its leaf i is `rewards[i]`; behind them are the outcomes."""
        rewards = leaf_hashes(self.rewards, self.chain_id, self.distributor)
        return MerkleTree(rewards + leaf_hashes(self.outcomes, self.chain_id, self.registry))

    @cached_property
    def packed(self) -> dict[tuple[LeafKind, bytes], bytes]:
        """Per leaf that settles jobs, by kind and key, the packed receipts that it stands for."""
        by_payee: dict[int, list[Receipt]] = {}
        for agreed in self.receipts:
            by_payee.setdefault(agreed.payee, []).append(agreed.receipt)
        parts = {
            payee_key(payee, start // MAX_RECEIPTS): receipts[start : start + MAX_RECEIPTS]
            for payee, receipts in by_payee.items()
            for start in range(0, len(receipts), MAX_RECEIPTS)
        }
        jobs = (agreed.receipt for agreed in self.receipts)
        return {
            **{(LeafKind.JOB, job_key(receipt.job)): pack_one(receipt) for receipt in jobs},
            **{(LeafKind.PAYEE, key): pack(parts[key]) for key in sorted(parts)},
        }

    @cached_property
    def usage_leaves(self) -> tuple[Leaf, ...]:
        """Usage, then the leaves that settle jobs; those follow from the receipts."""
        return self.usage + tuple(
            Leaf(kind, key, int.from_bytes(keccak(packed), "big"))
            for (kind, key), packed in self.packed.items()
        )

    @cached_property
    def usage_tree(self) -> MerkleTree:
        """Its leaf i is `usage_leaves[i]`."""
        return self._tree(self.usage_leaves, self.ledger)

    @cached_property
    def attestation_tree(self) -> MerkleTree:
        """Its leaf i is `attestations[i]`."""
        return self._tree(self.attestations, self.ledger)

    def _tree(self, leaves: tuple[Leaf, ...], contract: str) -> MerkleTree:
        return MerkleTree(leaf_hashes(leaves, self.chain_id, contract))

    @cached_property
    def file(self) -> bytes:
        """The leaf file."""
        return encode(self)

    @property
    def data_hash(self) -> bytes:
        """Keccak-256 of the leaf file."""
        return keccak(self.file)

    def report(self, previous: bytes, rules_version: int) -> EpochReport:
        """The payload the committee signs; `previous` is the ledger's head."""
        return EpochReport(
            from_epoch=self.from_epoch,
            to_epoch=self.to_epoch,
            previous=previous,
            reward_root=self.reward_tree.root,
            usage_root=self.usage_tree.root,
            attestation_root=self.attestation_tree.root,
            cumulative_rewards=self.cumulative_rewards,
            data_hash=self.data_hash,
            rules_version=rules_version,
        )


# --- the leaf file ------------------------------------------------------------------------
#
# All numbers are big endian.
#
#   header       magic 20 bytes, chain id 8, distributor 20, ledger 20, subnet registry 20,
#                from epoch 8, to epoch 8, reclaimed 16, number of rewards 4, of usage 4, of
#                attestations 4, of receipts 4, of owed credits 4, of subnets 4
#   reward       kind 1, key 20 (its last bytes; the others are 0), base units 15
#   usage        provider 3, GPU-seconds 7
#   attestation  device 32, operations per second 8
#   receipt      as the escrow reads it 16 (oracle.domain.receipts), payee 3
#   owed credit  provider 3, base units 16
#   subnet       number 2, stepped at 5, withheld bps 2, base units of its share 16, of its
#                owner 16, miners 16 and validators 16, number of leaving uids 1, of permits 2,
#                of bonds 4; then leaving uids 2 each, permits 2 each, bonds 6 each: validator 2,
#                miner 2, value 2
#
# Records ascend by kind and key, receipts by job, credits by provider, subnets by number, permits
# and bonds by uid, so there is one file for one set of leaves. The leaves that settle jobs follow
# from the receipts, the outcomes from the subnets; they take no space of their own.

_MAGIC = b"clearwork leaves v3\n"
_COUNTS = (4, 4, 4, 4, 4, 4)
_HEADER = (8, 20, 20, 20, 8, 8, 16, *_COUNTS)
_REWARD = (1, 20, 15)
_USAGE = (3, 7)
_ATTESTATION = (32, 8)
_RECEIPT = (RECEIPT_BYTES, 3)
_OWED = (3, 16)
_SUBNET = (2, 5, 2, 16, 16, 16, 16, 1, 2, 4)
_SECTIONS = (_REWARD, _USAGE, _ATTESTATION, _RECEIPT, _OWED)
_UID = (2,)
_BOND = (2, 2, 2)


def encode(leaves: EpochLeaves) -> bytes:
    """The canonical leaf file: 36 bytes per reward, 19 per job.

    Raises `OverflowError` where a number does not fit its field.
    """
    parts = [
        _MAGIC,
        _pack(
            _HEADER,
            leaves.chain_id,
            int(leaves.distributor, 16),
            int(leaves.ledger, 16),
            int(leaves.registry, 16),
            leaves.from_epoch,
            leaves.to_epoch,
            leaves.reclaimed,
            len(leaves.rewards),
            len(leaves.usage),
            len(leaves.attestations),
            len(leaves.receipts),
            len(leaves.owed_credits),
            len(leaves.subnets),
        ),
    ]
    parts += [_pack(_REWARD, r.kind, int.from_bytes(r.key, "big"), r.value) for r in leaves.rewards]
    parts += [_pack(_USAGE, int.from_bytes(u.key, "big"), u.value) for u in leaves.usage]
    parts += [
        _pack(_ATTESTATION, int.from_bytes(a.key, "big"), a.value) for a in leaves.attestations
    ]
    parts += [pack_one(r.receipt) + r.payee.to_bytes(3, "big") for r in leaves.receipts]
    parts += [_pack(_OWED, *owed) for owed in leaves.owed_credits]
    parts += [_encode_subnet(record) for record in leaves.subnets]
    return b"".join(parts)


def _encode_subnet(record: SubnetRecord) -> bytes:
    outcome, memory, paid = record.outcome, record.memory, record.paid
    head = _pack(
        _SUBNET,
        record.subnet,
        memory.stepped_at,
        outcome.withheld_bps,
        paid.share,
        paid.owner,
        paid.miners,
        paid.validators,
        len(outcome.leaving),
        len(memory.permits),
        len(memory.bonds),
    )
    uids = [_pack(_UID, uid) for uid in (*outcome.leaving, *memory.permits)]
    return b"".join([head, *uids, *(_pack(_BOND, *bond) for bond in memory.bonds)])


def decode(data: bytes) -> EpochLeaves:
    """Read a leaf file. Raises `BadInput` unless `encode` would write exactly these bytes."""
    offset = len(_MAGIC) + sum(_HEADER)
    if not data.startswith(_MAGIC) or len(data) < offset:
        raise _malformed("the header is missing")
    header = _unpack(_HEADER, data[len(_MAGIC) : offset])
    chain_id, distributor, ledger, registry, from_epoch, to_epoch, reclaimed, *counts = header
    reading = _Reading(data, offset)
    sections = [
        reading.records(fields, count) for fields, count in zip(_SECTIONS, counts, strict=False)
    ]
    subnets = tuple(_decode_subnet(reading) for _ in range(counts[-1]))
    if reading.offset != len(data):
        raise _malformed("it goes on after the last leaf")
    if any(left.subnet >= right.subnet for left, right in pairwise(subnets)):
        raise _malformed("its subnets do not ascend")
    rewards, usage, attestations, packed, owed = sections
    if any(kind not in REWARD_KINDS for kind, _, _ in rewards):
        raise _malformed("a reward is of no known kind")
    for section in (rewards, usage, attestations, owed):
        if any(left[:-1] >= right[:-1] for left, right in pairwise(section)):
            raise _malformed("its leaves do not ascend")
    receipts = tuple(
        AgreedReceipt(unpack_one(receipt.to_bytes(RECEIPT_BYTES, "big")), payee)
        for receipt, payee in packed
    )
    jobs = [0, *(agreed.receipt.job for agreed in receipts)]
    if any(left >= right for left, right in pairwise(jobs)):
        raise _malformed("its jobs do not ascend from 1")
    return EpochLeaves(
        chain_id=chain_id,
        distributor=f"0x{distributor:040x}",
        ledger=f"0x{ledger:040x}",
        registry=f"0x{registry:040x}",
        from_epoch=from_epoch,
        to_epoch=to_epoch,
        reclaimed=reclaimed,
        rewards=tuple(Leaf(LeafKind(k), _word(key), value) for k, key, value in rewards),
        usage=tuple(Leaf(LeafKind.USAGE, _word(key), value) for key, value in usage),
        attestations=tuple(
            Leaf(LeafKind.ATTESTATION, _word(key), value) for key, value in attestations
        ),
        receipts=receipts,
        subnets=subnets,
        owed_credits=tuple((provider, amount) for provider, amount in owed),
    )


class _Reading:
    """A leaf file, read from front to back."""

    def __init__(self, data: bytes, offset: int) -> None:
        self._data = data
        self.offset = offset

    def records(self, fields: tuple[int, ...], count: int) -> list[list[int]]:
        size = sum(fields)
        start, self.offset = self.offset, self.offset + size * count
        if self.offset > len(self._data):
            raise _malformed("it ends early")
        return [_unpack(fields, self._data[i : i + size]) for i in range(start, self.offset, size)]


def _decode_subnet(reading: _Reading) -> SubnetRecord:
    (head,) = reading.records(_SUBNET, 1)
    subnet, stepped_at, withheld_bps, *paid, leaving, permits, bonds = head
    leaving_uids = tuple(uid for (uid,) in reading.records(_UID, leaving))
    permitted = tuple(uid for (uid,) in reading.records(_UID, permits))
    held = tuple((row, uid, value) for row, uid, value in reading.records(_BOND, bonds))
    if any(left >= right for left, right in pairwise(permitted)) or any(
        left[:2] >= right[:2] for left, right in pairwise(held)
    ):
        raise _malformed("permits or bonds do not ascend")
    return SubnetRecord(
        subnet,
        Outcome(withheld_bps, leaving_uids),
        Memory(stepped_at, permitted, held),
        Paid(*paid),
    )


def _pack(sizes: tuple[int, ...], *values: int) -> bytes:
    return b"".join(v.to_bytes(size, "big") for v, size in zip(values, sizes, strict=True))


def _unpack(sizes: tuple[int, ...], record: bytes) -> list[int]:
    values = []
    start = 0
    for size in sizes:
        values.append(int.from_bytes(record[start : start + size], "big"))
        start += size
    return values


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _address(account: str) -> bytes:
    try:
        raw = bytes.fromhex(account.removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != 20:
        raise BadInput(f"not an address: {account!r}", "Give 20 bytes in hex.")
    return raw


def _malformed(reason: str) -> BadInput:
    return BadInput(
        f"not a leaf file: {reason}",
        "Fetch it again from another oracle, and compare its hash with the posted report.",
    )
