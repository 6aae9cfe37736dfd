"""ComputeCredits before anybody holds ESCROW: they can be bought, and wait."""

from tests.unit.conftest import UNIT, role

NOBODY = "0x" + "00" * 20


def test_nobody_takes_or_sends_any(compute_credits, feed, buy, stranger, payer, refused):
    assert compute_credits.role_holder(role("ESCROW")) == NOBODY
    buy(stranger, UNIT)
    for caller in (payer, NOBODY):
        compute_credits.approve(caller, 2**256 - 1, sender=stranger)
        with refused("compute_credits: credits go into the escrow only"):
            compute_credits.transferFrom(stranger, payer, 1, sender=caller)
    with refused("compute_credits: caller has never been the escrow"):
        compute_credits.transfer(payer, 1, sender=stranger)


def test_the_probe_refuses_credits_before_the_escrow_has_its_role(
    compute_credits, escrow, feed, deployer, buy, refused
):
    buy(deployer, UNIT)
    compute_credits.approve(escrow, 2**256 - 1)
    with refused("compute_credits: credits go into the escrow only"):
        escrow.list_asset(compute_credits)
