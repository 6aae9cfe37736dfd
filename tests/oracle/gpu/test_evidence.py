"""Evidence out of cards, through the real bindings: recorded reports, and all that prevents one."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pynvml
import pytest
from typer.testing import CliRunner

from oracle.adapters.gpu.device import HostDevice, NoEvidence
from oracle.adapters.gpu.nvml import Nvml, NvmlDevice
from oracle.cli.attest import app
from oracle.domain.evidence import Evidence, EvidenceError, Fault, read_evidence, write_evidence
from oracle.errors import BadInput, Transient
from oracle.services.evidence import collect_evidence
from tests.oracle.evidence.forge import NONCE, forge
from tests.oracle.evidence.samples import (
    NOW,
    asked_nonce,
    four_cards,
    older_card,
    sample,
    single_card,
)
from tests.oracle.gpu.mock_nvml import machine

GARBAGE = Evidence(b"report", b"chain")
Command = Callable[..., CompletedProcess[str]]


def only_device(library: Any) -> NvmlDevice:
    (device,) = Nvml(library).survey().devices
    return device


def test_a_card_hands_out_what_it_signed(nvml_with: Any, recorded: Any) -> None:
    evidence, _ = forge()
    device = only_device(nvml_with(recorded("GPU-1", evidence, nonce=NONCE.hex())))

    assert device.evidence(NONCE) == evidence
    with pytest.raises(Transient):  # the library saw another nonce
        device.evidence(bytes(32))


def test_zeros_behind_the_certificates_are_not_part_of_them(nvml_with: Any, recorded: Any) -> None:
    padded = Evidence(b"report", b"chain\0\0\0")
    assert only_device(nvml_with(recorded("GPU-1", padded))).evidence(NONCE) == GARBAGE


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_nonce_of_another_size(nvml_with: Any, recorded: Any, size: int) -> None:
    device = only_device(nvml_with(recorded("GPU-1", GARBAGE)))
    with pytest.raises(BadInput, match=f"nonce of {size} bytes"):
        device.evidence(bytes(size))


SILENT = "nvmlSystemGetConfComputeCapabilities", "nvmlSystemGetConfComputeState"


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"capable": False, "confidential": False}, "this card can't attest itself"),
        ({"confidential": False}, "confidential computing is switched off"),
        ({}, "is on, but it gives no report"),
        ({"failing": {SILENT[0]: pynvml.NVMLError_NotSupported}}, "knows no confidential"),
        ({"failing": {SILENT[0]: pynvml.NVMLError_FunctionNotFound}}, "knows no confidential"),
        ({"failing": {SILENT[1]: pynvml.NVMLError_FunctionNotFound}}, "knows no confidential"),
    ],
)
def test_why_there_is_no_report(nvml_with: Any, card: Any, about: Any, words: str) -> None:
    with pytest.raises(NoEvidence, match=words) as caught:
        only_device(nvml_with(card("GPU-1"), **about)).evidence(NONCE)
    assert str(caught.value).startswith("GPU-1: ")
    assert caught.value.remedy


@pytest.mark.parametrize("call", ["report", "chain"])
@pytest.mark.parametrize(
    ("failure", "raised", "words"),
    [
        (pynvml.NVMLError_NotSupported, NoEvidence, "gives no report"),
        (pynvml.NVMLError_FunctionNotFound, NoEvidence, "gives no report"),
        (pynvml.NVMLError_NoPermission, NoEvidence, "this user may not ask it"),
        (pynvml.NVMLError_GpuIsLost, Transient, "fallen off the bus"),
        (pynvml.NVMLError_Timeout, Transient, "GPU-1"),
        (pynvml.NVMLError_Unknown, Transient, "GPU-1"),
    ],
)
def test_each_failure_is_named(
    nvml_with: Any, recorded: Any, call: str, failure: Any, raised: Any, words: str
) -> None:
    device = only_device(nvml_with(recorded("GPU-1", GARBAGE, **{call: failure})))
    with pytest.raises(raised, match=words):
        device.evidence(NONCE)


def test_a_card_lost_while_it_is_asked_why(nvml_with: Any, card: Any) -> None:
    lost = {SILENT[1]: pynvml.NVMLError_GpuIsLost}
    with pytest.raises(Transient, match="fallen off the bus"):
        only_device(nvml_with(card("GPU-1"), failing=lost)).evidence(NONCE)


def test_a_slice_of_a_card_has_no_evidence(nvml_with: Any, card: Any, recorded: Any) -> None:
    """Nor does the whole card's count for it: two slices would be one card twice."""
    instance = recorded("MIG-a", GARBAGE)
    with pytest.raises(NoEvidence, match="MIG-a: a MIG instance is not attested"):
        only_device(nvml_with(card("GPU-1", mig=(1, 1), instances=[instance]))).evidence(NONCE)

    vgpu = recorded("GPU-2", GARBAGE, virtualization=pynvml.NVML_GPU_VIRTUALIZATION_MODE_VGPU)
    with pytest.raises(NoEvidence, match="GPU-2: a vGPU is not attested"):
        only_device(nvml_with(vgpu)).evidence(NONCE)


def test_a_processor_has_no_evidence() -> None:
    with pytest.raises(NoEvidence, match="a processor has no attestation report"):
        HostDevice("CPU-1").evidence(NONCE)


def test_what_one_card_can_t_does_not_hide_the_others(nvml_with: Any, recorded: Any) -> None:
    evidence = older_card()
    nonce = asked_nonce(evidence)
    library = nvml_with(
        recorded("GPU-lost", evidence, report=pynvml.NVMLError_GpuIsLost),
        recorded("GPU-good", evidence),
        recorded("GPU-bad", GARBAGE),
    )
    proven, reasons = collect_evidence(Nvml(library).survey().devices, nonce, NOW)

    assert [(each.uuid, each.identity.serial) for each in proven] == [
        ("GPU-good", "41431D480FE5E87274")
    ]
    assert [type(reason) for reason in reasons] == [Transient, EvidenceError]
    assert str(reasons[1]).startswith("malformed report: GPU-bad: ")


# --- as commands ----------------------------------------------------------------------------


def test_cards_of_a_machine_prove_themselves(
    clearwork: Command, recorded: Any, tmp_path: Path
) -> None:
    cards = four_cards()
    nonce = "0x" + asked_nonce(cards[0]).hex()
    described = machine(*(recorded(f"GPU-{n}", each) for n, each in enumerate(cards)))
    out = tmp_path / "evidence.json"

    collected = clearwork("agent", "evidence", "--nonce", nonce, "--out", out, described=described)
    assert collected.returncode == 0, collected.stderr
    assert "GPU-3: GH100 (hopper) by NVIDIA Corporation" in collected.stdout
    recording = json.loads(sample("multi_gpu_hopper.json").read_text())
    assert json.loads(out.read_text()) == recording

    checked = clearwork("attest", "evidence", out, "--nonce", nonce, "--json")
    assert len({card["device_key"] for card in json.loads(checked.stdout)["cards"]}) == 4


def test_a_recording_does_not_answer_a_new_nonce(clearwork: Command, recorded: Any) -> None:
    described = machine(recorded("GPU-0", older_card()))
    refused = clearwork("agent", "evidence", "--nonce", "0x" + "77" * 32, described=described)

    assert refused.returncode == 3
    assert "other nonce: GPU-0: it was made for 0x931d8dd0" in refused.stderr
    assert refused.stdout == ""


def test_inventory_of_a_mixed_machine(clearwork: Command, card: Any) -> None:
    described = machine(
        card("GPU-0", name="NVIDIA A100-SXM4-40GB", mig=(1, 1), instances=[card("MIG-a"), None]),
        pynvml.NVMLError_GpuIsLost,
        card("GPU-2", virtualization=pynvml.NVML_GPU_VIRTUALIZATION_MODE_VGPU),
        pynvml.NVMLError_NoPermission,
    )
    listed = json.loads(clearwork("agent", "inventory", "--json", described=described).stdout)

    assert [
        (device["uuid"], device["kind"], device["virtualization"]) for device in listed["devices"]
    ] == [("MIG-a", "mig", "none"), ("GPU-2", "gpu", "vgpu")]
    assert [problem.partition(" (")[0].partition(":")[0] for problem in listed["problems"]] == [
        "GPU 1",
        "GPU 3",
    ]


def test_a_machine_without_the_driver_library(clearwork: Command) -> None:
    """The mock without a machine says what a missing library says."""
    refused = clearwork("agent", "evidence", "--nonce", "0x" + "00" * 32)
    assert refused.returncode == 3
    assert "libnvidia-ml is not installed" in refused.stderr
    assert "no card here proves who made it" in refused.stderr


# --- `attest evidence` ------------------------------------------------------------------------


def check(text: str, *options: str) -> Any:
    """Standard output of a check; raises what it raised."""
    result = CliRunner().invoke(
        app, ["evidence", "-", *options], input=text, catch_exceptions=False
    )
    assert result.exit_code == 0
    return json.loads(result.stdout) if "--json" in options else result.stdout


def test_a_file_of_nvidia_s_tools_is_checked() -> None:
    text = sample("hopper_evidence.json").read_text()
    printed = check(text, "--at", "2026-01-31")

    assert "card 0: GH100 (hopper) by NVIDIA Corporation, serial 412921CE551E4EEDA3" in printed
    assert "driver 590.12, VBIOS 96.00.A5.00.01" in printed
    assert "that it was made now and for you" in printed
    asked = check(text, "--at", "1769817600", "--nonce", asked_nonce(single_card()).hex(), "--json")
    assert asked["valid"] is True
    assert asked["at"] == 1_769_817_600
    assert not any("made now" in question for question in asked["not_proved"])
    assert check(text, "--at", "2026-01-31", "--json")["at"] == asked["at"]


@pytest.mark.parametrize(
    ("options", "fault", "words"),
    [
        (["--nonce", "0x" + "00" * 32], Fault.OTHER_NONCE, "card 0: it was made for"),
        (["--at", "2019-01-01"], Fault.EXPIRED, "card 0: certificate 0 is valid from"),
    ],
)
def test_refusals_name_card_and_fault(options: list[str], fault: Fault, words: str) -> None:
    with pytest.raises(EvidenceError, match=words) as caught:
        check(sample("multi_gpu_hopper.json").read_text(), *options)
    assert caught.value.fault is fault


def test_a_card_that_is_there_twice() -> None:
    twice = write_evidence([*four_cards(), single_card()])
    assert len(read_evidence(twice.encode())) == 5
    with pytest.raises(EvidenceError, match="duplicate: card 4 is card 0 again"):
        check(twice)


@pytest.mark.parametrize("when", ["soon", "", "2026-13-01", "9" * 13, "-1", "٣"])
def test_what_is_no_time(when: str) -> None:
    with pytest.raises(BadInput, match="is no time"):
        check("[]", "--at", when)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["/nonexistent"], "cannot read"), (["-", "--nonce", "0x12"], "is not 32 bytes")],
)
def test_bad_arguments(arguments: list[str], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        CliRunner().invoke(app, ["evidence", *arguments], input="[]", catch_exceptions=False)
