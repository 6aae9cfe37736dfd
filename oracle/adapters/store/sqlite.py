"""SQLite as this service uses it: a write-ahead log, commits that are on the disk."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

# seconds another process's transaction may hold ours up
_LOCK_TIMEOUT = 10

READ: dict[str, Any] = {}
WRITE: dict[str, Any] = {"writes": True}


def open_engine(path: Path) -> Engine:
    """Connections to a file, which is made with its folder where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        f"sqlite:///{path}", connect_args={"timeout": _LOCK_TIMEOUT}, pool_size=16
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


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
