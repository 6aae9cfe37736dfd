"""SubnetVotes: who may name who takes the votes, and when another takes its place."""

from typing import Any

import boa
import pytest

from tests.unit.conftest import ROLE_DELAY, check_takeover, load, role
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
    check_takeover(guarded, CONTROLLER, stranger)
