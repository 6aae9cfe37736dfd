"""SubnetRegistry.adopt_outcome, and who makes room in a full subnet."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boa
import pytest

from tests.unit.subnets import STAKE, Rules, pass_epochs

from .conftest import Outcomes

PLACES = 4
IMMUNITY = 3


@pytest.fixture
def full(create: Callable[..., int], enter: Callable[..., tuple[int, str]]) -> int:
    """A subnet whose places are all taken, of providers 1 to 4 in order."""
    subnet = create()
    for _ in range(PLACES):
        enter(subnet)
    return subnet


def test_an_outcome_of_the_active_report_is_adopted(
    subnets: Any, full: int, outcomes: Outcomes, create: Callable[..., int], stranger: str
):
    other = create()
    outcome, beside = (full, 0, 2_500, [2, 0]), (other, 0, 0, [])
    outcomes.publish(outcome, beside)
    assert subnets.outcome_epoch(full) == (0, False)
    with boa.env.prank(stranger):
        outcomes.adopt(outcome)
    (event,) = subnets.get_logs()
    assert (event.subnet, event.epoch, event.withheld_bps) == (full, 0, 2_500)
    assert event.leaving == [2, 0]
    assert subnets.outcome_epoch(full) == (0, True)
    assert subnets.outcome_epoch(other) == (0, False)
    assert subnets.leaving(full) == [2, 0]
    assert subnets.withheld_bps(full) == 2_500
    outcomes.adopt(beside)
    assert (subnets.leaving(other), subnets.withheld_bps(other)) == ([], 0)


def test_what_is_no_outcome(subnets: Any, full: int, outcomes: Outcomes, refused: Any):
    outcome = (full, 0, 0, [1])
    outcomes.publish(outcome)
    for changed in ((full, 1, 0, [1]), (full, 0, 1, [1]), (full, 0, 0, []), (full, 0, 0, [2])):
        with refused("subnet_registry: not in the active report"):
            subnets.adopt_outcome(*changed, [])
    with refused("subnet_registry: no such subnet"):
        subnets.adopt_outcome(full + 1, 0, 0, [1], [])
    with refused("subnet_registry: no such subnet"):
        subnets.adopt_outcome(0, 0, 0, [1], [])
    outcomes.adopt(outcome)
    with refused("subnet_registry: outcome is not newer"):
        outcomes.adopt(outcome)


def test_bounds_of_an_outcome(full: int, outcomes: Outcomes, refused: Any):
    bad, worse, best = (full, 0, 10_001, []), (full, 0, 0, [PLACES]), (full, 0, 10_000, [3])
    outcomes.publish(bad, worse, best)
    with refused("subnet_registry: withheld share out of bounds"):
        outcomes.adopt(bad)
    with refused("subnet_registry: no such uid"):
        outcomes.adopt(worse)
    outcomes.adopt(best)


def test_a_report_that_is_not_active_says_nothing(
    subnets: Any, full: int, outcomes: Outcomes, refused: Any
):
    outcome = (full, 0, 0, [1])
    outcomes.end_epochs()
    outcomes.post([outcome], total=0)  # type: ignore[list-item]
    with refused("subnet_registry: not in the active report"):
        outcomes.adopt(outcome)
    outcomes.activate()
    outcomes.adopt(outcome)


def test_64_leave_at_most(
    subnets: Any, create: Callable[..., int], outcomes: Outcomes, enter: Callable[..., Any]
):
    subnet = create(rules=replace(Rules(), max_uids=4_096))
    for _ in range(20):
        enter(subnet)
    order = [(7 * place) % 20 for place in range(64)]
    outcomes.publish((subnet, 0, 0, order))
    outcomes.adopt((subnet, 0, 0, order))
    assert subnets.leaving(subnet) == order
    with boa.reverts():
        subnets.adopt_outcome(subnet, 1, 0, [*order, 0], [])


# --- making room ----------------------------------------------------------------------------


def test_a_full_subnet_has_no_room_without_an_outcome(
    subnets: Any, full: int, neuron: Callable[..., tuple[int, str]], refused: Any
):
    provider, owner = neuron()
    pass_epochs(IMMUNITY)
    with refused("subnet_registry: subnet is full"), boa.env.prank(owner):
        subnets.register(full, provider, 2**256 - 1)


def test_the_first_in_order_leaves(
    subnets: Any, full: int, outcomes: Outcomes, enter: Callable[..., tuple[int, str]]
):
    outcomes.publish((full, 0, 0, [2, 0]))
    outcomes.adopt((full, 0, 0, [2, 0]))
    pass_epochs(IMMUNITY)
    left = subnets.neuron(full, 2).provider
    newcomer, _ = enter(full)
    (event,) = [e for e in subnets.get_logs() if type(e).__name__ == "Registered"]
    assert (event.uid, event.provider, event.replaced) == (2, newcomer, left)
    assert subnets.uid_of(full, left) == (0, False)
    assert subnets.uid_of(full, newcomer) == (2, True)
    assert subnets.uid_count(full) == PLACES
    assert subnets.leaving(full) == [0]
    enter(full)
    assert subnets.leaving(full) == []


def test_a_newcomer_is_immune_even_if_its_place_is_named_again(
    subnets: Any, full: int, outcomes: Outcomes, enter: Any, neuron: Any, refused: Any
):
    outcomes.publish((full, 0, 0, [2, 2, 1]))
    outcomes.adopt((full, 0, 0, [2, 2, 1]))
    pass_epochs(IMMUNITY)
    enter(full)
    # 2 has just been taken, so 1 makes room
    newcomer, _ = enter(full)
    assert subnets.uid_of(full, newcomer) == (1, True)
    provider, owner = neuron()
    with refused("subnet_registry: subnet is full"), boa.env.prank(owner):
        subnets.register(full, provider, 2**256 - 1)


def test_immunity_ends_with_its_last_epoch(
    subnets: Any, create: Callable[..., int], outcomes: Outcomes, enter: Any, neuron: Any
):
    subnet = create(rules=replace(Rules(), max_uids=1, immunity_epochs=10))
    enter(subnet)
    outcomes.publish((subnet, 0, 0, [0]))
    outcomes.adopt((subnet, 0, 0, [0]))
    provider, owner = neuron()
    pass_epochs(9 - subnets.current_epoch())
    with boa.reverts("subnet_registry: subnet is full"), boa.env.prank(owner):
        subnets.register(subnet, provider, 2**256 - 1)
    pass_epochs(1)
    with boa.env.prank(owner):
        assert subnets.register(subnet, provider, 2**256 - 1) == 0


def test_who_leaves_takes_its_weights_along(
    subnets: Any,
    create: Callable[..., int],
    outcomes: Outcomes,
    enter: Callable[..., tuple[int, str]],
):
    subnet = create(rules=replace(Rules(), max_uids=1, min_weights=1))
    provider, owner = enter(subnet)
    commit = subnets.weights_commit(subnet, provider, [0], [1], bytes(32))
    with boa.env.prank(owner):
        subnets.commit_weights(subnet, provider, commit)
        pass_epochs(1)
        subnets.reveal_weights(subnet, provider, [0], [1], bytes(32))
        pass_epochs(1)
        subnets.commit_weights(subnet, provider, commit)
    assert subnets.weights_hash(subnet, 0) != bytes(32)
    outcomes.publish((subnet, 0, 0, [0]))
    outcomes.adopt((subnet, 0, 0, [0]))
    pass_epochs(IMMUNITY)
    enter(subnet, STAKE)
    assert subnets.weights_hash(subnet, 0) == subnets.commit_of(subnet, 0) == bytes(32)
    assert subnets.neuron(subnet, 0).weights_at == 0
    with boa.reverts("subnet_registry: has no place"), boa.env.prank(owner):
        subnets.reveal_weights(subnet, provider, [0], [1], bytes(32))
