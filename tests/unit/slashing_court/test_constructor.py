"""What a court is deployed with."""

import boa
import pytest

from tests.unit.conftest import DAY, load

ZERO = "0x" + "00" * 20
YEAR = 365 * DAY
NAMES = ["staking", "registry", "escrow", "distributor", "verifier"]


@pytest.fixture
def deploy(staking, registry, escrow, distributor, verifier):
    """Deploy a court with some arguments changed."""
    addresses = [staking, registry, escrow, distributor, verifier]
    defaults = dict(zip(NAMES, addresses, strict=True), slash=5_000, reporter=1_000, jail=DAY)

    def _deploy(**changes):
        return load("SlashingCourt", *(defaults | changes).values())

    return _deploy


def test_keeps_its_arguments(court, staking, registry, escrow, distributor, verifier):
    assert court.STAKING() == staking.address
    assert court.REGISTRY() == registry.address
    assert court.ESCROW() == escrow.address
    assert court.DISTRIBUTOR() == distributor.address
    assert court.VERIFIER() == verifier.address
    assert court.FALSE_ATTESTATION_BPS() == 5_000
    assert court.REPORTER_BPS() == 1_000
    assert court.JAIL_SECONDS() == 30 * DAY


@pytest.mark.parametrize("name", NAMES)
def test_reverts_without_a_contract(deploy, name):
    with boa.reverts(f"slashing_court: no {name}"):
        deploy(**{name: ZERO})


@pytest.mark.parametrize("bps", [1, 10_000])
def test_slash_within_bounds(deploy, bps):
    assert deploy(slash=bps).FALSE_ATTESTATION_BPS() == bps


@pytest.mark.parametrize("bps", [0, 10_001])
def test_reverts_on_a_slash_out_of_bounds(deploy, bps):
    with boa.reverts("slashing_court: slash out of bounds"):
        deploy(slash=bps)


@pytest.mark.parametrize("bps", [0, 10_000])
def test_reporter_share_within_bounds(deploy, bps):
    assert deploy(reporter=bps).REPORTER_BPS() == bps


def test_reverts_on_a_reporter_share_out_of_bounds(deploy):
    with boa.reverts("slashing_court: reporter share out of bounds"):
        deploy(reporter=10_001)


@pytest.mark.parametrize("seconds", [1, YEAR])
def test_jail_within_bounds(deploy, seconds):
    assert deploy(jail=seconds).JAIL_SECONDS() == seconds


@pytest.mark.parametrize("seconds", [0, YEAR + 1])
def test_reverts_on_a_jail_out_of_bounds(deploy, seconds):
    with boa.reverts("slashing_court: jail out of bounds"):
        deploy(jail=seconds)
