"""Local chains: an anvil of our own, and the keys that everybody knows.

Ape starts an anvil by itself for `--network ethereum:local:foundry`. Where a script needs other
flags, or a chain that outlives it, it starts one here and hands Ape its URL in the environment
variable APE_FOUNDRY_HOST, which ape-foundry reads before it connects.
"""

import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

# the mnemonic of every local test chain: its keys are public and worth nothing
MNEMONIC = "test test test test test test test test test test test junk"
START_TIMEOUT = 20.0

Account.enable_unaudited_hdwallet_features()


def test_key(index: int) -> LocalAccount:
    """The key at `index` of the public test mnemonic."""
    account: LocalAccount = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
    return account


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def anvil(*flags: str, port: int | None = None) -> Iterator[str]:
    """Run anvil with `flags` and yield its URL; it is gone on the way out.

    Raises `RuntimeError` where anvil is missing or does not answer.
    """
    binary = shutil.which("anvil")
    if binary is None:
        raise RuntimeError("anvil is not on PATH: run `make setup`, or start this through make")
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [binary, "--silent", "--hardfork", "prague", "--port", str(port), *flags],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_until_up(url, process)
        yield url
    finally:
        process.terminate()
        process.wait()


@contextmanager
def ticking(url: str, seconds: float = 1.0) -> Iterator[None]:
    """Mine a block every `seconds`, so that chain time goes on while nobody transacts.

    anvil's own --block-time would do, but Ape takes a node that doesn't mine on demand alone
    for one that is mined by hand, and does not wait for its receipts.
    """
    stopped = threading.Event()

    def tick() -> None:
        while not stopped.wait(seconds):
            with suppress(OSError):
                _request(url, "evm_mine").close()

    clock = threading.Thread(target=tick, daemon=True)
    clock.start()
    try:
        yield
    finally:
        stopped.set()
        clock.join()


def _request(url: str, method: str) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": []})
    request = urllib.request.Request(
        url, data=body.encode(), headers={"content-type": "application/json"}
    )
    return urllib.request.urlopen(request, timeout=5)


def _wait_until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        try:
            _request(url, "eth_chainId").close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"anvil did not answer on {url} (exit code {process.poll()})")
