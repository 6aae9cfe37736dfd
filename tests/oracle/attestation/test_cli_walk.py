"""`clearwork attest walk` and `plan`: what they print is accepted and says what it means."""

import json
import re
from typing import Any

import pytest
from typer.testing import CliRunner

from oracle.cli.attest import app
from oracle.cli.options import parse_size
from oracle.domain.attestation import Dims, plan
from oracle.errors import BadInput

SEED, SECRET = "0x" + "11" * 32, "0x" + "5e" * 32
SHAPE = ["--entries", "500", "--lanes", "32", "--steps", "10", "--queries", "8"]


def _run(*arguments: str, given: str | None = None) -> str:
    result = CliRunner().invoke(app, list(arguments), input=given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def walked() -> dict[str, Any]:
    text = _run("walk", "prove", "--seed", SEED, "--secret", SECRET, *SHAPE, "--json")
    proof: dict[str, Any] = json.loads(text)
    return proof


def _verify(proof: dict[str, Any], *more: str) -> str:
    return _run("walk", "verify", "-", *more, given=json.dumps(proof))


def test_a_walk_is_accepted(walked: dict[str, Any]) -> None:
    assert "8 lanes of 10 steps walked again" in _verify(walked, "--secret", SECRET)
    assert json.loads(_verify(walked, "--json"))["valid"] is True
    assert walked["start"] == walked["seed"]


@pytest.mark.parametrize("field", ["seed", "start", "root", "secret"])
def test_a_changed_hash_is_refused(walked: dict[str, Any], field: str) -> None:
    changed = {**walked, field: walked[field][:-1] + ("0" if walked[field][-1] != "0" else "1")}
    with pytest.raises(BadInput):
        _verify(changed)


@pytest.mark.parametrize("field", ["entries", "steps", "depth", "queries"])
def test_a_changed_shape_is_refused(walked: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput):
        _verify({**walked, field: walked[field] + 1})


def test_lanes_drawn_by_somebody_else_are_refused(walked: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="another secret"):
        _verify(walked, "--secret", SEED)


def test_plan_shows_what_the_domain_plans() -> None:
    plans = json.loads(_run("plan", "--tops", "0.1", "--memory", "8GB", "--json"))
    throughput, bandwidth, walk = plans

    assert [each["mode"] for each in plans] == ["throughput", "bandwidth", "walk"]
    assert Dims(**throughput["dims"]) == plan(10**11, 8_000, 12_000)
    # five eighths of the window, which is what it is rated by
    assert 7_500 <= throughput["run_ms"] <= 7_600
    assert 10**11 * 59 // 100 < throughput["certified"] < 10**11 * 60 // 100
    assert walk["certified"] is None
    assert bandwidth["memory_mb"] <= 7_000
    assert walk["dims"]["entries"] * 32 <= 7_000 * 10**6


@pytest.mark.parametrize(("tops", "memory"), [("400", "24GB"), ("4500", "192GB")])
def test_plan_cuts_no_number(monkeypatch: pytest.MonkeyPatch, tops: str, memory: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    asked = ("plan", "--tops", tops, "--memory", memory)
    plans, shown = json.loads(_run(*asked, "--json")), _run(*asked)

    assert max(map(len, shown.splitlines())) <= 80
    for each in plans:
        numbers = [*each["dims"].values(), each["memory_mb"], each["verifier_hashes"]]
        for number in numbers:
            assert re.search(rf"(?<![\d,]){number:,}(?![\d]|,\d)", shown)
        assert f"{each['run_ms'] / 1e3:.1f}" in shown
    # what a challenge may hold a card up for
    assert 3_000 <= plans[0]["run_ms"] <= 8_000


@pytest.mark.parametrize("tops", ["0", "-1", "many", "nan"])
def test_plan_of_no_rate(tops: str) -> None:
    with pytest.raises(BadInput):
        _run("plan", "--tops", tops, "--memory", "8GB")


def test_sizes() -> None:
    sizes = {"24GB": 24 * 10**9, "80GiB": 80 << 30, "1.5 TB": 15 * 10**11, "900MB": 9 * 10**8}
    assert {text: parse_size(text) for text in sizes} == sizes
    for text in ("24", "GB", "-1GB", "24 gb", "24G"):
        with pytest.raises(BadInput):
            parse_size(text)
