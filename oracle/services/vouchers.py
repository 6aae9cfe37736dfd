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
from oracle.domain.messages import Domain
from oracle.domain.receipts import FINAL, JobStatus
from oracle.domain.recovery import recover
from oracle.domain.vouchers import SignedVoucher
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

    def take(self, signed: SignedVoucher) -> None:
        """Check and store a voucher; a final one is settled before this returns.

        Raises `NotFound` for a job that is not this provider's, `Unauthorized` for a signer
        that is not the job's customer, `BadInput` for a status no voucher has, `Conflict` for
        one that says less than what is stored.
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
        self._check_signature(signed, job.customer)
        stored = self.state.voucher(voucher.job)
        if stored is not None and stored.voucher.cumulative_gpu_seconds > (
            voucher.cumulative_gpu_seconds
        ):
            raise Conflict(
                f"a voucher over {stored.voucher.cumulative_gpu_seconds} GPU-seconds is stored",
                "Vouchers are cumulative: sign the total since the job began.",
            )
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

    def _check_signature(self, signed: SignedVoucher, customer: str) -> None:
        """A plain key's signature is checked here; what a contract signed, by the escrow itself
        when the voucher is settled."""
        if self.chain.w3.eth.get_code(self.chain.w3.to_checksum_address(customer)):
            return
        domain = Domain(self.chain.chain_id, self.chain.deployment.address("JobEscrow"))
        signer = recover(signed.voucher.digest(domain), signed.signature)
        if signer != customer:
            raise Unauthorized(
                f"the voucher is signed by {signer}", f"Sign with the customer's key, {customer}."
            )
