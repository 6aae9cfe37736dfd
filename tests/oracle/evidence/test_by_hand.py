"""What the docs tell an auditor to type leads to the same verdict, with openssl alone."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from oracle.domain.evidence import NVIDIA, read_evidence, write_evidence
from tests.oracle.evidence.samples import ROOT, sample

DOCS = ROOT / "docs" / "attestation-evidence.md"


@pytest.fixture
def by_hand() -> str:
    """The commands under "By hand"; skipped where one of their tools is missing."""
    for tool in ("bash", "csplit", "openssl", "python"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} to check evidence by hand")
    return DOCS.read_text().split("## By hand")[1].split("```sh\n")[1].split("```")[0]


def run(commands: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-e", "-c", commands], cwd=folder, capture_output=True, text=True, timeout=60
    )


def test_evidence_is_checked_by_hand(by_hand: str, tmp_path: Path) -> None:
    (tmp_path / "evidence.json").write_bytes(sample("hopper_evidence.json").read_bytes())
    done = run(by_hand, tmp_path)

    assert done.returncode == 0, done.stderr
    assert "made for nonce e97b23a1" in done.stdout
    assert NVIDIA.hex() in done.stdout.replace(":", "").lower()
    assert re.search(r"certificate-00: OK\nVerified OK", done.stdout)


def test_a_forgery_is_refused_by_hand(by_hand: str, tmp_path: Path) -> None:
    (card,) = read_evidence(sample("hopper_evidence.json").read_bytes())
    report = bytearray(card.report)
    report[60] ^= 1
    forged = write_evidence([replace(card, report=bytes(report))])
    (tmp_path / "evidence.json").write_text(forged)
    done = run(by_hand, tmp_path)

    assert done.returncode == 1
    assert "certificate-00: OK" in done.stdout
    assert "Verified OK" not in done.stdout
