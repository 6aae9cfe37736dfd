"""The record of a deployment, and the progress of one that is not complete."""

import json
from pathlib import Path

import pytest

from scripts import _deployment
from scripts._deployment import DeployedContract, Progress, source_commit, write_atomically

TOKEN: DeployedContract = {
    "address": "0x" + 40 * "1",
    "abi_hash": "0x" + 64 * "2",
    "constructor": {"max_supply": "21"},
    "transaction": "0x" + 64 * "3",
    "block": 4,
    "deployer": "0x" + 40 * "5",
}


def test_write_is_sorted_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "31337.json"
    write_atomically(path, {"b": 1, "a": {"d": 2, "c": 3}})
    assert path.read_text() == json.dumps({"a": {"c": 3, "d": 2}, "b": 1}, indent=2) + "\n"
    assert list(path.parent.iterdir()) == [path]


def test_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "31337.json"
    write_atomically(path, {"old": True})
    with pytest.raises(TypeError):
        write_atomically(path, {"new": object()})
    assert json.loads(path.read_text()) == {"old": True}


def test_progress_is_picked_up(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    Progress(path, started=100).record("WorkToken", TOKEN)
    resumed = Progress(path, started=200)
    assert resumed.contracts == {"WorkToken": TOKEN}
    assert resumed.started == 100


def test_finished_progress_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    progress = Progress(path, started=100)
    progress.record("WorkToken", TOKEN)
    progress.finish()
    progress.finish()
    assert not path.exists()
    assert Progress(path, started=200).contracts == {}


def test_progress_of_a_rehearsal_stays_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    progress = Progress(None, started=100)
    progress.record("WorkToken", TOKEN)
    progress.finish()
    assert progress.contracts == {"WorkToken": TOKEN}
    assert list(tmp_path.iterdir()) == []


def test_commit_is_null_outside_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_deployment, "ROOT", tmp_path)
    assert source_commit() is None
