"""What a provider's agent must not forget over a restart, in one SQLite file.

Sequence numbers that were used, messages that an oracle has not taken yet, the commits that
were signed, the card's evidence, the challenges that oracles signed, what was last reported of
each job, its receipt, and the customers' vouchers.
"""

import sqlite3
import threading
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from oracle.domain.evidence import Evidence
from oracle.domain.messages import Voucher
from oracle.domain.vouchers import SignedVoucher
from oracle.errors import Conflict, Fatal

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sequence (name TEXT PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY, oracle TEXT NOT NULL, path TEXT NOT NULL, body TEXT NOT NULL,
    refused TEXT
);
CREATE INDEX IF NOT EXISTS outbox_waiting ON outbox (oracle, path, id) WHERE refused IS NULL;
CREATE TABLE IF NOT EXISTS signed_commit (id BLOB PRIMARY KEY, epoch INTEGER, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS challenge (
    oracle TEXT NOT NULL, seed BLOB NOT NULL, epoch INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (oracle, seed)
);
CREATE TABLE IF NOT EXISTS card_evidence (
    seed BLOB PRIMARY KEY, epoch INTEGER NOT NULL, report BLOB NOT NULL, chain BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS evidence (
    oracle TEXT NOT NULL, epoch INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (oracle, epoch)
);
CREATE TABLE IF NOT EXISTS job (
    job INTEGER PRIMARY KEY, gpu_seconds INTEGER NOT NULL, status INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS voucher (
    job INTEGER PRIMARY KEY, gpu_seconds INTEGER NOT NULL, status INTEGER NOT NULL,
    signature BLOB NOT NULL, settled INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS execution_receipt (
    job INTEGER NOT NULL, period INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (job, period)
);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """A signed message on its way to one oracle: JSON text for one API path."""

    id: int
    body: str


class AgentState:
    """The agent's durable state. Every method commits before it returns; threads may share it.

    The file is locked for as long as the object lives: a second agent on the same state
    would reuse sequence numbers, so it fails with `Conflict`.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, timeout=1)
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA synchronous = FULL")
            with self._db:
                self._db.executescript(f"BEGIN EXCLUSIVE; {_SCHEMA}")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise Conflict(
                    f"another agent uses {path}",
                    "stop it, or give every agent a --state directory of its own",
                ) from error
            raise Fatal(f"{path}: {error}", "check disk space and permissions") from error
        except sqlite3.DatabaseError as error:
            raise Fatal(f"{path}: {error}", "the file is damaged: restore a backup") from error

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    # --- sequence numbers -------------------------------------------------------------------

    def next_sequence(self, name: str) -> int:
        """The next number of a series, from 1, never given twice."""
        with self._lock, self._db:
            row = self._db.execute(
                "INSERT INTO sequence VALUES (?, 1)"
                " ON CONFLICT (name) DO UPDATE SET last = last + 1 RETURNING last",
                (name,),
            ).fetchone()
        return int(row[0])

    # --- messages on their way --------------------------------------------------------------

    def post(self, oracles: Iterable[str], path: str, body: str, keep: int) -> None:
        """Put a message into the outbox of every oracle.

        At most the newest `keep` messages per oracle and path stay: a dead oracle must not
        fill the disk.
        """
        with self._lock, self._db:
            self._post(oracles, path, body, keep)

    def _post(self, oracles: Iterable[str], path: str, body: str, keep: int) -> None:
        for oracle in oracles:
            self._db.execute(
                "INSERT INTO outbox (oracle, path, body) VALUES (?, ?, ?)", (oracle, path, body)
            )
            self._db.execute(
                "DELETE FROM outbox WHERE oracle = ? AND path = ? AND id <= ("
                " SELECT id FROM outbox WHERE oracle = ? AND path = ? AND refused IS NULL"
                " ORDER BY id DESC LIMIT 1 OFFSET ?)",
                (oracle, path, oracle, path, keep),
            )

    def waiting(self, oracle: str, path: str, limit: int) -> list[Letter]:
        """The oldest messages that this oracle has not taken."""
        with self._lock:
            rows = self._db.execute(
                "SELECT id, body FROM outbox WHERE oracle = ? AND path = ? AND refused IS NULL"
                " ORDER BY id LIMIT ?",
                (oracle, path, limit),
            ).fetchall()
        return [Letter(*row) for row in rows]

    def undelivered(self) -> int:
        """Messages that some oracle has not taken."""
        with self._lock:
            row = self._db.execute("SELECT count(*) FROM outbox WHERE refused IS NULL").fetchone()
        return int(row[0])

    def delivered(self, letters: Sequence[Letter]) -> None:
        """Forget messages that were taken."""
        with self._lock, self._db:
            self._db.executemany("DELETE FROM outbox WHERE id = ?", [(one.id,) for one in letters])

    def refused(self, letter: Letter, reason: str) -> None:
        """Stop sending a message that the oracle will never take; it stays in the file."""
        with self._lock, self._db:
            self._db.execute("UPDATE outbox SET refused = ? WHERE id = ?", (reason, letter.id))

    # --- commits ----------------------------------------------------------------------------

    def save_commit(self, commit: bytes, epoch: int, body: str, keep: int) -> None:
        """Keep a signed commit; the newest `keep` epochs stay."""
        with self._lock, self._db:
            self._db.execute(
                "INSERT OR IGNORE INTO signed_commit VALUES (?, ?, ?)", (commit, epoch, body)
            )
            self._db.execute("DELETE FROM signed_commit WHERE epoch <= ?", (epoch - keep,))

    def commit_body(self, commit: bytes) -> str | None:
        """The signed commit with this struct hash, if it is still kept."""
        with self._lock:
            row = self._db.execute(
                "SELECT body FROM signed_commit WHERE id = ?", (commit,)
            ).fetchone()
        return row[0] if row else None

    def commits_of(self, epoch: int) -> list[str]:
        """The signed commits of an epoch that are still kept."""
        with self._lock:
            rows = self._db.execute(
                "SELECT body FROM signed_commit WHERE epoch = ?", (epoch,)
            ).fetchall()
        return [str(row[0]) for row in rows]

    def save_card_evidence(self, seed: bytes, epoch: int, evidence: Evidence, keep: int) -> None:
        """Keep what the card signed for a seed; the newest `keep` epochs stay."""
        with self._lock, self._db:
            self._db.execute(
                "INSERT OR IGNORE INTO card_evidence VALUES (?, ?, ?, ?)",
                (seed, epoch, evidence.report, evidence.chain),
            )
            self._db.execute("DELETE FROM card_evidence WHERE epoch <= ?", (epoch - keep,))

    def card_evidence(self, seed: bytes) -> Evidence | None:
        """What the card signed for a seed, if it is still kept."""
        with self._lock:
            row = self._db.execute(
                "SELECT report, chain FROM card_evidence WHERE seed = ?", (seed,)
            ).fetchone()
        return Evidence(*row) if row else None

    # --- what oracles signed ------------------------------------------------------------------

    def first_challenge(self, oracle: str, seed: bytes, epoch: int, body: str, keep: int) -> str:
        """Keep an oracle's challenge for a seed unless there is one; returns the one kept.

        The newest `keep` epochs stay.
        """
        with self._lock, self._db:
            self._db.execute(
                "INSERT OR IGNORE INTO challenge VALUES (?, ?, ?, ?)", (oracle, seed, epoch, body)
            )
            self._db.execute("DELETE FROM challenge WHERE epoch <= ?", (epoch - keep,))
            row = self._db.execute(
                "SELECT body FROM challenge WHERE oracle = ? AND seed = ?", (oracle, seed)
            ).fetchone()
        return str(row[0])

    def keep_evidence(self, oracle: str, epoch: int, body: str) -> None:
        """Keep for good what an oracle signed against itself, once an epoch."""
        with self._lock, self._db:
            self._db.execute(
                "INSERT OR IGNORE INTO evidence VALUES (?, ?, ?)", (oracle, epoch, body)
            )

    def evidence(self) -> list[str]:
        """What oracles signed against themselves, oldest epoch first."""
        with self._lock:
            rows = self._db.execute("SELECT body FROM evidence ORDER BY epoch, oracle").fetchall()
        return [str(row[0]) for row in rows]

    # --- jobs -------------------------------------------------------------------------------

    def job(self, job: int) -> tuple[int, int]:
        """Cumulative GPU-seconds and status last reported of a job; zeros before the first."""
        with self._lock:
            row = self._db.execute(
                "SELECT gpu_seconds, status FROM job WHERE job = ?", (job,)
            ).fetchone()
        return (int(row[0]), int(row[1])) if row else (0, 0)

    def save_job(self, job: int, gpu_seconds: int, status: int) -> None:
        """Remember what was reported of a job."""
        with self._lock, self._db:
            self._db.execute(
                "INSERT OR REPLACE INTO job VALUES (?, ?, ?)", (job, gpu_seconds, status)
            )

    # --- execution receipts -----------------------------------------------------------------

    def save_receipt(
        self,
        job: int,
        period: int,
        body: str,
        oracles: Iterable[str],
        path: str,
        keep: int,
    ) -> None:
        """Keep a signed receipt (JSON text) in place of an earlier copy, and put it into the
        outbox of every oracle: both or nothing. `path` and `keep` as in `post`."""
        with self._lock, self._db:
            self._db.execute(
                "INSERT OR REPLACE INTO execution_receipt VALUES (?, ?, ?)", (job, period, body)
            )
            self._post(oracles, path, body, keep)

    def receipts(self, job: int) -> list[str]:
        """The receipts of a job, by period."""
        with self._lock:
            rows = self._db.execute(
                "SELECT body FROM execution_receipt WHERE job = ? ORDER BY period", (job,)
            ).fetchall()
        return [row[0] for row in rows]

    # --- vouchers ---------------------------------------------------------------------------

    def save_voucher(self, signed: SignedVoucher) -> None:
        """Keep a customer's voucher in place of an earlier one; it counts as not settled."""
        voucher = signed.voucher
        with self._lock, self._db:
            self._db.execute(
                "INSERT OR REPLACE INTO voucher VALUES (?, ?, ?, ?, 0)",
                (voucher.job, voucher.cumulative_gpu_seconds, voucher.status, signed.signature),
            )

    def voucher(self, job: int) -> SignedVoucher | None:
        """The voucher kept for a job."""
        with self._lock:
            row = self._db.execute(
                "SELECT gpu_seconds, status, signature FROM voucher WHERE job = ?", (job,)
            ).fetchone()
        return SignedVoucher(Voucher(job, row[0], row[1]), row[2]) if row else None

    def voucher_settled(self, signed: SignedVoucher) -> None:
        """Remember that this voucher is paid; no effect on one that came later."""
        voucher = signed.voucher
        with self._lock, self._db:
            self._db.execute(
                "UPDATE voucher SET settled = 1 WHERE job = ? AND gpu_seconds = ? AND status = ?",
                (voucher.job, voucher.cumulative_gpu_seconds, voucher.status),
            )

    def unsettled_vouchers(self) -> list[int]:
        """Jobs whose kept voucher is not settled, in order."""
        with self._lock:
            rows = self._db.execute(
                "SELECT job FROM voucher WHERE settled = 0 ORDER BY job"
            ).fetchall()
        return [int(row[0]) for row in rows]

    # --- identity ---------------------------------------------------------------------------

    def own_uuid(self) -> str:
        """A UUID drawn once, for a machine whose hardware has none."""
        with self._lock, self._db:
            self._db.execute(
                "INSERT OR IGNORE INTO setting VALUES ('uuid', ?)", (f"CPU-{uuid.uuid4()}",)
            )
            row = self._db.execute("SELECT value FROM setting WHERE name = 'uuid'").fetchone()
        return str(row[0])
