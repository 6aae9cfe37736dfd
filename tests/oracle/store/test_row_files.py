"""Rows that wait for their reveal: there after a restart, refused where damaged."""

from pathlib import Path

import pytest

from oracle.adapters.store.row_files import RowFiles
from oracle.domain.scores import CommittedRow, Row
from oracle.errors import Fatal

COMMITTED = CommittedRow(3, 7, Row((0, 2), (65_535, 1)), b"\5" * 32, {2: 60, 4: 0})


def test_a_row_survives(tmp_path: Path):
    RowFiles(tmp_path / "rows").write(b"\1" * 32, COMMITTED)
    files = RowFiles(tmp_path / "rows")
    assert files.read(b"\1" * 32) == COMMITTED
    assert files.read(b"\2" * 32) is None


def test_a_damaged_file_is_named(tmp_path: Path):
    files = RowFiles(tmp_path)
    files.write(b"\1" * 32, COMMITTED)
    path = next(tmp_path.glob("*.json"))
    path.write_text(path.read_text()[:-9])
    with pytest.raises(Fatal, match=path.name):
        files.read(b"\1" * 32)


def test_only_its_owner_may_look(tmp_path: Path):
    RowFiles(tmp_path / "rows")
    assert (tmp_path / "rows").stat().st_mode & 0o077 == 0
