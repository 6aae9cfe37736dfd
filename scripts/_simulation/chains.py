"""Chains of products as honest devices and forgers compute them; every entry is really there."""

import random

import numpy as np

from oracle.adapters.gpu.numpy_backend import Int8Matrix, Int32Matrix, NumpyBackend
from oracle.domain.attestation import LEAF_ENTRIES, Dims, FoldedTree
from oracle.services.prove import Proof, prove

HONEST = NumpyBackend()


class SkippingBackend(NumpyBackend):
    """Leaves out a stretch of the chain's entries, and has noise there.

    Entries that lie together spoil the fewest leaves, so that watchers have the least to find.
    """

    def __init__(self, dims: Dims, share_bps: int, dice: random.Random) -> None:
        entries = dims.rounds * dims.m * dims.n
        self._count = entries * share_bps // 10_000
        leaves = (entries - self._count) // LEAF_ENTRIES
        self._start = dice.randrange(leaves + 1) * LEAF_ENTRIES
        self._done = 0
        self._noise = dice.randint(1, 255)

    def matmul(self, a: Int8Matrix, b: Int8Matrix) -> Int32Matrix:
        """See `Backend.matmul`; what is left out of this round is off by a guess."""
        product = super().matmul(a, b)
        flat = product.reshape(-1)
        first = max(0, self._start - self._done)
        last = max(0, self._start + self._count - self._done)
        flat[first:last] ^= self._noise
        self._done += flat.size
        return product


class LowRankBackend(NumpyBackend):
    """Multiplies the first half of each row only: a product of half the rank, for half the work."""

    def matmul(self, a: Int8Matrix, b: Int8Matrix) -> Int32Matrix:
        """See `Backend.matmul`."""
        half = a.shape[1] // 2
        return super().matmul(np.ascontiguousarray(a[:, :half]), np.ascontiguousarray(b[:, :half]))


def untold(seed: bytes, dims: Dims) -> Proof:
    """No chain, where nobody will open it: roots of nothing, for runs in which only time counts."""
    return Proof(dims, seed, dims.rounds * (FoldedTree(b"", [bytes(32)]),), HONEST)


def honest(seed: bytes, dims: Dims) -> Proof:
    """The chain that everybody can recompute."""
    return prove(HONEST, seed, dims)
