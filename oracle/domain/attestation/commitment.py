"""Folded entries and the Merkle tree over them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from oracle.domain.hashing import keccak

LEAF_BYTES = 128
NODE_BYTES = 32


def fold(value: int) -> int:
    """Fold an int32 into one byte: xor of its four bytes."""
    x = value & 0xFFFF_FFFF
    x ^= x >> 16
    x ^= x >> 8
    return x & 0xFF


def leaf_hash(leaf: bytes) -> bytes:
    """Hash of 128 folded bytes."""
    return keccak(leaf)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of two sibling nodes; the order counts."""
    return keccak(left + right)


def root_of(leaf: bytes, index: int, path: Sequence[bytes]) -> bytes:
    """The root that `leaf` at `index` has under the siblings in `path`, lowest first."""
    node = leaf_hash(leaf)
    for sibling in path:
        node = node_hash(sibling, node) if index & 1 else node_hash(node, sibling)
        index >>= 1
    return node


class Tree(Protocol):
    """A committed tree over leaves of 128 bytes, wherever its nodes lie."""

    @property
    def root(self) -> bytes:
        """The committed root."""

    def leaf(self, index: int) -> bytes:
        """The 128 bytes of leaf `index`."""

    def path(self, index: int) -> list[bytes]:
        """Siblings on the way from leaf `index` to the root, lowest first."""

    def above(self, levels: int) -> Self:
        """The same tree without its leaves and its lowest `levels` levels; `path(index)` then
        starts at node `index` of the lowest level that is left."""


@dataclass(frozen=True, slots=True)
class FoldedTree:
    """What a prover keeps of one round to answer openings.

    `folded`: one byte per entry of C, row-major. `levels`: the nodes of each level in one
    block of 32-byte hashes, leaf hashes first, the root alone in the last.
    """

    folded: bytes | memoryview
    levels: Sequence[bytes | memoryview]

    @property
    def root(self) -> bytes:
        """The committed root."""
        return bytes(self.levels[-1])

    def leaf(self, index: int) -> bytes:
        """The 128 folded bytes of leaf `index`."""
        return bytes(self.folded[index * LEAF_BYTES : (index + 1) * LEAF_BYTES])

    def above(self, levels: int) -> "FoldedTree":
        """See `Tree.above`."""
        return FoldedTree(b"", self.levels[levels:])

    def path(self, index: int) -> list[bytes]:
        """Siblings on the way from leaf `index` to the root, lowest first."""
        path = []
        for level in self.levels[:-1]:
            sibling = (index ^ 1) * NODE_BYTES
            path.append(bytes(level[sibling : sibling + NODE_BYTES]))
            index >>= 1
        return path
