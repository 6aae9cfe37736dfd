"""A Merkle tree in one flat list, the same as OpenZeppelin's StandardMerkleTree.

Leaves are hashes already (of something hashed twice, so that no inner node can pass for a
leaf). They are sorted, inner nodes hash their two children in ascending order, and node i
has children 2i + 1 and 2i + 2, the smallest leaf being the last node. Any verifier of sorted
pairs reads the proofs: OpenZeppelin's, snekmate's, `RewardDistributor.claim`.

140 000 leaves take about half a second to build.
"""

from collections.abc import Sequence

from oracle.domain.hashing import keccak
from oracle.errors import BadInput, NotFound

EMPTY_ROOT = bytes(32)


class MerkleTree:
    """The tree over 32-byte `leaves`, whose order does not matter. Raises `BadInput` for
    a leaf of another length.

    The root of no leaves is 32 zero bytes, which no proof can reach; the root of one leaf is
    that leaf.
    """

    def __init__(self, leaves: Sequence[bytes]) -> None:
        if any(len(leaf) != 32 for leaf in leaves):
            raise BadInput(
                "a Merkle leaf is not 32 bytes long",
                "Hash the entries before you build the tree.",
            )
        self._leaves = tuple(leaves)
        ascending = sorted(leaves)
        nodes = [b""] * (len(leaves) - 1) + ascending[::-1]
        for i in range(len(leaves) - 2, -1, -1):
            nodes[i] = hash_pair(nodes[2 * i + 1], nodes[2 * i + 2])
        self._nodes = nodes
        last = len(nodes) - 1
        self._node_of_leaf = {leaf: last - i for i, leaf in enumerate(ascending)}

    def __len__(self) -> int:
        """Number of leaves."""
        return len(self._leaves)

    @property
    def root(self) -> bytes:
        """What is signed and posted."""
        return self._nodes[0] if self._nodes else EMPTY_ROOT

    def proof(self, leaf: bytes | int) -> list[bytes]:
        """Siblings from a leaf up to the root.

        `leaf` is the hash itself, or its index in the sequence the tree was built from.
        Raises `NotFound` if it is not in the tree.
        """
        if isinstance(leaf, int):
            if not 0 <= leaf < len(self._leaves):
                raise NotFound(
                    f"the tree has no leaf {leaf}", f"Ask for one of {len(self._leaves)} leaves."
                )
            leaf = self._leaves[leaf]
        node = self._node_of_leaf.get(leaf)
        if node is None:
            raise NotFound(
                f"leaf {leaf.hex()} is not in the tree",
                "Check the entry's fields against the published leaf file of this epoch.",
            )
        siblings = []
        while node > 0:
            siblings.append(self._nodes[node + 1 if node % 2 else node - 1])
            node = (node - 1) // 2
        return siblings


def hash_pair(a: bytes, b: bytes) -> bytes:
    """The inner node over two children, in whatever order they come."""
    return keccak(a + b if a < b else b + a)


def verify(root: bytes, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` leads from `leaf` to `root`; never true for the empty tree."""
    node = leaf
    for sibling in proof:
        node = hash_pair(node, sibling)
    return node == root and root != EMPTY_ROOT
