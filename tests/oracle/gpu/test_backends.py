"""All backends agree bit for bit, also where the arithmetic is at its limits."""

import json
import secrets
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.adapters.gpu import BACKENDS, load_backend
from oracle.adapters.gpu.numpy_backend import COLUMN_BLOCK, K_BLOCK, NumpyBackend
from oracle.adapters.gpu.reference import ReferenceBackend
from oracle.domain.attestation import (
    Dims,
    Matrix,
    WalkDims,
    fold,
    memory_needed,
    next_seed,
    row_elements,
    row_key,
)
from oracle.domain.hashing import keccak
from oracle.domain.keccak_lanes import hash_blocks
from oracle.errors import Misconfigured
from oracle.services.prove import prove, prove_walk
from tests.backends import skip_if_interpreted

REFERENCE, NUMPY = ReferenceBackend(), NumpyBackend()

each_example = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def to_backend(backend: Any, values: np.ndarray[Any, Any]) -> Any:
    """An array as the backend's own type, on its device."""
    if isinstance(backend, NumpyBackend):
        return values
    import torch

    return torch.from_numpy(values).to(backend.device)


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
def test_backends_prove_the_same_chain(backend: Any, shape: tuple[int, int, int, int]) -> None:
    dims, seed = Dims(*shape), keccak(repr(shape).encode())
    slow, fast = prove(REFERENCE, seed, dims), prove(backend, seed, dims)

    assert slow.roots == fast.roots
    for round_index in range(dims.rounds):
        for leaf in range(0, dims.leaves, 7):
            assert slow.open_leaf(round_index, leaf) == fast.open_leaf(round_index, leaf)


@pytest.mark.parametrize(
    "shape",
    [
        (256, 512, 1_056, 2),
        (32, 2 * COLUMN_BLOCK, 64, 1),  # two blocks of columns
        (2_048, 64, 992, 1),
        (16, 8, 131_072, 1),  # the largest K
    ],
)
def test_sampled_entries_of_larger_chains(backend: Any, shape: tuple[int, int, int, int]) -> None:
    skip_if_interpreted(backend)
    dims, seed = Dims(*shape), keccak(repr(shape).encode())
    proof = prove(backend, seed, dims)

    assert proof.roots == prove(NUMPY, seed, dims).roots
    round_seed = next_seed(seed, proof.roots[0]) if dims.rounds > 1 else seed
    for i, j in [(0, 0), (dims.m - 1, dims.n - 1), (dims.m // 3, dims.n // 5)]:
        row = row_elements(row_key(round_seed, Matrix.A, i), Matrix.A, dims.k)
        column = row_elements(row_key(seed, Matrix.B, j), Matrix.B, dims.k)
        index, place = dims.leaf_of(i, j)
        leaf, _ = proof.open_leaf(dims.rounds - 1, index)
        assert leaf[place] == fold(sum(a * b for a, b in zip(row, column, strict=True)))


@each_example
@given(
    keys=st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=7),
    matrix=st.sampled_from(Matrix),
    words=st.integers(1, 9),
)
def test_generators_agree(backend: Any, keys: list[bytes], matrix: Matrix, words: int) -> None:
    slow = REFERENCE.rows(keys, matrix, 32 * words)
    fast = backend.rows(keys, matrix, 32 * words)

    assert fast.tolist() == slow


@pytest.mark.parametrize("matrix", Matrix)
def test_factors_are_the_rows_of_their_keys(backend: Any, matrix: Matrix) -> None:
    seed = secrets.token_bytes(32)
    expected = REFERENCE.factor(seed, matrix, 300, 32)

    assert backend.factor(seed, matrix, 300, 32).tolist() == expected
    assert expected[299] == row_elements(row_key(seed, matrix, 299), matrix, 32)


@pytest.mark.parametrize("matrix", Matrix)
@pytest.mark.parametrize("low", [2**64 - 2, 2**128 - 2, 2**192 - 2, 2**256 - 2])
def test_generators_carry_alike(backend: Any, matrix: Matrix, low: int) -> None:
    key = low.to_bytes(32, "big")
    assert backend.rows([key], matrix, 160).tolist() == REFERENCE.rows([key], matrix, 160)


@pytest.mark.parametrize("k", [K_BLOCK, 3 * K_BLOCK + 32, 131_072 - 32])
@pytest.mark.parametrize(("a", "b"), [(-128, -128), (-128, 127), (127, 127)])
def test_product_is_exact_at_the_largest_magnitudes(backend: Any, a: int, b: int, k: int) -> None:
    """Sums of 1 024 products reach 2^24, the last integer float32 counts to."""
    factors = (np.full((rows, k), value, np.int8) for rows, value in ((3, a), (2, b)))
    product = backend.matmul(*(to_backend(backend, factor) for factor in factors))

    assert product.tolist() == [[a * b * k] * 2] * 3


def test_product_is_exact_on_odd_sums(backend: Any) -> None:
    """Around 2^24 float32 would lose odd sums first."""
    a = np.full((1, 2 * K_BLOCK), -128, np.int8)
    b = np.full((1, 2 * K_BLOCK), -128, np.int8)
    a[0, 5], b[0, 5] = 1, 1

    expected = (2 * K_BLOCK - 1) * 2**14 + 1
    product = backend.matmul(to_backend(backend, a), to_backend(backend, b))
    assert product.tolist() == [[expected]]


@each_example
@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=128, max_size=128))
def test_folds_agree(backend: Any, entries: list[int]) -> None:
    product = to_backend(backend, np.array(entries, np.int32).reshape(1, 128))
    assert backend.fold_commit(product).leaf(0) == bytes(fold(entry) for entry in entries)


def test_pairs_are_the_diagonal_of_the_product(backend: Any) -> None:
    keys = [secrets.token_bytes(32) for _ in range(5)]
    a = REFERENCE.rows(keys, Matrix.A, 96)
    b = REFERENCE.rows(keys, Matrix.B, 96)
    product = REFERENCE.matmul(a, b)
    expected = bytes(fold(product[t][t]) for t in range(5))

    pair = backend.rows(keys, Matrix.A, 96), backend.rows(keys, Matrix.B, 96)
    assert REFERENCE.fold_pairs(a, b) == backend.fold_pairs(*pair) == expected


@pytest.mark.parametrize("words", [1, 4, 8, 16])
@pytest.mark.parametrize("count", [1, 3, 4, 5, 9])
def test_kernel_hashes_like_the_hash_package(words: int, count: int) -> None:
    data = np.frombuffer(secrets.token_bytes(8 * words * count), np.uint64).reshape(count, words)
    out = np.empty((count, 4), np.uint64)
    hash_blocks(data, out)

    assert [row.tobytes() for row in out] == [keccak(row.tobytes()) for row in data]


@pytest.mark.parametrize("dims", [WalkDims(5, 4, 3, 8), WalkDims(1_100, 16, 2, 9)])
def test_walks_agree(backend: Any, dims: WalkDims) -> None:
    seed, start = keccak(b"table"), keccak(b"walk")
    slow, fast = (prove_walk(each, seed, start, dims) for each in (REFERENCE, backend))

    assert slow.commitment == fast.commitment
    assert slow.answer(range(dims.lanes)) == fast.answer(range(dims.lanes))
    key = keccak(b"a key")
    lanes = list(range(dims.lanes))
    assert backend.lane_ends(key, start, dims, lanes) == REFERENCE.lane_ends(
        key, start, dims, lanes
    )


# --- trees whose lowest levels are gone -------------------------------------------------------


def test_dropped_levels_are_computed_again(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    dims, seed = Dims(4, 512, 32, 2), keccak(b"pruned")
    whole = prove(NUMPY, seed, dims)
    monkeypatch.setattr("oracle.domain.attestation.memory.TREE_BYTES", 1_000)
    short = prove(backend, seed, dims)

    assert short.pruned == 2
    assert short.roots == whole.roots
    for round_index, leaf in ((0, 1), (0, 15), (1, 0), (1, 6)):
        assert short.open_leaf(round_index, leaf) == whole.open_leaf(round_index, leaf)


def test_memory_estimate_covers_what_a_proof_keeps() -> None:
    dims = Dims(256, 256, 64, 3)
    proof = prove(NUMPY, bytes(32), dims)
    kept = sum(len(tree.folded) + sum(len(level) for level in tree.levels) for tree in proof.trees)
    assert kept < memory_needed(dims)


def test_a_tree_on_a_device_opens_like_one_in_memory() -> None:
    torch = pytest.importorskip("torch", reason="install clearwork[gpu]")
    from oracle.adapters.gpu.torch_backend import DeviceTree

    tree = prove(NUMPY, bytes(32), Dims(32, 64, 32, 1)).trees[0]
    levels = [torch.frombuffer(bytearray(level), dtype=torch.int64) for level in tree.levels]
    folded = torch.frombuffer(bytearray(tree.folded), dtype=torch.uint8)
    copy = DeviceTree(folded, [level.view(-1, 4) for level in levels])

    assert copy.root == tree.root
    for leaf in range(16):
        assert (copy.leaf(leaf), copy.path(leaf)) == (tree.leaf(leaf), tree.path(leaf))
        assert copy.above(2).path(leaf >> 2) == tree.above(2).path(leaf >> 2) == tree.path(leaf)[2:]


# --- loading --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["numpy", "reference"])
def test_backends_load_by_name(name: str) -> None:
    assert load_backend(name).name == name


def test_torch_takes_a_device_by_name() -> None:
    pytest.importorskip("torch", reason="install clearwork[gpu]")
    assert load_backend("torch").name == load_backend("torch:cpu").name == "torch"
    with pytest.raises(Misconfigured, match="no device 'abacus'"):
        load_backend("torch:abacus")


def test_a_device_whose_product_is_not_exact_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processors without VNNI may saturate 16-bit sums: then floats take over, or nothing does."""
    pytest.importorskip("torch", reason="install clearwork[gpu]")
    from oracle.adapters.gpu import torch_backend

    def saturating(a: Any, b: Any) -> Any:
        return (a.int() @ b.int().T).clamp(-(2**24), 2**24)

    monkeypatch.setattr(torch_backend, "_int_product", saturating)
    a, b = secrets.token_bytes(64), secrets.token_bytes(64)
    keys = [a[:32], a[32:]], [b[:32], b[32:]]
    product = torch_backend.TorchBackend().matmul
    rows = [torch_backend.TorchBackend().rows(each, Matrix.A, 2_048) for each in keys]
    expected = REFERENCE.matmul(*(REFERENCE.rows(each, Matrix.A, 2_048) for each in keys))
    assert product(*rows).tolist() == expected

    monkeypatch.setattr(torch_backend, "_float_product", saturating)
    with pytest.raises(Misconfigured, match="multiplies no int8 matrices exactly"):
        torch_backend.TorchBackend()


def test_auto_takes_the_fastest_that_works() -> None:
    assert load_backend("auto").name == next(name for name in BACKENDS if _works(name))


def test_unknown_backend_names_the_known_ones() -> None:
    with pytest.raises(Misconfigured) as caught:
        load_backend("abacus")
    assert "numpy" in caught.value.remedy


def test_backends_without_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("numpy_backend", "torch_backend"):
        monkeypatch.setitem(sys.modules, f"oracle.adapters.gpu.{module}", None)

    assert load_backend("auto").name == "reference"
    for name, package in (("numpy", "numba"), ("torch", "clearwork[gpu]")):
        with pytest.raises(Misconfigured, match="does not load") as caught:
            load_backend(name)
        assert package in caught.value.remedy


# what an installation without extras lacks, and a command as it runs there, rates hardly measured
BASE = """
import sys

EXTRAS = {"torch", "triton", "psycopg", "psycopg_pool", "procrastinate"}

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())

from importlib import import_module
from oracle.cli.main import ROLES, run
from oracle.services import calibrate

for role in ROLES:
    import_module(f"oracle.cli.{role}")
calibrate.ENOUGH_SECONDS = 0.001
run()
"""


def test_the_base_installation_computes() -> None:
    command = [sys.executable, "-c", BASE, "agent", "backends", "--json"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    states = json.loads(ended.stdout)
    assert {name for name, state in states.items() if state["works"]} == {"numpy", "reference"}
    assert all(states[name]["int8_gops"] > 0 for name in ("numpy", "reference"))
    for name in ("torch:cuda", "torch:xpu", "torch"):
        assert states[name]["reason"].endswith("No module named 'torch'")
        assert states[name]["remedy"] == "install clearwork[gpu]"


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


def _works(name: str) -> bool:
    try:
        return load_backend(name).name == name
    except Misconfigured:
        return False
