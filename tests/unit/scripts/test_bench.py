"""`python -m scripts.bench --docs` writes its own table and nothing else."""

from pathlib import Path

from scripts._bench import Measurement
from scripts.bench import DOCS, MARKS, ROWS, update_docs


def test_other_tables_of_the_page_stay(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(DOCS.read_text())
    figures = {row.key: Measurement(row.key, 123_456, 21_000) for row in ROWS}
    update_docs(page, figures)
    (before, table), (_, previous) = (
        text.split(MARKS[0]) for text in (page.read_text(), DOCS.read_text())
    )
    assert DOCS.read_text().startswith(before)
    assert table.split(MARKS[1], 1)[1] == previous.split(MARKS[1], 1)[1]
    assert table.split(MARKS[1], 1)[0].count("123,456") == len(ROWS)
