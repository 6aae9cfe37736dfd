"""DemandPolicy.collect: paid fees go to the controller."""

import pytest

from tests.unit.conftest import UNIT

from .conftest import logged, pass_epochs


@pytest.fixture
def due(post, release, pay_fees) -> int:
    """Fees that have been paid, and some that have not."""
    pass_epochs()
    post(0)
    pay_fees(30 * UNIT)
    release(0, 0)
    return 27 * UNIT


def test_what_is_due_goes_to_the_controller(demand, due, collect, token, controller):
    before = token.balanceOf(controller)
    assert collect() == due
    assert logged(demand, "FeesCollected") == [(due,)]
    assert token.balanceOf(controller) - before == due
    assert (demand.due(), demand.fee_vault()) == (0, 3 * UNIT)


def test_twice_is_nothing_more(demand, due, collect, state):
    collect()
    before = state()
    assert collect() == 0
    assert demand.get_logs() == []
    assert state() == before


def test_nothing(collect, pay_fees, state):
    pay_fees(UNIT)
    before = state()
    assert collect() == 0
    assert state() == before


def test_only_the_controller(demand, due, stranger, deployer, refused):
    for sender in (stranger, deployer):
        with refused("demand_policy: caller is not the controller"):
            demand.collect(sender=sender)
