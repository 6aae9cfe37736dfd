"""Which entries a verifier asks for, and what the prover answers."""

from collections.abc import Iterable
from dataclasses import dataclass

from oracle.domain.attestation.chain import Dims
from oracle.domain.attestation.walk import LaneOpening
from oracle.domain.hashing import keccak


@dataclass(frozen=True, slots=True)
class Query:
    """One entry (i, j) of the product of round `round`."""

    round: int
    i: int
    j: int


@dataclass(frozen=True, slots=True)
class Opening:
    """Answer to a query: the 128 folded bytes that hold the entry, and their Merkle path."""

    query: Query
    leaf: bytes
    path: tuple[bytes, ...]


def draw_queries(final_seed: bytes, secret: bytes, count: int, dims: Dims) -> list[Query]:
    """The `count` entries that an oracle's secret draws under a commit.

    The prover sees the secret only after its final seed is signed, so it can't grind the
    draw. Entries are drawn with replacement: each one must be opened, in this order.
    """
    queries = []
    for t in range(count):
        x = int.from_bytes(keccak(final_seed + secret + t.to_bytes(32, "big")), "big")
        x, round_index = divmod(x, dims.rounds)
        x, i = divmod(x, dims.m)
        queries.append(Query(round_index, i, x % dims.n))
    return queries


def openings_hash(openings: Iterable[Opening]) -> bytes:
    """Hash of the opened entries in order: uint16 round, uint32 i, uint32 j, 128-byte leaf each.

    Paths are left out: roots and leaves determine them.
    """
    return keccak(
        b"".join(
            o.query.round.to_bytes(2, "big")
            + o.query.i.to_bytes(4, "big")
            + o.query.j.to_bytes(4, "big")
            + o.leaf
            for o in openings
        )
    )


def answer_hash(openings: Iterable[Opening | LaneOpening]) -> bytes:
    """Hash of a whole answer, paths included: what its sender signs for.

    Per entry uint16 round, uint32 i, uint32 j, or per lane uint80 lane; then the 128-byte leaf,
    uint8 length of the path, and the path.
    """
    return keccak(
        b"".join(
            _place(o) + o.leaf + len(o.path).to_bytes(1, "big") + b"".join(o.path) for o in openings
        )
    )


def _place(opening: Opening | LaneOpening) -> bytes:
    if isinstance(opening, LaneOpening):
        return opening.lane.to_bytes(10, "big")
    query = opening.query
    return query.round.to_bytes(2, "big") + query.i.to_bytes(4, "big") + query.j.to_bytes(4, "big")
