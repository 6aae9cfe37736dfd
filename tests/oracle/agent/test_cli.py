"""`clearwork agent`: what a provider can look at, and how a start fails."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from oracle.adapters.gpu import BACKENDS, load_backend
from oracle.adapters.gpu.classes import DeviceClass
from oracle.api.agent import run_agent
from oracle.cli.agent import app
from oracle.domain.attestation import plan
from oracle.errors import BadInput, Misconfigured
from oracle.services import calibrate
from oracle.services.agent import AgentConfig


def test_inventory_lists_devices_with_their_kind() -> None:
    result = CliRunner().invoke(app, ["inventory", "--json"])
    content = json.loads(result.stdout)

    assert {device["kind"] for device in content["devices"]} <= {"gpu", "mig", "cpu"}
    assert content["devices"]


def test_inventory_for_people_names_the_devices() -> None:
    result = CliRunner().invoke(app, ["inventory"])
    assert result.exit_code == 0
    assert "memory" in result.stdout


def test_backends_say_whether_they_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate, "ENOUGH_SECONDS", 0.02)
    states = json.loads(CliRunner().invoke(app, ["backends", "--json"]).stdout)

    assert list(states) == list(BACKENDS)
    for name in ("numpy", "reference"):
        rates = states[name]
        assert rates.pop("works") is True
        assert set(rates) == {"generate_mb_s", "int8_gops", "hash_mb_s"}
        assert all(rate > 0 for rate in rates.values())
    assert states["numpy"]["int8_gops"] > 10 * states["reference"]["int8_gops"]
    for state in states.values():
        assert state.get("works", True) or (state["reason"] and state["remedy"])


def test_calibrate_writes_a_class_that_was_measured(tmp_path: Path) -> None:
    out = tmp_path / "class.yaml"
    result = CliRunner().invoke(
        app,
        ["calibrate", "--out", str(out), "--backend", "numpy", "--memory", "8MB", "--runs", "1"],
        catch_exceptions=False,
    )
    assert result.exit_code == 0
    measured = DeviceClass.load(out)
    assert measured.calibrated
    assert (measured.backend, measured.memory_mb) == ("numpy", 8)
    rates = measured.ops_per_second, measured.bytes_per_second, measured.walk_steps_per_second
    assert min(rates) > 1_000

    listed = CliRunner().invoke(app, ["classes", str(out)]).stdout
    assert f"add_class({measured.ops_per_second}, 8, STAKE)" in listed
    assert "NVIDIA" not in listed
    (document,) = json.loads(CliRunner().invoke(app, ["classes", str(out), "--json"]).stdout)
    assert DeviceClass.model_validate(document) == measured


def test_a_broken_class_file_is_refused(tmp_path: Path) -> None:
    for text in ("- no class", "name: x\nbackend: numpy", "{"):
        (tmp_path / "class.yaml").write_text(text)
        with pytest.raises(BadInput, match="is no device class"):
            DeviceClass.load(tmp_path / "class.yaml")


def test_classes_that_ship_say_that_nobody_measured_them() -> None:
    known = json.loads(CliRunner().invoke(app, ["classes", "--json"]).stdout)
    names = [each["name"] for each in known]

    assert len(known) >= 20
    assert len(set(names)) == len(names)
    for each in known:
        assert each["calibrated"] is False
        assert "TOPS" in each["source"]
        assert plan(each["ops_per_second"], each["memory_mb"], 12_000).rounds >= 8
    a100 = next(each for each in known if each["name"] == "NVIDIA A100 SXM4 80GB")
    # a quarter of 624 TOPS, a fifth of 2 039 GB/s
    assert a100["ops_per_second"] == 156 * 10**12
    assert a100["bytes_per_second"] == 407_800_000_000
    assert "NVIDIA L4" in CliRunner().invoke(app, ["classes"]).stdout


def test_run_teaches_its_options() -> None:
    result = CliRunner().invoke(app, ["run", "--help"], env={"COLUMNS": "200"})
    for option in ("--provider", "--oracle", "--deployment", "--keystore", "--state"):
        assert option in result.stdout


def _config(tmp_path: Path, **changed: Any) -> AgentConfig:
    fields: dict[str, Any] = {
        "provider": 7,
        "keystore": tmp_path / "key.json",
        "password_file": tmp_path / "password",
        "oracles": ("http://127.0.0.1:9",),
        "deployment": tmp_path / "31337.json",
        "rpc": ("http://127.0.0.1:9",),
        "state": tmp_path / "state",
    }
    return AgentConfig(**{**fields, **changed})


def test_an_agent_without_oracles_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no oracle"):
        run_agent(_config(tmp_path, oracles=()), load_backend("numpy"))
    assert list(tmp_path.iterdir()) == []


def test_an_agent_without_deployment_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no deployment"):
        run_agent(_config(tmp_path), load_backend("numpy"))
    assert list(tmp_path.iterdir()) == []
