"""`python -m scripts.simulate_fleet`: options, JSON, and the page that it writes."""

import json
from pathlib import Path
from xml.etree import ElementTree

from click.testing import CliRunner

from scripts import simulate_fleet
from scripts._pages import update_docs
from scripts._simulation.chart import chart
from scripts._simulation.fleet import Plan
from scripts._simulation.network import TIMEOUT, Link
from scripts._simulation.studies import play


def test_a_run_prints_and_writes_the_same_json(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(simulate_fleet, "ROOT", tmp_path)
    monkeypatch.setattr(simulate_fleet, "OUT", tmp_path / "fleet.json")
    options = ["--devices", "30", "--hours", "2", "--seed", "5", "--json"]
    simulate_fleet.main(options, standalone_mode=False)
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "fleet.json").read_text())
    assert printed["main"][0]["honest"]["convicted"] == 0


def test_nonsense_is_refused() -> None:
    done = CliRunner().invoke(simulate_fleet.main, ["--devices", "3"])
    assert done.exit_code == 2
    assert "20 devices or more" in done.output


def test_only_the_tables_of_a_run_are_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(simulate_fleet.DOCS.read_text())
    update_docs(page, {"caught": "new\n"})
    new, old = page.read_text(), simulate_fleet.DOCS.read_text()
    assert "<!-- table: caught -->\nnew\n<!-- end of caught -->" in new
    assert new.split("<!-- table: money -->")[1] == old.split("<!-- table: money -->")[1]


def test_the_chart_is_drawing_of_every_kind() -> None:
    run = play(Plan(devices=30, hours=1, seed=1, cheats_bps=3_000, limits=2), lambda: None)
    drawn = chart(run)
    words = {text.text for text in ElementTree.fromstring(drawn).iter() if text.text}
    assert {kind.kind for kind in run.kinds} <= words
    assert "prefers-color-scheme: dark" in drawn


def test_a_lost_packet_costs_a_second() -> None:
    class Dice:
        """Loses so many packets, then none; no jitter."""

        def __init__(self, lost: int) -> None:
            self.lost = lost

        def randrange(self, _: int) -> int:
            self.lost -= 1
            return 0 if self.lost >= 0 else 9_999

        def randint(self, low: int, high: int) -> int:
            return 0

    link = Link(latency=7, jitter_bps=0, loss_bps=100)
    seconds = [link.delay(Dice(lost)) // 10**9 for lost in range(4)]
    assert seconds == [0, 1, 3, 7]
    assert link.delay(Dice(4)) < TIMEOUT + 2 * 10**9
