"""A final verdict: who is paid, what is burnt, and that nothing can stop it or repeat it."""

import boa
import pytest

from tests.unit.conftest import DAY, UNIT, load
from tests.unit.market import load_odd
from tests.unit.slashing_court.conftest import (
    CLASS,
    CLOSED,
    COLLATERAL,
    COMPENSATION,
    DELEGATED,
    DEPOSIT,
    DOWNTIME,
    FRAUD,
    MISSED_CHALLENGE,
    SELF_BOND,
    SLASHABLE,
    only_log,
)

PENALTY = SLASHABLE * 3 // 10
MAX_LOSS = 2**96 - 1
ANSWER = b"\7" * 32


# --- guilty -------------------------------------------------------------------------------


def test_victim_first_reporter_next_rest_burnt(
    court, docket, token, staking, escrow, jobs, job, provider, victim, reporter, stranger, policy,
    conserved,
):  # fmt: skip
    loss = 20 * UNIT
    case = docket.convicted(FRAUD, job, loss)
    supply = token.totalSupply()
    with conserved():
        court.execute(case, sender=stranger)
        log = only_log(court, "Convicted")
    owed = COMPENSATION + loss
    reward = (PENALTY - owed) // 10
    assert token.balanceOf(victim) == DEPOSIT + owed
    assert token.balanceOf(reporter) == policy.accusation_bond + reward
    assert token.balanceOf(stranger) == 0
    assert supply - token.totalSupply() == PENALTY - owed - reward
    assert staking.slashable(provider) == SLASHABLE - PENALTY
    assert staking.held_by_cases(provider)[0] == 0
    assert staking.jailed_until(provider) == boa.env.evm.patch.timestamp + 30 * DAY
    assert jobs.job_info(job).status == 10
    assert docket.stage(case) == CLOSED
    assert (log.case_id, log.provider, log.reporter) == (case, provider, reporter)
    assert (log.kind, log.job, log.slashed, log.vesting_seized) == (FRAUD, job, PENALTY, 0)
    assert (log.victim, log.victim_amount, log.refunded) == (victim, owed, DEPOSIT)
    assert (log.reporter_amount, log.burnt) == (reward, PENALTY - owed - reward)


@pytest.mark.parametrize(
    ("kind", "bps"), [(MISSED_CHALLENGE, 100), (DOWNTIME, 500), (FRAUD, 3_000)]
)
def test_each_kind_has_its_share(court, docket, staking, provider, kind, bps):
    court.execute(docket.convicted(kind))
    assert SLASHABLE - staking.slashable(provider) == SLASHABLE * bps // 10_000


def test_without_a_job_a_loss_has_nobody_to_go_to(court, docket, token, reporter, victim, policy):
    court.execute(docket.convicted(FRAUD, 0, MAX_LOSS))
    assert token.balanceOf(victim) == 0
    assert token.balanceOf(reporter) == policy.accusation_bond + PENALTY // 10


@pytest.mark.parametrize(
    ("loss", "owed"),
    [
        (0, COMPENSATION),
        (1, COMPENSATION + 1),
        (PENALTY - COMPENSATION, PENALTY),
        (PENALTY - COMPENSATION + 1, PENALTY),
        (MAX_LOSS, PENALTY),
    ],
)
def test_the_victim_gets_its_loss_up_to_the_penalty(
    court, docket, token, staking, provider, job, victim, reporter, policy, loss, owed
):
    court.execute(docket.convicted(FRAUD, job, loss))
    assert token.balanceOf(victim) == DEPOSIT + owed
    assert token.balanceOf(reporter) == policy.accusation_bond + (PENALTY - owed) // 10
    assert SLASHABLE - staking.slashable(provider) == PENALTY


@pytest.mark.parametrize("signed_bps", [0, 1, 999, 1_000, 10_000])
def test_the_accuser_gets_no_more_than_the_provider_signed(
    court, docket, token, register, oracles, reporter, policy, signed_bps
):
    provider = register(oracles[2], oracles[3].address, signed_bps)
    court.execute(docket.convicted(FRAUD, provider=provider))
    reward = SELF_BOND * 3 // 10 * min(1_000, signed_bps) // 10_000
    assert token.balanceOf(reporter) == policy.accusation_bond + reward


def test_a_case_takes_what_is_left(
    court, docket, token, staking, provider, provider_owner, delegator, victim, job, conserved
):
    """Stake that another conviction took is gone: the victim gets the rest of it first."""
    case = docket.convicted(FRAUD, job, MAX_LOSS)
    rest = 100 * UNIT
    order = (SLASHABLE - rest, "0x" + "00" * 20, 0, "0x" + "00" * 20, 0)
    staking.slash(provider, order, sender=court.address)
    with conserved():
        court.execute(case)
    assert token.balanceOf(victim) == DEPOSIT + rest
    assert staking.slashable(provider) == 0


def test_nothing_left_is_no_failure(court, docket, token, staking, provider, conserved):
    case = docket.convicted()
    order = (SLASHABLE, "0x" + "00" * 20, 0, "0x" + "00" * 20, 0)
    staking.slash(provider, order, sender=court.address)
    with conserved():
        court.execute(case)
        log = only_log(court, "Convicted")
    assert (log.slashed, log.reporter_amount, log.burnt) == (0, 0, 0)
    assert staking.is_jailed(provider)


# --- what vests is collateral -------------------------------------------------------------


def test_unvested_rewards_stay_where_stake_pays(court, docket, distributor, vesting, provider):
    case = docket.convicted()
    unvested = distributor.unvested(provider)
    court.execute(case)
    assert distributor.unvested(provider) == unvested != 0


def test_unvested_rewards_pay_what_stake_can_not(
    court, docket, token, distributor, staking, vesting, provider, job, victim, conserved
):
    """The victim first, then the penalty; the rest goes on vesting."""
    case = docket.convicted(FRAUD, job)
    snapshot, unvested = court.accusations(case).snapshot, distributor.unvested(provider)
    order = (staking.slashable(provider), "0x" + "00" * 20, 0, "0x" + "00" * 20, 0)
    staking.slash(provider, order, sender=court.address)
    with conserved():
        court.execute(case)
        log = only_log(court, "Convicted")
    penalty = -(-snapshot * 3 // 10)
    seized = min(penalty, unvested)
    paid = min(COMPENSATION, seized)
    assert (log.slashed, log.vesting_seized, log.victim_amount) == (0, seized, paid)
    assert (log.reporter_amount, log.burnt) == (0, seized - paid)
    assert token.balanceOf(victim) == DEPOSIT + paid
    assert distributor.unvested(provider) == unvested - seized


# --- jobs ---------------------------------------------------------------------------------


def test_a_job_in_another_asset(
    court, docket, token, staking, escrow, bonds, jobs, device, device_class, provider, operator,
    customer, conserved,
):  # fmt: skip
    """The refund is in the job's asset, the loss and the compensation in stake."""
    dollar = load("WorkToken", "Dollar", "USD", 2**95, [(boa.env.eoa, 2**95)], DAY)
    dollar.approve(escrow, 2**256 - 1)
    escrow.list_asset(dollar)
    sla = bonds.add_sla(COLLATERAL, 5_000, 0, 0)
    dollar.transfer(customer.address, DEPOSIT)
    with boa.env.prank(customer.address):
        dollar.approve(escrow, DEPOSIT)
        job = escrow.open_job(provider, dollar, 1, device_class, UNIT, DEPOSIT, sla, b"\1" * 32)
    jobs.accept(job, sender=operator.address)
    case = docket.convicted(FRAUD, job, 5)
    with conserved():
        court.execute(case)
        log = only_log(court, "Convicted")
    assert (log.refunded, log.victim_amount) == (DEPOSIT, COMPENSATION + 5)
    assert dollar.balanceOf(customer.address) == DEPOSIT
    assert token.balanceOf(customer.address) == COMPENSATION + 5


@pytest.mark.parametrize("turn", ["set_greedy", "set_loud", "set_paused", "set_says_no"])
def test_no_token_stops_a_sentence(
    court, docket, token, staking, escrow, bonds, jobs, device, device_class, provider, operator,
    customer, conserved, turn,
):  # fmt: skip
    """Whatever the job's own token does when it is refunded, within the gas of a transaction."""
    turncoat = load_odd("plain_token", 2**96, 18)
    turncoat.approve(escrow, 2**256 - 1)
    escrow.list_asset(turncoat)
    sla = bonds.add_sla(COLLATERAL, 5_000, 0, 0)
    turncoat.transfer(customer.address, DEPOSIT)
    with boa.env.prank(customer.address):
        turncoat.approve(escrow, DEPOSIT)
        job = escrow.open_job(provider, turncoat, 1, device_class, UNIT, DEPOSIT, sla, b"\1" * 32)
    jobs.accept(job, sender=operator.address)
    case = docket.convicted(FRAUD, job, 5)
    getattr(turncoat, turn)(True)
    with conserved():
        court.execute(case, gas=2**24)
        log = only_log(court, "Convicted")
    assert (log.refunded, log.victim_amount) == (DEPOSIT, COMPENSATION + 5)
    assert staking.is_jailed(provider)
    assert escrow.owed_refund(customer.address, turncoat) == DEPOSIT


def test_a_job_that_has_ended_meanwhile(
    court, docket, token, escrow, jobs, staking, job, provider, victim, operator, conserved
):
    """It was settled by its own rules; what the verdict says was lost is still owed."""
    case = docket.convicted(DOWNTIME, job, 5)
    jobs.request_reclaim(job, sender=victim)
    boa.env.time_travel(seconds=2 * DAY)
    jobs.reclaim(job)
    before = token.balanceOf(victim)
    with conserved():
        court.execute(case)
        log = only_log(court, "Convicted")
    assert (log.refunded, log.victim_amount) == (0, 5)
    assert token.balanceOf(victim) == before + 5
    assert SLASHABLE - staking.slashable(provider) == SLASHABLE // 20


def test_a_job_that_another_case_has_ended(court, docket, token, job, victim):
    first, second = (docket.accuse(FRAUD, job, bytes([n]) * 32) for n in (1, 2))
    docket.rule(first, True, 7)
    docket.rule(second, True, 5)
    docket.wait_until_deadline(second)
    court.execute(first)
    court.execute(second)
    assert token.balanceOf(victim) == DEPOSIT + COMPENSATION + 7 + 5


def test_other_jobs_of_the_provider_run_on(court, docket, escrow, jobs, open_job, victim, refused):
    """An accusation is about the job it names."""
    named, other = open_job(), open_job()
    case = docket.convicted(FRAUD, named)
    court.execute(case)
    assert jobs.job_info(other).status == 2
    with refused("slashing_court: no such case"):
        court.compensate(case, other, sender=victim)


def test_devices_are_not_struck(court, docket, registry, device, provider):
    before = registry.capacity(provider, CLASS)
    court.execute(docket.convicted())
    assert registry.capacity(provider, CLASS) == before


# --- not guilty ---------------------------------------------------------------------------


def test_the_bond_of_a_false_accuser_is_burnt(
    court, docket, token, staking, provider, job, escrow, jobs, reporter, operator, deployer,
    stranger, policy, conserved,
):  # fmt: skip
    case = docket.accuse(FRAUD, job)
    docket.rule(case, False)
    docket.wait_until_deadline(case)
    supply = token.totalSupply()
    accounts = [reporter, operator.address, deployer, stranger]
    before = [token.balanceOf(account) for account in accounts]
    with conserved():
        court.execute(case, sender=stranger)
        log = only_log(court, "Acquitted")
    assert (log.case_id, log.provider, log.burnt) == (case, provider, policy.accusation_bond)
    assert token.totalSupply() == supply - policy.accusation_bond
    assert [token.balanceOf(account) for account in accounts] == before
    assert staking.slashable(provider) == SLASHABLE
    assert staking.held_by_cases(provider)[0] == 0
    assert not staking.is_jailed(provider)
    assert jobs.job_info(job).status == 2
    assert docket.stage(case) == CLOSED


# --- when ---------------------------------------------------------------------------------


def test_not_while_it_can_be_appealed(court, docket, policy, refused):
    case = docket.accuse()
    docket.rule(case)
    boa.env.time_travel(seconds=policy.appeal_period - 1)
    with refused("slashing_court: verdict is not final"):
        court.execute(case)
    boa.env.time_travel(seconds=1)
    court.execute(case)


@pytest.mark.parametrize("guilty", [True, False])
def test_a_silent_arbiter_lets_the_verdict_stand(
    court, docket, token, staking, provider, operator, reporter, policy, conserved, refused, guilty
):
    case = docket.accuse()
    docket.rule(case, guilty)
    appellant = operator.address if guilty else reporter
    docket.appeal(case, appellant)
    docket.wait_until_deadline(case, -1)
    with refused("slashing_court: verdict is not final"):
        court.execute(case)
    boa.env.time_travel(seconds=1)
    before = token.balanceOf(operator.address)
    with conserved():
        court.execute(case)
    assert staking.is_jailed(provider) == guilty
    returned = token.balanceOf(operator.address) - before
    assert returned == (policy.appeal_bond if guilty else 0)
    reward = PENALTY // 10
    assert token.balanceOf(reporter) == (
        policy.accusation_bond + reward if guilty else policy.appeal_bond
    )


@pytest.mark.parametrize("ruled", [True, False])
@pytest.mark.parametrize("decided", [True, False])
def test_the_arbiter_has_the_last_word(
    court, docket, token, staking, provider, job, victim, operator, reporter, arbiter, conserved,
    ruled, decided,
):  # fmt: skip
    case = docket.accuse(FRAUD, job)
    docket.rule(case, ruled, 1)
    docket.appeal(case, operator.address if ruled else reporter)
    court.decide(case, decided, 9, sender=arbiter.address)
    with conserved():
        court.execute(case)
    assert staking.is_jailed(provider) == decided
    assert token.balanceOf(victim) == (DEPOSIT + COMPENSATION + 9 if decided else 0)


def test_once(court, docket, refused):
    for number, guilty in enumerate((True, False)):
        case = docket.accuse(evidence=bytes([number]) * 32)
        docket.rule(case, guilty)
        docket.wait_until_deadline(case)
        court.execute(case)
        with refused("slashing_court: no verdict to execute"):
            court.execute(case)


def test_no_verdict_no_execution(court, docket, refused):
    case = docket.accuse()
    for unruled in (case, b"\3" * 32):
        with refused("slashing_court: no verdict to execute"):
            court.execute(unruled)


# --- leaving ------------------------------------------------------------------------------


@pytest.fixture
def leave(staking, provider, provider_owner):
    """The provider's owner begins to take self-bond out."""

    def _leave(tokens=100 * UNIT):
        staking.unbond(provider, tokens, sender=provider_owner.address)

    return _leave


def taken(court, docket, staking, provider, case):
    docket.rule(case)
    docket.wait_until_deadline(case)
    before = staking.slashable(provider)
    court.execute(case)
    return before - staking.slashable(provider)


@pytest.mark.parametrize("later", [0, 1, DAY])
@pytest.mark.parametrize("then_answer", [True, False])
def test_leaving_an_unanswered_accusation_costs_a_twentieth_more(
    court, docket, staking, provider, operator, leave, later, then_answer
):
    case = docket.accuse()
    boa.env.time_travel(seconds=later)
    leave()
    if then_answer:
        court.answer(case, ANSWER, sender=operator.address)
    assert taken(court, docket, staking, provider, case) == PENALTY * 105 // 100


def test_leaving_after_the_answer_costs_nothing_more(
    court, docket, staking, provider, operator, leave
):
    case = docket.accuse()
    court.answer(case, ANSWER, sender=operator.address)
    leave()
    assert taken(court, docket, staking, provider, case) == PENALTY


def test_leaving_before_the_accusation_costs_nothing_more(court, docket, staking, provider, leave):
    """Also while another case was open, which it does concern."""
    earlier = docket.accuse(MISSED_CHALLENGE)
    leave()
    boa.env.time_travel(seconds=1)
    case = docket.accuse()
    assert taken(court, docket, staking, provider, case) == PENALTY
    assert taken(court, docket, staking, provider, earlier) > SLASHABLE // 100


def test_leaving_an_unanswered_case_after_the_verdict_counts(
    court, docket, staking, provider, leave
):
    case = docket.accuse()
    docket.rule(case)
    leave()
    docket.wait_until_deadline(case)
    court.execute(case)
    assert SLASHABLE - staking.slashable(provider) == PENALTY * 105 // 100


def test_delegators_that_leave_are_not_the_provider(court, docket, staking, provider, delegator):
    case = docket.accuse()
    staking.undelegate(
        provider, staking.delegation(provider, delegator.address)[0], sender=delegator.address
    )
    assert taken(court, docket, staking, provider, case) == PENALTY
    assert staking.delegation_pool(provider).unbonding == DELEGATED


# --- several at once ----------------------------------------------------------------------


def test_cases_of_one_provider_are_independent(
    court, docket, staking, token, provider, operator, reporter, victim, policy, conserved
):
    guilty = docket.accuse(FRAUD)
    innocent = docket.accuse(DOWNTIME, evidence=b"\1" * 32, accuser=victim)
    forgotten = docket.accuse(MISSED_CHALLENGE, evidence=b"\2" * 32)
    held = (30 + 5 + 1) * SLASHABLE // 100 * 105 // 100
    assert staking.held_by_cases(provider)[0] == held
    court.answer(innocent, ANSWER, sender=operator.address)
    docket.rule(innocent, False)
    docket.rule(guilty, True)
    docket.wait_until_deadline(guilty)
    with conserved():
        court.execute(guilty)
    assert staking.slashable(provider) == SLASHABLE - PENALTY
    assert staking.held_by_cases(provider)[0] == held - PENALTY * 105 // 100
    with conserved():
        court.execute(innocent)
    docket.wait_until_deadline(forgotten, policy.verdict_period)
    with conserved():
        court.draw(forgotten)
    assert staking.held_by_cases(provider)[0] == 0
    assert staking.slashable(provider) == SLASHABLE - PENALTY
    assert token.balanceOf(reporter) == 2 * policy.accusation_bond + PENALTY // 10
    assert token.balanceOf(victim) == 0


def test_cases_that_hold_more_than_there_is(court, docket, staking, provider, conserved):
    """Each takes its share of what it saw, until nothing is left."""
    cases = [docket.accuse(FRAUD, evidence=bytes([n]) * 32) for n in range(4)]
    assert staking.held_by_cases(provider)[0] > SLASHABLE
    for case in cases:
        docket.rule(case)
    for case in cases:
        docket.wait_until_deadline(case)
        with conserved():
            court.execute(case)
        boa.env.time_travel(seconds=3 * DAY)
    assert staking.slashable(provider) == 0
    assert staking.held_by_cases(provider)[0] == 0
