"""Calls as tasks of a real PostgreSQL, computed by worker processes that are killed."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL
from worker_jobs import fail, square, wait_for

from oracle.adapters import tasks as tasks_module
from oracle.adapters.calls import Call
from oracle.adapters.tasks import ATTEMPTS, SCHEMA, Tasks
from oracle.api.schemas import OpeningsBody
from oracle.cli.oracle import app
from oracle.domain import messages
from oracle.domain.admission import Claim
from oracle.domain.attestation import LEAF_BYTES, LaneOpening, Mode, Opening, Query
from oracle.domain.evidence import Evidence
from oracle.domain.records import Challenge
from oracle.errors import Busy, ClearworkError, Misconfigured, Transient
from oracle.services.verification import VERIFICATION
from oracle.services.verify import Fault, Verdict
from tests.oracle.commands import run
from tests.oracle.conftest import Live, Machine, Oracle
from tests.oracle.postgres import Server

PATIENCE = 90
CALLS = [
    Call.of(square, tuple[int], int),
    Call.of(fail, tuple[()], int),
    Call.of(wait_for, tuple[Path], int),
]
HERE = Path(__file__).parent
# A worker whose calls are the tests'; it notices deaths in a moment. It computes in a thread
# unless told to start a process, which does not load again what only the worker needs.
WORKER = """
import sys

if __name__ == "__main__":
    import asyncio
    from pathlib import Path
    from oracle.adapters import tasks
    from oracle.adapters.calls import Call
    from oracle.adapters.workers import Workers
    from oracle.errors import Transient
    from oracle.settings import database_url
    from oracle.services.verification import VERIFICATION
    from worker_jobs import fail, square, wait_for

    url, processes, patience = sys.argv[1:]
    tasks.HEARTBEAT, tasks.STALLED, tasks._POLL = 0.25, 1.5, 0.2
    tasks._PATIENCE = float(patience)
    CALLS = [
        *VERIFICATION,
        Call.of(square, tuple[int], int),
        Call.of(fail, tuple[()], int),
        Call.of(wait_for, tuple[Path], int),
    ]
    workers = Workers(int(processes), 4)
    try:
        asyncio.run(tasks.serve(database_url(url), CALLS, 1, workers))
    except Transient as error:
        sys.exit(error.exit_code)
    finally:
        workers.close()
"""
Start = Callable[..., subprocess.Popen[bytes]]


def eventually(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)
    return found


@pytest.fixture
def url(postgres: Server) -> URL:
    return postgres.create()


@pytest.fixture
def tasks(url: URL) -> Iterator[Tasks]:
    made = Tasks(url, CALLS, queue=2, deadline=PATIENCE)
    yield made
    made.close()


@pytest.fixture
def start(url: URL, tmp_path: Path) -> Iterator[Start]:
    """Start a worker process of the tests' calls, or any other command."""
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    path = os.pathsep.join([str(HERE), str(HERE.parents[2])])
    running: list[subprocess.Popen[bytes]] = []

    def start_(
        *command: str, processes: int = 0, patience: float = 10.0
    ) -> subprocess.Popen[bytes]:
        command = command or (str(script), Server.dsn(url), str(processes), str(patience))
        environment = os.environ | {"PYTHONPATH": path}
        running.append(subprocess.Popen([sys.executable, *command], env=environment))
        return running[-1]

    yield start_
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A file that jobs wait to disappear."""
    path = tmp_path / "gate"
    path.touch()
    return path


def mark(gate: Path) -> Path:
    """A file that a job leaves when it begins to wait."""
    return gate.parent / f"{gate.name}.started"


def rows(url: URL, query: str) -> list[Any]:
    with psycopg.connect(Server.dsn(url)) as connection:
        connection.execute(f"SET search_path TO {SCHEMA}")
        return connection.execute(query).fetchall()


def test_results_and_failures_come_back_and_leave_nothing(
    tasks: Tasks, start: Start, url: URL
) -> None:
    start()
    assert asyncio.run(tasks.run(square, 7)) == 49
    # another event loop, as every request of a test has
    assert asyncio.run(tasks.run(square, 8)) == 64
    with pytest.raises(ClearworkError, match="a worker could not compute this: BadInput"):
        asyncio.run(tasks.run(fail))
    assert tasks.waiting == 0
    assert rows(url, "SELECT * FROM calls") == []
    eventually(lambda: rows(url, "SELECT * FROM procrastinate_jobs") == [])


def test_a_full_queue_says_when_to_come_back(tasks: Tasks, start: Start, gate: Path) -> None:
    async def scene() -> None:
        calls = [asyncio.create_task(tasks.run(square, n)) for n in (2, 3)]
        await asyncio.sleep(0)
        with pytest.raises(Busy) as refusal:
            await tasks.run(square, 7)
        assert refusal.value.retry_after > 0
        start()  # nobody has worked so far
        assert await asyncio.gather(*calls) == [4, 9]
        assert await tasks.run(square, 7) == 49

    asyncio.run(scene())


def test_a_call_outlives_the_worker_that_was_killed_over_it(
    tasks: Tasks, start: Start, gate: Path, url: URL
) -> None:
    async def scene() -> None:
        first = start()
        call = asyncio.create_task(tasks.run(wait_for, gate))
        await asyncio.to_thread(eventually, mark(gate).exists)
        first.kill()
        first.wait()
        mark(gate).unlink()
        start()
        await asyncio.to_thread(eventually, mark(gate).exists)  # begun again
        gate.unlink()
        assert await call

    asyncio.run(scene())
    assert rows(url, "SELECT * FROM calls") == []


def test_a_call_that_ends_every_worker_is_given_up(
    tasks: Tasks, start: Start, gate: Path, url: URL
) -> None:
    async def scene() -> None:
        call = asyncio.create_task(tasks.run(wait_for, gate))
        await asyncio.to_thread(eventually, lambda: rows(url, "SELECT * FROM procrastinate_jobs"))
        with psycopg.connect(Server.dsn(url)) as connection:
            connection.execute(f"UPDATE {SCHEMA}.procrastinate_jobs SET attempts = {ATTEMPTS}")
        start()
        with pytest.raises(Transient, match="ended"):
            await call
        assert not mark(gate).exists()

    asyncio.run(scene())


def test_a_worker_that_is_told_to_end_finishes_what_it_began(
    tasks: Tasks, start: Start, gate: Path
) -> None:
    async def scene() -> None:
        worker = start()
        call = asyncio.create_task(tasks.run(wait_for, gate))
        await asyncio.to_thread(eventually, mark(gate).exists)
        worker.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        assert worker.poll() is None
        gate.unlink()
        assert await call
        assert await asyncio.to_thread(worker.wait, PATIENCE) == 0

    asyncio.run(scene())


def test_only_what_is_on_the_list_runs(tasks: Tasks, start: Start, url: URL) -> None:
    with pytest.raises(LookupError, match="no task"):
        asyncio.run(tasks.run(os.getpid))
    with pytest.raises(LookupError, match="no task"):
        asyncio.run(tasks.run(_impostor("square"), 7))
    assert tasks.waiting == 0

    # an oracle whose list is longer than the worker's
    def other(number: int) -> int:
        return number

    start()
    longer = Tasks(url, [*CALLS, Call.of(other, tuple[int], int)], queue=2, deadline=PATIENCE)
    with pytest.raises(ClearworkError, match="there is no task other"):
        asyncio.run(longer.run(other, 1))
    longer.close()


def _impostor(name: str) -> Callable[[int], int]:
    def function(number: int) -> int:
        return number

    function.__name__ = name
    return function


def test_nobody_waits_for_ever(url: URL) -> None:
    tasks = Tasks(url, CALLS, queue=2, deadline=0.2)
    with pytest.raises(Transient, match="no worker") as failure:
        asyncio.run(tasks.run(square, 7))
    assert "clearwork oracle worker" in failure.value.remedy
    assert rows(url, "SELECT * FROM calls") == []
    tasks.close()


def test_closing_ends_all_waiting(url: URL) -> None:
    tasks = Tasks(url, CALLS, queue=2, deadline=PATIENCE)

    async def scene() -> None:
        call = asyncio.create_task(tasks.run(square, 7))
        await asyncio.to_thread(eventually, lambda: rows(url, "SELECT * FROM calls"))
        await asyncio.to_thread(tasks.close)
        with pytest.raises(Transient, match="being stopped"):
            await call
        with pytest.raises(Transient, match="being stopped"):
            await tasks.run(square, 7)

    asyncio.run(scene())
    assert rows(url, "SELECT * FROM calls") == []
    tasks.close()


def test_a_caller_that_goes_away_frees_its_place(tasks: Tasks, url: URL) -> None:
    async def scene() -> None:
        call = asyncio.create_task(tasks.run(square, 7))
        await asyncio.to_thread(eventually, lambda: rows(url, "SELECT * FROM calls"))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert tasks.waiting == 0

    asyncio.run(scene())
    eventually(lambda: rows(url, "SELECT * FROM calls") == [])


def test_calls_lost_in_a_crash_of_the_database_are_no_verdict(
    tasks: Tasks, url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks_module, "_POLL", 0.1)

    async def scene() -> None:
        call = asyncio.create_task(tasks.run(square, 7))
        await asyncio.to_thread(eventually, lambda: rows(url, "SELECT * FROM calls"))
        rows(url, "DELETE FROM calls RETURNING id")
        with pytest.raises(Transient, match="ended"):
            await call

    asyncio.run(scene())


def test_connections_that_break_are_made_again(tasks: Tasks, start: Start, url: URL) -> None:
    start()
    assert asyncio.run(tasks.run(square, 7)) == 49
    disconnect(url)
    assert asyncio.run(tasks.run(square, 8)) == 64


def test_a_database_that_is_away_is_said_to_be(url: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks_module, "_PATIENCE", 1.0)
    tasks = Tasks(url, CALLS, queue=2, deadline=PATIENCE)
    with psycopg.connect(Server.dsn(url.set(database="postgres")), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS false")
        disconnect(url)
        with pytest.raises(Transient, match="does not answer"):
            asyncio.run(tasks.run(square, 7))
        assert tasks.waiting == 0
        connection.execute(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS true")
    tasks.close()


def test_a_worker_ends_when_its_database_is_away(tasks: Tasks, start: Start, url: URL) -> None:
    worker = start(patience=1.0)
    eventually(lambda: rows(url, "SELECT 1 FROM procrastinate_workers"))
    with psycopg.connect(Server.dsn(url.set(database="postgres")), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS false")
        disconnect(url)
        assert worker.wait(PATIENCE) == Transient.exit_code
        connection.execute(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS true")


def disconnect(url: URL) -> None:
    """End all connections of a database, as a restart of its server does."""
    with psycopg.connect(Server.dsn(url.set(database="postgres")), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            (url.database,),
        )


# --- verification -----------------------------------------------------------------------------


@pytest.fixture
def command() -> tuple[str, ...]:
    return ("-c", "from oracle.cli.main import run; run()", "oracle", "worker")


@pytest.fixture
def oracle(
    live: Live, make_oracle: Callable[..., Oracle], url: URL, tmp_path: Path
) -> Iterator[Oracle]:
    """An oracle in epoch 1 that leaves its checks to workers."""
    made = make_oracle(
        live.oracles[0],
        database=url,
        leaf_files=tmp_path,
        verify_tasks=True,
        attestation_deadline_ms=10**8,
    )
    live.enter_epoch(1)
    live.send(live.deployer, "EpochLedger", "record_beacon")
    made.look()
    yield made
    made.node.workers.close()
    made.node.database.close()


def answer(oracle: Oracle, machine: Machine, lies: bool = False) -> dict[str, Any]:
    """A signed answer that waits to be checked; a lie has one leaf that was never committed."""
    oracle.post("/v1/devices", machine.registration())
    view = oracle.get(f"/v1/devices/0x{machine.device.hex()}/challenge")
    proof, body = machine.prove(view)
    ack = oracle.post("/v1/commits", body)
    honest = machine.openings(proof, ack)
    if not lies:
        return honest
    first, *rest = (one.opening() for one in OpeningsBody.model_validate(honest).openings)
    return machine.opened(ack, [replace(first, leaf=bytes(LEAF_BYTES)), *rest])


@contextmanager
def no_results(url: URL) -> Iterator[None]:
    """Workers may begin meanwhile, and hand in what they found only after it."""
    with psycopg.connect(Server.dsn(url), autocommit=True) as connection:
        connection.execute(f"SET search_path TO {SCHEMA}")
        connection.execute("SELECT pg_advisory_lock(1)")
        connection.execute(
            "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END'"
        )
        connection.execute(
            "CREATE TRIGGER hold BEFORE UPDATE ON calls FOR EACH ROW EXECUTE FUNCTION hold()"
        )
        yield


def test_two_workers_check_the_openings_of_many(
    live: Live,
    oracle: Oracle,
    machine: Machine,
    url: URL,
    start: Start,
    command: tuple[str, ...],
) -> None:
    workers = [start(*command, "--database", Server.dsn(url), "--concurrency", "1"), start()]
    eventually(lambda: len(rows(url, "SELECT 1 FROM procrastinate_workers")) == len(workers))
    machines = [Machine(live, machine.provider, f"card {i}") for i in range(6)]
    answers = [answer(oracle, one, lies=i == 3) for i, one in enumerate(machines)]
    busy = "SELECT DISTINCT worker_id FROM procrastinate_jobs WHERE status = 'doing'"
    with ThreadPoolExecutor(len(answers)) as pool:
        # each has one at a time, so that the other one has to take the second
        with no_results(url):
            checks = [pool.submit(oracle.post, "/v1/openings", body) for body in answers]
            eventually(lambda: len(rows(url, busy)) == len(workers))
            assert not any(check.done() for check in checks)
        verdicts = [check.result() for check in checks]
    assert [v["accepted"] for v in verdicts] == [True, True, True, False, True, True]
    assert Fault.PATH.value in verdicts[3]["reason"]
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    assert [worker.wait(PATIENCE) for worker in workers] == [0, 0]


def test_a_check_goes_on_when_its_worker_is_killed(
    live: Live, oracle: Oracle, machine: Machine, url: URL, start: Start
) -> None:
    first = start(processes=1)
    assert oracle.post("/v1/openings", answer(oracle, machine))["accepted"]
    children = [
        int(pid) for pid in Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
    ]
    body = answer(oracle, Machine(live, machine.provider, "another card"))
    for pid in children:
        os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        verdict = pool.submit(oracle.post, "/v1/openings", body)
        eventually(lambda: rows(url, "SELECT 1 FROM procrastinate_jobs WHERE status = 'doing'"))
        first.kill()
        first.wait()
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        assert not verdict.done()
        start()
        assert verdict.result(PATIENCE)["accepted"]
    assert rows(url, "SELECT * FROM calls") == []
    # final, and the same for whoever asks again
    assert oracle.post("/v1/openings", body) == verdict.result()


def test_a_worker_wants_postgresql() -> None:
    with pytest.raises(Misconfigured) as refusal:
        run(app, "worker", "--database", "oracle.db")
    assert "postgresql://" in f"{refusal.value} {refusal.value.remedy}"


def test_a_worker_without_its_server_says_so(command: tuple[str, ...], tmp_path: Path) -> None:
    place = f"postgresql://oracle:hunter2@/db?host={tmp_path}"
    ended = subprocess.run(
        [sys.executable, *command, "--database", place], capture_output=True, text=True
    )
    assert ended.returncode == Misconfigured.exit_code
    assert "cannot use the database" in ended.stderr
    assert "hunter2" not in ended.stdout + ended.stderr


def test_what_is_checked_arrives_as_it_was_sent() -> None:
    check_answer, check_identity = VERIFICATION
    raw = bytes(range(224, 256))
    message = messages.Challenge(1, raw, 3, raw, Mode.RESIDENCY, 2**40, 128, 256, 2, 16, 2**63, raw)
    answer = (
        Opening(Query(1, 2, 3), raw * 4, (raw, raw)),
        LaneOpening(4, raw * 4, ()),
    )
    claim = Claim(2**31, sliced=True, certified=False)
    sent = (*check_answer.local, Challenge(message, raw, claim), (raw,), answer)
    assert check_answer.unpack(check_answer.pack(sent)) == sent
    for evidence in (Evidence(raw, b"chain"), None):
        identity = (raw, evidence, raw, 1_790_000_000, raw)
        assert check_identity.unpack(check_identity.pack(identity)) == identity
    for verdict in (
        Verdict(),
        Verdict(Fault.ENTRY, Query(1, 2, 3)),
        Verdict(Fault.LANE, lane=4),
        Verdict(Fault.IDENTITY, detail="it is the card 0x00"),
    ):
        assert check_answer.unpack_result(check_answer.pack_result(verdict)) == verdict
    for text in ("[]", "[1]", "{}", "no JSON"):
        with pytest.raises(ValueError, match="validation error"):
            check_answer.unpack(text)
