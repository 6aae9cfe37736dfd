"""`python -m scripts.simulate_demand`: the stress test of the spec, the page and the chart."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from oracle.domain.demand import FULL, UNIT, ClassTime
from scripts import simulate_demand
from scripts._demand.chart import chart
from scripts._demand.market import (
    AVAILABILITY_BPS,
    RULE,
    SCHEDULE,
    Day,
    Feed,
    Scenario,
    fleet,
    play,
)
from scripts._demand.tables import WATCHED, days_held, income

HOUR = 3_600


@pytest.fixture(scope="module")
def days() -> list[Day]:
    return list(play(Scenario()))


def test_income_stays_within_a_tenth_for_ninety_days(days: list[Day]) -> None:
    """Fees -55 %, price -50 %, with the reserves that docs/emission-policies.md states."""
    scenario = Scenario()
    assert (scenario.demand_after_bps, scenario.price_after_bps) == (4_500, 5_000)
    after = [income(day, "demand") for day in days[scenario.shock_day :][:WATCHED]]
    assert len(after) == WATCHED
    assert all(90 <= each <= 110 for each in after)
    assert days_held(days, scenario) > WATCHED


def test_income_halves_under_halving(days: list[Day]) -> None:
    before, after = days[Scenario().shock_day - 1], days[Scenario().shock_day]
    assert income(after, "halving") == pytest.approx(income(before, "halving") / 2, rel=0.01)


def test_without_reserves_it_does_not_hold() -> None:
    scenario, early = simulate_demand.early(Scenario(), 30)
    assert days_held(early, scenario) < WATCHED
    assert min(day.scale for day in early) < FULL


def test_a_market_without_a_shock_holds_for_ever() -> None:
    scenario = Scenario(days=400, price_after_bps=10_000, demand_after_bps=10_000)
    assert days_held(list(play(scenario)), scenario) is None


def test_supply_stays_below_the_cap_and_adds_up(days: list[Day]) -> None:
    for day in days:
        assert day.minted + day.allowance == day.minted_by_halving <= SCHEDULE.cap


def test_supply_stops_at_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thousand times the emission: the cap comes in sight within days."""
    monkeypatch.setattr("scripts._demand.market.SCHEDULE", replace(SCHEDULE, initial=1_000 * UNIT))
    scenario = Scenario(growth_days=1, shock_day=10, days=400, fees_bps=0)
    last = list(play(scenario))[-1]
    assert SCHEDULE.cap * 9 // 10 < last.minted_by_halving <= SCHEDULE.cap
    assert last.minted <= last.minted_by_halving


def test_half_of_the_excess_is_burnt_and_the_reserve_stays(days: list[Day]) -> None:
    burning = [each for day in days for each in day.epochs if each.payment.burnt]
    assert burning
    for each in burning:
        usual = max(each.payment.owed, each.after.average_owed * UNIT // each.price)
        excess = each.fees - each.payment.from_fees - usual * RULE.reserve_epochs
        assert 2 * each.payment.burnt in (excess, excess + 1)


def test_targets_move_by_a_step_at_most(days: list[Day]) -> None:
    scales = [each.after.scale for day in days for each in day.epochs]
    for before, after in pairwise(scales):
        assert abs(after - before) * 10_000 <= before * RULE.step_bps + 10_000


def test_the_fleet_grows_to_its_whole() -> None:
    scenario = Scenario(growth_days=10)
    assert fleet(scenario, 0) == [
        ClassTime(2, 60 * HOUR, AVAILABILITY_BPS),
        ClassTime(3, 15 * HOUR, AVAILABILITY_BPS),
    ]
    assert fleet(scenario, 9) == fleet(scenario, 99)


def test_the_feed_needs_three_hours_for_a_fall_by_half() -> None:
    feed = Feed(2 * UNIT)
    assert [feed.read(UNIT) for _ in range(4)] == [2 * UNIT, 2 * UNIT, UNIT, UNIT]


def test_page_and_chart_are_what_a_run_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page, drawing = tmp_path / "page.md", tmp_path / "charts" / "chart.svg"
    page.write_text(simulate_demand.DOCS.read_text())
    monkeypatch.setattr(simulate_demand, "OUT", tmp_path / "bench" / "demand.json")
    monkeypatch.setattr(simulate_demand, "CHART", drawing)
    old = simulate_demand.DOCS.read_text()
    monkeypatch.setattr(simulate_demand, "DOCS", page)
    simulate_demand.main(["--json", "--docs"], standalone_mode=False)
    assert page.read_text() == old
    published = Path(simulate_demand.ROOT / "docs" / "charts" / "emission-policies.svg")
    assert drawing.read_text() == published.read_text()
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(simulate_demand.OUT.read_text())
    assert len(printed["days"]) == Scenario().days


def test_the_chart_shows_both_policies_and_the_shock(days: list[Day]) -> None:
    drawn = chart(days, Scenario())
    words = {text.text for text in ElementTree.fromstring(drawn).iter() if text.text}
    assert {"policy demand", "policy halving", "allowance", "fee vault"} <= words
    assert "demand -55 %, price -50 %" in words
    assert "prefers-color-scheme: dark" in drawn
