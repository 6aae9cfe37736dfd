"""ClusterRegistry: who may name the escrow, and when another takes its place."""

import boa
import pytest

from tests.unit.conftest import ROLE_DELAY, check_takeover, role

ESCROW = role("ESCROW")


def test_nobody_but_the_owner_names_it(clusters, escrow, stranger, refused):
    with refused("ownable: caller is not the owner"):
        clusters.set_role(ESCROW, stranger, sender=stranger)
    assert clusters.role_holder(ESCROW) == escrow.address


def test_another_takes_over_after_the_delay(clusters, escrow, stranger):
    assert clusters.role_holder(ESCROW) == escrow.address
    check_takeover(clusters, ESCROW, stranger)


@pytest.mark.parametrize("again", [True, False])
def test_what_is_scheduled_can_be_replaced(clusters, escrow, stranger, owner, again):
    clusters.set_role(ESCROW, stranger)
    boa.env.time_travel(seconds=ROLE_DELAY - 1)
    clusters.set_role(ESCROW, owner if again else escrow)
    boa.env.time_travel(seconds=1)
    # the delay runs anew
    with boa.reverts("roles: change not ready"):
        clusters.apply_role(ESCROW)
