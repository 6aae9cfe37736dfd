"""Worker processes: bounded, replaceable, gone when their parent is."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from worker_jobs import Patient, fail, square, wait_for

from oracle.adapters.workers import Workers
from oracle.api.node import process_count
from oracle.errors import BadInput, Busy, Transient
from oracle.settings import WorkerSettings
from tests.oracle.conftest import Live, Machine, Oracle

PATIENCE = 60


def eventually(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)
    return found


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers(processes=1, queue=2)
    yield made
    made.close()


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A file that jobs wait to disappear."""
    path = tmp_path / "gate"
    path.touch()
    return path


def started(gate: Path) -> bool:
    return (gate.parent / f"{gate.name}.started").exists()


@pytest.mark.parametrize("processes", [0, 1])
def test_results_and_errors_come_back(processes: int) -> None:
    workers = Workers(processes, queue=2)
    assert asyncio.run(workers.run(square, 7)) == 49
    with pytest.raises(BadInput, match="no") as failure:
        asyncio.run(workers.run(fail))
    assert failure.value.remedy == "try something else"
    assert workers.waiting == 0
    assert len(workers.pids()) == processes
    workers.close()


def test_a_process_for_each_core_that_this_one_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = WorkerSettings(verify_workers=None)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 8}, raising=False)
    assert process_count(settings) == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert process_count(settings) == 64
    assert process_count(WorkerSettings(verify_workers=0)) == 0


def test_work_is_done_in_another_process(workers: Workers, gate: Path) -> None:
    gate.unlink()
    assert asyncio.run(workers.run(wait_for, gate)) not in (0, os.getpid())


def test_a_full_queue_says_when_to_come_back(workers: Workers, gate: Path) -> None:
    async def scene() -> None:
        calls = [asyncio.create_task(workers.run(wait_for, gate)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Busy) as refusal:
            await workers.run(square, 7)
        assert refusal.value.retry_after > 0
        gate.unlink()
        await asyncio.gather(*calls)
        assert await workers.run(square, 7) == 49

    asyncio.run(scene())


def test_a_killed_worker_is_replaced(workers: Workers, gate: Path) -> None:
    async def scene() -> None:
        calls = [asyncio.create_task(workers.run(wait_for, gate)) for _ in range(2)]
        await asyncio.to_thread(eventually, lambda: started(gate))
        (pid,) = workers.pids()
        os.kill(pid, signal.SIGKILL)
        for call in calls:  # the one under way, and the one that waited
            with pytest.raises(Transient, match="has ended"):
                await call
        assert workers.waiting == 0
        assert await workers.run(square, 7) == 49
        assert workers.pids() != [pid]

    asyncio.run(scene())


def test_closing_ends_the_processes_and_refuses_more(workers: Workers) -> None:
    asyncio.run(workers.run(square, 7))
    (pid,) = workers.pids()
    workers.close()
    eventually(lambda: not alive(pid))
    with pytest.raises(Transient, match="being stopped"):
        asyncio.run(workers.run(square, 7))
    workers.close()


def test_closing_lets_nobody_wait_for_ever(workers: Workers, gate: Path) -> None:
    async def scene() -> None:
        calls = [asyncio.create_task(workers.run(wait_for, gate)) for _ in range(2)]
        await asyncio.to_thread(eventually, lambda: started(gate))
        closing = asyncio.create_task(asyncio.to_thread(workers.close))
        await asyncio.sleep(0.2)
        gate.unlink()
        await closing
        # each was computed to its end, or said that it was not
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(outcome, int | Transient)

    asyncio.run(scene())


def test_a_caller_that_goes_away_frees_its_place(workers: Workers, gate: Path) -> None:
    async def scene() -> None:
        call = asyncio.create_task(workers.run(wait_for, gate))
        await asyncio.to_thread(eventually, lambda: started(gate))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert workers.waiting == 0
        gate.unlink()
        assert await workers.run(square, 7) == 49

    asyncio.run(scene())


PARENT = """
import asyncio, sys, time
from oracle.adapters.workers import Workers
from worker_jobs import square
if __name__ == "__main__":
    workers = Workers(1, 2)
    asyncio.run(workers.run(square, 7))
    print(workers.pids()[0], flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_worker_outlives_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    here = Path(__file__).parent
    path = f"{here}:{here.parents[2]}"
    parent = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path}
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert alive(pid)
    parent.send_signal(number)
    parent.wait(PATIENCE)
    eventually(lambda: not alive(pid))


# --- behind the interface -------------------------------------------------------------------


@pytest.fixture
def oracle(live: Live, make_oracle: Callable[..., Oracle]) -> Iterator[Oracle]:
    """An oracle with one worker and room for two answers."""
    live.enter_epoch(1)
    made = make_oracle(live.oracles[0], verify_workers=1, verify_queue=2)
    live.send(live.deployer, "EpochLedger", "record_beacon")
    made.look()
    yield made
    made.node.workers.close()


def committed(oracle: Oracle, machine: Machine) -> dict[str, Any]:
    """A signed answer to the oracle's query."""
    oracle.post("/v1/devices", machine.registration())
    view = oracle.get(f"/v1/devices/0x{machine.device.hex()}/challenge")
    proof, body = machine.prove(view)
    return machine.openings(proof, oracle.post("/v1/commits", body))


def post(oracle: Oracle, body: dict[str, Any]) -> tuple[threading.Thread, list[Any]]:
    """Send an answer from a thread of its own."""
    got: list[Any] = []
    thread = threading.Thread(
        target=lambda: got.append(oracle.http.post("/v1/openings", json=body))
    )
    thread.start()
    return thread, got


def test_a_killed_worker_loses_no_commit(oracle: Oracle, machine: Machine, gate: Path) -> None:
    opened = committed(oracle, machine)
    oracle.node.attest._backend = Patient(gate)
    thread, got = post(oracle, opened)
    eventually(lambda: started(gate))
    (pid,) = oracle.node.workers.pids()
    os.kill(pid, signal.SIGKILL)
    thread.join(PATIENCE)
    assert got[0].status_code == 503, got[0].text
    assert oracle.get("/v1/commits")[0]["verdict"] is None
    gate.unlink()
    assert oracle.post("/v1/openings", opened)["accepted"]


def test_an_answer_is_checked_once_at_a_time(oracle: Oracle, machine: Machine, gate: Path) -> None:
    opened = committed(oracle, machine)
    oracle.node.attest._backend = Patient(gate)
    thread, got = post(oracle, opened)
    eventually(lambda: started(gate))
    again = oracle.http.post("/v1/openings", json=opened)
    assert (again.status_code, int(again.headers["Retry-After"]) > 0) == (503, True)
    assert "being checked" in again.json()["title"]
    assert oracle.node.workers.waiting == 1
    gate.unlink()
    thread.join(PATIENCE)
    assert got[0].json() == oracle.post("/v1/openings", opened)


def test_more_answers_than_there_is_room_for(
    oracle: Oracle, live: Live, machine: Machine, gate: Path
) -> None:
    machines = [Machine(live, machine.provider, f"card {i}") for i in range(3)]
    answers = [committed(oracle, one) for one in machines]
    oracle.node.attest._backend = Patient(gate)
    sent = [post(oracle, one) for one in answers[:2]]
    eventually(lambda: oracle.node.workers.waiting == 2)
    full = oracle.http.post("/v1/openings", json=answers[2])
    assert full.status_code == 503
    assert full.headers["content-type"] == "application/problem+json"
    assert int(full.headers["Retry-After"]) > 0
    # everything else is answered meanwhile
    assert oracle.get("/v1/status")["epoch"] == 1
    gate.unlink()
    for thread, got in sent:
        thread.join(PATIENCE)
        assert got[0].json()["accepted"]
    assert oracle.post("/v1/openings", answers[2])["accepted"]
