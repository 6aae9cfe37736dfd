"""The committee's verdict: when it counts, and whose signatures."""

import boa
import pytest

from oracle.domain.messages import Report, Verdict
from tests.unit.conftest import UNIT, sign
from tests.unit.slashing_court.conftest import FRAUD, RULED, only_log

MAX_LOSS = 2**96 - 1


@pytest.fixture
def case(docket):
    return docket.accuse()


@pytest.mark.parametrize(("guilty", "loss"), [(True, 0), (True, MAX_LOSS), (False, 0), (False, 7)])
def test_enters_the_verdict(court, docket, case, policy, conserved, guilty, loss):
    docket.wait_until_deadline(case)
    with conserved():
        court.rule(case, guilty, loss, docket.signatures(case, guilty, loss))
        log = only_log(court, "Ruled")
    appeal_until = boa.env.evm.patch.timestamp + policy.appeal_period
    assert (log.case_id, log.guilty, log.loss) == (case, guilty, loss)
    assert (log.signers, log.appeal_until) == (0b11111, appeal_until)
    found = court.accusations(case)
    assert (found.stage, found.guilty, found.loss) == (RULED, guilty, loss)
    assert found.deadline == appeal_until


def test_moves_no_money_and_holds_the_stake(court, docket, case, staking, provider, token):
    held = staking.held_by_cases(provider)
    docket.rule(case)
    assert staking.held_by_cases(provider) == held
    assert token.balanceOf(court) == docket.policy.accusation_bond


def test_at_once_after_an_answer(court, docket, case, operator):
    court.answer(case, b"\7" * 32, sender=operator.address)
    court.rule(case, True, 0, docket.signatures(case))
    assert docket.stage(case) == RULED


def test_not_while_the_provider_may_answer(court, docket, case, policy, refused):
    boa.env.time_travel(seconds=policy.answer_period - 1)
    with refused("slashing_court: provider may still answer"):
        court.rule(case, True, 0, docket.signatures(case))
    boa.env.time_travel(seconds=1)
    court.rule(case, True, 0, docket.signatures(case))


@pytest.mark.parametrize("answered", [False, True])
def test_not_after_the_verdict_period(court, docket, case, operator, policy, refused, answered):
    if answered:
        court.answer(case, b"\7" * 32, sender=operator.address)
    docket.wait_until_deadline(case, policy.verdict_period - 1)
    with boa.env.anchor():
        court.rule(case, True, 0, docket.signatures(case))
    boa.env.time_travel(seconds=1)
    with refused("slashing_court: verdict period is over"):
        court.rule(case, True, 0, docket.signatures(case))


def test_once(court, docket, case, refused):
    docket.rule(case)
    for guilty in (True, False):
        with refused("slashing_court: case waits for no verdict"):
            court.rule(case, guilty, 0, docket.signatures(case, guilty))


def test_no_such_case(court, docket, case, refused):
    unknown = b"\1" * 32
    with refused("slashing_court: case waits for no verdict"):
        court.rule(unknown, True, 0, docket.signatures(unknown))


def test_signatures_of_another_verdict(court, docket, case, committee_signs, committee, refused):
    docket.wait_until_deadline(case)
    other = docket.accuse(evidence=b"\1" * 32)
    payload = Verdict(case, True, 1).struct_hash()
    for signatures in (
        docket.signatures(case, False, 1),
        docket.signatures(case, True, 2),
        docket.signatures(other, True, 1),
        committee_signs(court, other, 0, payload),
        committee_signs(court, case, 1, payload),
        committee_signs(committee, case, 0, payload),
    ):
        # a signature over something else recovers to some key, in no order
        with boa.reverts():
            court.rule(case, True, 1, signatures)
    assert docket.stage(case) != RULED
    court.rule(case, True, 1, committee_signs(court, case, 0, payload))


def test_signatures_of_others(court, docket, case, oracles, provider_owner, refused):
    docket.wait_until_deadline(case)
    with refused("oracle_committee: wrong signature count"):
        court.rule(case, True, 0, docket.signatures(case, signers=oracles[:4]))
    mixed = sorted([*oracles[:4], provider_owner], key=lambda key: int(key.address, 16))
    with refused("oracle_committee: unknown signer"):
        court.rule(case, True, 0, docket.signatures(case, signers=mixed))


def test_a_committee_that_was_replaced(court, docket, case, committee, oracles, refused):
    docket.wait_until_deadline(case)
    old = docket.signatures(case)
    committee.configure([o.address for o in oracles], 4, 2)
    with refused("oracle_committee: wrong signature count"):
        court.rule(case, True, 0, old)
    court.rule(case, True, 0, docket.signatures(case, signers=oracles[:4]))


def test_two_verdicts_of_one_member_are_an_equivocation(
    court, docket, case, committee, oracles, domain_of, reporter
):
    config = committee.config_digest()
    verdicts = [Verdict(case, guilty, 0).struct_hash() for guilty in (True, False)]
    signed = []
    for payload in verdicts:
        report = Report(config, str(court.address), case, 0, payload)
        signed += [payload, sign(oracles[0], report, domain_of(committee))]
    committee.prove_equivocation(config, court, case, 0, *signed, sender=reporter)
    assert committee.retired(oracles[0].address)


def test_the_payload_is_the_message(court, case):
    for guilty, loss in ((True, 5 * UNIT), (False, 0), (True, MAX_LOSS)):
        assert court.verdict_hash(case, guilty, loss) == Verdict(case, guilty, loss).struct_hash()


def test_the_case_binds_what_was_accused(docket, provider, other_provider, job, victim):
    """A reorganisation can't put another accusation under a signed verdict."""
    cases = [
        docket.accuse(),
        docket.accuse(kind=FRAUD - 1),
        docket.accuse(job=job),
        docket.accuse(evidence=b"\1" * 32),
        docket.accuse(accuser=victim),
        docket.accuse(provider=other_provider),
    ]
    assert len(set(cases)) == len(cases)
