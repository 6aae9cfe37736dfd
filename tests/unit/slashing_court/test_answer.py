"""The provider's word, in time."""

import boa
import pytest

from tests.unit.slashing_court.conftest import MISSED_CHALLENGE, only_log

ANSWER = b"\7" * 32


@pytest.fixture
def case(docket):
    return docket.accuse(MISSED_CHALLENGE)


def test_by_the_owner_or_the_operator(
    court, docket, case, provider_owner, operator, conserved, policy
):
    deadline = court.accusations(case).deadline
    other = docket.accuse(evidence=b"\1" * 32)
    for each, who in ((case, provider_owner), (other, operator)):
        with conserved():
            court.answer(each, ANSWER, sender=who.address)
            log = only_log(court, "Answered")
        assert (log.case_id, log.answer_hash, log.exited) == (each, ANSWER, False)
        assert court.accusations(each).answered
        assert court.accusations(each).deadline == deadline


def test_until_the_last_second(court, docket, case, operator, policy, refused):
    boa.env.time_travel(seconds=policy.answer_period - 1)
    with boa.env.anchor():
        court.answer(case, ANSWER, sender=operator.address)
    boa.env.time_travel(seconds=1)
    with refused("slashing_court: answer period is over"):
        court.answer(case, ANSWER, sender=operator.address)


def test_once(court, case, operator, provider_owner, refused):
    court.answer(case, ANSWER, sender=operator.address)
    with refused("slashing_court: answered before"):
        court.answer(case, ANSWER, sender=provider_owner.address)


def test_nobody_else(court, case, reporter, stranger, refused, providers, provider, provider_owner,
                     operator):  # fmt: skip
    providers.set_operator(provider, "0x" + "00" * 20, sender=provider_owner.address)
    for caller in (reporter, stranger, operator.address):
        with refused("slashing_court: caller is not the provider"):
            court.answer(case, ANSWER, sender=caller)


def test_no_case_and_no_case_any_more(court, docket, case, operator, refused):
    with refused("slashing_court: case waits for no verdict"):
        court.answer(b"\1" * 32, ANSWER, sender=operator.address)
    docket.rule(case)
    with refused("slashing_court: case waits for no verdict"):
        court.answer(case, ANSWER, sender=operator.address)
