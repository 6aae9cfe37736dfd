"""The chain in plain Python integers: slow, short, and what the other backends must equal."""

from collections.abc import Sequence

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
        folded = bytes(fold(entry) for row in product for entry in row)
        leaves = (folded[at : at + LEAF_BYTES] for at in range(0, len(folded), LEAF_BYTES))
        level = [leaf_hash(leaf) for leaf in leaves]
        levels = [b"".join(level)]
        while len(level) > 1:
            pairs = zip(level[::2], level[1::2], strict=True)
            level = [node_hash(left, right) for left, right in pairs]
            levels.append(b"".join(level))
        return FoldedTree(folded, levels)

    def fold_pairs(self, a: IntMatrix, b: IntMatrix) -> bytes:
        """See `Backend.fold_pairs`."""
        return bytes(fold(_dot(row, column)) for row, column in zip(a, b, strict=True))


def _dot(row: list[int], column: list[int]) -> int:
    return sum(x * y for x, y in zip(row, column, strict=True))
