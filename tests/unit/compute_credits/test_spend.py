"""ComputeCredits.spend and burn."""

import pytest

from tests.unit.compute_credits.conftest import CREDIT, pass_epoch, transfers
from tests.unit.conftest import UNIT
from tests.unit.market import logs

NOBODY = "0x" + "00" * 20
CLUSTER = 2**23


@pytest.fixture
def held(escrow, escrow_as):
    """Base units of credits in the escrow: 100 credits."""
    return escrow_as(escrow.address)


@pytest.mark.parametrize("payee", [0, 1, CLUSTER, 2**24 - 1])
@pytest.mark.parametrize("amount", [0, 1, 100 * CREDIT])
def test_spending_destroys_and_counts(compute_credits, escrow, token, held, payee, amount):
    supply = token.totalSupply()
    compute_credits.spend(payee, amount, sender=escrow.address)
    assert logs(compute_credits, "CreditsSpent") == [(payee, 0, amount)]
    assert transfers(compute_credits) == [(escrow.address, NOBODY, amount)]
    assert compute_credits.spent_in(0, payee) == amount
    assert compute_credits.balanceOf(escrow) == compute_credits.totalSupply() == held - amount
    # no token comes back
    assert token.totalSupply() == supply


def test_each_payee_and_epoch_on_its_own(compute_credits, escrow, held):
    for payee, amount in ((1, 5), (1, 6), (2, 7)):
        compute_credits.spend(payee, amount, sender=escrow.address)
    pass_epoch()
    compute_credits.spend(1, 8, sender=escrow.address)
    assert logs(compute_credits, "CreditsSpent") == [(1, 1, 8)]
    assert [compute_credits.spent_in(epoch, 1) for epoch in range(3)] == [11, 8, 0]
    assert [compute_credits.spent_in(epoch, 2) for epoch in range(3)] == [7, 0, 0]


@pytest.mark.parametrize("amount", [0, 1, 100 * CREDIT])
def test_fees_are_destroyed_and_count_for_nobody(compute_credits, escrow, held, provider, amount):
    compute_credits.burn(amount, sender=escrow.address)
    assert logs(compute_credits, "FeesDestroyed") == [(0, amount)]
    assert transfers(compute_credits) == [(escrow.address, NOBODY, amount)]
    assert compute_credits.totalSupply() == held - amount
    assert compute_credits.spent_in(0, provider) == 0


def test_no_more_than_the_escrow_holds(compute_credits, escrow, held, payer, buy, refused):
    buy(payer, UNIT)
    for amount in (held + 1, 2**256 - 1):
        with refused("compute_credits: balance too small"):
            compute_credits.spend(1, amount, sender=escrow.address)
        with refused("compute_credits: balance too small"):
            compute_credits.burn(amount, sender=escrow.address)


def test_only_the_escrow(compute_credits, escrow, held, stranger, deployer, payer, buy, refused):
    buy(payer, UNIT)
    for caller in (stranger, deployer, payer):
        with refused("compute_credits: caller has never been the escrow"):
            compute_credits.spend(1, 0, sender=caller)
        with refused("compute_credits: caller has never been the escrow"):
            compute_credits.burn(1, sender=caller)


def test_spending_needs_no_price(compute_credits, escrow, held, prices, token, guardian):
    prices.set_suspended(token, True, sender=guardian)
    compute_credits.spend(1, 1, sender=escrow.address)
    assert compute_credits.spent_in(0, 1) == 1
