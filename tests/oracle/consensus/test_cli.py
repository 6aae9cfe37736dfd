"""`clearwork yuma`: the result in the vectors' schema, for people, and one clear error."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from oracle.cli.yuma import app
from oracle.errors import BadInput, ClearworkError, NotFound
from scripts._project import ROOT

VECTORS = Path(__file__).parents[2] / "data" / "yuma.json"
CASES = {case["name"]: case for case in json.loads(VECTORS.read_text())["cases"]}
SMALL = CASES["edge_exact_half_split"]


def run(*arguments: str, stdin: str | None = None) -> str:
    """Output of the command; raises what `clearwork` would print as an error."""
    result = CliRunner().invoke(app, list(arguments), input=stdin)
    if isinstance(result.exception, ClearworkError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def file(tmp_path: Path) -> Callable[[Any], str]:
    """Write a case to a file, and name it."""

    def write(content: Any) -> str:
        path = tmp_path / "case.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return write


@pytest.mark.parametrize("name", ["upstream_test_yuma_3_bonds_reset", "gen_4x8_yuma3_liquid"])
def test_json_is_the_case_with_its_results(name: str):
    found = json.loads(run(str(VECTORS), "--case", name, "--mode", "bittensor", "--json"))
    assert found["mode"] == "bittensor"
    for field in ("name", "n", "params", "epochs"):
        assert found[field] == CASES[name][field]


def test_what_it_prints_it_reads(file: Callable[[Any], str]):
    bare = {**SMALL, "epochs": [{k: v for k, v in SMALL["epochs"][0].items() if k != "expected"}]}
    once = run(file(bare), "--json")
    assert run("-", "--json", stdin=once) == once


def test_strict_is_the_default_mode(file: Callable[[Any], str]):
    path = file(SMALL)
    assert run(path, "--json") == run(path, "--json", "--mode", "strict")
    strict = json.loads(run(path, "--json"))["epochs"][0]["expected"]
    assert strict["consensus_u16"] == [0, 0, 0, 0]
    assert SMALL["epochs"][0]["expected"]["consensus_u16"] == [0, 0, 65_535, 65_535]


def test_a_table_for_people(file: Callable[[Any], str]):
    original = run(file(SMALL), "--mode", "bittensor")
    assert "epoch 0, mode bittensor" in original
    assert "0.500000" in original
    assert "250,000,000" in original
    assert "All of it is what the file expects." in original
    strict = run(file(SMALL))
    assert "500,000,000" in strict
    assert "The file expects something else of consensus_bits" in strict
    assert "2 uids without any of this are left out" in strict


def test_the_case_in_the_docs_is_as_computed_by_hand():
    text = (ROOT / "docs" / "consensus.md").read_text()
    case = text.split("```json\n")[1].split("```")[0]
    for mode in ("strict", "bittensor"):
        found = json.loads(run("-", "--json", "--mode", mode, stdin=case))["epochs"][0]["expected"]
        by_hand = {
            "consensus_bits": [0, 0, 0, 1 / 2, 1 / 2],
            "validator_trust_bits": [1, 1 / 2, 1 / 2, 0, 0],
            "incentive_bits": [0, 0, 0, 8 / 15, 7 / 15],
            "dividends_bits": [2 / 3, 1 / 5, 2 / 15, 0, 0],
        }
        for name, numbers in by_hand.items():
            for bits, number in zip(found[name], numbers, strict=True):
                assert abs(number - bits / 2**32) < 1e-8, name
        paid = {
            "server_emission": [0, 0, 0, 240_000_000, 210_000_000],
            "validator_emission": [300_000_000, 90_000_000, 60_000_000, 0, 0],
        }
        for name, amounts in paid.items():
            for amount, wanted in zip(found[name], amounts, strict=True):
                assert 0 <= wanted - amount < 10, name


def test_a_file_of_one_case_needs_no_name(file: Callable[[Any], str]):
    assert run(file({"cases": [SMALL]}), "--json") == run(file(SMALL), "--json")


def test_a_case_by_name_in_a_file_of_many():
    with pytest.raises(BadInput, match="holds 27 cases") as caught:
        run(str(VECTORS))
    assert "upstream_test_bonds" in caught.value.remedy
    with pytest.raises(NotFound, match="no case 'nothing'"):
        run(str(VECTORS), "--case", "nothing")


def changed(**changes: Any) -> dict[str, Any]:
    return {**SMALL, **changes}


def with_epoch(**changes: Any) -> dict[str, Any]:
    return changed(epochs=[{**SMALL["epochs"][0], **changes}])


def with_params(**changes: Any) -> dict[str, Any]:
    return changed(params={**SMALL["params"], **changes})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON"),
        ([], "holds no case"),
        ({"cases": 3}, "cases: not a list of cases"),
        ({"cases": []}, "holds 0 cases"),
        ({}, "name: Field required"),
        (changed(epochs=[]), "epochs: List should have at least 1 item"),
        (changed(n=5), "epochs.0.last_update has 4 entries, n is 5"),
        (with_params(kappa=65_536), "params.kappa: Input should be less than 65536"),
        (with_params(kappa=0.5), "params.kappa: Input should be a valid integer"),
        (with_params(kappa="32767"), "params.kappa: Input should be a valid integer"),
        (with_params(yuma4=True), "params.yuma4: Extra inputs are not permitted"),
        (with_params(owner_uid=4), "owner_uid 4 is none of the 4 uids"),
        (with_params(bonds_moving_average=1_000_001), "params.bonds_moving_average"),
        (with_epoch(stake=[1, 1, 0]), "epochs.0.stake has 3 entries, n is 4"),
        (with_epoch(stake=[-1, 1, 0, 0]), "epochs.0.stake.0: Input should be greater"),
        (with_epoch(stake=[2**64, 1, 0, 0]), "epochs.0.stake.0: Input should be less"),
        (with_epoch(validator_permits=[1, 1, 0, 0]), "epochs.0.validator_permits.0"),
        (with_epoch(block=None), "epochs.0.block is missing"),
        (with_epoch(weights=[[], []]), "epochs.0.weights has 2 entries, n is 4"),
        (with_epoch(weights={"4": []}), "epochs.0.weights.4 is no uid below 4"),
        (with_epoch(weights={"x": []}), "epochs.0.weights.x is no uid below 4"),
        (with_epoch(weights=[[[4, 1]], [], [], []]), "epochs.0.weights: an entry has a uid"),
        (with_epoch(weights=[[[2, 1], [2, 2]], [], [], []]), "epochs.0.weights: row 0 has uid 2"),
        (with_epoch(weights=[[[2]], [], [], []]), "epochs.0.weights"),
        (with_epoch(bonds=[[[2, 70_000]], [], [], []]), "epochs.0.bonds.0.0.1"),
        (with_epoch(wieghts=[]), "epochs.0.wieghts: Extra inputs are not permitted"),
    ],
)
def test_a_bad_file_gives_an_error_that_names_the_field(
    file: Callable[[Any], str], content: Any, message: str
):
    with pytest.raises(BadInput, match=message) as caught:
        run(file(content))
    assert caught.value.remedy


def test_a_file_that_is_not_there():
    with pytest.raises(BadInput, match=r"cannot read /nowhere.json: No such file"):
        run("/nowhere.json")


def test_the_command_as_people_start_it():
    """Once through the real entry point: the error and its exit code."""
    command = [sys.executable, "-m", "oracle", "yuma", str(VECTORS)]
    failed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert failed.returncode == 2
    assert "holds 27 cases" in failed.stderr
