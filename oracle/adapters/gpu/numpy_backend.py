"""The chain on a CPU: numba kernels for hashing, float32 BLAS for the exact product."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from oracle.adapters.gpu import keccak_kernels
from oracle.domain.attestation import LEAF_BYTES, FoldedTree, Matrix
from oracle.domain.keccak_lanes import hash_blocks

Int8Matrix = NDArray[np.int8]
Int32Matrix = NDArray[np.int32]

# |a * b| <= 2^14, so float32 sums of 1 024 products stay within 2^24 and are exact
K_BLOCK = 1_024
# rows of C per BLAS call: keeps the float32 partial sums in cache
ROW_BLOCK = 256


class NumpyBackend:
    """Any CPU; BLAS uses all cores, hashing one."""

    name = "numpy"

    def rows(self, keys: Sequence[bytes], matrix: Matrix, length: int) -> Int8Matrix:
        """See `Backend.rows`."""
        words = np.frombuffer(b"".join(keys), ">u8").astype(np.uint64).reshape(-1, 4)
        out = np.empty((len(keys), length // 8), np.uint64)
        keccak_kernels.generate(words, matrix is Matrix.B, out)
        return out.view(np.int8)

    def matmul(self, a: Int8Matrix, b: Int8Matrix) -> Int32Matrix:
        """See `Backend.matmul`."""
        total = np.zeros((len(a), len(b)), np.int32)
        part = np.empty((min(ROW_BLOCK, len(a)), len(b)), np.float32)
        for k in range(0, a.shape[1], K_BLOCK):
            columns = b[:, k : k + K_BLOCK].astype(np.float32).T
            for i in range(0, len(a), ROW_BLOCK):
                rows = a[i : i + ROW_BLOCK, k : k + K_BLOCK].astype(np.float32)
                out = part[: len(rows)]
                np.matmul(rows, columns, out=out)
                keccak_kernels.add_exact(total[i : i + ROW_BLOCK].reshape(-1), out.reshape(-1))
        return total

    def fold_commit(self, product: Int32Matrix) -> FoldedTree:
        """See `Backend.fold_commit`."""
        folded = np.empty(product.size, np.uint8)
        keccak_kernels.fold(product.reshape(-1), folded)
        levels = [_hash_each(folded, LEAF_BYTES)]
        while levels[-1].size > 32:
            levels.append(_hash_each(levels[-1], 64))
        return FoldedTree(folded.data, [level.data for level in levels])

    def fold_pairs(self, a: Int8Matrix, b: Int8Matrix) -> bytes:
        """See `Backend.fold_pairs`."""
        products = np.empty(len(a), np.int32)
        keccak_kernels.paired_products(a, b, products)
        folded = np.empty(len(a), np.uint8)
        keccak_kernels.fold(products, folded)
        return folded.tobytes()


def _hash_each(data: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Digests of consecutive blocks of `size` bytes, joined."""
    out = np.empty((data.size // size, 4), np.uint64)
    hash_blocks(data.view(np.uint64).reshape(-1, size // 8), out)
    return out.view(np.uint8).reshape(-1)
