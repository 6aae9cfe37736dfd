"""Tables of an oracle's database. Hashes are 32 raw bytes, chain numbers 64-bit integers."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    false,
    true,
)

# 64 bits: SQLite calls them INTEGER, and numbers rows by no other type
Number = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# which chain and contracts this database belongs to
identity = Table(
    "identity",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)

devices = Table(
    "devices",
    metadata,
    Column("device", LargeBinary(32), primary_key=True),
    Column("provider", Number, nullable=False, index=True),
    Column("identity", LargeBinary(32), nullable=False),
    # 0 for a device that registered before claims were asked
    Column("claimed_ops_per_second", BigInteger, nullable=False, server_default="0"),
    Column("memory_mb", BigInteger, nullable=False),
    Column("inventory", JSON, nullable=False),
    Column("agent_url", String, nullable=False),
    Column("signature", LargeBinary(65), nullable=False),
)

# when this oracle first saw an epoch's beacon: the start of its attestation clock
sightings = Table(
    "sightings",
    metadata,
    Column("epoch", BigInteger, primary_key=True),
    Column("beacon", LargeBinary(32), primary_key=True),
    # the boot whose monotonic clock `seen_ns` was read from
    Column("boot", String, nullable=False),
    Column("seen_ns", BigInteger, nullable=False),
    # chain time between the beacon and the head it was first seen under
    Column("age_ms", BigInteger, nullable=False),
)

# fields of the signed `Challenge`, the secret whose hash is in it, and what the device claimed
challenges = Table(
    "challenges",
    metadata,
    Column("device", LargeBinary(32), primary_key=True),
    Column("seed", LargeBinary(32), primary_key=True),
    Column("provider", Number, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("mode", Number, nullable=False),
    # of a chain; entries, lanes, steps and depth of a walk
    Column("m", BigInteger, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("k", BigInteger, nullable=False),
    Column("rounds", Number, nullable=False),
    Column("queries", Number, nullable=False),
    Column("deadline_ms", BigInteger, nullable=False),
    Column("secret_hash", LargeBinary(32), nullable=False),
    Column("secret", LargeBinary(32), nullable=False),
    # 10^6 bytes; 0 where it was asked before claims were kept
    Column("memory_mb", BigInteger, nullable=False, server_default="0"),
    Column("sliced", Boolean, nullable=False, server_default=true()),
    Column("certified", Boolean, nullable=False, server_default=false()),
)

commits = Table(
    "commits",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    # struct hash of the message
    Column("commit", LargeBinary(32), nullable=False, unique=True),
    Column("device", LargeBinary(32), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("seed", LargeBinary(32), nullable=False),
    Column("provider", Number, nullable=False),
    # throughput, bandwidth, residency: see oracle.domain.attestation.Mode
    Column("mode", Number, nullable=False, server_default="0"),
    # of a chain; entries, lanes, steps and depth of a walk
    Column("m", BigInteger, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("k", BigInteger, nullable=False),
    Column("rounds", Number, nullable=False),
    # the root of a walk
    Column("final_seed", LargeBinary(32), nullable=False),
    # 32 bytes per round
    Column("roots", LargeBinary, nullable=False),
    Column("signature", LargeBinary(65), nullable=False),
    Column("elapsed_ms", BigInteger, nullable=False),
    # this oracle's verdict; null until the openings are checked
    Column("accepted", Boolean),
    Column("reason", String, nullable=False, server_default=""),
    Column("ops_per_second", BigInteger, nullable=False, server_default="0"),
    Column("bytes_per_second", BigInteger, nullable=False, server_default="0"),
    Column("openings", LargeBinary(32)),
    # what the operator key has signed as its answer
    Column("answer", LargeBinary(32)),
    Column("answer_signature", LargeBinary(65)),
    # hash of the evidence that came with it; null for a device that proves no identity
    Column("evidence", LargeBinary(32)),
    UniqueConstraint("device", "seed"),
    Index(None, "device", "epoch"),
    sqlite_autoincrement=True,
)

# what proved the identity of a device, by the hash that the registry has
evidence = Table(
    "evidence",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("device", LargeBinary(32), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("report", LargeBinary, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Index(None, "device", "epoch"),
)

# whose card was the first to show an attestation key: nobody else's may
attestation_keys = Table(
    "attestation_keys",
    metadata,
    Column("key", LargeBinary(32), primary_key=True),
    Column("identity", LargeBinary(32), nullable=False),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("device", LargeBinary(32), nullable=False),
    Column("seq", BigInteger, nullable=False),
    # struct hash of the message
    Column("digest", LargeBinary(32), nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("telemetry", JSON, nullable=False),
    Column("signature", LargeBinary(65), nullable=False),
    # chain time at arrival
    Column("arrived_at", BigInteger, nullable=False),
    Column("quarantined", Boolean, nullable=False),
    UniqueConstraint("device", "seq", "digest"),
    # coverage is worked out from this index alone
    Index(None, "device", "arrived_at", "quarantined"),
)

usage = Table(
    "usage",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    # address of the operator key that signed
    Column("machine", String, nullable=False),
    Column("job", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("cumulative_gpu_seconds", BigInteger, nullable=False),
    Column("status", Number, nullable=False),
    Column("telemetry", JSON, nullable=False),
    Column("signature", LargeBinary(65), nullable=False),
    Column("arrived_at", BigInteger, nullable=False),
    Column("quarantined", Boolean, nullable=False),
    UniqueConstraint("machine", "job", "seq", "digest"),
    Index(None, "job", "seq"),
)

# written BEFORE the key is used: one payload per key, for ever
intents = Table(
    "intents",
    metadata,
    Column("config", LargeBinary(32), primary_key=True),
    Column("consumer", String, primary_key=True),
    Column("subject", LargeBinary(32), primary_key=True),
    Column("round", BigInteger, primary_key=True),
    Column("payload", LargeBinary(32), nullable=False),
    # what the payload was derived from, so that another leader can adopt it
    Column("proposal", JSON),
)

# batches with a quorum that were left for the epoch's root
batches = Table(
    "batches",
    metadata,
    Column("epoch", BigInteger, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("receipts", LargeBinary, nullable=False),
    Column("signatures", LargeBinary, nullable=False),
)

# every signature over a report that this oracle has seen, its own included
statements = Table(
    "statements",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("config", LargeBinary(32), nullable=False),
    Column("consumer", String, nullable=False),
    Column("subject", LargeBinary(32), nullable=False),
    Column("round", BigInteger, nullable=False),
    Column("payload", LargeBinary(32), nullable=False),
    Column("oracle", String, nullable=False),
    Column("signature", LargeBinary(65), nullable=False),
    UniqueConstraint("config", "consumer", "subject", "round", "payload", "oracle"),
    sqlite_autoincrement=True,
)

# one row per intention to change the chain; see oracle.services.submit
submissions = Table(
    "submissions",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    # what is wanted, e.g. "beacon/12"; wanting it twice is one row
    Column("name", String, nullable=False, unique=True),
    Column("contract", String, nullable=False),
    Column("calldata", LargeBinary, nullable=False),
    # what the chain must say for this to be done; see oracle.services.submit.Goal
    Column("goal", JSON, nullable=False),
    # queued, sent, mined, final, refused
    Column("state", String, nullable=False, index=True),
    Column("reason", String, nullable=False, server_default=""),
    Column("nonce", BigInteger),
)

# every raw transaction ever signed for a submission, stored before it is broadcast
attempts = Table(
    "attempts",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("submission", Number, ForeignKey("submissions.id"), nullable=False, index=True),
    Column("nonce", BigInteger, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    # wei
    Column("max_fee", BigInteger, nullable=False),
    Column("priority_fee", BigInteger, nullable=False),
    # this machine's clock, seconds
    Column("sent_at", BigInteger, nullable=False),
)

# reports on epochs that this oracle has rebuilt
epochs = Table(
    "epochs",
    metadata,
    Column("report_hash", LargeBinary(32), primary_key=True),
    Column("from_epoch", BigInteger, nullable=False),
    Column("to_epoch", BigInteger, nullable=False, index=True),
    # fields of the EpochReport, hex and decimal strings
    Column("report", JSON, nullable=False),
    # block that its inputs were read at
    Column("block_number", BigInteger, nullable=False),
    Column("block_hash", LargeBinary(32), nullable=False),
    # name of the leaf file in the data directory
    Column("leaf_file", String, nullable=False),
)

# documents about jobs, and what this oracle makes of them
execution_receipts = Table(
    "execution_receipts",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    # keccak of the content
    Column("document", LargeBinary(32), nullable=False, unique=True),
    Column("job", BigInteger, nullable=False),
    # provider or oracle
    Column("issuer", String, nullable=False),
    Column("period", Number, nullable=False),
    # canonical JSON
    Column("content", LargeBinary, nullable=False),
    # pending, agreed, disputed, conflicting
    Column("state", String, nullable=False, index=True),
    Column("reason", String, nullable=False, server_default=""),
    # chain time at arrival
    Column("arrived_at", BigInteger, nullable=False),
    Index(None, "job", "issuer", "period"),
)

execution_signatures = Table(
    "execution_signatures",
    metadata,
    Column(
        "document", LargeBinary(32), ForeignKey("execution_receipts.document"), primary_key=True
    ),
    # provider, customer or oracle
    Column("role", String, primary_key=True),
    Column("signer", String, primary_key=True),
    Column("signature", LargeBinary(65), nullable=False),
)

# what providers sell; of several with one nonce the last to arrive counts
offers = Table(
    "offers",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    # the OfferBook that it was signed for
    Column("book", String, nullable=False),
    # struct hash of the message
    Column("hash", LargeBinary(32), nullable=False),
    Column("provider", Number, nullable=False),
    Column("device_class", Number, nullable=False),
    Column("gpus", Number, nullable=False),
    Column("sla", Number, nullable=False),
    Column("min_seconds", BigInteger, nullable=False),
    Column("max_seconds", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("nonce", BigInteger, nullable=False),
    Column("asset", String, nullable=False),
    # big endian, so that bytes compare as the numbers do
    Column("price", LargeBinary(32), nullable=False),
    Column("terms", LargeBinary(32), nullable=False),
    Column("signer", String, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    UniqueConstraint("book", "hash"),
    Index(None, "provider", "nonce"),
    Index(None, "price", "id"),
    sqlite_autoincrement=True,
)
