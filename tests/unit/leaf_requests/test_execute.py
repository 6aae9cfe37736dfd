"""Nobody has shown the leaf: the bond goes back, and the provider is convicted."""

import boa
import pytest

from tests.unit.conftest import DAY, LEAF_ANSWER_PERIOD, LEAF_BOND, sign
from tests.unit.leaf_requests.conftest import EXECUTED, PURSE, WITHHELD_OPENING
from tests.unit.slashing_court.conftest import (
    CLASS,
    COMPENSATION,
    DEPOSIT,
    SELF_BOND,
    SLASHABLE,
    only_log,
)

PENALTY = SLASHABLE // 2
NOBODY = "0x" + "00" * 20


@pytest.fixture
def overdue(desk, honest):
    """A request that nobody answered in time."""
    desk.ask(honest)
    desk.wait(honest)
    return honest


def test_costs_what_a_false_attestation_costs(
    desk, court, token, staking, registry, overdue, job, provider, victim, reporter, conserved
):
    supply = token.totalSupply()
    with conserved():
        desk.execute(overdue, job=job)
    reward = (PENALTY - COMPENSATION) // 10
    assert token.balanceOf(victim) == DEPOSIT + COMPENSATION
    assert token.balanceOf(reporter) == PURSE + reward
    assert supply - token.totalSupply() == PENALTY - COMPENSATION - reward
    assert staking.slashable(provider) == SLASHABLE - PENALTY
    assert staking.jailed_until(provider) == boa.env.evm.patch.timestamp + 30 * DAY
    assert registry.capacity(provider, CLASS) == 2


def test_records_and_logs_the_case(desk, court, overdue, provider, reporter):
    digest = desk.digest(overdue)
    desk.execute(overdue)
    now = boa.env.evm.patch.timestamp
    assert tuple(court.cases(digest)) == (WITHHELD_OPENING, provider, now, PENALTY)
    log = desk.log
    assert (log.commit_digest, log.provider, log.requester) == (digest, provider, reporter)
    assert (log.round_index, log.index) == desk.place(overdue)[1:3]
    assert (log.returned, log.convicted, log.reporter) == (LEAF_BOND, True, reporter)
    assert desk.request(overdue).stage == EXECUTED
    assert desk.contract.open_requests(provider) == 0


def test_burns_what_has_not_vested(desk, distributor, vesting, leaves, provider, genesis):
    now = (boa.env.evm.patch.timestamp - genesis) // 3_600
    proof = leaves(epoch=now)[0]
    desk.ask(proof)
    desk.wait(proof)
    desk.execute(proof)
    assert distributor.unvested(provider) == 0


def test_a_bond_of_many_comes_back_whole(desk, leaves, reporter, token):
    first, second, *_ = leaves()
    desk.ask(first)
    desk.ask(second)
    desk.wait(second)
    reward = PENALTY // 10
    desk.execute(second)
    assert desk.log.returned == 2 * LEAF_BOND
    assert token.balanceOf(reporter) == PURSE - LEAF_BOND + reward


# --- when, and who is the reporter ----------------------------------------------------------


def test_not_before_the_deadline(desk, honest, refused):
    desk.ask(honest)
    for left in (LEAF_ANSWER_PERIOD, 1):
        desk.wait(honest, -left)
        with refused("leaf_requests: provider may still show the leaf"):
            desk.execute(honest)
    desk.wait(honest)
    desk.execute(honest)


@pytest.mark.parametrize("beyond", [0, LEAF_ANSWER_PERIOD - 1])
def test_the_requester_is_the_reporter_whoever_executes(
    desk, token, overdue, stranger, reporter, beyond
):
    boa.env.time_travel(seconds=beyond)
    desk.execute(overdue, stranger)
    assert token.balanceOf(reporter) == PURSE + PENALTY // 10
    assert token.balanceOf(stranger) == 0


def test_a_request_that_its_author_leaves_lying_pays_who_executes(
    desk, token, overdue, stranger, reporter
):
    """Who asks for its own leaf, so that nobody else can, only chooses the day."""
    boa.env.time_travel(seconds=LEAF_ANSWER_PERIOD)
    desk.execute(overdue, stranger)
    assert desk.log.reporter == stranger
    assert token.balanceOf(stranger) == PENALTY // 10
    assert token.balanceOf(reporter) == PURSE


# --- once -----------------------------------------------------------------------------------


def test_twice(desk, overdue, refused):
    desk.execute(overdue)
    with refused("leaf_requests: no such open request"):
        desk.execute(overdue)


def test_nobody_asked(desk, honest, refused):
    with refused("leaf_requests: no such open request"):
        desk.execute(honest)


def test_answered(desk, honest, refused):
    desk.ask(honest)
    desk.answer(honest)
    boa.env.time_travel(seconds=2 * LEAF_ANSWER_PERIOD)
    with refused("leaf_requests: no such open request"):
        desk.execute(honest)


def test_the_answer_is_first(desk, staking, overdue, provider, refused):
    """Who sees the execution coming can still show the leaf."""
    desk.answer(overdue)
    with refused("leaf_requests: no such open request"):
        desk.execute(overdue)
    assert not staking.is_jailed(provider)


def test_a_commit_is_convicted_once_and_all_bonds_come_back(
    desk, court, staking, token, leaves, rival, provider, reporter
):
    first, second, *_ = leaves()
    desk.ask(first)
    desk.ask(second, rival)
    desk.wait(first)
    desk.execute(first)
    stake = staking.slashable(provider)
    desk.execute(second)
    log = desk.log
    assert (log.returned, log.convicted, log.reporter) == (2 * LEAF_BOND, False, NOBODY)
    assert token.balanceOf(rival) == PURSE
    assert staking.slashable(provider) == stake


def test_a_false_entry_of_the_commit_was_convicted_before(
    desk, court, token, staking, prove, proof, false_chain, provider, reporter
):
    """Then nothing is left to wait for."""
    desk.ask(prove(false_chain, i=0, j=0))
    court.convict_attestation(proof.struct, 0, sender=desk.requester)
    stake, before = staking.slashable(provider), token.balanceOf(reporter)
    desk.execute(prove(false_chain, i=0, j=0))
    assert not desk.log.convicted
    assert token.balanceOf(reporter) == before + LEAF_BOND
    assert staking.slashable(provider) == stake


def test_no_other_proof_convicts_the_commit_again(desk, court, proof, refused):
    desk.ask(proof)
    desk.wait(proof)
    desk.execute(proof)
    with refused("slashing_court: commit convicted before"):
        court.convict_attestation(proof.struct, 0)


def test_every_withheld_commit_counts(desk, court, staking, leaves, provider):
    for device in (b"\1", b"\2"):
        proof = leaves(device=device * 32)[0]
        desk.ask(proof)
        desk.wait(proof)
        desk.execute(proof)
    # the daily cap of 75 % cuts the second penalty
    assert staking.slashable(provider) < SLASHABLE - PENALTY


def test_after_the_bond_was_taken_back(desk, token, overdue, stranger, reporter):
    boa.env.time_travel(seconds=LEAF_ANSWER_PERIOD)
    desk.take_back(overdue)
    desk.execute(overdue, stranger)
    assert (desk.log.returned, desk.log.convicted) == (0, True)
    assert token.balanceOf(reporter) == PURSE


# --- of whom --------------------------------------------------------------------------------


def test_a_provider_without_stake_is_jailed(desk, court, staking, leaves, provider, reporter):
    with boa.env.prank(court.address):
        staking.slash(provider, (SLASHABLE, NOBODY, 0, NOBODY, 0))
    proof = leaves()[0]
    desk.ask(proof)
    desk.wait(proof)
    desk.execute(proof)
    assert court.cases(desk.digest(proof)).slashed == 0
    assert staking.is_jailed(provider)


def test_stake_that_began_to_leave_is_still_there(desk, staking, honest, provider, provider_owner):
    staking.unbond(provider, SELF_BOND, sender=provider_owner.address)
    desk.ask(honest)
    desk.wait(honest, LEAF_ANSWER_PERIOD)
    desk.execute(honest)
    assert staking.slashable(provider) == SLASHABLE - PENALTY


def test_a_key_that_was_rotated_meanwhile(
    desk, court, providers, overdue, provider, provider_owner, stranger, customer, registry_domain
):
    """Any signature of the provider under the same commit will do."""
    providers.set_operator(provider, customer.address, sender=provider_owner.address)
    desk.execute(overdue.but(signature=sign(customer, overdue.commit, registry_domain)))
    assert desk.log.convicted


def test_a_signature_of_nobody(desk, overdue, customer, registry_domain, refused):
    foreign = sign(customer, overdue.commit, registry_domain)
    for signature in (bytes(65), b"\7" * 65, foreign):
        with refused("slashing_court: not signed by the provider"):
            desk.execute(overdue.but(signature=signature))
    with refused("slashing_court: signature is not 65 bytes"):
        desk.execute(overdue.but(signature=b""))


@pytest.mark.parametrize("part", [2, 3, 4])
def test_a_place_that_nobody_asked_about(desk, overdue, leaf_requests, refused, part):
    arguments = list(desk.sentence(overdue))
    arguments[part] = b"\7" * 32 if part == 4 else arguments[part] + 1
    with refused("leaf_requests: no such open request"):
        leaf_requests.execute(*arguments)


def test_another_commit(desk, overdue, prove, true_chain, refused):
    with refused("leaf_requests: no such open request"):
        desk.execute(prove(true_chain, device=b"\7" * 32))


# --- the job --------------------------------------------------------------------------------


def test_a_job_that_is_not_running(desk, overdue, open_job, refused):
    waiting = open_job(accept=False)
    for job in (waiting, waiting + 1, 2**64 - 1):
        with refused("job_registry: job is not active"):
            desk.execute(overdue, job=job)


def test_a_job_of_another_provider(
    desk, leaves, prove, true_chain, job, other_provider, oracles, refused
):
    proof = prove(true_chain, signer=oracles[1], provider=other_provider)
    desk.ask(proof)
    desk.wait(proof)
    with refused("job_registry: wrong provider"):
        desk.execute(proof, job=job)


def test_other_customers_are_compensated(desk, court, overdue, job, victim, token):
    desk.execute(overdue)
    court.compensate(desk.digest(overdue), job, sender=victim)
    assert only_log(court, "Compensated").victim_amount == COMPENSATION
    assert token.balanceOf(victim) == DEPOSIT + COMPENSATION
