"""The same bytes on any host, under any Python and in any order of what was read."""

import json
import subprocess
import sys
from dataclasses import fields
from os import environ
from pathlib import Path
from shutil import which

import pytest

from oracle.domain.messages import EpochReport
from scripts._project import ROOT
from tests.oracle.epochs import fixed_epochs

SIGNED = json.loads((ROOT / "tests" / "data" / "epochs.json").read_text())
# what the domain takes from outside the standard library
PACKAGES = "import numpy, sha3"
SEEDS = range(8)


def pythons() -> list[str]:
    """Every other Python that is on the path or installed beside this one, newest first."""
    minors = range(20, 10, -1)
    beside = Path(sys.base_prefix).parent
    found = [which(f"python3.{minor}") for minor in minors]
    found += [str(one) for minor in minors for one in beside.glob(f"*/bin/python3.{minor}")]
    this = f"python3.{sys.version_info.minor}"
    return sorted({one for one in found if one and Path(one).name != this})


def test_what_is_signed_never_changes():
    assert fixed_epochs.reports() == SIGNED
    names = [field.name for field in fields(EpochReport)]
    assert [list(report) for report in SIGNED] == [names] * 2


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_what_was_read_does_not_matter(seed: int):
    assert fixed_epochs.reports(seed) == SIGNED


@pytest.mark.skipif(not pythons(), reason="no other Python of 3.11 or later is on this machine")
@pytest.mark.parametrize("python", pythons())
def test_another_python_signs_the_same(python: str):
    probe = subprocess.run([python, "-c", PACKAGES], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"{python}: {probe.stderr.strip().splitlines()[-1]}")
    said = subprocess.run(
        [python, fixed_epochs.__file__, "5"],
        capture_output=True,
        text=True,
        check=True,
        env=environ | {"PYTHONPATH": str(ROOT)},
    )
    assert json.loads(said.stdout) == SIGNED
