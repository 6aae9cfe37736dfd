"""ComputeCredits' constructor, and what it says of itself."""

import boa
import pytest

from tests.unit.conftest import DAY, EPOCH_LENGTH, ROLE_DELAY, load, role
from tests.unit.market import load_odd

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


def test_a_clock_within_bounds(token, prices, genesis):
    for length in (1, 30 * DAY):
        clock = load_odd("told_clock", genesis, length)
        deployed = load("ComputeCredits", token, prices, clock, ROLE_DELAY)
        assert deployed.EPOCH_LENGTH() == length
    for length in (0, 30 * DAY + 1, 2**256 - 1):
        clock = load_odd("told_clock", genesis, length)
        with boa.reverts("epoch_clock: length out of bounds"):
            load("ComputeCredits", token, prices, clock, ROLE_DELAY)


def test_there_is_no_epoch_before_the_first(token, prices):
    clock = load_odd("told_clock", boa.env.timestamp + 1, EPOCH_LENGTH)
    deployed = load("ComputeCredits", token, prices, clock, ROLE_DELAY)
    with boa.reverts("epoch_clock: before genesis"):
        deployed.current_epoch()
    boa.env.time_travel(seconds=1)
    assert deployed.current_epoch() == 0


def test_another_escrow_takes_over_after_the_delay(compute_credits, escrow, stranger):
    escrow_role = role("ESCROW")
    compute_credits.set_role(escrow_role, escrow)
    with boa.reverts("roles: nothing scheduled"):
        compute_credits.apply_role(escrow_role)
    compute_credits.set_role(escrow_role, stranger)
    boa.env.time_travel(seconds=ROLE_DELAY)
    compute_credits.apply_role(escrow_role, sender=stranger)
    assert compute_credits.role_holder(escrow_role) == stranger
    with boa.reverts("roles: nothing scheduled"):
        compute_credits.apply_role(escrow_role)
