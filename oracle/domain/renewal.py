"""When a device's entry in the registry is worth a new transaction.

Devices are challenged every epoch, and most results say what the registry says already. The
rule is the committee's, not the leader's: a member signs no other result, so there is none that
anybody could keep for later (decision 0010).
"""

from dataclasses import dataclass

from oracle.domain.market import DeviceEntry

BPS = 10_000


@dataclass(frozen=True, slots=True)
class RenewalRules:
    """When an entry is renewed; the same on every oracle."""

    # chain seconds before its end
    margin: int
    # share of its operations bound by which a new one differs, bps
    change_bps: int


def is_due(
    entry: DeviceEntry | None,
    device_class: int,
    ops_per_second: int,
    memory_mb: int,
    now: int,
    rules: RenewalRules,
) -> bool:
    """Whether a result with this class, bound and memory is to be recorded at chain time `now`.

    Where there is no entry, where it ends within the margin, or where the device is in another
    class, has another memory, or has become that much faster or slower.
    """
    if entry is None or entry.attested_until <= now + rules.margin:
        return True
    change = abs(ops_per_second - entry.ops_per_second)
    return (
        device_class != entry.device_class
        or memory_mb != entry.memory_mb
        or change * BPS >= entry.ops_per_second * rules.change_bps
    )
