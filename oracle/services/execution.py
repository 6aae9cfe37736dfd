"""Execution receipts at an oracle: taken, counter-signed, and issued where a provider left none.

The oracle counter-signs a provider's receipt when the chain has ended the job with the status
that the receipt names and the GPU-seconds are within what this oracle observed. A failed job
whose provider left no such receipt gets one from the oracle. It looks at final blocks only:
what it signs must not depend on a block that may go away.
"""

from collections.abc import Sequence

import structlog

from oracle.adapters.chain.client import Block
from oracle.adapters.chain.history import History
from oracle.adapters.chain.market import Market
from oracle.adapters.store.store import Store
from oracle.domain.execution import (
    Ending,
    ExecutionReceipt,
    ReceiptSignature,
    Role,
    Seen,
    SignedReceipt,
    judge,
)
from oracle.domain.market import Job
from oracle.domain.receipts import FINAL, JobStatus
from oracle.domain.records import FiledReceipt, Outcome, ReceiptState
from oracle.errors import BadInput, ClearworkError, NotFound, Transient, Unauthorized
from oracle.services.membership import Member
from oracle.services.settle import Settle
from oracle.services.signers import check_place, check_role
from oracle.services.uptime import UsageRules

log = structlog.get_logger()

ESCROW = "JobEscrow"
# receipts and blocks looked at in one turn
MAX_PENDING = 256
MAX_BLOCKS = 5_000


class Execution:
    """One oracle's side of execution receipts."""

    def __init__(
        self,
        store: Store,
        market: Market,
        history: History,
        member: Member,
        settle: Settle,
        rules: UsageRules,
    ) -> None:
        self._store = store
        self._market = market
        self._history = history
        self._member = member
        self._settle = settle
        self._rules = rules
        self._next_block = market.chain.deployment.first_block
        # final block that everything was done for
        self._done = b""
        # position of the pending receipt last looked at
        self._judged = 0
        # failed jobs that may still need a receipt of ours
        self._failed: dict[int, Ending] = {}

    # --- taking -------------------------------------------------------------------------------

    def take(self, receipts: Sequence[SignedReceipt]) -> list[tuple[Outcome, str]]:
        """Store what is valid; one outcome and its reason per receipt, in order.

        The same receipt again changes nothing, and adds the signatures that are new. Another
        document for the same job and period is `QUARANTINED`: the first one counts.
        """
        return [self._take(signed) for signed in receipts]

    def _take(self, signed: SignedReceipt) -> tuple[Outcome, str]:
        try:
            self._check(signed)
        except Transient:
            raise
        except ClearworkError as error:
            return Outcome.REFUSED, f"{error} {error.remedy}"
        now = self._market.head.timestamp
        outcome = self._store.file_receipt(signed, ReceiptState.PENDING, now)
        if outcome is Outcome.QUARANTINED:
            receipt = signed.receipt
            log.warning("second receipt", job=receipt.job, document=receipt.hash.hex())
            return outcome, (
                f"another document for period {receipt.period} of job {receipt.job} came first: "
                "that one counts, this one is evidence"
            )
        return outcome, ""

    def _check(self, signed: SignedReceipt) -> None:
        receipt = signed.receipt
        if receipt.issuer is not Role.PROVIDER:
            raise BadInput(
                "a receipt that an oracle issued", "Oracles issue their own: ask them for it."
            )
        signed.check()
        check_place(self._market.chain, receipt)
        if not self._market.job(receipt.job).accepted_at:
            raise BadInput(f"job {receipt.job} is not accepted", "Accept it on chain first.")
        filed = self._store.receipt(receipt.hash)
        known = filed.signed.signatures if filed else ()
        for signature in signed.signatures:
            if signature in known:
                continue
            check_role(self._market.chain, receipt, signature)
            if signature.role is Role.PROVIDER:
                self._check_operator(receipt.provider, signature.signer)

    def _check_operator(self, provider: int, signer: str) -> None:
        """A key that the provider has dropped must not speak first for its jobs."""
        operator = self._market.speaker(provider).operator
        if signer != operator:
            raise Unauthorized(
                f"signed by {signer}, a former operator key",
                f"Sign with the operator key of provider {provider}, {operator}.",
            )

    # --- judging ------------------------------------------------------------------------------

    def tick(self) -> None:
        """Counter-sign what can be agreed with, and issue what is missing.

        Once per final block: on a young chain, whose contracts are not final, never.
        """
        try:
            final = self._market.finalized()
        except NotFound:
            return
        if final.number < self._market.chain.deployment.first_block or final.hash == self._done:
            return
        self._judge_pending(final)
        self._find_failed(final)
        self._issue_missing(final)
        if self._next_block > final.number:
            self._done = final.hash

    def _judge_pending(self, final: Block) -> None:
        page = self._store.pending_receipts(self._judged, MAX_PENDING)
        # a full page goes on next time: receipts of jobs that never end don't hold up others
        self._judged = page[-1].id if len(page) == MAX_PENDING else 0
        for filed in page:
            reason = self._objection(filed, final)
            if reason is None:
                continue
            receipt = filed.signed.receipt
            if reason:
                log.warning("receipt disputed", job=receipt.job, reason=reason)
                self._store.judge_receipt(receipt.hash, ReceiptState.DISPUTED, reason)
            else:
                log.info("receipt counter-signed", job=receipt.job, document=receipt.hash.hex())
                signature = self._sign(receipt)
                self._store.judge_receipt(receipt.hash, ReceiptState.AGREED, "", signature)

    def _objection(self, filed: FiledReceipt, final: Block) -> str | None:
        """What is wrong with a provider's receipt; "" for nothing, None while it can't be said."""
        receipt = filed.signed.receipt
        try:
            job = self._market.job_at(receipt.job, final)
        except NotFound:
            return None
        if receipt.status is not JobStatus.RUNNING:
            status = self._final_status(job)
            if status is None:
                return None
            if status is not receipt.status:
                return f"the chain ended the job as {status.name.lower()}"
        now, believed = self._market.head.timestamp, self._settle.believed(job)
        reason = ""
        if not job.accepted_at <= receipt.ended_at <= now:
            reason = f"the job can't have ended at chain time {receipt.ended_at}"
        elif receipt.gpu_seconds > believed:
            reason = f"{believed} GPU-seconds observed"
        # its usage samples may be on their way still, or its chain a block ahead of ours
        is_early = now <= filed.arrived_at + self._rules.lag
        return None if reason and is_early else reason

    def _final_status(self, job: Job) -> JobStatus | None:
        """What the chain ended a job with, None while it has not."""
        if job.status in FINAL:
            return JobStatus(job.status)
        return self._history.status_at_close(job) if job.status == JobStatus.CLOSED else None

    # --- issuing ------------------------------------------------------------------------------

    def _find_failed(self, final: Block) -> None:
        """Remember the failed jobs of blocks that have become final, some blocks per turn: after
        a restart there are many, and other work must not wait for them."""
        last = min(final.number, self._next_block + MAX_BLOCKS - 1)
        if last < self._next_block:
            return
        for ending in self._history.failures(self._next_block, last):
            self._failed[ending.job] = ending
        self._next_block = last + 1

    def _issue_missing(self, final: Block) -> None:
        for ending in list(self._failed.values()):
            if self._is_told(ending):
                del self._failed[ending.job]
            elif self._is_due(ending, final):
                self._issue(ending)
                del self._failed[ending.job]

    def _is_told(self, ending: Ending) -> bool:
        """Whether there is a receipt that an oracle stands by, its own or the provider's."""
        return any(
            filed.state is ReceiptState.AGREED
            and filed.signed.receipt.status is not JobStatus.RUNNING
            for filed in self._store.receipts(ending.job)
        )

    def _is_due(self, ending: Ending, final: Block) -> bool:
        """A convict's word is not waited for; any other provider gets the time that a silent
        customer gets."""
        if ending.case is not None or ending.status is JobStatus.CANCELLED:
            return True
        return ending.ended_at + self._rules.lag <= final.timestamp

    def _issue(self, ending: Ending) -> None:
        status, fault = judge(ending, self._seen(ending), self._rules.grace)
        receipt = ExecutionReceipt(
            chain_id=self._market.chain.chain_id,
            escrow=self._market.domain(ESCROW).verifying_contract.lower(),
            job=ending.job,
            provider=ending.provider,
            period=1,
            issuer=Role.ORACLE,
            devices=ending.devices,
            work=None,
            gpu_seconds=ending.gpu_seconds,
            telemetry=None,
            status=status,
            fault=fault,
            ended_at=ending.ended_at,
        )
        signed = SignedReceipt(receipt, (self._sign(receipt),))
        self._store.file_receipt(signed, ReceiptState.AGREED, self._market.head.timestamp)
        log.info("receipt issued", job=ending.job, layer=str(fault.layer))

    def _seen(self, ending: Ending) -> Seen:
        reported = self._store.reported(ending.job)
        beats = [
            beat
            for provider in self._market.members(ending.provider)
            for device in self._store.devices(provider)
            if (beat := self._store.last_beat(device.device, ending.ended_at)) is not None
        ]
        return Seen(
            reported[0].cumulative_gpu_seconds if reported else None, max(beats, default=None)
        )

    def _sign(self, receipt: ExecutionReceipt) -> ReceiptSignature:
        signer = self._member.address()
        return ReceiptSignature(Role.ORACLE, signer, self._member.sign(receipt.digest()))
