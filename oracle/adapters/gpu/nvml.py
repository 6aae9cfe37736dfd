"""NVIDIA GPUs through NVML (https://docs.nvidia.com/deploy/nvml-api), by way of `pynvml`.

A card may refuse any single question (not supported, no permission): such an answer is None
or `unknown`, never an error. What stops a device from being used is named in words.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

import pynvml

from oracle.adapters.gpu.device import Inventory, Telemetry
from oracle.errors import Misconfigured, Transient

T = TypeVar("T")

_MEGABYTE = 2**20


@dataclass(frozen=True, slots=True)
class Survey:
    """The devices of a machine, and what is wrong with those that can't be used."""

    devices: tuple["NvmlDevice", ...]
    problems: tuple[str, ...]


class Nvml:
    """The driver library, initialised. `library` is `pynvml` or whatever has its shape.

    Raises `Misconfigured` where there is no driver to talk to, saying which part is missing.
    """

    def __init__(self, library: ModuleType | Any = pynvml) -> None:
        self.library = library
        try:
            library.nvmlInit()
        except library.NVMLError as error:
            raise Misconfigured(*self.explain(error, "NVML")) from error

    def survey(self) -> Survey:
        """All usable devices. A card in MIG mode is listed as its instances."""
        devices: list[NvmlDevice] = []
        problems: list[str] = []
        for index in range(self.library.nvmlDeviceGetCount()):
            try:
                devices += self._devices_at(index)
            except self.library.NVMLError as error:
                problems.append(": ".join(self.explain(error, f"GPU {index}")))
        return Survey(tuple(devices), tuple(problems))

    def _devices_at(self, index: int) -> list["NvmlDevice"]:
        handle = self.library.nvmlDeviceGetHandleByIndex(index)
        card = self._inventory(handle, "gpu")
        if not self._mig_enabled(handle):
            return [NvmlDevice(self, handle, card)]
        instances = []
        for slot in range(self.library.nvmlDeviceGetMaxMigDeviceCount(handle)):
            try:
                instance = self.library.nvmlDeviceGetMigDeviceHandleByIndex(handle, slot)
            except self.library.NVMLError_NotFound:
                continue  # an empty slot
            inventory = self._inventory(instance, "mig", card)
            instances.append(NvmlDevice(self, instance, inventory))
        return instances

    def _inventory(self, handle: Any, kind: Any, parent: Inventory | None = None) -> Inventory:
        nvml = self.library
        # a MIG instance has no PCI address and no driver of its own
        card = parent or Inventory(
            uuid="",
            kind="gpu",
            name="",
            memory_mb=0,
            driver=self.ask(nvml.nvmlSystemGetDriverVersion) or "",
            pci=self.ask(lambda: nvml.nvmlDeviceGetPciInfo(handle).busId) or "",
            virtualization=self._virtualization(handle),
        )
        return Inventory(
            uuid=nvml.nvmlDeviceGetUUID(handle),
            kind=kind,
            name=nvml.nvmlDeviceGetName(handle),
            memory_mb=nvml.nvmlDeviceGetMemoryInfo(handle).total // _MEGABYTE,
            driver=card.driver,
            pci=card.pci,
            virtualization=card.virtualization,
            parent=parent.uuid if parent else None,
        )

    def _mig_enabled(self, handle: Any) -> bool:
        mode = self.ask(lambda: self.library.nvmlDeviceGetMigMode(handle))
        return mode is not None and mode[0] == self.library.NVML_DEVICE_MIG_ENABLE

    def _virtualization(self, handle: Any) -> str:
        nvml = self.library
        mode = self.ask(lambda: nvml.nvmlDeviceGetVirtualizationMode(handle))
        names: dict[int | None, str] = {
            nvml.NVML_GPU_VIRTUALIZATION_MODE_NONE: "none",
            nvml.NVML_GPU_VIRTUALIZATION_MODE_PASSTHROUGH: "passthrough",
            nvml.NVML_GPU_VIRTUALIZATION_MODE_VGPU: "vgpu",
            nvml.NVML_GPU_VIRTUALIZATION_MODE_HOST_VGPU: "host",
            nvml.NVML_GPU_VIRTUALIZATION_MODE_HOST_VSGA: "host",
        }
        return names.get(mode, "unknown")

    def ask(self, question: Callable[[], T]) -> T | None:
        """The answer, or None where this card or this user does not get one."""
        try:
            return question()
        except (self.library.NVMLError_NotSupported, self.library.NVMLError_NoPermission):
            return None

    def explain(self, error: Exception, subject: str) -> tuple[str, str]:
        """What a failure means and what to do."""
        nvml = self.library
        known = (
            (
                nvml.NVMLError_LibraryNotFound,
                "the NVIDIA driver library libnvidia-ml is not installed",
                "install the NVIDIA driver, or run without a GPU",
            ),
            (
                nvml.NVMLError_DriverNotLoaded,
                "the NVIDIA kernel driver is not loaded",
                "load it (modprobe nvidia) or reboot after the driver update",
            ),
            (
                nvml.NVMLError_LibRmVersionMismatch,
                "driver library and kernel driver are of different versions",
                "reboot after the driver update",
            ),
            (
                nvml.NVMLError_GpuIsLost,
                "it has fallen off the bus",
                "reset the card or reboot, then look at its power and cooling",
            ),
            (
                nvml.NVMLError_NoPermission,
                "this user may not ask it",
                "give the agent access to the /dev/nvidia* devices",
            ),
        )
        for kind, meaning, remedy in known:
            if isinstance(error, kind):
                return f"{subject}: {meaning}", remedy
        return f"{subject}: {error}", "see the NVIDIA driver's log (dmesg)"


class NvmlDevice:
    """One GPU or one MIG instance."""

    def __init__(self, nvml: Nvml, handle: Any, inventory: Inventory) -> None:
        self.inventory = inventory
        self._nvml = nvml
        self._handle = handle

    def telemetry(self) -> Telemetry:
        """Utilisation, memory, power, energy and temperature, None where unsupported.

        Raises `Transient` for a card that is lost: the agent goes on and tries again.
        """
        nvml, handle, ask = self._nvml.library, self._handle, self._nvml.ask
        try:
            rates = ask(lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
            memory = ask(lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
            return {
                "gpu_utilisation_percent": rates.gpu if rates else None,
                "gpu_memory_used_mb": memory.used // _MEGABYTE if memory else None,
                "gpu_power_mw": ask(lambda: nvml.nvmlDeviceGetPowerUsage(handle)),
                "gpu_energy_mj": ask(lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle)),
                "gpu_temperature_c": ask(
                    lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)
                ),
            }
        except nvml.NVMLError as error:
            message, remedy = self._nvml.explain(error, self.inventory.uuid)
            raise Transient(message, remedy) from error
