"""Every compute backend, and NVIDIA's bindings on a mock in C of its driver library."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from ctypes import CDLL
from pathlib import Path
from types import ModuleType
from typing import Any

import pynvml
import pytest

from oracle.domain.evidence import Evidence
from tests.backends import faster_backend, interpreted  # noqa: F401 (fixtures)
from tests.oracle.gpu.mock_nvml import Card, machine

SOURCE = Path(__file__).with_name("mock_nvml.c")


@pytest.fixture(scope="session")
def mock_nvml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mock, compiled; its folder can stand in LD_LIBRARY_PATH."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        pytest.skip("no C compiler: install one, or name it in CC, to test against a mock of NVML")
    library = tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, SOURCE], check=True)
    return library


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[..., Card]:
    """A card that plays back recorded evidence."""

    def build(uuid: str, evidence: Evidence, **more: Any) -> Card:
        report, chain = tmp_path / f"{uuid}.report", tmp_path / f"{uuid}.chain"
        report.write_bytes(evidence.report)
        chain.write_bytes(evidence.chain)
        return Card(uuid, **{"report": report, "chain": chain} | more)

    return build


@pytest.fixture
def card() -> type[Card]:
    return Card


@pytest.fixture
def nvml_with(
    mock_nvml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., ModuleType]:
    """The real bindings on a driver with these cards: see `machine`."""
    monkeypatch.setattr(pynvml, "nvmlLib", CDLL(str(mock_nvml)))
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    described = tmp_path / "machine.txt"
    monkeypatch.setenv("CLEARWORK_MOCK_NVML", str(described))

    def build(*cards: Any, init: type[pynvml.NVMLError] | None = None, **more: Any) -> ModuleType:
        failing = {"nvmlInitWithFlags": init} if init else {}
        described.write_text(machine(*cards, failing=failing | more.pop("failing", {}), **more))
        return pynvml

    return build


@pytest.fixture
def clearwork(mock_nvml: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command as a process that finds the mock where the driver library would be."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the bindings look for libnvidia-ml.so.1 on Linux alone")

    def run(*arguments: Any, described: str | None = None) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "LD_LIBRARY_PATH": str(mock_nvml.parent)}
        environment.pop("CLEARWORK_MOCK_NVML", None)
        if described is not None:
            path = tmp_path / "described.txt"
            path.write_text(described)
            environment["CLEARWORK_MOCK_NVML"] = str(path)
        return subprocess.run(
            [sys.executable, "-m", "oracle", *map(str, arguments)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run
