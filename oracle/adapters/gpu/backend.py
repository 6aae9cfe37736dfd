"""What a machine must be able to do to take part in the integer-GEMM chain."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from oracle.domain.attestation import Matrix, Tree, WalkDims

Rows = TypeVar("Rows")
"""Generated rows: int8, one per key."""
Product = TypeVar("Product")
"""Entries of C: int32, row-major."""


class WalkTable(Protocol):
    """The table of a residency walk, in a device's memory."""

    def walk(self, start: bytes, dims: WalkDims) -> Tree:
        """Walk all lanes from `start`; the tree over their ends. `dims` as for the table."""


class Backend(Protocol[Rows, Product]):
    """One implementation of the chain's arithmetic. All of them agree bit for bit.

    A device class is calibrated per backend; a new backend subclasses or copies this shape
    and is registered in `oracle.adapters.gpu.BACKENDS`.
    """

    name: str

    def factor(self, seed: bytes, matrix: Matrix, rows: int, length: int) -> Rows:
        """The first `rows` rows of A, or columns of B, that `seed` generates: (rows, length)."""

    def rows(self, keys: Sequence[bytes], matrix: Matrix, length: int) -> Rows:
        """The `length` int8 values behind each 32-byte key; `length` is a multiple of 32."""

    def matmul(self, a: Rows, b: Rows) -> Product:
        """A . B in int32, where `b` holds the columns of B as rows."""

    def fold_commit(self, product: Product) -> Tree:
        """Fold every entry to a byte and build the tree over leaves of 128 bytes."""

    def fold_pairs(self, a: Rows, b: Rows) -> bytes:
        """Row t of `a` times row t of `b`, folded: one byte per pair. Used by verifiers."""

    def table(self, key: bytes, dims: WalkDims) -> WalkTable:
        """Compute and hold the whole table behind a 32-byte key."""

    def lane_ends(
        self, key: bytes, start: bytes, dims: WalkDims, lanes: Sequence[int]
    ) -> list[bytes]:
        """The ends of some lanes, without a table. Used by verifiers."""
