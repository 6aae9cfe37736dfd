"""The database: durable, one truth per key, nothing overwritten."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import URL, inspect, update

from oracle.adapters.store import database as database_module
from oracle.adapters.store import tables
from oracle.adapters.store.database import Database
from oracle.adapters.store.store import Store
from oracle.domain import messages
from oracle.domain.admission import Claim
from oracle.domain.attestation import Mode
from oracle.domain.execution import ExecutionReceipt, ReceiptSignature, Role, SignedReceipt
from oracle.domain.hashing import keccak
from oracle.domain.proposals import SignedBatch
from oracle.domain.receipts import JobStatus
from oracle.domain.records import (
    Beat,
    Challenge,
    Outcome,
    ReceiptState,
    Sample,
    Sighting,
    Statement,
    StoredCommit,
)
from oracle.errors import Fatal, Misconfigured

MIGRATIONS = Path(database_module.__file__).parent / "migrations"
CONSUMER = "0x" + "11" * 20
SIGNATURE = b"\x05" * 65


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "oracle.db"


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest) -> Path | URL:
    """Where a database may be: what holds on one holds on the other."""
    if request.param == "sqlite":
        return request.getfixturevalue("path")
    return request.getfixturevalue("postgres").create()


@pytest.fixture
def open_database(place: Path | URL) -> Iterator[Callable[[], Database]]:
    """Open the database as another process would; all are closed in the end."""
    opened: list[Database] = []

    def open_() -> Database:
        opened.append(Database(place))
        return opened[-1]

    yield open_
    for database in opened:
        database.close()


@pytest.fixture
def store(open_database: Callable[[], Database]) -> Store:
    return Store(open_database().migrate())


def sample(seq: int, seconds: int, status: int = 3, job: int = 1) -> tuple[str, Sample]:
    message = messages.Usage(job, seq, 0, seconds, status, bytes(32))
    return "0xmachine", Sample(message, {}, SIGNATURE)


def report(payload: int, subject: int = 1) -> messages.Report:
    return messages.Report(
        bytes(32), CONSUMER, subject.to_bytes(32, "big"), 7, payload.to_bytes(32, "big")
    )


def commit(final_seed: int = 1, seed: int = 2) -> StoredCommit:
    message = messages.Commit(
        1, b"\x01" * 32, 3, bytes([seed] * 32), 128, 128, 256, 2, bytes([final_seed] * 32)
    )
    roots = (b"\x03" * 32, b"\x04" * 32)
    return StoredCommit(message, Mode.THROUGHPUT, roots, SIGNATURE, 50)


def challenge(secret: int) -> Challenge:
    raw = bytes([secret] * 32)
    message = messages.Challenge(
        1, bytes(32), 3, b"\x02" * 32, Mode.THROUGHPUT, 128, 128, 256, 2, 16, 9, keccak(raw)
    )
    return Challenge(message, raw, Claim(1_024, sliced=False, certified=True))


SIGNED = SignedReceipt(
    ExecutionReceipt(
        chain_id=1,
        escrow=CONSUMER,
        job=7,
        provider=2,
        period=1,
        issuer=Role.PROVIDER,
        devices=(),
        work=None,
        gpu_seconds=5,
        telemetry=None,
        status=JobStatus.COMPLETED,
        fault=None,
        ended_at=7,
    ),
    (ReceiptSignature(Role.PROVIDER, "0x" + "AA" * 20, SIGNATURE),),
)


# --- schema ---------------------------------------------------------------------------------


def test_migrations_build_the_tables_that_the_code_uses(
    open_database: Callable[[], Database],
) -> None:
    database = open_database().migrate()
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []


def test_migrating_twice_changes_nothing(
    open_database: Callable[[], Database], store: Store
) -> None:
    store.save_usage([sample(1, 10)], 100)
    assert len(Store(open_database().migrate()).reported()) == 1


def test_a_database_of_the_first_release_gains_receipts_and_loses_nothing(
    open_database: Callable[[], Database],
) -> None:
    database = open_database()
    with database.write() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    with database.read() as connection:
        assert "execution_receipts" not in inspect(connection).get_table_names()
    Store(database).save_usage([sample(1, 10)], 100)
    database.close()

    store = Store(open_database().migrate())
    assert [entry.cumulative_gpu_seconds for entry in store.reported()] == [10]
    assert store.file_receipt(SIGNED, ReceiptState.PENDING, 7) is Outcome.STORED


def test_the_receipts_migration_can_be_undone(open_database: Callable[[], Database]) -> None:
    database = open_database().migrate()
    with database.write() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    with database.read() as connection:
        assert not [n for n in inspect(connection).get_table_names() if n.startswith("execution")]


def test_commits_are_durable_by_configuration(path: Path) -> None:
    with Database(path).migrate().read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to be read as one" * 10)
    with pytest.raises(Misconfigured, match="cannot use the database"):
        Database(path).migrate()
    assert path.read_bytes().startswith(b"not a database")


def test_database_of_another_chain_is_refused(store: Store) -> None:
    store.claim({"chain": "1"})
    store.claim({"chain": "1"})
    with pytest.raises(Misconfigured, match="belongs to"):
        store.claim({"chain": "2"})


# --- telemetry ------------------------------------------------------------------------------


def test_same_sample_again_is_a_duplicate(store: Store) -> None:
    assert store.save_usage([sample(1, 10)], 100) == [Outcome.STORED]
    assert store.save_usage([sample(1, 10)], 101) == [Outcome.DUPLICATE]
    assert [r.arrived_at for r in store.reported()] == [100]


def test_other_body_under_one_number_quarantines_both(store: Store) -> None:
    store.save_usage([sample(1, 10), sample(2, 20)], 100)
    assert store.save_usage([sample(2, 99)], 101) == [Outcome.QUARANTINED]
    assert [r.cumulative_gpu_seconds for r in store.reported()] == [10]
    # both bodies are kept as evidence, and neither comes back
    assert store.save_usage([sample(2, 20)], 102) == [Outcome.QUARANTINED]
    assert store.counts().tables["usage"] == 3


def test_two_bodies_in_one_batch_quarantine_each_other(store: Store) -> None:
    assert store.save_usage([sample(1, 10), sample(1, 11)], 100) == [
        Outcome.STORED,
        Outcome.QUARANTINED,
    ]
    assert store.reported() == []


def test_highest_number_counts_whatever_the_order(store: Store) -> None:
    store.save_usage([sample(9, 90), sample(8, 80, status=4)], 100)
    (reported,) = store.reported()
    assert (reported.cumulative_gpu_seconds, reported.status) == (90, 3)


def test_first_beyond_names_when_the_chain_could_have_known(store: Store) -> None:
    store.save_usage([sample(1, 10)], 100)
    store.save_usage([sample(2, 20)], 110)
    store.save_usage([sample(3, 20, status=4)], 120)
    assert store.first_beyond(1, 0, final=False) == 100
    assert store.first_beyond(1, 10, final=False) == 110
    assert store.first_beyond(1, 20, final=False) == 120
    assert store.first_beyond(1, 20, final=True) is None


def test_beats_come_by_device_and_without_quarantine(store: Store) -> None:
    def beat(device: int, seq: int, power: int = 0) -> Beat:
        message = messages.Heartbeat(bytes([device] * 32), seq, power, bytes(32))
        return Beat(message, {}, SIGNATURE)

    store.save_heartbeats([beat(1, 1), beat(2, 1)], 100)
    store.save_heartbeats([beat(1, 2)], 110)
    store.save_heartbeats([beat(2, 1, power=5)], 111)
    devices = [bytes([1] * 32), bytes([2] * 32)]
    assert beats(store, devices, 0) == {devices[0]: [100, 110]}
    assert beats(store, devices, 105) == {devices[0]: [110]}
    assert beats(store, None, 105) == {devices[0]: [110]}
    assert beats(store, [], 0) == {}


def beats(store: Store, devices: list[bytes] | None, since: int) -> dict[bytes, list[int]]:
    return {device: sorted(times) for device, times in store.beats(devices, since=since).items()}


def test_batches_left_for_the_root_are_kept_until_they_are_forgotten(store: Store) -> None:
    first, second, third = (
        SignedBatch(epoch, index, bytes(16), bytes(65)) for epoch, index in ((1, 0), (2, 0), (2, 1))
    )
    for batch in (first, second, third):
        store.keep_batch(batch)
    assert store.batches(1) == [first]
    assert store.batches(2) == [first, second, third]
    again = replace(third, receipts=bytes(32))
    store.keep_batch(again)
    store.forget_batches(1)
    assert store.batches(9) == [second, again]


# --- attestation ----------------------------------------------------------------------------


def test_first_sighting_stands(store: Store) -> None:
    store.save_sighting(Sighting(1, bytes(32), "boot", 5, 0))
    store.save_sighting(Sighting(1, bytes(32), "boot", 9, 0))
    found = store.sighting(1, bytes(32))
    assert found is not None
    assert found.seen_ns == 5
    assert store.sighting(1, b"\x01" * 32) is None


def test_secret_is_drawn_once(store: Store) -> None:
    assert store.challenge(bytes(32), b"\x02" * 32) is None
    first = store.open_challenge(challenge(3))
    again = store.open_challenge(challenge(4))
    assert first == again == challenge(3)
    assert store.challenge(bytes(32), b"\x02" * 32) == first


def test_first_commit_stands(store: Store) -> None:
    assert store.save_commit(commit(1)).message == commit(1).message
    assert store.save_commit(commit(9)).message == commit(1).message
    assert len(store.commits(0, 10)) == 1


def test_commit_is_read_as_it_was_written(store: Store) -> None:
    stored = store.save_commit(commit())
    found = store.commit(commit().commit)
    assert found == stored
    assert (found.message, found.roots) == (commit().message, commit().roots)


def test_walks_and_chains_are_listed_apart(store: Store) -> None:
    chain = store.save_commit(commit())
    message = messages.WalkCommit(1, b"\x01" * 32, 4, b"\x05" * 32, 2**40, 8, 4, 8, b"\x06" * 32)
    walk = store.save_commit(StoredCommit(message, Mode.RESIDENCY, (b"\x06" * 32,), SIGNATURE, 50))
    assert walk.message == message
    assert store.commits(0, 10) == [chain]
    assert store.commits(0, 10, walks=True) == [walk]


def test_first_verdict_stands(store: Store) -> None:
    judged = replace(
        store.save_commit(commit()), accepted=True, ops_per_second=7, openings=bytes(32)
    )
    assert store.save_verdict(judged) == judged
    assert store.save_verdict(replace(judged, accepted=False)) == judged


def test_only_failures_in_a_row_count(store: Store) -> None:
    device = b"\x01" * 32
    for epoch, accepted in enumerate([False, True, False, None, False]):
        message = replace(commit(1, epoch).message, epoch=epoch)
        roots = commit().roots
        stored = store.save_commit(StoredCommit(message, Mode.THROUGHPUT, roots, SIGNATURE, 50))
        if accepted is not None:
            store.save_verdict(replace(stored, accepted=accepted))
    assert store.failures(device, 5, 8) == (3, 4)
    assert store.failures(device, 5, 2) == (2, 4)
    assert store.failures(device, 4, 8) == (2, 3)
    assert store.failures(device, 2, 8) == (0, 0)
    assert store.failures(bytes(32), 5, 8) == (0, 0)


# --- signatures -----------------------------------------------------------------------------


def test_key_is_bound_once(open_database: Callable[[], Database], store: Store) -> None:
    assert store.bind(report(1), None) == report(1).payload
    assert store.bind(report(2), None) == report(1).payload
    # also for whoever opens the database next
    assert Store(open_database()).bind(report(3), None) == report(1).payload
    assert store.bind(report(2, subject=2), None) == report(2).payload


def test_racing_binders_agree(open_database: Callable[[], Database], store: Store) -> None:
    stores = [Store(open_database()) for _ in range(4)]
    bound: list[bytes] = []

    def bind(place: int) -> None:
        bound.append(stores[place].bind(report(place), None))

    threads = [threading.Thread(target=bind, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bound) == 4
    assert len(set(bound)) == 1


def test_an_attestation_key_is_the_first_cards_for_ever(
    open_database: Callable[[], Database], store: Store
) -> None:
    first, second, key = b"\1" * 32, b"\2" * 32, b"\3" * 32
    assert store.bind_key(key, first) == first
    again = Store(open_database().migrate())
    assert [again.bind_key(key, card) for card in (second, first)] == [first, first]
    # a card has one for each firmware
    assert again.bind_key(b"\4" * 32, first) == first


def test_statements_are_listed_once_and_in_order(store: Store) -> None:
    statements = [Statement(report(1), f"0x{i:040x}", SIGNATURE) for i in range(3)]
    store.save_statements(statements)
    store.save_statements(statements[:1])
    listed = store.statements(0, 10)
    assert [s.oracle for s in listed] == [s.oracle for s in statements]
    assert store.statements(listed[1].id, 10) == listed[2:]


# --- execution receipts -----------------------------------------------------------------------


def test_a_receipt_survives_a_restart_with_its_verdict(
    open_database: Callable[[], Database], store: Store
) -> None:
    document = SIGNED.receipt.hash
    assert store.file_receipt(SIGNED, ReceiptState.PENDING, 7) is Outcome.STORED
    assert [filed.signed for filed in store.pending_receipts(0, 9)] == [SIGNED]
    own = ReceiptSignature(Role.ORACLE, "0x" + "BB" * 20, SIGNATURE)
    store.judge_receipt(document, ReceiptState.AGREED, "", own)

    again = Store(open_database().migrate())
    filed = again.receipt(document)
    assert filed is not None
    assert (filed.state, filed.arrived_at) == (ReceiptState.AGREED, 7)
    assert filed.signed == SIGNED.merged(SignedReceipt(SIGNED.receipt, (own,)))
    assert again.pending_receipts(0, 9) == []
    assert again.receipts(7) == [filed]
    assert again.receipts(8) == []
    assert again.receipt(bytes(32)) is None


def test_a_receipt_changed_on_the_disk_is_noticed(
    open_database: Callable[[], Database], store: Store
) -> None:
    store.file_receipt(SIGNED, ReceiptState.PENDING, 7)
    with open_database().write() as connection:
        connection.execute(update(tables.execution_receipts).values(content=b"{}"))
    with pytest.raises(Fatal, match="is not what was stored"):
        store.receipts(7)


def test_pending_receipts_come_in_pages(store: Store) -> None:
    for period in range(1, 6):
        receipt = replace(SIGNED.receipt, period=period)
        store.file_receipt(replace(SIGNED, receipt=receipt), ReceiptState.PENDING, 7)
    first = store.pending_receipts(0, 3)
    rest = store.pending_receipts(first[-1].id, 3)
    assert [filed.signed.receipt.period for filed in first + rest] == [1, 2, 3, 4, 5]
