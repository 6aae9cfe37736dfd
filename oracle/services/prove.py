"""The prover's side: run a chain or a walk, keep its trees, answer openings."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from oracle.adapters.gpu.backend import Backend
from oracle.domain.attestation import (
    LEAF_ENTRIES,
    Dims,
    LaneOpening,
    Matrix,
    Opening,
    Query,
    Tree,
    WalkDims,
    chain_seeds,
    next_seed,
    pruned_levels,
    row_key,
    walk,
)
from oracle.domain.attestation import memory_needed as memory_needed
from oracle.errors import NotFound


@dataclass(frozen=True, slots=True)
class Proof:
    """A chain that was run: its shape, first seed and the trees of all rounds.

    Of each tree the lowest `pruned` levels are gone; `backend` computes again what is asked for.
    """

    dims: Dims
    seed: bytes
    trees: tuple[Tree, ...]
    backend: Backend[Any, Any]
    pruned: int = 0

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
        if not self.pruned:
            return tree.leaf(leaf), tree.path(leaf)
        node, place = divmod(leaf, 1 << self.pruned)
        below = self._below(round_index, node)
        return below.leaf(place), below.path(place) + tree.path(node)

    def _below(self, round_index: int, node: int) -> Tree:
        """The tree under a node of the lowest level that was kept: part of one row of C."""
        entries = LEAF_ENTRIES << self.pruned
        i, first = divmod(node * entries, self.dims.n)
        seed = chain_seeds(self.seed, self.roots[:round_index])[-1]
        columns = [row_key(self.seed, Matrix.B, j) for j in range(first, first + entries)]
        row = self.backend.rows([row_key(seed, Matrix.A, i)], Matrix.A, self.dims.k)
        b = self.backend.rows(columns, Matrix.B, self.dims.k)
        return self.backend.fold_commit(self.backend.matmul(row, b))

    def answer(self, queries: Iterable[Query]) -> list[Opening]:
        """Openings of the queried entries, in the order asked."""
        openings = []
        for query in queries:
            index, _ = self.dims.leaf_of(query.i, query.j)
            leaf, path = self.open_leaf(query.round, index)
            openings.append(Opening(query, leaf, tuple(path)))
        return openings


def prove(
    backend: Backend[Any, Any],
    seed: bytes,
    dims: Dims,
    before_round: Callable[[], None] = lambda: None,
) -> Proof:
    """Run the whole chain: B once from `seed`, A fresh in every round.

    What `before_round` raises ends it. Memory: see `memory_needed`.
    """
    pruned = pruned_levels(dims)
    b = backend.factor(seed, Matrix.B, dims.n, dims.k)
    trees: list[Tree] = []
    round_seed = seed
    for _ in range(dims.rounds):
        before_round()
        product = backend.matmul(backend.factor(round_seed, Matrix.A, dims.m, dims.k), b)
        tree = backend.fold_commit(product)
        trees.append(tree.above(pruned) if pruned else tree)
        round_seed = next_seed(round_seed, tree.root)
    return Proof(dims, seed, tuple(trees), backend, pruned)


@dataclass(frozen=True, slots=True)
class WalkProof:
    """A residency walk that was made: its shape, what it started from, and the lanes' ends."""

    dims: WalkDims
    seed: bytes
    start: bytes
    tree: Tree

    @property
    def commitment(self) -> bytes:
        """The hash that binds the walk."""
        return walk.commitment(self.seed, self.start, self.dims, self.tree.root)

    def answer(self, lanes: Iterable[int]) -> list[LaneOpening]:
        """Openings of the queried lanes, in the order asked."""
        openings = []
        for lane in lanes:
            if not 0 <= lane < self.dims.lanes:
                raise NotFound(f"no lane {lane}", f"lanes are 0..{self.dims.lanes - 1}")
            leaf = lane // walk.ENDS_PER_LEAF
            openings.append(LaneOpening(lane, self.tree.leaf(leaf), tuple(self.tree.path(leaf))))
        return openings


def prove_walk(backend: Backend[Any, Any], seed: bytes, start: bytes, dims: WalkDims) -> WalkProof:
    """Fill the table of `seed` and walk through it from `start`.

    Whoever can wait for `start` fills the table first, with `backend.table`: then the walk alone
    is timed. Memory: the table, and 64 bytes a lane.
    """
    table = backend.table(walk.table_key(seed), dims)
    return WalkProof(dims, seed, start, table.walk(start, dims))


def warm_up(backend: Backend[Any, Any]) -> None:
    """Use every part of a backend once, so that nothing is compiled while a clock runs."""
    key = bytes(32)
    a, b = backend.rows([key], Matrix.A, 32), backend.rows([key], Matrix.B, 32)
    backend.fold_pairs(a, b)
    prove(backend, key, Dims(16, 16, 32, 1))
    prove_walk(backend, key, key, WalkDims(4, 4, 1, walk.MIN_DEPTH))
    backend.lane_ends(key, key, WalkDims(4, 4, 1, walk.MIN_DEPTH), [0])
