"""Quorum: collect the committee's signatures over one report."""

from collections.abc import Sequence

import structlog

from oracle.adapters.chain.market import Market
from oracle.adapters.peers import Peer
from oracle.domain.messages import Report
from oracle.domain.proposals import Proposal
from oracle.domain.records import Statement
from oracle.domain.recovery import recover
from oracle.errors import Bound, ClearworkError, Transient
from oracle.services.membership import COMMITTEE, Member

log = structlog.get_logger()


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

    def __init__(self, market: Market, member: Member, peers: Sequence[Peer]) -> None:
        self._market = market
        self._member = member
        self._peers = peers

    def collect(
        self,
        report: Report,
        proposal: Proposal,
        kept: dict[str, object] | None = None,
    ) -> bytes:
        """`threshold` signatures of 65 bytes, ascending by key, as the contracts want them.

        `kept` is stored with our own word. Raises `BoundElsewhere` on meeting another
        proposal, `Transient` where too few members answer and agree.
        """
        committee = self._market.committee()
        digest = report.digest(self._market.domain(COMMITTEE))
        by_identity = self._reachable()
        # the order turns with the round, so that no member is always left out
        turn = (report.round + int.from_bytes(report.subject[-4:], "big")) % len(committee.members)
        signed: list[Statement] = []
        for identity in committee.members[turn:] + committee.members[:turn]:
            if len(signed) == committee.threshold:
                break
            if identity not in by_identity or not self._market.counts(identity):
                continue
            peer = by_identity[identity]
            try:
                if peer is None:
                    signed.append(self._member.endorse(report, kept))
                else:
                    signed.append(self._member.check(report, *peer.endorse(proposal)))
            except Bound as error:
                raise BoundElsewhere(peer, error) from error
            except ClearworkError as error:
                log.warning("no signature", peer=peer and peer.url, reason=str(error))
        if len({statement.oracle for statement in signed}) < committee.threshold:
            raise Transient(
                f"{len(signed)} of {committee.threshold} signatures",
                "The next leader tries again; check that enough oracles are up and agree.",
            )
        signed.sort(key=lambda statement: int(recover(digest, statement.signature), 16))
        return b"".join(statement.signature for statement in signed)

    def _reachable(self) -> dict[str, Peer | None]:
        found: dict[str, Peer | None] = {}
        for peer in self._peers:
            try:
                found[peer.identity()] = peer
            except ClearworkError as error:
                log.warning("peer is silent", peer=peer.url, reason=str(error))
        found[self._member.identity()] = None
        return found
