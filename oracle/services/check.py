"""Check: can this oracle run, and if not, what is missing? Changes nothing."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from oracle.adapters.chain.client import Chain, redact
from oracle.adapters.chain.deployment import Deployment
from oracle.adapters.chain.prevrandao import check_prevrandao
from oracle.adapters.signer import Signer
from oracle.adapters.store import postgres
from oracle.errors import ClearworkError, Misconfigured
from oracle.settings import Settings

# wei that a few hundred reports cost on a busy day
LOW_BALANCE = 10**17
# seconds that this machine's clock may be off the chain's newest block
CLOCK_TOLERANCE = 60
WEI = 10**18


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check: `remedy` says what to do and is empty if `ok`."""

    name: str
    ok: bool
    finding: str
    remedy: str = ""


def check(
    settings: Settings, open_signer: Callable[[Settings], Signer | None]
) -> Iterator[Finding]:
    """All checks in the order in which they build on each other; ends where that ends."""
    deployment: Deployment | None = None
    chain: Chain | None = None
    signer: Signer | None = None
    try:
        deployment = Deployment.load(settings.deployment)
        contracts = len(deployment.addresses)
        yield Finding("deployment", True, f"{contracts} contracts on chain {deployment.chain_id}")
    except ClearworkError as error:
        yield _failed("deployment", error)
    try:
        signer = open_signer(settings)
        yield Finding("key", True, signer.address if signer else "none: runs dry, signs nothing")
    except ClearworkError as error:
        yield _failed("key", error)
    yield _check_database(settings)
    if deployment is None:
        return
    try:
        chain = Chain(settings.rpc_urls, deployment).connect()
        hosts = ", ".join(redact(url) for url in settings.rpc_urls)
        yield Finding("chain", True, f"chain {chain.chain_id}, contracts in place ({hosts})")
    except ClearworkError as error:
        yield _failed("chain", error)
        return
    yield _guarded("beacon", lambda: _check_beacon(chain))
    yield _guarded("clock", lambda: _check_clock(chain))
    if signer is not None:
        key = signer.address
        yield _guarded("membership", lambda: _check_membership(chain, key))
        yield _guarded("balance", lambda: _check_balance(chain, key))


def _check_beacon(chain: Chain) -> Finding:
    check_prevrandao(chain.w3)
    return Finding("beacon", True, "the chain draws prevrandao")


def _check_database(settings: Settings) -> Finding:
    """Opened read-only: a check must not create or migrate anything."""
    path = settings.database
    if not isinstance(path, Path):
        return _guarded("database", lambda: Finding("database", True, postgres.look(path)))
    if not path.exists():
        parent = next(folder for folder in path.absolute().parents if folder.exists())
        return Finding("database", True, f"{path} will be created (in {parent})")
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        (answer,) = connection.execute("PRAGMA quick_check").fetchone()
        connection.close()
    except sqlite3.Error as error:
        answer = str(error)
    if answer == "ok":
        return Finding("database", True, f"{path} is sound")
    return Finding(
        "database", False, f"{path}: {answer}", "Restore a backup, or name another file."
    )


def _check_clock(chain: Chain) -> Finding:
    drift = int(time.time()) - chain.timestamp()
    finding = f"newest block is {drift} s old"
    if abs(drift) <= CLOCK_TOLERANCE:
        return Finding("clock", True, finding)
    return Finding(
        "clock",
        False,
        finding,
        "Synchronise this machine's clock, or wait for the node to catch up.",
    )


def _check_membership(chain: Chain, key: str) -> Finding:
    member = str(chain.read("OracleCommittee", "member_of_key", key))
    members = list(chain.read("OracleCommittee", "members"))
    if member not in members:
        raise Misconfigured(
            f"{key} speaks for no member of the committee",
            "Have the committee configured with it, or rotate a member's key to it.",
        )
    if not chain.read("OracleCommittee", "counts", member):
        raise Misconfigured(
            f"member {member} does not count: its bond is too small or was slashed",
            "Bond it with OracleCommittee.bond.",
        )
    return Finding("membership", True, f"member {members.index(member) + 1} of {len(members)}")


def _check_balance(chain: Chain, key: str) -> Finding:
    balance = chain.balance(key)
    finding = f"{balance / WEI:.4f} coin for gas"
    if balance >= LOW_BALANCE:
        return Finding("balance", True, finding)
    return Finding("balance", False, finding, f"Send at least {LOW_BALANCE / WEI} coin to {key}.")


def _guarded(name: str, step: Callable[[], Finding]) -> Finding:
    try:
        return step()
    except ClearworkError as error:
        return _failed(name, error)


def _failed(name: str, error: ClearworkError) -> Finding:
    return Finding(name, False, str(error), error.remedy)
