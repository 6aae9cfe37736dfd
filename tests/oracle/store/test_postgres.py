"""What is particular to PostgreSQL: durable whatever the server's defaults, one writer, secrets."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from oracle.adapters.store import tables
from oracle.adapters.store.database import Database
from oracle.adapters.store.postgres import look
from oracle.api.node import leaf_directory
from oracle.errors import Misconfigured
from oracle.settings import Settings, database_url
from tests.oracle.postgres import Server

SECRET = "a secret: not to be seen"
NEEDED = {"rpc_urls": ["http://localhost"], "deployment": "deployment.json"}


@pytest.fixture
def url(postgres: Server) -> URL:
    return postgres.create()


@pytest.fixture
def open_database(url: URL) -> Iterator[Callable[[], Database]]:
    opened: list[Database] = []

    def open_() -> Database:
        opened.append(Database(url))
        return opened[-1]

    yield open_
    for database in opened:
        database.close()


# --- durable --------------------------------------------------------------------------------


@pytest.mark.parametrize(("default", "used"), [("off", "on"), ("remote_apply", "remote_apply")])
def test_commits_wait_for_the_disk_whatever_the_default(url: URL, default: str, used: str) -> None:
    with psycopg.connect(Server.dsn(url), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {url.database} SET synchronous_commit = {default}")
    database = Database(url)
    with database.write() as connection:
        assert connection.scalar(text("SHOW synchronous_commit")) == used
    database.close()


def test_a_restart_of_the_server_costs_no_call(open_database: Callable[[], Database]) -> None:
    database = open_database().migrate()
    with psycopg.connect(Server.dsn(database.place), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.devices)) == 0


# --- one writer -----------------------------------------------------------------------------


def test_a_writer_waits_for_another_and_sees_what_it_wrote(
    open_database: Callable[[], Database],
) -> None:
    first, second = open_database().migrate(), open_database()
    count = select(func.count()).select_from(tables.identity)
    seen: list[int | None] = []

    def write() -> None:
        with second.write() as connection:
            seen.append(connection.scalar(count))

    waiting = threading.Thread(target=write)
    with first.write() as connection:
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        with second.read() as reader:  # who reads waits for nobody
            assert reader.scalar(count) == 0
        connection.execute(insert(tables.identity).values(key="a", value="b"))
    waiting.join()
    assert seen == [1]


def test_what_fails_is_undone_and_frees_the_lock(open_database: Callable[[], Database]) -> None:
    first, second = open_database().migrate(), open_database()
    entry = insert(tables.identity).values(key="a", value="b")
    with pytest.raises(IntegrityError), first.write() as connection:
        [connection.execute(entry) for _ in range(2)]
    with second.write() as connection:
        assert connection.execute(select(tables.identity)).all() == []


def test_a_view_stays_as_it_was_when_it_began(open_database: Callable[[], Database]) -> None:
    database = open_database().migrate()
    count = select(func.count()).select_from(tables.identity)
    with database.read() as view:
        assert view.scalar(count) == 0
        with database.write() as connection:
            connection.execute(insert(tables.identity).values(key="a", value="b"))
        assert view.scalar(count) == 0
    with database.read() as view:
        assert view.scalar(count) == 1


def test_processes_that_start_together_migrate_once(
    open_database: Callable[[], Database],
) -> None:
    failures: list[Exception] = []

    def migrate(database: Database) -> None:
        try:
            database.migrate()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=migrate, args=(open_database(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_numbers_beyond_32_bits_fit(open_database: Callable[[], Database]) -> None:
    with open_database().migrate().read() as connection:
        narrow = connection.execute(
            text(
                "SELECT table_name, column_name FROM information_schema.columns "
                "WHERE table_schema = 'public' AND data_type = 'integer'"
            )
        ).all()
    assert narrow == []


# --- what operators see ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        f"postgresql://oracle:{SECRET}@host:54x2/db",
        f"postgresql://oracle:{SECRET}@host",
        f"postgresql+asyncpg://oracle:{SECRET}@host/db",
    ],
)
def test_a_url_that_is_none_is_refused_without_quoting_it(value: str) -> None:
    with pytest.raises(ValueError, match="write postgresql://") as refusal:
        database_url(value)
    assert SECRET not in str(refusal.value)
    assert refusal.value.__context__ is None


def test_settings_never_show_a_password() -> None:
    value = "postgresql://oracle:hunter2@localhost/db"
    settings = Settings.load(**NEEDED, database=value)
    assert isinstance(settings.database, URL)
    assert settings.database.password == "hunter2"
    assert "hunter2" not in f"{settings} {settings!r} {settings.database}"
    with pytest.raises(Misconfigured, match="CLEARWORK_DATABASE") as refusal:
        Settings.load(**NEEDED, database=value.removesuffix("/db"))
    assert "hunter2" not in f"{refusal.value} {refusal.value.__cause__}"


def test_a_server_that_does_not_answer_is_named_without_the_password(tmp_path: Path) -> None:
    url = database_url(f"postgresql://oracle:hunter2@/db?host={tmp_path}")
    for use in (lambda: Database(url).migrate(), lambda: look(url)):
        with pytest.raises(Misconfigured, match="cannot use the database") as refusal:
            use()
        assert "hunter2" not in f"{refusal.value} {refusal.value.__cause__}"
        assert "server runs" in refusal.value.remedy


def test_a_check_looks_and_changes_nothing(url: URL) -> None:
    assert "tables will be created" in look(url)
    assert "tables will be created" in look(url)
    database = Database(url).migrate()
    database.close()
    assert look(url).endswith(tuple("0123456789"))


def test_leaf_files_need_a_place_of_their_own(tmp_path: Path) -> None:
    value = "postgresql://oracle@localhost/db"
    with pytest.raises(Misconfigured, match="leaf files"):
        leaf_directory(Settings.load(**NEEDED, database=value))
    settings = Settings.load(**NEEDED, database=value, leaf_files=tmp_path)
    assert leaf_directory(settings) == tmp_path
    assert leaf_directory(Settings.load(**NEEDED, database="a/b.db")) == Path("a/b-leaves")
