"""Leaf files on disk."""

from pathlib import Path

from oracle.adapters.store.durable import write_durably


class LeafFiles:
    """A directory of leaf files, named by the hash of the report they belong to."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    @staticmethod
    def name(report_hash: bytes) -> str:
        """The file name of a report's leaves."""
        return f"{report_hash.hex()}.leaves"

    def write(self, report_hash: bytes, content: bytes) -> str:
        """Store a file durably and return its name; writing it again changes nothing."""
        name = self.name(report_hash)
        write_durably(self._directory / name, content)
        return name

    def read(self, report_hash: bytes) -> bytes | None:
        """The content of a file, None where there is none."""
        path = self._directory / self.name(report_hash)
        return path.read_bytes() if path.exists() else None
