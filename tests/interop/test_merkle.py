"""Reward trees: what OpenZeppelin's library builds, ours proves and pays, and the reverse."""

from collections.abc import Iterator
from dataclasses import astuple
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.domain.hashing import keccak
from oracle.domain.leaves import EpochLeaves, Leaf, LeafKind, account_key, provider_key
from oracle.domain.merkle import MerkleTree, verify
from oracle.errors import Conflict
from tests.interop.conftest import Script, committee_signs, script, unhex
from tests.oracle.conftest import ACTIVATION_DELAY, Live

CHAIN_ID = 31_337
DISTRIBUTOR = "0x" + "5c" * 20
SIZES = (1, 2, 3, 5, 8, 1_000)

leaves = st.builds(
    Leaf,
    st.sampled_from(LeafKind),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**256 - 1),
)


@pytest.fixture(scope="module")
def library() -> Iterator[Script]:
    with script("merkle.mjs") as node:
        yield node


def rewards_of(size: int) -> list[Leaf]:
    """Provider 1, then accounts; each grants another amount."""
    accounts = [
        Leaf(LeafKind.ACCOUNT, account_key(keccak(i.to_bytes(4, "big"))[:20].hex()), 10**12 + i)
        for i in range(1, size)
    ]
    return [Leaf(LeafKind.PROVIDER, provider_key(1), 10**12), *accounts]


def rows_of(
    leaves: list[Leaf], chain_id: int = CHAIN_ID, contract: str = DISTRIBUTOR
) -> list[list[str]]:
    """Leaves as the library takes them: what is hashed, not yet encoded."""
    return [
        [str(chain_id), contract, str(leaf.kind), "0x" + leaf.key.hex(), str(leaf.value)]
        for leaf in leaves
    ]


def tree_of(leaves: list[Leaf]) -> MerkleTree:
    return MerkleTree([leaf.hash(CHAIN_ID, DISTRIBUTOR) for leaf in leaves])


def hexed(proof: list[bytes]) -> list[str]:
    return ["0x" + sibling.hex() for sibling in proof]


# --- off the chain --------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_both_build_the_same_tree(library: Script, size: int) -> None:
    rewards = rewards_of(size)
    ours = tree_of(rewards)
    theirs = library("build", rows=rows_of(rewards))
    assert unhex(theirs["root"]) == ours.root
    assert theirs["proofs"] == [hexed(ours.proof(i)) for i in range(size)]


@pytest.mark.parametrize("size", SIZES)
def test_the_library_verifies_our_proofs(library: Script, size: int) -> None:
    rewards = rewards_of(size)
    ours = tree_of(rewards)
    root = "0x" + ours.root.hex()
    proofs = [hexed(ours.proof(i)) for i in range(size)]
    rows = rows_of(rewards)
    assert all(library("verify", root=root, rows=rows, proofs=proofs))
    more = [[*row[:-1], str(int(row[-1]) + 1)] for row in rows]
    assert not any(library("verify", root=root, rows=more, proofs=proofs))


@given(st.lists(leaves, min_size=1, max_size=12), st.data())
@settings(deadline=None)
def test_any_count_and_duplicates(library: Script, rewards: list[Leaf], data: Any) -> None:
    """Equal leaves are one leaf to us and several to the library: any of its paths is good."""
    rewards += data.draw(st.lists(st.sampled_from(rewards), max_size=4))
    ours = tree_of(rewards)
    theirs = library("build", rows=rows_of(rewards))
    assert unhex(theirs["root"]) == ours.root
    proofs = [hexed(ours.proof(i)) for i in range(len(rewards))]
    assert all(library("verify", root=theirs["root"], rows=rows_of(rewards), proofs=proofs))
    for leaf, proof in zip(rewards, theirs["proofs"], strict=True):
        assert verify(ours.root, leaf.hash(CHAIN_ID, DISTRIBUTOR), [unhex(each) for each in proof])


def test_no_leaves_are_no_tree_to_the_library(library: Script) -> None:
    """We give the empty tree a root that nothing proves, so that an epoch can be empty."""
    with pytest.raises(ValueError, match="non-zero number of leaves"):
        library("build", rows=[])


# --- on chain -------------------------------------------------------------------------------


@pytest.fixture
def build(live: Live, library: Script) -> Any:
    """Post leaves as the first epoch's rewards, and let the report become active."""

    def _build(rewards: list[Leaf]) -> Any:
        where = (live.chain.chain_id, live.deployment.address("RewardDistributor"))
        tree = library("build", rows=rows_of(rewards, *where))
        ledger = live.deployment.address("EpochLedger")
        epoch = EpochLeaves(*where, ledger, 0, 0, 0, tuple(rewards), (), ())
        assert unhex(tree["root"]) == epoch.reward_tree.root
        report = epoch.report(previous=bytes(32), rules_version=1)
        live.enter_epoch(1)
        live.send(live.deployer, "EmissionsController", "press", 1)
        signatures = committee_signs(
            live, "EpochLedger", bytes(32), report.to_epoch, report.struct_hash()
        )
        live.send(live.deployer, "EpochLedger", "post_epoch", astuple(report), signatures)
        live.mine(1, ACTIVATION_DELAY)
        return tree

    return _build


@pytest.mark.parametrize("size", SIZES)
def test_proofs_of_the_library_are_paid(live: Live, build: Any, size: int) -> None:
    live.register_provider()
    rewards = rewards_of(size)
    tree = build(rewards)
    # all of them, or the first, some on the way, the last
    for i in range(0, size, max(1, (size - 1) // 9)):
        leaf, proof = rewards[i], [unhex(each) for each in tree["proofs"][i]]
        live.send(
            live.customer, "RewardDistributor", "claim", leaf.kind, leaf.key, leaf.value, proof
        )
        assert live.read("RewardDistributor", "claimed", leaf.kind, leaf.key) == leaf.value


def test_what_the_tree_does_not_prove_is_refused(live: Live, build: Any) -> None:
    live.register_provider()
    rewards = rewards_of(5)
    proofs = [[unhex(each) for each in proof] for proof in build(rewards)["proofs"]]
    leaf = rewards[1]
    for value, proof in [
        (leaf.value + 1, proofs[1]),
        (leaf.value, proofs[2]),
        (leaf.value, proofs[1][:-1]),
    ]:
        with pytest.raises(Conflict, match="reward_distributor: not in the active root"):
            live.send(
                live.customer, "RewardDistributor", "claim", leaf.kind, leaf.key, value, proof
            )
        assert live.read("RewardDistributor", "claimed", leaf.kind, leaf.key) == 0
