"""The flat tree against OpenZeppelin's library, a tree built by hand, and its own proofs."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.domain import merkle
from oracle.domain.hashing import keccak
from oracle.domain.leaves import Leaf, LeafKind
from oracle.domain.merkle import EMPTY_ROOT, MerkleTree, hash_pair, verify
from oracle.errors import BadInput, NotFound

VECTORS = json.loads((Path(__file__).parents[2] / "data" / "merkle.json").read_text())

# no hash is ever zero
hashes = st.binary(min_size=32, max_size=32).filter(any)
leaf_sets = st.lists(hashes, min_size=1, max_size=40)


def filled(byte: int) -> bytes:
    """A leaf that is easy to order."""
    return bytes([byte]) * 32


def test_no_leaves_have_the_zero_root():
    tree = MerkleTree([])
    assert len(tree) == 0
    assert tree.root == EMPTY_ROOT == bytes(32)


def test_the_zero_root_proves_nothing():
    assert not verify(EMPTY_ROOT, EMPTY_ROOT, [])


def test_one_leaf_is_its_own_root():
    leaf = filled(7)
    tree = MerkleTree([leaf])
    assert tree.root == leaf
    assert tree.proof(leaf) == []
    assert verify(leaf, leaf, [])


def test_three_leaves_by_hand():
    a, b, c = filled(1), filled(2), filled(3)
    tree = MerkleTree([b, c, a])
    # sorted leaves fill the list from its end: [root, node, c, b, a]
    node = hash_pair(a, b)
    assert tree.root == hash_pair(node, c)
    assert tree.proof(c) == [node]
    assert tree.proof(a) == [b, c]
    assert tree.proof(0) == tree.proof(b) == [a, c]


def test_pairs_are_hashed_in_ascending_order():
    low, high = filled(1), filled(2)
    assert hash_pair(low, high) == hash_pair(high, low) == keccak(low + high)


@pytest.mark.parametrize("vector", VECTORS["trees"], ids=lambda v: f"{v['size']} leaves")
def test_openzeppelin_builds_the_same_tree(vector: dict[str, Any]):
    rows = [
        Leaf(LeafKind(1 + i % 2), (i + 1).to_bytes(32, "big"), (i + 1) * 10**18)
        for i in range(vector["size"])
    ]
    tree = MerkleTree([row.hash(31337, "0x" + "11" * 20) for row in rows])
    assert f"0x{tree.root.hex()}" == vector["root"]
    for i, proof in enumerate(vector["proofs"]):
        assert [f"0x{sibling.hex()}" for sibling in tree.proof(i)] == proof


@given(leaf_sets)
def test_every_leaf_has_a_proof(leaves: list[bytes]):
    tree = MerkleTree(leaves)
    for i, leaf in enumerate(leaves):
        assert verify(tree.root, leaf, tree.proof(i))
        assert verify(tree.root, leaf, tree.proof(leaf))


@given(st.lists(hashes, min_size=1, max_size=20), st.randoms())
def test_the_order_of_leaves_does_not_matter(leaves: list[bytes], random: Any):
    shuffled = random.sample(leaves, len(leaves))
    assert MerkleTree(shuffled).root == MerkleTree(leaves).root


@given(leaf_sets, hashes)
def test_a_stranger_has_no_proof(leaves: list[bytes], stranger: bytes):
    tree = MerkleTree(leaves)
    if stranger in leaves:
        return
    assert not verify(tree.root, stranger, tree.proof(0))
    with pytest.raises(NotFound, match=stranger.hex()):
        tree.proof(stranger)


@given(st.lists(hashes, min_size=2, max_size=20, unique=True), st.integers(0, 255))
def test_a_changed_proof_fails(leaves: list[bytes], bit: int):
    tree = MerkleTree(leaves)
    proof = tree.proof(0)
    flipped = int.from_bytes(proof[0], "big") ^ (1 << bit)
    assert not verify(tree.root, leaves[0], [flipped.to_bytes(32, "big"), *proof[1:]])


@given(st.lists(hashes, min_size=2, max_size=20, unique=True))
def test_the_root_depends_on_every_leaf(leaves: list[bytes]):
    assert MerkleTree(leaves[1:]).root != MerkleTree(leaves).root


@pytest.mark.parametrize("index", [-1, 2])
def test_an_index_outside_is_not_found(index: int):
    with pytest.raises(NotFound, match=f"no leaf {index}"):
        MerkleTree([filled(1), filled(2)]).proof(index)


@pytest.mark.parametrize("leaf", [b"", bytes(31), bytes(33)])
def test_a_leaf_has_32_bytes(leaf: bytes):
    with pytest.raises(BadInput, match="32 bytes"):
        MerkleTree([filled(1), leaf])


# hashes that agree in their first words too, and equal ones
alike = st.builds(
    lambda head, tail: bytes(head) + tail[head:],
    st.sampled_from([0, 8, 16, 31]),
    st.sampled_from([keccak(bytes([i])) for i in range(8)]) | hashes,
)


@pytest.fixture
def kernel_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trees of any size are hashed by the kernel."""
    monkeypatch.setattr(merkle, "LARGE", 0)


@given(st.lists(alike, min_size=1, max_size=70))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_kernel_builds_the_same_tree(kernel_only: None, leaves: list[bytes]):
    tree = MerkleTree(leaves)
    nodes = [b""] * (len(leaves) - 1) + sorted(leaves, reverse=True)
    for i in range(len(leaves) - 2, -1, -1):
        nodes[i] = hash_pair(nodes[2 * i + 1], nodes[2 * i + 2])
    assert tree.root == nodes[0]
    for i, leaf in enumerate(leaves):
        assert verify(tree.root, leaf, tree.proof(i))
        assert verify(tree.root, leaf, tree.proof(leaf))


@pytest.mark.parametrize("leaf", [0, filled(9)])
def test_nothing_is_in_the_empty_tree(leaf: Any):
    with pytest.raises(NotFound):
        MerkleTree([]).proof(leaf)


def test_140_000_leaves_need_18_siblings_at_most():
    leaves = [keccak(i.to_bytes(4, "big")) for i in range(140_000)]
    tree = MerkleTree(leaves)
    depths = {len(tree.proof(i)) for i in range(0, 140_000, 997)}
    assert depths == {17, 18}
    assert verify(tree.root, leaves[-1], tree.proof(139_999))
