"""`python -m scripts.simulate_incentives`: options, JSON, the page and the chart."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from scripts import simulate_incentives
from scripts._incentives import studies, tables
from scripts._incentives.chart import chart
from scripts._incentives.studies import Result
from scripts._incentives.terms import World

RESULTS = [
    Result("a", "loses & more", 10 * 10**18, 9 * 10**18),
    Result("a", "even", 0, 0),
    Result("b", "gains", 10 * 10**18, 12 * 10**18 + 1, stoppable=False),
]


def test_a_run_prints_and_writes_the_same_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(simulate_incentives, "ROOT", tmp_path)
    monkeypatch.setattr(simulate_incentives, "OUT", tmp_path / "incentives.json")
    # the cheap ones are enough here
    monkeypatch.setattr(studies, "STUDIES", (studies.self_dealers, studies.claimants))
    simulate_incentives.main(["--days", "3", "--json"], standalone_mode=False)
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "incentives.json").read_text())
    assert printed["parameters"]["epochs"] == 72
    assert {each["strategy"] for each in printed["results"]} == {
        "self-dealing",
        "claims for others",
    }


def test_nonsense_is_refused() -> None:
    done = CliRunner().invoke(simulate_incentives.main, ["--days", "2"])
    assert done.exit_code == 2
    assert "3 days or more" in done.output


def test_the_page_has_the_parameters_in_force_and_every_case() -> None:
    page = simulate_incentives.DOCS.read_text()
    assert tables.parameters(World()) in page
    rows = page.split("<!-- table: strategies -->\n")[1].split("<!-- end of strategies -->")[0]
    assert len(rows.splitlines()) == 2 + studies.CASES


def test_a_table_says_what_gains() -> None:
    rows = tables.strategies(RESULTS).splitlines()[2:]
    assert rows[0] == "| a | loses & more | 10.0 | 9.0 | -1.0 | -10.00 % | loses |"
    assert rows[1].endswith("| 0.0 | 0.0 | +0.0 | - | changes nothing |")
    assert rows[2] == "| b | *gains* | 10.0 | 12.0 | +2.0 | +20.00 % | **gains** |"


def test_the_chart_has_a_row_for_each_case() -> None:
    drawn = chart(RESULTS)
    words = {text.text for text in ElementTree.fromstring(drawn).iter() if text.text}
    assert {"a: loses & more", "a: even", "b: gains", "-1", "+2"} <= words
    assert drawn.count("<rect") == len(RESULTS)
