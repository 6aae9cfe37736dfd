"""`clearwork agent`: what a provider can look at, and how a start fails."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from oracle.adapters.gpu import load_backend
from oracle.api.agent import run_agent
from oracle.cli.agent import app
from oracle.errors import Misconfigured
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


def test_backends_say_whether_they_work() -> None:
    result = CliRunner().invoke(app, ["backends", "--json"])
    assert json.loads(result.stdout) == {"numpy": "works", "reference": "works"}
    assert "works" in CliRunner().invoke(app, ["backends"]).stdout


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
