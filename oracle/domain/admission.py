"""Which device classes a device may be entered in, by what it is and by what it can prove."""

from collections.abc import Collection, Iterable, Mapping, Sequence
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
class Claim:
    """What a device said it was when it was asked to prove it. `memory_mb` counts 10^6 bytes."""

    memory_mb: int
    # a part of somebody's card
    sliced: bool
    # its identity is a key that it proves
    certified: bool

    @classmethod
    def of(cls, identity: bytes, inventory: Mapping[str, Value], memory_mb: int) -> "Claim":
        """The claim that a registration makes."""
        return cls(memory_mb, is_slice(inventory), is_certified(identity, inventory))

    @classmethod
    def least(cls, claims: Sequence["Claim"]) -> "Claim":
        """What all of `claims`, one at least, have in common: nothing else was shown."""
        return cls(
            min(one.memory_mb for one in claims),
            any(one.sliced for one in claims),
            all(one.certified for one in claims),
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

    def classes(self, claim: Claim, classes: Iterable[DeviceClass]) -> list[DeviceClass]:
        """Those of `classes` that a device with this claim may be entered in."""
        return [
            one
            for one in classes
            if (not claim.sliced or one.device_class in self.slices)
            and (claim.certified or one.device_class not in self.certified)
        ]
