"""SubnetVotes: who may name who takes the votes, and when another takes its place."""

from typing import Any

import boa
import pytest

from tests.unit.conftest import ROLE_DELAY, load, role
from tests.unit.subnets import NOBODY

CONTROLLER = role("CONTROLLER")


@pytest.fixture
def guarded(staking: Any, subnets: Any) -> Any:
    """Votes whose taker was named when they were set up."""
    votes = load("SubnetVotes", staking, subnets, 1, ROLE_DELAY)
    votes.set_role(CONTROLLER, boa.env.generate_address("controller"))
    return votes


def test_nobody_but_the_owner_names_it(guarded: Any, stranger: str):
    with boa.reverts("ownable: caller is not the owner"):
        guarded.set_role(CONTROLLER, stranger, sender=stranger)
    assert guarded.pending_role(CONTROLLER) == (NOBODY, 0)


def test_another_takes_over_after_the_delay(guarded: Any, stranger: str):
    before = guarded.role_holder(CONTROLLER)
    with boa.reverts("roles: nothing scheduled"):
        guarded.apply_role(CONTROLLER)
    guarded.set_role(CONTROLLER, stranger)
    assert guarded.pending_role(CONTROLLER) == (stranger, boa.env.timestamp + ROLE_DELAY)
    boa.env.time_travel(seconds=ROLE_DELAY - 1)
    with boa.reverts("roles: change not ready"):
        guarded.apply_role(CONTROLLER, sender=stranger)
    assert guarded.role_holder(CONTROLLER) == before
    boa.env.time_travel(seconds=1)
    guarded.apply_role(CONTROLLER, sender=stranger)
    assert guarded.role_holder(CONTROLLER) == stranger
    with boa.reverts("roles: nothing scheduled"):
        guarded.apply_role(CONTROLLER)
