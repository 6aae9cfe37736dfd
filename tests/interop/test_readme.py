"""The examples of the README, run as somebody would who has just deployed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop.conftest import NODE_MODULES, SECONDS, settle, settled, unhex
from tests.oracle.conftest import ROOT, Live

README = (ROOT / "README.md").read_text()
URL = "http://127.0.0.1:8545"


@pytest.fixture
def folder(live: Live, tmp_path: Path) -> Path:
    """A checkout whose deployment file is that of the test chain."""
    (tmp_path / "deployments").mkdir()
    (tmp_path / "deployments" / "abi").symlink_to(ROOT / "deployments" / "abi")
    (tmp_path / "deployments" / "31337.json").symlink_to(live.deployment_file)
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    return tmp_path


def run(folder: Path, url: str, language: str, *command: str, **environment: str) -> str:
    """Run the README's one example in a language; returns what it prints."""
    (example,) = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert example.count(URL) == 1
    (folder / command[-1]).write_text(example.replace(URL, url))
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_web3_reads_a_job(live: Live, provider: int, folder: Path, anvil_url: str) -> None:
    assert live.open_job(provider) == 1
    printed = run(folder, anvil_url, "python", sys.executable, "example.py")
    assert live.customer.address in printed


def test_viem_reads_a_job_and_signs_its_voucher(
    live: Live, provider: int, folder: Path, anvil_url: str
) -> None:
    job = live.open_job(provider)
    key = live.customer.key.to_0x_hex()
    printed = run(folder, anvil_url, "js", "node", "example.mjs", CUSTOMER_KEY=key)
    assert live.customer.address in printed
    settle(live, job, unhex(printed.split()[-1]))
    assert settled(live, job) == SECONDS
