"""The processor as a device: real readings, labelled as what they are."""

import os
from dataclasses import replace

from oracle.adapters.gpu.device import HostDevice
from oracle.domain.canonical import canonical_json


def physical_memory() -> int:
    """Bytes, as the kernel says."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_host_inventory_is_labelled() -> None:
    inventory = HostDevice("CPU-1").inventory

    assert inventory.kind == "cpu"
    assert inventory.name
    assert inventory.memory_mb == physical_memory() // 10**6


def test_host_telemetry_measures_this_process() -> None:
    device = HostDevice("CPU-1")
    before = device.telemetry()
    while device.telemetry()["cpu_user_ms"] < before["cpu_user_ms"] + 20:  # type: ignore[operator]
        sum(range(100_000))
    after = device.telemetry()

    assert not any(name.startswith("gpu_") for name in after)
    assert after["resident_peak_kb"] >= before["resident_peak_kb"] > 0  # type: ignore[operator]


def test_inventory_hash_covers_every_field() -> None:
    inventory = HostDevice("CPU-1").inventory
    changed = [
        replace(inventory, uuid="CPU-2"),
        replace(inventory, kind="gpu"),
        replace(inventory, memory_mb=inventory.memory_mb + 1),
        replace(inventory, parent="GPU-1"),
    ]
    assert len({inventory.hash(), *(other.hash() for other in changed)}) == 5


def test_canonical_form_does_not_depend_on_order() -> None:
    assert (
        canonical_json({"b": None, "a": "µ", "c": True}) == '{"a":"µ","b":null,"c":true}'.encode()
    )
