"""Runs one contract's unit tests against mutants, each in a process forked from this one.

`python worker.py CONTRACT TESTS SEED PART SAMPLE FUNCTIONS JOURNAL REPORT` in a copy of the
repository: Python, pytest and the tests are loaded once, a mutant is written over the copy's
source, and lines of JSON go to the file descriptor REPORT. What JOURNAL has a verdict on is not
tried again, unless it survived. FUNCTIONS are names with commas between them, none for all.
"""

import json
import math
import os
import random
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boa
import pytest
from hypothesis import settings
from mutants import Mutant, built_on, mutants

CONTRACTS = Path("contracts").resolve()
# a mutant that makes the tests this much slower than the original counts as noticed
PATIENCE = 5
LEAST_SECONDS = 60


class Cache:
    """Deployers, compiled once; a mutant's process forgets those that the mutant changes."""

    def __init__(self) -> None:
        self._compile = boa.load_partial
        self._kept: dict[str, Any] = {}

    def load_partial(self, filename: str, compiler_args: Any = None) -> Any:
        assert compiler_args is None
        path = os.path.realpath(filename)
        if path not in self._kept:
            self._kept[path] = self._compile(path)
        return self._kept[path]

    def take_over(self) -> None:
        """Compile all contracts, then be what the tests compile with and keep it in."""
        # a package that somebody installed is called tests, too, until pytest has found ours
        from tests import compiled

        for path in sorted(CONTRACTS.glob("*.vy")):
            self._kept[str(path)] = compiled.compiled(path)
        compiled.compiled.cache_clear()
        compiled.kept = boa.interpret._disk_cache = self
        boa.load_partial = self.load_partial

    def forget(self, changed: str) -> None:
        """Drop what is built on a source, as the sources were before the change."""
        for path in CONTRACTS.glob("*.vy"):
            if changed in built_on(CONTRACTS, path.name):
                del self._kept[str(path)]

    # what is asked of a cache on disk
    def caching_lookup(self, _key: str, compute: Callable[[], Any]) -> Any:
        return compute()

    def invalidate(self, _key: str) -> None:
        pass


class Mutation:
    """A pytest plugin that takes over the loop over the collected tests."""

    def __init__(
        self,
        contract: str,
        seed: int,
        part: str,
        sample: int,
        functions: list[str],
        journal: Path,
        report: int,
    ) -> None:
        self.contract = f"{contract}.vy"
        self.report = report
        self.sample = sample
        self.files = built_on(CONTRACTS, self.contract)
        self.sources = {file: (CONTRACTS / file).read_text() for file in self.files}
        self.all = [
            mutant
            for file in self.files
            for mutant in mutants(file, self.sources[file])
            if not functions or mutant.function in functions
        ]
        random.Random(seed).shuffle(self.all)
        # "1/4": every fourth, from the second on
        first, step = map(int, part.split("/"))
        self.part = self.all[first::step]
        verdicts = map(json.loads, journal.read_text().splitlines())
        self.known = {v["id"]: v["verdict"] for v in verdicts}
        self.cache = Cache()
        self.durations: dict[str, float] = {}
        self.failed = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.durations[report.nodeid] = report.duration
        if report.failed:
            self.failed = self.failed or report.nodeid

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.cache.take_over()
        original, seconds = self.forked(lambda: self.examine(session), 600)
        if original["verdict"] != "survived":
            self.emit(broken=original.get("failed", original["verdict"]))
            return True
        session.items.sort(key=lambda item: original["durations"][item.nodeid])
        self.emit(mutants=len(self.all), seconds=seconds)

        limit = max(LEAST_SECONDS, PATIENCE * seconds)
        counted = 0
        for mutant in self.part:
            if counted == self.sample:
                break
            known = self.known.get(mutant.id, "survived")
            if known not in ("survived", "crashed"):
                counted += known not in ("uncompilable", "identical")
                continue
            result, seconds = self.forked(
                lambda mutant=mutant: self.examine(session, mutant, original["code"]), limit
            )
            # what killed a mutant is likely to kill the next one, too
            session.items.sort(key=lambda item: item.nodeid != result.get("failed"))
            counted += result["verdict"] not in ("uncompilable", "identical")
            self.emit(
                **mutant.described(),
                verdict=result["verdict"],
                killed_by=result.get("failed", ""),
                seconds=round(seconds, 2),
            )
        return True

    def examine(
        self, session: pytest.Session, mutant: Mutant | None = None, original: str = ""
    ) -> dict[str, Any]:
        """In a process forked for it: compile the mutant and run the tests until one fails."""
        if mutant:
            self.cache.forget(mutant.file)
            (CONTRACTS / mutant.file).write_text(mutant.apply(self.sources[mutant.file]))
        try:
            code = self.code()
        # the compiler has errors of many kinds for a source that makes no sense
        except Exception:
            return {"verdict": "uncompilable"}
        if code == original:
            return {"verdict": "identical"}
        self.run(session)
        return {
            "verdict": "killed" if self.failed else "survived",
            "failed": self.failed,
            "code": code,
            "durations": self.durations,
        }

    def code(self) -> str:
        """Init code without the metadata behind it, which hashes the source."""
        code = self.cache.load_partial(str(CONTRACTS / self.contract)).compiler_data.bytecode
        return bytes(code[: -int.from_bytes(code[-2:], "big")]).hex()

    def run(self, session: pytest.Session) -> None:
        for item, following in zip(session.items, [*session.items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.failed:
                break

    def forked(
        self, task: Callable[[], dict[str, Any]], limit: float
    ) -> tuple[dict[str, Any], float]:
        """What the task returns in a fork of this process, and its seconds of processor time."""
        before = _child_seconds()
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            # processor time, so that a busy machine does not pass for a mutant that loops
            resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(limit), resource.RLIM_INFINITY))
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            try:
                os.write(writing, json.dumps(task()).encode())
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            answer = pipe.read()
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
            answer = b'{"verdict": "timeout"}'
        for file, source in self.sources.items():
            (CONTRACTS / file).write_text(source)
        return json.loads(answer or b'{"verdict": "crashed"}'), _child_seconds() - before

    def emit(self, **fields: Any) -> None:
        os.write(self.report, json.dumps(fields).encode() + b"\n")


def _child_seconds() -> float:
    """Processor time of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> int:
    contract, tests, seed, part, sample, functions, journal, report = sys.argv[1:]
    # no test may fail for being slow, or for an example that another mutant was killed by
    settings.register_profile("mutation", deadline=None, derandomize=True, database=None)
    settings.load_profile("mutation")
    plugin = Mutation(
        contract,
        int(seed),
        part,
        int(sample),
        [name for name in functions.split(",") if name],
        Path(journal),
        int(report),
    )
    options = ["-p", "no:cacheprovider", "-p", "no:terminal", "-p", "no:xdist", "-s"]
    return int(pytest.main([*options, "-m", "not slow", tests], plugins=[plugin]))


if __name__ == "__main__":
    sys.exit(main())
