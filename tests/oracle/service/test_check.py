"""`clearwork oracle check`, `run` and `status`, and `clearwork keys`."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.cli import keys
from oracle.cli import oracle as command
from oracle.errors import BadInput, Misconfigured, Transient
from oracle.settings import Settings
from tests.oracle.conftest import Live


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"CLEARWORK_{name.upper()}", raising=False)
    return CliRunner()


@pytest.fixture
def options(live: Live, anvil_url: str, tmp_path: Path) -> list[str]:
    database = tmp_path / "oracle.db"
    deployment = str(live.deployment_file)
    return ["--rpc", anvil_url, "--deployment", deployment, "--database", str(database)]


def checks(runner: CliRunner, options: list[str]) -> tuple[int, dict[str, Any]]:
    result = runner.invoke(command.app, ["check", "--json", *options])
    found = json.loads(result.stdout)
    return result.exit_code, {check["name"]: check for check in found["checks"]}


def keystore(folder: Path) -> tuple[KeystoreSigner, list[str]]:
    path, password = folder / "key.json", folder / "password"
    signer = KeystoreSigner.create(path, password)
    return signer, ["--keystore", str(path), "--password-file", str(password)]


def test_dry_oracle_passes(runner: CliRunner, options: list[str], tmp_path: Path) -> None:
    code, found = checks(runner, options)
    # the test chain's clock is wherever earlier tests left it
    wrong = {name for name, check in found.items() if not check["ok"]} - {"clock"}
    assert wrong == set()
    assert code in (0, 3)
    assert set(found) == {"deployment", "key", "database", "chain", "beacon", "clock"}
    assert list(tmp_path.glob("oracle.db*")) == []


def test_poor_stranger_is_told_what_to_do(
    runner: CliRunner, options: list[str], tmp_path: Path
) -> None:
    signer, key = keystore(tmp_path)
    code, found = checks(runner, options + key)
    assert code == 3
    assert not found["membership"]["ok"]
    assert not found["balance"]["ok"]
    assert signer.address in found["balance"]["remedy"]


def test_wrong_chain_id(runner: CliRunner, options: list[str], tmp_path: Path) -> None:
    content = json.loads(Path(options[3]).read_text()) | {"chain_id": 5}
    wrong = tmp_path / "5.json"
    wrong.write_text(json.dumps(content))
    code, found = checks(runner, [*options, "--deployment", str(wrong)])
    assert code == 3
    assert "is on chain 31337, the deployment on chain 5" in found["chain"]["finding"]


def test_missing_deployment(runner: CliRunner, options: list[str], tmp_path: Path) -> None:
    code, found = checks(runner, [*options, "--deployment", str(tmp_path / "no.json")])
    assert code == 3
    assert "ape run deploy" in found["deployment"]["remedy"]


def test_broken_database(runner: CliRunner, options: list[str], tmp_path: Path) -> None:
    (tmp_path / "oracle.db").write_bytes(b"no database at all, but long enough" * 99)
    code, found = checks(runner, options)
    assert code == 3
    assert "backup" in found["database"]["remedy"]


def test_table_for_people(runner: CliRunner, options: list[str]) -> None:
    result = runner.invoke(command.app, ["check", *options], env={"COLUMNS": "200"})
    assert "contracts on chain 31337" in result.stdout


def test_missing_settings_are_all_named(runner: CliRunner) -> None:
    error = runner.invoke(command.app, ["check"]).exception
    assert isinstance(error, Misconfigured)
    assert "CLEARWORK_RPC_URLS" in str(error)
    assert "CLEARWORK_DEPLOYMENT" in str(error)


def test_environment_and_file_fill_in_what_options_leave_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "oracle.env"
    file.write_text("CLEARWORK_PORT=9001\nCLEARWORK_DEPLOYMENT=a.json\nCLEARWORK_PEERS=http://p\n")
    monkeypatch.setenv("CLEARWORK_RPC_URLS", "http://one http://two,http://three")
    monkeypatch.setenv("CLEARWORK_PORT", "9002")
    settings = Settings.load(file, deployment=Path("b.json"))
    assert settings.rpc_urls == ["http://one", "http://two", "http://three"]
    assert (settings.port, settings.deployment) == (9002, Path("b.json"))
    assert settings.peers == ["http://p"]


def test_status_of_nobody(runner: CliRunner) -> None:
    error = runner.invoke(command.app, ["status", "--url", "http://127.0.0.1:9"]).exception
    assert isinstance(error, Transient)
    assert "clearwork oracle run" in error.remedy


def test_run_help_explains_every_setting(runner: CliRunner) -> None:
    text = runner.invoke(command.app, ["run", "--help"], env={"COLUMNS": "200"}).stdout
    for name in Settings.model_fields:
        assert f"CLEARWORK_{name.upper()}" in text


# --- keys -------------------------------------------------------------------------------------


def test_new_key_is_private_and_never_overwritten(runner: CliRunner, tmp_path: Path) -> None:
    path, password = tmp_path / "keys" / "key.json", tmp_path / "keys" / "password"
    made = runner.invoke(keys.app, ["new", str(path), "--password-file", str(password), "--json"])
    address = json.loads(made.stdout)["address"]
    assert path.stat().st_mode & 0o077 == 0
    assert password.stat().st_mode & 0o077 == 0
    assert KeystoreSigner.load(path, password).address == address
    assert runner.invoke(keys.app, ["show", str(path)]).stdout.strip() == address
    before = path.read_bytes()
    again = runner.invoke(keys.app, ["new", str(path), "--password-file", str(password)])
    assert isinstance(again.exception, BadInput)
    assert path.read_bytes() == before


def test_wrong_password_is_explained(tmp_path: Path) -> None:
    KeystoreSigner.create(tmp_path / "key.json", tmp_path / "password")
    (tmp_path / "other").write_text("wrong")
    with pytest.raises(Misconfigured, match="cannot decrypt") as error:
        KeystoreSigner.load(tmp_path / "key.json", tmp_path / "other")
    assert "password of this keystore" in error.value.remedy


def test_key_is_not_shown(tmp_path: Path) -> None:
    signer = KeystoreSigner.create(tmp_path / "key.json", tmp_path / "password")
    assert repr(signer) == f"KeystoreSigner({signer.address})"
