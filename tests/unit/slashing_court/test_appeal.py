"""Whoever lost calls the arbiter, with a bond."""

import boa
import pytest

from tests.unit.slashing_court.conftest import APPEALED


@pytest.fixture
def case(docket):
    return docket.accuse()


@pytest.mark.parametrize("key", ["provider_owner", "operator"])
def test_by_the_provider_against_guilty(court, docket, case, policy, token, request, key):
    appellant = request.getfixturevalue(key).address
    docket.rule(case, True, 5)
    docket.appeal(case, appellant)
    log = docket.log
    decide_until = boa.env.evm.patch.timestamp + policy.arbiter_period
    assert (log.case_id, log.appellant, log.decide_until) == (case, appellant, decide_until)
    found = court.accusations(case)
    assert (found.stage, found.appellant, found.deadline) == (APPEALED, appellant, decide_until)
    assert (found.guilty, found.loss) == (True, 5)
    assert token.balanceOf(court) == policy.accusation_bond + policy.appeal_bond


def test_by_the_accuser_against_not_guilty(court, docket, case, reporter):
    docket.rule(case, False)
    docket.appeal(case, reporter)
    assert court.accusations(case).appellant == reporter


def test_not_by_who_won_or_has_no_part(
    court, docket, case, operator, reporter, stranger, victim, refused
):
    other = docket.accuse(evidence=b"\1" * 32)
    docket.rule(case, True)
    docket.rule(other, False)
    for caller in (reporter, stranger, victim):
        docket.fund(caller, docket.policy.appeal_bond)
        with refused("slashing_court: caller is not the provider"):
            court.appeal(case, sender=caller)
    for caller in (operator.address, stranger, victim):
        with refused("slashing_court: caller is not the accuser"):
            court.appeal(other, sender=caller)


def test_until_the_last_second(court, docket, case, policy, operator, refused):
    docket.rule(case)
    docket.fund(operator.address, policy.appeal_bond)
    boa.env.time_travel(seconds=policy.appeal_period - 1)
    with boa.env.anchor():
        court.appeal(case, sender=operator.address)
    boa.env.time_travel(seconds=1)
    with refused("slashing_court: appeal period is over"):
        court.appeal(case, sender=operator.address)


def test_without_the_bond(court, docket, case, token, operator, refused):
    docket.rule(case)
    token.approve(court, 2**256 - 1, sender=operator.address)
    with refused("erc20: transfer amount exceeds balance"):
        court.appeal(case, sender=operator.address)


def test_a_verdict_once(court, docket, case, operator, provider_owner, refused):
    docket.rule(case)
    docket.appeal(case, operator.address)
    with refused("slashing_court: no verdict to appeal"):
        court.appeal(case, sender=provider_owner.address)


def test_no_verdict_no_appeal(court, docket, case, operator, refused):
    for unruled in (case, b"\1" * 32):
        with refused("slashing_court: no verdict to appeal"):
            court.appeal(unruled, sender=operator.address)


def test_not_after_the_execution(court, docket, case, operator, refused):
    docket.rule(case)
    docket.wait_until_deadline(case)
    court.execute(case)
    with refused("slashing_court: no verdict to appeal"):
        court.appeal(case, sender=operator.address)
