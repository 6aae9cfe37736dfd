"""JobEscrow's permits (EIP-2612): a deposit without an approval before it."""

import boa
import pytest

from tests.unit.conftest import DAY
from tests.unit.market import DEPOSIT, HOUR, PRICE, PURSE, TERMS

NO_ALLOWANCE = "erc20: insufficient allowance"


@pytest.fixture
def permit(token, escrow, asset, customer, payer):
    """The customer's permit for the escrow, which it has not approved."""
    asset.approve(escrow, 0, sender=payer)

    def _permit(value=DEPOSIT, deadline=2**256 - 1, signer=customer, nonce=0):
        _, name, version, chain_id, contract, _, _ = token.eip712Domain()
        fields = ("owner:address", "spender:address", "value:uint256", "nonce:uint256")
        types = [dict(zip(("name", "type"), f.split(":"), strict=True)) for f in fields]
        signed = signer.sign_typed_data(
            domain_data={
                "name": name,
                "version": version,
                "chainId": chain_id,
                "verifyingContract": str(contract),
            },
            message_types={"Permit": [*types, {"name": "deadline", "type": "uint256"}]},
            message_data={
                "owner": payer,
                "spender": str(escrow.address),
                "value": value,
                "nonce": nonce,
                "deadline": deadline,
            },
        )
        return value, deadline, signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")

    return _permit


@pytest.fixture
def open_with(escrow, asset, provider, device_class, sla, payer):
    def _open_with(permit, deposit=DEPOSIT, by=payer, token=asset):
        return int(
            escrow.open_job(
                provider, token, 1, device_class, PRICE, deposit, sla, TERMS, 0, permit, sender=by
            )
        )

    return _open_with


def test_opens_a_job(escrow, jobs, asset, payer, permit, open_with):
    job = open_with(permit())
    assert jobs.job_info(job).deposit == DEPOSIT
    assert asset.balanceOf(payer) == PURSE - DEPOSIT
    assert asset.allowance(payer, escrow) == 0
    assert asset.nonces(payer) == 1


def test_takes_an_offer(escrow, jobs, asset, payer, permit, take_offer):
    job = take_offer(1, HOUR, 0, permit(PRICE))
    assert jobs.job_info(job).deposit == PRICE
    assert asset.allowance(payer, escrow) == 0


def test_one_that_somebody_else_has_used_counts(
    escrow, jobs, asset, payer, permit, open_with, take_offer, stranger
):
    """Whoever sees it can send it first; that must not stop the customer."""
    signed = permit()
    asset.permit(payer, escrow, *signed, sender=stranger)
    assert jobs.job_info(open_with(signed)).deposit == DEPOSIT
    signed = permit(PRICE, nonce=1)
    asset.permit(payer, escrow, *signed, sender=stranger)
    assert jobs.job_info(take_offer(1, HOUR, 0, signed)).deposit == PRICE


def test_a_permit_works_once(permit, open_with, refused):
    signed = permit()
    open_with(signed)
    with refused(NO_ALLOWANCE):
        open_with(signed)


def test_what_a_permit_leaves_can_be_used_later(permit, open_with, refused):
    signed = permit(DEPOSIT + 1)
    open_with(signed)
    open_with((0, 0, 0, bytes(32), bytes(32)), deposit=1)
    with refused(NO_ALLOWANCE):
        open_with((0, 0, 0, bytes(32), bytes(32)), deposit=1)


def test_invalid_ones_allow_nothing(permit, open_with, watcher, refused):
    value, deadline, v, r, s = permit()
    for invalid in [
        permit(signer=watcher),
        permit(nonce=1),
        permit(value=DEPOSIT - 1),
        permit(deadline=boa.env.evm.patch.timestamp - 1),
        (value + 1, deadline, v, r, s),
        (value, deadline - 1, v, r, s),
        (value, deadline, 27 + 28 - v, r, s),
        (value, deadline, 0, bytes(32), bytes(32)),
        (0, 0, 0, bytes(32), bytes(32)),
        # not looked at, whatever it says
        (value, 0, v, r, s),
    ]:
        with refused(NO_ALLOWANCE):
            open_with(invalid)


def test_an_invalid_one_does_not_stop_an_approval(
    escrow, jobs, asset, payer, permit, open_with, watcher
):
    asset.approve(escrow, DEPOSIT, sender=payer)
    assert jobs.job_info(open_with(permit(signer=watcher))).deposit == DEPOSIT


def test_until_its_deadline(permit, open_with, refused):
    now = boa.env.evm.patch.timestamp
    last, late = permit(deadline=now + DAY), permit(deadline=now + DAY - 1)
    boa.env.time_travel(seconds=DAY)
    with refused(NO_ALLOWANCE):
        open_with(late)
    open_with(last)


def test_spends_the_callers_tokens_only(permit, open_with, stranger, refused):
    """A permit that somebody shows who has not signed it."""
    with refused(NO_ALLOWANCE):
        open_with(permit(), by=stranger)


def test_a_token_without_permits_needs_an_approval(
    escrow, jobs, odd_token, payer, permit, open_with, state
):
    assert jobs.job_info(open_with(permit(), token=odd_token)).deposit == DEPOSIT
    odd_token.approve(escrow, 0, sender=payer)
    before = state()
    with boa.reverts():
        open_with(permit(), token=odd_token)
    assert state() == before
