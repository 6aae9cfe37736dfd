"""A false entry under a provider's own signature: who is convicted, and where the money goes."""

from dataclasses import astuple, replace

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.domain.messages import Domain
from tests.unit.conftest import DAY, UNIT, load, sign
from tests.unit.slashing_court.conftest import (
    CLASS,
    COLUMN,
    COMPENSATION,
    DELEGATED,
    DEPOSIT,
    ROUND,
    ROUNDS,
    ROW,
    SELF_BOND,
    SLASHABLE,
    K,
    M,
    N,
    compute_chain,
    only_log,
)

PENALTY = SLASHABLE // 2
# order of secp256k1
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


# --- the sentence -------------------------------------------------------------------------


def test_victim_first_reporter_next_rest_burnt(
    court, token, staking, proof, job, provider, victim, reporter, conserved
):
    supply = token.totalSupply()
    with conserved():
        court.convict_attestation(proof.struct, job, sender=reporter)
    reward = (PENALTY - COMPENSATION) // 10
    assert token.balanceOf(victim) == DEPOSIT + COMPENSATION
    assert token.balanceOf(reporter) == reward
    assert supply - token.totalSupply() == PENALTY - COMPENSATION - reward
    assert token.balanceOf(court) == 0
    assert staking.slashable(provider) == SLASHABLE - PENALTY
    assert staking.self_bond(provider).active == SELF_BOND - PENALTY


def test_without_a_job_nobody_is_compensated(
    court, token, staking, escrow, jobs, proof, job, provider, victim, reporter, conserved
):
    supply = token.totalSupply()
    with conserved():
        court.convict_attestation(proof.struct, 0, sender=reporter)
    assert token.balanceOf(victim) == 0
    assert token.balanceOf(reporter) == PENALTY // 10
    assert supply - token.totalSupply() == PENALTY - PENALTY // 10
    assert jobs.job_info(job).status == 2


def test_records_and_logs_the_case(court, proof, job, case_id, provider, victim, reporter, device):
    assert court.convict_attestation(proof.struct, job, sender=reporter) == case_id
    log = only_log(court, "Convicted")
    reward = (PENALTY - COMPENSATION) // 10
    assert (log.case_id, log.provider, log.reporter) == (case_id, provider, reporter)
    assert (log.kind, log.job, log.slashed) == (court.FALSE_ATTESTATION(), job, PENALTY)
    assert (log.victim, log.victim_amount, log.refunded) == (victim, COMPENSATION, DEPOSIT)
    assert (log.reporter_amount, log.burnt) == (reward, PENALTY - COMPENSATION - reward)
    assert log.vesting_seized == 0
    now = boa.env.evm.patch.timestamp
    assert tuple(court.cases(case_id)) == (1, provider, now, PENALTY)


def test_jails(court, staking, escrow, jobs, proof, open_job, provider, operator, reporter):
    waiting = open_job(accept=False)
    court.convict_attestation(proof.struct, 0, sender=reporter)
    assert staking.is_jailed(provider)
    until = boa.env.evm.patch.timestamp + 30 * DAY
    assert staking.jailed_until(provider) == until
    with boa.reverts("service_bonds: provider is jailed"):
        jobs.accept(waiting, sender=operator.address)
    boa.env.time_travel(seconds=30 * DAY)
    assert not staking.is_jailed(provider)


def test_strikes_the_device(court, registry, proof, provider, device, reporter):
    assert registry.capacity(provider, CLASS) == 3
    court.convict_attestation(proof.struct, 0, sender=reporter)
    assert registry.capacity(provider, CLASS) == 2
    assert registry.device_info(device).attested_until == 0


def test_does_not_strike_a_device_of_somebody_else(
    court, registry, prove, false_chain, enter, other_provider, provider, reporter
):
    foreign = enter(other_provider, b"\7" * 32)
    court.convict_attestation(prove(false_chain, device=foreign).struct, 0, sender=reporter)
    assert registry.capacity(other_provider, CLASS) == 1
    assert registry.device_info(foreign).attested_until != 0


def test_a_device_that_was_never_entered_convicts_too(
    court, staking, registry, prove, false_chain, provider, reporter
):
    court.convict_attestation(prove(false_chain, device=b"\7" * 32).struct, 0, sender=reporter)
    assert staking.is_jailed(provider)
    assert registry.capacity(provider, CLASS) == 3


def test_burns_what_has_not_vested(
    court, token, distributor, staking, proof, vesting, provider, reporter, conserved
):
    supply = token.totalSupply()
    penalty = -(-staking.slashable(provider) // 2)
    with conserved():
        court.convict_attestation(proof.struct, 0, sender=reporter)
    log = only_log(court, "Convicted")
    assert log.vesting_seized == vesting
    assert log.burnt == vesting + penalty - penalty // 10
    assert distributor.unvested(provider) == 0
    assert supply - token.totalSupply() == vesting + penalty - penalty // 10


def test_penalty_is_rounded_up_and_reward_down(court, token, staking, proof, provider, reporter):
    token.approve(staking, 1)
    staking.stake(provider, 1)
    court.convict_attestation(proof.struct, 0, sender=reporter)
    assert staking.slashable(provider) == SLASHABLE // 2
    assert token.balanceOf(reporter) == (PENALTY + 1) // 10


@pytest.mark.parametrize("signed_bps", [0, 1, 300, 1_000, 10_000])
def test_reporter_gets_no_more_than_the_provider_signed(
    court, token, staking, register, prove, false_chain, oracles, reporter, signed_bps
):
    provider = register(oracles[2], oracles[3].address, signed_bps)
    proof = prove(false_chain, signer=oracles[3], provider=provider)
    court.convict_attestation(proof.struct, 0, sender=reporter)
    assert token.balanceOf(reporter) == SELF_BOND // 2 * min(1_000, signed_bps) // 10_000


def test_compensation_over_the_share_sets_the_penalty(
    court, token, staking, proof, open_job, provider, victim, reporter
):
    job = open_job(collateral=900 * UNIT, compensation_bps=10_000)
    supply = token.totalSupply()
    court.convict_attestation(proof.struct, job, sender=reporter)
    assert token.balanceOf(victim) == DEPOSIT + 900 * UNIT
    assert token.balanceOf(reporter) == 0
    assert token.totalSupply() == supply
    assert staking.slashable(provider) == SLASHABLE - 900 * UNIT


def test_stake_smaller_than_the_compensation_goes_to_the_victim(
    court, token, staking, prove, proof, false_chain, open_job, provider, victim, reporter,
    conserved,
):  # fmt: skip
    job = open_job(collateral=900 * UNIT, compensation_bps=10_000)
    court.convict_attestation(proof.struct, 0, sender=reporter)
    reward = token.balanceOf(reporter)
    with conserved():
        court.convict_attestation(prove(false_chain, epoch=2).struct, job, sender=reporter)
    assert token.balanceOf(victim) == DEPOSIT + SLASHABLE - PENALTY
    assert token.balanceOf(reporter) == reward
    assert staking.slashable(provider) == 0

    again = prove(false_chain, epoch=3)
    court.convict_attestation(again.struct, 0, sender=reporter)
    assert only_log(court, "Convicted").slashed == 0


def test_delegations_lose_after_the_self_bond(
    court, staking, prove, proof, false_chain, provider, reporter
):
    court.convict_attestation(proof.struct, 0, sender=reporter)
    assert staking.delegation_pool(provider).tokens == DELEGATED
    court.convict_attestation(prove(false_chain, epoch=2).struct, 0, sender=reporter)
    assert staking.self_bond(provider).active == 0
    assert staking.delegation_pool(provider).tokens == DELEGATED - 125 * UNIT


# --- who is convicted ---------------------------------------------------------------------


def test_a_retired_operator_key_still_convicts(
    providers, court, staking, proof, provider, provider_owner, stranger, reporter
):
    providers.set_operator(provider, stranger, sender=provider_owner.address)
    court.convict_attestation(proof.struct, 0, sender=reporter)
    assert staking.is_jailed(provider)


def test_a_commit_convicts_once(court, proof, job, reporter, refused):
    court.convict_attestation(proof.struct, 0, sender=reporter)
    with refused("slashing_court: commit convicted before"):
        court.convict_attestation(proof.struct, job, sender=reporter)


def test_another_false_entry_of_the_same_commit_convicts_no_more(court, prove, reporter, refused):
    """Two false bytes in one chain are one fault."""
    chain = compute_chain(ROUND, ROW, COLUMN, 1)
    court.convict_attestation(prove(chain).struct, 0, sender=reporter)
    with refused("slashing_court: commit convicted before"):
        court.convict_attestation(prove(chain, i=0, j=0).struct, 0, sender=reporter)


def test_true_entries_of_a_false_commit_do_not_convict(court, prove, false_chain, refused):
    for round_index in range(ROUNDS):
        for i, j in ((0, 0), (M - 1, N - 1), (ROW, COLUMN - 1)):
            with refused("slashing_court: entry is correct"):
                court.convict_attestation(prove(false_chain, round_index, i, j).struct, 0)


def test_a_true_commit_does_not_convict(court, prove, true_chain, refused):
    for round_index in range(ROUNDS):
        with refused("slashing_court: entry is correct"):
            court.convict_attestation(prove(true_chain, round_index).struct, 0)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    round_index=st.integers(0, ROUNDS - 1),
    i=st.integers(0, M - 1),
    j=st.integers(0, N - 1),
    difference=st.integers(1, 255),
)
def test_any_false_byte_convicts(court, staking, prove, provider, round_index, i, j, difference):
    proof = prove(compute_chain(round_index, i, j, difference), round_index, i, j)
    with boa.env.anchor():
        court.convict_attestation(proof.struct, 0)
        assert staking.is_jailed(provider)


# --- what is no proof ---------------------------------------------------------------------


def test_a_stranger_cannot_sign_for_a_provider(court, prove, false_chain, customer, refused):
    with refused("slashing_court: not signed by the provider"):
        court.convict_attestation(prove(false_chain, signer=customer).struct, 0)


def test_a_provider_cannot_sign_for_another(
    court, prove, false_chain, oracles, other_provider, refused
):
    with refused("slashing_court: not signed by the provider"):
        court.convict_attestation(prove(false_chain, signer=oracles[1]).struct, 0)


def test_nobody_is_no_provider(court, prove, false_chain, customer, refused):
    """Neither a key without a provider nor a signature without a key speaks for provider 0."""
    proof = prove(false_chain, signer=customer, provider=0)
    for signature in (proof.signature, bytes(65)):
        with refused("slashing_court: not signed by the provider"):
            court.convict_attestation(proof.but(signature=signature).struct, 0)


@pytest.mark.parametrize("length", [0, 64])
def test_signature_of_another_length(court, proof, refused, length):
    with refused("slashing_court: signature is not 65 bytes"):
        court.convict_attestation(proof.but(signature=proof.signature[:length]).struct, 0)


def test_malleable_twin_of_a_signature(court, proof, refused):
    r, s, v = proof.signature[:32], int.from_bytes(proof.signature[32:64]), proof.signature[64]
    twin = r + (ORDER - s).to_bytes(32) + bytes([55 - v])
    with refused("slashing_court: not signed by the provider"):
        court.convict_attestation(proof.but(signature=twin).struct, 0)


def test_a_commit_of_another_chain(court, prove, false_chain, registry_domain, refused):
    elsewhere = Domain(registry_domain.chain_id + 1, registry_domain.verifying_contract)
    with refused("slashing_court: not signed by the provider"):
        court.convict_attestation(prove(false_chain, domain=elsewhere).struct, 0)


def test_a_commit_to_another_contract(court, escrow, prove, false_chain, domain_of, refused):
    with refused("slashing_court: not signed by the provider"):
        court.convict_attestation(prove(false_chain, domain=domain_of(escrow)).struct, 0)


@pytest.mark.parametrize(
    "change",
    [{"epoch": 2}, {"m": 32}, {"n": 16}, {"k": 32}, {"rounds": 2}, {"seed": b"\7" * 32},
     {"final_seed": b"\7" * 32}, {"device": b"\7" * 32}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_every_field_of_the_commit_is_signed(court, proof, refused, change):
    changed = proof.but(commit=replace(proof.commit, **change))
    with refused("slashing_court: not signed by the provider"):
        court.convict_attestation(changed.struct, 0)


def test_roots_that_are_not_the_commits(court, proof, refused):
    roots = list(proof.roots)
    for changed in ([roots[1], roots[0], roots[2]], [*roots[:2], b"\7" * 32]):
        with refused("slashing_court: roots of another commit"):
            court.convict_attestation(proof.but(roots=changed).struct, 0)


def test_too_few_and_too_many_roots(court, proof, refused):
    for roots in ([], proof.roots[:-1], [*proof.roots, bytes(32)]):
        with refused("slashing_court: not one root per round"):
            court.convict_attestation(proof.but(roots=roots).struct, 0)


@pytest.mark.parametrize("round_index", [ROUNDS, 2**256 - 1])
def test_a_round_that_was_not_committed(court, proof, refused, round_index):
    with refused("slashing_court: no such round"):
        court.convict_attestation(proof.but(round_index=round_index).struct, 0)


def test_a_leaf_of_another_round(court, proof, refused):
    with refused("matmul_verifier: leaf is not in the root"):
        court.convict_attestation(proof.but(round_index=ROUND - 1).struct, 0)


def test_an_invented_leaf(court, proof, refused):
    with refused("matmul_verifier: leaf is not in the root"):
        court.convict_attestation(proof.but(leaf=b"\7" * 128).struct, 0)


@pytest.mark.parametrize("change", [{"i": M}, {"j": N}, {"i": 2**256 - 1}])
def test_an_entry_outside_the_product(court, proof, refused, change):
    with refused("matmul_verifier: no such entry"):
        court.convict_attestation(proof.but(**change).struct, 0)


def test_a_path_of_another_length(court, proof, refused):
    for path in (proof.path[:-1], [*proof.path, bytes(32)]):
        with refused("matmul_verifier: path does not fit the matrix"):
            court.convict_attestation(proof.but(path=path).struct, 0)


def test_dimensions_that_no_product_has(court, prove, false_chain, refused):
    with refused("matmul_verifier: inner dimension out of bounds"):
        court.convict_attestation(prove(false_chain, k=K + 1).struct, 0)


# --- jobs that are not the victim's -------------------------------------------------------


def test_a_job_of_another_provider(
    court, prove, false_chain, job, other_provider, oracles, refused
):
    proof = prove(false_chain, signer=oracles[1], provider=other_provider)
    with refused("job_registry: wrong provider"):
        court.convict_attestation(proof.struct, job)


def test_a_job_that_is_not_running(court, proof, open_job, refused):
    waiting = open_job(accept=False)
    for job in (waiting, waiting + 1, 2**64 - 1):
        with refused("job_registry: job is not active"):
            court.convict_attestation(proof.struct, job)


def test_a_job_is_failed_once(court, prove, proof, false_chain, job, reporter, refused):
    court.convict_attestation(proof.struct, job, sender=reporter)
    with refused("job_registry: job is not active"):
        court.convict_attestation(prove(false_chain, epoch=2).struct, job, sender=reporter)


# --- the court's own powers ---------------------------------------------------------------


def test_a_court_without_roles_can_do_nothing(
    token, staking, registry, jobs, distributor, verifier, committee, policy, proof, refused
):
    powerless = load(
        "SlashingCourt", token, staking, registry, jobs, distributor, verifier, committee,
        astuple(policy),
    )  # fmt: skip
    with refused("roles: caller lacks the role"):
        powerless.convict_attestation(proof.struct, 0)


def test_the_domain_is_the_registrys(court, registry, proof, case_id, operator, registry_domain):
    assert registry.commit_digest(proof.struct[0]) == case_id
    assert sign(operator, proof.commit, registry_domain) == proof.signature
