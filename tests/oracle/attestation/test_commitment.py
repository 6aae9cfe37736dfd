"""Fold and tree."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oracle.domain.attestation import Dims, fold, leaf_hash, node_hash, root_of
from oracle.services.prove import prove


@given(st.integers(-(2**31), 2**31 - 1))
def test_fold_is_the_xor_of_the_four_bytes(value: int) -> None:
    a, b, c, d = value.to_bytes(4, "big", signed=True)
    assert fold(value) == a ^ b ^ c ^ d


def test_every_leaf_opens_to_the_root(backend: Any) -> None:
    dims = Dims(8, 128, 32, 1)
    tree = prove(backend, bytes(32), dims).trees[0]

    for index in range(dims.leaves):
        path = tree.path(index)
        assert len(path) == dims.depth
        assert root_of(tree.leaf(index), index, path) == tree.root
        assert root_of(tree.leaf(index), index ^ 1, path) != tree.root


def test_a_tree_of_one_leaf_is_its_hash(backend: Any) -> None:
    tree = prove(backend, bytes(32), Dims(1, 128, 32, 1)).trees[0]

    assert tree.path(0) == []
    assert tree.root == leaf_hash(tree.leaf(0))


def test_siblings_are_ordered() -> None:
    assert node_hash(b"a" * 32, b"b" * 32) != node_hash(b"b" * 32, b"a" * 32)
