"""`clearwork attest`: what it prints is accepted, whatever is changed in it is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from oracle.cli.attest import app
from oracle.errors import BadInput

SEED = "0x" + "11" * 32
SECRET = "0x" + "5e" * 32
SHAPE = ["--m", "64", "--n", "64", "--k", "256", "--rounds", "2"]


def _prove(*more: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["prove", "--seed", SEED, *SHAPE, "--json", *more])
    assert result.exit_code == 0, result.output
    proof: dict[str, Any] = json.loads(result.stdout)
    return proof


def _verify(proof: dict[str, Any], *more: str) -> str:
    """Standard output of `verify`; raises what it raised."""
    result = CliRunner().invoke(
        app, ["verify", "-", *more], input=json.dumps(proof), catch_exceptions=False
    )
    assert result.exit_code == 0
    return result.stdout


@pytest.fixture(scope="module")
def roots_only() -> dict[str, Any]:
    return _prove()


@pytest.fixture(scope="module")
def opened() -> dict[str, Any]:
    return _prove("--queries", "24", "--secret", SECRET)


def _flip(text: str) -> str:
    """The same hex text with its last digit changed."""
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def test_prove_prints_the_chain(roots_only: dict[str, Any]) -> None:
    assert set(roots_only) == {"seed", "m", "n", "k", "rounds", "roots", "final_seed"}
    assert roots_only["seed"] == SEED
    assert len(roots_only["roots"]) == 2


def test_backends_print_the_same(roots_only: dict[str, Any]) -> None:
    assert _prove("--backend", "reference") == roots_only


def test_verify_accepts_roots(roots_only: dict[str, Any]) -> None:
    assert "valid: all 2 roots recomputed" in _verify(roots_only)
    assert json.loads(_verify(roots_only, "--json"))["valid"] is True


def test_verify_accepts_openings(opened: dict[str, Any]) -> None:
    assert "24 entries checked" in _verify(opened)
    assert "24 entries checked" in _verify(opened, "--secret", SECRET, "--backend", "reference")


def test_a_file_is_as_good_as_a_pipe(tmp_path: Path, opened: dict[str, Any]) -> None:
    file = tmp_path / "proof.json"
    assert _prove("--queries", "24", "--secret", SECRET, "--out", str(file)) == opened
    result = CliRunner().invoke(app, ["verify", str(file)])
    assert result.exit_code == 0


@pytest.mark.parametrize("index", [0, 1])
def test_a_changed_root_is_named(
    roots_only: dict[str, Any], opened: dict[str, Any], index: int
) -> None:
    for proof in (roots_only, opened):
        roots = [*proof["roots"]]
        roots[index] = _flip(roots[index])
        with pytest.raises(BadInput, match=f"root {index}"):
            _verify({**proof, "roots": roots})


@pytest.mark.parametrize(
    ("field", "value"),
    [("seed", "0x" + "22" * 32), ("final_seed", SEED), ("k", 288), ("rounds", 1), ("m", 128)],
)
def test_every_changed_field_is_noticed(
    roots_only: dict[str, Any], opened: dict[str, Any], field: str, value: Any
) -> None:
    for proof in (roots_only, opened):
        with pytest.raises(BadInput):
            _verify({**proof, field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("secret", SEED), ("queries", 23), ("queries", 0), ("openings", []), ("secret", None)],
)
def test_openings_answer_their_secret(opened: dict[str, Any], field: str, value: Any) -> None:
    with pytest.raises(BadInput):
        _verify({**opened, field: value})


def test_a_changed_opening_is_located(opened: dict[str, Any]) -> None:
    for part in ("leaf", "path"):
        openings = json.loads(json.dumps(opened["openings"]))
        one = openings[5]
        if part == "leaf":
            one["leaf"] = _flip(one["leaf"])
        else:
            one["path"][0] = _flip(one["path"][0])
        with pytest.raises(BadInput, match=f"round {one['round']}, i {one['i']}, j {one['j']}"):
            _verify({**opened, "openings": openings})


def test_openings_by_somebody_elses_secret_are_refused(opened: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="another secret"):
        _verify(opened, "--secret", SEED)


def test_a_false_chain_with_true_paths_is_refused(opened: dict[str, Any]) -> None:
    """Roots of another seed's honest chain: the paths hold, the entries don't."""
    result = CliRunner().invoke(
        app,
        ["prove", "--seed", "0x" + "33" * 32, *SHAPE, "--json"],
    )
    other = json.loads(result.stdout)
    with pytest.raises(BadInput):
        _verify({**opened, "roots": other["roots"], "final_seed": other["final_seed"]})


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"seed": 1}', "\x00"])
def test_what_is_no_proof_is_refused(text: str) -> None:
    result = CliRunner().invoke(app, ["verify", "-"], input=text)
    assert isinstance(result.exception, BadInput)
    assert result.exception.exit_code != 0


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["verify", str(tmp_path / "absent.json")])
    assert isinstance(result.exception, BadInput)
    assert "absent.json" in str(result.exception)


@pytest.mark.parametrize(
    "options",
    [
        ["--seed", "0x11"],
        ["--seed", "not hex"],
        ["--seed", SEED, "--m", "3"],
        ["--seed", SEED, "--queries", "4"],
        ["--seed", SEED, "--secret", SECRET],
        ["--seed", SEED, "--queries", "4", "--secret", "0x5e"],
    ],
)
def test_prove_refuses_what_makes_no_chain(options: list[str]) -> None:
    result = CliRunner().invoke(app, ["prove", *options])
    assert isinstance(result.exception, BadInput)
    assert result.stdout == ""
