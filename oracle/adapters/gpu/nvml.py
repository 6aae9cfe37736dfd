"""NVIDIA GPUs through NVML (https://docs.nvidia.com/deploy/nvml-api), by way of `pynvml`.

A card may refuse any single question (not supported, no permission): such an answer is None
or `unknown`, never an error. What stops a device from being used is named in words.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

import pynvml

from oracle.adapters.gpu.device import Inventory, NoEvidence, Telemetry
from oracle.domain.evidence import NONCE_BYTES, Evidence
from oracle.errors import BadInput, Misconfigured, Transient

T = TypeVar("T")

# as classes and plans count; drivers print 2^20
_MEGABYTE = 10**6


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
        """All usable devices. A card in MIG mode is listed as its instances.

        Raises `Misconfigured` where the driver does not say how many there are.
        """
        devices: list[NvmlDevice] = []
        problems: list[str] = []
        try:
            count = self.library.nvmlDeviceGetCount()
        except self.library.NVMLError as error:
            raise Misconfigured(*self.explain(error, "NVML")) from error
        for index in range(count):
            try:
                devices += self._devices_at(index, problems)
            except self.library.NVMLError as error:
                problems.append(": ".join(self.explain(error, f"GPU {index}")))
        return Survey(tuple(devices), tuple(problems))

    def _devices_at(self, index: int, problems: list[str]) -> list["NvmlDevice"]:
        handle = self.library.nvmlDeviceGetHandleByIndex(index)
        card = self._inventory(handle, "gpu")
        if not self._mig_enabled(handle, f"GPU {index}", problems):
            return [NvmlDevice(self, handle, card)]
        instances = []
        for slot in range(self.library.nvmlDeviceGetMaxMigDeviceCount(handle)):
            try:
                instance = self.library.nvmlDeviceGetMigDeviceHandleByIndex(handle, slot)
                inventory = self._inventory(instance, "mig", card)
            except self.library.NVMLError_NotFound:
                continue  # an empty slot
            except self.library.NVMLError as error:
                subject = f"GPU {index}, MIG instance {slot}"
                problems.append(": ".join(self.explain(error, subject)))
            else:
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

    def _mig_enabled(self, handle: Any, subject: str, problems: list[str]) -> bool:
        """Whether a card is sliced; one that does not tell counts as whole, with a problem."""
        try:
            mode = self.library.nvmlDeviceGetMigMode(handle)
        except self.library.NVMLError_NoPermission:
            problems.append(
                f"{subject}: this user may not ask whether it is sliced (MIG), so it is listed as "
                "whole: give the agent access to the /dev/nvidia* devices, and offer it only if "
                "it is"
            )
            return False
        except (self.library.NVMLError_NotSupported, self.library.NVMLError_FunctionNotFound):
            return False  # a card, or a driver, without MIG
        return bool(mode[0] == self.library.NVML_DEVICE_MIG_ENABLE)

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
        """The answer, or None where this card, this driver or this user does not get one."""
        nvml = self.library
        try:
            return question()
        except (
            nvml.NVMLError_NotSupported,
            nvml.NVMLError_FunctionNotFound,
            nvml.NVMLError_NoPermission,
        ):
            return None

    def explain_silence(self, subject: str) -> tuple[str, str]:
        """Why a card that has no attestation report has none, and what to do."""
        nvml = self.library
        abilities = self.ask(nvml.nvmlSystemGetConfComputeCapabilities)
        state = self.ask(nvml.nvmlSystemGetConfComputeState)
        if abilities is None or state is None:
            meaning = "this driver knows no confidential computing"
            remedy = "update the NVIDIA driver, or offer the card without evidence"
        elif abilities.gpusCaps != nvml.NVML_CC_SYSTEM_GPUS_CC_CAPABLE:
            meaning = "this card can't attest itself"
            remedy = "offer it without evidence: cards before Hopper have none"
        elif state.ccFeature != nvml.NVML_CC_SYSTEM_FEATURE_ENABLED:
            meaning = "confidential computing is switched off"
            remedy = "switch the card's confidential mode on and reset it"
        else:
            meaning = "confidential computing is on, but it gives no report"
            remedy = "see the NVIDIA driver's log (dmesg)"
        return f"{subject}: {meaning}", remedy

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

    def evidence(self, nonce: bytes) -> Evidence:
        """The card's attestation report for `nonce` (32 bytes), and its certificates.

        Raises `NoEvidence`, saying what is in the way, where there is no report, and
        `Transient` where the card does not answer.
        """
        if len(nonce) != NONCE_BYTES:
            raise BadInput(f"a nonce of {len(nonce)} bytes", f"pass {NONCE_BYTES} bytes")
        nvml, handle, uuid = self._nvml.library, self._handle, self.inventory.uuid
        if self.inventory.kind == "mig":
            raise NoEvidence(
                f"{uuid}: a MIG instance is not attested, only a whole card is",
                "switch MIG off, or offer the instance without evidence",
            )
        if self.inventory.virtualization == "vgpu":
            raise NoEvidence(
                f"{uuid}: a vGPU is not attested, only a whole card is",
                "pass the card through to this machine, or offer the vGPU without evidence",
            )
        try:
            try:
                answer = nvml.nvmlDeviceGetConfComputeGpuAttestationReport(handle, nonce)
                papers = nvml.nvmlDeviceGetConfComputeGpuCertificate(handle)
            except (nvml.NVMLError_NotSupported, nvml.NVMLError_FunctionNotFound) as error:
                raise NoEvidence(*self._nvml.explain_silence(uuid)) from error
        except nvml.NVMLError_NoPermission as error:
            raise NoEvidence(*self._nvml.explain(error, uuid)) from error
        except nvml.NVMLError as error:
            raise Transient(*self._nvml.explain(error, uuid)) from error
        return Evidence(
            report=bytes(answer.attestationReport[: answer.attestationReportSize]),
            chain=bytes(papers.attestationCertChain[: papers.attestationCertChainSize]).rstrip(
                b"\0"
            ),
        )
