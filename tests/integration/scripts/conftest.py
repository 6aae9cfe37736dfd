"""The scripts as an operator runs them, `ape run ...`, against anvil."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from web3 import HTTPProvider, Web3

from scripts._anvil import anvil
from scripts._project import ROOT, abi_of

APE = str(Path(sys.executable).with_name("ape"))
LOCAL_CHAIN = ("--network", "ethereum:local:foundry")
Run = Callable[..., "subprocess.CompletedProcess[str]"]


class Forks:
    """Runs commands of Ape, each in a process of its own that need not load Ape: see forks.py."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self._process = process
        self._folder = folder
        assert self._read() == "ready"

    def run(self, *argv: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run `ape ...` with more in its environment."""
        out, err = self._folder / "stdout", self._folder / "stderr"
        request = {
            "argv": argv,
            "environment": environment,
            "stdout": str(out),
            "stderr": str(err),
        }
        assert self._process.stdin
        print(json.dumps(request), file=self._process.stdin, flush=True)
        code = int(self._read())
        return subprocess.CompletedProcess(argv, code, out.read_text(), err.read_text())

    def on(self, url: str) -> Run:
        """What runs a script on the chain of the node at `url`."""

        def run(script: str, *options: str) -> "subprocess.CompletedProcess[str]":
            return self.run("run", script, *LOCAL_CHAIN, *options, APE_FOUNDRY_HOST=url)

        return run

    def _read(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()


def empty_home(folder: Path) -> dict[str, str]:
    """A machine with an empty home, so that nothing of ours depends on what is in one."""
    home = folder / "home"
    home.mkdir()
    return {**os.environ, "APE_DATA_FOLDER": str(folder / "ape"), "HOME": str(home)}


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    folder = tmp_path_factory.mktemp("forks")
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("forks.py")],
        cwd=ROOT,
        env={**empty_home(folder), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Forks(process, folder)
        process.kill()


# --- an empty chain ---------------------------------------------------------------------------


@pytest.fixture
def url() -> Iterator[str]:
    with anvil() as url:
        yield url


@pytest.fixture
def chain(url: str) -> Web3:
    return Web3(HTTPProvider(url))


@pytest.fixture
def ape_run(url: str, forks: Forks) -> Run:
    return forks.on(url)


# --- a chain with a market --------------------------------------------------------------------


@dataclass(frozen=True)
class Market:
    """What `ape run deploy` leaves."""

    chain: Web3
    ape_run: Run
    out: Path
    said: str

    @property
    def record(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.out.read_text())
        return content

    def contract(self, name: str) -> Any:
        address = self.record["contracts"][name]["address"]
        return self.chain.eth.contract(Web3.to_checksum_address(address), abi=abi_of(name))


def deploy(url: str, forks: Forks, out: Path, *options: str) -> Market:
    """Deploy a market to an empty chain."""
    ape_run = forks.on(url)
    deployed = ape_run("deploy", "--out", str(out), *options)
    assert deployed.returncode == 0, deployed.stderr
    return Market(Web3(HTTPProvider(url)), ape_run, out, deployed.stdout)


@pytest.fixture(scope="module")
def deployed(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with anvil() as url:
        yield deploy(url, forks, tmp_path_factory.mktemp("deployed") / "31337.json")


@pytest.fixture
def market(deployed: Market) -> Iterator[Market]:
    """A market of the default parameters; what a test does to its chain is undone."""
    provider = deployed.chain.provider
    snapshot = provider.make_request("evm_snapshot", [])["result"]
    yield deployed
    assert provider.make_request("evm_revert", [snapshot])["result"]
