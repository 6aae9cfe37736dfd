"""Customer and provider meet over vouchers: co-signing, the desk, settlement on chain."""

from pathlib import Path
from typing import Any

import pytest
from vyper import compile_code

from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.adapters.store.agent_state import AgentState
from oracle.domain.execution import ExecutionReceipt, ReceiptSignature, Role, SignedReceipt
from oracle.domain.hashing import keccak
from oracle.domain.messages import Domain, Voucher
from oracle.domain.receipts import JobStatus
from oracle.domain.vouchers import SignedVoucher, most_gpu_seconds
from oracle.errors import BadInput, Conflict, Misconfigured, NotFound, Unauthorized
from oracle.services.cluster import Clusters, Member
from oracle.services.customer import Customer, Order
from oracle.services.provider import Provider
from oracle.services.signers import check_signers
from oracle.services.vouchers import VoucherDesk
from scripts._project import ROOT
from tests.oracle.conftest import PRICE, UNIT, admit

RUNNING, COMPLETED = JobStatus.RUNNING, JobStatus.COMPLETED


@pytest.fixture
def customer(live: Any) -> Customer:
    return Customer(live.chain, KeystoreSigner(live.customer))


@pytest.fixture
def job(live: Any, machine: Any) -> int:
    """A running job of an attested provider, a minute old."""
    live.enter_epoch(1)
    admit(machine)
    number = live.open_job(machine.provider)
    live.mine(1, 60)
    return int(number)


@pytest.fixture
def state(tmp_path: Path) -> Any:
    state = AgentState(tmp_path / "agent.db")
    yield state
    state.close()


@pytest.fixture
def desk(live: Any, machine: Any, state: AgentState) -> VoucherDesk:
    return VoucherDesk(live.chain, KeystoreSigner(live.operator), state, machine.provider, 600)


def _settled(live: Any, job: int) -> int:
    return int(live.read("JobRegistry", "job_info", job).settled)


def _paid(seconds: int) -> int:
    return seconds * PRICE // 3_600


# --- the customer -----------------------------------------------------------------------------


def test_open_funds_and_numbers_the_job_in_one_transaction(
    live: Any, machine: Any, customer: Customer
) -> None:
    live.send(live.deployer, "WorkToken", "transfer", live.customer.address, 7 * UNIT)
    token = live.deployment.address("WorkToken")
    order = Order(machine.provider, token, 1, 1, PRICE, 5 * UNIT, 0, bytes(32))
    sent = live.w3.eth.get_transaction_count(live.customer.address)
    job = customer.open_job(order)
    assert live.w3.eth.get_transaction_count(live.customer.address) == sent + 1
    escrow = live.deployment.address("JobEscrow")
    assert live.read("WorkToken", "allowance", live.customer.address, escrow) == 0
    assert customer.job(job).deposit == 5 * UNIT
    customer.top_up(job, 2 * UNIT)
    assert customer.job(job).deposit == 7 * UNIT
    customer.cancel(job)
    assert live.read("WorkToken", "balanceOf", live.customer.address) == 7 * UNIT
    assert [number for number, _ in customer.jobs()] == [job]


def test_an_unknown_job_is_named(customer: Customer) -> None:
    with pytest.raises(NotFound, match="no job 99"):
        customer.job(99)


def test_nothing_is_signed_that_the_clock_contradicts(job: int, customer: Customer) -> None:
    with pytest.raises(BadInput, match="can't have worked longer"):
        customer.co_sign(job, 10_000, RUNNING)


def test_nothing_is_signed_below_what_is_settled(
    job: int, customer: Customer, desk: VoucherDesk
) -> None:
    desk.take(customer.co_sign(job, 20, RUNNING))
    desk.settle(job)
    with pytest.raises(BadInput, match="20 GPU-seconds are settled already"):
        customer.co_sign(job, 19, RUNNING)


def test_a_voucher_over_the_deposit_names_the_missing_amount(
    live: Any, job: int, customer: Customer
) -> None:
    # the deposit covers 10 000 GPU-seconds
    live.mine(1, 10_001)
    with pytest.raises(BadInput, match="over the deposit") as refusal:
        customer.co_sign(job, 10_001, RUNNING)
    assert refusal.value.remedy.endswith(f"top-up {job} {_paid(1)}")
    assert customer.co_sign(job, 10_000, RUNNING).voucher.cumulative_gpu_seconds == 10_000


def test_a_status_that_no_voucher_has_is_refused(job: int, customer: Customer) -> None:
    with pytest.raises(BadInput, match="OPEN is for no voucher"):
        customer.co_sign(job, 1, JobStatus.OPEN)


# --- an end that costs the compensation -------------------------------------------------------


@pytest.fixture
def guaranteed(live: Any, machine: Any) -> int:
    """A running job whose service level promises 90 % of the time, 1 000 seconds old."""
    live.send(live.deployer, "ServiceBonds", "add_sla", 10**18, 10_000, 9_000, 0)
    live.enter_epoch(1)
    admit(machine)
    number = live.open_job(machine.provider, sla=1)
    accepted_at = live.read("JobRegistry", "job_info", number).accepted_at
    live.mine(1, accepted_at + 1_000 - live.chain.timestamp())
    return int(number)


UNPAID = [COMPLETED, JobStatus.CUSTOMER_CANCELLED, JobStatus.INFRASTRUCTURE]
PAID = [JobStatus.PROVIDER_FAULT, JobStatus.CAPACITY_LOST, JobStatus.SLA_MISSED]


def test_no_end_is_signed_that_hides_a_missed_service_level(
    live: Any, guaranteed: int, customer: Customer
) -> None:
    elapsed = live.chain.timestamp() - customer.job(guaranteed).accepted_at
    least = -(-elapsed * 9_000 // 10_000)
    for status in UNPAID:
        with pytest.raises(BadInput, match=f"{status.name} after {least - 1} of") as refusal:
            customer.co_sign(guaranteed, least - 1, status)
        assert "--accept-end" in refusal.value.remedy
        assert customer.co_sign(guaranteed, least, status).voucher.status == status
        asked = customer.co_sign(guaranteed, least - 1, status, accept_end=True)
        assert asked.voucher == Voucher(guaranteed, least - 1, status)
    # it may go on, and what compensates the customer is signed
    for status in (RUNNING, *PAID):
        assert customer.co_sign(guaranteed, least - 1, status).voucher.status == status


def test_without_a_service_level_every_end_is_signed(job: int, customer: Customer) -> None:
    for status in (*UNPAID, *PAID):
        assert customer.co_sign(job, 1, status).voucher.status == status


def test_a_clusters_fault_is_not_signed_before_somebody_is_blamed(
    live: Any, machine: Any, guaranteed: int, customer: Customer
) -> None:
    operator = KeystoreSigner(live.operator)
    clusters = Clusters(live.chain, operator)
    number = clusters.form([Member(machine.provider, 1)], 1, 10**18, machine.provider)
    Provider(live.chain, operator).settle(customer.co_sign(guaranteed, 950, COMPLETED))
    Provider(live.chain, operator).close(guaranteed)
    job = live.open_job(number, sla=1)
    for status in PAID:
        with pytest.raises(BadInput, match=f"no member of cluster {number} is blamed"):
            customer.co_sign(job, 1, status)
        assert customer.co_sign(job, 1, status, accept_end=True).voucher.status == status
    mask = (1).to_bytes(32, "big")
    epoch = live.read("EpochLedger", "current_epoch")
    signatures = live.committee_signs("ServiceBonds", job.to_bytes(32, "big"), epoch, keccak(mask))
    live.send(live.deployer, "ServiceBonds", "blame", job, epoch, 1, signatures)
    for status in PAID:
        assert customer.co_sign(job, 1, status).voucher.status == status


# --- the receipt ------------------------------------------------------------------------------


def _receipt(live: Any, job: int, provider: int, /, **changes: Any) -> SignedReceipt:
    """The provider's receipt over 40 GPU-seconds."""
    values: dict[str, Any] = {
        "chain_id": live.chain.chain_id,
        "escrow": live.deployment.address("JobEscrow").lower(),
        "job": job,
        "provider": provider,
        "period": 1,
        "issuer": Role.PROVIDER,
        "devices": (),
        "work": None,
        "gpu_seconds": 40,
        "telemetry": None,
        "status": COMPLETED,
        "fault": None,
        "ended_at": live.chain.timestamp(),
    }
    receipt = ExecutionReceipt(**{**values, **changes})
    signature = KeystoreSigner(live.operator).sign(receipt.digest())
    own = ReceiptSignature(Role.PROVIDER, live.operator.address, signature)
    return SignedReceipt(receipt, (own,))


def test_the_receipt_is_counter_signed_with_the_last_voucher(
    live: Any, job: int, machine: Any, customer: Customer
) -> None:
    signed = customer.counter_sign(
        _receipt(live, job, machine.provider), customer.co_sign(job, 40, COMPLETED).voucher
    )
    check_signers(live.chain, signed)
    assert {one.role: one.signer for one in signed.signatures} == {
        Role.PROVIDER: live.operator.address,
        Role.CUSTOMER: live.customer.address,
    }


@pytest.mark.parametrize(
    "change", [{"gpu_seconds": 39}, {"gpu_seconds": 41}, {"status": JobStatus.CUSTOMER_CANCELLED}]
)
def test_a_receipt_that_is_not_the_vouchers_is_not_signed(
    live: Any, job: int, machine: Any, customer: Customer, change: dict[str, Any]
) -> None:
    voucher = customer.co_sign(job, 40, COMPLETED).voucher
    with pytest.raises(BadInput, match="but the voucher is"):
        customer.counter_sign(_receipt(live, job, machine.provider, **change), voucher)


@pytest.mark.parametrize("change", [{"chain_id": 1}, {"provider": 9}, {"escrow": "0x" + "33" * 20}])
def test_a_receipt_of_somebody_else_is_not_signed(
    live: Any, job: int, machine: Any, customer: Customer, change: dict[str, Any]
) -> None:
    voucher = customer.co_sign(job, 40, COMPLETED).voucher
    with pytest.raises(BadInput):
        customer.counter_sign(_receipt(live, job, machine.provider, **change), voucher)


def test_a_receipt_without_the_providers_key_is_not_signed(
    live: Any, job: int, machine: Any, customer: Customer
) -> None:
    voucher = customer.co_sign(job, 40, COMPLETED).voucher
    receipt = _receipt(live, job, machine.provider).receipt
    stranger = KeystoreSigner(live.deployer)
    forged = ReceiptSignature(Role.PROVIDER, stranger.address, stranger.sign(receipt.digest()))
    for signatures in ((), (forged,)):
        with pytest.raises(Unauthorized):
            customer.counter_sign(SignedReceipt(receipt, signatures), voucher)


# --- the desk ---------------------------------------------------------------------------------


def test_a_running_voucher_waits_and_the_best_one_is_settled(
    live: Any, job: int, customer: Customer, desk: VoucherDesk, state: AgentState
) -> None:
    desk.take(customer.co_sign(job, 10, RUNNING))
    desk.take(customer.co_sign(job, 30, RUNNING))
    assert _settled(live, job) == 0
    assert state.unsettled_vouchers() == [job]
    desk.settle(job)
    assert _settled(live, job) == 30
    assert state.unsettled_vouchers() == []
    desk.settle(job)  # nothing more to settle: no transaction, no error
    assert _settled(live, job) == 30


def test_a_final_voucher_is_settled_at_once_and_pays_out(
    live: Any, job: int, machine: Any, customer: Customer, desk: VoucherDesk
) -> None:
    desk.take(customer.co_sign(job, 40, COMPLETED))
    assert _settled(live, job) == 40
    provider = Provider(live.chain, KeystoreSigner(live.operator))
    provider.close(job)
    token = live.deployment.address("WorkToken")
    before = live.read("WorkToken", "balanceOf", live.provider_owner.address)
    provider.withdraw(machine.provider, token)
    fee = -(-_paid(40) * 300 // 10_000)
    gained = live.read("WorkToken", "balanceOf", live.provider_owner.address) - before
    assert gained == _paid(40) - fee
    assert live.read("WorkToken", "balanceOf", live.customer.address) == 100 * UNIT - _paid(40)
    with pytest.raises(NotFound, match="no income"):
        provider.withdraw(machine.provider, token)


def test_a_voucher_survives_a_restart(
    live: Any, job: int, machine: Any, customer: Customer, tmp_path: Path
) -> None:
    path, signer = tmp_path / "restart.db", KeystoreSigner(live.operator)
    first = AgentState(path)
    VoucherDesk(live.chain, signer, first, machine.provider, 600).take(
        customer.co_sign(job, 12, RUNNING)
    )
    first.close()
    second = AgentState(path)
    VoucherDesk(live.chain, signer, second, machine.provider, 600).settle(job)
    second.close()
    assert _settled(live, job) == 12


def test_a_lower_voucher_is_refused_and_the_higher_kept(
    job: int, customer: Customer, desk: VoucherDesk, state: AgentState
) -> None:
    lower, higher = customer.co_sign(job, 5, RUNNING), customer.co_sign(job, 6, RUNNING)
    desk.take(higher)
    with pytest.raises(Conflict, match="over 6 GPU-seconds is stored"):
        desk.take(lower)
    assert state.voucher(job) == higher
    desk.take(higher)  # the same again changes nothing
    assert state.voucher(job) == higher


def test_a_voucher_by_anybody_else_is_refused(
    live: Any, job: int, desk: VoucherDesk, state: AgentState
) -> None:
    forged = Customer(live.chain, KeystoreSigner(live.operator)).co_sign(job, 5, RUNNING)
    with pytest.raises(Unauthorized, match="is signed by"):
        desk.take(forged)
    assert state.voucher(job) is None


def test_a_voucher_of_another_chain_is_refused(
    live: Any, job: int, desk: VoucherDesk, state: AgentState
) -> None:

    voucher = Voucher(job, 5, RUNNING)
    foreign = Domain(1, live.deployment.address("JobEscrow"))
    signature = KeystoreSigner(live.customer).sign(voucher.digest(foreign))
    with pytest.raises(Unauthorized):
        desk.take(SignedVoucher(voucher, signature))
    assert state.voucher(job) is None


def test_a_job_of_another_provider_is_refused(
    live: Any, job: int, machine: Any, customer: Customer, state: AgentState
) -> None:
    signer = KeystoreSigner(live.operator)
    stranger = VoucherDesk(live.chain, signer, state, machine.provider + 1, 600)
    with pytest.raises(NotFound, match="not one of provider"):
        stranger.take(customer.co_sign(job, 5, RUNNING))
    assert state.voucher(job) is None


def test_a_signed_status_outside_the_list_is_refused(
    live: Any, job: int, desk: VoucherDesk, state: AgentState
) -> None:

    voucher = Voucher(job, 5, JobStatus.CLOSED)
    domain = Domain(live.chain.chain_id, live.deployment.address("JobEscrow"))
    signature = KeystoreSigner(live.customer).sign(voucher.digest(domain))
    with pytest.raises(BadInput, match="no voucher has status 10"):
        desk.take(SignedVoucher(voucher, signature))
    assert state.voucher(job) is None


def test_more_than_the_gpus_time_is_refused(
    live: Any, job: int, desk: VoucherDesk, state: AgentState
) -> None:
    now, accepted_at = live.chain.timestamp(), live.read("JobRegistry", "job_info", job).accepted_at
    most = most_gpu_seconds(1, accepted_at, now)
    with pytest.raises(BadInput, match=f"can't have used {most + 1} GPU-seconds, only {most}"):
        desk.take(_signed(live, job, most + 1, RUNNING))
    assert state.voucher(job) is None
    desk.take(_signed(live, job, most, RUNNING))
    assert state.voucher(job) == _signed(live, job, most, RUNNING)


def _signed(live: Any, job: int, gpu_seconds: int, status: int) -> SignedVoucher:
    """A voucher by the customer's key, whatever it says."""
    voucher = Voucher(job, gpu_seconds, status)
    return SignedVoucher(voucher, live.sign(live.customer, voucher, "JobEscrow"))


def test_a_final_voucher_outlives_a_settling_that_failed(
    live: Any, job: int, customer: Customer, desk: VoucherDesk, state: AgentState
) -> None:
    final = customer.co_sign(job, 40, COMPLETED)
    others = [customer.co_sign(job, 40, status) for status in (RUNNING, JobStatus.PROVIDER_FAULT)]
    live.w3.provider.make_request("anvil_setBalance", [live.operator.address, "0x0"])
    with pytest.raises(Misconfigured, match="can't pay for gas"):
        desk.take(final)
    for other in others:
        with pytest.raises(Conflict, match="that ends the job with status 4 is stored"):
            desk.take(other)
        assert state.voucher(job) == final
    live.w3.provider.make_request("anvil_setBalance", [live.operator.address, hex(10**18)])
    desk.take(final)
    assert live.read("JobRegistry", "job_info", job).status == COMPLETED
    assert state.unsettled_vouchers() == []


# --- a customer that is a contract ------------------------------------------------------------


@pytest.fixture
def wallet(live: Any, job: int) -> Any:
    """The customer's account with the code of a wallet, after it has opened the job."""
    source = (ROOT / "tests" / "contracts" / "wallet.vy").read_text()
    compiled = compile_code(source, output_formats=["abi", "bytecode_runtime"])
    address = live.customer.address
    live.w3.provider.make_request("anvil_setCode", [address, compiled["bytecode_runtime"]])
    return live.w3.eth.contract(address, abi=compiled["abi"])


def _call(live: Any, call: Any) -> None:
    live.chain.transact(KeystoreSigner(live.deployer), call)


def _agree(live: Any, wallet: Any, voucher: Voucher) -> SignedVoucher:
    """The wallet's word: it is told the digest, and its signature may be anything."""
    domain = Domain(live.chain.chain_id, live.deployment.address("JobEscrow"))
    _call(live, wallet.functions.sign(voucher.digest(domain)))
    return SignedVoucher(voucher, b"any")


def test_a_contracts_voucher_is_settled(
    live: Any, job: int, wallet: Any, desk: VoucherDesk, state: AgentState
) -> None:
    desk.take(_agree(live, wallet, Voucher(job, 30, RUNNING)))
    desk.settle(job)
    assert _settled(live, job) == 30


def test_what_a_contract_did_not_sign_replaces_nothing(
    live: Any, job: int, wallet: Any, desk: VoucherDesk, state: AgentState
) -> None:
    good = _agree(live, wallet, Voucher(job, 30, RUNNING))
    desk.take(good)
    junk = [
        SignedVoucher(Voucher(job, 31, RUNNING), b"any"),
        SignedVoucher(Voucher(job, 30, COMPLETED), b""),
        # a plain key's signature is nothing that this wallet asks for
        _signed(live, job, 32, RUNNING),
        # more bytes than it takes: it reverts
        SignedVoucher(good.voucher, bytes(66)),
    ]
    for one in junk:
        with pytest.raises(Unauthorized, match="does not take the voucher's signature"):
            desk.take(one)
        assert state.voucher(job) == good


def test_a_contract_gets_the_gas_that_the_escrow_gives_it(
    live: Any, job: int, wallet: Any, desk: VoucherDesk, state: AgentState
) -> None:
    voucher = _agree(live, wallet, Voucher(job, 30, RUNNING))
    # part of it is gone before the wallet looks
    _call(live, wallet.functions.need_gas(199_000))
    desk.take(voucher)
    assert state.voucher(job) == voucher
    _call(live, wallet.functions.need_gas(200_000))
    with pytest.raises(Unauthorized):
        desk.take(voucher)


# --- the provider's other calls ---------------------------------------------------------------


def test_what_is_approved_needs_no_permit(live: Any, machine: Any, customer: Customer) -> None:
    live.send(live.deployer, "WorkToken", "transfer", live.customer.address, 5 * UNIT)
    token = live.deployment.address("WorkToken")
    escrow = live.deployment.address("JobEscrow")
    live.send(live.customer, "WorkToken", "approve", escrow, 7 * UNIT)
    customer.open_job(Order(machine.provider, token, 1, 1, PRICE, 5 * UNIT, 0, bytes(32)))
    assert live.read("WorkToken", "allowance", live.customer.address, escrow) == 2 * UNIT
    assert live.read("WorkToken", "nonces", live.customer.address) == 0


def test_stake_and_delegate_take_one_transaction_each(live: Any, machine: Any) -> None:
    live.send(live.deployer, "WorkToken", "transfer", live.customer.address, 30 * UNIT)
    patron = Provider(live.chain, KeystoreSigner(live.customer))
    before = live.read("ProviderStaking", "slashable", machine.provider)
    sent = live.w3.eth.get_transaction_count(live.customer.address)
    patron.stake(machine.provider, 10 * UNIT)
    patron.delegate(machine.provider, 20 * UNIT)
    assert live.w3.eth.get_transaction_count(live.customer.address) == sent + 2
    after = live.read("ProviderStaking", "slashable", machine.provider)
    assert after - before == 30 * UNIT


def test_a_contract_refusal_carries_its_reason_and_sends_nothing(live: Any, machine: Any) -> None:
    provider = Provider(live.chain, KeystoreSigner(live.operator))
    sent = live.w3.eth.get_transaction_count(live.operator.address)
    with pytest.raises(Conflict, match="job_registry: job is not open"):
        provider.accept(12_345)
    assert live.w3.eth.get_transaction_count(live.operator.address) == sent
