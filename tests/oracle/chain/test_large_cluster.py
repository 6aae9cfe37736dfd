"""A cluster of 64 providers, the most there can be: no call for it takes too much gas.

On anvil, where a transaction pays for its calldata and finds cold storage. What the calls do is
shown with few members, in tests/unit/cluster_registry.
"""

from collections.abc import Iterator
from dataclasses import astuple
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from web3 import Web3

from oracle.domain.hashing import keccak
from oracle.domain.messages import Result, Verdict, Voucher
from oracle.domain.receipts import JobStatus, Receipt, pack
from tests.oracle.conftest import DAY, HOUR, PRICE, SELF_BOND, UNIT, Live, undone

# the most gas that a transaction can have (EIP-7825)
MOST_GAS = 2**24
CLUSTER = 2**23
# of each member; the last one leads
GPUS = [2] * 3 + [1] * 61
MEMBERS = range(1, len(GPUS) + 1)
LEAD = len(GPUS) - 1
COLLATERAL_PER_GPU, COMPENSATION_BPS, GRACE = 10 * UNIT, 4_000, HOUR
COLLATERAL = [COLLATERAL_PER_GPU * gpus for gpus in GPUS]
COMPENSATION = [each * COMPENSATION_BPS // 10_000 for each in COLLATERAL]
DEPOSIT = 100 * UNIT
GPU_SECONDS = 3_601
# bps that the escrow takes
FEE = 300
FRAUD = 5


def send(live: Live, sender: LocalAccount, contract: str, function: str, *arguments: Any) -> None:
    """A transaction of one of anvil's accounts, with all the gas there is and no more."""
    call = live.chain.contract(contract).functions[function](*arguments)
    sent = call.transact({"from": sender.address, "gas": MOST_GAS})
    receipt = live.w3.eth.wait_for_transaction_receipt(sent, poll_latency=0.002)
    assert receipt["status"] == 1, f"{function} failed with {receipt['gasUsed']} gas"


def payout(provider: int) -> str:
    return Web3.to_checksum_address(keccak(b"payout %d" % provider)[12:])


def identities(provider: int) -> list[bytes]:
    """Of a provider's devices."""
    return [keccak(b"card %d of %d" % (n, provider)) for n in range(GPUS[provider - 1])]


def device_of(provider: int, identity: bytes) -> bytes:
    return keccak(identity + provider.to_bytes(32, "big"))


def join_in(live: Live, provider: int) -> None:
    """Register somebody with stake, attested devices and a payout address of its own."""
    owner, none = live.provider_owner, bytes(32)
    terms = ("0x" + "00" * 20, payout(provider), 0, 0, 0, "")
    send(live, owner, "ProviderRegistry", "register", *terms)
    send(live, owner, "ProviderStaking", "stake", provider, SELF_BOND)
    for identity in identities(provider):
        device = device_of(provider, identity)
        result = Result(provider, device, identity, 1, 2_000, 1_024, 1_000, none, none, none)
        word = live.committee_signs("DeviceRegistry", device, 0, result.struct_hash())
        send(live, live.deployer, "DeviceRegistry", "record", astuple(result), 0, word)


@pytest.fixture(scope="module")
def formed(deployed: Live) -> Iterator[Live]:
    """64 providers, of one owner so that few keys sign, have formed a cluster and have a job."""
    live = deployed
    owner, customer, token = (
        live.provider_owner,
        live.customer,
        live.deployment.address("WorkToken"),
    )
    with undone(live):
        for account, amount, spender in (
            (owner, len(GPUS) * SELF_BOND, "ProviderStaking"),
            (customer, DEPOSIT, "JobEscrow"),
        ):
            send(live, live.deployer, "WorkToken", "transfer", account.address, amount)
            allowance = (live.deployment.address(spender), amount)
            send(live, account, "WorkToken", "approve", *allowance)
        for provider in MEMBERS:
            join_in(live, provider)
        together = list(zip(MEMBERS, GPUS, strict=True))
        send(live, owner, "ClusterRegistry", "form", together, 1, COLLATERAL_PER_GPU, LEAD)
        for place in range(LEAD):
            send(live, owner, "ClusterRegistry", "join", CLUSTER, place)
        level = (COLLATERAL_PER_GPU, COMPENSATION_BPS, 0, GRACE)
        send(live, live.deployer, "ServiceBonds", "add_sla", *level)
        terms = (CLUSTER, token, sum(GPUS), 1, PRICE, DEPOSIT, 1, bytes(32))
        send(live, customer, "JobEscrow", "open_job", *terms)
        send(live, owner, "JobRegistry", "accept", 1)
        yield live


@pytest.fixture
def live(formed: Live) -> Iterator[Live]:
    """The market with that job, for one test."""
    with undone(formed):
        yield formed


def balance(live: Live, account: str) -> int:
    return int(live.read("WorkToken", "balanceOf", account))


def self_bonds(live: Live) -> tuple[list[int], list[int]]:
    """What the members have at stake, and what of it jobs have locked."""
    bonds = [live.read("ProviderStaking", "self_bond", provider) for provider in MEMBERS]
    return [bond.active for bond in bonds], [bond.held for bond in bonds]


def test_all_of_them_stand_behind_the_job(live: Live) -> None:
    assert self_bonds(live) == ([SELF_BOND] * 64, COLLATERAL)
    info = live.read("JobRegistry", "job_info", 1)
    assert (info.status, info.collateral) == (JobStatus.ACCEPTED, sum(COLLATERAL))


def test_they_earn_then_all_of_them_miss_the_service_level(live: Live) -> None:
    customer, anyone, token = live.customer, live.deployer, live.deployment.address("WorkToken")
    voucher = Voucher(1, GPU_SECONDS, JobStatus.RUNNING)
    signature = live.sign(customer, voucher, "JobEscrow")
    send(live, live.provider_owner, "JobEscrow", "settle_voucher", *astuple(voucher), signature)
    everybody = 2**64 - 1
    payload = keccak(everybody.to_bytes(32, "big"))
    word = live.committee_signs("ServiceBonds", (1).to_bytes(32, "big"), 1, payload)
    send(live, anyone, "ServiceBonds", "blame", 1, 1, everybody, word)
    missed = pack([Receipt(1, GPU_SECONDS, JobStatus.SLA_MISSED)])
    word = live.committee_signs("JobEscrow", bytes(32), 1, keccak(missed))
    send(live, anyone, "JobEscrow", "settle_batch", 1, 0, missed, word)

    before, earned = balance(live, customer.address), GPU_SECONDS * PRICE // 3_600
    send(live, anyone, "JobRegistry", "close", 1)
    paid = DEPOSIT - earned + sum(COMPENSATION)
    assert balance(live, customer.address) - before == paid
    left = [SELF_BOND - compensation for compensation in COMPENSATION]
    assert self_bonds(live) == (left, [0] * 64)

    # and each draws its weight of what was earned before
    send(live, anyone, "ClusterRegistry", "collect", CLUSTER, token)
    for place in range(64):
        send(live, anyone, "ClusterRegistry", "draw", CLUSTER, place, token)
    income = earned - -(-earned * FEE // 10_000)
    shares = [income * gpus // sum(GPUS) for gpus in GPUS]
    assert [balance(live, payout(provider)) for provider in MEMBERS] == shares
    dust = balance(live, live.deployment.address("ClusterRegistry"))
    assert dust == income - sum(shares) < 64


def test_they_lose_their_devices(live: Live) -> None:
    """All attestations run out, and the customer leaves."""
    customer = live.customer
    live.mine(1, DAY)
    for provider in MEMBERS:
        for identity in identities(provider):
            device = device_of(provider, identity)
            send(live, customer, "DeviceRegistry", "expire", device)
        send(live, customer, "ServiceBonds", "note_capacity", provider, 1)
    live.mine(1, GRACE)
    before = balance(live, customer.address)
    send(live, customer, "JobRegistry", "leave_for_lost_capacity", 1)
    assert balance(live, customer.address) - before == DEPOSIT + sum(COMPENSATION)
    left = [SELF_BOND - compensation for compensation in COMPENSATION]
    assert self_bonds(live) == (left, [0] * 64)


def test_the_court_convicts_one_of_them(live: Live) -> None:
    customer, court, bond = live.customer, "SlashingCourt", 100 * UNIT
    send(live, live.deployer, "WorkToken", "transfer", customer.address, bond)
    send(live, customer, "WorkToken", "approve", live.deployment.address(court), bond)
    before = balance(live, customer.address)
    accusation = (LEAD + 1, FRAUD, 1, bytes(32))
    accuse = live.chain.contract(court).functions.accuse(*accusation)
    case = accuse.call({"from": customer.address})
    send(live, customer, court, "accuse", *accusation)
    live.mine(1, 2 * DAY)
    word = live.committee_signs(court, case, 0, Verdict(case, True, 0).struct_hash())
    send(live, customer, court, "rule", case, True, 0, word)
    live.mine(1, 2 * DAY)
    send(live, customer, court, "execute", case)
    # the bond is back; nobody has agreed to pay a reporter
    assert balance(live, customer.address) - before == DEPOSIT + COMPENSATION[LEAD]
    *others, convicted = self_bonds(live)[0]
    assert others == [SELF_BOND] * LEAD
    assert convicted < SELF_BOND - COMPENSATION[LEAD]
    assert self_bonds(live)[1] == [0] * 64
    assert live.read("JobRegistry", "job_info", 1).status == JobStatus.CLOSED
