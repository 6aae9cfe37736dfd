"""All backends agree bit for bit, also where the arithmetic is at its limits."""

import secrets
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.adapters.gpu import BACKENDS, load_backend
from oracle.adapters.gpu.numpy_backend import K_BLOCK, NumpyBackend
from oracle.adapters.gpu.reference import ReferenceBackend
from oracle.domain.attestation import Dims, Matrix, fold
from oracle.domain.hashing import keccak
from oracle.domain.keccak_lanes import hash_blocks
from oracle.errors import Misconfigured
from oracle.services.prove import memory_needed, prove

REFERENCE, NUMPY = ReferenceBackend(), NumpyBackend()


@pytest.mark.parametrize(
    "shape",
    [
        (1, 128, 32, 1),
        (128, 1, 32, 2),
        (2, 64, 32, 3),
        (8, 16, 64, 2),
        (16, 8, 96, 2),
        (64, 128, 32, 1),
        (4, 32, 1_024, 2),
        (4, 32, 1_056, 2),  # one word into the second K block
        (2, 64, 4_096, 1),
    ],
)
def test_backends_prove_the_same_chain(shape: tuple[int, int, int, int]) -> None:
    dims, seed = Dims(*shape), keccak(repr(shape).encode())
    slow, fast = prove(REFERENCE, seed, dims), prove(NUMPY, seed, dims)

    assert slow.roots == fast.roots
    for round_index in range(dims.rounds):
        for leaf in range(0, dims.leaves, 7):
            assert slow.open_leaf(round_index, leaf) == fast.open_leaf(round_index, leaf)


@settings(max_examples=40, deadline=None)
@given(
    keys=st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=7),
    matrix=st.sampled_from(Matrix),
    words=st.integers(1, 9),
)
def test_generators_agree(keys: list[bytes], matrix: Matrix, words: int) -> None:
    slow = REFERENCE.rows(keys, matrix, 32 * words)
    fast = NUMPY.rows(keys, matrix, 32 * words)

    assert fast.tolist() == slow


@pytest.mark.parametrize("matrix", Matrix)
@pytest.mark.parametrize("low", [2**64 - 2, 2**128 - 2, 2**192 - 2, 2**256 - 2])
def test_generators_carry_alike(matrix: Matrix, low: int) -> None:
    key = low.to_bytes(32, "big")
    assert NUMPY.rows([key], matrix, 160).tolist() == REFERENCE.rows([key], matrix, 160)


@pytest.mark.parametrize("k", [K_BLOCK, 3 * K_BLOCK + 32])
@pytest.mark.parametrize(("a", "b"), [(-128, -128), (-128, 127), (127, 127)])
def test_product_is_exact_at_the_largest_magnitudes(a: int, b: int, k: int) -> None:
    """Sums of 1 024 products reach 2^24, the last integer float32 counts to."""
    product = NUMPY.matmul(np.full((3, k), a, np.int8), np.full((2, k), b, np.int8))

    assert product.tolist() == [[a * b * k] * 2] * 3


def test_product_is_exact_on_odd_sums() -> None:
    """Around 2^24 float32 would lose odd sums first."""
    a = np.full((1, 2 * K_BLOCK), -128, np.int8)
    b = np.full((1, 2 * K_BLOCK), -128, np.int8)
    a[0, 5], b[0, 5] = 1, 1

    expected = (2 * K_BLOCK - 1) * 2**14 + 1
    assert NUMPY.matmul(a, b).tolist() == [[expected]]


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=128, max_size=128))
@settings(max_examples=25, deadline=None)
def test_folds_agree(entries: list[int]) -> None:
    product = np.array(entries, np.int32).reshape(1, 128)
    assert bytes(NUMPY.fold_commit(product).folded) == bytes(fold(entry) for entry in entries)


def test_pairs_are_the_diagonal_of_the_product() -> None:
    keys = [secrets.token_bytes(32) for _ in range(5)]
    for backend in (REFERENCE, NUMPY):
        a = backend.rows(keys, Matrix.A, 96)
        b = backend.rows(keys, Matrix.B, 96)
        product = backend.matmul(a, b)
        assert backend.fold_pairs(a, b) == bytes(fold(int(product[t][t])) for t in range(5))


@pytest.mark.parametrize("words", [1, 4, 8, 16])
@pytest.mark.parametrize("count", [1, 3, 4, 5, 9])
def test_kernel_hashes_like_the_hash_package(words: int, count: int) -> None:
    data = np.frombuffer(secrets.token_bytes(8 * words * count), np.uint64).reshape(count, words)
    out = np.empty((count, 4), np.uint64)
    hash_blocks(data, out)

    assert [row.tobytes() for row in out] == [keccak(row.tobytes()) for row in data]


def test_memory_estimate_covers_what_a_proof_keeps() -> None:
    dims = Dims(256, 256, 64, 3)
    proof = prove(NUMPY, bytes(32), dims)
    kept = sum(len(tree.folded) + sum(len(level) for level in tree.levels) for tree in proof.trees)
    assert kept < memory_needed(dims)


@pytest.mark.parametrize("name", BACKENDS)
def test_backends_load_by_name(name: str) -> None:
    assert load_backend(name).name == name


def test_auto_takes_the_fastest() -> None:
    assert load_backend("auto").name == BACKENDS[0]


def test_unknown_backend_names_the_known_ones() -> None:
    with pytest.raises(Misconfigured) as caught:
        load_backend("abacus")
    assert "numpy" in caught.value.remedy


def test_numpy_backend_without_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "oracle.adapters.gpu.numpy_backend", None)

    assert load_backend("auto").name == "reference"
    with pytest.raises(Misconfigured, match="does not load"):
        load_backend("numpy")


def test_a_cheater_overrides_one_method() -> None:
    """What a demonstration needs: leave out a tenth of the rows of C, the rest stays honest."""

    class Skips(NumpyBackend):
        def matmul(self, a: Any, b: Any) -> Any:
            product = super().matmul(a, b)
            product[::10] = 0
            return product

    dims = Dims(32, 32, 32, 1)
    honest, cheat = prove(NUMPY, bytes(32), dims), prove(Skips(), bytes(32), dims)
    differing = sum(
        x != y for x, y in zip(honest.trees[0].folded, cheat.trees[0].folded, strict=True)
    )
    assert 3 * 32 < differing <= 4 * 32
