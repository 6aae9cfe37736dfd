"""The chain on a CPU: numba kernels for hashing, float32 BLAS for the exact product."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oracle.adapters.gpu import keccak_kernels
from oracle.domain.attestation import LEAF_BYTES, FoldedTree, Matrix, WalkDims
from oracle.domain.keccak_lanes import Words, hash_blocks

Int8Matrix = NDArray[np.int8]
Int32Matrix = NDArray[np.int32]

# |a * b| <= 2^14, so float32 sums of 1 024 products stay within 2^24 and are exact
K_BLOCK = 1_024
# rows of C per BLAS call: keeps the float32 partial sums in cache
ROW_BLOCK = 256
# columns of B that are float32 at a time, so that a large B is not held twice
COLUMN_BLOCK = 2_048


class NumpyBackend:
    """Any CPU; BLAS uses all cores, hashing one."""

    name = "numpy"

    def factor(self, seed: bytes, matrix: Matrix, rows: int, length: int) -> Int8Matrix:
        """See `Backend.factor`."""
        return _generate(factor_keys(seed, matrix, rows), matrix, length)

    def rows(self, keys: Sequence[bytes], matrix: Matrix, length: int) -> Int8Matrix:
        """See `Backend.rows`."""
        return _generate(key_words(keys), matrix, length)

    def matmul(self, a: Int8Matrix, b: Int8Matrix) -> Int32Matrix:
        """See `Backend.matmul`."""
        total = np.zeros((len(a), len(b)), np.int32)
        part = np.empty((min(ROW_BLOCK, len(a)), min(COLUMN_BLOCK, len(b))), np.float32)
        for j in range(0, len(b), COLUMN_BLOCK):
            for k in range(0, a.shape[1], K_BLOCK):
                columns = b[j : j + COLUMN_BLOCK, k : k + K_BLOCK].astype(np.float32).T
                for i in range(0, len(a), ROW_BLOCK):
                    rows = a[i : i + ROW_BLOCK, k : k + K_BLOCK].astype(np.float32)
                    out = part[: len(rows), : columns.shape[1]]
                    np.matmul(rows, columns, out=out)
                    block = total[i : i + ROW_BLOCK, j : j + COLUMN_BLOCK]
                    keccak_kernels.add_exact(block, out)
        return total

    def fold_commit(self, product: Int32Matrix) -> FoldedTree:
        """See `Backend.fold_commit`."""
        folded = np.empty(product.size, np.uint8)
        keccak_kernels.fold(product.reshape(-1), folded)
        return _tree(folded)

    def fold_pairs(self, a: Int8Matrix, b: Int8Matrix) -> bytes:
        """See `Backend.fold_pairs`."""
        products = np.empty(len(a), np.int32)
        keccak_kernels.paired_products(a, b, products)
        folded = np.empty(len(a), np.uint8)
        keccak_kernels.fold(products, folded)
        return folded.tobytes()

    def table(self, key: bytes, dims: WalkDims) -> "NumpyTable":
        """See `Backend.table`."""
        entries = np.empty((dims.entries, 4), np.uint64)
        keccak_kernels.fill_table(key_words([key])[0], dims.depth, entries)
        return NumpyTable(entries)

    def lane_ends(
        self, key: bytes, start: bytes, dims: WalkDims, lanes: Sequence[int]
    ) -> list[bytes]:
        """See `Backend.lane_ends`."""
        return replay_lanes(key, start, dims, lanes)


@dataclass(frozen=True, slots=True)
class NumpyTable:
    """A residency walk's table: (entries, 4) words."""

    entries: Words

    def walk(self, start: bytes, dims: WalkDims) -> FoldedTree:
        """See `WalkTable.walk`."""
        ends = np.empty((dims.lanes, 4), np.uint64)
        keccak_kernels.walk(self.entries, np.frombuffer(start, np.uint64), dims.steps, ends)
        return _tree(ends.view(np.uint8).reshape(-1))


def replay_lanes(key: bytes, start: bytes, dims: WalkDims, lanes: Sequence[int]) -> list[bytes]:
    """See `Backend.lane_ends`."""
    out = np.empty((len(lanes), 4), np.uint64)
    keccak_kernels.replay(
        key_words([key])[0],
        np.frombuffer(start, np.uint64),
        np.array(lanes, np.uint64),
        dims.entries,
        dims.steps,
        dims.depth,
        out,
    )
    return [end.tobytes() for end in out]


def key_words(keys: Sequence[bytes]) -> Words:
    """Keys as `keccak_kernels.generate` takes them: (keys, 4), most significant word first."""
    return np.frombuffer(b"".join(keys), ">u8").astype(np.uint64).reshape(-1, 4)


def factor_keys(seed: bytes, matrix: Matrix, rows: int) -> Words:
    """The keys of the first `rows` rows of a matrix, as `key_words` returns them."""
    blocks = np.zeros((rows, 8), np.uint64)
    blocks[:, :4] = np.frombuffer(seed, np.uint64)
    # the tag ends in byte 55 and the row in byte 63, both big-endian
    blocks[:, 6] = np.uint64(int(matrix)).byteswap()
    blocks[:, 7] = np.arange(rows, dtype=np.uint64).byteswap()
    out = np.empty((rows, 4), np.uint64)
    hash_blocks(blocks, out)
    return out.byteswap()


def _generate(keys: Words, matrix: Matrix, length: int) -> Int8Matrix:
    out = np.empty((len(keys), length // 8), np.uint64)
    keccak_kernels.generate(keys, matrix is Matrix.B, out)
    return out.view(np.int8)


def _tree(leaves: NDArray[np.uint8]) -> FoldedTree:
    levels = [_hash_each(leaves, LEAF_BYTES)]
    while levels[-1].size > 32:
        levels.append(_hash_each(levels[-1], 64))
    return FoldedTree(leaves.data, [level.data for level in levels])


def _hash_each(data: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Digests of consecutive blocks of `size` bytes, joined."""
    out = np.empty((data.size // size, 4), np.uint64)
    hash_blocks(data.view(np.uint64).reshape(-1, size // 8), out)
    return out.view(np.uint8).reshape(-1)
