"""Ape's commands without the seconds that each takes to load Ape and the compiled contracts.

This process loads both, then reads its standard input: each line names the arguments of one
command, what its environment has besides, and where its output goes. A fork of this process
runs it as the console script `ape` does, and a line says how that ended.
"""

import gc
import json
import os
import signal
import sys
import traceback
from importlib import import_module
from typing import Any, NoReturn

from ape._cli import cli

from scripts._project import CONTRACTS, container

# what a command would load on its way
MODULES = (
    "ape.managers.chain",
    "ape_foundry.provider",
    "ape_node.provider",
    "ape_test.provider",
    "scripts._market",
)
PATIENCE_S = 300


def run(argv: list[str], environment: dict[str, str], stdout: str, stderr: str) -> NoReturn:
    """Become the process of a command."""
    signal.alarm(PATIENCE_S)
    os.environ.update(environment)
    for path, stream in ((os.devnull, 0), (stdout, 1), (stderr, 2)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), stream)
    code: Any = 1
    try:
        cli(argv)
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    # at once: to free all that is loaded would take two seconds
    os._exit(code)


def main() -> None:
    """Serve until the input ends."""
    for name in MODULES:
        import_module(name)
    for name in CONTRACTS:
        container(name)
    gc.freeze()
    print("ready", flush=True)
    while line := sys.stdin.readline():
        request: dict[str, Any] = json.loads(line)
        child = os.fork()
        if not child:
            run(**request)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
