"""`make bench`: which figures make it fail, and what `--docs` writes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from scripts import bench
from scripts._bench import Measurement
from scripts._project import ROOT
from scripts.bench import ARGUED, DOCS, MARKS, ROWS, faults, update_docs

BUDGETS = {row.key: row.budget for row in ROWS if row.budget is not None}


def figures(**changes: int) -> dict[str, Measurement]:
    """All rows at their budget, those that are argued about a unit over it."""
    gas = {row.key: 10**6 for row in ROWS} | BUDGETS
    gas |= {key: BUDGETS[key] + 1 for key in ARGUED} | changes
    return {key: Measurement(key, amount, 21_000) for key, amount in gas.items()}


def test_a_budget_may_be_used_up_and_a_row_may_have_none() -> None:
    assert faults(figures()) == []


@pytest.mark.parametrize("key", sorted(BUDGETS.keys() - ARGUED.keys()))
def test_a_unit_over_any_other_budget_is_a_fault(key: str) -> None:
    (fault,) = faults(figures(**{key: BUDGETS[key] + 1}))
    assert f"{BUDGETS[key] + 1:,} gas, over its budget of {BUDGETS[key]:,}" in fault


@pytest.mark.parametrize("key", ARGUED)
def test_who_is_argued_about_has_a_decision_and_is_over(key: str) -> None:
    (decision,) = (ROOT / "docs" / "decisions").glob(f"{ARGUED[key]}-*.md")
    assert f"{BUDGETS[key]:,}".replace(",", " ") in decision.read_text()
    (fault,) = faults(figures(**{key: BUDGETS[key]}))
    assert "holds its budget now" in fault


@pytest.mark.parametrize(("gas", "code"), [(0, 0), (10**6, 1)])
def test_a_fault_fails_the_run_which_has_written_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gas: int, code: int
) -> None:
    """Only the measuring is left out."""
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr(bench, "OUT", tmp_path / "bench" / "gas.json")
    monkeypatch.setattr(bench, "FLOORS", tmp_path / "bench" / "gas_floor.json")
    monkeypatch.setattr(bench, "measured", lambda: figures(stake_first=gas))
    result = CliRunner().invoke(bench.main)
    assert result.exit_code == code, result.output
    assert ("stake, first: 1,000,000 gas, over" in result.output) == bool(code)
    assert json.loads((tmp_path / "bench" / "gas.json").read_text())["stake_first"] == gas


def test_other_tables_of_the_page_stay(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(DOCS.read_text())
    update_docs(page, {row.key: Measurement(row.key, 123_456, 21_000) for row in ROWS})
    (before, table), (_, previous) = (
        text.split(MARKS[0]) for text in (page.read_text(), DOCS.read_text())
    )
    assert DOCS.read_text().startswith(before)
    assert table.split(MARKS[1], 1)[1] == previous.split(MARKS[1], 1)[1]
    assert table.split(MARKS[1], 1)[0].count("123,456") == len(ROWS)
