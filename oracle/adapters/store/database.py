"""Opening a database: durable settings, migrations, one writer."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, Table
from sqlalchemy.dialects import postgresql as postgresql_dialect
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.exc import DatabaseError

from oracle.adapters.store import postgres, sqlite
from oracle.errors import Misconfigured

_MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """A SQLite file, or a PostgreSQL database, whose commits are on the disk when they return.

    Any number of threads read; writers of this process queue behind one lock, so that none
    of them meets SQLite's own busy error or holds a connection to wait for PostgreSQL's.
    """

    def __init__(self, place: Path | URL) -> None:
        self.place = place
        if isinstance(place, URL):
            self.engine = postgres.open_engine(place)
            read, write = postgres.READ, postgres.WRITE
        else:
            self.engine = sqlite.open_engine(place)
            read, write = sqlite.READ, sqlite.WRITE
        self._reading = self.engine.execution_options(**read)
        self._writing = self.engine.execution_options(**write)
        self._writer = threading.Lock()

    def migrate(self) -> "Database":
        """Bring the schema up to date; raises `Misconfigured` for what is no database."""
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        try:
            with self.write() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except DatabaseError as error:
            if isinstance(self.place, URL):
                raise postgres.unusable(self.place, error) from error
            raise Misconfigured(
                f"cannot use the database {self.place}: {error.orig}",
                "Check that the path is writable and that the file is an oracle's database.",
            ) from error
        return self

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view of the database."""
        with self._reading.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is durable when the block ends, and undone where it raises."""
        with self._writer, self._writing.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def insert(
    connection: Connection, table: Table
) -> sqlite_dialect.Insert | postgresql_dialect.Insert:
    """An INSERT that can say what happens `on_conflict`; both databases take the same words."""
    if connection.dialect.name == "postgresql":
        return postgresql_dialect.insert(table)
    return sqlite_dialect.insert(table)
