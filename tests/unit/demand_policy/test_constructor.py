"""DemandPolicy.__init__."""

from dataclasses import asdict, astuple, replace

import boa
import pytest

from oracle.domain.demand import Rule

from .conftest import NOBODY, NOTICE, RULE, SUBJECT, WAIT, fresh, state_of

LOWEST = Rule(reserve_epochs=0, burn_bps=5_000, step_bps=1, average_epochs=1, stale_bps=0)
HIGHEST = Rule(
    reserve_epochs=100_000, burn_bps=10_000, step_bps=1_000, average_epochs=100_000, stale_bps=100
)


def test_keeps_what_it_is_given(demand, controller, committee, told_prices, token, deployer):
    assert demand.CONTROLLER() == controller.address
    assert demand.COMMITTEE() == committee.address
    assert demand.PRICES() == told_prices.address
    assert demand.TOKEN() == token.address
    assert tuple(demand.RULE()) == astuple(RULE)
    assert (demand.WAIT_EPOCHS(), demand.SUBJECT()) == (WAIT, SUBJECT)
    assert demand.TARGET_EPOCHS() == NOTICE
    assert (demand.GENESIS(), demand.EPOCH_LENGTH()) == (
        controller.GENESIS(),
        controller.EPOCH_LENGTH(),
    )
    assert demand.owner() == deployer


def test_starts_with_whole_targets_and_nothing_paid(demand, new_policy):
    assert state_of(demand) == fresh()
    assert (demand.next_epoch(), demand.due(), demand.counted(), demand.fee_vault()) == (0,) * 4
    assert new_policy(first_epoch=2**64 - 1).next_epoch() == 2**64 - 1


@pytest.mark.parametrize("rule", [LOWEST, HIGHEST])
@pytest.mark.parametrize("wait", [1, 168])
def test_bounds_themselves_are_allowed(new_policy, rule, wait):
    policy = new_policy(rule=astuple(rule), wait_epochs=wait)
    assert (tuple(policy.RULE()), policy.WAIT_EPOCHS()) == (astuple(rule), wait)


@pytest.mark.parametrize("name", ["controller", "committee", "prices"])
def test_needs_every_contract(new_policy, name):
    with boa.reverts(f"demand_policy: no {name}"):
        new_policy(**{name: NOBODY})


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("reserve_epochs", [100_001, 2**256 - 1], "reserve"),
        ("burn_bps", [0, 4_999, 10_001, 2**256 - 1], "burnt share"),
        ("step_bps", [0, 1_001, 2**256 - 1], "step"),
        ("average_epochs", [0, 100_001, 2**256 - 1], "average"),
        ("stale_bps", [101, 2**256 - 1], "share without price"),
    ],
)
def test_rule_out_of_bounds(new_policy, name, values, reason):
    assert name in asdict(RULE)
    for value in values:
        with boa.reverts(f"demand_policy: {reason} out of bounds"):
            new_policy(rule=astuple(replace(RULE, **{name: value})))


@pytest.mark.parametrize("wait", [0, 169, 2**256 - 1])
def test_wait_out_of_bounds(new_policy, wait):
    with boa.reverts("demand_policy: wait out of bounds"):
        new_policy(wait_epochs=wait)


@pytest.mark.parametrize("notice", [0, 10_001, 2**256 - 1])
def test_target_delay_out_of_bounds(new_policy, notice):
    with boa.reverts("demand_policy: target delay out of bounds"):
        new_policy(target_epochs=notice)
    assert new_policy(target_epochs=10_000).TARGET_EPOCHS() == 10_000
