"""The provider's voucher desk: take what customers co-sign, settle the best of each job.

A voucher is money the moment it is settled, and worth nothing if it is lost: it is stored
before it is acknowledged. Running jobs are settled every `settle_seconds`, a final voucher at
once, because it ends the job.
"""

import asyncio
import threading
from dataclasses import dataclass, field

import structlog

from oracle.adapters.chain.client import Chain
from oracle.adapters.signer import Signer
from oracle.adapters.store.agent_state import AgentState
from oracle.domain.messages import Domain, Voucher
from oracle.domain.receipts import FINAL, JobStatus
from oracle.domain.recovery import recover
from oracle.domain.vouchers import SignedVoucher, most_gpu_seconds
from oracle.errors import BadInput, ClearworkError, Conflict, NotFound, Unauthorized
from oracle.services.provider import Provider
from oracle.services.signers import speaker

log = structlog.get_logger()


@dataclass(slots=True)
class VoucherDesk:
    """Vouchers of the jobs of one provider. Methods may be called from any thread."""

    chain: Chain
    signer: Signer
    state: AgentState
    provider: int
    settle_seconds: float
    _settling: threading.Lock = field(default_factory=threading.Lock)
    _taking: threading.Lock = field(default_factory=threading.Lock)

    def take(self, signed: SignedVoucher) -> None:
        """Check and store a voucher; a final one is settled before this returns.

        Raises `NotFound` for a job that is not this provider's, `BadInput` for a status no
        voucher has and for more GPU-seconds than the job can have used, `Unauthorized` where the
        job's customer did not sign, `Conflict` for one that says less than what is stored.
        """
        voucher = signed.voucher
        job = self.chain.read("JobRegistry", "job_info", voucher.job)
        if speaker(self.chain, job.provider) != self.provider:
            raise NotFound(
                f"job {voucher.job} is not one of provider {self.provider}",
                "Send the voucher to the provider that accepted the job, or to its cluster's lead.",
            )
        if voucher.status != JobStatus.RUNNING and voucher.status not in FINAL:
            raise BadInput(f"no voucher has status {voucher.status}", "Use 3, or 4 to 9 to end it.")
        most = most_gpu_seconds(job.gpus, job.accepted_at, self.chain.timestamp())
        if voucher.cumulative_gpu_seconds > most:
            raise BadInput(
                f"job {voucher.job} can't have used {voucher.cumulative_gpu_seconds} GPU-seconds, "
                f"only {most}",
                "Sign what the agent shows as used.",
            )
        self._check_signature(signed, job.customer)
        with self._taking:
            self._check_better(voucher)
            self.state.save_voucher(signed)
        if voucher.status in FINAL:
            self.settle(voucher.job)

    def settle(self, job: int) -> None:
        """Settle the stored voucher of a job, if it is worth more than what is settled."""
        with self._settling:
            signed = self.state.voucher(job)
            if signed is None:
                return
            found = self.chain.read("JobRegistry", "job_info", job)
            ends = signed.voucher.status in FINAL and found.status not in FINAL
            if signed.voucher.cumulative_gpu_seconds > found.settled or ends:
                receipt = Provider(self.chain, self.signer).settle(signed)
                log.info(
                    "settled",
                    job=job,
                    gpu_seconds=signed.voucher.cumulative_gpu_seconds,
                    transaction=receipt.transactionHash.to_0x_hex(),
                )
            self.state.voucher_settled(signed)

    async def run(self) -> None:
        """Settle what is stored, again and again, until cancelled."""
        while True:
            await asyncio.sleep(self.settle_seconds)
            for job in self.state.unsettled_vouchers():
                try:
                    await asyncio.to_thread(self.settle, job)
                except ClearworkError as error:
                    log.warning("not settled", job=job, problem=str(error), remedy=error.remedy)

    def _check_better(self, voucher: Voucher) -> None:
        """Whether a voucher says at least as much as the stored one. Raises `Conflict`."""
        found = self.state.voucher(voucher.job)
        if found is None:
            return
        stored = found.voucher
        if stored.cumulative_gpu_seconds > voucher.cumulative_gpu_seconds:
            raise Conflict(
                f"a voucher over {stored.cumulative_gpu_seconds} GPU-seconds is stored",
                "Vouchers are cumulative: sign the total since the job began.",
            )
        # a final one may still wait for its transaction: nothing of equal worth takes its place
        equal = stored.cumulative_gpu_seconds == voucher.cumulative_gpu_seconds
        if equal and stored.status in FINAL and voucher.status != stored.status:
            raise Conflict(
                f"a voucher over {stored.cumulative_gpu_seconds} GPU-seconds that ends the job "
                f"with status {stored.status} is stored",
                "Nothing to do: the agent settles it.",
            )

    def _check_signature(self, signed: SignedVoucher, customer: str) -> None:
        """Whether the escrow would take the signature now. Raises `Unauthorized`.

        A contract is asked, as the escrow will ask it, and may say no by then.
        """
        escrow = self.chain.deployment.address("JobEscrow")
        digest = signed.voucher.digest(Domain(self.chain.chain_id, escrow))
        if self.chain.has_code(customer):
            if not self.chain.agrees(customer, digest, signed.signature, escrow):
                raise Unauthorized(
                    f"the contract {customer} does not take the voucher's signature",
                    "Sign the voucher's digest in the way that it understands (ERC-1271).",
                )
            return
        signer = recover(digest, signed.signature)
        if signer != customer:
            raise Unauthorized(
                f"the voucher is signed by {signer}", f"Sign with the customer's key, {customer}."
            )
