"""The oracle's records in its database: one method per question a use case asks.

Every method that writes returns after its commit is on the disk.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, fields
from itertools import takewhile
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    String,
    Table,
    and_,
    cast,
    delete,
    func,
    or_,
    select,
    update,
)

from oracle.adapters.store import tables
from oracle.adapters.store.database import Database, insert
from oracle.api.schemas import ExecutionReceiptBody
from oracle.domain import messages
from oracle.domain.admission import Claim
from oracle.domain.attestation import Mode
from oracle.domain.evidence import Evidence
from oracle.domain.execution import ReceiptSignature, Role, SignedReceipt
from oracle.domain.hashing import keccak
from oracle.domain.offers import ListedOffer, SignedOffer, Wanted
from oracle.domain.proposals import SignedBatch
from oracle.domain.receipts import JobStatus
from oracle.domain.records import (
    NO_EVIDENCE,
    Attempt,
    Beat,
    Challenge,
    ClosedEpoch,
    Counts,
    Device,
    FiledReceipt,
    Outcome,
    ReceiptState,
    Reported,
    Sample,
    Sighting,
    Statement,
    StoredCommit,
    Submission,
    SubmissionState,
)
from oracle.errors import Fatal, Misconfigured, NotFound

_ROOT_BYTES = 32
_PRICE_BYTES = 32


class Store:
    """All tables of one oracle."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, identity: Mapping[str, str]) -> None:
        """Bind a fresh database to a chain and its contracts.

        Raises `Misconfigured` for a database that belongs to others: its intents would be
        read as this chain's.
        """
        with self._database.write() as connection:
            rows = connection.execute(select(tables.identity)).all()
            stored = {row.key: row.value for row in rows}
            if not stored:
                values = [{"key": key, "value": value} for key, value in identity.items()]
                connection.execute(insert(connection, tables.identity), values)
            elif stored != dict(identity):
                raise Misconfigured(
                    f"the database belongs to {stored}, this is {dict(identity)}",
                    "Name another CLEARWORK_DATABASE, or move the old file away.",
                )

    def counts(self) -> Counts:
        """How much there is of everything, for the metrics."""
        watched = (
            tables.devices,
            tables.commits,
            tables.heartbeats,
            tables.usage,
            tables.statements,
            tables.epochs,
            tables.execution_receipts,
            tables.offers,
        )
        state = tables.submissions.c.state
        with self._database.read() as connection:
            rows = {
                table.name: connection.scalar(select(func.count()).select_from(table)) or 0
                for table in watched
            }
            by_state = connection.execute(select(state, func.count()).group_by(state)).all()
        return Counts(rows, {row[0]: row[1] for row in by_state})

    # --- devices ------------------------------------------------------------------------------

    def save_device(self, device: Device) -> None:
        """Enter a device, or replace what is known about it."""
        values = {
            "device": device.device,
            "provider": device.provider,
            "identity": device.identity,
            "claimed_ops_per_second": device.claimed_ops_per_second,
            "memory_mb": device.memory_mb,
            "inventory": dict(device.inventory),
            "agent_url": device.agent_url,
            "signature": device.signature,
        }
        with self._database.write() as connection:
            connection.execute(
                insert(connection, tables.devices)
                .values(values)
                .on_conflict_do_update(index_elements=["device"], set_=values)
            )

    def device(self, device: bytes) -> Device | None:
        """One device, None where it never registered."""
        query = select(tables.devices).where(tables.devices.c.device == device)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return _device(row) if row else None

    def devices(
        self, provider: int | None = None, after: bytes = b"", limit: int | None = None
    ) -> list[Device]:
        """Devices behind id `after`, in order: all of them or `limit`, of all providers or one."""
        query = select(tables.devices).order_by(tables.devices.c.device).limit(limit)
        if after:
            query = query.where(tables.devices.c.device > after)
        if provider is not None:
            query = query.where(tables.devices.c.provider == provider)
        with self._database.read() as connection:
            return [_device(row) for row in connection.execute(query)]

    # --- attestation --------------------------------------------------------------------------

    def save_sighting(self, sighting: Sighting) -> None:
        """Keep when a beacon was first seen; a later sighting of the same one is ignored."""
        values = {
            "epoch": sighting.epoch,
            "beacon": sighting.beacon,
            "boot": sighting.boot,
            "seen_ns": sighting.seen_ns,
            "age_ms": sighting.age_ms,
        }
        with self._database.write() as connection:
            connection.execute(
                insert(connection, tables.sightings).values(values).on_conflict_do_nothing()
            )

    def sighting(self, epoch: int, beacon: bytes) -> Sighting | None:
        """When this beacon was first seen, None if it was not."""
        columns = tables.sightings.c
        query = select(tables.sightings).where(columns.epoch == epoch, columns.beacon == beacon)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return Sighting(row.epoch, row.beacon, row.boot, row.seen_ns, row.age_ms) if row else None

    def challenge(self, device: bytes, seed: bytes) -> Challenge | None:
        """The challenge that a device has for a seed."""
        columns = tables.challenges.c
        query = select(tables.challenges).where(columns.device == device, columns.seed == seed)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return _challenge(row) if row else None

    def open_challenge(self, challenge: Challenge) -> Challenge:
        """Store a challenge unless its device has one for this seed; returns the one that counts.

        There is one in the database before anybody sees it, so all repetitions are the same.
        """
        message = challenge.message
        columns = tables.challenges.c
        where = and_(columns.device == message.device, columns.seed == message.seed)
        values = {**asdict(message), "secret": challenge.secret, **asdict(challenge.claim)}
        with self._database.write() as connection:
            connection.execute(
                insert(connection, tables.challenges).values(values).on_conflict_do_nothing()
            )
            return _challenge(connection.execute(select(tables.challenges).where(where)).one())

    def save_commit(self, commit: StoredCommit) -> StoredCommit:
        """Store a commit unless its device has one for this seed; returns the one that counts."""
        message = commit.message
        columns = tables.commits.c
        # all commits have the same fields in the same order, by other names
        names = (field.name for field in fields(messages.Commit))
        values = {
            **dict(zip(names, astuple(message), strict=True)),
            "commit": commit.commit,
            "mode": commit.mode,
            "roots": b"".join(commit.roots),
            "signature": commit.signature,
            "elapsed_ms": commit.elapsed_ms,
        }
        where = and_(columns.device == message.device, columns.seed == message.seed)
        with self._database.write() as connection:
            connection.execute(
                insert(connection, tables.commits).values(values).on_conflict_do_nothing()
            )
            return _commit(connection.execute(select(tables.commits).where(where)).one())

    def commit(self, commit: bytes) -> StoredCommit | None:
        """A commit by its struct hash."""
        return self._commit_where(tables.commits.c.commit == commit)

    def commit_for(self, device: bytes, epoch: int) -> StoredCommit | None:
        """The newest commit of a device in an epoch."""
        columns = tables.commits.c
        return self._commit_where(and_(columns.device == device, columns.epoch == epoch))

    def _commit_where(self, condition: Any) -> StoredCommit | None:
        query = select(tables.commits).where(condition).order_by(tables.commits.c.id.desc())
        with self._database.read() as connection:
            row = connection.execute(query.limit(1)).one_or_none()
        return _commit(row) if row else None

    def save_verdict(
        self, commit: StoredCommit, evidence: Evidence | None = None, keep_from: int = 0
    ) -> StoredCommit:
        """Store the verdict on a commit; returns the one that stands, which is the first.

        `evidence` is kept with a verdict that accepts; its device's of epochs before
        `keep_from` goes.
        """
        columns = tables.commits.c
        with self._database.write() as connection:
            changed = connection.execute(
                update(tables.commits)
                .where(columns.commit == commit.commit, columns.accepted.is_(None))
                .values(
                    accepted=commit.accepted,
                    reason=commit.reason,
                    ops_per_second=commit.ops_per_second,
                    bytes_per_second=commit.bytes_per_second,
                    openings=commit.openings,
                    answer=commit.answer,
                    answer_signature=commit.answer_signature,
                    evidence=None if commit.evidence == NO_EVIDENCE else commit.evidence,
                )
            )
            if changed.rowcount and commit.accepted and evidence is not None:
                _save_evidence(connection, commit, evidence, keep_from)
            query = select(tables.commits).where(columns.commit == commit.commit)
            return _commit(connection.execute(query).one())

    def evidence(self, evidence_hash: bytes) -> Evidence | None:
        """Evidence by its hash, as it stands in the registry."""
        query = select(tables.evidence).where(tables.evidence.c.hash == evidence_hash)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return Evidence(row.report, row.chain) if row else None

    def bind_key(self, key: bytes, identity: bytes) -> bytes:
        """Bind an attestation key to a card's identity for ever; returns the one it is bound to.

        That is another card's where the key was bound before.
        """
        columns = tables.attestation_keys.c
        values = {"key": key, "identity": identity}
        with self._database.write() as connection:
            connection.execute(
                insert(connection, tables.attestation_keys).values(values).on_conflict_do_nothing()
            )
            query = select(columns.identity).where(columns.key == key)
            bound: bytes = connection.scalars(query).one()
        return bound

    def commits(self, after: int, limit: int, *, walks: bool = False) -> list[StoredCommit]:
        """Commits to chains, or to walks, in order of arrival, those behind position `after`."""
        columns = tables.commits.c
        is_walk = columns.mode == Mode.RESIDENCY
        wanted = and_(columns.id > after, is_walk if walks else ~is_walk)
        query = select(tables.commits).where(wanted).order_by(columns.id).limit(limit)
        with self._database.read() as connection:
            return [_commit(row) for row in connection.execute(query)]

    def accepted(self, epoch: int) -> dict[bytes, int]:
        """Operations bounds of the devices whose chain of this epoch held, ascending by device."""
        columns = tables.commits.c
        query = (
            select(columns.device, columns.ops_per_second)
            .where(
                columns.epoch == epoch,
                columns.accepted.is_(True),
                columns.mode == Mode.THROUGHPUT,
            )
            .order_by(columns.device)
        )
        with self._database.read() as connection:
            return {row.device: row.ops_per_second for row in connection.execute(query)}

    def failures(self, device: bytes, before: int, most: int) -> tuple[int, int]:
        """How many of a device's newest commits, of epochs before `before`, came to nothing in a
        row, at most `most`, and the epoch of the last of them (0 for none).

        Refused ones, and those whose query was never answered.
        """
        columns = tables.commits.c
        query = (
            select(columns.epoch, columns.accepted)
            .where(columns.device == device, columns.epoch < before)
            .order_by(columns.epoch.desc(), columns.id.desc())
            .limit(most)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        failed = list(takewhile(lambda row: not row.accepted, rows))
        return len(failed), failed[0].epoch if failed else 0

    # --- telemetry ----------------------------------------------------------------------------

    def save_heartbeats(self, beats: Sequence[Beat], arrived_at: int) -> list[Outcome]:
        """Store heartbeats in one transaction; `arrived_at` is chain time."""
        with self._database.write() as connection:
            return [
                _save_once(
                    connection,
                    tables.heartbeats,
                    {"device": beat.message.device, "seq": beat.message.seq},
                    {
                        "digest": beat.message.struct_hash(),
                        "timestamp": beat.message.timestamp,
                        "telemetry": dict(beat.telemetry),
                        "signature": beat.signature,
                        "arrived_at": arrived_at,
                    },
                )
                for beat in beats
            ]

    def save_usage(self, samples: Sequence[tuple[str, Sample]], arrived_at: int) -> list[Outcome]:
        """Store usage samples, each with the operator key that signed it, in one transaction."""
        with self._database.write() as connection:
            return [
                _save_once(
                    connection,
                    tables.usage,
                    {"machine": machine, "job": sample.message.job, "seq": sample.message.seq},
                    {
                        "digest": sample.message.struct_hash(),
                        "timestamp": sample.message.timestamp,
                        "cumulative_gpu_seconds": sample.message.cumulative_gpu_seconds,
                        "status": sample.message.status,
                        "telemetry": dict(sample.telemetry),
                        "signature": sample.signature,
                        "arrived_at": arrived_at,
                    },
                )
                for machine, sample in samples
            ]

    def beats(
        self, devices: Iterable[bytes] | None = None, *, since: int
    ) -> dict[bytes, Sequence[int]]:
        """Arrival times of heartbeats from chain time `since` on, in any order, by device.

        Of the `devices`, or of all. The database joins the times of a device, because a row per
        heartbeat would cost three times as much.
        """
        columns = tables.heartbeats.c
        times = func.aggregate_strings(cast(columns.arrived_at, String), ",")
        query = (
            select(columns.device, times)
            .where(columns.arrived_at >= since, columns.quarantined.is_(False))
            .group_by(columns.device)
        )
        if devices is not None:
            query = query.where(columns.device.in_(list(devices)))
        with self._database.read() as connection:
            return {
                device: array("q", map(int, joined.split(",")))
                for device, joined in connection.execute(query)
            }

    def last_beat(self, device: bytes, until: int | None = None) -> int | None:
        """Chain time at which a device was last heard of, at `until` or before."""
        columns = tables.heartbeats.c
        query = select(func.max(columns.arrived_at)).where(columns.device == device)
        if until is not None:
            query = query.where(columns.arrived_at <= until)
        with self._database.read() as connection:
            found: int | None = connection.scalar(query)
        return found

    def reported(self, job: int | None = None) -> list[Reported]:
        """Per job, or of one job, the sample with the highest sequence number that is not
        quarantined."""
        columns = tables.usage.c
        wanted = [] if job is None else [columns.job == job]
        newest = (
            select(columns.job, func.max(columns.seq).label("seq"))
            .where(columns.quarantined.is_(False), *wanted)
            .group_by(columns.job)
            .subquery()
        )
        query = (
            select(tables.usage)
            .join(newest, and_(columns.job == newest.c.job, columns.seq == newest.c.seq))
            .where(columns.quarantined.is_(False))
            .order_by(columns.job, columns.id)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        by_job = {
            row.job: Reported(row.job, row.cumulative_gpu_seconds, row.status, row.arrived_at)
            for row in rows
        }
        return list(by_job.values())

    def first_beyond(self, job: int, settled: int, final: bool) -> int | None:
        """Chain time at which the first sample arrived that the chain does not reflect yet.

        That is one with more than `settled` GPU-seconds, or with a final status where the
        chain has none.
        """
        columns = tables.usage.c
        beyond = columns.cumulative_gpu_seconds > settled
        if not final:
            beyond = or_(beyond, columns.status >= JobStatus.COMPLETED)
        query = select(func.min(columns.arrived_at)).where(
            columns.job == job, beyond, columns.quarantined.is_(False)
        )
        with self._database.read() as connection:
            found: int | None = connection.scalar(query)
        return found

    # --- execution receipts -------------------------------------------------------------------

    def file_receipt(self, signed: SignedReceipt, state: ReceiptState, arrived_at: int) -> Outcome:
        """Store a receipt, or what signatures are new of one that is stored.

        One document per issuer, job and period counts: the first. The second is kept as
        `CONFLICTING`, because two signed documents prove that the issuer said two things; any
        further one would prove no more and is not stored. Both give `QUARANTINED`.
        """
        receipt = signed.receipt
        columns = tables.execution_receipts.c
        key = {"job": receipt.job, "issuer": str(receipt.issuer), "period": receipt.period}
        query = select(columns.document, columns.state).where(
            *(columns[name] == value for name, value in key.items())
        )
        with self._database.write() as connection:
            states = {row.document: row.state for row in connection.execute(query)}
            if receipt.hash not in states:
                if len(states) > 1:
                    return Outcome.QUARANTINED
                state = ReceiptState.CONFLICTING if states else state
                values = {
                    **key,
                    "document": receipt.hash,
                    "content": receipt.canonical(),
                    "state": state,
                    "arrived_at": arrived_at,
                }
                connection.execute(insert(connection, tables.execution_receipts).values(values))
                states[receipt.hash] = state
            new = sum(_sign_receipt(connection, receipt.hash, one) for one in signed.signatures)
        if states[receipt.hash] == ReceiptState.CONFLICTING:
            return Outcome.QUARANTINED
        return Outcome.STORED if new else Outcome.DUPLICATE

    def judge_receipt(
        self,
        document: bytes,
        state: ReceiptState,
        reason: str = "",
        signature: ReceiptSignature | None = None,
    ) -> None:
        """Record what this oracle makes of a receipt, with its signature where it agrees."""
        table = tables.execution_receipts
        with self._database.write() as connection:
            connection.execute(
                update(table).where(table.c.document == document).values(state=state, reason=reason)
            )
            if signature is not None:
                _sign_receipt(connection, document, signature)

    def receipt(self, document: bytes) -> FiledReceipt | None:
        """A receipt by its hash."""
        found = self._receipts(tables.execution_receipts.c.document == document)
        return found[0] if found else None

    def receipts(self, job: int) -> list[FiledReceipt]:
        """All receipts of a job, in order of arrival."""
        return self._receipts(tables.execution_receipts.c.job == job)

    def pending_receipts(self, after: int, limit: int) -> list[FiledReceipt]:
        """Receipts that are not judged yet in order of arrival, those behind position `after`."""
        columns = tables.execution_receipts.c
        return self._receipts(
            and_(columns.state == ReceiptState.PENDING, columns.id > after), limit
        )

    def _receipts(self, condition: Any, limit: int | None = None) -> list[FiledReceipt]:
        table = tables.execution_receipts
        query = select(table).where(condition).order_by(table.c.id).limit(limit)
        columns = tables.execution_signatures.c
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            documents = [row.document for row in rows]
            signatures: dict[bytes, list[ReceiptSignature]] = {one: [] for one in documents}
            for one in connection.execute(
                select(tables.execution_signatures).where(columns.document.in_(documents))
            ):
                signatures[one.document].append(
                    ReceiptSignature(Role(one.role), one.signer, one.signature)
                )
        return [_filed_receipt(row, signatures[row.document]) for row in rows]

    # --- offers -------------------------------------------------------------------------------

    def save_offer(self, book: str, signed: SignedOffer) -> int:
        """Store an offer signed for an offer book, unless it is stored; returns its position."""
        offer = signed.offer
        columns = tables.offers.c
        values = {
            "book": book,
            "hash": offer.struct_hash(),
            "provider": offer.provider,
            "device_class": offer.device_class,
            "gpus": offer.gpus,
            "sla": offer.sla,
            "min_seconds": offer.min_seconds,
            "max_seconds": offer.max_seconds,
            "expires_at": offer.expires_at,
            "nonce": offer.nonce,
            "asset": offer.asset,
            "price": _price(offer.price_per_gpu_hour),
            "terms": offer.terms,
            "signer": signed.signer,
            "signature": signed.signature,
        }
        query = select(columns.id).where(columns.book == book, columns.hash == values["hash"])
        with self._database.write() as connection:
            connection.execute(
                insert(connection, tables.offers).values(values).on_conflict_do_nothing()
            )
            return int(connection.scalars(query).one())

    def has_offer(self, book: str, offer: messages.Offer) -> bool:
        """Whether an offer is stored."""
        columns = tables.offers.c
        query = select(columns.id).where(columns.book == book, columns.hash == offer.struct_hash())
        with self._database.read() as connection:
            return connection.scalar(query) is not None

    def offers_of(self, book: str, provider: int) -> list[ListedOffer]:
        """All offers of a provider, in order of arrival."""
        columns = tables.offers.c
        query = (
            select(tables.offers)
            .where(columns.book == book, columns.provider == provider)
            .order_by(columns.id)
        )
        with self._database.read() as connection:
            return [_offer(row) for row in connection.execute(query)]

    def offers(
        self, book: str, wanted: Wanted, now: int, after: int, limit: int
    ) -> list[ListedOffer]:
        """Offers that have not expired at chain time `now`, the cheapest first.

        Of several with one nonce only the last to arrive. A page starts behind the offer at
        position `after`; raises `NotFound` where there is none any more.
        """
        columns = tables.offers.c
        is_open = and_(columns.book == book, columns.expires_at > now)
        newest = (
            select(func.max(columns.id)).where(is_open).group_by(columns.provider, columns.nonce)
        )
        conditions = [columns.id.in_(newest), columns.gpus >= wanted.min_gpus]
        if wanted.provider is not None:
            conditions.append(columns.provider == wanted.provider)
        if wanted.device_class is not None:
            conditions.append(columns.device_class == wanted.device_class)
        if wanted.asset is not None:
            conditions.append(columns.asset == wanted.asset)
        if wanted.max_price is not None:
            conditions.append(columns.price <= _price(wanted.max_price))
        with self._database.read() as connection:
            if after:
                price = connection.scalar(select(columns.price).where(columns.id == after))
                if price is None:
                    raise NotFound(f"offer {after} is gone", "Start again at the first page.")
                conditions.append(
                    or_(columns.price > price, and_(columns.price == price, columns.id > after))
                )
            query = (
                select(tables.offers)
                .where(*conditions)
                .order_by(columns.price, columns.id)
                .limit(limit)
            )
            return [_offer(row) for row in connection.execute(query)]

    def forget_offers(self, positions: Iterable[int]) -> None:
        """Drop offers."""
        with self._database.write() as connection:
            connection.execute(delete(tables.offers).where(tables.offers.c.id.in_(list(positions))))

    def forget_expired_offers(self, now: int) -> None:
        """Drop offers that have expired at chain time `now`."""
        with self._database.write() as connection:
            connection.execute(delete(tables.offers).where(tables.offers.c.expires_at <= now))

    # --- signatures ---------------------------------------------------------------------------

    def bind(self, report: messages.Report, proposal: Mapping[str, Any] | None) -> bytes:
        """Bind a report's key to its payload for ever; returns the payload the key is bound to.

        That is another than the report's where the key was bound before.
        """
        key = {
            "config": report.config,
            "consumer": report.consumer,
            "subject": report.subject,
            "round": report.round,
        }
        columns = tables.intents.c
        values = {**key, "payload": report.payload, "proposal": proposal}
        with self._database.write() as connection:
            connection.execute(
                insert(connection, tables.intents).values(values).on_conflict_do_nothing()
            )
            query = select(columns.payload).where(*(columns[k] == v for k, v in key.items()))
            bound: bytes = connection.scalars(query).one()
        return bound

    def bound_proposal(
        self, config: bytes, consumer: str, subject: bytes, round_: int
    ) -> dict[str, Any] | None:
        """What the payload of a bound key was derived from; None while the key is free."""
        columns = tables.intents.c
        query = select(columns.proposal).where(
            columns.config == config,
            columns.consumer == consumer,
            columns.subject == subject,
            columns.round == round_,
        )
        with self._database.read() as connection:
            found: dict[str, Any] | None = connection.scalars(query).one_or_none()
        return found

    def save_statements(self, statements: Iterable[Statement]) -> None:
        """Publish signatures; those known already are ignored."""
        values = [
            {
                "config": statement.report.config,
                "consumer": statement.report.consumer,
                "subject": statement.report.subject,
                "round": statement.report.round,
                "payload": statement.report.payload,
                "oracle": statement.oracle,
                "signature": statement.signature,
            }
            for statement in statements
        ]
        if values:
            with self._database.write() as connection:
                connection.execute(
                    insert(connection, tables.statements).on_conflict_do_nothing(), values
                )

    def statements(self, after: int, limit: int) -> list[Statement]:
        """Signatures in order of arrival, those behind position `after`."""
        columns = tables.statements.c
        query = (
            select(tables.statements).where(columns.id > after).order_by(columns.id).limit(limit)
        )
        with self._database.read() as connection:
            return [
                Statement(
                    messages.Report(row.config, row.consumer, row.subject, row.round, row.payload),
                    row.oracle,
                    row.signature,
                    row.id,
                )
                for row in connection.execute(query)
            ]

    # --- batches left for the root --------------------------------------------------------------

    def keep_batch(self, batch: SignedBatch) -> None:
        """Keep a signed batch; one of the same number is replaced."""
        values = {
            "epoch": batch.epoch,
            "number": batch.index,
            "receipts": batch.receipts,
            "signatures": batch.signatures,
        }
        with self._database.write() as connection:
            connection.execute(
                insert(connection, tables.batches)
                .values(values)
                .on_conflict_do_update(index_elements=["epoch", "number"], set_=values)
            )

    def batches(self, until: int) -> list[SignedBatch]:
        """The kept batches of the epochs up to `until`."""
        columns = tables.batches.c
        query = select(tables.batches).where(columns.epoch <= until)
        with self._database.read() as connection:
            return [
                SignedBatch(row.epoch, row.number, row.receipts, row.signatures)
                for row in connection.execute(query)
            ]

    def forget_batches(self, until: int) -> None:
        """Drop the kept batches of the epochs up to `until`."""
        with self._database.write() as connection:
            connection.execute(delete(tables.batches).where(tables.batches.c.epoch <= until))

    # --- submissions --------------------------------------------------------------------------

    def save_submission(
        self, name: str, contract: str, calldata: bytes, goal: Mapping[str, Any]
    ) -> None:
        """Queue a transaction, unless one of this name is on its way or done.

        One that was refused is queued anew.
        """
        columns = tables.submissions.c
        values = {
            "name": name,
            "contract": contract,
            "calldata": calldata,
            "goal": dict(goal),
            "state": SubmissionState.QUEUED,
            "reason": "",
            "nonce": None,
        }
        with self._database.write() as connection:
            connection.execute(
                insert(connection, tables.submissions)
                .values(values)
                .on_conflict_do_update(
                    index_elements=["name"],
                    set_=values,
                    where=columns.state == SubmissionState.REFUSED,
                )
            )

    def open_submissions(self) -> list[Submission]:
        """Submissions that are neither final nor refused, oldest first."""
        columns = tables.submissions.c
        done = (SubmissionState.FINAL, SubmissionState.REFUSED)
        query = select(tables.submissions).where(columns.state.not_in(done)).order_by(columns.id)
        with self._database.read() as connection:
            return [
                Submission(
                    row.id,
                    row.name,
                    row.contract,
                    row.calldata,
                    row.goal,
                    SubmissionState(row.state),
                    row.nonce,
                )
                for row in connection.execute(query)
            ]

    def submission_state(self, name: str) -> SubmissionState | None:
        """How far a submission has got, None where it was never wanted."""
        columns = tables.submissions.c
        with self._database.read() as connection:
            state = connection.scalar(select(columns.state).where(columns.name == name))
        return None if state is None else SubmissionState(state)

    def move_submission(self, submission: int, state: SubmissionState, reason: str = "") -> None:
        """Record how far a submission has got; back in the queue it gives its nonce up."""
        values: dict[str, Any] = {"state": state, "reason": reason}
        if state is SubmissionState.QUEUED:
            values["nonce"] = None
        columns = tables.submissions.c
        with self._database.write() as connection:
            connection.execute(
                update(tables.submissions).where(columns.id == submission).values(values)
            )

    def save_attempt(self, submission: int, attempt: Attempt) -> None:
        """Store a signed transaction before it is broadcast, and move its submission to sent."""
        columns = tables.submissions.c
        with self._database.write() as connection:
            connection.execute(
                insert(connection, tables.attempts).values(
                    hash=attempt.hash,
                    submission=submission,
                    nonce=attempt.nonce,
                    raw=attempt.raw,
                    max_fee=attempt.max_fee,
                    priority_fee=attempt.priority_fee,
                    sent_at=attempt.sent_at,
                )
            )
            connection.execute(
                update(tables.submissions)
                .where(columns.id == submission)
                .values(state=SubmissionState.SENT, nonce=attempt.nonce)
            )

    def attempts(self, submission: Submission) -> list[Attempt]:
        """The transactions signed at the submission's present nonce, the newest last."""
        columns = tables.attempts.c
        query = (
            select(tables.attempts)
            .where(columns.submission == submission.id, columns.nonce == submission.nonce)
            .order_by(columns.max_fee)
        )
        with self._database.read() as connection:
            return [
                Attempt(r.hash, r.nonce, r.raw, r.max_fee, r.priority_fee, r.sent_at)
                for r in connection.execute(query)
            ]

    # --- epochs -------------------------------------------------------------------------------

    def save_epoch(self, epoch: ClosedEpoch) -> None:
        """Store a rebuilt report; the same one again changes nothing."""
        values = {
            "report_hash": epoch.report_hash,
            "from_epoch": epoch.report.from_epoch,
            "to_epoch": epoch.report.to_epoch,
            "report": _report_json(epoch.report),
            "block_number": epoch.block_number,
            "block_hash": epoch.block_hash,
            "leaf_file": epoch.leaf_file,
        }
        with self._database.write() as connection:
            connection.execute(
                insert(connection, tables.epochs).values(values).on_conflict_do_nothing()
            )

    def epoch(self, report_hash: bytes) -> ClosedEpoch | None:
        """A rebuilt report by its struct hash."""
        query = select(tables.epochs).where(tables.epochs.c.report_hash == report_hash)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return _closed_epoch(row) if row else None

    def epochs(self, limit: int) -> list[ClosedEpoch]:
        """Rebuilt reports, the newest first."""
        query = select(tables.epochs).order_by(tables.epochs.c.to_epoch.desc()).limit(limit)
        with self._database.read() as connection:
            return [_closed_epoch(row) for row in connection.execute(query)]


def _save_once(
    connection: Connection, table: Table, key: dict[str, Any], body: dict[str, Any]
) -> Outcome:
    """Insert a row under a key that may hold one body only; two bodies quarantine each other."""
    columns = table.c
    same_key = and_(*(columns[name] == value for name, value in key.items()))
    rows = connection.execute(select(columns.digest, columns.quarantined).where(same_key)).all()
    for row in rows:
        if row.digest == body["digest"]:
            return Outcome.QUARANTINED if row.quarantined else Outcome.DUPLICATE
    connection.execute(insert(connection, table).values(**key, **body, quarantined=bool(rows)))
    if not rows:
        return Outcome.STORED
    connection.execute(update(table).where(same_key).values(quarantined=True))
    return Outcome.QUARANTINED


def _sign_receipt(connection: Connection, document: bytes, one: ReceiptSignature) -> int:
    """Store a signature over a receipt; how many rows that made."""
    values = {
        "document": document,
        "role": str(one.role),
        "signer": one.signer,
        "signature": one.signature,
    }
    table = tables.execution_signatures
    return connection.execute(
        insert(connection, table).values(values).on_conflict_do_nothing()
    ).rowcount


def _filed_receipt(row: Row[Any], signatures: Iterable[ReceiptSignature]) -> FiledReceipt:
    if keccak(row.content) != row.document:
        raise Fatal(
            f"execution receipt {row.id} in the database is not what was stored",
            "Stop, keep the file for an examination, and restore a backup.",
        )
    receipt = ExecutionReceiptBody.model_validate_json(row.content).receipt()
    # in this order here, because databases differ on how text compares
    ordered = sorted(signatures, key=lambda one: (one.role, one.signer))
    signed = SignedReceipt(receipt, tuple(ordered))
    return FiledReceipt(signed, ReceiptState(row.state), row.reason, row.arrived_at, row.id)


def _price(price: int) -> bytes:
    return price.to_bytes(_PRICE_BYTES, "big")


def _offer(row: Row[Any]) -> ListedOffer:
    offer = messages.Offer(
        row.provider,
        row.device_class,
        row.gpus,
        row.sla,
        row.min_seconds,
        row.max_seconds,
        row.expires_at,
        row.nonce,
        row.asset,
        int.from_bytes(row.price, "big"),
        row.terms,
    )
    if offer.struct_hash() != row.hash:
        raise Fatal(
            f"offer {row.id} in the database is not what was stored",
            "Stop, keep the file for an examination, and restore a backup.",
        )
    return ListedOffer(SignedOffer(offer, row.signer, row.signature), row.id)


def _device(row: Row[Any]) -> Device:
    return Device(
        row.device,
        row.provider,
        row.identity,
        row.claimed_ops_per_second,
        row.memory_mb,
        row.inventory,
        row.agent_url,
        row.signature,
    )


def _challenge(row: Row[Any]) -> Challenge:
    names = [field.name for field in fields(messages.Challenge)]
    return Challenge(
        messages.Challenge(**{name: getattr(row, name) for name in names}),
        row.secret,
        Claim(row.memory_mb, row.sliced, row.certified),
    )


def _save_evidence(
    connection: Connection, commit: StoredCommit, evidence: Evidence, keep_from: int
) -> None:
    columns = tables.evidence.c
    device, epoch = commit.message.device, commit.message.epoch
    connection.execute(
        delete(tables.evidence).where(columns.device == device, columns.epoch < keep_from)
    )
    values = {
        "hash": commit.evidence,
        "device": device,
        "epoch": epoch,
        "report": evidence.report,
        "chain": evidence.chain,
    }
    connection.execute(insert(connection, tables.evidence).values(values).on_conflict_do_nothing())


def _commit(row: Row[Any]) -> StoredCommit:
    kind = messages.WalkCommit if row.mode == Mode.RESIDENCY else messages.Commit
    message = kind(
        row.provider,
        row.device,
        row.epoch,
        row.seed,
        row.m,
        row.n,
        row.k,
        row.rounds,
        row.final_seed,
    )
    if message.struct_hash() != row.commit:
        raise Fatal(
            f"commit {row.id} in the database is not what was stored",
            "Stop, keep the file for an examination, and restore a backup.",
        )
    roots = tuple(
        row.roots[start : start + _ROOT_BYTES] for start in range(0, len(row.roots), _ROOT_BYTES)
    )
    return StoredCommit(
        message,
        Mode(row.mode),
        roots,
        row.signature,
        row.elapsed_ms,
        row.accepted,
        row.reason,
        row.ops_per_second,
        row.bytes_per_second,
        row.openings,
        row.answer,
        row.answer_signature,
        row.evidence or NO_EVIDENCE,
        row.id,
    )


def _report_json(report: messages.EpochReport) -> dict[str, str]:
    """Fields as text: a uint256 is more than JSON readers keep."""
    return {
        name: value.hex() if isinstance(value, bytes) else str(value)
        for name, value in asdict(report).items()
    }


def _closed_epoch(row: Row[Any]) -> ClosedEpoch:
    types = {field.name: field.type for field in fields(messages.EpochReport)}
    values: dict[str, Any] = {
        name: bytes.fromhex(text) if types[name] is bytes else int(text)
        for name, text in row.report.items()
    }
    report = messages.EpochReport(**values)
    return ClosedEpoch(report, row.block_number, row.block_hash, row.leaf_file)
