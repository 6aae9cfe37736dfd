"""Two signed ends of one chain: no entry has to be opened, one of them is a lie."""

from dataclasses import replace

import boa
import pytest
from eth_abi import encode

from oracle.domain.hashing import keccak
from oracle.domain.messages import Commit
from tests.unit.conftest import DAY, UNIT, sign
from tests.unit.slashing_court.conftest import (
    CLASS,
    COMPENSATION,
    DEPOSIT,
    EPOCH,
    EQUIVOCATION,
    ROUNDS,
    SEED,
    SELF_BOND,
    SLASHABLE,
    K,
    M,
    N,
    only_log,
    values,
)

PENALTY = SLASHABLE // 2
FOR_EVER = 2**64 - 1


@pytest.fixture
def commit(provider, device):
    return Commit(provider, device, EPOCH, SEED, M, N, K, ROUNDS, b"\1" * 32)


@pytest.fixture
def twin(commit):
    """The same chain with another end."""
    return replace(commit, final_seed=b"\2" * 32)


@pytest.fixture
def pair(operator, registry_domain):
    """Arguments that show two commits, signed by the operator's key or by others."""

    def _pair(first, second, signers=(operator, operator)):
        return [
            argument
            for commit, signer in zip((first, second), signers, strict=True)
            for argument in (values(commit), sign(signer, commit, registry_domain))
        ]

    return _pair


@pytest.fixture
def equivocation(commit):
    """Case id."""
    return keccak(
        encode(
            ["uint8", "uint24", "bytes32", "uint64", "bytes32"],
            [EQUIVOCATION, commit.provider, commit.device, commit.epoch, commit.seed],
        )
    )


def test_costs_what_a_false_attestation_costs(
    court, token, staking, pair, commit, twin, job, provider, victim, reporter, equivocation,
    conserved,
):  # fmt: skip
    supply = token.totalSupply()
    with conserved():
        assert court.convict_equivocation(*pair(commit, twin), job, sender=reporter) == equivocation
        log = only_log(court, "Convicted")
    reward = (PENALTY - COMPENSATION) // 10
    assert token.balanceOf(victim) == DEPOSIT + COMPENSATION
    assert token.balanceOf(reporter) == reward
    assert supply - token.totalSupply() == PENALTY - COMPENSATION - reward
    assert staking.slashable(provider) == SLASHABLE - PENALTY
    assert (log.case_id, log.kind, log.slashed) == (equivocation, EQUIVOCATION, PENALTY)
    now = boa.env.evm.patch.timestamp
    assert tuple(court.cases(equivocation)) == (EQUIVOCATION, provider, now, PENALTY)


def test_the_provider_never_comes_back(
    court, token, staking, registry, distributor, pair, commit, twin, provider, device, vesting
):
    court.convict_equivocation(*pair(commit, twin), 0)
    assert staking.jailed_until(provider) == FOR_EVER
    boa.env.time_travel(seconds=1_000 * DAY)
    assert staking.is_jailed(provider)
    assert registry.capacity(provider, CLASS) == 2
    assert registry.device_info(device).attested_until == 0
    assert distributor.unvested(provider) == 0


def test_a_seed_convicts_once(court, pair, commit, twin, refused):
    court.convict_equivocation(*pair(commit, twin), 0)
    third = replace(commit, final_seed=b"\3" * 32)
    other_size = [replace(each, rounds=ROUNDS + 1) for each in (commit, twin)]
    for shown in ((commit, twin), (twin, commit), (commit, third), (third, twin), other_size):
        with refused("slashing_court: seed convicted before"):
            court.convict_equivocation(*pair(*shown), 0)


def test_another_seed_is_another_case(court, staking, pair, commit, twin):
    court.convict_equivocation(*pair(commit, twin), 0)
    later = [replace(each, seed=b"\4" * 32) for each in (commit, twin)]
    court.convict_equivocation(*pair(*later), 0)


def test_keys_of_one_provider_are_one_signer(
    court, providers, staking, pair, commit, twin, provider, provider_owner, operator, oracles
):
    """Rotating the key between two truths is no way out."""
    providers.set_operator(provider, oracles[5].address, sender=provider_owner.address)
    court.convict_equivocation(*pair(commit, twin, (operator, oracles[5])), 0)
    assert staking.is_jailed(provider)


def test_other_customers_are_compensated(
    court, token, pair, commit, twin, open_job, equivocation, victim
):
    job = open_job()
    court.convict_equivocation(*pair(commit, twin), 0)
    assert court.compensate(equivocation, job, sender=victim) == COMPENSATION
    assert token.balanceOf(victim) == DEPOSIT + COMPENSATION


def test_does_not_strike_a_device_of_somebody_else(
    court, registry, pair, commit, twin, enter, other_provider
):
    foreign = enter(other_provider, b"\7" * 32)
    pairs = [replace(each, device=foreign) for each in (commit, twin)]
    court.convict_equivocation(*pair(*pairs), 0)
    assert registry.device_info(foreign).attested_until != 0


def test_one_truth_is_no_equivocation(court, pair, commit, refused):
    with refused("slashing_court: commits agree"):
        court.convict_equivocation(*pair(commit, commit), 0)


@pytest.mark.parametrize(
    "change",
    [{"device": b"\7" * 32}, {"epoch": 2}, {"seed": b"\7" * 32}, {"m": 32}, {"n": 16}, {"k": 32},
     {"rounds": 2}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_ends_of_different_chains(court, pair, commit, twin, refused, change):
    with refused("slashing_court: commits of different chains"):
        court.convict_equivocation(*pair(commit, replace(twin, **change)), 0)


def test_commits_of_two_providers(court, pair, commit, twin, other_provider, oracles, operator,
                                  refused):  # fmt: skip
    shown = pair(commit, replace(twin, provider=other_provider), (operator, oracles[1]))
    with refused("slashing_court: commits of different chains"):
        court.convict_equivocation(*shown, 0)


def test_signatures_of_others(court, pair, commit, twin, customer, operator, oracles, refused):
    for signers in ((customer, operator), (operator, customer), (oracles[1], operator)):
        with refused("slashing_court: not signed by the provider"):
            court.convict_equivocation(*pair(commit, twin, signers), 0)


def test_a_signature_for_the_other_commit(court, pair, commit, twin, refused):
    first, signature, second, other = pair(commit, twin)
    for signatures in ((signature, signature), (other, other), (other, signature)):
        with refused("slashing_court: not signed by the provider"):
            court.convict_equivocation(first, signatures[0], second, signatures[1], 0)
    with refused("slashing_court: signature is not 65 bytes"):
        court.convict_equivocation(first, signature, second, other[:64], 0)


def test_nobody_is_no_provider(court, pair, commit, twin, customer, refused):
    shown = [replace(each, provider=0) for each in (commit, twin)]
    with refused("slashing_court: not signed by the provider"):
        court.convict_equivocation(*pair(*shown, (customer, customer)), 0)


def test_is_no_false_attestation(court, staking, pair, prove, false_chain, twin, provider):
    """The false one of two commits is a fault of its own."""
    proof = prove(false_chain)
    court.convict_attestation(proof.struct, 0)
    left = staking.slashable(provider)
    court.convict_equivocation(*pair(proof.commit, twin), 0)
    assert staking.slashable(provider) < left
    assert left > SELF_BOND // 10 > UNIT
