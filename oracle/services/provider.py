"""The provider's side on chain: register, stake, take jobs, be paid, claim rewards."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from web3.contract.contract import ContractFunction

from oracle.adapters.chain.allowance import NO_PERMIT, Allowance
from oracle.adapters.chain.client import Chain, explained
from oracle.adapters.signer import Signer
from oracle.domain.messages import Domain, Offer
from oracle.domain.offers import SignedOffer, check
from oracle.domain.vouchers import SignedVoucher
from oracle.errors import Conflict, NotFound, Unauthorized

# nonces that the OfferBook revokes at once
MAX_NONCES = 64


@dataclass(frozen=True, slots=True)
class Terms:
    """What a provider announces: the bps of emission and of job income it keeps before its
    delegators share the rest, the bps of a slash that a reporter may get at most, and where
    it describes itself."""

    operator: str
    payout: str
    emission_commission_bps: int
    job_commission_bps: int
    max_reporter_bps: int
    uri: str


class Provider:
    """One key of a provider, its owner's or its operator's, on one chain.

    The contracts say which of the two a call needs. Every method raises `Conflict` with the
    contract's reason before it sends anything that would revert.
    """

    def __init__(self, chain: Chain, signer: Signer) -> None:
        self._chain = chain
        self._signer = signer
        self._staking = chain.contract("ProviderStaking")
        self._escrow = chain.contract("JobEscrow")
        self._jobs = chain.contract("JobRegistry")

    def register(self, terms: Terms) -> int:
        """Register a provider owned by this key; returns its id."""
        receipt = self._chain.transact(
            self._signer,
            self._chain.contract("ProviderRegistry").functions.register(
                terms.operator,
                terms.payout,
                terms.emission_commission_bps,
                terms.job_commission_bps,
                terms.max_reporter_bps,
                terms.uri,
            ),
        )
        event = self._chain.event(receipt, "ProviderRegistry", "ProviderRegistered")
        provider: int = event.provider
        return provider

    def stake(self, provider: int, tokens: int) -> None:
        """Add `tokens` base units to a provider's self-bond."""
        permit = self._allowance.permit(tokens)
        calls = self._staking.functions
        self._chain.transact(
            self._signer,
            calls.stake(provider, tokens)
            if permit is NO_PERMIT
            else calls.stake_with_permit(provider, *permit),
        )

    def delegate(self, provider: int, tokens: int) -> None:
        """Delegate `tokens` base units to a provider, at the share price of this block."""
        permit = self._allowance.permit(tokens)
        calls = self._staking.functions
        self._chain.transact(
            self._signer,
            calls.delegate(provider, tokens, 0)
            if permit is NO_PERMIT
            else calls.delegate_with_permit(provider, tokens, 0, *permit[1:]),
        )

    def accept(self, job: int) -> Any:
        """Take an open job; locks the collateral of its service level. Returns the receipt."""
        return self._chain.transact(self._signer, self._jobs.functions.accept(job))

    def decline(self, job: int) -> None:
        """Refuse an open job; its deposit goes back to the customer."""
        self._chain.transact(self._signer, self._jobs.functions.decline(job))

    def start(self, job: int) -> None:
        """Say that an accepted job runs now."""
        self._chain.transact(self._signer, self._jobs.functions.start(job))

    def checkpoint(self, job: int) -> int:
        """Remember what is settled of a job: two dispute windows later it can't be disputed.

        Returns GPU-seconds; raises `Conflict` where the last checkpoint is too young.
        """
        receipt = self._chain.transact(self._signer, self._jobs.functions.checkpoint(job))
        return int(self._chain.event(receipt, "JobRegistry", "Checkpointed").gpu_seconds)

    def show_voucher(self, job: int) -> int:
        """Show the customer's last voucher, as it was settled: its usage can't be disputed.

        Returns GPU-seconds; raises `NotFound` where no voucher of the job was settled, `Conflict`
        where it shows nothing new.
        """
        vouchers = self._sent_vouchers(job)
        if not vouchers:
            raise NotFound(
                f"no transaction to JobEscrow settled a voucher of job {job}",
                "Settle one, or note what is settled without --voucher: it counts two dispute "
                "windows later.",
            )
        # whoever sent them may have put one in front that nobody signed
        calls = [self._jobs.functions.checkpoint_voucher(*one) for one in vouchers]
        valid = next((call for call in calls if self._is_taken(call)), calls[-1])
        receipt = self._chain.transact(self._signer, valid)
        return int(self._chain.event(receipt, "JobRegistry", "Checkpointed").gpu_seconds)

    def _sent_vouchers(self, job: int) -> list[tuple[int, int, int, bytes]]:
        """Job, GPU-seconds, status and signature of a job's vouchers in the transaction that
        settled one last."""
        settled = list(self._chain.logs("JobEscrow", "VoucherSettled", job=job))
        if not settled:
            return []
        sent = self._chain.transaction(settled[-1].transactionHash)
        try:
            call, given = self._escrow.decode_function_input(sent.input)
        except ValueError:
            # settled through another contract
            return []
        if not call.fn_name.startswith("settle_voucher"):
            return []
        # one voucher's fields are the arguments themselves, in the order of the struct
        vouchers = given.get("vouchers", [given])
        return [tuple(one.values()) for one in vouchers if one["job"] == job]

    def _is_taken(self, call: ContractFunction) -> bool:
        try:
            with explained():
                call.call({"from": self._chain.w3.to_checksum_address(self._signer.address)})
        except Conflict:
            return False
        return True

    def sign(self, offer: Offer) -> SignedOffer:
        """Sign an offer; whoever holds it can then take it.

        Raises `BadInput` or `Conflict` for one that nobody could take, `Unauthorized` where
        this key does not speak for the provider.
        """
        check(offer, self._chain.timestamp())
        signer = self._signer.address
        if not self._chain.read("ProviderRegistry", "speaks_for", offer.provider, signer):
            raise Unauthorized(
                f"{signer} does not speak for provider {offer.provider}",
                "Use the keystore of its owner or of its present operator key.",
            )
        domain = Domain(self._chain.chain_id, self._chain.deployment.address("OfferBook"))
        return SignedOffer(offer, signer, self._signer.sign(offer.digest(domain)))

    def revoke(self, provider: int, nonces: Sequence[int]) -> None:
        """Revoke the offers with these nonces, for ever."""
        book = self._chain.contract("OfferBook")
        for start in range(0, len(nonces), MAX_NONCES):
            some = list(nonces[start : start + MAX_NONCES])
            self._chain.transact(self._signer, book.functions.revoke(provider, some))

    def revoke_below(self, provider: int, lowest: int) -> None:
        """Revoke all offers with a nonce below `lowest`, for ever."""
        book = self._chain.contract("OfferBook")
        self._chain.transact(self._signer, book.functions.revoke_below(provider, lowest))

    def settle(self, signed: SignedVoucher) -> Any:
        """Settle a job by its customer's voucher; returns the receipt."""
        voucher = signed.voucher
        call = self._escrow.functions.settle_voucher(
            voucher.job, voucher.cumulative_gpu_seconds, voucher.status, signed.signature
        )
        return self._chain.transact(self._signer, call)

    def close(self, job: int) -> Any:
        """Close a job that is over: frees GPUs and collateral. Returns the receipt."""
        return self._chain.transact(self._signer, self._jobs.functions.close(job))

    def withdraw(self, provider: int, asset: str, subnet: int = 0) -> Any:
        """Send a provider's matured income in `asset` and `subnet` to its payout address."""
        asset = self._chain.w3.to_checksum_address(asset)
        if not any(self._chain.read("JobEscrow", "income", provider, asset, subnet)):
            raise NotFound(
                f"provider {provider} has no income in {asset}",
                "Settle a voucher first, or wait for the committee's receipts.",
            )
        call = self._escrow.functions.withdraw(provider, asset, subnet)
        return self._chain.transact(self._signer, call)

    def claim(self, kind: int, key: bytes, cumulative: int, proof: list[bytes]) -> Any:
        """Claim a leaf of the active reward root for whom it names; returns the receipt."""
        distributor = self._chain.contract("RewardDistributor")
        return self._chain.transact(
            self._signer, distributor.functions.claim(kind, key, cumulative, proof)
        )

    @property
    def _allowance(self) -> Allowance:
        token = self._chain.deployment.address("WorkToken")
        return Allowance(self._chain, self._signer, token, self._staking.address)
