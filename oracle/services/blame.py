"""Blame: the committee's word on which members of a cluster failed a job.

It goes on chain before the final receipt, because the job can be closed from then on, and what
nobody is blamed for costs no member anything.
"""

from collections.abc import Iterable

import structlog

from oracle.adapters.chain.market import Market
from oracle.adapters.store.store import Store
from oracle.domain.hashing import keccak
from oracle.domain.market import Job
from oracle.domain.messages import Report
from oracle.domain.proposals import BlameProposal
from oracle.domain.records import Reported, Statement
from oracle.errors import BadInput, Bound, Transient
from oracle.services.membership import Member
from oracle.services.quorum import Quorum
from oracle.services.submit import Goal, Outbox
from oracle.services.uptime import Uptime

log = structlog.get_logger()

BONDS = "ServiceBonds"


class Blame:
    """One oracle's side of it.

    `patience`: chain seconds after which a customer waits no longer for oracles that don't agree
    on whom to blame.
    """

    def __init__(
        self,
        store: Store,
        market: Market,
        member: Member,
        quorum: Quorum,
        outbox: Outbox,
        uptime: Uptime,
        patience: int,
    ) -> None:
        self._store = store
        self._market = market
        self._member = member
        self._quorum = quorum
        self._outbox = outbox
        self._uptime = uptime
        self._patience = patience
        # job => chain time since which its service level is seen missed
        self._since: dict[int, int] = {}

    def notice(self, missed: Iterable[int]) -> None:
        """All jobs whose service level is missed now: patience begins, whoever leads."""
        now = self._market.head.timestamp
        self._since = {job: self._since.get(job, now) for job in missed}

    def has_noticed(self, job: int) -> bool:
        """Whether a job's service level was missed at the last `notice`."""
        return job in self._since

    def is_over(self, job: Job) -> bool:
        """Lead once if nobody has been blamed for a missed service level; whether the job can end.

        It can where there is nobody to blame but its provider, where the word is on chain, and
        where the oracles could not agree on one.
        """
        if not job.is_of_cluster or self._market.is_blamed(job.job):
            return True
        head = self._market.head
        name = f"blame/{job.job}/{head.epoch}"
        if not self._outbox.has_tried(name):
            missed = self._uptime.missed_by(job, self._reported(job))
            self._lead(name, BlameProposal(head.epoch, job.job, missed))
        return head.timestamp - self._since.get(job.job, head.timestamp) > self._patience

    def _lead(self, name: str, proposal: BlameProposal) -> None:
        if proposal.mask == 0:
            return
        try:
            signatures = self._quorum.collect(self._report(proposal), proposal)
        except (Bound, Transient) as error:
            log.warning("nobody blamed yet", job=proposal.job, reason=str(error))
            return
        self._outbox.want(
            name,
            BONDS,
            "blame",
            [proposal.job, proposal.epoch, proposal.mask, signatures],
            Goal.blamed(proposal.job),
        )
        log.info("blame signed", job=proposal.job, members=bin(proposal.mask))

    def endorse(self, proposal: BlameProposal) -> Statement:
        """Sign for a leader's blame where this oracle misses exactly the same members.

        Anybody may ask, and the first word on chain stays: a part of the truth would let a guilty
        member have only the others blamed. Raises `BadInput` where this oracle misses others,
        `Bound` where it has blamed others in this epoch.
        """
        self._market.follow()
        epoch = self._market.head.epoch
        # a peer may be a block ahead of us or behind
        if abs(proposal.epoch - epoch) > 1:
            raise BadInput(f"stale epoch {proposal.epoch}, not {epoch}", "Use the current epoch.")
        job = self._market.job(proposal.job)
        reported = self._reported(job)
        if not job.is_of_cluster or not self._uptime.is_missed(job, reported):
            raise BadInput(
                f"job {job.job} is no cluster's, or kept its service level",
                "Blame nobody: compare the heartbeats that both oracles have.",
            )
        missed = self._uptime.missed_by(job, reported)
        if proposal.mask != missed:
            raise BadInput(
                f"of job {job.job} members {missed:#b} are missed here, not {proposal.mask:#b}",
                "Blame those, or wait until the oracles agree.",
            )
        return self._member.endorse(self._report(proposal))

    def _reported(self, job: Job) -> Reported | None:
        """The newest sample of a job."""
        return next(iter(self._store.reported(job.job)), None)

    def _report(self, proposal: BlameProposal) -> Report:
        return Report(
            config=self._market.committee().config,
            consumer=self._market.domain(BONDS).verifying_contract,
            subject=proposal.job.to_bytes(32, "big"),
            round=proposal.epoch,
            payload=keccak(proposal.mask.to_bytes(32, "big")),
        )
