"""Which device classes a device may be entered in, by what it is and by what it can prove."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from oracle.domain.canonical import Value
from oracle.domain.hashing import keccak
from oracle.domain.market import DeviceClass


def uuid_identity(uuid: str) -> bytes:
    """Identity of a card that proves none: the keccak of the UUID that its machine names."""
    return keccak(uuid.encode())


def is_certified(identity: bytes, inventory: Mapping[str, Value]) -> bool:
    """Whether an identity is the key burnt into a card, which the card proves in every epoch.

    Any identity that is not made of the inventory's UUID: what nobody can prove enters nothing.
    """
    uuid = inventory.get("uuid")
    return not isinstance(uuid, str) or identity != uuid_identity(uuid)


def is_slice(inventory: Mapping[str, Value]) -> bool:
    """Whether a device is a part of somebody's card; see `oracle.adapters.gpu.device`."""
    return (
        inventory.get("kind") == "mig"
        or inventory.get("virtualization") == "vgpu"
        or bool(inventory.get("parent"))
    )


@dataclass(frozen=True, slots=True)
class Admission:
    """The classes, by number, that a committee opens to slices, and those it keeps for cards
    that prove who made them.

    A slice shares its card with strangers, so it can be as fast as a whole one while they
    sleep. What an inventory says is its provider's signed word: a lie costs nothing by itself,
    but all ids on one card share one beacon and one deadline.
    """

    slices: Collection[int] = ()
    certified: Collection[int] = ()

    def classes(
        self, identity: bytes, inventory: Mapping[str, Value], classes: Iterable[DeviceClass]
    ) -> list[DeviceClass]:
        """Those of `classes` that a device may be entered in."""
        sliced = is_slice(inventory)
        certified = is_certified(identity, inventory)
        return [
            one
            for one in classes
            if (not sliced or one.device_class in self.slices)
            and (certified or one.device_class not in self.certified)
        ]
