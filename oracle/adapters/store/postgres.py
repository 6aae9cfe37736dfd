"""PostgreSQL as this service uses it: one writer at a time, as with SQLite.

A transaction that writes first takes one advisory lock and holds it until its commit can be seen.
So the checks that a transaction makes before it writes hold when it commits, and rows appear in
the order of their numbers, which pages of `after` rely on. The price: commits of all processes
follow one another, so the database saves as many transactions a second as its disk syncs.
"""

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError

from oracle.errors import Misconfigured

_DRIVER = "postgresql+psycopg"
# of the advisory lock of writers: "clearwk" in ASCII
WRITER_LOCK = 0x636C656172776B
# milliseconds another process's transaction may hold ours up
_LOCK_TIMEOUT = 10_000
# seconds to reach the server in
_CONNECT_TIMEOUT = 10

READ: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
# each statement sees what was committed before it, so the first one behind the lock sees all
WRITE: dict[str, Any] = {"isolation_level": "READ COMMITTED", "writes": True}


def open_engine(url: URL) -> Engine:
    """Connections to a server, made when they are needed; raises `Misconfigured` without driver."""
    try:
        engine = create_engine(
            url.set(drivername=_DRIVER),
            connect_args={
                "connect_timeout": _CONNECT_TIMEOUT,
                "fallback_application_name": "clearwork",
            },
            pool_size=16,
            # the server may have been restarted since
            pool_pre_ping=True,
            hide_parameters=True,
        )
    except ImportError as error:
        raise Misconfigured(
            "the driver for PostgreSQL is not installed", "Run `pip install clearwork[postgres]`."
        ) from error
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def look(url: URL) -> str:
    """What is at a URL, without changing it; raises `Misconfigured` for what can't be used."""
    engine = open_engine(url)
    try:
        with engine.execution_options(**READ).connect() as connection:
            version = connection.scalar(text("SHOW server_version"))
            fsync = connection.scalar(text("SHOW fsync"))
            is_new = connection.scalar(text("SELECT to_regclass('alembic_version')")) is None
    except DatabaseError as error:
        raise unusable(url, error) from error
    finally:
        engine.dispose()
    if fsync != "on":
        raise Misconfigured(
            f"{url} runs with fsync = {fsync}: a power cut would lose what was acknowledged",
            "Set fsync = on in the server's configuration.",
        )
    return f"{url}, PostgreSQL {version}" + (", tables will be created" if is_new else "")


def unusable(url: URL, error: DatabaseError) -> Misconfigured:
    """The error for a database that can't be opened; libpq's messages hold no password."""
    reason = " ".join(str(error.orig).split())
    return Misconfigured(
        f"cannot use the database {url}: {reason}",
        "Check that the server runs, that the database exists, and that its user may create "
        "tables in it.",
    )


def _configure(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"SET lock_timeout = {_LOCK_TIMEOUT}")
    # a server may wait for more than its own disk, but not for less
    cursor.execute(
        "SELECT set_config('synchronous_commit', 'on', false) "
        "WHERE current_setting('synchronous_commit') IN ('off', 'local')"
    )
    cursor.close()
    connection.commit()


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get("writes", False):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
