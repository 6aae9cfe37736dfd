"""What a provider's machine says about its device: who it is, and how it is doing."""

import os
import platform
import resource
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol

from oracle.domain.admission import uuid_identity
from oracle.domain.canonical import Value, canonical_hash
from oracle.domain.evidence import Evidence
from oracle.errors import Misconfigured

Telemetry = dict[str, int | None]
"""Readings by name; the unit is part of the name, None means that the device can't tell."""


class NoEvidence(Misconfigured):
    """This device can't prove who made it, and why. It can be offered all the same."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """A device as its driver describes it. `kind` says what it is, so nobody has to guess.

    `uuid` identifies it for as long as it exists. `virtualization` is `none`, `passthrough`,
    `vgpu` (a slice of somebody's card), `host` (the card itself is sliced) or `unknown`.
    `parent` is the UUID of the card that a MIG instance is cut from. `memory_mb` counts 10^6 bytes.
    """

    uuid: str
    kind: Literal["gpu", "mig", "cpu"]
    name: str
    memory_mb: int
    driver: str = ""
    pci: str = ""
    virtualization: str = "unknown"
    parent: str | None = None

    @property
    def identity(self) -> bytes:
        """What the device id is made of where a card can't prove who made it."""
        return uuid_identity(self.uuid)

    @property
    def document(self) -> dict[str, Value]:
        """The inventory as it is sent and hashed."""
        return asdict(self)

    def hash(self) -> bytes:
        """Canonical hash of the document: field `inventory` of a Registration."""
        return canonical_hash(self.document)


class Device(Protocol):
    """A device that can be asked how it is doing."""

    @property
    def inventory(self) -> Inventory:
        """What it is."""

    def telemetry(self) -> Telemetry:
        """Current readings. Raises `Transient` where the device does not answer."""

    def evidence(self, nonce: bytes) -> Evidence:
        """Proof of who made it, signed by the device for `nonce` (32 bytes).

        Raises `NoEvidence` where it has none, `Transient` where it does not answer.
        """


class HostDevice:
    """A machine without a GPU: its processor stands in, and every reading says so."""

    def __init__(self, uuid: str) -> None:
        self.inventory = Inventory(
            uuid=uuid,
            kind="cpu",
            name=_processor_name(),
            memory_mb=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 10**6,
            driver=platform.platform(terse=True),
        )

    def telemetry(self) -> Telemetry:
        """Processor time of this agent and its children, memory, load of the host."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "cpu_count": os.cpu_count(),
            "cpu_user_ms": int((own.ru_utime + children.ru_utime) * 1_000),
            "cpu_system_ms": int((own.ru_stime + children.ru_stime) * 1_000),
            "cpu_load_1min_percent": int(os.getloadavg()[0] * 100),
            "resident_peak_kb": own.ru_maxrss,
        }

    def evidence(self, nonce: bytes) -> Evidence:
        """Always raises `NoEvidence`."""
        raise NoEvidence("a processor has no attestation report", "offer it without evidence")


def _processor_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
