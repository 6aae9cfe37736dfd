"""ComputeCredits go into the escrow and back, nowhere else."""

import boa
import pytest

from tests.unit.compute_credits.conftest import CREDIT, transfers
from tests.unit.conftest import ROLE_DELAY, UNIT, role
from tests.unit.market import logs

ALL = 2**256 - 1


@pytest.fixture
def holder(wired, escrow, stranger, buy):
    """Has 10 credits."""
    buy(stranger, 20 * UNIT)
    return stranger


@pytest.mark.parametrize("amount", [0, 1, 10 * CREDIT])
def test_the_escrow_takes_what_was_approved(compute_credits, escrow, holder, amount):
    assert compute_credits.approve(escrow, amount, sender=holder)
    assert logs(compute_credits, "Approval") == [(holder, escrow.address, amount)]
    assert compute_credits.transferFrom(holder, escrow, amount, sender=escrow.address)
    assert transfers(compute_credits) == [(holder, escrow.address, amount)]
    assert compute_credits.balanceOf(holder) == 10 * CREDIT - amount
    assert compute_credits.balanceOf(escrow) == amount
    assert compute_credits.allowance(holder, escrow) == 0
    assert compute_credits.totalSupply() == 10 * CREDIT


def test_all_ones_is_any_number(compute_credits, escrow, holder):
    compute_credits.approve(escrow, ALL, sender=holder)
    compute_credits.transferFrom(holder, escrow, CREDIT, sender=escrow.address)
    assert compute_credits.allowance(holder, escrow) == ALL


def test_no_more_than_approved(compute_credits, escrow, holder, refused):
    compute_credits.approve(escrow, CREDIT, sender=holder)
    with refused("compute_credits: allowance too small"):
        compute_credits.transferFrom(holder, escrow, CREDIT + 1, sender=escrow.address)


def test_no_more_than_owned(compute_credits, escrow, holder, refused):
    compute_credits.approve(escrow, ALL, sender=holder)
    for amount in (10 * CREDIT + 1, ALL):
        with refused("compute_credits: balance too small"):
            compute_credits.transferFrom(holder, escrow, amount, sender=escrow.address)


def test_the_escrow_sends_to_nobody_but_out_of_its_own(
    compute_credits, escrow, holder, payer, refused
):
    compute_credits.approve(escrow, ALL, sender=holder)
    with refused("compute_credits: credits go into the escrow only"):
        compute_credits.transferFrom(holder, payer, CREDIT, sender=escrow.address)


def test_nobody_else_takes_any(compute_credits, escrow, holder, payer, refused):
    for receiver in (payer, escrow):
        compute_credits.approve(payer, ALL, sender=holder)
        with refused("compute_credits: credits go into the escrow only"):
            compute_credits.transferFrom(holder, receiver, CREDIT, sender=payer)
    with refused("compute_credits: credits go into the escrow only"):
        compute_credits.transferFrom(holder, holder, 0, sender=holder)


def test_holders_send_none(compute_credits, escrow, holder, payer, refused):
    """To the escrow neither: it would not know whose deposit that is."""
    for receiver in (payer, escrow, holder):
        for amount in (0, CREDIT):
            with refused("compute_credits: caller has never been the escrow"):
                compute_credits.transfer(receiver, amount, sender=holder)


@pytest.mark.parametrize("amount", [0, 1, 100 * CREDIT])
def test_the_escrow_sends_refunds(compute_credits, escrow, escrow_as, payer, amount):
    held = escrow_as(escrow.address)
    assert compute_credits.transfer(payer, amount, sender=escrow.address)
    assert transfers(compute_credits) == [(escrow.address, payer, amount)]
    assert compute_credits.balanceOf(payer) == amount
    assert compute_credits.balanceOf(escrow) == held - amount


def test_the_escrow_sends_no_more_than_it_holds(compute_credits, escrow, escrow_as, payer, refused):
    held = escrow_as(escrow.address)
    for amount in (held + 1, ALL):
        with refused("compute_credits: balance too small"):
            compute_credits.transfer(payer, amount, sender=escrow.address)


def test_an_escrow_that_has_lost_the_role_still_pays_out(
    compute_credits, escrow, escrow_as, payer, provider, refused
):
    held = escrow_as(escrow.address)
    later = boa.env.generate_address("later escrow")
    compute_credits.set_role(role("ESCROW"), later)
    boa.env.time_travel(seconds=ROLE_DELAY)
    compute_credits.apply_role(role("ESCROW"))
    compute_credits.transfer(payer, 1, sender=escrow.address)
    compute_credits.spend(provider, 1, sender=escrow.address)
    compute_credits.burn(1, sender=escrow.address)
    assert compute_credits.balanceOf(escrow) == held - 3
    # and takes nothing in any more
    compute_credits.approve(escrow, 1, sender=payer)
    with refused("compute_credits: credits go into the escrow only"):
        compute_credits.transferFrom(payer, escrow, 1, sender=escrow.address)
    # the next one can not touch what it holds
    for pay_out in (
        lambda: compute_credits.transfer(payer, 1, sender=later),
        lambda: compute_credits.spend(provider, 1, sender=later),
        lambda: compute_credits.burn(1, sender=later),
    ):
        with refused("compute_credits: caller has never been the escrow"):
            pay_out()


def test_who_announces_an_escrow_waits(compute_credits, wired, escrow, stranger):
    compute_credits.set_role(role("ESCROW"), stranger)
    boa.env.time_travel(seconds=ROLE_DELAY - 1)
    with boa.reverts("roles: change not ready"):
        compute_credits.apply_role(role("ESCROW"))
    assert compute_credits.role_holder(role("ESCROW")) == escrow.address
    with boa.reverts("ownable: caller is not the owner"):
        compute_credits.set_role(role("ESCROW"), stranger, sender=stranger)
