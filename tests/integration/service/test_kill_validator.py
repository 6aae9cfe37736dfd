"""kill -9 of a validator around its transactions: one row committed to, the same revealed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eth_account import Account

from oracle.adapters.store.row_files import RowFiles
from tests.oracle.conftest import enter, step
from tests.oracle.subnets.conftest import RULES, Scene


def test_a_killed_validator_commits_once_and_reveals_that_row(
    scene: Scene,
    live: Any,
    machine: Any,
    oracles: list[Any],
    anvil_url: str,
    pass_epochs: Callable[[int], None],
    tmp_path: Path,
) -> None:
    live.enter_epoch(1)
    step(oracles)
    enter(machine, oracles)
    key, provider = next(iter(scene.validators.items()))
    keystore, password = tmp_path / "key.json", tmp_path / "password"
    password.write_text("test")
    keystore.write_text(json.dumps(Account.encrypt(key.key, "test", kdf="pbkdf2", iterations=1024)))
    state = tmp_path / "state"

    def run(crash_at: str = "") -> tuple[int, str]:
        """One look by a process of its own; how it ended, and what it says that it did."""
        options = {
            "--deployment": live.deployment_file,
            "--rpc": anvil_url,
            "--keystore": keystore,
            "--password-file": password,
            "--state": state,
        }
        command = ["validator", "run", str(provider), "--once", "--json"]
        for name, value in options.items():
            command += [name, str(value)]
        environment = {**os.environ, "CLEARWORK_CRASH_AT": crash_at}
        ended = subprocess.run(
            [sys.executable, "-m", "oracle", *command],
            env=environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        return ended.returncode, json.loads(ended.stdout)["done"] if ended.stdout else ended.stderr

    def said(event: str) -> list[Any]:
        return [log["args"] for log in live.chain.logs("SubnetRegistry", event, provider=provider)]

    # before the commit is sent: its row is a file and nothing else
    assert run("row-stored")[0] == -signal.SIGKILL
    assert not said("WeightsCommitted")
    (never_sent,) = state.glob("*.json")

    # behind the commit: a restart neither commits again nor forgets the row
    assert run("row-committed")[0] == -signal.SIGKILL
    (committed,) = said("WeightsCommitted")
    assert bytes(committed["commit"]).hex() != never_sent.stem
    assert run() == (0, "waits")

    # behind the reveal, which came in the first epoch that allows one
    pass_epochs(RULES["reveal_delay"])
    assert run("row-revealed")[0] == -signal.SIGKILL
    assert run() == (0, "waits")
    assert len(said("WeightsCommitted")) == 1
    (revealed,) = said("WeightsRevealed")
    stored = RowFiles(state).read(bytes(committed["commit"]))
    assert stored is not None
    assert (*revealed["uids"],) == stored.row.uids
    assert (*revealed["weights"],) == stored.row.weights
