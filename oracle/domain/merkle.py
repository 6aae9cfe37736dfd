"""A Merkle tree in one flat list, the same as OpenZeppelin's StandardMerkleTree.

Leaves are hashes already (of something hashed twice, so that no inner node can pass for a
leaf). They are sorted, inner nodes hash their two children in ascending order, and node i
has children 2i + 1 and 2i + 2, the smallest leaf being the last node. Any verifier of sorted
pairs reads the proofs: OpenZeppelin's, snekmate's, `RewardDistributor.claim`.

From `LARGE` leaves on, whole levels are hashed at once by a compiled kernel; the result is the
same. A million leaves take about a second.
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence

from oracle.domain.hashing import keccak
from oracle.errors import BadInput, NotFound

EMPTY_ROOT = bytes(32)
NODE = 32
# below, plain Python is done before the kernel is loaded
LARGE = 16_384


class MerkleTree:
    """The tree over 32-byte `leaves`, whose order does not matter. Raises `BadInput` for
    a leaf of another length.

    The root of no leaves is 32 zero bytes, which no proof can reach; the root of one leaf is
    that leaf.
    """

    def __init__(self, leaves: Sequence[bytes]) -> None:
        if any(len(leaf) != NODE for leaf in leaves):
            raise BadInput(
                "a Merkle leaf is not 32 bytes long",
                "Hash the entries before you build the tree.",
            )
        build = _build_levels if len(leaves) >= LARGE else _build
        # all nodes joined, and the node that each leaf is
        self._nodes, self._places = build(leaves)

    def __len__(self) -> int:
        """Number of leaves."""
        return len(self._places)

    @property
    def root(self) -> bytes:
        """What is signed and posted."""
        return self._node(0) if self._nodes else EMPTY_ROOT

    def proof(self, leaf: bytes | int) -> list[bytes]:
        """Siblings from a leaf up to the root.

        `leaf` is the hash itself, or its index in the sequence the tree was built from.
        Raises `NotFound` if it is not in the tree.
        """
        node = self._place_of(leaf)
        nodes = self._nodes
        siblings = []
        while node > 0:
            # an odd node's sibling is the next one, an even one's the one before
            start = NODE * (node + 1 if node % 2 else node - 1)
            siblings.append(nodes[start : start + NODE])
            node = (node - 1) // 2
        return siblings

    def _place_of(self, leaf: bytes | int) -> int:
        """The node that a leaf is."""
        count = len(self)
        if isinstance(leaf, int):
            if 0 <= leaf < count:
                return self._places[leaf]
            raise NotFound(f"the tree has no leaf {leaf}", f"Ask for one of {count} leaves.")
        # leaves ascend from the last node towards the front
        last = 2 * count - 2
        rank = bisect_left(range(count), leaf, key=lambda rank: self._node(last - rank))
        if rank == count or self._node(last - rank) != leaf:
            raise NotFound(
                f"leaf {leaf.hex()} is not in the tree",
                "Check the entry's fields against the published leaf file of this epoch.",
            )
        return last - rank

    def _node(self, index: int) -> bytes:
        return self._nodes[NODE * index : NODE * (index + 1)]


def _build(leaves: Sequence[bytes]) -> tuple[bytes, Sequence[int]]:
    """All nodes joined, and the node that each leaf is."""
    count = len(leaves)
    places = [0] * count
    nodes = [b""] * (2 * count - 1)
    ascending = sorted(range(count), key=leaves.__getitem__)
    for place, leaf in enumerate(reversed(ascending), count - 1):
        nodes[place] = leaves[leaf]
        places[leaf] = place
    for i in range(count - 2, -1, -1):
        nodes[i] = hash_pair(nodes[2 * i + 1], nodes[2 * i + 2])
    return b"".join(nodes), places


def _build_levels(leaves: Sequence[bytes]) -> tuple[bytes, Sequence[int]]:
    """The same, a level of the tree at a time."""
    import numpy as np

    from oracle.domain.keccak_lanes import hash_nodes

    count = len(leaves)
    words = np.frombuffer(b"".join(leaves), np.uint64).reshape(count, 4)
    first_words = words[:, 0].byteswap()
    descending = np.argsort(first_words)[::-1]
    ordered = first_words[descending]
    if (ordered[1:] == ordered[:-1]).any():
        # hashes hardly ever agree in eight bytes; whoever made these wants all of them compared
        descending = np.lexsort(words.byteswap().T[::-1])[::-1]
    nodes = np.empty((2 * count - 1, 4), np.uint64)
    nodes[count - 1 :] = words[descending]
    places = np.empty(count, np.int64)
    places[descending] = np.arange(count - 1, 2 * count - 1)
    # level d is nodes 2^d - 1 to 2^(d + 1) - 2
    end = count - 1
    while end > 0:
        start = (1 << (end.bit_length() - 1)) - 1
        hash_nodes(nodes, start, end)
        end = start
    return nodes.tobytes(), array("q", places.tobytes())


def hash_pair(a: bytes, b: bytes) -> bytes:
    """The inner node over two children, in whatever order they come."""
    return keccak(a + b if a < b else b + a)


def verify(root: bytes, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` leads from `leaf` to `root`; never true for the empty tree."""
    node = leaf
    for sibling in proof:
        node = hash_pair(node, sibling)
    return node == root and root != EMPTY_ROOT
