"""The chain in plain Python integers: slow, short, and what the other backends must equal."""

from collections.abc import Sequence
from dataclasses import dataclass

from oracle.domain.attestation import (
    LEAF_BYTES,
    FoldedTree,
    Matrix,
    fold,
    leaf_hash,
    node_hash,
    row_elements,
    row_key,
)
from oracle.domain.attestation.walk import (
    WalkDims,
    lane_end,
    lane_start,
    position,
    step,
    table_entry,
)

IntMatrix = list[list[int]]


class ReferenceBackend:
    """Plain Python; about 10^7 operations per second."""

    name = "reference"

    def factor(self, seed: bytes, matrix: Matrix, rows: int, length: int) -> IntMatrix:
        """See `Backend.factor`."""
        return self.rows([row_key(seed, matrix, row) for row in range(rows)], matrix, length)

    def rows(self, keys: Sequence[bytes], matrix: Matrix, length: int) -> IntMatrix:
        """See `Backend.rows`."""
        return [row_elements(key, matrix, length) for key in keys]

    def matmul(self, a: IntMatrix, b: IntMatrix) -> IntMatrix:
        """See `Backend.matmul`."""
        return [[_dot(row, column) for column in b] for row in a]

    def fold_commit(self, product: IntMatrix) -> FoldedTree:
        """See `Backend.fold_commit`."""
        return _tree(bytes(fold(entry) for row in product for entry in row))

    def fold_pairs(self, a: IntMatrix, b: IntMatrix) -> bytes:
        """See `Backend.fold_pairs`."""
        return bytes(fold(_dot(row, column)) for row, column in zip(a, b, strict=True))

    def table(self, key: bytes, dims: WalkDims) -> "ReferenceTable":
        """See `Backend.table`."""
        return ReferenceTable([table_entry(key, i, dims.depth) for i in range(dims.entries)])

    def lane_ends(
        self, key: bytes, start: bytes, dims: WalkDims, lanes: Sequence[int]
    ) -> list[bytes]:
        """See `Backend.lane_ends`."""
        return [lane_end(key, start, dims, lane) for lane in lanes]


@dataclass(frozen=True, slots=True)
class ReferenceTable:
    """A residency walk's table as a list of entries."""

    entries: list[bytes]

    def walk(self, start: bytes, dims: WalkDims) -> FoldedTree:
        """See `WalkTable.walk`."""
        ends = [lane_start(start, lane) for lane in range(dims.lanes)]
        for _ in range(dims.steps):
            ends = [step(x, self.entries[position(x, dims.entries)]) for x in ends]
        return _tree(b"".join(ends))


def _tree(leaves: bytes) -> FoldedTree:
    level = [leaf_hash(leaves[at : at + LEAF_BYTES]) for at in range(0, len(leaves), LEAF_BYTES)]
    levels = [b"".join(level)]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [node_hash(left, right) for left, right in pairs]
        levels.append(b"".join(level))
    return FoldedTree(leaves, levels)


def _dot(row: list[int], column: list[int]) -> int:
    return sum(x * y for x, y in zip(row, column, strict=True))
