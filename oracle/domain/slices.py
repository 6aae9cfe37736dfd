"""Slices of cards: MIG instances and virtual GPUs, by what their inventory says."""

from collections.abc import Collection, Iterable, Mapping

from oracle.domain.canonical import Value
from oracle.domain.market import DeviceClass


def is_slice(inventory: Mapping[str, Value]) -> bool:
    """Whether a device is a part of somebody's card; see `oracle.adapters.gpu.device`."""
    return (
        inventory.get("kind") == "mig"
        or inventory.get("virtualization") == "vgpu"
        or bool(inventory.get("parent"))
    )


def open_classes(
    inventory: Mapping[str, Value], classes: Iterable[DeviceClass], for_slices: Collection[int]
) -> list[DeviceClass]:
    """The classes that a device may be entered in: a slice only in those that are for slices.

    A slice shares its card with strangers, so it can be as fast as a whole one while they
    sleep. What an inventory says is its provider's signed word: a lie costs nothing by itself,
    but all ids on one card share one beacon and one deadline.
    """
    if is_slice(inventory):
        return [one for one in classes if one.device_class in for_slices]
    return list(classes)
