"""Start, watch and stop the demo's processes; each writes its own log under build/demo/logs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from oracle.errors import Fatal

T = TypeVar("T")

CLEARWORK = [sys.executable, "-m", "oracle"]


class Processes:
    """The demo's child processes by name. Each is its own session, so none outlives the demo."""

    def __init__(self, logs: Path, environment: dict[str, str]) -> None:
        self._logs = logs
        self._environment = {**os.environ, **environment}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def start(
        self, name: str, command: list[str], environment: dict[str, str] | None = None
    ) -> None:
        """Start `command` in the background; its output goes to <logs>/<name>.log."""
        with (self._logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**self._environment, **(environment or {})},
                start_new_session=True,
            )

    def run(self, name: str, command: list[str]) -> str:
        """Run `command` to its end and return its standard output."""
        self.check()
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, env=self._environment
        )
        with (self._logs / f"{name}.log").open("ab") as log:
            log.write(result.stdout + result.stderr)
        if result.returncode:
            raise Fatal(
                f"{name} ended with code {result.returncode}: {_last_lines(result.stderr)}",
                f"Read {self._logs / name}.log.",
            )
        return result.stdout.decode()

    def check(self) -> None:
        """Raise `Fatal` if a process that should run has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                log = self._logs / f"{name}.log"
                raise Fatal(
                    f"{name} ended with code {process.returncode}: {_last_lines(log.read_bytes())}",
                    f"Read {log}.",
                )

    def wait(self, name: str, timeout: float) -> None:
        """Wait until a process ends by itself with code 0."""
        process = self._running.pop(name)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._running[name] = process
            raise Fatal(
                f"{name} did not end within {timeout:.0f} s", f"Read {self._logs / name}.log."
            ) from None
        if code:
            log = self._logs / f"{name}.log"
            raise Fatal(f"{name} ended with code {code}: {_last_lines(log.read_bytes())}", "")

    def kill(self, name: str) -> None:
        """Kill a process the hard way (SIGKILL), as a power cut would."""
        process = self._running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """Ask every process to end, then make sure."""
        for process in self._running.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + 5
        for process in self._running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._running.clear()


@contextmanager
def supervised(logs: Path, environment: dict[str, str]) -> Iterator[Processes]:
    """Processes that are stopped on the way out, whatever happened."""
    processes = Processes(logs, environment)
    try:
        yield processes
    finally:
        processes.stop()


def wait_until(what: str, probe: Callable[[], T | None], processes: Processes, timeout: float) -> T:
    """Poll `probe` until it returns something true; `Fatal` names `what` after `timeout` s."""
    deadline = time.monotonic() + timeout
    while True:
        result = probe()
        if result:
            return result
        processes.check()
        if time.monotonic() > deadline:
            raise Fatal(f"{what} did not happen within {timeout:.0f} s", "Read build/demo/logs.")
        time.sleep(0.2)


def _last_lines(output: bytes, count: int = 5) -> str:
    return " | ".join(output.decode(errors="replace").strip().splitlines()[-count:])
