"""The prover's side: run a chain, keep its trees, answer openings."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from oracle.adapters.gpu.backend import Backend
from oracle.domain.attestation import (
    Dims,
    FoldedTree,
    Matrix,
    Opening,
    Query,
    chain_seeds,
    next_seed,
    row_key,
)
from oracle.errors import NotFound


@dataclass(frozen=True, slots=True)
class Proof:
    """A chain that was run: its shape, first seed and the trees of all rounds."""

    dims: Dims
    seed: bytes
    trees: tuple[FoldedTree, ...]

    @property
    def roots(self) -> list[bytes]:
        """Roots of all rounds, in order."""
        return [tree.root for tree in self.trees]

    @property
    def final_seed(self) -> bytes:
        """The hash that binds every root."""
        return chain_seeds(self.seed, self.roots)[-1]

    def open_leaf(self, round_index: int, leaf: int) -> tuple[bytes, list[bytes]]:
        """Folded bytes and path of one leaf. Raises `NotFound` outside the chain."""
        if not (0 <= round_index < self.dims.rounds and 0 <= leaf < self.dims.leaves):
            raise NotFound(
                f"no leaf {leaf} in round {round_index}",
                f"rounds are 0..{self.dims.rounds - 1}, leaves 0..{self.dims.leaves - 1}",
            )
        tree = self.trees[round_index]
        return tree.leaf(leaf), tree.path(leaf)

    def answer(self, queries: Iterable[Query]) -> list[Opening]:
        """Openings of the queried entries, in the order asked."""
        openings = []
        for query in queries:
            index, _ = self.dims.leaf_of(query.i, query.j)
            leaf, path = self.open_leaf(query.round, index)
            openings.append(Opening(query, leaf, tuple(path)))
        return openings


def memory_needed(dims: Dims) -> int:
    """Bytes a prover of this chain should have: int8 factors with one as float32, one int32
    product with its float32 parts, and the trees of all rounds."""
    entries = dims.m * dims.n
    return 5 * dims.k * (dims.m + dims.n) + 8 * entries + dims.rounds * entries * 3 // 2


def prove(backend: Backend[Any, Any], seed: bytes, dims: Dims) -> Proof:
    """Run the whole chain: B once from `seed`, A fresh in every round.

    Memory: see `memory_needed`.
    """
    columns = [row_key(seed, Matrix.B, j) for j in range(dims.n)]
    b = backend.rows(columns, Matrix.B, dims.k)
    trees: list[FoldedTree] = []
    round_seed = seed
    for _ in range(dims.rounds):
        keys = [row_key(round_seed, Matrix.A, i) for i in range(dims.m)]
        product = backend.matmul(backend.rows(keys, Matrix.A, dims.k), b)
        trees.append(backend.fold_commit(product))
        round_seed = next_seed(round_seed, trees[-1].root)
    return Proof(dims, seed, tuple(trees))


def warm_up(backend: Backend[Any, Any]) -> None:
    """Use every part of a backend once, so that nothing is compiled while a clock runs."""
    key = bytes(32)
    a, b = backend.rows([key], Matrix.A, 32), backend.rows([key], Matrix.B, 32)
    backend.fold_pairs(a, b)
    prove(backend, key, Dims(16, 16, 32, 1))
