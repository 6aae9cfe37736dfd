"""Which devices this machine offers."""

from types import ModuleType
from typing import Any

import pynvml

from oracle.adapters.gpu.device import Device, HostDevice
from oracle.adapters.gpu.nvml import Nvml
from oracle.errors import Misconfigured

UNNAMED = "(drawn by the agent)"


def survey_machine(
    host_uuid: str = UNNAMED, library: ModuleType | Any = pynvml
) -> tuple[list[Device], list[str]]:
    """The devices that can be offered, and in words what is wrong with the others.

    Without an NVIDIA driver it is the processor under `host_uuid`; with one, cards only, and
    each under its own UUID.
    """
    try:
        driver = Nvml(library)
    except Misconfigured as absent:
        return [HostDevice(host_uuid)], [f"{absent}: the processor stands in ({absent.remedy})"]
    try:
        survey = driver.survey()
    except Misconfigured as silent:
        return [], [f"{silent}: {silent.remedy}"]
    return list(survey.devices), list(survey.problems)


def find_device(index: int, host_uuid: str, library: ModuleType | Any = pynvml) -> Device:
    """Device number `index`; raises `Misconfigured`, naming all problems, where there is none."""
    devices, problems = survey_machine(host_uuid, library)
    if 0 <= index < len(devices):
        return devices[index]
    raise Misconfigured(
        "; ".join((f"no device number {index} among {len(devices)} usable ones", *problems)),
        "run `clearwork agent inventory` and choose one it lists",
    )
