"""Device time: how long each class was live in an epoch, and for what part of it was there.

The live time follows from the registry's events, so every oracle has the same. Availability is
what heartbeats vouch for, which each oracle has heard for itself: the committee's word is the lower
median of at least a threshold of signed observations.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from oracle.domain import messages
from oracle.domain.demand import ClassTime, hash_classes
from oracle.domain.hashing import keccak
from oracle.domain.median import lower_median
from oracle.domain.usage import covered_seconds
from oracle.errors import BadInput

BPS = 10_000
# what observations and reports are about; see IDemandPolicy.vyi
SUBJECT = keccak(b"DeviceTime")
# classes that one report can name
MAX_CLASSES = 64


@dataclass(frozen=True, slots=True)
class Entry:
    """A device's entry as the registry changed it: live from `begin` until `until`, chain time.

    One that was struck or has run out has `until` not after `begin`.
    """

    device: bytes
    provider: int
    device_class: int
    begin: int
    until: int


@dataclass(frozen=True, slots=True)
class Span:
    """Chain time `begin` to `end`, in which a device was live in a class."""

    device: bytes
    device_class: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class DeviceTimeObservation:
    """One oracle's signed view of an epoch. `oracle` is its committee identity."""

    epoch: int
    classes: tuple[ClassTime, ...]
    oracle: str
    signature: bytes

    def message(self, config: bytes) -> messages.Observation:
        """The struct that `signature` covers."""
        return observation_message(config, self.epoch, self.classes)


@dataclass(frozen=True, slots=True)
class DeviceTimeProposal:
    """A leader's choice of observations; the figures follow from them."""

    epoch: int
    observations: tuple[DeviceTimeObservation, ...]


def observation_message(
    config: bytes, epoch: int, classes: Sequence[ClassTime]
) -> messages.Observation:
    """The struct an oracle signs about an epoch's device time."""
    return messages.Observation(config, SUBJECT, epoch, hash_classes(classes))


def live_spans(
    entries: Iterable[Entry], jailed: Collection[int], start: int, end: int
) -> list[Span]:
    """When devices were live in [start, end), from all changes of their entries, in order.

    A change ends what was before it. Devices of `jailed` providers have no time.
    """
    by_device: dict[bytes, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_device[entry.device].append(entry)
    spans = []
    for device, changes in by_device.items():
        ends = [change.begin for change in changes[1:]] + [end]
        for change, next_change in zip(changes, ends, strict=True):
            first = max(change.begin, start)
            last = min(change.until, next_change, end)
            if first < last and change.provider not in jailed:
                spans.append(Span(device, change.device_class, first, last))
    return spans


def measure(
    spans: Iterable[Span], beats: Mapping[bytes, Sequence[int]], grace: int
) -> tuple[ClassTime, ...]:
    """Live time by class, ascending, with the share that heartbeats vouch for, rounded down.

    `beats`: chain times at which heartbeats arrived. `grace`: seconds one vouches for.
    """
    live: Counter[int] = Counter()
    covered: Counter[int] = Counter()
    for span in spans:
        live[span.device_class] += span.end - span.begin
        covered[span.device_class] += covered_seconds(
            beats.get(span.device, ()), span.begin, span.end, grace
        )
    return tuple(
        ClassTime(number, seconds, covered[number] * BPS // seconds)
        for number, seconds in sorted(live.items())
    )[:MAX_CLASSES]


def aggregate(
    observations: Sequence[DeviceTimeObservation], own: Sequence[ClassTime]
) -> tuple[ClassTime, ...]:
    """The figures that follow from observations: of every class the lower median of availability.

    Raises `BadInput` for one that has other live time than `own`, which the chain says.
    """
    live = [(each.device_class, each.device_seconds) for each in own]
    for seen in observations:
        if [(each.device_class, each.device_seconds) for each in seen.classes] != live:
            raise BadInput(
                f"oracle {seen.oracle} has other live time of epoch {seen.epoch}: {seen.classes}",
                "Compare the registry's events that both oracles have.",
            )
        if any(not 0 <= each.availability_bps <= BPS for each in seen.classes):
            raise BadInput(
                f"oracle {seen.oracle} has an availability above {BPS} bps",
                "Leave its observation out.",
            )
    return tuple(
        ClassTime(
            number,
            seconds,
            lower_median([seen.classes[place].availability_bps for seen in observations]),
        )
        for place, (number, seconds) in enumerate(live)
    )
