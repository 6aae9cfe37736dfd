"""The arbiter's word is the last."""

import boa
import pytest

from tests.unit.conftest import ROLE_DELAY, role
from tests.unit.slashing_court.conftest import CLOSED, DECIDED, only_log


@pytest.fixture
def appealed(docket, operator, reporter):
    """A case in which the verdict was `guilty`, appealed by whoever lost."""

    def _appealed(guilty, loss=0):
        case = docket.accuse()
        docket.rule(case, guilty, loss)
        docket.appeal(case, operator.address if guilty else reporter)
        return case

    return _appealed


@pytest.mark.parametrize("ruled", [True, False])
@pytest.mark.parametrize("decided", [True, False])
def test_the_appeal_bond_follows_the_decision(
    court, docket, token, appealed, arbiter, operator, reporter, policy, conserved, ruled, decided
):
    case = appealed(ruled, 3)
    appellant = operator.address if ruled else reporter
    before, supply = token.balanceOf(appellant), token.totalSupply()
    with conserved():
        court.decide(case, decided, 5, sender=arbiter.address)
        log = only_log(court, "Decided")
    returned = policy.appeal_bond if ruled != decided else 0
    assert token.balanceOf(appellant) == before + returned
    assert token.totalSupply() == supply - (policy.appeal_bond - returned)
    assert token.balanceOf(court) == policy.accusation_bond
    assert (log.case_id, log.guilty, log.loss) == (case, decided, 5)
    found = court.accusations(case)
    assert (found.stage, found.deadline, found.guilty, found.loss) == (DECIDED, 0, decided, 5)


def test_can_be_executed_at_once(court, docket, appealed, arbiter, staking, provider):
    case = appealed(True)
    court.decide(case, False, 0, sender=arbiter.address)
    court.execute(case)
    assert docket.stage(case) == CLOSED
    assert not staking.is_jailed(provider)


def test_nobody_else(court, appealed, operator, reporter, deployer, refused):
    case = appealed(True)
    for caller in (operator.address, reporter, deployer):
        with refused("roles: caller lacks the role"):
            court.decide(case, True, 0, sender=caller)


def test_until_the_last_second(court, docket, appealed, arbiter, policy, refused):
    case = appealed(True)
    boa.env.time_travel(seconds=policy.arbiter_period - 1)
    with boa.env.anchor():
        court.decide(case, False, 0, sender=arbiter.address)
    boa.env.time_travel(seconds=1)
    with refused("slashing_court: arbiter period is over"):
        court.decide(case, False, 0, sender=arbiter.address)


def test_only_appeals_and_each_once(court, docket, appealed, arbiter, refused):
    unruled = docket.accuse(evidence=b"\1" * 32)
    ruled = docket.accuse(evidence=b"\2" * 32)
    docket.rule(ruled)
    decided = appealed(True)
    court.decide(decided, True, 0, sender=arbiter.address)
    for case in (unruled, ruled, decided, b"\3" * 32):
        with refused("slashing_court: no appeal to decide"):
            court.decide(case, False, 0, sender=arbiter.address)
    court.execute(decided)
    with refused("slashing_court: no appeal to decide"):
        court.decide(decided, False, 0, sender=arbiter.address)


def test_a_new_arbiter_waits_longer_than_a_case_lasts(
    court, docket, appealed, arbiter, stranger, policy, refused
):
    court.set_role(role("ARBITER"), stranger)
    case = appealed(True)
    with refused("roles: change not ready"):
        court.apply_role(role("ARBITER"))
    docket.wait_until_deadline(case, -1)
    court.decide(case, False, 0, sender=arbiter.address)
    boa.env.time_travel(seconds=ROLE_DELAY)
    court.apply_role(role("ARBITER"))
    assert court.role_holder(role("ARBITER")) == stranger


def test_only_the_owner_names_the_arbiter(court, stranger, arbiter, refused):
    for caller in (stranger, arbiter.address):
        with refused("ownable: caller is not the owner"):
            court.set_role(role("ARBITER"), caller, sender=caller)
