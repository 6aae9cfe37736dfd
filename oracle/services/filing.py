"""File proofs: within a gas cap, again while the chain is silent, and count what they earn."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from web3.contract.contract import ContractFunction
from web3.exceptions import Web3Exception

from oracle.adapters.chain.client import Chain, explained
from oracle.adapters.signer import Signer
from oracle.domain.receipts import JobStatus
from oracle.errors import ClearworkError, Conflict, Transient

log = structlog.get_logger()

# jobs looked at when a victim is sought, newest first
MAX_VICTIM_CANDIDATES = 256
# times that a proof is sent to a chain that does not answer
MAX_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Conviction:
    """A proof that was executed; amounts in base units of the staked token."""

    kind: str
    offender: str
    slashed: int
    victim_paid: int
    reporter_paid: int
    burnt: int
    # base units of the victim job's asset returned from its deposit
    refunded: int
    gas: int
    transaction: str


@dataclass(slots=True)
class Finding:
    """A proof to file. `call` is made anew for every attempt: the victim's job may have ended."""

    kind: str
    offender: str
    call: Callable[[], ContractFunction]
    # contract and event that say what it cost
    outcome: tuple[str, str]
    attempts: int = 0


@dataclass(slots=True)
class Filer:
    """One key that files proofs. Without a signer it says what it would file.

    `gas_cap` is in gas units, of one transaction.
    """

    chain: Chain
    signer: Signer | None
    gas_cap: int
    convictions: list[Conviction] = field(default_factory=list)
    # what the chain did not take because it did not answer
    _unfiled: list[Finding] = field(default_factory=list)
    # providers that are known to have nothing to lose
    _penniless: set[int] = field(default_factory=set)

    def retry(self) -> None:
        """File again what the chain did not take because it did not answer."""
        unfiled, self._unfiled = self._unfiled, []
        for finding in unfiled:
            self.file(finding)

    def file(self, finding: Finding) -> None:
        """Send a proof, unless there is no key, it is too dear or the chain refuses it."""
        kind, offender = finding.kind, finding.offender
        if self.signer is None:
            log.warning("found, not filed: no key", kind=kind, offender=offender)
            return
        try:
            receipt = self.send(self.signer, finding.call())
        except Transient as error:
            finding.attempts += 1
            log.warning("found, not filed yet", kind=kind, reason=str(error))
            if finding.attempts < MAX_ATTEMPTS:
                self._unfiled.append(finding)
        except (ClearworkError, Web3Exception) as error:
            log.warning("found, not filed", kind=kind, reason=str(error))
        else:
            self.note(kind, offender, receipt, finding.outcome)

    def send(self, signer: Signer, call: ContractFunction) -> Any:
        """Send a call and return its receipt.

        Raises `Conflict` with the contract's reason, or where it takes more gas than the cap;
        nothing is sent then.
        """
        with explained(signer.address):
            sender = self.chain.w3.to_checksum_address(signer.address)
            gas = call.estimate_gas({"from": sender})
        if gas > self.gas_cap:
            raise Conflict(f"{gas} gas is over the cap of {self.gas_cap}", "Raise --gas-cap.")
        return self.chain.transact(signer, call)

    def note(self, kind: str, offender: str, receipt: Any, outcome: tuple[str, str]) -> None:
        """Count a conviction by the event in its receipt, once; none where there is no event."""
        transaction = receipt.transactionHash.to_0x_hex()
        found = self.chain.events(receipt, *outcome)
        if not found or any(known.transaction == transaction for known in self.convictions):
            return
        cost = found[0]
        # a member's bond has no victim
        conviction = Conviction(
            kind=kind,
            offender=offender,
            slashed=cost.slashed,
            victim_paid=cost.get("victim_amount", 0),
            reporter_paid=cost.reporter_amount,
            burnt=cost.burnt,
            refunded=cost.get("refunded", 0),
            gas=receipt.gasUsed,
            transaction=transaction,
        )
        self.convictions.append(conviction)
        log.info("convicted", kind=kind, offender=offender, earned=conviction.reporter_paid)

    def is_worth(self, provider: int) -> bool:
        """Whether a conviction would cost a provider anything, and so bring its reporter something.

        Registering is free. Below the least self-bond, which slashes alone lead to, nobody gets out
        of jail. Raises `Transient` where the chain does not answer.
        """
        stake = self.chain.read("ProviderStaking", "slashable", provider)
        if stake >= self.chain.read("ProviderStaking", "MIN_SELF_BOND"):
            self._penniless.discard(provider)
            return True
        if provider not in self._penniless:
            log.warning("not worth a conviction", provider=provider, stake=stake)
        self._penniless.add(provider)
        return False

    def victim_job(self, provider: int) -> int:
        """The live job of a provider with the largest collateral; 0 if it has none.

        Its customer is the one paid first.
        """
        opened = list(self.chain.logs("JobRegistry", "JobOpened", provider=provider))
        best, most = 0, -1
        for event in opened[-MAX_VICTIM_CANDIDATES:]:
            job = self.chain.read("JobRegistry", "job_info", event.args.job)
            live = job.status in (JobStatus.ACCEPTED, JobStatus.RUNNING)
            if live and job.collateral > most:
                best, most = event.args.job, job.collateral
        return best
