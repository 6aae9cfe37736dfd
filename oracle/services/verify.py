"""The verifier's side: check a commit, the entries or lanes opened, and the card's identity.

Pure functions: the caller brings the clock, the signature check and the challenge it issued.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from oracle.adapters.gpu.backend import Backend
from oracle.domain.attestation import (
    LEAF_BYTES,
    Dims,
    LaneOpening,
    Matrix,
    Opening,
    Query,
    WalkDims,
    chain_seeds,
    draw_queries,
    root_of,
    row_key,
    walk,
)
from oracle.domain.evidence import Evidence, EvidenceError, identify
from oracle.domain.messages import Commit, WalkCommit
from oracle.domain.records import Challenge


class Fault(Enum):
    """Why a commit is refused. Only a false entry is provable on chain."""

    CHALLENGE = "it answers another challenge"
    CHAIN = "its roots do not lead to its final seed"
    LIST = "the entries opened are not the entries asked for"
    PATH = "a leaf is not under its root"
    ENTRY = "an entry is not the product"
    LANE = "a lane does not end there"
    IDENTITY = "the card does not prove who it is"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Outcome of a check: accepted, or the first fault and where it is.

    `query` is the place of the fault in a chain, `lane` in a walk, `detail` what is wrong with
    evidence.
    """

    fault: Fault | None = None
    query: Query | None = None
    lane: int | None = None
    detail: str = ""

    @property
    def accepted(self) -> bool:
        """Whether everything checked held."""
        return self.fault is None

    @property
    def reason(self) -> str:
        """One line for people; empty if accepted."""
        if self.fault is None:
            return ""
        where = ""
        if self.query is not None:
            where = f" (round {self.query.round}, i {self.query.i}, j {self.query.j})"
        elif self.lane is not None:
            where = f" (lane {self.lane})"
        elif self.detail:
            where = f" ({self.detail})"
        return self.fault.value + where


ACCEPTED = Verdict()


def check_commit(commit: Commit, roots: Sequence[bytes], challenge: Commit) -> Verdict:
    """Whether a commit answers exactly this challenge and its roots chain to its final seed.

    `challenge` is the commit this oracle expects: its own provider, device, epoch, seed and
    dimensions; its `final_seed` is not looked at. A commit made for another device, chain,
    registry or epoch has another seed and fails here.
    """
    expected = (
        challenge.provider,
        challenge.device,
        challenge.epoch,
        challenge.seed,
        *_shape(challenge),
    )
    claimed = (commit.provider, commit.device, commit.epoch, commit.seed, *_shape(commit))
    if claimed != expected:
        return Verdict(Fault.CHALLENGE)
    if len(roots) != commit.rounds or chain_seeds(commit.seed, roots)[-1] != commit.final_seed:
        return Verdict(Fault.CHAIN)
    return ACCEPTED


def check_walk_commit(commit: WalkCommit, challenge: WalkCommit) -> Verdict:
    """The same for a walk, whose `root` alone is the prover's to choose."""
    matches = replace(challenge, root=commit.root) == commit
    return ACCEPTED if matches else Verdict(Fault.CHALLENGE)


def verify_openings(
    backend: Backend[Any, Any],
    commit: Commit,
    roots: Sequence[bytes],
    secret: bytes,
    queries: int,
    openings: Sequence[Opening],
) -> Verdict:
    """Check the openings of the `queries` entries that `secret` draws under a commit.

    The commit itself has passed `check_commit`. See `check_openings`.
    """
    dims = Dims(*_shape(commit))
    return check_openings(backend, dims, commit.seed, roots, secret, queries, openings)


def check_openings(
    backend: Backend[Any, Any],
    dims: Dims,
    seed: bytes,
    roots: Sequence[bytes],
    secret: bytes,
    queries: int,
    openings: Sequence[Opening],
) -> Verdict:
    """Check the openings of the `queries` entries that `secret` draws from a chain's final seed.

    The list must be the list asked for, entry by entry and in order, and not empty; every
    path must lead to its root; every opened byte must be the folded product.
    """
    final_seed = chain_seeds(seed, roots)[-1]
    asked = draw_queries(final_seed, secret, queries, dims)
    if not asked or [opening.query for opening in openings] != asked:
        return Verdict(Fault.LIST)
    for opening in openings:
        if not in_tree(dims, roots, opening):
            return Verdict(Fault.PATH, opening.query)
    wrong = false_entries(backend, dims, seed, roots, openings)
    return Verdict(Fault.ENTRY, wrong[0]) if wrong else ACCEPTED


def in_tree(dims: Dims, roots: Sequence[bytes], opening: Opening) -> bool:
    """Whether an opened leaf is the committed one, by its path to the round's root."""
    query = opening.query
    inside = query.round < dims.rounds and query.i < dims.m and query.j < dims.n
    if not inside or len(opening.leaf) != LEAF_BYTES or len(opening.path) != dims.depth:
        return False
    index, _ = dims.leaf_of(query.i, query.j)
    return root_of(opening.leaf, index, opening.path) == roots[query.round]


def false_entries(
    backend: Backend[Any, Any],
    dims: Dims,
    seed: bytes,
    roots: Sequence[bytes],
    openings: Sequence[Opening],
) -> list[Query]:
    """The opened entries whose byte is not the folded product: each one convicts its prover.

    Regenerates one row of A and one column of B per entry; the paths have been checked.
    """
    queries = [opening.query for opening in openings]
    expected = _expected_bytes(backend, dims, chain_seeds(seed, roots), queries)
    return [
        opening.query
        for opening, byte in zip(openings, expected, strict=True)
        if opening.leaf[dims.leaf_of(opening.query.i, opening.query.j)[1]] != byte
    ]


def audit_leaf(
    backend: Backend[Any, Any],
    dims: Dims,
    seed: bytes,
    roots: Sequence[bytes],
    round_index: int,
    index: int,
    leaf: bytes,
) -> list[Query]:
    """All false entries among the 128 of one leaf: what a watcher does beyond an oracle's draw.

    The leaf's path has been checked. An empty list means that the leaf is honest.
    """
    queries = [Query(round_index, *dims.entry_of(index, at)) for at in range(LEAF_BYTES)]
    expected = _expected_bytes(backend, dims, chain_seeds(seed, roots), queries)
    return [q for q, byte, right in zip(queries, leaf, expected, strict=True) if byte != right]


def check_lanes(
    backend: Backend[Any, Any],
    dims: WalkDims,
    seed: bytes,
    start: bytes,
    root: bytes,
    secret: bytes,
    queries: int,
    openings: Sequence[LaneOpening],
) -> Verdict:
    """Check the openings of the `queries` lanes that `secret` draws from a walk's commitment.

    The list must be the list asked for and not empty, every path must lead to the root, and every
    lane is walked again without a table: queries * steps * (depth + 1) hashes.
    """
    asked = walk.draw_lanes(walk.commitment(seed, start, dims, root), secret, queries, dims)
    if not asked or [opening.lane for opening in openings] != asked:
        return Verdict(Fault.LIST)
    for opening in openings:
        if not walk.lane_in_tree(dims, root, opening):
            return Verdict(Fault.PATH, lane=opening.lane)
    ends = backend.lane_ends(walk.table_key(seed), start, dims, asked)
    wrong = walk.false_lanes(openings, ends)
    return Verdict(Fault.LANE, lane=wrong[0]) if wrong else ACCEPTED


def check_answer(
    backend: Backend[Any, Any],
    challenge: Challenge,
    roots: Sequence[bytes],
    answer: Sequence[Opening | LaneOpening],
) -> Verdict:
    """Check the answer to a challenge's query, whatever its mode: all of the work, in one call."""
    shape, seed = challenge.shape, challenge.message.seed
    secret, queries = challenge.secret, challenge.message.queries
    if isinstance(shape, WalkDims):
        lanes = [one for one in answer if isinstance(one, LaneOpening)]
        (root,) = roots
        return check_lanes(backend, shape, seed, seed, root, secret, queries, lanes)
    entries = [one for one in answer if isinstance(one, Opening)]
    return check_openings(backend, shape, seed, roots, secret, queries, entries)


def check_identity(
    identity: bytes, evidence: Evidence | None, nonce: bytes, at: int, root: bytes
) -> Verdict:
    """Whether `evidence` proves that `identity` is the key of a card that was there.

    `nonce` is the challenge's seed, so that it can't be older; `at` and `root` as in `identify`.
    """
    if evidence is None:
        return Verdict(Fault.IDENTITY, detail="no evidence came with the answer")
    try:
        card = identify(evidence, nonce, at, root)
    except EvidenceError as error:
        return Verdict(Fault.IDENTITY, detail=str(error))
    if card.device_key != identity:
        return Verdict(Fault.IDENTITY, detail=f"it is the card 0x{card.device_key.hex()}")
    return ACCEPTED


def _expected_bytes(
    backend: Backend[Any, Any], dims: Dims, seeds: Sequence[bytes], queries: Sequence[Query]
) -> bytes:
    rows = [row_key(seeds[q.round], Matrix.A, q.i) for q in queries]
    columns = [row_key(seeds[0], Matrix.B, q.j) for q in queries]
    return backend.fold_pairs(
        backend.rows(rows, Matrix.A, dims.k), backend.rows(columns, Matrix.B, dims.k)
    )


def _shape(commit: Commit) -> tuple[int, int, int, int]:
    return commit.m, commit.n, commit.k, commit.rounds
