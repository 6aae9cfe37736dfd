"""Machines as mock_nvml.c reads them: see there."""

from dataclasses import dataclass, field
from typing import Any

import pynvml

# the function that answers a property of `Card`; an error given in its place is that one's
FUNCTIONS = {
    "uuid": "nvmlDeviceGetUUID",
    "mig": "nvmlDeviceGetMigMode",
    "virtualization": "nvmlDeviceGetVirtualizationMode",
    "power": "nvmlDeviceGetPowerUsage",
    "utilisation": "nvmlDeviceGetUtilizationRates",
    "report": "nvmlDeviceGetConfComputeGpuAttestationReport",
    "chain": "nvmlDeviceGetConfComputeGpuCertificate",
}


@dataclass
class Card:
    """A GPU, or an instance cut from one. An error class in place of a value is raised."""

    uuid: Any
    name: str = "NVIDIA H100 80GB HBM3"
    memory: int = 80 * 2**30
    mig: Any = (0, 0)
    virtualization: Any = pynvml.NVML_GPU_VIRTUALIZATION_MODE_NONE
    power: Any = 412_000
    utilisation: Any = 97
    report: Any = None
    chain: Any = None
    nonce: str | None = None
    instances: list["Card | None"] = field(default_factory=list)

    def lines(self, word: str = "card") -> list[str]:
        """This card as the mock reads it."""
        found = [f"{word} {self.uuid}", f"name {self.name}", f"memory {self.memory}"]
        for name, function in FUNCTIONS.items():
            value = getattr(self, name)
            if isinstance(value, type):
                found.append(f"fail {function} {code_of(value)}")
            elif isinstance(value, tuple):
                found.append(f"{name} {' '.join(map(str, value))}")
            elif name != "uuid" and value is not None:
                found.append(f"{name} {value}")
        if self.nonce:
            found.append(f"nonce {self.nonce}")
        for instance in self.instances:
            found += instance.lines("instance") if instance else ["empty"]
        return found


def code_of(error: type[pynvml.NVMLError]) -> int:
    """The nvmlReturn_t of an error class of the bindings."""
    return int(error().value)


def machine(
    *cards: Any,
    capable: bool = True,
    confidential: bool = True,
    failing: dict[str, type[pynvml.NVMLError]] | None = None,
) -> str:
    """A machine as the mock reads it; an error class among the cards is a card that fails."""
    lines = [
        "driver 580.95.05",
        f"capable {capable:d}",
        f"confidential {confidential:d}",
        *(f"fail {function} {code_of(error)}" for function, error in (failing or {}).items()),
    ]
    for card in cards:
        if isinstance(card, Card):
            lines += card.lines()
        else:
            lines += ["card ?", f"fail nvmlDeviceGetHandleByIndex_v2 {code_of(card)}"]
    return "\n".join(lines) + "\n"
