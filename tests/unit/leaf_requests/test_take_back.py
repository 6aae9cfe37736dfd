"""The bond of a request that nobody executes."""

import boa
import pytest

from tests.unit.conftest import LEAF_ANSWER_PERIOD, LEAF_BOND, role
from tests.unit.leaf_requests.conftest import OPEN, PURSE


@pytest.fixture
def left_lying(desk, honest):
    """A request that nobody answered or executed."""
    desk.ask(honest)
    desk.wait(honest, LEAF_ANSWER_PERIOD)
    return honest


def test_returns_the_bond_and_leaves_the_request_open(desk, token, left_lying, provider, reporter):
    desk.take_back(left_lying)
    assert token.balanceOf(reporter) == PURSE
    request = desk.request(left_lying)
    assert (request.stage, request.bonds, request.requester) == (OPEN, 0, reporter)
    assert desk.contract.open_requests(provider) == 1
    log = desk.log
    assert (log.commit_digest, log.provider, log.requester) == (
        desk.digest(left_lying), provider, reporter,
    )  # fmt: skip
    assert (log.round_index, log.index, log.returned) == (*desk.place(left_lying)[1:3], LEAF_BOND)


def test_returns_all_that_was_paid(desk, token, leaves, reporter):
    first, second, *_ = leaves()
    desk.ask(first)
    desk.ask(second)
    desk.wait(second, LEAF_ANSWER_PERIOD)
    desk.take_back(second)
    assert desk.log.returned == 2 * LEAF_BOND
    desk.take_back(first)
    assert token.balanceOf(reporter) == PURSE


def test_from_a_court_that_does_not_listen_any_more(
    desk, court, token, honest, reporter, stranger, refused
):
    desk.ask(honest)
    court.set_role(role("REQUESTS"), stranger)
    boa.env.time_travel(seconds=court.ROLE_CHANGE_DELAY())
    court.apply_role(role("REQUESTS"))
    with refused("roles: caller lacks the role"):
        desk.execute(honest)
    desk.take_back(honest)
    assert token.balanceOf(reporter) == PURSE


def test_from_a_court_that_can_not_slash_any_more(desk, staking, token, honest, reporter, refused):
    desk.ask(honest)
    staking.set_role(role("SLASHER"), "0x" + "00" * 20)
    boa.env.time_travel(seconds=staking.ROLE_CHANGE_DELAY())
    staking.apply_role(role("SLASHER"))
    with refused("roles: caller lacks the role"):
        desk.execute(honest)
    desk.take_back(honest)
    assert token.balanceOf(reporter) == PURSE


@pytest.mark.parametrize("left", [2 * LEAF_ANSWER_PERIOD, LEAF_ANSWER_PERIOD, 1])
def test_too_early(desk, honest, refused, left):
    desk.ask(honest)
    desk.wait(honest, LEAF_ANSWER_PERIOD - left)
    with refused("leaf_requests: too early to take the bond back"):
        desk.take_back(honest)


@pytest.mark.parametrize("caller", ["stranger", "deployer", "payout", "court"])
def test_of_somebody_else(desk, left_lying, request, refused, caller):
    account = request.getfixturevalue(caller)
    with refused("leaf_requests: caller is not the requester"):
        desk.take_back(left_lying, getattr(account, "address", account))


def test_twice(desk, left_lying, refused):
    desk.take_back(left_lying)
    with refused("leaf_requests: bond was taken back"):
        desk.take_back(left_lying)


@pytest.mark.parametrize("end", ["answer", "execute"])
def test_after_the_request_has_ended(desk, left_lying, refused, end):
    getattr(desk, end)(left_lying)
    with refused("leaf_requests: no such open request"):
        desk.take_back(left_lying)


def test_nobody_asked(desk, honest, refused):
    with refused("leaf_requests: no such open request"):
        desk.take_back(honest)
