"""The market of the oracle tests, with oracles as processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account

from scripts._anvil import free_port, ticking
from tests.oracle.conftest import *  # noqa: F403 - fixtures
from tests.oracle.conftest import DIMS, QUERIES
from tests.oracle.subnets.conftest import *  # noqa: F403 - fixtures

# more than two of the market's epochs
PATIENCE_S = 150.0


def eventually(what: str, probe: Callable[[], Any]) -> Any:
    """Poll until `probe` returns something true."""
    deadline = time.monotonic() + PATIENCE_S
    while not (result := probe()):
        assert time.monotonic() < deadline, f"{what} never happened"
        time.sleep(0.1)
    return result


@dataclass
class OracleProcess:
    """`clearwork oracle run` with a database that outlives it."""

    environment: dict[str, str]
    log: Path
    url: str
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self, crash_at: str = "") -> None:
        environment = {**os.environ, **self.environment}
        if crash_at:
            environment["CLEARWORK_CRASH_AT"] = crash_at
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "oracle", "oracle", "run"],
                env=environment,
                stdout=log,
                stderr=log,
            )

    def healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def was_killed(self) -> bool:
        assert self.process is not None
        return self.process.poll() == -signal.SIGKILL

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(15)

    def get(self, path: str) -> Any:
        return httpx.get(self.url + path, timeout=10).raise_for_status().json()

    def post(self, path: str, body: Any) -> Any:
        return httpx.post(self.url + path, json=body, timeout=10).raise_for_status().json()


@pytest.fixture
def processes(live: Any, anvil_url: str, tmp_path: Path) -> Iterator[list[OracleProcess]]:
    """Four oracles of one committee, not started yet, on a chain whose clock runs."""
    password_file = tmp_path / "password"
    password_file.write_text("test")
    ports = [free_port() for _ in live.oracles]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    made = []
    for index, key in enumerate(live.oracles):
        folder = tmp_path / f"oracle-{index}"
        folder.mkdir()
        keystore = folder / "key.json"
        encrypted = Account.encrypt(key.key, "test", kdf="pbkdf2", iterations=1_024)
        keystore.write_text(json.dumps(encrypted))
        settings = {
            "RPC_URLS": anvil_url,
            "DEPLOYMENT": live.deployment_file,
            "KEYSTORE": keystore,
            "PASSWORD_FILE": password_file,
            "DATABASE": folder / "oracle.db",
            "PORT": ports[index],
            "PEERS": " ".join(url for url in urls if url != urls[index]),
            "ATTESTATION_M": DIMS.m,
            "ATTESTATION_N": DIMS.n,
            "ATTESTATION_K": DIMS.k,
            "ATTESTATION_ROUNDS": DIMS.rounds,
            "ATTESTATION_QUERIES": QUERIES,
            "VERIFY_WORKERS": 0,
            "USAGE_LAG": 2,
            "HEARTBEAT_GRACE": 30,
            "ROUND_INTERVAL": 2,
            "LEADER_DELAY": 3,
        }
        environment = {f"CLEARWORK_{name}": str(value) for name, value in settings.items()}
        made.append(OracleProcess(environment, folder / "log", urls[index]))
    with ticking(anvil_url):
        yield made
        for one in made:
            one.stop()
