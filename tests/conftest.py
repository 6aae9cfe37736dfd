"""What holds for all tests: the garbage collector, and a word on what they did not show.

What compilers and web3 leave is large and stays to the end.
"""

import atexit
import gc
from collections import Counter

import pytest
import requests.sessions

# no request leaves this machine, and looking for a proxy takes as long as anvil takes to answer
requests.sessions.get_environ_proxies = lambda *_, **__: {}

# a test's own garbage is small beside it
gc.set_threshold(50_000, 20, 20)


def pytest_collection_finish() -> None:
    gc.freeze()


def pytest_sessionfinish() -> None:
    # pytest collects five times as it ends; what bindings hold is freed after that
    gc.freeze()
    atexit.register(gc.unfreeze)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was skipped, and why: a run that lacks half of its machine is green, too."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
        # the rest are expected to fail
        if isinstance(report.longrepr, tuple)
    )
    if reasons:
        terminalreporter.section(f"not shown by this run: {reasons.total()} tests", yellow=True)
        for reason, count in reasons.most_common():
            terminalreporter.line(f"{count:>5}  {reason}")
