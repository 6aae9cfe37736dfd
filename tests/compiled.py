"""Contracts compiled once for all tests, and kept on disk for later processes.

Titanoboa's own cache parses and analyses a contract with all it imports to find out whether it
knows it, for most of a second each time. Here the texts alone say so.
"""

import gc
import re
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import boa
import vyper
from boa.contracts.vyper.vyper_contract import VyperDeployer
from boa.util.disk_cache import DiskCache
from vyper.ir.compile_ir import assembly_to_evm
from vyper.semantics.namespace import get_namespace

ROOT = Path(__file__).parents[1]
CONTRACTS = ROOT / "contracts"
CACHE = ROOT / "build" / "boa"
_IMPORT = re.compile(r"^(?:from\s+\S+\s+)?import\s(.*)", re.MULTILINE)

# Vyper makes it when it compiles for the first time, and Titanoboa takes it for granted where it
# calls an internal function of what was compiled before
get_namespace()
# for sources that are no files, see `boa.loads`
boa.interpret.set_cache_dir(str(CACHE))
# what packages a contract imports is the same in every process with these versions
kept: Any = DiskCache(CACHE, f"{vyper.__version__}-{version('snekmate')}")


@cache
def compiled(source: Path) -> Any:
    """The deployer of a source in this repository."""
    text = "".join(f"{file}\n{file.read_text()}" for file in sorted(built_on(source)))
    key = f"{source}\n{sha256(text.encode()).hexdigest()}"
    data = kept.caching_lookup(key, lambda: _compile(str(source)))
    deployer = VyperDeployer(data, filename=str(source))
    # its syntax trees, millions of objects, stay to the end: the collector need not walk them
    gc.freeze()
    return deployer


def built_on(source: Path) -> set[Path]:
    """A source and all in contracts/ that it may import, directly or not."""
    ours = {path.stem: path for path in CONTRACTS.rglob("*.vy*")}
    found: set[Path] = set()
    waiting = {source}
    while waiting:
        current = waiting.pop()
        found.add(current)
        # a name of another package counts as ours if they are equal: that does no harm
        words = re.findall(r"\w+", " ".join(_IMPORT.findall(current.read_text())))
        waiting |= {ours[word] for word in words if word in ours} - found
    return found


def _compile(source: str) -> Any:
    """All that deployments and traces ask for, so that it is kept with the rest."""
    others, boa.interpret._disk_cache = boa.interpret._disk_cache, None
    try:
        data = boa.load_partial(source).compiler_data
    finally:
        boa.interpret._disk_cache = others
    if not hasattr(data, "source_map"):
        data.source_map = assembly_to_evm(data.assembly_runtime)[1]
    return data


def main() -> None:
    """Compile all contracts ahead of the tests, on all cores."""
    with Pool() as pool:
        # the largest first, so that no core is left alone with one
        sources = sorted(CONTRACTS.glob("*.vy"), key=lambda path: -path.stat().st_size)
        pool.map(_keep, sources, chunksize=1)


def _keep(source: Path) -> None:
    compiled(source)


if __name__ == "__main__":
    main()
