"""A customer that is a Safe: its owners fund a job, sign its vouchers and get the rest back."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from web3.contract import Contract

from oracle.domain.messages import Domain, Voucher
from oracle.domain.receipts import JobStatus
from oracle.errors import Conflict
from scripts._anvil import test_key as key_at
from tests.interop.conftest import (
    LIBRARIES,
    NODE_MODULES,
    SECONDS,
    Wallets,
    refuse,
    settle,
    settled,
    typed_data,
    voucher_data,
)
from tests.oracle.conftest import PRICE, UNIT, Live

ARTIFACTS = NODE_MODULES / "@safe-global" / "safe-contracts" / "build" / "artifacts" / "contracts"
ZERO = "0x" + "00" * 20
SAFE_TX = {
    "to": "address",
    "value": "uint256",
    "data": "bytes",
    "operation": "uint8",
    "safeTxGas": "uint256",
    "baseGas": "uint256",
    "gasPrice": "uint256",
    "gasToken": "address",
    "refundReceiver": "address",
    "nonce": "uint256",
}
CALL, DELEGATECALL = 0, 1
RUNNING, COMPLETED = JobStatus.RUNNING, JobStatus.COMPLETED
DEPOSIT = 10 * UNIT
# what contracts/modules/signatures.vy takes: bytes of a signature, gas of a check
MAX_SIGNATURE = 1_024
GAS_CAP = 200_000
MOST_SIGNERS = MAX_SIGNATURE // 65


def deploy(live: Live, path: str) -> Contract:
    """A contract as the Safe's developers compiled it."""
    name = path.rsplit("/", 1)[-1]
    compiled = json.loads((ARTIFACTS / f"{path}.sol" / f"{name}.json").read_text())
    factory = live.w3.eth.contract(abi=compiled["abi"], bytecode=compiled["bytecode"])
    sent = factory.constructor().transact({"from": live.deployer.address})
    address = live.w3.eth.wait_for_transaction_receipt(sent)["contractAddress"]
    return live.w3.eth.contract(address, abi=compiled["abi"])


@dataclass
class Safe:
    """A Safe and its owners, who use one library and the other in turn."""

    live: Live
    wallets: Wallets
    contract: Contract
    threshold: int
    owners: list[LocalAccount]

    @property
    def address(self) -> str:
        return str(self.contract.address)

    @property
    def domain(self) -> dict[str, Any]:
        return {"chainId": self.live.chain.chain_id, "verifyingContract": self.address}

    def sign(self, asked: dict[str, Any], signers: list[LocalAccount]) -> bytes:
        """Their signatures joined, ascending by address as the Safe wants them."""
        ascending = sorted(signers, key=lambda owner: int(owner.address, 16))
        return b"".join(
            self.wallets.sign(LIBRARIES[i % 2], bytes(owner.key), asked)
            for i, owner in enumerate(ascending)
        )

    def execute(self, to: str, data: str, operation: int = CALL) -> None:
        """One transaction of the Safe; anybody may bring it."""
        gas_and_refund = (0, 0, 0, ZERO, ZERO)
        terms = (to, 0, data, operation, *gas_and_refund)
        nonce = self.contract.functions.nonce().call()
        asked = typed_data(self.domain, "SafeTx", SAFE_TX, *terms, nonce)
        signatures = self.sign(asked, self.owners[: self.threshold])
        call = self.contract.functions.execTransaction(*terms, signatures)
        sent = call.transact({"from": self.live.deployer.address})
        assert self.live.w3.eth.wait_for_transaction_receipt(sent)["status"] == 1

    def call(self, contract: str, function: str, *args: Any) -> None:
        """Have the Safe call one of our contracts."""
        target = self.live.chain.contract(contract)
        self.execute(target.address, target.encode_abi(function, args=args))

    def message(self, digest: bytes) -> dict[str, Any]:
        """What its owners sign so that `isValidSignature` answers yes for a digest."""
        return typed_data(self.domain, "SafeMessage", {"message": "bytes"}, "0x" + digest.hex())

    def open_job(self, provider: int) -> int:
        """Fund a job, which the provider accepts."""
        live = self.live
        token, escrow = (live.deployment.address(name) for name in ("WorkToken", "JobEscrow"))
        live.send(live.deployer, "WorkToken", "transfer", self.address, DEPOSIT)
        self.call("WorkToken", "approve", escrow, DEPOSIT)
        self.call("JobEscrow", "open_job", provider, token, 1, 1, PRICE, DEPOSIT, 0, bytes(32))
        job = int(live.read("JobEscrow", "job_count"))
        live.send(live.operator, "JobRegistry", "accept", job)
        assert live.read("JobRegistry", "job_info", job).customer == self.address
        return job


@pytest.fixture
def make_safe(live: Live, wallets: Wallets) -> Any:
    """Deploy a Safe through the factory, as every wallet does."""
    singleton = deploy(live, "Safe")
    factory = deploy(live, "proxies/SafeProxyFactory")
    handler = deploy(live, "handler/CompatibilityFallbackHandler")

    def make(threshold: int, owners: int, fallback_handler: str = handler.address) -> Safe:
        keys = [key_at(20 + i) for i in range(owners)]
        addresses = [key.address for key in keys]
        no_call, no_payment = (ZERO, b""), (ZERO, 0, ZERO)
        setup = singleton.encode_abi(
            "setup", args=(addresses, threshold, *no_call, fallback_handler, *no_payment)
        )
        call = factory.functions.createProxyWithNonce(singleton.address, setup, 0)
        proxy = call.call({"from": live.deployer.address})
        sent = call.transact({"from": live.deployer.address})
        assert live.w3.eth.wait_for_transaction_receipt(sent)["status"] == 1
        contract = live.w3.eth.contract(proxy, abi=singleton.abi)
        return Safe(live, wallets, contract, threshold, keys)

    return make


def digest_of(live: Live, job: int, seconds: int = SECONDS, status: int = RUNNING) -> bytes:
    domain = Domain(live.chain.chain_id, live.deployment.address("JobEscrow"))
    return Voucher(job, seconds, status).digest(domain)


def gas_of_check(live: Live, receipt: Any, safe: Safe) -> int:
    """Gas the Safe used to answer JobEscrow, of what it was given."""
    trace: Any = live.w3.provider.make_request(
        "debug_traceTransaction",  # type: ignore[arg-type]
        [receipt["transactionHash"].to_0x_hex(), {"tracer": "callTracer"}],
    )
    calls = [c for c in trace["result"]["calls"] if c["to"] == safe.address.lower()]
    assert len(calls) == 1
    return int(calls[0]["gasUsed"], 16)


def test_two_of_three_owners_pay_and_are_refunded(
    live: Live, make_safe: Any, provider: int
) -> None:
    safe = make_safe(2, 3)
    job = safe.open_job(provider)
    for status in (RUNNING, COMPLETED):
        asked = safe.message(digest_of(live, job, status=status))
        settle(live, job, safe.sign(asked, safe.owners[1:]), status)
    assert settled(live, job) == SECONDS
    live.send(live.deployer, "JobRegistry", "close", job)
    refund = DEPOSIT - SECONDS * PRICE // 3_600
    assert live.read("WorkToken", "balanceOf", safe.address) == refund


def test_a_voucher_approved_on_chain_needs_no_signature(
    live: Live, make_safe: Any, provider: int
) -> None:
    """Owners without a service that collects signatures record the message in the Safe."""
    safe = make_safe(2, 3)
    job = safe.open_job(provider)
    library = deploy(live, "libraries/SignMessageLib")
    refuse(live, job, b"", "not approved yet")
    approve = library.encode_abi("signMessage", args=[digest_of(live, job)])
    safe.execute(library.address, approve, DELEGATECALL)
    settle(live, job, b"")
    assert settled(live, job) == SECONDS


def test_what_the_owners_did_not_agree_on_is_refused(
    live: Live, make_safe: Any, provider: int
) -> None:
    safe = make_safe(2, 3)
    job = safe.open_job(provider)
    two, stranger = safe.owners[:2], key_at(30)
    asked = safe.message(digest_of(live, job))
    elsewhere = {**asked, "domain": {**safe.domain, "verifyingContract": stranger.address}}
    voucher = voucher_data(live.chain.chain_id, live.deployment.address("JobEscrow"), job)
    for why, signature in {
        "one owner": safe.sign(asked, two[:1]),
        "one owner twice": safe.sign(asked, [two[0], two[0]]),
        "one owner and a stranger": safe.sign(asked, [two[0], stranger]),
        "more usage": safe.sign(safe.message(digest_of(live, job, SECONDS + 1)), two),
        "another Safe of theirs": safe.sign(elsewhere, two),
        "the voucher itself, not as the Safe's message": safe.sign(voucher, two),
    }.items():
        refuse(live, job, signature, why)
    settle(live, job, safe.sign(asked, two))
    assert settled(live, job) == SECONDS


def test_a_safe_without_fallback_handler_can_not_agree(
    live: Live, make_safe: Any, provider: int
) -> None:
    """It answers any call with success and no data."""
    safe = make_safe(2, 3, ZERO)
    job = safe.open_job(provider)
    refuse(live, job, safe.sign(safe.message(digest_of(live, job)), safe.owners[:2]), "no handler")


def test_the_largest_check_keeps_far_below_the_gas_cap(
    live: Live, make_safe: Any, provider: int
) -> None:
    safe = make_safe(MOST_SIGNERS, MOST_SIGNERS)
    job = safe.open_job(provider)
    receipt = settle(live, job, safe.sign(safe.message(digest_of(live, job)), safe.owners))
    assert settled(live, job) == SECONDS
    assert gas_of_check(live, receipt, safe) < GAS_CAP * 2 // 3


def test_more_signatures_than_fit_are_refused(live: Live, make_safe: Any, provider: int) -> None:
    safe = make_safe(MOST_SIGNERS + 1, MOST_SIGNERS + 1)
    job = safe.open_job(provider)
    signature = safe.sign(safe.message(digest_of(live, job)), safe.owners)
    assert len(signature) > MAX_SIGNATURE
    with pytest.raises(Conflict):
        settle(live, job, signature)
    assert settled(live, job) == 0
