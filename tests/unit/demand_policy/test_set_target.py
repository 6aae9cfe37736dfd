"""DemandPolicy.set_target."""

import pytest

from .conftest import (
    CENT,
    CONSUMER,
    DATACENTER,
    NOTICE,
    USD,
    WHOLE,
    WHOLE_USD,
    logged,
    pass_epochs,
)

HIGHEST = (1_000 * USD, 10_000_000)


@pytest.mark.parametrize("device_class", [1, CONSUMER, 2**16 - 1])
@pytest.mark.parametrize("target", [(0, 0), (1, 1), HIGHEST])
def test_owner_sets_it(demand, device_class, target):
    previous = tuple(demand.target_of(device_class))
    demand.set_target(device_class, target)
    ((number, before, after, epoch),) = logged(demand, "TargetChanged")
    assert (number, tuple(before), tuple(after), epoch) == (device_class, previous, target, 0)
    assert tuple(demand.target_of(device_class)) == target


def test_twice_is_the_last(demand):
    demand.set_target(CONSUMER, HIGHEST)
    demand.set_target(CONSUMER, (CENT, 1))
    assert tuple(demand.target_of(CONSUMER)) == (CENT, 1)


def test_only_the_owner(demand, stranger, controller, refused):
    for sender in (stranger, controller.address):
        with refused("ownable: caller is not the owner"):
            demand.set_target(CONSUMER, HIGHEST, sender=sender)


@pytest.mark.parametrize(
    ("device_class", "target", "reason"),
    [
        (0, HIGHEST, "no class"),
        (CONSUMER, (HIGHEST[0] + 1, 1), "target out of bounds"),
        (CONSUMER, (2**256 - 1, 1), "target out of bounds"),
        (CONSUMER, (1, HIGHEST[1] + 1), "devices out of bounds"),
        (CONSUMER, (1, 2**256 - 1), "devices out of bounds"),
    ],
)
def test_out_of_bounds(demand, refused, device_class, target, reason):
    with refused(f"demand_policy: {reason}"):
        demand.set_target(device_class, target)


# --- with notice --------------------------------------------------------------------------

BEFORE = (120 * CENT, 100)


def test_after_the_first_figures_it_takes_notice(demand, post):
    pass_epochs()
    post(0, [])
    demand.set_target(DATACENTER, (0, 0))
    ((number, before, after, epoch),) = logged(demand, "TargetChanged")
    assert (number, tuple(before), tuple(after)) == (DATACENTER, BEFORE, (0, 0))
    assert epoch == demand.next_target_epoch(DATACENTER) == 1 + NOTICE
    pass_epochs(NOTICE - 1)
    assert tuple(demand.target_of(DATACENTER)) == BEFORE
    pass_epochs()
    assert tuple(demand.target_of(DATACENTER)) == (0, 0)


def test_an_epoch_is_worth_its_own_targets_whenever_it_is_posted(demand, post):
    """Neither waiting nor hurrying with figures changes what they are worth."""
    pass_epochs()
    post(0, [])
    demand.set_target(DATACENTER, (0, 0))
    pass_epochs(NOTICE + 2)
    assert post(NOTICE + 1) == post(NOTICE + 2) == 150 * CENT
    assert post(NOTICE) == WHOLE_USD


def test_a_change_on_its_way_is_replaced_and_waits_anew(demand, post):
    pass_epochs()
    post(0, [])
    demand.set_target(DATACENTER, HIGHEST)
    pass_epochs(NOTICE - 1)
    demand.set_target(DATACENTER, (CENT, 1))
    pass_epochs()
    assert tuple(demand.target_of(DATACENTER)) == BEFORE
    pass_epochs(NOTICE - 1)
    assert tuple(demand.target_of(DATACENTER)) == (CENT, 1)


def test_the_next_change_starts_from_the_one_in_force(demand, post):
    pass_epochs()
    post(0, WHOLE)
    demand.set_target(DATACENTER, (CENT, 1))
    pass_epochs(NOTICE)
    demand.set_target(DATACENTER, HIGHEST)
    ((_, before, _, _),) = logged(demand, "TargetChanged")
    assert tuple(before) == tuple(demand.target_of(DATACENTER)) == (CENT, 1)
    assert tuple(demand.next_target(DATACENTER)) == HIGHEST


def test_a_new_class_takes_notice_too(demand, post):
    pass_epochs()
    post(0, [])
    demand.set_target(9, HIGHEST)
    assert tuple(demand.target_of(9)) == (0, 0)
    pass_epochs(NOTICE)
    assert tuple(demand.target_of(9)) == HIGHEST
