"""Evidence of real Hopper cards, read where it lies beside the repository."""

import os
from pathlib import Path

import pytest

from oracle.domain.evidence import Evidence, read_evidence

ROOT = Path(__file__).parents[3]
VECTORS = Path(os.environ.get("CLEARWORK_VECTORS", ROOT.parent / "shared" / "vectors"))
NOW = 1_790_000_000  # a day in 2026


def sample(name: str) -> Path:
    """The path of a sample; without it the test is skipped."""
    path = VECTORS / "nvidia" / name
    if not path.is_file():
        pytest.skip(f"no sample {path}: set CLEARWORK_VECTORS to the folder of the vectors")
    return path


def single_card() -> Evidence:
    """One card, alone in its file."""
    return read_evidence(sample("hopper_evidence.json").read_bytes())[0]


def four_cards() -> list[Evidence]:
    """The cards of one machine; the first of them is the single card."""
    return read_evidence(sample("multi_gpu_hopper.json").read_bytes())


def older_card() -> Evidence:
    """Another maker's board with an earlier driver."""
    return Evidence(
        report=bytes.fromhex(sample("hopper_report.txt").read_text()),
        chain=sample("hopper_chain.txt").read_bytes(),
    )


def asked_nonce(evidence: Evidence) -> bytes:
    """The nonce that a sample was made for."""
    return evidence.report[4:36]
