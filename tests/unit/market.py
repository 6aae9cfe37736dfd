"""A market with one provider of eight devices, one customer with tokens, and odd tokens.

For the folders of the contracts that jobs need. Each test file sets the market up once; its
tests can't see each other.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import astuple, dataclass, replace
from enum import IntEnum
from typing import Any

import boa
import pytest
from eth_account.signers.local import LocalAccount

from oracle.domain.epochs import EpochInput, EpochRules, close
from oracle.domain.hashing import keccak
from oracle.domain.leaves import Leaf, LeafKind, job_key, payee_key
from oracle.domain.merkle import EMPTY_ROOT, MerkleTree
from oracle.domain.messages import Domain, EpochReport, Offer, Result, Voucher
from oracle.domain.receipts import AgreedReceipt, JobStatus, Receipt, pack
from tests.compiled import CONTRACTS, compiled
from tests.unit.conftest import DAY, DISPUTE_WINDOW, HOUR, ROOT, UNIT, sign, wire

ODD = ROOT / "tests" / "contracts"

SELF_BOND = 1_000 * UNIT
DEVICES = 8
COLLATERAL_PER_GPU = 50 * UNIT
COMPENSATION_BPS = 4_000
# 2 base units per GPU-second, so that sums are easy to follow
PRICE = 7_200
# covers 5 000 GPU-seconds
DEPOSIT = 10_000
PURSE = 1_000_000 * PRICE
TERMS = keccak(b"terms")
EPOCH = 7

State = Callable[[], tuple[Any, ...]]
Refused = Callable[[str], AbstractContextManager[None]]


class Skip(IntEnum):
    """Reasons in `ReceiptSkipped`, see modules/job_word.vy."""

    UNKNOWN = 1
    NOT_ACCEPTED = 2
    CLOSED = 3
    STATUS = 4
    NOT_INCREASING = 5
    EXHAUSTED = 6
    TOO_LARGE = 7
    SIGNATURE = 8
    SENDER = 9


def load_odd(name: str, *args: Any) -> Any:
    """Deploy one of the contracts that only tests use."""
    return compiled(ODD / f"{name}.vy").deploy(*args)


def load_module(name: str) -> Any:
    """The internal functions of contracts/modules/<name>.vy."""
    return compiled(CONTRACTS / "modules" / f"{name}.vy").deploy().internal


def logs(contract: Any, name: str) -> list[tuple[Any, ...]]:
    """Fields of each event of this name in the contract's last call."""
    # boa puts the emitter's address first
    return [tuple(entry)[1:] for entry in contract.get_logs() if type(entry).__name__ == name]


@pytest.fixture(scope="module")
def market(
    token: Any,
    staking: Any,
    registry: Any,
    clusters: Any,
    bonds: Any,
    offers: Any,
    jobs: Any,
    escrow: Any,
    controller: Any,
    ledger: Any,
    distributor: Any,
    court: Any,
) -> None:
    """All contracts, wired to each other for the tests of one file."""
    wire(
        token,
        staking,
        registry,
        clusters,
        bonds,
        offers,
        jobs,
        escrow,
        controller,
        ledger,
        distributor,
        court,
    )


@pytest.fixture(scope="module", autouse=True)
def _wired(market: None) -> None:
    """Every test here runs in that market."""


# --- a provider that can take jobs --------------------------------------------------------


@pytest.fixture(scope="session")
def owner(provider_owner: LocalAccount) -> str:
    return str(provider_owner.address)


@pytest.fixture(scope="session")
def payer(customer: LocalAccount) -> str:
    """The customer's address."""
    return str(customer.address)


@pytest.fixture(scope="module")
def device_class(registry: Any) -> int:
    return int(registry.add_class(1_000, 1_000, UNIT))


def card(provider: int, number: int) -> tuple[bytes, bytes]:
    """Identity and device id of a provider's nth device."""
    identity = keccak(f"card {number} of {provider}".encode())
    return identity, keccak(identity + provider.to_bytes(32, "big"))


@pytest.fixture(scope="module")
def attest(
    registry: Any, device_class: int, committee_signs: Callable[..., bytes]
) -> Callable[..., None]:
    """Enter a provider's nth device with the committee's word."""

    def _attest(provider: int, number: int, epoch: int = 1) -> None:
        identity, device = card(provider, number)
        result = Result(
            provider, device, identity, device_class, 2_000, 2_000, 10, TERMS, TERMS, TERMS
        )
        signatures = committee_signs(registry, device, epoch, result.struct_hash())
        registry.record(astuple(result), epoch, signatures)

    return _attest


@pytest.fixture(scope="module")
def register(
    providers: Any, token: Any, staking: Any, attest: Callable[..., None]
) -> Callable[..., int]:
    """Make somebody a provider with self-bond and attested devices."""

    def _register(
        account: str, operator: str, payout: str, devices: int = DEVICES, bond: int = SELF_BOND
    ) -> int:
        token.transfer(account, bond)
        with boa.env.prank(account):
            provider = int(providers.register(operator, payout, 0, 0, 5_000, ""))
            token.approve(staking, bond)
            staking.stake(provider, bond)
        for number in range(devices):
            attest(provider, number)
        return provider

    return _register


@pytest.fixture(scope="module")
def provider(register: Callable[..., int], owner: str, operator: LocalAccount, payout: str) -> int:
    return register(owner, operator.address, payout)


@pytest.fixture(scope="module")
def other_provider(register: Callable[..., int], oracles: list[LocalAccount]) -> int:
    """Somebody else with one device, who is its own operator and payee."""
    account = oracles[0].address
    return register(account, account, account, devices=1)


@pytest.fixture
def lose_device(registry: Any, court: Any) -> Callable[[int, int], None]:
    """A provider's nth device is struck."""

    def _lose_device(provider: int, number: int) -> None:
        registry.revoke(card(provider, number)[1], provider, sender=court.address)

    return _lose_device


@pytest.fixture
def slash(staking: Any, court: Any) -> Callable[[int, int], None]:
    """Burn stake of a provider, self-bond first."""
    zero = "0x" + "00" * 20

    def _slash(provider: int, amount: int) -> None:
        staking.slash(provider, (amount, zero, 0, zero, 0), sender=court.address)

    return _slash


# --- jobs -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asset(token: Any, escrow: Any, payer: str) -> Any:
    """The work token, listed as asset 1; the customer has some and has approved the escrow."""
    token.approve(escrow, 2**256 - 1)
    escrow.list_asset(token)
    token.transfer(payer, PURSE)
    token.approve(escrow, PURSE, sender=payer)
    return token


@pytest.fixture(scope="module")
def odd_token(escrow: Any, payer: str) -> Any:
    """A token that returns nothing, listed as the next asset."""
    odd = load_odd("odd_token", 10**12)
    odd.approve(escrow, 2**256 - 1)
    escrow.list_asset(odd)
    odd.transfer(payer, 10**9)
    odd.approve(escrow, 10**9, sender=payer)
    return odd


@pytest.fixture(scope="module")
def sla(escrow: Any, bonds: Any) -> int:
    return int(bonds.add_sla(COLLATERAL_PER_GPU, COMPENSATION_BPS, 0, 0))


@pytest.fixture
def open_job(
    escrow: Any, asset: Any, provider: int, device_class: int, sla: int, payer: str
) -> Callable[..., int]:
    """A job that the customer has funded."""

    def _open_job(
        gpus: int = 1,
        price: int = PRICE,
        deposit: int = DEPOSIT,
        *,
        by: str = payer,
        of: int = provider,
        paid_in: Any = asset,
        level: int = sla,
        subnet: int = 0,
    ) -> int:
        return int(
            escrow.open_job(
                of, paid_in, gpus, device_class, price, deposit, level, TERMS, subnet, sender=by
            )
        )

    return _open_job


@pytest.fixture
def wallet_job(escrow, asset, accepted_job):
    """A job of a contract, and that contract."""
    wallet = load_odd("wallet")
    asset.transfer(wallet, DEPOSIT)
    asset.approve(escrow, DEPOSIT, sender=wallet.address)
    return wallet, accepted_job(by=wallet.address)


@pytest.fixture
def accepted_job(
    escrow: Any, jobs: Any, open_job: Callable[..., int], operator: LocalAccount
) -> Callable[..., int]:
    """A job that its provider has accepted."""

    def _accepted_job(**kwargs: Any) -> int:
        job = open_job(**kwargs)
        jobs.accept(job, sender=operator.address)
        return job

    return _accepted_job


@pytest.fixture
def job(accepted_job: Callable[..., int]) -> int:
    return accepted_job()


@pytest.fixture
def offer(provider: int, device_class: int, sla: int, asset: Any) -> Offer:
    """All the provider's GPUs for a second to a day, good for a day."""
    return Offer(
        provider=provider,
        device_class=device_class,
        gpus=DEVICES,
        sla=sla,
        min_seconds=1,
        max_seconds=DAY,
        expires_at=boa.env.evm.patch.timestamp + DAY,
        nonce=1,
        asset=str(asset.address),
        price_per_gpu_hour=PRICE,
        terms=TERMS,
    )


@pytest.fixture
def take_offer(
    escrow: Any,
    offers: Any,
    offer: Offer,
    operator: LocalAccount,
    payer: str,
    domain_of: Callable[[Any], Domain],
) -> Callable[..., int]:
    """The customer takes GPUs of the provider's offer, by default one for an hour."""

    def _take_offer(
        gpus: int = 1,
        seconds: int = HOUR,
        /,
        *rest: Any,
        signer: LocalAccount = operator,
        signed: Offer | None = None,
        by: str = payer,
        **changes: Any,
    ) -> int:
        taken = replace(offer, **changes)
        signature = sign(signer, taken if signed is None else signed, domain_of(offers))
        return int(
            escrow.take_offer(
                astuple(taken), signer.address, signature, gpus, seconds, *rest, sender=by
            )
        )

    return _take_offer


# --- reports --------------------------------------------------------------------------------


@pytest.fixture
def signed_voucher(
    escrow: Any, customer: LocalAccount, domain_of: Callable[[Any], Domain]
) -> Callable[..., tuple[int, int, int, bytes]]:
    """The arguments of `settle_voucher`."""

    def _signed_voucher(
        job: int,
        cumulative: int,
        status: int = JobStatus.RUNNING,
        signer: LocalAccount = customer,
    ) -> tuple[int, int, int, bytes]:
        voucher = Voucher(job, cumulative, status)
        return job, cumulative, status, sign(signer, voucher, domain_of(escrow))

    return _signed_voucher


@pytest.fixture
def settle(
    escrow: Any, signed_voucher: Callable[..., tuple[Any, ...]], operator: LocalAccount
) -> Callable[..., None]:
    """The provider submits a voucher of the customer."""

    def _settle(job: int, cumulative: int, status: int = JobStatus.RUNNING) -> None:
        escrow.settle_voucher(*signed_voucher(job, cumulative, status), sender=operator.address)

    return _settle


@pytest.fixture
def signed_batch(
    escrow: Any, committee_signs: Callable[..., bytes]
) -> Callable[..., tuple[int, int, bytes, bytes]]:
    """The arguments of `settle_batch`, for receipts or for any bytes."""

    def _signed_batch(
        receipts: list[tuple[int, int, int]] | bytes, epoch: int = EPOCH, index: int = 0
    ) -> tuple[int, int, bytes, bytes]:
        packed = (
            receipts if isinstance(receipts, bytes) else pack(Receipt(*each) for each in receipts)
        )
        subject = index.to_bytes(32, "big")
        return epoch, index, packed, committee_signs(escrow, subject, epoch, keccak(packed))

    return _signed_batch


@pytest.fixture
def settle_batch(escrow: Any, signed_batch: Callable[..., tuple[Any, ...]]) -> Callable[..., None]:
    """Anybody submits receipts of the committee: (job, cumulative GPU-seconds, status)."""

    def _settle_batch(*receipts: tuple[int, int, int]) -> None:
        escrow.settle_batch(*signed_batch(list(receipts)))

    return _settle_batch


@dataclass(frozen=True)
class Usage:
    """A usage root, and by kind and key the packed receipts that its leaves stand for."""

    packed: dict[tuple[LeafKind, bytes], bytes]
    chain_id: int
    ledger: str

    @property
    def tree(self) -> MerkleTree:
        return MerkleTree([self.hash(*place) for place in self.packed])

    def hash(self, kind: LeafKind, key: bytes) -> bytes:
        value = int.from_bytes(keccak(self.packed[kind, key]), "big")
        return Leaf(kind, key, value).hash(self.chain_id, self.ledger)

    def arguments(self, kind: LeafKind, key: bytes) -> tuple[int, bytes, bytes, list[bytes]]:
        """What `settle_root` is called with."""
        place = (kind, key)
        return int(kind), key, self.packed[place], self.tree.proof(self.hash(*place))

    def of_job(self, job: int) -> tuple[int, bytes, bytes, list[bytes]]:
        return self.arguments(LeafKind.JOB, job_key(job))

    def of_payee(self, payee: int, part: int = 0) -> tuple[int, bytes, bytes, list[bytes]]:
        return self.arguments(LeafKind.PAYEE, payee_key(payee, part))


@pytest.fixture
def usage(ledger: Any, distributor: Any) -> Callable[..., Usage]:
    """Per payee its receipts, (job, cumulative GPU-seconds, status), as the oracles file them."""

    def _usage(receipts: dict[int, list[tuple[int, int, int]]]) -> Usage:
        chain_id, contract = boa.env.evm.patch.chain_id, str(ledger.address)
        leaves = close(
            EpochInput(
                chain_id=chain_id,
                distributor=str(distributor.address),
                ledger=contract,
                from_epoch=0,
                to_epoch=0,
                budget=0,
                rules=EpochRules(0),
                receipts=[
                    AgreedReceipt(Receipt(*each), payee)
                    for payee, several in receipts.items()
                    for each in several
                ],
            )
        )
        return Usage(leaves.packed, chain_id, contract)

    return _usage


@pytest.fixture
def post_usage(
    ledger: Any, controller: Any, committee_signs: Callable[..., bytes]
) -> Callable[[Usage], EpochReport]:
    """The committee reports a usage root; it is active when this returns."""

    def _post_usage(usage: Usage) -> EpochReport:
        boa.env.time_travel(seconds=controller.EPOCH_LENGTH())
        while controller.next_epoch() < controller.current_epoch():
            controller.press(64)
        last, has_any = ledger.last_epoch()
        report = EpochReport(
            from_epoch=last + 1 if has_any else 0,
            to_epoch=controller.next_epoch() - 1,
            previous=ledger.head(),
            reward_root=EMPTY_ROOT,
            usage_root=usage.tree.root,
            attestation_root=EMPTY_ROOT,
            cumulative_rewards=0,
            data_hash=bytes(32),
            rules_version=1,
        )
        signatures = committee_signs(ledger, bytes(32), report.to_epoch, report.struct_hash())
        ledger.post_epoch(astuple(report), signatures)
        boa.env.time_travel(seconds=ledger.ACTIVATION_DELAY())
        return report

    return _post_usage


@pytest.fixture
def adopt(
    ledger: Any, usage: Callable[..., Usage], post_usage: Callable[[Usage], EpochReport]
) -> Callable[..., Usage]:
    """Let receipts be settled by the leaves of a root, see `usage`."""

    def _adopt(receipts: dict[int, list[tuple[int, int, int]]] | Usage) -> Usage:
        adopted = receipts if isinstance(receipts, Usage) else usage(receipts)
        ledger.adopt_usage([astuple(post_usage(adopted))])
        return adopted

    return _adopt


@pytest.fixture
def next_window() -> Callable[[], None]:
    """Travel to the first second of the next dispute window."""

    def _next_window() -> None:
        now = boa.env.evm.patch.timestamp
        boa.env.time_travel(seconds=DISPUTE_WINDOW - now % DISPUTE_WINDOW)

    return _next_window


# --- what a call changed ------------------------------------------------------------------


@pytest.fixture
def state(
    providers: Any,
    token: Any,
    staking: Any,
    escrow: Any,
    bonds: Any,
    jobs: Any,
    offers: Any,
    owner: str,
    payer: str,
    payout: str,
    treasury: str,
    stranger: str,
    deployer: str,
) -> State:
    """Everything a call could change, as one comparable value."""

    def _state() -> tuple[Any, ...]:
        holders = (payer, payout, treasury, stranger, deployer, escrow.address, staking.address)
        markets = [
            (i, escrow.asset_of(i), escrow.subnet_of(i))
            for i in range(1, escrow.market_count() + 1)
        ]
        ids = range(1, providers.provider_count() + 1)
        return (
            token.totalSupply(),
            [token.balanceOf(holder) for holder in holders],
            [staking.self_bond(p) for p in ids],
            [
                (
                    bonds.committed_gpus(p, 1),
                    bonds.short_since(p, 1),
                    bonds.debt_of(p),
                    bonds.debt_to(p, payer),
                    [offers.taken(p, nonce) for nonce in range(3)],
                )
                for p in ids
            ],
            [
                (
                    jobs.job_info(j),
                    jobs.reclaim_request(j),
                    jobs.disputes(j),
                    jobs.undisputed(j),
                    escrow.disputed(j),
                    bonds.blamed(j),
                )
                for j in range(1, job_total(escrow) + 1)
            ],
            [
                (
                    escrow.fees(asset, subnet),
                    escrow.earned_fees(market),
                    escrow.market_of(asset, subnet),
                    escrow.inflow_asset(market),
                    escrow.owed_refund(payer, asset),
                    [escrow.income(p, asset, subnet) for p in ids],
                )
                for market, asset, subnet in markets
            ],
            [bonds.sla_terms(i) for i in range(1, bonds.sla_count() + 1)],
            (escrow.fee_bps(), escrow.burn_bps(), escrow.pending_fee()),
            (escrow.treasury(), escrow.guardian()),
        )

    return _state


def job_total(escrow: Any) -> int:
    return int(escrow.job_count())
