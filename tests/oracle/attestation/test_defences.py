"""Every way to cheat that a commit with openings can stop."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from oracle.adapters.gpu.numpy_backend import NumpyBackend
from oracle.domain.attestation import (
    Dims,
    FoldedTree,
    chain_seeds,
    detection_probability,
    device_id,
    draw_queries,
    seed_zero,
)
from oracle.domain.hashing import keccak
from oracle.services.prove import prove
from oracle.services.verify import (
    ACCEPTED,
    Fault,
    Verdict,
    audit_leaf,
    check_commit,
    in_tree,
    verify_openings,
)

TRIALS = 60
SECRET_OF_AN_ORACLE = b"known to one oracle only".ljust(32)


def _verify(backend: Any, case: Any, **changed: Any) -> Verdict:
    fields: dict[str, Any] = {
        "commit": case.commit,
        "roots": case.proof.roots,
        "secret": case.secret,
        "queries": case.queries,
        "openings": case.openings,
    }
    return verify_openings(backend, **{**fields, **changed})


def test_an_honest_prover_is_accepted_by_every_backend(backend: Any, honest: Any) -> None:
    assert check_commit(honest.commit, honest.proof.roots, honest.commit) == ACCEPTED
    assert _verify(backend, honest) == ACCEPTED


# --- the list opened is the list asked for ----------------------------------------------------


def test_an_empty_list_does_not_pass(numpy_backend: Any, honest: Any) -> None:
    assert _verify(numpy_backend, honest, openings=[]).fault is Fault.LIST
    assert _verify(numpy_backend, honest, openings=[], queries=0).fault is Fault.LIST


def test_other_entries_do_not_pass(numpy_backend: Any, honest: Any) -> None:
    asked = [opening.query for opening in honest.openings]
    elsewhere = honest.proof.answer([replace(asked[0], i=asked[0].i ^ 1), *asked[1:]])
    lists = [
        elsewhere,
        honest.openings[::-1],
        honest.openings[:-1],
        [*honest.openings, honest.openings[0]],
        [honest.openings[0]] * honest.queries,
    ]
    for openings in lists:
        assert _verify(numpy_backend, honest, openings=openings).fault is Fault.LIST


def test_openings_drawn_by_another_secret_do_not_pass(numpy_backend: Any, honest: Any) -> None:
    assert _verify(numpy_backend, honest, secret=b"x" * 32).fault is Fault.LIST


# --- the leaf opened is the leaf committed ------------------------------------------------------


def test_a_changed_leaf_or_path_is_not_under_the_root(numpy_backend: Any, honest: Any) -> None:
    first = honest.openings[0]
    flipped = bytes([first.leaf[0] ^ 1]) + first.leaf[1:]
    broken = [
        replace(first, leaf=flipped),
        replace(first, leaf=first.leaf[:-1]),
        replace(first, leaf=first.leaf + b"\0"),
        replace(first, path=first.path[:-1]),
        replace(first, path=(*first.path, bytes(32))),
        replace(first, path=first.path[::-1]),
    ]
    for opening in broken:
        verdict = _verify(numpy_backend, honest, openings=[opening, *honest.openings[1:]])
        assert verdict == Verdict(Fault.PATH, first.query)


def test_an_inner_node_is_no_leaf(honest: Any) -> None:
    """A path cut short, with two hashes in place of the leaf, does not open anything."""
    tree = honest.proof.trees[0]
    dims = honest.proof.dims
    query = next(o.query for o in honest.openings if o.query.round == 0)
    index, _ = dims.leaf_of(query.i, query.j)
    pair = bytes(tree.levels[0][(index // 2) * 64 : (index // 2) * 64 + 64])
    forged = replace(honest.openings[0], query=query, leaf=pair, path=tuple(tree.path(index)[1:]))

    assert not in_tree(dims, honest.proof.roots, forged)


@pytest.mark.parametrize("place", [("round", 3), ("i", 64), ("j", 32)])
def test_an_entry_outside_the_product_is_nowhere(honest: Any, place: tuple[str, int]) -> None:
    field, value = place
    opening = honest.openings[0]
    outside = replace(opening, query=replace(opening.query, **{field: value}))

    assert not in_tree(honest.proof.dims, honest.proof.roots, outside)


# --- the commit answers this challenge and no other ---------------------------------------------


def test_a_tampered_root_breaks_the_chain(honest: Any) -> None:
    for index in range(3):
        roots = [*honest.proof.roots]
        roots[index] = bytes([roots[index][0] ^ 1]) + roots[index][1:]
        assert check_commit(honest.commit, roots, honest.commit).fault is Fault.CHAIN


@pytest.mark.parametrize("roots", [slice(0, 0), slice(0, 2), slice(1, 3)])
def test_missing_roots_break_the_chain(honest: Any, roots: slice) -> None:
    verdict = check_commit(honest.commit, honest.proof.roots[roots], honest.commit)
    assert verdict.fault is Fault.CHAIN


def test_regrinding_the_last_root_draws_other_entries(numpy_backend: Any, honest: Any) -> None:
    """Whoever swaps the last root has another final seed: the old answer no longer fits."""
    reground = [*honest.proof.roots[:-1], b"\x77" * 32]
    commit = replace(honest.commit, final_seed=chain_seeds(honest.commit.seed, reground)[-1])

    assert check_commit(commit, reground, honest.commit) == ACCEPTED
    assert _verify(numpy_backend, honest, commit=commit, roots=reground).fault is Fault.LIST


def test_regrinding_the_last_root_ten_thousand_times_gains_nothing(honest: Any) -> None:
    """A prover that left out a tenth of the rows looks for a last root that hides them.

    It can test a root only against secrets that it makes up. Its best one is as likely to be
    caught under the oracle's as any other.
    """
    dims, tries, queries = Dims(1_024 * 128, 1, 32, 1), 10_000, 8
    skipped = dims.m // 10
    passes = (1 - skipped / dims.m) ** queries

    def hidden(final_seed: bytes, secret: bytes) -> bool:
        return all(query.i >= skipped for query in draw_queries(final_seed, secret, queries, dims))

    roots = [keccak(number.to_bytes(8, "big")) for number in range(tries)]
    finals = [chain_seeds(honest.commit.seed, [root])[-1] for root in roots]
    # under one real secret, a root passes as often as theory says: five standard deviations
    found = sum(hidden(final, SECRET_OF_AN_ORACLE) for final in finals)
    assert abs(found - tries * passes) <= 5 * math.sqrt(tries * passes * (1 - passes))

    made_up = [bytes([number]) * 32 for number in range(4)]
    best = max(finals, key=lambda final: sum(hidden(final, guess) for guess in made_up))
    assert all(hidden(best, guess) for guess in made_up)
    real = [keccak(b"secret" + number.to_bytes(8, "big")) for number in range(1_000)]
    kept = sum(hidden(best, secret) for secret in real)
    assert abs(kept - 1_000 * passes) <= 5 * math.sqrt(1_000 * passes * (1 - passes))


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("provider", 8),
        ("device", b"other device".ljust(32)),
        ("epoch", 4),
        ("seed", b"other chain".ljust(32)),
        ("m", 32),
        ("n", 64),
        ("k", 32),
        ("rounds", 2),
    ],
)
def test_a_commit_to_something_else_is_refused(honest: Any, field: str, other: Any) -> None:
    challenge = replace(honest.commit, **{field: other}, final_seed=bytes(32))
    verdict = check_commit(honest.commit, honest.proof.roots, challenge)
    assert verdict.fault is Fault.CHALLENGE


def test_replay_of_another_devices_chains_or_epochs_work(numpy_backend: Any, run_case: Any) -> None:
    """The work itself is worthless elsewhere: relabelled, its entries are false."""
    device = device_id(b"identity".ljust(32), 7)
    here = (b"beacon".ljust(32), 31_337, "0x" + "11" * 20, 7, device, 3)
    dims = Dims(32, 32, 64, 2)
    stolen = run_case(numpy_backend, dims, seed_zero(*here))
    others = [
        (*here[:1], 1, *here[2:]),
        (*here[:2], "0x" + "22" * 20, *here[3:]),
        (*here[:4], device_id(b"other".ljust(32), 7), 3),
        (*here[:5], 4),
        (b"next beacon".ljust(32), *here[1:]),
    ]
    for other in others:
        seed = seed_zero(*other)
        final_seed = chain_seeds(seed, stolen.proof.roots)[-1]
        commit = replace(stolen.commit, seed=seed, final_seed=final_seed)
        asked = draw_queries(final_seed, stolen.secret, stolen.queries, dims)
        verdict = _verify(numpy_backend, stolen, commit=commit, openings=stolen.proof.answer(asked))
        assert verdict.fault is Fault.ENTRY


# --- the entry committed is the product ---------------------------------------------------------


class SkippingBackend(NumpyBackend):
    """Leaves the last rows of C to chance, as a prover would that computes less."""

    def __init__(self, share: float, seed: int = 0) -> None:
        self.share = share
        self.random = np.random.default_rng(seed)

    def matmul(self, a: Any, b: Any) -> Any:
        computed = len(a) - round(len(a) * self.share)
        guessed = self.random.integers(-(2**20), 2**20, (len(a) - computed, len(b)))
        return np.concatenate([super().matmul(a[:computed], b), guessed.astype(np.int32)])


def test_skipping_a_tenth_is_detected_and_located(numpy_backend: Any, run_case: Any) -> None:
    cheat = run_case(SkippingBackend(0.1), Dims(256, 64, 64, 2))
    verdict = _verify(numpy_backend, cheat)

    assert check_commit(cheat.commit, cheat.proof.roots, cheat.commit) == ACCEPTED
    assert verdict.fault is Fault.ENTRY
    assert verdict.query is not None
    assert verdict.query.i >= 256 - 26
    assert "not the product" in verdict.reason


@pytest.mark.parametrize("share", [0.01, 0.02, 0.05, 0.10])
def test_detection_is_as_likely_as_theory_says(
    numpy_backend: Any, run_case: Any, share: float
) -> None:
    """60 independent draws against one cheat; three standard deviations around theory."""
    dims = Dims(1_024, 32, 32, 1)
    cheat = run_case(SkippingBackend(share), dims)
    caught = 0
    for trial in range(TRIALS):
        secret = trial.to_bytes(32, "big")
        asked = draw_queries(cheat.proof.final_seed, secret, cheat.queries, dims)
        openings = cheat.proof.answer(asked)
        caught += not _verify(numpy_backend, cheat, secret=secret, openings=openings).accepted

    # a guessed byte is right by chance once in 256
    skipped = round(1_024 * share) / 1_024 * 255 / 256
    expected = detection_probability(skipped, cheat.queries)
    deviation = math.sqrt(TRIALS * expected * (1 - expected))
    assert abs(caught - TRIALS * expected) <= 3 * deviation + 1


class LowRankBackend(NumpyBackend):
    """Multiplies rank-8 approximations of both factors: O(n^2) work, entries nearly right."""

    def matmul(self, a: Any, b: Any) -> Any:
        u, s, v = np.linalg.svd(a.astype(np.float64), full_matrices=False)
        return np.rint((u[:, :8] * s[:8]) @ v[:8] @ b.astype(np.float64).T).astype(np.int32)


class StructuredBackend(NumpyBackend):
    """Computes one row and repeats it, as if A were structured."""

    def matmul(self, a: Any, b: Any) -> Any:
        return np.repeat(super().matmul(a[:1], b), len(a), axis=0)


class RankOneBackend(NumpyBackend):
    """Computes the first row and the first column exactly, and fills in a matrix of rank one."""

    def matmul(self, a: Any, b: Any) -> Any:
        row = super().matmul(a[:1], b)[0].astype(np.int64)
        column = super().matmul(a, b[:1])[:, 0].astype(np.int64)
        corner = int(row[0]) or 1
        return (column[:, None] * row[None, :] // corner).astype(np.int32)


class HankelBackend(NumpyBackend):
    """Computes the first row and the last column exactly, and lets C(i, j) depend on i + j."""

    def matmul(self, a: Any, b: Any) -> Any:
        row, column = super().matmul(a[:1], b)[0], super().matmul(a, b[-1:])[:, 0]
        diagonals = np.concatenate([row, column[1:]])
        places = np.add.outer(np.arange(len(a)), np.arange(len(b)))
        return diagonals[places]


@pytest.mark.parametrize("forger", [RankOneBackend(), HankelBackend()])
def test_a_forgery_from_one_row_and_one_column_is_caught(
    numpy_backend: Any, run_case: Any, forger: Any
) -> None:
    """What it computed is right and the rest is not: nearly every draw convicts it."""
    dims = Dims(64, 64, 64, 1)
    forged = run_case(forger, dims)
    right = prove(numpy_backend, forged.commit.seed, dims).trees[0]
    agree = sum(x == y for x, y in zip(forged.proof.trees[0].folded, right.folded, strict=True))
    assert 64 + 63 <= agree < 64 + 63 + 64  # by chance one byte in 256

    caught = 0
    for trial in range(TRIALS):
        secret = trial.to_bytes(32, "big")
        asked = draw_queries(forged.proof.final_seed, secret, 4, dims)
        verdict = _verify(
            numpy_backend, forged, secret=secret, queries=4, openings=forged.proof.answer(asked)
        )
        assert verdict.accepted or verdict.fault is Fault.ENTRY
        caught += not verdict.accepted
    # each of four draws misses with probability below 5 %
    assert caught == TRIALS


@pytest.mark.parametrize("forger", [LowRankBackend(), StructuredBackend()])
def test_approximations_are_no_products(numpy_backend: Any, run_case: Any, forger: Any) -> None:
    forged = run_case(forger, Dims(64, 64, 64, 1))
    assert _verify(numpy_backend, forged).fault is Fault.ENTRY


def test_one_wrong_byte_convicts_only_itself(numpy_backend: Any, run_case: Any) -> None:
    """A prover with one flipped byte: the leaf's audit names exactly that entry."""
    dims = Dims(16, 16, 64, 1)

    class OneByteOff(NumpyBackend):
        def fold_commit(self, product: Any) -> FoldedTree:
            wrong = product.copy()
            wrong[9, 5] ^= 1
            return super().fold_commit(wrong)

    cheat = run_case(OneByteOff(), dims)
    index, place = dims.leaf_of(9, 5)
    leaf, _ = cheat.proof.open_leaf(0, index)
    found = audit_leaf(numpy_backend, dims, cheat.commit.seed, cheat.proof.roots, 0, index, leaf)

    assert [(q.i, q.j) for q in found] == [dims.entry_of(index, place)]


def test_an_honest_leaf_has_nothing_to_convict(backend: Any, honest: Any) -> None:
    dims, proof = honest.proof.dims, honest.proof
    for round_index in range(dims.rounds):
        leaf, _ = proof.open_leaf(round_index, 3)
        assert audit_leaf(backend, dims, proof.seed, proof.roots, round_index, 3, leaf) == []


def test_one_product_can_not_serve_two_rounds(numpy_backend: Any, run_case: Any) -> None:
    """A prover that hands in round 0's tree again is wrong everywhere in round 1."""
    dims = Dims(32, 32, 64, 2)
    first = prove(numpy_backend, b"seed".ljust(32), replace(dims, rounds=1)).trees[0]

    class Repeating(NumpyBackend):
        def fold_commit(self, product: Any) -> FoldedTree:
            return first

    lazy = run_case(Repeating(), dims)
    verdict = _verify(numpy_backend, lazy)
    assert check_commit(lazy.commit, lazy.proof.roots, lazy.commit) == ACCEPTED
    assert verdict.fault is Fault.ENTRY
    assert verdict.query is not None
    assert verdict.query.round == 1
