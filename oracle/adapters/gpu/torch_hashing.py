"""Hashing for tensors: numba kernels on shared memory, or Triton kernels on a GPU.

All buffers are contiguous. Words are int64 tensors that hold the bits of little-endian uint64.
"""

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oracle.adapters.gpu import keccak_kernels
from oracle.domain.keccak_lanes import Words, hash_blocks
from oracle.errors import Misconfigured

LEAF_WORDS = 16


class Hashing(Protocol):
    """What the chain hashes, on tensors of one device."""

    def generate(self, keys: Tensor, reverse_lanes: bool, out: Tensor) -> None:
        """Fill each row of `out`, (rows, length / 8) words, with the elements behind its key.

        `keys`: (rows, 4) words, most significant first. `reverse_lanes`: the layout of B.
        """

    def fold(self, product: Tensor, out: Tensor) -> None:
        """Fold int32 entries to uint8: xor of the four bytes of each."""

    def hash_rows(self, rows: Tensor, out: Tensor) -> None:
        """Keccak of each row of 16 words (a leaf) or 8 (two nodes) into `out`, (rows, 4)."""

    def fill_table(self, key: Tensor, depth: int, out: Tensor) -> None:
        """A residency walk's table into `out`, (entries, 4); `key`: (4,), as in `generate`."""

    def walk(self, table: Tensor, start: Tensor, steps: int, out: Tensor) -> None:
        """Walk all lanes through `table`; `out`, (lanes, 4), takes their ends. `start`: (4,)."""


class CpuHashing:
    """The numba kernels, on the tensors' own memory."""

    def generate(self, keys: Tensor, reverse_lanes: bool, out: Tensor) -> None:
        """See `Hashing.generate`."""
        keccak_kernels.generate(_words(keys), reverse_lanes, _words(out))

    def fold(self, product: Tensor, out: Tensor) -> None:
        """See `Hashing.fold`."""
        keccak_kernels.fold(_array(product).reshape(-1), _array(out).reshape(-1))

    def hash_rows(self, rows: Tensor, out: Tensor) -> None:
        """See `Hashing.hash_rows`."""
        hash_blocks(_words(rows), _words(out))

    def fill_table(self, key: Tensor, depth: int, out: Tensor) -> None:
        """See `Hashing.fill_table`."""
        keccak_kernels.fill_table(_words(key), depth, _words(out))

    def walk(self, table: Tensor, start: Tensor, steps: int, out: Tensor) -> None:
        """See `Hashing.walk`."""
        keccak_kernels.walk(_words(table), _words(start), steps, _words(out))


class TritonHashing:
    """The Triton kernels, on their tensors' card: Triton itself launches on the current one, which
    is the first in every new thread.

    Raises `Misconfigured` where Triton does not load.
    """

    def __init__(self, device: torch.device) -> None:
        try:
            from oracle.adapters.gpu import triton_kernels
        except ImportError as error:
            raise Misconfigured(
                f"hashing on {device} needs Triton: {error}", "install clearwork[gpu]"
            ) from error
        self._kernels = triton_kernels
        self._constants = triton_kernels.round_constants(device)

    def generate(self, keys: Tensor, reverse_lanes: bool, out: Tensor) -> None:
        """See `Hashing.generate`."""
        with torch.cuda.device_of(out):
            self._kernels.generate(self._constants, keys, reverse_lanes, out)

    def fold(self, product: Tensor, out: Tensor) -> None:
        """See `Hashing.fold`."""
        with torch.cuda.device_of(out):
            self._kernels.fold(product, out)

    def hash_rows(self, rows: Tensor, out: Tensor) -> None:
        """See `Hashing.hash_rows`."""
        with torch.cuda.device_of(out):
            if rows.shape[1] == LEAF_WORDS:
                self._kernels.hash_leaves(self._constants, rows, out)
            else:
                self._kernels.hash_pairs(self._constants, rows, out)

    def fill_table(self, key: Tensor, depth: int, out: Tensor) -> None:
        """See `Hashing.fill_table`."""
        with torch.cuda.device_of(out):
            self._kernels.fill_table(self._constants, key, depth, out)

    def walk(self, table: Tensor, start: Tensor, steps: int, out: Tensor) -> None:
        """See `Hashing.walk`."""
        with torch.cuda.device_of(out):
            self._kernels.walk(self._constants, table, start, steps, out)


def _array(tensor: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.numpy()
    return array


def _words(tensor: Tensor) -> Words:
    return _array(tensor).view(np.uint64)
