"""What a meter is made of: fees count from its deployment on."""

from collections.abc import Callable
from typing import Any

import boa

from tests.unit.conftest import ROLE_DELAY, load, role

NOBODY = "0x" + "00" * 20


def test_remembers_what_it_is_made_of(meter: Any, escrow: Any, token: Any, deployer: str):
    assert meter.ESCROW() == escrow.address
    assert meter.WORK_TOKEN() == token.address
    assert (meter.CONTROLLER(), meter.PRICES()) == (role("CONTROLLER"), role("PRICES"))
    assert meter.owner() == deployer
    assert meter.ROLE_CHANGE_DELAY() == ROLE_DELAY


def test_no_escrow():
    with boa.reverts("fee_meter: no escrow"):
        load("FeeMeter", NOBODY, ROLE_DELAY)


def test_fees_of_the_time_before_do_not_count(
    escrow: Any, earn: Callable[..., None], stranger: str
):
    """Else a meter that takes over would count again what the one before has counted."""
    earn(1_000)
    meter = load("FeeMeter", escrow, ROLE_DELAY)
    meter.set_role(role("CONTROLLER"), stranger)
    assert meter.counted(1) == escrow.earned_fees(1) == 60
    assert meter.take(sender=stranger) == []
    earn(100)
    assert meter.take(sender=stranger) == [6]
