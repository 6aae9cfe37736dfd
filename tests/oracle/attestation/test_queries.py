"""The draw can be neither predicted nor chosen."""

from dataclasses import replace

from oracle.domain.attestation import Dims, Query, draw_queries, openings_hash
from oracle.domain.hashing import keccak

DIMS = Dims(64, 32, 64, 3)


def test_draw_follows_the_specification() -> None:
    x = int.from_bytes(keccak(b"f" * 32 + b"s" * 32 + (5).to_bytes(32, "big")), "big")

    assert draw_queries(b"f" * 32, b"s" * 32, 6, DIMS)[5] == Query(
        x % 3, (x // 3) % 64, (x // (3 * 64)) % 32
    )


def test_draw_covers_rounds_rows_and_columns() -> None:
    queries = draw_queries(bytes(32), bytes(32), 1_024, DIMS)

    assert {q.round for q in queries} == set(range(3))
    assert {q.i for q in queries} == set(range(64))
    assert {q.j for q in queries} == set(range(32))


def test_another_secret_or_commit_draws_other_entries() -> None:
    drawn = draw_queries(bytes(32), bytes(32), 16, DIMS)

    assert draw_queries(bytes(32), b"x" * 32, 16, DIMS) != drawn
    assert draw_queries(b"x" * 32, bytes(32), 16, DIMS) != drawn


def test_a_shorter_draw_is_a_prefix_and_zero_is_empty() -> None:
    assert draw_queries(bytes(32), bytes(32), 16, DIMS)[:4] == draw_queries(
        bytes(32), bytes(32), 4, DIMS
    )
    assert draw_queries(bytes(32), bytes(32), 0, DIMS) == []


def test_openings_hash_covers_place_leaf_and_order(honest) -> None:  # type: ignore[no-untyped-def]
    openings = honest.openings
    first = openings[0]

    assert openings_hash(openings) == openings_hash(list(openings))
    assert openings_hash(openings) != openings_hash(openings[::-1])
    assert openings_hash(openings) != openings_hash(openings[1:])
    moved = replace(first, query=replace(first.query, j=first.query.j ^ 1))
    assert openings_hash([moved]) != openings_hash([first])
    assert openings_hash([replace(first, leaf=bytes(128))]) != openings_hash([first])
