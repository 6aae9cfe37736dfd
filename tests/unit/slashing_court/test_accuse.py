"""A bond opens a case, and the stake that it is about stays."""

from dataclasses import astuple

import boa
import pytest
from eth_abi import encode

from oracle.domain.hashing import keccak
from tests.unit.conftest import DAY, ROLE_DELAY, UNBONDING_PERIOD, UNIT, load, role
from tests.unit.slashing_court.conftest import (
    DOWNTIME,
    EVIDENCE,
    FRAUD,
    MISSED_CHALLENGE,
    OPEN,
    SELF_BOND,
    SLASHABLE,
)

ZERO = "0x" + "00" * 20


@pytest.mark.parametrize(
    ("kind", "bps"), [(MISSED_CHALLENGE, 100), (DOWNTIME, 500), (FRAUD, 3_000)]
)
def test_opens_a_case(court, docket, staking, provider, job, reporter, policy, kind, bps):
    case = docket.accuse(kind, job)
    log = docket.log
    now = boa.env.evm.patch.timestamp
    held = SLASHABLE * bps // 10_000 * 105 // 100
    assert case == keccak(
        encode(
            ["address", "uint24", "uint8", "uint64", "bytes32"],
            [reporter, provider, kind, job, EVIDENCE],
        )
    )
    assert tuple(court.accusations(case)) == (
        reporter, job, provider, kind, SLASHABLE, now, now + policy.answer_period, OPEN,
        False, False, False, 0, ZERO,
    )  # fmt: skip
    assert (log.case_id, log.provider, log.accuser) == (case, provider, reporter)
    assert (log.kind, log.job, log.evidence_hash) == (kind, job, EVIDENCE)
    assert (log.snapshot, log.held) == (SLASHABLE, held)
    assert log.answer_until == now + policy.answer_period
    assert staking.held_by_cases(provider) == (held, 0)


def test_pulls_the_bond_and_nothing_else(court, docket, token, reporter, policy, conserved):
    docket.fund(reporter, policy.accusation_bond)
    with conserved():
        docket.filed.append(court.accuse(docket.provider, FRAUD, 0, EVIDENCE, sender=reporter))
    assert token.balanceOf(reporter) == 0
    assert token.balanceOf(court) == policy.accusation_bond


def test_what_is_held_is_rounded_up(docket, token, staking, provider):
    token.approve(staking, 1)
    staking.stake(provider, 1)
    docket.accuse(MISSED_CHALLENGE)
    cap = SLASHABLE // 100 + 1
    assert staking.held_by_cases(provider)[0] == -(-cap * 105 // 100)


def test_a_provider_with_nothing_can_be_accused(docket, providers, oracles, court):
    """What vests is collateral too."""
    case = docket.accuse(provider=providers.register(
        oracles[4].address, oracles[4].address, 0, 0, 0, "", sender=oracles[4].address
    ))  # fmt: skip
    assert court.accusations(case).snapshot == 0


def test_a_later_delegation_does_not_raise_the_snapshot(
    court, docket, token, staking, provider, delegator
):
    case = docket.accuse()
    token.transfer(delegator.address, SELF_BOND)
    token.approve(staking, SELF_BOND, sender=delegator.address)
    staking.delegate(provider, SELF_BOND, 0, sender=delegator.address)
    assert court.accusations(case).snapshot == SLASHABLE


def test_stake_that_the_fault_may_cost_stays(
    docket, staking, provider, provider_owner, delegator, payout, token
):
    case = docket.accuse()
    shares = staking.delegation(provider, delegator.address)[0]
    staking.undelegate(provider, shares, sender=delegator.address)
    staking.unbond(provider, SELF_BOND, sender=provider_owner.address)
    boa.env.time_travel(seconds=UNBONDING_PERIOD)
    staking.withdraw_delegation(provider, 1, sender=delegator.address)
    with boa.reverts("provider_staking: stake is held by a case"):
        staking.withdraw(provider, 1, sender=provider_owner.address)
    docket.court.draw(case)
    staking.withdraw(provider, 1, sender=provider_owner.address)
    assert token.balanceOf(payout) == SELF_BOND


@pytest.mark.parametrize("kind", [0, 1, 2, 6, 255])
def test_kinds_that_need_proof_or_do_not_exist(court, docket, reporter, provider, refused, kind):
    docket.fund(reporter, docket.policy.accusation_bond)
    with refused("slashing_court: not a kind of accusation"):
        court.accuse(provider, kind, 0, EVIDENCE, sender=reporter)


@pytest.mark.parametrize("unknown", [0, 99, 2**24 - 1])
def test_a_provider_that_does_not_exist(court, docket, reporter, refused, unknown):
    docket.fund(reporter, docket.policy.accusation_bond)
    with refused("slashing_court: unknown provider"):
        court.accuse(unknown, FRAUD, 0, EVIDENCE, sender=reporter)


def test_a_job_of_another_provider(court, docket, job, reporter, other_provider, refused):
    docket.fund(reporter, docket.policy.accusation_bond)
    for provider, named in ((other_provider, job), (docket.provider, job + 1)):
        with refused("slashing_court: job of another provider"):
            court.accuse(provider, FRAUD, named, EVIDENCE, sender=reporter)


def test_a_job_that_does_not_run(court, docket, escrow, jobs, open_job, reporter, victim, refused):
    waiting, cancelled = open_job(accept=False), open_job(accept=False)
    jobs.cancel(cancelled, sender=victim)
    docket.fund(reporter, docket.policy.accusation_bond)
    for job in (waiting, cancelled):
        with refused("slashing_court: job is not live"):
            court.accuse(docket.provider, FRAUD, job, EVIDENCE, sender=reporter)


def test_the_same_can_be_claimed_once(court, docket, reporter, victim, refused):
    case = docket.accuse()
    docket.fund(reporter, docket.policy.accusation_bond)
    with refused("slashing_court: accused before"):
        court.accuse(docket.provider, FRAUD, 0, EVIDENCE, sender=reporter)
    docket.wait_until_deadline(case, docket.policy.verdict_period)
    court.draw(case)
    with refused("slashing_court: accused before"):
        court.accuse(docket.provider, FRAUD, 0, EVIDENCE, sender=reporter)
    # by somebody else, or with more to show, it is another case
    assert len({case, docket.accuse(accuser=victim), docket.accuse(evidence=b"\1" * 32)}) == 3


def test_without_the_bond(court, docket, token, reporter, refused):
    docket.fund(reporter, docket.policy.accusation_bond - 1)
    token.approve(court, 2**256 - 1, sender=reporter)
    with refused("erc20: transfer amount exceeds balance"):
        court.accuse(docket.provider, FRAUD, 0, EVIDENCE, sender=reporter)


def test_a_court_that_is_being_replaced_opens_no_case(
    court, docket, staking, reporter, stranger, refused
):
    """Its cases could not be closed any more, and would hold stake for ever."""
    case = docket.accuse()
    boa.env.time_travel(seconds=DAY)
    staking.set_role(role("SLASHER"), stranger)
    docket.fund(reporter, docket.policy.accusation_bond)
    with refused("slashing_court: court is being replaced"):
        court.accuse(docket.provider, FRAUD, 0, b"\1" * 32, sender=reporter)

    docket.rule(case)
    docket.wait_until_deadline(case)
    court.execute(case)
    assert staking.held_by_cases(docket.provider)[0] == 0
    boa.env.time_travel(seconds=ROLE_DELAY)
    staking.apply_role(role("SLASHER"))
    with refused("roles: caller lacks the role"):
        court.accuse(docket.provider, FRAUD, 0, b"\1" * 32, sender=reporter)


def test_a_court_without_its_role_opens_no_case(
    token, staking, registry, jobs, distributor, verifier, committee, policy, provider, refused
):
    powerless = load(
        "SlashingCourt", token, staking, registry, jobs, distributor, verifier, committee,
        astuple(policy),
    )  # fmt: skip
    token.approve(powerless, 100 * UNIT)
    with refused("roles: caller lacks the role"):
        powerless.accuse(provider, FRAUD, 0, EVIDENCE)
