"""A committee that says nothing."""

import boa
import pytest

from tests.unit.slashing_court.conftest import CLOSED, only_log


@pytest.fixture
def case(docket):
    return docket.accuse()


@pytest.mark.parametrize("answered", [False, True])
def test_everybody_goes_home(
    court, docket, case, token, staking, provider, operator, reporter, stranger, policy, conserved,
    answered,
):  # fmt: skip
    if answered:
        court.answer(case, b"\7" * 32, sender=operator.address)
    docket.wait_until_deadline(case, policy.verdict_period)
    supply, slashable = token.totalSupply(), staking.slashable(provider)
    with conserved():
        court.draw(case, sender=stranger)
        log = only_log(court, "Drawn")
    assert (log.case_id, log.provider) == (case, provider)
    assert docket.stage(case) == CLOSED
    assert token.balanceOf(reporter) == policy.accusation_bond
    assert token.totalSupply() == supply
    assert staking.slashable(provider) == slashable
    assert staking.held_by_cases(provider)[0] == 0
    assert not staking.is_jailed(provider)


def test_not_before_the_verdict_period_is_over(court, docket, case, policy, refused):
    docket.wait_until_deadline(case, policy.verdict_period - 1)
    with refused("slashing_court: committee may still rule"):
        court.draw(case)
    boa.env.time_travel(seconds=1)
    court.draw(case)


def test_once_and_nothing_follows(court, docket, case, policy, operator, refused):
    docket.wait_until_deadline(case, policy.verdict_period)
    court.draw(case)
    with refused("slashing_court: case waits for no verdict"):
        court.draw(case)
    with refused("slashing_court: case waits for no verdict"):
        court.rule(case, True, 0, docket.signatures(case))
    with refused("slashing_court: no verdict to appeal"):
        court.appeal(case, sender=operator.address)
    with refused("slashing_court: no verdict to execute"):
        court.execute(case)


def test_not_after_a_verdict(court, docket, case, policy, refused):
    docket.rule(case)
    boa.env.time_travel(seconds=30 * 86_400)
    with refused("slashing_court: case waits for no verdict"):
        court.draw(case)


def test_no_such_case(court, case, refused):
    with refused("slashing_court: case waits for no verdict"):
        court.draw(b"\1" * 32)
