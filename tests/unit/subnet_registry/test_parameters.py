"""SubnetRegistry: a subnet's parameters change in advance, its owner in two steps."""

from collections.abc import Callable
from dataclasses import astuple, replace
from typing import Any

import boa
import pytest

from tests.unit.conftest import PARAMETER_EPOCHS
from tests.unit.subnets import NOBODY, Consensus, Rules, pass_epochs

MORE = replace(Rules(), max_uids=8, immunity_epochs=5)
OTHER = replace(Consensus(), kappa=40_000)


@pytest.fixture
def change(subnets: Any, create: Callable[..., int], subnet_owner: str) -> Callable[..., None]:
    create()

    def _change(rules: Rules = MORE, consensus: Consensus = OTHER, sender: str = "") -> None:
        with boa.env.prank(sender or subnet_owner):
            subnets.change_parameters(1, astuple(rules), astuple(consensus))

    return _change


def test_a_change_is_in_force_after_its_delay(subnets: Any, change: Callable[..., None]):
    change()
    (event,) = subnets.get_logs()
    assert (event.subnet, event.epoch) == (1, PARAMETER_EPOCHS)
    assert subnets.next_parameters_epoch(1) == PARAMETER_EPOCHS
    pass_epochs(PARAMETER_EPOCHS - 1)
    assert subnets.parameters(1) == (astuple(Rules()), astuple(Consensus()))
    pass_epochs(1)
    assert subnets.parameters(1) == (astuple(MORE), astuple(OTHER))


def test_a_change_replaces_one_that_is_not_in_force(subnets: Any, change: Callable[..., None]):
    change()
    pass_epochs(PARAMETER_EPOCHS - 1)
    change(rules=replace(MORE, max_uids=16))
    pass_epochs(1)
    assert subnets.parameters(1) == (astuple(Rules()), astuple(Consensus()))
    pass_epochs(PARAMETER_EPOCHS - 1)
    assert subnets.parameters(1)[0].max_uids == 16


def test_what_is_in_force_stays_until_the_next_is(subnets: Any, change: Callable[..., None]):
    change()
    pass_epochs(PARAMETER_EPOCHS)
    change(rules=replace(MORE, max_uids=16), consensus=Consensus())
    assert subnets.parameters(1) == (astuple(MORE), astuple(OTHER))
    pass_epochs(PARAMETER_EPOCHS)
    assert subnets.parameters(1) == (astuple(replace(MORE, max_uids=16)), astuple(Consensus()))


def test_places_are_never_lowered(change: Callable[..., None], refused: Any):
    with refused("subnet_registry: fewer places"):
        change(rules=replace(Rules(), max_uids=3))
    change()
    # a change that is not in force yet binds nobody
    change(rules=Rules())
    change()
    pass_epochs(PARAMETER_EPOCHS)
    with refused("subnet_registry: fewer places"):
        change(rules=replace(MORE, max_uids=7))
    change(rules=MORE)


def test_bounds_hold_for_changes_too(change: Callable[..., None], refused: Any):
    with refused("subnet_registry: immunity out of bounds"):
        change(rules=replace(MORE, immunity_epochs=0))
    with refused("subnet_registry: kappa below a half"):
        change(consensus=replace(OTHER, kappa=0))


def test_only_the_owner_changes(
    change: Callable[..., None], refused: Any, stranger: str, deployer: str
):
    for caller in (stranger, deployer):
        with refused("subnet_registry: caller is not the owner"):
            change(sender=caller)


# --- the owner ------------------------------------------------------------------------------


def test_an_owner_hands_over_in_two_steps(
    subnets: Any, change: Callable[..., None], subnet_owner: str, stranger: str
):
    with boa.env.prank(subnet_owner):
        subnets.name_subnet_owner(1, stranger)
    (named,) = subnets.get_logs()
    assert (named.subnet, named.pending) == (1, stranger)
    assert subnets.owner_of_subnet(1) == subnet_owner
    with boa.env.prank(stranger):
        subnets.accept_subnet(1)
    (taken,) = subnets.get_logs()
    assert (taken.previous, taken.current) == (subnet_owner, stranger)
    assert subnets.owner_of_subnet(1) == stranger
    assert subnets.pending_subnet_owner(1) == NOBODY
    change(sender=stranger)


def test_a_name_is_taken_back(
    subnets: Any, change: Callable[..., None], refused: Any, subnet_owner: str, stranger: str
):
    for name in (stranger, NOBODY):
        with boa.env.prank(subnet_owner):
            subnets.name_subnet_owner(1, name)
    with refused("subnet_registry: caller is not the next owner"), boa.env.prank(stranger):
        subnets.accept_subnet(1)
    with refused("subnet_registry: caller is not the owner"), boa.env.prank(stranger):
        subnets.name_subnet_owner(1, stranger)


def test_nobody_owns_no_subnet(subnets: Any, change: Callable[..., None], refused: Any):
    with refused("subnet_registry: caller is not the owner"):
        subnets.name_subnet_owner(2, boa.env.eoa)
    with refused("subnet_registry: caller is not the next owner"):
        subnets.accept_subnet(2)
