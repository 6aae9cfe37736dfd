"""The customer's side of a job: open, fund, co-sign, cancel."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from oracle.adapters.chain.client import Chain
from oracle.adapters.signer import Signer
from oracle.domain.execution import ReceiptSignature, Role, SignedReceipt
from oracle.domain.messages import Domain, Voucher
from oracle.domain.receipts import FINAL, JobStatus
from oracle.domain.vouchers import SignedVoucher
from oracle.errors import BadInput, NotFound
from oracle.services.signers import check_signers

# GPU-seconds per GPU that a provider's meter may be ahead of the customer's own clock
CLOCK_SLACK_S = 5


@dataclass(frozen=True, slots=True)
class Order:
    """What a customer asks for; amounts in base units of `asset`, `terms` is a 32-byte hash."""

    provider: int
    asset: str
    gpus: int
    device_class: int
    price_per_gpu_hour: int
    deposit: int
    sla: int
    terms: bytes


class Customer:
    """One customer's key on one chain. Every method sends at most one transaction per call,
    raises `Conflict` with the contract's reason, and leaves nothing half done."""

    def __init__(self, chain: Chain, signer: Signer) -> None:
        self._chain = chain
        self._signer = signer
        self._escrow = chain.contract("JobEscrow")
        self._jobs = chain.contract("JobRegistry")

    def open_job(self, order: Order) -> int:
        """Approve what is missing, open and fund a job; returns its number."""
        self._approve(order.asset, order.deposit)
        receipt = self._chain.transact(
            self._signer,
            self._escrow.functions.open_job(
                order.provider,
                order.asset,
                order.gpus,
                order.device_class,
                order.price_per_gpu_hour,
                order.deposit,
                order.sla,
                order.terms,
            ),
        )
        job: int = self._chain.event(receipt, "JobRegistry", "JobOpened").job
        return job

    def top_up(self, job: int, amount: int) -> None:
        """Add `amount` base units to the deposit of a job."""
        self._approve(self.job(job).asset, amount)
        self._chain.transact(self._signer, self._escrow.functions.top_up(job, amount))

    def cancel(self, job: int) -> None:
        """Take back a job that its provider has not accepted."""
        self._chain.transact(self._signer, self._jobs.functions.cancel(job))

    def job(self, job: int) -> Any:
        """The job as the chain has it. Raises `NotFound` for an unknown number."""
        found = self._chain.read("JobRegistry", "job_info", job)
        if not found.status:
            raise NotFound(f"no job {job}", "List your jobs with `clearwork customer jobs`.")
        return found

    def jobs(self) -> Iterator[tuple[int, Any]]:
        """Number and state of all jobs this customer opened, oldest first."""
        logs = self._chain.logs("JobRegistry", "JobOpened", customer=self._signer.address)
        for log in logs:
            yield log.args.job, self.job(log.args.job)

    def co_sign(self, job: int, cumulative_gpu_seconds: int, status: JobStatus) -> SignedVoucher:
        """Sign a voucher for usage the provider claims.

        Refuses (`BadInput`) what the customer's own view contradicts: usage beyond the GPUs'
        time since the job was accepted by chain time, below what is settled already, or worth
        more than the deposit.
        """
        found = self.job(job)
        if status is not JobStatus.RUNNING and status not in FINAL:
            raise BadInput(f"status {status.name} is for no voucher", "Use running or a final one.")
        elapsed = self._chain.timestamp() - found.accepted_at + CLOCK_SLACK_S
        if not found.accepted_at or cumulative_gpu_seconds > found.gpus * elapsed:
            raise BadInput(
                f"job {job}: {cumulative_gpu_seconds} GPU-seconds claimed, but {found.gpus} GPUs "
                f"can't have worked longer than {elapsed} s each",
                "Don't sign: ask the provider for its telemetry.",
            )
        if cumulative_gpu_seconds < found.settled:
            raise BadInput(
                f"job {job}: {found.settled} GPU-seconds are settled already",
                "Vouchers are cumulative: sign the total since the job began.",
            )
        debt = cumulative_gpu_seconds * found.price_per_gpu_hour // 3_600 - found.deposit
        if debt > 0:
            raise BadInput(
                f"job {job}: a voucher over the deposit, by {debt} base units",
                f"Top up first: clearwork customer top-up {job} {debt}",
            )
        voucher = Voucher(job, cumulative_gpu_seconds, status)
        domain = Domain(self._chain.chain_id, self._escrow.address)
        return SignedVoucher(voucher, self._signer.sign(voucher.digest(domain)))

    def counter_sign(self, signed: SignedReceipt, voucher: Voucher) -> SignedReceipt:
        """Add this customer's signature to the receipt of a job that `voucher` has ended.

        Refuses (`BadInput`, `Unauthorized`) a receipt of another job or provider, one that is
        not signed by the provider, and one that says something else than the voucher.
        """
        receipt = signed.receipt
        check_signers(self._chain, signed)
        said = (receipt.job, receipt.gpu_seconds, int(receipt.status))
        if said != (voucher.job, voucher.cumulative_gpu_seconds, voucher.status):
            raise BadInput(
                f"a receipt of job {said[0]} over {said[1]} GPU-seconds with status {said[2]}, "
                f"but the voucher is {voucher}",
                "Don't sign: ask the provider which of the two is true.",
            )
        signature = self._signer.sign(receipt.digest())
        own = ReceiptSignature(Role.CUSTOMER, self._signer.address, signature)
        return signed.merged(SignedReceipt(receipt, (own,)))

    def _approve(self, asset: str, amount: int) -> None:
        token = self._chain.w3.eth.contract(
            address=self._chain.w3.to_checksum_address(asset),
            abi=self._chain.contract("WorkToken").abi,
        )
        spender = self._escrow.address
        if token.functions.allowance(self._signer.address, spender).call() < amount:
            self._chain.transact(self._signer, token.functions.approve(spender, amount))
