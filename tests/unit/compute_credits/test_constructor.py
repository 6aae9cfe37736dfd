"""ComputeCredits' constructor, and what it says of itself."""

import boa
import pytest

from tests.unit.conftest import EPOCH_LENGTH, ROLE_DELAY, load, role

NOBODY = "0x" + "00" * 20


def test_keeps_what_it_was_given(compute_credits, token, prices, genesis, deployer):
    assert compute_credits.TOKEN() == token.address
    assert compute_credits.PRICES() == prices.address
    assert (compute_credits.GENESIS(), compute_credits.EPOCH_LENGTH()) == (genesis, EPOCH_LENGTH)
    assert compute_credits.ROLE_CHANGE_DELAY() == ROLE_DELAY
    assert compute_credits.owner() == deployer
    assert compute_credits.ESCROW() == role("ESCROW")
    assert (compute_credits.name(), compute_credits.symbol()) == ("Compute credit", "CREDIT")
    assert (compute_credits.decimals(), compute_credits.totalSupply()) == (6, 0)


@pytest.mark.parametrize(
    ("position", "reason"), [(0, "no token"), (1, "no prices"), (2, "no clock")]
)
def test_what_can_not_work_reverts(token, prices, controller, position, reason):
    arguments = [token, prices, controller, ROLE_DELAY]
    arguments[position] = NOBODY
    with boa.reverts(f"compute_credits: {reason}"):
        load("ComputeCredits", *arguments)


def test_a_clock_has_to_be_one(token, prices):
    with boa.reverts():
        load("ComputeCredits", token, prices, token, ROLE_DELAY)
