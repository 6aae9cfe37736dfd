"""Slices of cards are not whole cards, and an identity is a UUID's or a key to be proven."""

from typing import Any

import pytest

from oracle.domain.admission import Admission, Claim, is_certified, is_slice, uuid_identity
from oracle.domain.market import DeviceClass

CLASSES = [DeviceClass(1, 10, 1), DeviceClass(2, 20, 1)]
SLICES = [
    {"kind": "mig", "parent": "GPU-1"},
    {"kind": "mig"},
    {"kind": "gpu", "virtualization": "vgpu"},
    {"kind": "gpu", "parent": "GPU-1"},
]
WHOLE = [
    {"kind": "gpu", "virtualization": "none", "parent": None},
    {"kind": "gpu", "virtualization": "passthrough"},
    {"kind": "gpu", "virtualization": "host"},
    {"kind": "cpu"},
    {},
]
KEY = b"k" * 32


@pytest.mark.parametrize("inventory", SLICES)
def test_a_slice_enters_only_classes_for_slices(inventory: dict[str, Any]) -> None:
    assert is_slice(inventory)
    assert Admission().classes(Claim.of(KEY, inventory, 1), CLASSES) == []
    assert Admission(slices=[1, 7]).classes(Claim.of(KEY, inventory, 1), CLASSES) == CLASSES[:1]


@pytest.mark.parametrize("inventory", WHOLE)
def test_a_whole_card_enters_any_class(inventory: dict[str, Any]) -> None:
    assert not is_slice(inventory)
    assert Admission(slices=[1]).classes(Claim.of(KEY, inventory, 1), CLASSES) == CLASSES


@pytest.mark.parametrize("inventory", [{}, {"uuid": None}, {"uuid": 7}, {"uuid": "GPU-2"}])
def test_an_identity_of_no_uuid_has_to_be_proven(inventory: dict[str, Any]) -> None:
    assert is_certified(uuid_identity("GPU-1"), inventory)
    assert not is_certified(uuid_identity("GPU-1"), {"uuid": "GPU-1"})


def test_a_class_for_certified_cards_takes_no_other() -> None:
    admission, inventory = Admission(certified=[2]), {"uuid": "GPU-1"}
    assert admission.classes(Claim.of(KEY, inventory, 1), CLASSES) == CLASSES
    assert admission.classes(Claim.of(uuid_identity("GPU-1"), inventory, 1), CLASSES) == CLASSES[:1]
    # of both kinds: a slice has no evidence, so it can't be in a class for certified cards alone
    both = Admission(slices=[2], certified=[2])
    assert (
        both.classes(Claim.of(uuid_identity("GPU-1"), inventory | {"kind": "mig"}, 1), CLASSES)
        == []
    )


def test_of_several_claims_the_least_was_shown() -> None:
    whole, part = Claim(80_000, sliced=False, certified=True), Claim(1_024, True, False)
    assert Claim.least([whole]) == whole
    assert Claim.least([whole, part]) == Claim.least([part, whole]) == part
