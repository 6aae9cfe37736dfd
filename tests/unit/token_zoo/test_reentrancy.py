"""A token that calls the escrow and its job registry, which are in the middle of moving it.

The token is a customer, a provider and an accuser itself: each call that it tries would go
through at any other time, and is refused for its moment alone.
"""

from collections.abc import Callable
from dataclasses import astuple, replace
from typing import Any

import boa
import pytest

from oracle.domain.receipts import JobStatus
from tests.unit.conftest import DAY, UNIT, sign
from tests.unit.market import DEPOSIT, PRICE, TERMS, card

PURSE = 4 * DEPOSIT
FRAUD = 5
NOBODY = "0x" + "00" * 20
EVIDENCE = b"\1" * 32
# what only the owner, a role or the registry may call, as the tests of each function show
OWNERS = {
    "transfer_ownership", "accept_ownership", "renounce_ownership", "set_role", "apply_role",
    "schedule_fee", "set_treasury", "set_guardian", "set_inflows_paused", "list_asset",
}  # fmt: skip
ESCROW_ROLES = {"set_status", "end_job", "lower_deposit", "hold_pending", "release_pending"}
JOBS_ROLES = {"record", "record_taken", "fail_job"}

Attempts = list[tuple[Any, str, tuple[Any, ...]]]


@pytest.fixture
def hostile(plain: Callable[..., Any], asset: Any) -> Any:
    """The token, which nobody has listed. It is rich in work tokens."""
    hostile = plain()
    asset.transfer(hostile, 10_000 * UNIT)
    return hostile


@pytest.fixture
def attempts(
    hostile, plain, escrow, jobs, bonds, court, registry, asset, offer, offers, policy, provider,
    other_provider, oracles, operator, payer, payout, register, open_job, accepted_job, settle,
    settle_batch, signed_voucher, signed_batch, adopt, domain_of, sla,
) -> Attempts:  # fmt: skip
    """What the token could do now: contract, function, arguments."""
    me, forever = hostile.address, 2**256 - 1
    own = register(me, NOBODY, payout, devices=4)
    for spender in (escrow, court):
        asset.approve(spender, forever, sender=me)

    def accuse(job: int) -> bytes:
        return bytes(court.accuse(provider, FRAUD, job, EVIDENCE, sender=me))

    # what takes time: silence of a job and of the committee, a fee that is announced
    silent, drawn = open_job(by=me, of=own, level=0), accepted_job(by=me)
    jobs.accept(silent, sender=me)
    jobs.request_reclaim(silent, sender=me)
    settle_batch((drawn, 100, JobStatus.RUNNING))
    case = accuse(drawn)
    jobs.dispute(drawn, case, sender=me)
    escrow.schedule_fee(200, 5_000)
    boa.env.time_travel(seconds=escrow.FEE_CHANGE_DELAY())
    court.draw(case)

    # jobs in every state
    opened, accepted = (open_job(by=me, of=own, level=0) for _ in range(2))
    jobs.accept(accepted, sender=me)
    lost = open_job(by=me, of=other_provider)
    jobs.accept(lost, sender=oracles[0].address)
    registry.revoke(card(other_provider, 0)[1], other_provider, sender=court.address)
    bonds.note_capacity(other_provider, 1)
    paid, over = accepted_job(), accepted_job()
    settle(paid, 1_000)
    settle(over, 1_000, JobStatus.COMPLETED)
    leaf = adopt({provider: [(paid, 1_400, JobStatus.RUNNING)]}).of_payee(provider)
    disputed = accepted_job(by=me)
    settle_batch((disputed, 100, JobStatus.RUNNING))

    # a refund that it did not take
    refunding = plain()
    escrow.list_asset(refunding)
    refunding.transfer(me, DEPOSIT)
    refunding.approve(escrow, DEPOSIT, sender=me)
    refused = open_job(by=me, paid_in=refunding)
    refunding.set_blocked(hostile, True)
    jobs.cancel(refused, sender=me)
    refunding.set_blocked(hostile, False)

    now = boa.env.evm.patch.timestamp
    sold = replace(offer, expires_at=now + DAY)
    sale = (astuple(sold), operator.address, sign(operator, sold, domain_of(offers)), 1, 3_600)
    return [
        (escrow, "open_job", (own, asset, 1, 1, PRICE, DEPOSIT, 0, TERMS)),
        (escrow, "take_offer", sale),
        (escrow, "top_up", (paid, 1)),
        (escrow, "settle_voucher", signed_voucher(paid, 1_100)),
        (escrow, "settle_vouchers", ([signed_voucher(paid, 1_200)],)),
        (escrow, "settle_batch", signed_batch([(paid, 1_300, JobStatus.RUNNING)])),
        (escrow, "settle_root", leaf),
        (escrow, "withdraw", (provider, asset)),
        (escrow, "collect_fees", (asset,)),
        (escrow, "apply_fee", ()),
        (escrow, "claim_refund", (refunding, me)),
        (escrow, "job_state", (paid,)),
        (escrow, "amount_due", (paid, 2_000)),
        (escrow, "income", (provider, asset)),
        (escrow, "fees", (asset,)),
        (jobs, "accept", (opened,)),
        (jobs, "decline", (opened,)),
        (jobs, "cancel", (opened,)),
        (jobs, "lower_deposit", (opened, 1)),
        (jobs, "start", (accepted,)),
        (jobs, "request_reclaim", (accepted,)),
        (jobs, "reclaim", (silent,)),
        (jobs, "leave_for_lost_capacity", (lost,)),
        (jobs, "close", (over,)),
        (jobs, "checkpoint", (paid,)),
        (jobs, "checkpoint_voucher", signed_voucher(paid, 1_000)),
        (jobs, "dispute", (disputed, accuse(disputed))),
        (jobs, "settle_dispute", (drawn,)),
        (jobs, "job_info", (paid,)),
    ]


def data(contract: Any, function: str, arguments: tuple[Any, ...]) -> bytes:
    return bytes(getattr(contract, function).prepare_calldata(*arguments))


def test_each_attempt_would_go_through_alone(attempts, hostile, escrow, jobs, stranger):
    for contract, function, arguments in attempts:
        with boa.env.anchor():
            hostile.arm(contract, data(contract, function, arguments))
            hostile.transfer(stranger, 1)
            assert hostile.entries() == 1, function
    # and no door is left out
    for door, restricted in ((escrow, OWNERS | ESCROW_ROLES), (jobs, OWNERS | JOBS_ROLES)):
        functions = [entry for entry in door.abi if entry["type"] == "function"]
        changes = {one["name"] for one in functions if one["stateMutability"] == "nonpayable"}
        assert changes - {name for contract, name, _ in attempts if contract is door} <= restricted


def test_nobody_enters_while_tokens_move(
    attempts, hostile, escrow, jobs, open_job, purse, settle, provider, operator, payer, payout,
    treasury,
):  # fmt: skip
    purse(hostile, PURSE)
    hostile.arm_with([(contract.address, data(contract, *call)) for contract, *call in attempts])

    def moving(tokens: int, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """A call in which tokens move so often, and each time everything is tried."""
        before = hostile.attempts()
        answer = call(*arguments, **options)
        assert hostile.attempts() - before == tokens * len(attempts)
        assert hostile.entries() == 0
        return answer

    moving(2, escrow.list_asset, hostile)
    declined, cancelled, job = (moving(1, open_job, paid_in=hostile) for _ in range(3))
    moving(1, jobs.decline, declined, sender=operator.address)
    moving(1, jobs.lower_deposit, cancelled, 1, sender=payer)
    moving(1, jobs.cancel, cancelled, sender=payer)
    moving(0, jobs.accept, job, sender=operator.address)
    moving(1, escrow.top_up, job, 4_000, sender=payer)
    moving(0, settle, job, 6_500, JobStatus.COMPLETED)
    moving(1, jobs.close, job)
    moving(1, escrow.withdraw, provider, hostile)
    moving(1, escrow.collect_fees, hostile)
    # nobody has got more, or less, than of any other token
    fee = 13_000 * escrow.fee_bps() // 10_000
    held = [hostile.balanceOf(each) for each in (payer, payout, treasury, escrow)]
    assert held == [PURSE - 13_000, 13_000 - fee, fee, 0]
