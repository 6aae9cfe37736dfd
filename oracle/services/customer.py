"""The customer's side of a job: open or take, fund, co-sign, dispute, end."""

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Any

from oracle.adapters.chain.allowance import Allowance
from oracle.adapters.chain.client import Chain
from oracle.adapters.signer import Signer
from oracle.domain.execution import ReceiptSignature, Role, SignedReceipt
from oracle.domain.market import FIRST_CLUSTER, SECONDS_PER_HOUR
from oracle.domain.messages import Domain, Voucher
from oracle.domain.offers import SignedOffer
from oracle.domain.receipts import COMPENSATED, FINAL, JobStatus
from oracle.domain.usage import BPS, misses_uptime
from oracle.domain.vouchers import SignedVoucher, most_gpu_seconds
from oracle.errors import BadInput, NotFound
from oracle.services.cluster import read_cluster
from oracle.services.signers import check_signers

# kind of an accusation (ISlashingCourt)
FRAUD = 5


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
    # subnet whose fees the job counts for, 0 for none
    subnet: int = 0


class Customer:
    """One customer's key on one chain. Every method sends one transaction, after an approval where
    one is missing, raises `Conflict` with the contract's reason, and leaves nothing half done."""

    def __init__(self, chain: Chain, signer: Signer) -> None:
        self._chain = chain
        self._signer = signer
        self._escrow = chain.contract("JobEscrow")
        self._jobs = chain.contract("JobRegistry")

    def open_job(self, order: Order) -> int:
        """Open and fund a job, under a permit where the token knows them; returns its number."""
        permit = self._allowance(order.asset).permit(order.deposit)
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
                order.subnet,
                permit,
            ),
        )
        job: int = self._chain.event(receipt, "JobRegistry", "JobOpened").job
        return job

    def take(self, signed: SignedOffer, gpus: int, run_seconds: int, subnet: int = 0) -> int:
        """Take GPUs of an offer for a time paid in advance: the job is opened, funded and accepted
        in one transaction (two where the token knows no permits). Returns its number. `subnet`:
        whose fees it counts for, 0 for none.

        Raises `Conflict` with the contracts' reason for an offer that does not hold any more.
        """
        offer = signed.offer
        deposit = -(-gpus * run_seconds * offer.price_per_gpu_hour // SECONDS_PER_HOUR)
        permit = self._allowance(offer.asset).permit(deposit)
        receipt = self._chain.transact(
            self._signer,
            self._escrow.functions.take_offer(
                astuple(offer), signed.signer, signed.signature, gpus, run_seconds, subnet, permit
            ),
        )
        job: int = self._chain.event(receipt, "JobRegistry", "JobOpened").job
        return job

    def top_up(self, job: int, amount: int) -> None:
        """Add `amount` base units to the deposit of a job."""
        self._allowance(self.job(job).asset).approve(amount)
        self._chain.transact(self._signer, self._escrow.functions.top_up(job, amount))

    def cancel(self, job: int) -> None:
        """Take back a job that its provider has not accepted."""
        self._chain.transact(self._signer, self._jobs.functions.cancel(job))

    def lower(self, job: int, amount: int) -> None:
        """Take back part of a deposit; what the provider may have earned stays."""
        self._chain.transact(self._signer, self._jobs.functions.lower_deposit(job, amount))

    def request_reclaim(self, job: int) -> None:
        """Announce that a job is silent; `reclaim` ends it after the job timeout."""
        self._chain.transact(self._signer, self._jobs.functions.request_reclaim(job))

    def reclaim(self, job: int) -> None:
        """End a job that stayed silent since `request_reclaim`."""
        self._chain.transact(self._signer, self._jobs.functions.reclaim(job))

    def close(self, job: int) -> None:
        """End a job whose status is final: refund, and compensation where its provider failed."""
        self._chain.transact(self._signer, self._jobs.functions.close(job))

    def claim_refund(self, asset: str, receiver: str) -> int:
        """Have refunds in `asset` that could not be delivered sent to `receiver`.

        Returns base units; raises `Conflict` where none is owed.
        """
        asset = self._chain.w3.to_checksum_address(asset)
        receipt = self._chain.transact(
            self._signer, self._escrow.functions.claim_refund(asset, receiver)
        )
        return int(self._chain.event(receipt, "JobEscrow", "RefundClaimed").amount)

    def settle_dispute(self, job: int) -> tuple[bool, int]:
        """Have what a dispute kept back paid once its case is closed.

        Returns whether it goes back to the customer, and base units of the job's asset.
        """
        receipt = self._chain.transact(self._signer, self._jobs.functions.settle_dispute(job))
        settled = self._chain.event(receipt, "JobRegistry", "DisputeSettled")
        return bool(settled.upheld), int(settled.amount)

    def leave(self, job: int) -> None:
        """End a job whose provider has lost devices, with refund and compensation.

        Takes as many devices out whose attestation has run out as make it short, and notes that,
        where nobody has; raises `Conflict` until the grace of the service level is over.
        """
        found = self.job(job)
        bonds = self._chain.contract("ServiceBonds")
        members = (
            [found.provider]
            if found.provider < FIRST_CLUSTER
            else [member.provider for member in read_cluster(self._chain, found.provider).members]
        )
        for provider in members:
            arguments = (provider, found.device_class)
            self._expire_devices(*arguments)
            if not self._chain.read("ServiceBonds", "short_since", *arguments):
                self._chain.transact(self._signer, bonds.functions.note_capacity(*arguments))
        self._chain.transact(self._signer, self._jobs.functions.leave_for_lost_capacity(job))

    def _expire_devices(self, provider: int, device_class: int) -> None:
        """Take devices of a class out of the registry whose attestation has run out, until their
        provider has fewer than it has promised: each costs a transaction."""
        read = self._chain.read
        spare = read("DeviceRegistry", "capacity", provider, device_class) - read(
            "ServiceBonds", "committed_gpus", provider, device_class
        )
        logs = self._chain.logs("DeviceRegistry", "DeviceAttested", provider=provider)
        devices = sorted({bytes(log.args.device) for log in logs})
        calls = [("DeviceRegistry", "device_info", device) for device in devices]
        now = self._chain.timestamp()
        lapsed = [
            device
            for device, info in zip(devices, self._chain.read_all(calls, None), strict=True)
            if info.device_class == device_class and 0 < info.attested_until <= now
        ]
        expire = self._chain.contract("DeviceRegistry").functions.expire
        for device in lapsed[: max(0, spare + 1)]:
            self._chain.transact(self._signer, expire(device))

    def dispute(self, job: int, provider: int, evidence_hash: bytes) -> tuple[bytes, int]:
        """Accuse a job's provider of fraud, under the court's bond, and keep the job's pending
        income back until the court has decided.

        Returns the case id and base units of the job's asset kept back.
        """
        court = self._chain.contract("SlashingCourt")
        bond = self._chain.read("SlashingCourt", "POLICY").accusation_bond
        token = self._chain.read("SlashingCourt", "TOKEN")
        Allowance(self._chain, self._signer, token, court.address).approve(bond)
        accused = self._chain.transact(
            self._signer, court.functions.accuse(provider, FRAUD, job, evidence_hash)
        )
        case_id = bytes(self._chain.event(accused, "SlashingCourt", "Accused").case_id)
        receipt = self._chain.transact(self._signer, self._jobs.functions.dispute(job, case_id))
        return case_id, int(self._chain.event(receipt, "JobRegistry", "JobDisputed").amount)

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

    def co_sign(
        self,
        job: int,
        cumulative_gpu_seconds: int,
        status: JobStatus,
        accept_end: bool = False,
    ) -> SignedVoucher:
        """Sign a voucher for usage the provider claims.

        Refuses (`BadInput`) what the customer's own view contradicts: usage beyond the GPUs'
        time since the job was accepted by chain time, below what is settled already, or worth
        more than the deposit. And, but for `accept_end`, an end that takes the compensation of
        the service level from the customer.
        """
        found = self.job(job)
        if status is not JobStatus.RUNNING and status not in FINAL:
            raise BadInput(f"status {status.name} is for no voucher", "Use running or a final one.")
        now = self._chain.timestamp()
        most = most_gpu_seconds(found.gpus, found.accepted_at, now)
        if cumulative_gpu_seconds > most:
            raise BadInput(
                f"job {job}: {cumulative_gpu_seconds} GPU-seconds claimed, but {found.gpus} GPUs "
                f"can't have worked longer than {most} together",
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
        if status in FINAL and not accept_end:
            self._check_end(job, found, cumulative_gpu_seconds, status, now - found.accepted_at)
        voucher = Voucher(job, cumulative_gpu_seconds, status)
        domain = Domain(self._chain.chain_id, self._escrow.address)
        return SignedVoucher(voucher, self._signer.sign(voucher.digest(domain)))

    def _check_end(
        self, job: int, found: Any, cumulative_gpu_seconds: int, status: JobStatus, elapsed: int
    ) -> None:
        """Whether an end pays the customer what its service level promises. Raises `BadInput`.

        The status is the provider's own word. Once a job is closed with it nobody asks again.
        """
        if not found.sla:
            return
        if status in COMPENSATED:
            if found.provider >= FIRST_CLUSTER and not self._chain.read(
                "ServiceBonds", "blamed", job
            ):
                raise BadInput(
                    f"job {job}: status {status.name}, but no member of cluster "
                    f"{found.provider} is blamed on chain, so none would compensate you",
                    "Wait for the committee's blame, or go without with --accept-end.",
                )
            return
        promised = self._chain.read("ServiceBonds", "sla_terms", found.sla).uptime_bps
        if misses_uptime(found.gpus, elapsed, cumulative_gpu_seconds, promised):
            raise BadInput(
                f"job {job}: status {status.name} after {cumulative_gpu_seconds} of "
                f"{found.gpus * elapsed} GPU-seconds, but service level {found.sla} promises "
                f"{promised} of {BPS} parts",
                "Don't sign if the provider failed you: `clearwork customer leave`, or the "
                "committee's measurements. If the end was agreed on, pass --accept-end.",
            )

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

    def _allowance(self, asset: str) -> Allowance:
        return Allowance(self._chain, self._signer, asset, self._escrow.address)
