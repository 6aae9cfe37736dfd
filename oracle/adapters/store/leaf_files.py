"""Leaf files on disk: whole or absent, whenever the power goes."""

import os
from pathlib import Path


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
        temporary = self._directory / f"{name}.tmp"
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._directory / name)
        handle = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        return name

    def read(self, report_hash: bytes) -> bytes | None:
        """The content of a file, None where there is none."""
        path = self._directory / self.name(report_hash)
        return path.read_bytes() if path.exists() else None
