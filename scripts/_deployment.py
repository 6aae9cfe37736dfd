"""The record of a deployment: `deployments/<chain id>.json`."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any, TypedDict

from scripts._project import ROOT


class DeployedContract(TypedDict):
    """One contract of a deployment."""

    address: str
    # see `scripts._project.abi_hash`
    abi_hash: str
    # constructor arguments by name; numbers as decimal strings, so that no reader rounds them
    constructor: dict[str, Any]
    # hash of the transaction that created it
    transaction: str
    block: int
    deployer: str


def write_atomically(path: Path, content: dict[str, Any]) -> None:
    """Write sorted JSON so that a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
    partial.replace(path)


def source_commit() -> str | None:
    """The commit the contracts were compiled from, "-dirty" if files differ; null outside git."""
    git = ["git", "-C", str(ROOT)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
        changes = subprocess.run(
            [*git, "status", "--porcelain", "--", "contracts"], capture_output=True, text=True
        )
    except OSError:
        return None
    if head.returncode:
        return None
    return head.stdout.strip() + ("-dirty" if changes.stdout.strip() else "")


class Progress:
    """What a deployment has done so far, so that a run that failed can be picked up by the next.

    It belongs to one chain: its id and its first block. Without a path it lives in memory
    only, as a rehearsal's or a measurement's should.
    """

    def __init__(self, path: Path | None, started: int) -> None:
        content = json.loads(path.read_text()) if path and path.exists() else {}
        self._path = path
        # chain time in seconds of the first run
        self.started: int = content.get("started", started)
        self.contracts: dict[str, DeployedContract] = content.get("contracts", {})

    def record(self, name: str, contract: DeployedContract) -> None:
        """Remember a contract."""
        self.contracts[name] = contract
        if self._path:
            write_atomically(self._path, {"started": self.started, "contracts": self.contracts})

    def finish(self) -> None:
        """Forget everything: the deployment is complete and published."""
        if self._path:
            self._path.unlink(missing_ok=True)
