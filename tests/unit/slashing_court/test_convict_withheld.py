"""The one entry of leaf requests: whom it can convict, and of what only."""

from dataclasses import replace

import boa
import pytest

from tests.unit.conftest import role
from tests.unit.slashing_court.conftest import SLASHABLE, only_log, values

PENALTY = SLASHABLE // 2
WITHHELD_OPENING = 6


@pytest.fixture
def convict(court, leaf_requests, reporter):
    """What the holder of the role sends."""

    def _convict(proof, job=0, sender=leaf_requests.address):
        return court.convict_withheld(
            values(proof.commit), proof.signature, reporter, job, sender=sender
        )

    return _convict


def test_is_a_kind_of_its_own(court, convict, proof, case_id, provider, reporter):
    assert court.WITHHELD_OPENING() == WITHHELD_OPENING
    assert convict(proof) == case_id
    log = only_log(court, "Convicted")
    assert (log.case_id, log.provider, log.reporter) == (case_id, provider, reporter)
    assert (log.kind, log.slashed) == (WITHHELD_OPENING, PENALTY)
    assert tuple(court.cases(case_id))[:2] == (WITHHELD_OPENING, provider)


def test_can_not_be_accused_of(court, provider, refused):
    with refused("slashing_court: not a kind of accusation"):
        court.accuse(provider, WITHHELD_OPENING, 0, b"\1" * 32)


@pytest.mark.parametrize("caller", ["reporter", "operator", "deployer", "arbiter", "staking"])
def test_only_the_role(convict, proof, request, refused, caller):
    account = request.getfixturevalue(caller)
    with refused("roles: caller lacks the role"):
        convict(proof, sender=getattr(account, "address", account))


def test_the_role_convicts_nobody_without_its_signature(
    convict, proof, prove, false_chain, customer, refused
):
    with refused("slashing_court: not signed by the provider"):
        convict(prove(false_chain, signer=customer))
    with refused("slashing_court: not signed by the provider"):
        convict(proof.but(commit=replace(proof.commit, device=b"\7" * 32)))
    with refused("slashing_court: signature is not 65 bytes"):
        convict(proof.but(signature=b""))


def test_a_commit_convicts_once_whatever_the_kind(
    court, convict, prove, proof, false_chain, reporter, refused
):
    convict(proof)
    with refused("slashing_court: commit convicted before"):
        court.convict_attestation(proof.struct, 0)
    with refused("slashing_court: commit convicted before"):
        convict(proof)
    other = prove(false_chain, epoch=2)
    court.convict_attestation(other.struct, 0, sender=reporter)
    with refused("slashing_court: commit convicted before"):
        convict(other)


def test_is_no_equivocation(court, convict, staking, proof, provider):
    """Its author comes back after the term."""
    convict(proof)
    boa.env.time_travel(seconds=court.POLICY().jail_seconds)
    assert not staking.is_jailed(provider)


def test_strikes_no_device_of_somebody_else(
    convict, registry, prove, false_chain, enter, other_provider
):
    foreign = enter(other_provider, b"\7" * 32)
    convict(prove(false_chain, device=foreign))
    assert registry.device_info(foreign).attested_until != 0


def test_nobody_where_the_role_is_empty(court, convict, proof, refused):
    court.set_role(role("REQUESTS"), "0x" + "00" * 20)
    boa.env.time_travel(seconds=court.ROLE_CHANGE_DELAY())
    court.apply_role(role("REQUESTS"))
    with refused("roles: caller lacks the role"):
        convict(proof)
