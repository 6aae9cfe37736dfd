"""Named places in the code where a test may pull the plug.

A durable service is one that survives dying anywhere. `CLEARWORK_CRASH_AT=<place>` makes the
process kill itself with SIGKILL when it gets there, as a power cut would: no clean-up runs.
"""

import os
import signal

_PLACE = os.environ.get("CLEARWORK_CRASH_AT")


def reach(place: str) -> None:
    """Die here if the environment asks for it."""
    if place == _PLACE:
        os.kill(os.getpid(), signal.SIGKILL)
