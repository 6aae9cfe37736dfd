"""The protocol with oracles whose records are in PostgreSQL: nobody outside can tell."""

from collections.abc import Callable
from pathlib import Path

from tests.oracle.conftest import Live, Machine, Oracle, introduce, step_until
from tests.oracle.postgres import Server

from .conftest import Card, Stopwatch, attest_on, begin, entry


def test_a_machine_enters_the_registry(
    live: Live,
    make_oracle: Callable[..., Oracle],
    watch: Stopwatch,
    machine: Machine,
    postgres: Server,
    tmp_path: Path,
) -> None:
    oracles = [
        make_oracle(key, database=postgres.create(), leaf_files=tmp_path / f"leaves-{place}")
        for place, key in enumerate(live.oracles)
    ]
    for oracle in oracles:
        oracle.node.clock.now_ns = lambda: watch.ns  # type: ignore[method-assign]
    introduce(oracles)
    begin(live, oracles)
    assert all(one["accepted"] for one in attest_on(Card(watch), machine, oracles))
    step_until(oracles, lambda: entry(live, machine).provider != 0)
    assert entry(live, machine).provider == machine.provider

    live.enter_epoch(2)
    step_until(oracles, lambda: live.read("EpochLedger", "last_epoch")[0] >= 1)
    assert len({oracle.get("/v1/epochs")[0]["report_hash"] for oracle in oracles}) == 1
    for oracle in oracles:
        oracle.node.database.close()
