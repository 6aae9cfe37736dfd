"""Quorum: collect the committee's signatures over one report.

Fewer than a third of the members may be anything: silent, of another version, hostile. None of them
keeps the others from agreeing. So nothing that a peer says of itself is believed: not who it is
(its signature shows that), and not that it is bound to something else (that has to hold, and counts
once).
"""

from collections.abc import Callable, Container
from typing import TypeVar

import structlog

from oracle.adapters.chain.market import Market
from oracle.adapters.peers import Peer
from oracle.domain.messages import Report
from oracle.domain.proposals import Proposal
from oracle.domain.records import Statement
from oracle.domain.recovery import recover
from oracle.errors import Bound, ClearworkError, Fatal, Transient, Unauthorized
from oracle.services.membership import COMMITTEE, Member

log = structlog.get_logger()

Proposed = TypeVar("Proposed", bound=Proposal)


class BoundElsewhere(Bound):
    """A member is bound to another proposal under the same key; `peer` is None for ourselves."""

    def __init__(self, peer: Peer | None, cause: Bound) -> None:
        super().__init__(str(cause), cause.remedy)
        self.peer = peer


class Quorum:
    """Asks members one after the other, in an order that is the same for every leader.

    So of two leaders that compete, the second meets the first's proposal at the first member
    that is up, before it has bound anybody else.
    """

    def __init__(self, market: Market, member: Member, peers: list[Peer]) -> None:
        self._market = market
        self._member = member
        self._peers = peers

    def collect(self, report: Report, proposal: Proposal) -> bytes:
        """`threshold` signatures of 65 bytes, ascending by key, as the contracts want them.

        Members that are bound to another proposal are passed over. Raises `BoundElsewhere` where
        too few are left because of that, `Transient` where too few answer and agree.
        """
        return self._collect(report, proposal, None, {None, *self._peers})

    def agree(
        self,
        proposal: Proposed,
        report: Callable[[Proposed], Report],
        bound: Callable[[Peer | None], Proposed],
        kept: Callable[[Proposed], dict[str, object]],
    ) -> tuple[Proposed, bytes]:
        """Signatures over a proposal, or over the one that a member is bound to already.

        `report` is what a proposal says, and raises a `ClearworkError` for one that does not hold;
        `bound` gets the one of a peer, or our own; `kept` is stored with our own word. The first
        member that is bound decides, so that competing leaders end at one proposal: it is asked
        again only after that, and passed over if it is then bound to a third, or if what it shows
        does not hold. Raises `Transient` where too few answer and agree.
        """
        heard: set[Peer | None] = set()
        statement = report(proposal)
        while True:
            try:
                return proposal, self._collect(statement, proposal, kept(proposal), heard)
            except BoundElsewhere as error:
                if error.peer in heard:
                    raise Transient(str(error), "The next leader tries again.") from error
                heard.add(error.peer)
                try:
                    other = bound(error.peer)
                    found = report(other)
                except Fatal:
                    raise
                except ClearworkError as refusal:
                    log.warning(
                        "bound to nothing that holds",
                        peer=error.peer and error.peer.url,
                        reason=str(refusal),
                    )
                    continue
                if (found.subject, found.round) == (statement.subject, statement.round):
                    proposal, statement = other, found

    def _collect(
        self,
        report: Report,
        proposal: Proposal,
        kept: dict[str, object] | None,
        heard: Container[Peer | None],
    ) -> bytes:
        """Signatures of enough members; one that is bound elsewhere ends it unless it was heard."""
        committee = self._market.committee()
        claimants = self._claimants()
        # the order turns with the round, so that no member is always left out
        turn = (report.round + int.from_bytes(report.subject[-4:], "big")) % len(committee.members)
        signed: list[Statement] = []
        passed_over: list[BoundElsewhere] = []
        for identity in committee.members[turn:] + committee.members[:turn]:
            if len(signed) == committee.threshold:
                break
            if not self._market.counts(identity):
                continue
            for peer in claimants.get(identity, ()):
                try:
                    signed.append(self._signature(identity, peer, report, proposal, kept))
                    break
                except Fatal:
                    raise
                except Bound as error:
                    passed_over.append(BoundElsewhere(peer, error))
                    if peer not in heard:
                        raise passed_over[-1] from error
                except ClearworkError as error:
                    log.warning("no signature", peer=peer and peer.url, reason=str(error))
        if len(signed) < committee.threshold:
            if len(signed) + len(passed_over) >= committee.threshold:
                raise passed_over[0]
            raise Transient(
                f"{len(signed)} of {committee.threshold} signatures",
                "The next leader tries again; check that enough oracles are up and agree.",
            )
        digest = report.digest(self._market.domain(COMMITTEE))
        signed.sort(key=lambda statement: int(recover(digest, statement.signature), 16))
        return b"".join(statement.signature for statement in signed)

    def _signature(
        self,
        identity: str,
        peer: Peer | None,
        report: Report,
        proposal: Proposal,
        kept: dict[str, object] | None,
    ) -> Statement:
        """A member's word, from who says that it is this member."""
        if peer is None:
            return self._member.endorse(report, kept)
        statement = self._member.check(report, *peer.endorse(proposal, self._member.vouch))
        if statement.oracle != identity:
            raise Unauthorized(
                f"{peer.url} says that it is {identity}, and signs as {statement.oracle}",
                "Compare its key with OracleCommittee.key_of.",
            )
        return statement

    def _claimants(self) -> dict[str, list[Peer | None]]:
        """Who says that it is which member: anybody can say so, a signature shows it."""
        found: dict[str, list[Peer | None]] = {self._member.identity(): [None]}
        for peer in self._peers:
            try:
                found.setdefault(peer.identity(), []).append(peer)
            except ClearworkError as error:
                log.warning("peer is silent", peer=peer.url, reason=str(error))
        return found
