"""Dimensions, seeds, the generator's edges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.domain.attestation import (
    Dims,
    Matrix,
    chain_seeds,
    device_id,
    next_seed,
    row_elements,
    row_key,
    seed_zero,
)
from oracle.domain.hashing import keccak
from oracle.errors import BadInput

BINDING = {
    "beacon": b"beacon".ljust(32),
    "chain_id": 31_337,
    "registry": "0x" + "11" * 20,
    "provider": 1,
    "device": b"device".ljust(32),
    "epoch": 9,
}


@pytest.mark.parametrize(
    "shape",
    [
        (0, 128, 32, 1),
        (-8, -16, 32, 1),  # the product alone would pass
        (1, 127, 32, 1),  # half a leaf
        (3, 128, 32, 1),  # three leaves
        (2**20, 2**20, 32, 1),  # 2^33 leaves
        (16, 16, 0, 1),
        (16, 16, 33, 1),
        (16, 16, 131_104, 1),
        (16, 16, 32, 0),
        (16, 16, 32, 65),
    ],
)
def test_impossible_dimensions_are_refused(shape: tuple[int, int, int, int]) -> None:
    with pytest.raises(BadInput):
        Dims(*shape)


def test_smallest_and_largest_dimensions() -> None:
    assert (Dims(1, 128, 32, 1).leaves, Dims(1, 128, 32, 1).depth) == (1, 0)
    assert Dims(2**19, 2**20, 131_072, 64).depth == 32


def test_operations_count_products_and_sums_of_all_rounds() -> None:
    assert Dims(16, 16, 32, 3).operations == 3 * 2 * 16 * 16 * 32


@given(st.integers(0, 63), st.integers(0, 31))
def test_leaf_and_entry_are_inverse(i: int, j: int) -> None:
    dims = Dims(64, 32, 32, 1)
    leaf, place = dims.leaf_of(i, j)

    assert 0 <= leaf < dims.leaves
    assert dims.entry_of(leaf, place) == (i, j)


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("beacon", bytes(32)),
        ("chain_id", 1),
        ("registry", "0x" + "22" * 20),
        ("provider", 2),
        ("device", bytes(32)),
        ("epoch", 10),
    ],
)
def test_seed_is_bound_to_everything(field: str, other: object) -> None:
    assert seed_zero(**BINDING) != seed_zero(**{**BINDING, field: other})  # type: ignore[arg-type]


def test_seed_is_the_packed_hash_of_the_specification() -> None:
    packed = (
        BINDING["beacon"]
        + (31_337).to_bytes(32, "big")
        + b"\x11" * 20
        + (1).to_bytes(32, "big")
        + BINDING["device"]
        + (9).to_bytes(32, "big")
    )
    assert seed_zero(**BINDING) == keccak(packed)  # type: ignore[arg-type]


def test_one_card_under_two_providers_has_two_ids() -> None:
    assert device_id(b"x" * 32, 1) != device_id(b"x" * 32, 2)


def test_final_seed_binds_every_root() -> None:
    roots = [bytes([n]) * 32 for n in range(3)]
    final = chain_seeds(bytes(32), roots)[-1]

    assert final == next_seed(next_seed(next_seed(bytes(32), roots[0]), roots[1]), roots[2])
    for index in range(3):
        changed = [*roots]
        changed[index] = b"\xff" * 32
        assert chain_seeds(bytes(32), changed)[-1] != final
    assert chain_seeds(bytes(32), roots[::-1])[-1] != final


def test_word_counter_wraps_at_256_bits() -> None:
    values = row_elements(b"\xff" * 32, Matrix.A, 64)

    assert values[32:] == [byte - 128 for byte in keccak(bytes(32))[::-1]]


def test_rows_of_both_factors_have_own_keys() -> None:
    seed = b"s" * 32
    keys = {row_key(seed, matrix, row) for matrix in Matrix for row in range(4)}
    assert len(keys) == 8
