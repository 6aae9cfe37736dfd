"""The protocol with oracles whose records are in PostgreSQL: nobody outside can tell."""

from collections.abc import Callable
from pathlib import Path

from tests.oracle.conftest import Live, Machine, Oracle, enter, introduce, step, step_until
from tests.oracle.postgres import Server


def test_a_machine_is_entered_and_its_epoch_closed(
    live: Live,
    make_oracle: Callable[..., Oracle],
    machine: Machine,
    postgres: Server,
    tmp_path: Path,
) -> None:
    oracles = [
        make_oracle(
            key,
            database=postgres.create(),
            leaf_files=tmp_path / f"leaves-{place}",
            attestation_deadline_ms=10**6,
        )
        for place, key in enumerate(live.oracles)
    ]
    introduce(oracles)
    live.enter_epoch(1)
    step(oracles)
    enter(machine, oracles)
    live.enter_epoch(2)
    step_until(oracles, lambda: live.read("EpochLedger", "last_epoch")[0] >= 1)

    head = "0x" + live.read("EpochLedger", "head").hex()
    rebuilt = [{epoch["report_hash"] for epoch in oracle.get("/v1/epochs")} for oracle in oracles]
    assert sum(head in hashes for hashes in rebuilt) >= 3
    for oracle in oracles:
        oracle.node.database.close()
