"""The attestation clock: monotonic time, which no prover and no time server can move."""

import time
import uuid
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NS_PER_MS = 1_000_000


class Clock:
    """Monotonic nanoseconds, and the id of the boot they count from."""

    def __init__(self) -> None:
        # where the system doesn't name its boot, no clock outlives the process
        self.boot = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else str(uuid.uuid4())

    def now_ns(self) -> int:
        """Nanoseconds since some moment of this boot."""
        return time.monotonic_ns()


def elapsed_ms(start_ns: int, end_ns: int) -> int:
    """Milliseconds between two readings, rounded up, at least 1."""
    return max(1, -(-(end_ns - start_ns) // _NS_PER_MS))
