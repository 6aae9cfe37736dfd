"""A validator's rows of weights on disk, from before their commit until their reveal.

Whoever loses the file of a commit can't reveal it: the chain has its hash only.
"""

import json
from dataclasses import asdict
from pathlib import Path

from oracle.adapters.store.durable import write_durably
from oracle.domain.scores import CommittedRow, Row
from oracle.errors import Fatal


class RowFiles:
    """A directory of committed rows, named by their commit."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(self, commit: bytes, committed: CommittedRow) -> None:
        """Store a row durably, before its commit is sent."""
        fields = {**asdict(committed), "salt": committed.salt.hex()}
        write_durably(self._path(commit), json.dumps(fields).encode())

    def read(self, commit: bytes) -> CommittedRow | None:
        """The row of a commit, None where it is not here. Raises `Fatal` for a damaged file."""
        path = self._path(commit)
        if not path.exists():
            return None
        try:
            fields = json.loads(path.read_bytes())
            return CommittedRow(
                subnet=fields["subnet"],
                provider=fields["provider"],
                row=Row(tuple(fields["row"]["uids"]), tuple(fields["row"]["weights"])),
                salt=bytes.fromhex(fields["salt"]),
                used={int(provider): used for provider, used in fields["used"].items()},
            )
        except (ValueError, KeyError, TypeError) as error:
            raise Fatal(f"{path} is damaged", "Restore it from a backup, or remove it.") from error

    def _path(self, commit: bytes) -> Path:
        return self._directory / f"{commit.hex()}.json"
