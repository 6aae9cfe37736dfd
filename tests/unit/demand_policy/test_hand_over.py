"""DemandPolicy.hand_over: the fee vault moves on with the role, not before."""

import boa

from tests.unit.conftest import ROLE_DELAY, UNIT, role

from .conftest import NOBODY, logged, pass_epochs


def test_all_tokens_go_to_the_next_policy(
    demand, post, release, pay_fees, token, stranger, collect
):
    pass_epochs()
    post(0)
    pay_fees(30 * UNIT)
    release(0, 0)
    assert demand.hand_over(stranger) == 30 * UNIT
    assert logged(demand, "HandedOver") == [(stranger, 30 * UNIT)]
    assert token.balanceOf(stranger) == 30 * UNIT
    assert (demand.due(), demand.counted(), demand.fee_vault()) == (0, 0, 0)
    assert collect() == 0


def test_not_while_this_is_the_policy(demand, controller, pay_fees, refused, stranger, deployer):
    pay_fees(UNIT)
    controller.set_role(role("POLICY"), demand)
    with refused("demand_policy: still the policy"):
        demand.hand_over(stranger)
    controller.set_role(role("POLICY"), NOBODY)
    boa.env.time_travel(seconds=ROLE_DELAY - 1)
    with refused("demand_policy: still the policy"):
        demand.hand_over(stranger)
    boa.env.time_travel(seconds=1)
    controller.apply_role(role("POLICY"))
    assert demand.hand_over(stranger) == UNIT


def test_nothing_and_nobody(demand, pay_fees, refused, stranger):
    with refused("demand_policy: nothing to hand over"):
        demand.hand_over(stranger)
    pay_fees(1)
    with refused("demand_policy: no receiver"):
        demand.hand_over(NOBODY)
    assert demand.hand_over(stranger) == 1
    with refused("demand_policy: nothing to hand over"):
        demand.hand_over(stranger)


def test_only_the_owner(demand, pay_fees, refused, stranger, controller):
    pay_fees(UNIT)
    for sender in (stranger, controller.address):
        with refused("ownable: caller is not the owner"):
            demand.hand_over(sender, sender=sender)
