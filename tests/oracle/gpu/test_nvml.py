"""Cards as NVML reports them: whole, sliced, silent, lost, or not there at all."""

from typing import Any

import pynvml
import pytest

from oracle.adapters.gpu.classes import shipped_classes
from oracle.adapters.gpu.nvml import Nvml
from oracle.adapters.gpu.survey import find_device, survey_machine
from oracle.domain.hashing import keccak
from oracle.errors import Misconfigured, Transient


def test_a_whole_card(nvml_with: Any, card: Any) -> None:
    survey = Nvml(nvml_with(card("GPU-1"))).survey()
    inventory = survey.devices[0].inventory

    assert survey.problems == ()
    assert inventory.document == {
        "uuid": "GPU-1",
        "kind": "gpu",
        "name": "NVIDIA H100 80GB HBM3",
        "memory_mb": 85_899,
        "driver": "580.95.05",
        "pci": "00000000:3B:00.0",
        "virtualization": "none",
        "parent": None,
    }
    assert inventory.identity == keccak(b"GPU-1")
    assert survey.devices[0].telemetry() == {
        "gpu_utilisation_percent": 97,
        "gpu_memory_used_mb": 21_474,
        "gpu_power_mw": 412_000,
        "gpu_energy_mj": 123_456_789,
        "gpu_temperature_c": 61,
    }


def test_a_card_in_mig_mode_is_its_instances(nvml_with: Any, card: Any) -> None:
    slices = [card("MIG-a", memory=10 * 2**30), None, card("MIG-b", memory=20 * 2**30)]
    survey = Nvml(nvml_with(card("GPU-1", mig=(1, 1), instances=slices), card("GPU-2"))).survey()
    found = [(d.inventory.uuid, d.inventory.kind, d.inventory.parent) for d in survey.devices]

    assert found == [
        ("MIG-a", "mig", "GPU-1"),
        ("MIG-b", "mig", "GPU-1"),
        ("GPU-2", "gpu", None),
    ]
    assert survey.devices[0].inventory.memory_mb == 10_737
    # two slices of one card are two identities, and neither is the card's
    assert len({d.inventory.identity for d in survey.devices}) == 3


def test_a_bad_instance_does_not_hide_its_siblings(nvml_with: Any, card: Any) -> None:
    lost = card(pynvml.NVMLError_GpuIsLost)
    slices = [card("MIG-a"), lost, card("MIG-c")]
    library = nvml_with(card("GPU-1", mig=(1, 1), instances=slices), card("GPU-2"))
    survey = Nvml(library).survey()

    assert [d.inventory.uuid for d in survey.devices] == ["MIG-a", "MIG-c", "GPU-2"]
    (problem,) = survey.problems
    assert problem.startswith("GPU 0, MIG instance 1: it has fallen off the bus")


def test_mig_that_is_only_pending_does_not_count(nvml_with: Any, card: Any) -> None:
    survey = Nvml(nvml_with(card("GPU-1", mig=(0, 1)))).survey()
    assert [d.inventory.kind for d in survey.devices] == ["gpu"]


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        (pynvml.NVML_GPU_VIRTUALIZATION_MODE_VGPU, "vgpu"),
        (pynvml.NVML_GPU_VIRTUALIZATION_MODE_PASSTHROUGH, "passthrough"),
        (pynvml.NVML_GPU_VIRTUALIZATION_MODE_HOST_VGPU, "host"),
        (pynvml.NVMLError_NotSupported, "unknown"),
        (77, "unknown"),
    ],
)
def test_virtualization_is_said(nvml_with: Any, card: Any, mode: Any, name: str) -> None:
    survey = Nvml(nvml_with(card("GPU-1", virtualization=mode))).survey()
    assert survey.devices[0].inventory.virtualization == name


@pytest.mark.parametrize("refusal", [pynvml.NVMLError_NotSupported, pynvml.NVMLError_NoPermission])
def test_what_a_card_refuses_to_say_is_none(nvml_with: Any, card: Any, refusal: Any) -> None:
    silent = card("GPU-1", mig=refusal, power=refusal, utilisation=refusal)
    device = Nvml(nvml_with(silent)).survey().devices[0]
    telemetry = device.telemetry()

    assert device.inventory.kind == "gpu"
    assert telemetry["gpu_power_mw"] is None
    assert telemetry["gpu_utilisation_percent"] is None
    assert telemetry["gpu_temperature_c"] == 61


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (pynvml.NVMLError_GpuIsLost, "fallen off the bus"),
        (pynvml.NVMLError_NoPermission, "may not ask"),
        (pynvml.NVMLError_Unknown, "GPU 0"),
    ],
)
def test_a_bad_card_does_not_hide_the_good_one(
    nvml_with: Any, card: Any, failure: Any, words: str
) -> None:
    library = nvml_with(failure, card("GPU-2"))
    survey = Nvml(library).survey()

    assert [device.inventory.uuid for device in survey.devices] == ["GPU-2"]
    assert len(survey.problems) == 1
    assert words in survey.problems[0]
    # the agent that asks for the second of them is told why it is not there
    with pytest.raises(Misconfigured, match="GPU 0"):
        find_device(1, "unused", library)


def test_a_card_lost_while_running_is_transient(nvml_with: Any, card: Any) -> None:
    device = Nvml(nvml_with(card("GPU-1", power=pynvml.NVMLError_GpuIsLost))).survey().devices[0]

    with pytest.raises(Transient, match="GPU-1: it has fallen off the bus"):
        device.telemetry()


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (pynvml.NVMLError_LibraryNotFound, "libnvidia-ml is not installed"),
        (pynvml.NVMLError_DriverNotLoaded, "kernel driver is not loaded"),
        (pynvml.NVMLError_LibRmVersionMismatch, "different versions"),
        (pynvml.NVMLError_NoPermission, "may not ask"),
    ],
)
def test_without_a_driver_the_processor_stands_in_and_says_so(
    nvml_with: Any, failure: Any, words: str
) -> None:
    library = nvml_with(init=failure)
    with pytest.raises(Misconfigured, match=words):
        Nvml(library)

    devices, problems = survey_machine("CPU-1", library)
    assert [device.inventory.kind for device in devices] == ["cpu"]
    assert words in problems[0]
    assert find_device(0, "CPU-1", library).inventory.uuid == "CPU-1"


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (pynvml.NVMLError_NoPermission, "NVML: this user may not ask"),
        (pynvml.NVMLError_GpuIsLost, "NVML: it has fallen off the bus"),
        (pynvml.NVMLError_Unknown, "NVML: Unknown Error"),
    ],
)
def test_a_driver_that_counts_no_cards_says_why(
    nvml_with: Any, card: Any, failure: Any, words: str
) -> None:
    """There is a driver, so the processor does not stand in."""
    library = nvml_with(card("GPU-1"), failing={"nvmlDeviceGetCount_v2": failure})
    with pytest.raises(Misconfigured, match=words):
        Nvml(library).survey()

    devices, problems = survey_machine("CPU-1", library)
    assert devices == []
    assert len(problems) == 1
    assert words in problems[0]
    with pytest.raises(Misconfigured, match=words):
        find_device(0, "CPU-1", library)


def test_a_card_that_does_not_tell_whether_it_is_sliced_is_a_problem(
    nvml_with: Any, card: Any
) -> None:
    secretive = card("GPU-1", mig=pynvml.NVMLError_NoPermission, instances=[card("MIG-a")])
    survey = Nvml(nvml_with(secretive, card("GPU-2"))).survey()

    assert [device.inventory.uuid for device in survey.devices] == ["GPU-1", "GPU-2"]
    (problem,) = survey.problems
    assert "GPU 0: this user may not ask whether it is sliced (MIG)" in problem
    without = card("GPU-1", mig=pynvml.NVMLError_NotSupported)
    assert Nvml(nvml_with(without)).survey().problems == ()


@pytest.mark.parametrize(
    ("name", "mebibytes"),
    [
        # what nvidia-smi prints for them
        ("NVIDIA T4 16GB", 15_360),
        ("NVIDIA L4 24GB", 23_034),
        ("NVIDIA A10 24GB", 23_028),
        ("NVIDIA L40S 48GB", 46_068),
        ("NVIDIA H100 SXM5 80GB", 81_559),
    ],
)
def test_a_card_has_the_memory_of_its_class(
    nvml_with: Any, card: Any, name: str, mebibytes: int
) -> None:
    (floor,) = (each.memory_mb for each in shipped_classes() if each.name == name)
    (device,) = Nvml(nvml_with(card("GPU-1", memory=mebibytes << 20))).survey().devices

    assert device.inventory.memory_mb == (mebibytes << 20) // 10**6
    assert device.inventory.memory_mb >= floor


def test_no_cards_is_no_device(nvml_with: Any) -> None:
    """A driver without cards is a fault to mend, not a machine without GPU."""
    with pytest.raises(Misconfigured, match="no device number 0"):
        find_device(0, "CPU-1", nvml_with())


def test_a_driver_leaves_no_room_for_another_identity(nvml_with: Any, card: Any) -> None:
    assert find_device(0, "somebody else", nvml_with(card("GPU-1"))).inventory.uuid == "GPU-1"


@pytest.mark.parametrize("index", [-1, 1])
def test_a_number_out_of_range_is_refused(nvml_with: Any, card: Any, index: int) -> None:
    with pytest.raises(Misconfigured, match=f"no device number {index}"):
        find_device(index, "unused", nvml_with(card("GPU-1")))
