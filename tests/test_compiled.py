"""What the tests find compiled is what the sources say."""

from pathlib import Path

import pytest
from boa.util.disk_cache import DiskCache

from tests import compiled

READER = (
    "from . import base\n\n@external\n@view\ndef answer() -> uint256:\n    return base.ANSWER\n"
)


def write_base(folder: Path, answer: int) -> None:
    (folder / "base.vy").write_text(f"ANSWER: constant(uint256) = {answer}\n")


def test_a_changed_module_is_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer() -> int:
        # what this process remembers is not asked
        return int(compiled.compiled.__wrapped__(source).deploy().answer())

    monkeypatch.setattr(compiled, "CONTRACTS", tmp_path)
    monkeypatch.setattr(compiled, "kept", DiskCache(tmp_path / "cache", ""))
    source = tmp_path / "reader.vy"
    source.write_text(READER)
    for value in (41, 42):
        write_base(tmp_path, value)
        assert answer() == value

    # and what did not change is not
    monkeypatch.delattr(compiled, "_compile")
    write_base(tmp_path, 41)
    assert answer() == 41


def test_no_import_is_overlooked() -> None:
    seen: set[Path] = set()
    for source in compiled.CONTRACTS.glob("*.vy"):
        data = compiled.compiled(source).compiler_data
        files = {Path(file.resolved_path) for file in data.resolved_imports.compiler_inputs}
        ours = {file for file in files if file.is_relative_to(compiled.CONTRACTS)}
        assert ours <= compiled.built_on(source)
        seen |= ours
    # every module and interface is somebody's
    assert seen == {*compiled.CONTRACTS.glob("*/*.vy*")}
