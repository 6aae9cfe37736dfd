"""Clearwork's oracle service: attests GPUs, meters usage, posts receipts on chain."""

import os
from pathlib import Path


def _kernel_cache() -> Path:
    """`build/numba` of a checkout; the user's cache directory once installed."""
    project = Path(__file__).parents[1]
    if (project / "pyproject.toml").is_file():
        return project / "build" / "numba"
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "clearwork" / "numba"


# where numba, once something imports it, keeps its compiled kernels
os.environ.setdefault("NUMBA_CACHE_DIR", str(_kernel_cache()))
