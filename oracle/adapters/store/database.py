"""Opening a database: durable settings, migrations, one writer."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DatabaseError

from oracle.errors import Misconfigured

_MIGRATIONS = Path(__file__).parent / "migrations"
# seconds another process's transaction may hold ours up
_LOCK_TIMEOUT = 10


class Database:
    """A SQLite file in WAL mode whose commits are on the disk when they return.

    Any number of threads read; writers of this process queue behind one lock, so that none
    of them meets SQLite's own busy error.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.engine = create_engine(
            f"sqlite:///{path}", connect_args={"timeout": _LOCK_TIMEOUT}, pool_size=16
        )
        self._writer = threading.Lock()
        event.listen(self.engine, "connect", _configure)
        event.listen(self.engine, "begin", _begin)

    def migrate(self) -> "Database":
        """Bring the schema up to date; raises `Misconfigured` for a file that is no database."""
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        try:
            with self.write() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except DatabaseError as error:
            raise Misconfigured(
                f"cannot use the database {self.path}: {error.orig}",
                "Check that the path is writable and that the file is an oracle's database.",
            ) from error
        return self

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view of the database."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is durable when the block ends, and undone where it raises."""
        with self._writer, self.engine.connect() as connection:
            connection = connection.execution_options(writes=True)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _configure(connection: Any, _record: Any) -> None:
    # transactions are begun by `_begin`, not by the driver, so that a writer locks at once
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
