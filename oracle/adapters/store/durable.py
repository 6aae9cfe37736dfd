"""Files that are whole or absent, whenever the power goes."""

import os
from pathlib import Path


def write_durably(path: Path, content: bytes) -> None:
    """Put `content` into `path`, in place of what was there; on disk when this returns."""
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
