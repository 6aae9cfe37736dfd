"""Calls that workers on any host compute: procrastinate tasks in the oracle's own PostgreSQL.

A call is a row with its name and arguments, and a job that points at the row. The worker that
takes the job writes the result into the row and notifies whoever waits; the caller deletes the
row. A job whose worker died is given to another one, so a call may be computed twice, but its
first result is the only one. None of this survives a crash of the database, nor has to: the
caller is told that nothing came of it.
"""

import asyncio
import math
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from contextlib import suppress
from importlib.metadata import version
from typing import Any, ParamSpec, TypeVar

import psycopg
import structlog
from procrastinate import App, JobContext, PsycopgConnector, RetryStrategy
from procrastinate.exceptions import ConnectorException
from procrastinate.schema import SchemaManager
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy import URL
from sqlalchemy.exc import DatabaseError

from oracle.adapters.calls import Call
from oracle.adapters.store.database import Database
from oracle.adapters.store.postgres import unusable
from oracle.adapters.workers import RETRY_AFTER, Processors
from oracle.errors import Busy, ClearworkError, Transient

log = structlog.get_logger()

P = ParamSpec("P")
T = TypeVar("T")

# of procrastinate's tables and ours: hosts with another release of it don't see each other's
SCHEMA = "tasks_" + "_".join(version("procrastinate").split(".")[:2])
_QUEUE = "verification"
_TASK = "compute"
_CHANNEL = "clearwork_calls"

# seconds after which a caller gives up
DEADLINE = 120.0
# seconds between two looks for a result whose notification was lost, or for a call without one:
# one that a dead worker left
_POLL = 2.0
# seconds between two signs of life of a worker, and after how many without one it is dead
HEARTBEAT = 2.0
STALLED = 15.0
# seconds that a worker has to finish what it has begun when it is told to end
GRACE = 30.0
# how often a call is begun: one that kills its worker must not kill them all
ATTEMPTS = 3
# seconds after which nobody waits for a call any more
_FORGOTTEN = 3_600
_CONNECTIONS = 4
# seconds to get one of them in
_PATIENCE = 10.0
_INTERRUPTED = "interrupted"

_CALLS = """
CREATE UNLOGGED TABLE calls (
    id text PRIMARY KEY, name text NOT NULL, arguments text NOT NULL,
    result text, failure text, created_at timestamptz NOT NULL DEFAULT now()
)
"""
_DATABASE_ERRORS = (psycopg.Error, PoolTimeout, ConnectorException)


def prepare(url: URL) -> None:
    """Make the tables unless they are there; raises `Misconfigured` for what is no database."""
    database = Database(url)
    try:
        with database.write() as connection:
            schemas = connection.exec_driver_sql(
                "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", (SCHEMA,)
            )
            if schemas.first() is None:
                script = connection.execution_options(no_parameters=True)
                for part in (
                    f"CREATE SCHEMA {SCHEMA}",
                    f"SET LOCAL search_path TO {SCHEMA}",
                    SchemaManager.get_schema(),
                    _CALLS,
                ):
                    script.exec_driver_sql(part)
    except DatabaseError as error:
        raise unusable(url, error) from error
    finally:
        database.close()


class Tasks:
    """Calls of one oracle, computed wherever a worker is; `queue` bounds those under way.

    They are waited for in a thread of their own, so that any event loop may ask for them.
    Raises `Misconfigured` for what is no database.
    """

    def __init__(
        self, url: URL, calls: Iterable[Call], queue: int, deadline: float = DEADLINE
    ) -> None:
        prepare(url)
        self._url = url
        self._app = _app(url)
        self._calls = {call.name: call for call in calls}
        self._queue = queue
        self._deadline = deadline
        self._waiting = 0
        self._closed = False
        self._lock = threading.Lock()
        self._arrived: dict[str, asyncio.Event] = {}
        self._under_way: set[asyncio.Task[Any]] = set()
        ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._live(ready)), name="tasks", daemon=True
        )
        self._thread.start()
        self._loop, self._stop = ready.result()

    @property
    def waiting(self) -> int:
        """Calls that are under way or wait for a worker."""
        return self._waiting

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a call that is on the list; others raise `LookupError`.

        Raises `Busy` where too many wait, `Transient` where no worker answered in time, or those
        that began died of it: nothing came of the call then, and it may be made again.
        """
        known = self._calls.get(call.__name__)
        if known is None or known.function is not call or kwargs:
            raise LookupError(f"{call.__name__} is no task, or not with these arguments")
        future = self._begin(known.name, known.pack(args))
        try:
            try:
                text = await asyncio.wrap_future(future)
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise  # whoever asked has gone
                raise _stopped() from error
            result: T = known.unpack_result(text)
            return result
        finally:
            with self._lock:
                self._waiting -= 1

    def close(self) -> None:
        """Let go of the database; calls that wait fail, and their jobs come to nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _begin(self, name: str, arguments: str) -> "Future[str]":
        with self._lock:
            if self._closed:
                raise _stopped()
            if self._waiting >= self._queue:
                raise Busy(
                    f"{self._waiting} calls wait for a worker",
                    "Send the same thing again in a moment; nothing is lost.",
                    RETRY_AFTER,
                )
            self._waiting += 1
            # before the lock is free again, so that `close` ends it too
            coroutine = self._track(self._compute(name, arguments))
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    # --- in the thread ------------------------------------------------------------------------

    async def _live(self, ready: "Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]") -> None:
        stop = asyncio.Event()
        try:
            await self._app.open_async()
        except BaseException as error:
            ready.set_exception(error)
            return
        listening = asyncio.create_task(self._listen())
        ready.set_result((asyncio.get_running_loop(), stop))
        await stop.wait()
        ending = [listening, *self._under_way]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await self._app.close_async()

    async def _track(self, coroutine: Coroutine[Any, Any, T]) -> T:
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)
        try:
            return await coroutine
        finally:
            self._under_way.discard(task)

    async def _compute(self, name: str, arguments: str) -> str:
        """Make a call and wait for its result."""
        number = uuid.uuid4().hex
        arrived = self._arrived[number] = asyncio.Event()
        try:
            async with _pool(self._app).connection() as connection:
                await connection.execute(
                    "INSERT INTO calls (id, name, arguments) VALUES (%s, %s, %s)",
                    (number, name, arguments),
                )
                job = self._app.configure_task(_TASK, queue=_QUEUE, connection=connection)
                await job.defer_async(call=number)
            async with asyncio.timeout(self._deadline):
                while (result := await self._result(number, arrived)) is None:
                    pass
            return result
        except TimeoutError as error:
            raise Transient(
                f"no worker has computed this within {self._deadline:.0f} s",
                "Start more with `clearwork oracle worker`, then send the same thing again.",
            ) from error
        except _DATABASE_ERRORS as error:
            raise Transient(
                "the database that holds the tasks does not answer", "Send the same thing again."
            ) from error
        finally:
            del self._arrived[number]
            with suppress(*_DATABASE_ERRORS):
                async with _pool(self._app).connection() as connection:
                    await connection.execute("DELETE FROM calls WHERE id = %s", (number,))

    async def _result(self, number: str, arrived: asyncio.Event) -> str | None:
        """What has become of a call, looked up when it was notified or after a while."""
        with suppress(TimeoutError):
            await asyncio.wait_for(arrived.wait(), _POLL)
        arrived.clear()
        async with _pool(self._app).connection() as connection:
            rows = await connection.execute(
                "SELECT result, failure FROM calls WHERE id = %s", (number,)
            )
            row = await rows.fetchone()
        if row is None or row[1] == _INTERRUPTED:
            raise Transient("the workers that computed this ended", "Send the same thing again.")
        result, failure = row
        if failure is not None:
            raise ClearworkError(
                f"a worker could not compute this: {failure}", "Read the log of the workers."
            )
        return None if result is None else str(result)

    async def _listen(self) -> None:
        """Wake whoever waits for a result; while this is cut off they look for themselves."""
        while True:
            with suppress(*_DATABASE_ERRORS):
                # not one of the pool's: it hears for as long as it lasts
                async with await psycopg.AsyncConnection.connect(
                    _conninfo(self._url), autocommit=True
                ) as connection:
                    await connection.execute(f"LISTEN {_CHANNEL}")
                    async for notification in connection.notifies():
                        if notification.payload in self._arrived:
                            self._arrived[notification.payload].set()
            await asyncio.sleep(_POLL)


async def serve(url: URL, calls: Iterable[Call], concurrency: int, processors: Processors) -> None:
    """Work on the calls of all oracles of a database until SIGINT or SIGTERM.

    What has begun is finished first, for at most `GRACE` seconds. Begins again where connections
    break while the database is there. Raises `Misconfigured` for what is no database, `Transient`
    where it goes away.
    """
    prepare(url)
    known = {call.name: call for call in calls}
    broken_at = -math.inf
    while True:
        app = _worker_app(url, known, processors)
        try:
            await app.open_async()
        except _DATABASE_ERRORS as error:
            raise _away(url) from error
        try:
            await _work(app, concurrency)
            break
        except _DATABASE_ERRORS as error:
            before, broken_at = broken_at, time.monotonic()
            if broken_at - before < HEARTBEAT:
                raise _away(url) from error
            log.warning("connections broke, the worker begins again", error=type(error).__name__)
        finally:
            with suppress(*_DATABASE_ERRORS):
                await app.close_async()
    log.info("worker stopped")


def _away(url: URL) -> Transient:
    return Transient(
        f"the database {url} does not answer", "Start the worker again when it is back."
    )


def _worker_app(url: URL, known: dict[str, Call], processors: Processors) -> App:
    """The application of a worker, which knows how to compute a call."""
    app = _app(url)
    retry = RetryStrategy(
        max_attempts=ATTEMPTS,
        retry_exceptions=[Transient, asyncio.CancelledError, *_DATABASE_ERRORS],  # type: ignore[list-item]
    )

    @app.task(name=_TASK, queue=_QUEUE, pass_context=True, retry=retry)
    async def compute(context: JobContext, call: str) -> None:
        async with _pool(app).connection() as connection:
            rows = await connection.execute(
                "SELECT name, arguments FROM calls "
                "WHERE id = %s AND result IS NULL AND failure IS NULL",
                (call,),
            )
            row = await rows.fetchone()
        if row is None:
            return  # whoever asked has gone
        name, arguments = row
        attempts = context.job.attempts
        result, failure = await _outcome(known, name, arguments, attempts, processors)
        async with _pool(app).connection() as connection:
            await connection.execute(
                "UPDATE calls SET result = %s, failure = %s "
                "WHERE id = %s AND result IS NULL AND failure IS NULL",
                (result, failure, call),
            )
            await connection.execute("SELECT pg_notify(%s, %s)", (_CHANNEL, call))

    return app


async def _work(app: App, concurrency: int) -> None:
    """Take calls from an open application until a signal comes or its connections break."""
    rescuing = asyncio.create_task(_rescue(app))
    try:
        log.info("worker started", concurrency=concurrency)
        await app.run_worker_async(
            queues=[_QUEUE],
            concurrency=concurrency,
            fetch_job_polling_interval=_POLL,
            delete_jobs="always",
            update_heartbeat_interval=HEARTBEAT,
            stalled_worker_timeout=STALLED,
            shutdown_graceful_timeout=GRACE,
        )
    finally:
        rescuing.cancel()


async def _outcome(
    known: dict[str, Call], name: str, arguments: str, attempts: int, processors: Processors
) -> tuple[str | None, str | None]:
    """Result or failure of a call; raises `Transient` where it should be tried again."""
    if attempts >= ATTEMPTS:
        log.error("a call ended every worker that began it", name=name)
        return None, _INTERRUPTED
    call = known.get(name)
    if call is None:
        log.error("a call of an unknown name was refused", name=name)
        return None, f"there is no task {name}"
    try:
        result = await processors.run(call.function, *call.unpack(arguments))
        return call.pack_result(result), None
    except Transient:
        if attempts + 1 < ATTEMPTS:
            raise
        return None, _INTERRUPTED
    except Exception as error:
        log.exception("a call failed", name=name)
        return None, type(error).__name__


async def _rescue(app: App) -> None:
    """Give the jobs of workers that died to others, and drop calls that nobody waits for."""
    while True:
        with suppress(*_DATABASE_ERRORS):
            for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED):
                # another worker may have been quicker
                with suppress(ConnectorException):
                    await app.job_manager.retry_job(job)
                    log.warning("a worker has died; its call goes to another", job=job.id)
            async with _pool(app).connection() as connection:
                await connection.execute(
                    "DELETE FROM calls WHERE created_at < now() - make_interval(secs => %s)",
                    (_FORGOTTEN,),
                )
        await asyncio.sleep(STALLED / 2)


def _app(url: URL) -> App:
    connector = PsycopgConnector(
        conninfo=_conninfo(url),
        min_size=1,
        max_size=_CONNECTIONS,
        timeout=_PATIENCE,
        configure=_configure,
        pool_factory=_Pool,
    )
    return App(connector=connector)


class _Pool(AsyncConnectionPool[Any]):
    """Connections whose first has to come in as soon as any other."""

    async def open(self, wait: bool = False, timeout: float = 0) -> None:
        await super().open(wait, _PATIENCE)


def _conninfo(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def _pool(app: App) -> AsyncConnectionPool[Any]:
    connector = app.connector
    assert isinstance(connector, PsycopgConnector)
    return connector.pool


async def _configure(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.execute(f"SET search_path TO {SCHEMA}")
    # nothing here outlives a crash anyway
    await connection.execute("SET synchronous_commit = off")
    await connection.commit()


def _stopped() -> Transient:
    return Transient("this oracle is being stopped", "Send it again when it is back.")
