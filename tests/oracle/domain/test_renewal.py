"""When an entry in the registry is worth a transaction."""

import pytest

from oracle.domain.market import DeviceEntry
from oracle.domain.renewal import RenewalRules, is_due

RULES = RenewalRules(margin=600, change_bps=1_000)
END, MEMORY = 10_000, 80_000
ENTRY = DeviceEntry(1, 2, 1_000, MEMORY, END, bytes(32))


def due(
    entry: DeviceEntry | None = ENTRY,
    device_class: int = 2,
    ops: int = 1_000,
    memory_mb: int = MEMORY,
    now: int = 0,
) -> bool:
    return is_due(entry, device_class, ops, memory_mb, now, RULES)


def test_a_device_without_entry_is_due() -> None:
    assert due(None)


@pytest.mark.parametrize(
    ("now", "expected"), [(0, False), (END - 601, False), (END - 600, True), (END + 1, True)]
)
def test_due_within_the_margin_of_its_end(now: int, expected: bool) -> None:
    assert due(now=now) is expected


@pytest.mark.parametrize(
    ("ops", "expected"),
    [(1_000, False), (1_099, False), (1_100, True), (901, False), (900, True), (0, True)],
)
def test_due_when_it_has_become_faster_or_slower(ops: int, expected: bool) -> None:
    assert due(ops=ops) is expected


def test_due_when_its_class_changes() -> None:
    assert due(device_class=1)
    assert due(device_class=3)


def test_due_when_its_memory_changes() -> None:
    assert due(memory_mb=MEMORY - 1)
    assert due(memory_mb=MEMORY + 1)
