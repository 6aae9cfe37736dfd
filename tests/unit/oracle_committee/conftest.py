"""What the committee's tests share: a caller to report to, and signing under any digest."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boa
import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from sha3 import keccak_256

from oracle.domain.messages import Domain, KeyClaim, Report
from tests.compiled import CONTRACTS, compiled

DAY = 86_400
UNIT = 10**18
MIN_BOND = 1_000 * UNIT
BOND_DELAY = 14 * DAY
KEY_OVERLAP = 3_600
REPORTER_BPS = 2_000

SUBJECT = b"\x11" * 32
ROUND = 7
PAYLOAD = b"\x22" * 32
OTHER_PAYLOAD = b"\x33" * 32


@dataclass(frozen=True)
class Consumer:
    """A contract reports are for; to the committee it is just the caller."""

    address: str


@pytest.fixture(scope="session")
def consumer() -> Consumer:
    return Consumer(str(boa.env.generate_address("consumer")))


@pytest.fixture(scope="session")
def reporter() -> str:
    return str(boa.env.generate_address("reporter"))


@pytest.fixture(scope="session")
def keys() -> Callable[[str, int], list[LocalAccount]]:
    """Fresh key pairs in ascending order of address."""

    def _keys(name: str, count: int) -> list[LocalAccount]:
        made = [Account.from_key(keccak_256(f"{name} {i}".encode()).digest()) for i in range(count)]
        return sorted(made, key=lambda a: int(a.address, 16))

    return _keys


@pytest.fixture(scope="session")
def sign_report(committee: Any, domain_of: Callable[[Any], Domain]):
    """Signatures in the order given, every part of the report open to change."""

    def _sign(
        signers: list[LocalAccount],
        consumer: Any,
        *,
        subject: bytes = SUBJECT,
        epoch: int = ROUND,
        payload: bytes = PAYLOAD,
        config: bytes | None = None,
        domain: Domain | None = None,
        at: Any = None,
    ) -> bytes:
        target = committee if at is None else at
        report = Report(
            target.config_digest() if config is None else config,
            str(consumer.address),
            subject,
            epoch,
            payload,
        )
        digest = report.digest(domain_of(target) if domain is None else domain)
        return b"".join(bytes(s.unsafe_sign_hash(digest).signature) for s in signers)

    return _sign


@pytest.fixture(scope="session")
def check(committee: Any, consumer: Consumer):
    """The consumer asks the committee about the standard report."""

    def _check(signatures: bytes, *, at: Any = None, epoch: int = ROUND) -> int:
        target = committee if at is None else at
        return int(target.verify(SUBJECT, epoch, PAYLOAD, signatures, sender=consumer.address))

    return _check


@pytest.fixture(scope="session")
def claim(committee: Any, domain_of: Callable[[Any], Domain]):
    """A key's word that it speaks for a member."""

    def _claim(key: LocalAccount, member: str, *, at: Any = None) -> bytes:
        target = committee if at is None else at
        message = KeyClaim(member, key.address)
        return bytes(key.unsafe_sign_hash(message.digest(domain_of(target))).signature)

    return _claim


@pytest.fixture(scope="session")
def rotate(committee: Any, claim: Any):
    """A member rotates to a key."""

    def _rotate(member: LocalAccount, key: LocalAccount) -> None:
        committee.rotate_key(key.address, claim(key, member.address), sender=member.address)

    return _rotate


@pytest.fixture(scope="session")
def deploy_committee(token: Any):
    """A committee of its own for a test, bonded unless told otherwise."""
    deployer = compiled(CONTRACTS / "OracleCommittee.vy")

    def _deploy(members: list[str], threshold: int, *, bonded: bool = True, **changes: Any) -> Any:
        arguments = {
            "token": token,
            "members": members,
            "threshold": threshold,
            "min_bond": MIN_BOND,
            "bond_delay": BOND_DELAY,
            "key_overlap": KEY_OVERLAP,
            "equivocation_reporter_bps": REPORTER_BPS,
            "rules_version": 1,
        } | changes
        contract = deployer.deploy(*arguments.values())
        if bonded:
            token.approve(contract, 2**256 - 1)
            for member in members:
                contract.bond(member, MIN_BOND)
        return contract

    return _deploy


@pytest.fixture
def state_of(committee: Any, token: Any):
    """Everything a revert must leave alone, as one comparable value."""

    def _state(*members: str) -> tuple[Any, ...]:
        return (
            committee.config_digest(),
            committee.config_number(),
            committee.threshold(),
            committee.members(),
            committee.roster(),
            token.balanceOf(committee),
            token.totalSupply(),
            [
                (
                    committee.bond_of(m),
                    committee.bond_locked_until(m),
                    committee.key_of(m),
                    committee.previous_key_of(m),
                    committee.key_valid_until(committee.key_of(m)),
                    committee.retired(m),
                    committee.counts(m),
                )
                for m in members
            ],
        )

    return _state
