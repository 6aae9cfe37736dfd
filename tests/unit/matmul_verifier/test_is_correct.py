"""Openings: what is accepted, what convicts, and what is not an opening at all."""

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

MAX_DIM = 2**32 - 1
SEED = bytes(range(32))
OTHER = bytes(range(32, 64))


@pytest.mark.parametrize("case", range(3), ids=["golden", "tiny", "rect"])
def test_golden_roots(verifier, golden, compute, case):
    vector = golden["single"][case]
    seed = bytes.fromhex(vector["seed"][2:])
    m, n = vector["m"], vector["n"]
    product = compute(seed, seed, m, n, vector["K"])
    assert product.root.hex() == vector["root"][2:]
    for i, j in ((0, 0), (m - 1, n - 1), (m // 2, 7)):
        assert verifier.is_correct(product.open(i, j).struct)


def test_golden_chain(verifier, golden, compute):
    chain = golden["chain"]
    seeds = [bytes.fromhex(seed[2:]) for seed in chain["seeds"]]
    for seed, root in zip(seeds[:-1], chain["roots"], strict=True):
        product = compute(seed, seeds[0], chain["m"], chain["n"], chain["K"])
        assert product.root.hex() == root[2:]
        assert verifier.is_correct(product.open(31, 2).struct)


def test_every_entry_of_a_small_product(verifier, compute):
    product = compute(SEED, OTHER, 16, 16, 32)
    for i in range(16):
        for j in range(16):
            assert verifier.is_correct(product.open(i, j).struct)


@st.composite
def shapes(draw):
    """m, n, k and one entry: 1 to 16 leaves of all proportions."""
    size = draw(st.integers(7, 11))
    m = 2 ** draw(st.integers(0, size))
    n = 2**size // m
    k = 32 * draw(st.integers(1, 6))
    return m, n, k, draw(st.integers(0, m - 1)), draw(st.integers(0, n - 1))


@settings(max_examples=25, deadline=None)
@given(shape=shapes(), difference=st.integers(1, 255))
def test_only_the_false_byte_convicts(verifier, compute, shape, difference):
    m, n, k, i, j = shape
    product = compute(SEED, OTHER, m, n, k)
    assert verifier.is_correct(product.open(i, j).struct)

    false = product.falsify(i, j, difference)
    assert not verifier.is_correct(false.open(i, j).struct)
    neighbour = (i, (j + 1) % n) if n > 1 else ((i + 1) % m, j)
    assert verifier.is_correct(false.open(*neighbour).struct)


def test_rows_shorter_than_a_leaf_and_no_power_of_two(verifier, compute):
    """m * n / 128 = 4 leaves of a 32 x 16, and 1 leaf of a 128 x 1 and a 1 x 128 product."""
    for m, n in ((32, 16), (128, 1), (1, 128)):
        product = compute(SEED, OTHER, m, n, 32)
        assert verifier.is_correct(product.open(m - 1, n - 1).struct)
        assert not verifier.is_correct(product.falsify(0, 0).open(0, 0).struct)


def test_seeds_are_what_the_product_is_checked_by(verifier, product):
    opening = product.open(5, 9)
    assert not verifier.is_correct(opening.but(seed_r=OTHER).struct)
    assert not verifier.is_correct(opening.but(seed_0=OTHER).struct)


def test_reverts_on_a_leaf_that_was_not_committed(verifier, product):
    opening = product.open(5, 9)
    changed = bytes([opening.leaf[0] ^ 1]) + opening.leaf[1:]
    with boa.reverts("matmul_verifier: leaf is not in the root"):
        verifier.is_correct(opening.but(leaf=changed).struct)


def test_reverts_on_the_leaf_of_another_entry(verifier, product):
    with boa.reverts("matmul_verifier: leaf is not in the root"):
        verifier.is_correct(product.open(5, 9).but(i=7).struct)


def test_reverts_on_every_changed_sibling(verifier, product):
    opening = product.open(5, 9)
    for depth in range(len(opening.path)):
        path = [*opening.path]
        path[depth] = OTHER
        with boa.reverts("matmul_verifier: leaf is not in the root"):
            verifier.is_correct(opening.but(path=path).struct)


def test_reverts_on_another_root(verifier, product):
    with boa.reverts("matmul_verifier: leaf is not in the root"):
        verifier.is_correct(product.open(5, 9).but(root=OTHER).struct)


def test_reverts_on_a_path_of_another_length(verifier, product):
    opening = product.open(5, 9)
    for path in ([], opening.path[:-1], [*opening.path, OTHER]):
        with boa.reverts("matmul_verifier: path does not fit the matrix"):
            verifier.is_correct(opening.but(path=path).struct)


def test_reverts_on_an_inner_node_as_leaf(verifier, product):
    """A path one step shorter would make two hashes the leaf: they are not 128 bytes."""
    opening = product.open(0, 0)
    nodes = product.levels[0][0] + product.levels[0][1]
    with boa.reverts("matmul_verifier: leaf is not 128 bytes"):
        verifier.is_correct(opening.but(leaf=nodes, path=opening.path[1:]).struct)


@pytest.mark.parametrize("length", [0, 127])
def test_reverts_on_a_short_leaf(verifier, product, length):
    opening = product.open(5, 9)
    with boa.reverts("matmul_verifier: leaf is not 128 bytes"):
        verifier.is_correct(opening.but(leaf=opening.leaf[:length]).struct)


@pytest.mark.parametrize(
    "place", [{"i": 32}, {"j": 64}, {"i": 2**256 - 1}, {"j": 2**256 - 1}, {"m": 0}, {"n": 0}]
)
def test_reverts_on_an_entry_outside_the_product(verifier, product, place):
    with boa.reverts("matmul_verifier: no such entry"):
        verifier.is_correct(product.open(0, 0).but(**place).struct)


@pytest.mark.parametrize("dims", [{"m": MAX_DIM + 1}, {"n": MAX_DIM + 1}, {"m": 2**255, "n": 2}])
def test_reverts_on_huge_dimensions(verifier, product, dims):
    with boa.reverts("matmul_verifier: dimensions out of bounds"):
        verifier.is_correct(product.open(0, 0).but(**dims).struct)


@pytest.mark.parametrize(("m", "n"), [(16, 24), (1, 1), (8, 15), (3, 128)])
def test_reverts_where_the_leaves_are_no_full_tree(verifier, product, m, n):
    opening = product.open(0, 0)
    for depth in range(4):
        with boa.reverts("matmul_verifier: path does not fit the matrix"):
            verifier.is_correct(opening.but(m=m, n=n, path=opening.path[:depth]).struct)


@pytest.mark.parametrize("k", [0, 31, 131_104])
def test_reverts_on_k_out_of_bounds(verifier, product, k):
    with boa.reverts("matmul_verifier: inner dimension out of bounds"):
        verifier.is_correct(product.open(0, 0).but(k=k).struct)
