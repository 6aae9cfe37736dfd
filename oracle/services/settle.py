"""Settle: the committee's word on jobs whose customer has stopped co-signing.

Each oracle signs what it observed; the leader takes the lower median per job and packs the
jobs whose chain-settled usage lags; followers repeat the arithmetic and sign the batch.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from oracle.adapters.chain.market import Market
from oracle.adapters.peers import Peer
from oracle.adapters.store.store import Store
from oracle.domain.hashing import keccak
from oracle.domain.market import Job
from oracle.domain.messages import Report
from oracle.domain.proposals import (
    JobObservation,
    SignedBatch,
    UsageObservation,
    UsageProposal,
    aggregate_usage,
    usage_message,
)
from oracle.domain.receipts import (
    COMPENSATED,
    MAX_RECEIPTS,
    JobStatus,
    Receipt,
    latest,
    pack,
    unpack,
)
from oracle.domain.records import Reported, Statement
from oracle.domain.settlement import Settlement, cheapest, ends_first, receipts_in, weigh
from oracle.domain.usage import believable
from oracle.errors import BadInput, ClearworkError
from oracle.faults import reach
from oracle.services.blame import Blame
from oracle.services.membership import COMMITTEE, Member
from oracle.services.quorum import BoundElsewhere, Quorum
from oracle.services.submit import Goal, Outbox
from oracle.services.uptime import Uptime, UsageRules

log = structlog.get_logger()

ESCROW = "JobEscrow"
# batches of an epoch that a leader tries before it leaves the rest to the next round
MAX_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class SettlementRules:
    """Which way receipts take. `interval`: chain seconds until a job's usage is due again."""

    way: Settlement
    interval: int
    wei_per_gpu_hour: int


class Settle:
    """One oracle's side of settlement by receipts."""

    def __init__(
        self,
        store: Store,
        market: Market,
        member: Member,
        peers: Sequence[Peer],
        quorum: Quorum,
        outbox: Outbox,
        uptime: Uptime,
        blame: Blame,
        rules: UsageRules,
        settlement: SettlementRules,
    ) -> None:
        self._store = store
        self._market = market
        self._member = member
        self._peers = peers
        self._quorum = quorum
        self._outbox = outbox
        self._uptime = uptime
        self._blame = blame
        self._rules = rules
        self._settlement = settlement

    # --- observing ----------------------------------------------------------------------------

    def observe(self) -> list[JobObservation]:
        """What this oracle believes of every job that a receipt could still change."""
        observed, missed = [], []
        reports = {reported.job: reported for reported in self._store.reported()}
        for job in self._market.running_jobs():
            seconds, status = job.settled, int(JobStatus.RUNNING)
            reported = reports.get(job.job)
            if reported:
                covered = self._uptime.covered(job)
                seconds, status = self._believable(job, reported, covered), reported.status
            is_missed = self._uptime.is_missed(job, reported)
            # who ends a job without compensation has to have kept its promise until then
            if is_missed and status not in COMPENSATED:
                status = JobStatus.SLA_MISSED
            if (is_missed or status == JobStatus.SLA_MISSED) and not job.has_ended:
                missed.append(job.job)
            if job.advances(seconds, status):
                observed.append(JobObservation(seconds, status, job.job))
        self._blame.notice(missed)
        return observed

    def believed(self, job: Job) -> int:
        """The cumulative GPU-seconds of a job, over or not, that this oracle vouches for."""
        reported = self._store.reported(job.job)
        if not reported:
            return job.settled
        return self._believable(job, reported[0], self._uptime.covered(job))

    def _believable(self, job: Job, reported: Reported, covered: int) -> int:
        elapsed = self._market.head.timestamp - job.accepted_at
        seconds = believable(reported.cumulative_gpu_seconds, job.gpus, elapsed, covered)
        # what the customer has co-signed since is beyond doubt
        return max(seconds, job.settled)

    def observation(self, epoch: int) -> UsageObservation:
        """This oracle's signed view for its peers. Raises `BadInput` for a distant epoch."""
        self._check_epoch(epoch)
        jobs = tuple(self.observe())
        message = usage_message(self._market.committee().config, epoch, jobs)
        signature = self._member.sign(message.digest(self._market.domain(COMMITTEE)))
        return UsageObservation(epoch, jobs, self._member.identity(), signature)

    # --- leading ------------------------------------------------------------------------------

    def lead(self) -> bool:
        """Gather, aggregate, have it signed, and queue the batch or leave it for the root.

        Returns whether there was one.
        """
        if self._outbox.is_busy("batch/"):
            return False
        epoch = self._market.head.epoch
        observations = self._gather(epoch)
        threshold = self._market.committee().threshold
        if len(observations) < threshold:
            return False
        due = [
            receipt
            for receipt in aggregate_usage(observations, threshold).values()
            if self._is_due(receipt)
        ]
        jobs = {receipt.job: self._market.job(receipt.job) for receipt in due}
        due = ends_first(due, jobs)
        way = self._way(due, jobs)
        if way is Settlement.ROOT:
            due = self._unsaid(due)
        due = due[:MAX_RECEIPTS]
        if not due:
            return False
        packed = pack(due)
        for _ in range(MAX_ATTEMPTS):
            index = self._draw_index(epoch)
            proposal = UsageProposal(epoch, index, tuple(observations), packed)
            try:
                signatures = self._quorum.collect(self._report(proposal), proposal)
            except BoundElsewhere:
                continue
            reach("after-quorum")
            if way is Settlement.ROOT:
                self._store.keep_batch(SignedBatch(epoch, index, packed, signatures))
            else:
                self._outbox.want(
                    f"batch/{epoch}/{index}",
                    ESCROW,
                    "settle_batch",
                    [epoch, index, packed, signatures],
                    Goal.batch(due),
                )
            log.info("batch signed", epoch=epoch, index=index, receipts=len(due), way=way)
            return True
        return False

    def _way(self, due: Sequence[Receipt], jobs: Mapping[int, Job]) -> Settlement:
        """How to settle what is due."""
        if self._settlement.way is not Settlement.AUTO or not due:
            return self._settlement.way
        head = self._market.head
        choice = cheapest(
            weigh(due, jobs, self._settlement.wei_per_gpu_hour),
            base_fee=self._market.chain.base_fee(),
            seconds_left=self._market.start_of(head.epoch + 1) - head.timestamp,
            interval=self._settlement.interval,
        )
        log.info("settlement chosen", way=choice.way, reason=choice.reason)
        return choice.way

    def _unsaid(self, due: Sequence[Receipt]) -> list[Receipt]:
        """What no batch kept here says yet, the longest unsaid first."""
        said = latest(receipts_in(self._store.batches(self._market.head.epoch)))

        def news(receipt: Receipt) -> int:
            known = said.get(receipt.job)
            return receipt.cumulative_gpu_seconds - (known.cumulative_gpu_seconds if known else 0)

        fresh = [r for r in due if r.job not in said or r > said[r.job]]
        return sorted(fresh, key=news, reverse=True)

    def _gather(self, epoch: int) -> list[UsageObservation]:
        """Signed observations of the members that answer, one each, our own included."""
        found = {}
        own = self.observation(epoch)
        found[own.oracle] = own
        for peer in self._peers:
            try:
                seen = peer.usage(epoch)
                self._check_observation(seen, epoch)
                found[seen.oracle] = seen
            except ClearworkError as error:
                log.warning("no observation", peer=peer.url, reason=str(error))
        return list(found.values())

    def _is_due(self, receipt: Receipt) -> bool:
        """Whether the chain lags behind what the customer could have co-signed for long."""
        job = self._market.job(receipt.job)
        if not job.advances(receipt.cumulative_gpu_seconds, receipt.status):
            return False
        if not job.has_ended:
            is_missed = receipt.status == JobStatus.SLA_MISSED
            # whatever end the lead of a cluster reports, its members are blamed before it counts
            if (is_missed or self._blame.has_noticed(job.job)) and not self._blame.is_over(job):
                return False
            if is_missed:
                # the customer need not wait: nothing it could co-sign says that
                return True
        since = self._store.first_beyond(receipt.job, job.settled, job.has_ended)
        return since is not None and since + self._rules.lag <= self._market.head.timestamp

    def _draw_index(self, epoch: int) -> int:
        """A number for a batch, of 32 bits: the time in the epoch, so that later ones are higher,
        and chance, so that nobody can bind the others to something else under it before."""
        start, end = self._market.start_of(epoch), self._market.start_of(epoch + 1)
        passed = min(self._market.head.timestamp, end - 1) - start
        return (passed << 16) // (end - start) << 16 | secrets.randbits(16)

    # --- following ----------------------------------------------------------------------------

    def endorse(self, proposal: UsageProposal) -> Statement:
        """Repeat a leader's arithmetic and sign its batch.

        Raises `BadInput` for a batch that does not follow from its observations or breaks a
        rule of the market, `Unauthorized` for a forged observation, `Conflict` where this
        oracle has signed another batch of the same number.
        """
        self._check_epoch(proposal.epoch)
        oracles = set()
        for observation in proposal.observations:
            self._check_observation(observation, proposal.epoch)
            oracles.add(observation.oracle)
        threshold = self._market.committee().threshold
        if len(oracles) != len(proposal.observations) or len(oracles) < threshold:
            raise BadInput(
                f"{len(oracles)} oracles observed, {threshold} must",
                "Gather one observation of each of enough members.",
            )
        medians = aggregate_usage(proposal.observations, threshold)
        self._market.follow()
        for receipt in unpack(proposal.receipts):
            if medians.get(receipt.job) != receipt:
                raise BadInput(
                    f"the receipt of job {receipt.job} is not the lower median",
                    "Derive the batch from the observations that come with it.",
                )
            self._check_sane(receipt)
        return self._member.endorse(self._report(proposal))

    def _check_sane(self, receipt: Receipt) -> None:
        """Cumulative never falls, and no GPU works more than a second per second."""
        job = self._market.job(receipt.job)
        elapsed = self._market.head.timestamp - job.accepted_at
        if not job.accepted_at or receipt.cumulative_gpu_seconds > job.gpus * elapsed:
            raise BadInput(
                f"job {receipt.job} can't have used {receipt.cumulative_gpu_seconds} GPU-seconds",
                "Look for an oracle that trusts its provider's clock.",
            )
        if receipt.cumulative_gpu_seconds < job.settled:
            raise BadInput(
                f"job {receipt.job} has {job.settled} GPU-seconds settled already",
                "Leave it out: its customer was faster.",
            )

    def _check_observation(self, observation: UsageObservation, epoch: int) -> None:
        if observation.epoch != epoch:
            raise BadInput(
                f"an observation of epoch {observation.epoch}, not {epoch}", "Ask for a new one."
            )
        message = observation.message(self._market.committee().config)
        digest = message.digest(self._market.domain(COMMITTEE))
        self._member.check_signer(digest, observation.oracle, observation.signature)

    def _check_epoch(self, epoch: int) -> None:
        # a peer may be a block ahead of us or behind
        now = self._market.head.epoch
        if abs(epoch - now) > 1:
            raise BadInput(
                f"stale epoch {epoch}: the chain is in epoch {now}", "Use the current epoch."
            )

    def _report(self, proposal: UsageProposal) -> Report:
        return Report(
            config=self._market.committee().config,
            consumer=self._market.domain(ESCROW).verifying_contract,
            subject=proposal.index.to_bytes(32, "big"),
            round=proposal.epoch,
            payload=keccak(proposal.receipts),
        )
