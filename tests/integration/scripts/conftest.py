"""The scripts as an operator runs them: `ape run ...` in a process of its own, against anvil."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from web3 import HTTPProvider, Web3

from scripts._anvil import anvil
from scripts._project import ROOT

APE = str(Path(sys.executable).with_name("ape"))
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def url() -> Iterator[str]:
    with anvil() as url:
        yield url


@pytest.fixture
def chain(url: str) -> Web3:
    return Web3(HTTPProvider(url))


@pytest.fixture
def environment(url: str, tmp_path: Path) -> dict[str, str]:
    """A machine with an empty home, so that nothing of ours depends on what is in one."""
    home = tmp_path / "home"
    home.mkdir()
    return {
        **os.environ,
        "APE_FOUNDRY_HOST": url,
        "APE_DATA_FOLDER": str(tmp_path / "ape"),
        "HOME": str(home),
    }


@pytest.fixture
def ape_run(environment: dict[str, str]) -> Run:
    def _run(script: str, *options: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [APE, "run", script, "--network", "ethereum:local:foundry", *options],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    return _run
