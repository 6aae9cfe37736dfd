"""What a court is deployed with."""

from dataclasses import astuple, replace

import boa
import pytest

from tests.unit.conftest import DAY, HOUR, MIN_DELEGATION, MIN_SELF_BOND, ROLE_DELAY, load

ZERO = "0x" + "00" * 20
YEAR = 365 * DAY
NAMES = ["token", "staking", "registry", "jobs", "distributor", "verifier", "committee"]
PENALTIES = ["false_attestation_bps", "missed_challenge_bps", "downtime_bps", "fraud_bps"]
BONDS = ["accusation_bond", "appeal_bond"]
PERIODS = ["answer_period", "verdict_period", "appeal_period", "arbiter_period"]


@pytest.fixture
def deploy(token, staking, registry, jobs, distributor, verifier, committee, policy):
    """Deploy a court with some arguments changed."""
    contracts = [token, staking, registry, jobs, distributor, verifier, committee]

    def _deploy(**changes):
        addresses = [changes.pop(n, c) for n, c in zip(NAMES, contracts, strict=True)]
        return load("SlashingCourt", *addresses, astuple(replace(policy, **changes)))

    return _deploy


def test_keeps_its_arguments(
    court, token, staking, registry, jobs, distributor, verifier, committee, policy
):
    assert court.TOKEN() == token.address
    assert court.STAKING() == staking.address
    assert court.REGISTRY() == registry.address
    assert court.JOBS() == jobs.address
    assert court.DISTRIBUTOR() == distributor.address
    assert court.VERIFIER() == verifier.address
    assert court.COMMITTEE() == committee.address
    assert tuple(court.POLICY()) == astuple(policy)


def test_the_arbiter_changes_as_slowly_as_the_slasher(court, staking):
    assert court.ROLE_CHANGE_DELAY() == staking.ROLE_CHANGE_DELAY() == ROLE_DELAY


@pytest.mark.parametrize("name", NAMES)
def test_reverts_without_a_contract(deploy, name):
    with boa.reverts(f"slashing_court: no {name}"):
        deploy(**{name: ZERO})


@pytest.mark.parametrize("name", PENALTIES)
def test_penalty_within_bounds(deploy, policy, name):
    for bps in (1, policy.max_penalty_bps):
        assert getattr(deploy(**{name: bps}).POLICY(), name) == bps
    for bps in (0, policy.max_penalty_bps + 1):
        with boa.reverts("slashing_court: penalty out of bounds"):
            deploy(**{name: bps})


@pytest.mark.parametrize(
    ("name", "least", "most", "reason"),
    [
        ("max_penalty_bps", 5_000, 10_000, "largest penalty"),
        ("daily_cap_bps", 1, 10_000, "daily cap"),
        ("correlation_multiplier", 0, 100, "correlation"),
        ("reporter_bps", 0, 10_000, "reporter share"),
        ("jail_seconds", 1, YEAR, "jail"),
        *((bond, 1, 2**96 - 1, "bond") for bond in BONDS),
    ],
)
def test_bounds(deploy, name, least, most, reason):
    for value in (least, most):
        assert getattr(deploy(**{name: value}).POLICY(), name) == value
    with boa.reverts(f"slashing_court: {reason} out of bounds"):
        deploy(**{name: most + 1})


@pytest.mark.parametrize("name", ["daily_cap_bps", "jail_seconds", *BONDS])
def test_zero_is_out_of_bounds(deploy, name):
    with boa.reverts():
        deploy(**{name: 0})


@pytest.mark.parametrize("name", PERIODS)
def test_periods_within_bounds(deploy, providers, token, genesis, name):
    short = dict.fromkeys(PERIODS, 1)
    patient = load(
        "ProviderStaking", providers, token, genesis, HOUR, 14 * DAY, DAY, MIN_SELF_BOND,
        MIN_DELEGATION, 31 * DAY,
    )  # fmt: skip
    for period in (1, 30 * DAY):
        court = deploy(staking=patient, **short | {name: period})
        assert getattr(court.POLICY(), name) == period
    for period in (0, 30 * DAY + 1):
        with boa.reverts("slashing_court: period out of bounds"):
            deploy(staking=patient, **short | {name: period})


def test_no_case_outlives_the_role_delay(deploy):
    deploy(arbiter_period=ROLE_DELAY - 7 * DAY)
    with boa.reverts("slashing_court: case outlives the role delay"):
        deploy(arbiter_period=ROLE_DELAY - 7 * DAY + 1)
