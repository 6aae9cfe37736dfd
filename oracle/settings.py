"""Everything an oracle's operator can set, in one place.

Each option is an environment variable with the prefix `CLEARWORK_`, e.g. `CLEARWORK_RPC_URLS`,
or a line of a file named by `--env-file`. No option holds a secret: keys live in encrypted
files, and a database's password in libpq's password file. Where a database URL has one all the
same, it is never shown.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, InstanceOf, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from oracle.errors import Misconfigured

_POSTGRESQL = "postgresql://"


def database_url(value: str) -> URL:
    """The URL of a database; raises `ValueError`, which never quotes it for its password."""
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.drivername != "postgresql" or not url.database:
        raise ValueError(
            f"write {_POSTGRESQL}user@host:port/database, special characters as %-escapes"
        )
    return url


def _place(value: object) -> object:
    is_url = isinstance(value, str) and value.startswith(_POSTGRESQL)
    return database_url(str(value)) if is_url else value


_List = Annotated[list[str], NoDecode]
_Place = Annotated[Path | InstanceOf[URL], BeforeValidator(_place), NoDecode]
_Modes = Annotated[list[Literal["throughput", "bandwidth", "residency"]], NoDecode]


class WorkerSettings(BaseSettings):
    """Configuration of a worker, which needs no more than the database."""

    model_config = SettingsConfigDict(
        env_prefix="CLEARWORK_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    database: _Place = Field(
        Path("oracle.db"),
        description="SQLite file, or postgresql://user@host:port/database; a password is better "
        "kept in the file that the URL's ?passfile= names",
    )
    verify_workers: int | None = Field(
        None,
        ge=0,
        description="processes that check openings; one per core by default, 0: none, a thread of "
        "this process does",
    )

    @classmethod
    def load(cls, env_file: Path | None = None, **overrides: object) -> Self:
        """Read the environment; `overrides` that are not None or empty win over it.

        Raises `Misconfigured` that names every wrong variable.
        """
        if env_file is not None and not env_file.is_file():
            raise Misconfigured(f"no settings file at {env_file}", "Name an existing file.")
        given = {name: value for name, value in overrides.items() if value not in (None, [])}
        try:
            return cls(_env_file=env_file, **given)  # type: ignore[arg-type, call-arg]
        except ValidationError as error:
            wrong = "; ".join(
                f"CLEARWORK_{'_'.join(map(str, item['loc'])).upper()}: {item['msg']}"
                for item in error.errors()
            )
            raise Misconfigured(
                f"settings: {wrong}", "See `clearwork oracle run --help` for what each one means."
            ) from error


class Settings(WorkerSettings):
    """Configuration of one oracle. Without a keystore it runs dry: it watches and signs nothing."""

    rpc_urls: _List = Field(
        min_length=1, description="JSON-RPC endpoints, separated by spaces; the first is preferred"
    )
    deployment: Path = Field(description="deployments/<chain id>.json of the chain to serve")
    keystore: Path | None = Field(None, description="encrypted key file; none: run dry")
    password_file: Path | None = Field(None, description="file with the keystore's password")
    leaf_files: Path | None = Field(
        None,
        description="directory of the leaf files; beside the SQLite file by default, to be named "
        "for PostgreSQL",
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8_100, ge=1, le=65_535, description="port to listen on")
    peers: _List = Field([], description="URLs of the other oracles, separated by spaces")

    attestation_m: int | None = Field(
        None,
        description="rows of A, where m, n, k and rounds are the same for all devices; without "
        "the four each device gets a challenge planned for what it claims. All attestation "
        "settings are the same on every oracle",
    )
    attestation_n: int | None = Field(None, description="columns of B, likewise")
    attestation_k: int | None = Field(None, description="inner dimension, likewise")
    attestation_rounds: int | None = Field(None, description="products chained, likewise")
    attestation_modes: _Modes = Field(
        ["throughput"],
        description="what devices show, an epoch each in turn, separated by spaces: throughput, "
        "and bandwidth and residency where a device has to pass these as well",
    )
    attestation_queries: int = Field(128, ge=1, le=1_024, description="entries to open per commit")
    attestation_deadline_ms: int = Field(
        12_000,
        ge=1,
        lt=2**32,
        description="the window: milliseconds from the beacon to the commit. Rates are what was "
        "shown in the whole of it",
    )
    slice_classes: Annotated[list[int], NoDecode] = Field(
        [],
        description="numbers of the device classes that MIG instances and virtual GPUs may enter, "
        "separated by spaces; all others are for whole cards",
    )
    certified_classes: Annotated[list[int], NoDecode] = Field(
        [],
        description="numbers of the device classes that only cards with evidence of who made them "
        "may enter, separated by spaces",
    )
    renewal_epochs: int = Field(
        6,
        ge=1,
        description="a device's entry is renewed in so many last epochs of its attestation",
    )
    renewal_change_bps: int = Field(
        1_000,
        ge=1,
        le=10_000,
        description="or as soon as its operations bound differs by this share, or its class does",
    )
    verify_tasks: bool = Field(
        False,
        description="openings are checked by whoever runs `clearwork oracle worker` on the same "
        "PostgreSQL database, on any host, and not by processes of this one",
    )
    verify_queue: int = Field(
        256, ge=1, description="openings that may be checked or wait for it; more get a 503"
    )

    usage_lag: int = Field(
        300,
        ge=0,
        description="chain seconds after which usage the customer has not co-signed is settled, "
        "and a failed job whose provider left no receipt gets one",
    )
    heartbeat_grace: int = Field(
        120, ge=1, description="chain seconds for which one heartbeat vouches"
    )
    uptime_after: int = Field(
        600,
        ge=1,
        description="chain seconds after acceptance from which the uptime of a job that goes on "
        "is judged",
    )
    settlement: Literal["batch", "root", "auto"] = Field(
        "batch",
        description="how rounds that this oracle leads settle: batch (a transaction at once), "
        "root (with the epoch's report), auto (whichever costs less)",
    )
    gpu_hour_gwei: int = Field(
        600_000,
        ge=0,
        description="what a GPU-hour is worth, for auto: less gas than 1 % of the value at stake "
        "is not worth the wait",
    )
    poll_interval: float = Field(0.5, gt=0, description="seconds between two looks at the chain")
    round_interval: int = Field(60, ge=1, description="chain seconds between settlement rounds")
    leader_delay: int = Field(
        10, ge=1, description="chain seconds before a silent leader is replaced"
    )
    max_fee_gwei: int = Field(500, ge=1, description="fee per gas that is never exceeded")
    max_body_bytes: int = Field(2**20, ge=1_024, description="largest request body taken")

    @field_validator("attestation_modes")
    @classmethod
    def _check_modes(cls, value: list[str]) -> list[str]:
        if "throughput" not in value or len(set(value)) != len(value):
            raise ValueError("name throughput, and every mode once")
        return value

    @field_validator(
        "rpc_urls",
        "peers",
        "attestation_modes",
        "slice_classes",
        "certified_classes",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return value.replace(",", " ").split() if isinstance(value, str) else value
