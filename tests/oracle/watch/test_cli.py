"""What `clearwork watch` prints of what it earned."""

import json
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from rich.console import Console
from typer.testing import CliRunner

from oracle.cli import watch as cli
from oracle.cli.watch import _table
from oracle.services.filing import Conviction
from oracle.services.request_leaves import Bonds
from oracle.services.watch import Watcher
from tests.oracle.commands import run, signs
from tests.oracle.conftest import SELF_BOND, Live, Machine
from tests.oracle.watch.conftest import BUDGET
from tests.oracle.watch.test_withheld import ask_as


def test_the_table_shows_convictions_and_bonds() -> None:
    conviction = Conviction("withheld_opening", "provider 7", 500, 0, 50, 450, 0, 190_000, "0x01")
    console = Console(record=True, width=100)
    console.print(_table([conviction], 50, Bonds(paid=3_000, returned=2_000, lost=1_000)))
    text = console.export_text()
    assert "withheld_opening" in text
    assert "provider 7" in text
    assert "earned 50" in text
    assert "bonds paid 3,000, returned 2,000, lost 1,000" in text


@pytest.mark.parametrize("as_json", [False, True])
def test_a_conviction_and_what_it_has_earned(
    live: Live,
    machine: Machine,
    lazy: Any,
    rival: LocalAccount,
    seeker: LocalAccount,
    desk_of: Any,
    tmp_path: Path,
    anvil_url: str,
    as_json: bool,
) -> None:
    """A leaf that was shown on chain is false: a watcher finds it without any oracle."""
    agent, wire = lazy
    ask_as(live, rival, wire)
    desk_of(agent).look()
    arguments = ["--oracle", "http://127.0.0.1:9", *signs(live, anvil_url, seeker, tmp_path)]
    shown = run(cli.app, *arguments, "--once", *(["--json"] if as_json else []))
    earned = live.read("WorkToken", "balanceOf", seeker.address) - BUDGET
    assert earned > 0
    (case,) = live.chain.logs("SlashingCourt", "Convicted", provider=machine.provider)
    assert case.args.reporter_amount == earned
    if as_json:
        # the log is on standard error where the whole command runs
        (line,) = [json.loads(line) for line in shown.splitlines() if line.startswith("{")]
        assert line["kind"] == "false_attestation"
        assert line["offender"] == f"provider {machine.provider}"
        assert (line["slashed"], line["reporter_paid"]) == (SELF_BOND // 2, earned)
        assert line["transaction"] == case.transactionHash.to_0x_hex()
    else:
        table = shown[shown.index("Convictions") :]
        assert "false_attestation" in table
        assert f"provider {machine.provider}" in table
        assert f"{SELF_BOND // 2:,}" in table
        assert f"earned {earned:,}" in table


@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_ends_it_with_the_table(
    live: Live, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    looks: list[Watcher] = []

    def interrupt(seconds: float) -> None:
        assert seconds == 7
        raise KeyboardInterrupt

    def look(watcher: Watcher) -> list[Any]:
        looks.append(watcher)
        return []

    monkeypatch.setattr(cli.time, "sleep", interrupt)
    monkeypatch.setattr(Watcher, "watch_once", look)
    url = live.w3.provider.endpoint_uri  # type: ignore[attr-defined]
    arguments = ["--oracle", "http://127.0.0.1:9", "--deployment", str(live.deployment_file)]
    arguments += ["--rpc", url, "--interval", "7", *(["--json"] if as_json else [])]
    result = CliRunner().invoke(cli.app, arguments)
    assert len(looks) == 1
    assert result.exit_code == 130
    assert ("Convictions" in result.stdout) is not as_json
