"""Customers of a convicted provider that the reporter did not name."""

import boa
import pytest

from tests.unit.conftest import DAY, UNIT
from tests.unit.slashing_court.conftest import COMPENSATION, DEPOSIT, SLASHABLE

PENALTY = SLASHABLE // 2


@pytest.fixture
def second_job(open_job):
    return open_job()


@pytest.fixture
def convicted(court, proof, job, second_job, case_id, reporter):
    """Convicted for the first job; the second still runs."""
    court.convict_attestation(proof.struct, job, sender=reporter)
    return case_id


def test_refunds_and_compensates(
    court, token, escrow, jobs, staking, convicted, second_job, provider, victim, conserved
):
    before = token.balanceOf(victim)
    supply = token.totalSupply()
    with conserved():
        assert court.compensate(convicted, second_job, sender=victim) == COMPENSATION
    assert token.balanceOf(victim) == before + DEPOSIT + COMPENSATION
    assert token.totalSupply() == supply
    assert staking.slashable(provider) == SLASHABLE - PENALTY - COMPENSATION
    assert jobs.job_info(second_job).status == 10


def test_logs_and_adds_to_the_case(court, convicted, second_job, victim):
    court.compensate(convicted, second_job, sender=victim)
    (log,) = [e for e in court.get_logs() if type(e).__name__ == "Compensated"]
    assert (log.case_id, log.job, log.customer) == (convicted, second_job, victim)
    assert (log.victim_amount, log.refunded) == (COMPENSATION, DEPOSIT)
    assert court.cases(convicted).slashed == PENALTY + COMPENSATION


def test_pays_what_is_left(court, token, staking, proof, prove, false_chain, open_job, case_id,
                           provider, victim):  # fmt: skip
    job = open_job(collateral=900 * UNIT, compensation_bps=10_000)
    court.convict_attestation(proof.struct, 0)
    left = staking.slashable(provider)
    assert left < 900 * UNIT
    assert court.compensate(case_id, job, sender=victim) == left
    assert token.balanceOf(victim) == DEPOSIT + left
    assert staking.slashable(provider) == 0


@pytest.fixture
def outlived_jail(court, proof, open_job):
    """A job whose compensation is more than a conviction left, when its term in jail is over."""
    job = open_job(collateral=900 * UNIT, compensation_bps=10_000)
    court.convict_attestation(proof.struct, 0)
    boa.env.time_travel(seconds=court.POLICY().jail_seconds)
    return job


def test_what_has_vested_since_the_conviction_pays_the_rest(
    court, token, staking, case_id, provider, victim, outlived_jail, vesting
):
    left = staking.slashable(provider)
    paid = left + min(vesting, 900 * UNIT - left)
    assert court.compensate(case_id, outlived_jail, sender=victim) == paid > left
    (log,) = [e for e in court.get_logs() if type(e).__name__ == "Compensated"]
    assert log.victim_amount == paid
    assert token.balanceOf(victim) == DEPOSIT + paid


def test_without_a_service_level_only_refunds(
    court, token, staking, proof, open_job, case_id, provider, victim
):
    job = open_job(collateral=0, compensation_bps=0)
    court.convict_attestation(proof.struct, 0)
    assert court.compensate(case_id, job, sender=victim) == 0
    assert token.balanceOf(victim) == DEPOSIT
    assert staking.slashable(provider) == SLASHABLE - PENALTY


def test_a_job_is_compensated_once(court, convicted, job, second_job, victim, refused):
    court.compensate(convicted, second_job, sender=victim)
    for over in (job, second_job):
        with refused("job_registry: job is not active"):
            court.compensate(convicted, over, sender=victim)


def test_only_its_customer(court, convicted, second_job, reporter, stranger, operator, refused):
    for caller in (reporter, stranger, operator.address):
        with refused("slashing_court: caller is not the customer"):
            court.compensate(convicted, second_job, sender=caller)


def test_unknown_case(court, job, victim, case_id, refused):
    with refused("slashing_court: no such case"):
        court.compensate(case_id, job, sender=victim)


def test_job_of_another_provider(
    court,
    prove,
    false_chain,
    job,
    other_provider,
    oracles,
    victim,
    refused,
):
    proof = prove(false_chain, signer=oracles[1], provider=other_provider)
    case_id = court.convict_attestation(proof.struct, 0)
    with refused("job_registry: wrong provider"):
        court.compensate(case_id, job, sender=victim)


def test_job_accepted_after_the_conviction(
    court, jobs, open_job, proof, case_id, operator, victim, refused
):
    """An old case is no lever against jobs of a provider that is back from jail."""
    waiting = open_job(accept=False)
    court.convict_attestation(proof.struct, 0)
    boa.env.time_travel(seconds=30 * DAY)
    jobs.accept(waiting, sender=operator.address)
    with refused("slashing_court: job accepted later"):
        court.compensate(case_id, waiting, sender=victim)


def test_job_that_nobody_accepted(court, open_job, proof, case_id, victim, refused):
    waiting = open_job(accept=False)
    court.convict_attestation(proof.struct, 0)
    with refused("job_registry: job is not active"):
        court.compensate(case_id, waiting, sender=victim)
