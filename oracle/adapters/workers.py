"""Processes that compute, so that the threads which answer requests never do."""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import ParamSpec, Protocol, TypeVar

import structlog

from oracle.errors import Busy, Transient

log = structlog.get_logger()

P = ParamSpec("P")
T = TypeVar("T")

# seconds after which a caller that was turned away may ask again
RETRY_AFTER = 2
# of the workers, above their parent's
NICENESS = 5


class Processors(Protocol):
    """Where calls go that would keep a request's thread too long: this machine, or many."""

    @property
    def waiting(self) -> int:
        """Calls that are under way or wait."""

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a call; raises `Busy` or `Transient` where nothing came of it."""

    def close(self) -> None:
        """Let go of everything; calls that wait raise `Transient`."""


class Workers:
    """A pool of processes behind a bounded queue; 0 processes compute in a thread.

    Processes start when there is work for them, and end with this one, however it ends. `queue`
    is the most calls that may be under way or waiting.
    """

    def __init__(self, processes: int, queue: int) -> None:
        self._processes = processes
        self._queue = queue
        self._waiting = 0
        self._closed = False
        self._pool: ProcessPoolExecutor | None = None
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """Calls that are under way or wait for a process."""
        return self._waiting

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a call, which is pickled with its arguments.

        Raises `Busy` where the queue is full, `Transient` where its process was killed: nothing
        came of the call then, and it may be made again.
        """
        self._enter()
        try:
            if not self._processes:
                return await asyncio.to_thread(call, *args, **kwargs)
            pool = self._open()
            try:
                return await asyncio.wrap_future(_submit(pool, call, *args, **kwargs))
            except BrokenProcessPool as error:
                self._discard(pool)
                raise _interrupted() from error
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise  # whoever asked has gone
                raise _interrupted() from error
        finally:
            with self._lock:
                self._waiting -= 1

    def close(self) -> None:
        """End all processes; calls that wait for one fail as if it had been killed."""
        with self._lock:
            self._closed = True
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def pids(self) -> list[int]:
        """Process ids, in no order."""
        pool = self._pool
        return [] if pool is None else list(pool._processes or ())

    def _enter(self) -> None:
        with self._lock:
            if self._waiting >= self._queue:
                raise Busy(
                    f"{self._waiting} calls wait for a processor",
                    "Send the same thing again in a moment; nothing is lost.",
                    RETRY_AFTER,
                )
            self._waiting += 1

    def _open(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._closed:
                raise Transient("this oracle is being stopped", "Send it again when it is back.")
            if self._pool is None:
                # not forked: a fork would copy locks that other threads hold
                self._pool = ProcessPoolExecutor(
                    self._processes, multiprocessing.get_context("spawn"), _begin
                )
            return self._pool

    def _discard(self, broken: ProcessPoolExecutor) -> None:
        """Let the next call start a new pool in place of a broken one."""
        with self._lock:
            if self._pool is not broken:
                return
            self._pool = None
        log.error("a worker process was killed; its calls have to be made again")
        broken.shutdown(wait=False)


def _submit(
    pool: ProcessPoolExecutor, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> "Future[T]":
    try:
        return pool.submit(call, *args, **kwargs)
    except RuntimeError as error:
        # also what a pool says that was shut down a moment ago
        raise BrokenProcessPool(str(error)) from error


def _interrupted() -> Transient:
    return Transient("the process that computed this has ended", "Send the same thing again.")


def _begin() -> None:
    """First thing in a worker: yield to whoever answers requests, leave interrupts to the parent,
    and follow it into death."""
    os.nice(NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(0)
