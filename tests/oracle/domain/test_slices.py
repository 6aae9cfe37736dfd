"""Slices of cards are not whole cards."""

from typing import Any

import pytest

from oracle.domain.market import DeviceClass
from oracle.domain.slices import is_slice, open_classes

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


@pytest.mark.parametrize("inventory", SLICES)
def test_a_slice_enters_only_classes_for_slices(inventory: dict[str, Any]) -> None:
    assert is_slice(inventory)
    assert open_classes(inventory, CLASSES, []) == []
    assert open_classes(inventory, CLASSES, [1, 7]) == CLASSES[:1]


@pytest.mark.parametrize("inventory", WHOLE)
def test_a_whole_card_enters_any_class(inventory: dict[str, Any]) -> None:
    assert not is_slice(inventory)
    assert open_classes(inventory, CLASSES, [1]) == CLASSES
