"""DemandPolicy.set_target."""

import pytest

from .conftest import CENT, CONSUMER, USD, logged

HIGHEST = (1_000 * USD, 10_000_000)


@pytest.mark.parametrize("device_class", [1, CONSUMER, 2**16 - 1])
@pytest.mark.parametrize("target", [(0, 0), (1, 1), HIGHEST])
def test_owner_sets_it(demand, device_class, target):
    previous = tuple(demand.target_of(device_class))
    demand.set_target(device_class, target)
    ((number, before, after),) = logged(demand, "TargetChanged")
    assert (number, tuple(before), tuple(after)) == (device_class, previous, target)
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
