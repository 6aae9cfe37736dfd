"""Who this oracle is: its key, the committee member the key speaks for, and its guarded pen.

Only this module signs reports. A report's key (config, consumer, subject, round) is bound to
its payload in the database BEFORE the signing key is used; a second payload under the same
key would be an equivocation and cost the whole bond, so it is refused whatever the reason.
"""

from collections.abc import Mapping
from typing import Any

import structlog

from oracle.adapters.chain.market import Market
from oracle.adapters.signer import Signer
from oracle.adapters.store.store import Store
from oracle.domain.hashing import keccak
from oracle.domain.messages import Proposal, Report
from oracle.domain.records import Statement
from oracle.domain.recovery import recover
from oracle.errors import Bound, Misconfigured, Unauthorized
from oracle.faults import reach

log = structlog.get_logger()

COMMITTEE = "OracleCommittee"


class Member:
    """This oracle as a member of the committee. Without a key it runs dry: it signs nothing."""

    def __init__(self, store: Store, market: Market, signer: Signer | None) -> None:
        self._store = store
        self._market = market
        self.signer = signer

    @property
    def is_dry(self) -> bool:
        """Whether there is no key."""
        return self.signer is None

    def identity(self) -> str:
        """The committee identity that the key speaks for.

        Raises `Misconfigured` for a dry oracle or a key that no member has.
        """
        key = self._key()
        member = self._market.member_of_key(key.address)
        if member is None or member not in self._market.committee().members:
            raise Misconfigured(
                f"{key.address} is no key of a committee member",
                "Have the committee configured with it, or rotate the member's key to it.",
            )
        return member

    def address(self) -> str:
        """Checksum address of the key. Raises `Misconfigured` for a dry oracle."""
        return self._key().address

    def sign(self, digest: bytes) -> bytes:
        """Sign a digest that is no report: an acknowledgement, observation or receipt."""
        return self._key().sign(digest)

    def endorse(self, report: Report, proposal: Mapping[str, Any] | None = None) -> Statement:
        """Sign a report for ever and publish the signature.

        `proposal` is what the payload was derived from, kept so that another leader can adopt
        it. Raises `Bound` where this oracle's word for the same key is another.
        """
        identity = self.identity()
        bound = self._store.bind(report, proposal)
        if bound != report.payload:
            raise Bound(
                f"this oracle is bound to payload {bound.hex()} for this subject and round",
                "Adopt that proposal, or use a subject nobody has signed for.",
            )
        reach("after-intent")
        digest = report.digest(self._market.domain(COMMITTEE))
        statement = Statement(report, identity, self._key().sign(digest))
        self._store.save_statements([statement])
        return statement

    def check(self, report: Report, oracle: str, signature: bytes) -> Statement:
        """Verify a peer's signature over a report and publish it. Raises `Unauthorized`."""
        digest = report.digest(self._market.domain(COMMITTEE))
        self.check_signer(digest, oracle, signature)
        statement = Statement(report, oracle, signature)
        self._store.save_statements([statement])
        return statement

    def vouch(self, body: bytes) -> bytes:
        """Sign a request to peers, so that they know it is a member's."""
        return self.sign(self._request_digest(body))

    def check_request(self, body: bytes, signature: bytes) -> None:
        """Verify that a member of the current committee sent a request. Raises `Unauthorized`.

        Whoever may propose chooses what the others are bound to, among what holds.
        """
        key = recover(self._request_digest(body), signature)
        if self._market.member_of_key(key) not in self._market.committee().members:
            raise Unauthorized(
                f"{key} is no key of a committee member", "Only members propose: sign with its key."
            )

    def _request_digest(self, body: bytes) -> bytes:
        return Proposal(keccak(body)).digest(self._market.domain(COMMITTEE))

    def check_signer(self, digest: bytes, oracle: str, signature: bytes) -> None:
        """Verify that a member of the current committee signed. Raises `Unauthorized`."""
        key = recover(digest, signature)
        member = self._market.member_of_key(key)
        if member != oracle or member not in self._market.committee().members:
            raise Unauthorized(
                f"{key} does not sign for the committee member {oracle}",
                "Sign with the member's current key; see OracleCommittee.key_of.",
            )

    def _key(self) -> Signer:
        if self.signer is None:
            raise Misconfigured(
                "this oracle runs dry: it has no key",
                "Set CLEARWORK_KEYSTORE and CLEARWORK_PASSWORD_FILE, or ask another oracle.",
            )
        return self.signer
