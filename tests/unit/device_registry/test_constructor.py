"""DeviceRegistry.__init__ and the digests other programs rebuild."""

from dataclasses import astuple

import boa
import pytest

from oracle.domain.messages import Commit
from tests.compiled import CONTRACTS, compiled

from .conftest import ATTESTATION_PERIOD, CLASS_DELAY, DAY

NOBODY = "0x" + "00" * 20


@pytest.fixture
def deploy(committee, staking):
    deployer = compiled(CONTRACTS / "DeviceRegistry.vy")

    def _deploy(**changes):
        arguments = {
            "committee": committee,
            "staking": staking,
            "attestation_period": ATTESTATION_PERIOD,
            "class_delay": CLASS_DELAY,
            "role_change_delay": DAY,
        } | changes
        return deployer.deploy(*arguments.values())

    return _deploy


def test_remembers_its_parameters(registry, committee, staking, deployer):
    assert registry.COMMITTEE() == committee.address
    assert registry.STAKING() == staking.address
    assert registry.ATTESTATION_PERIOD() == ATTESTATION_PERIOD
    assert registry.CLASS_DELAY() == CLASS_DELAY
    assert registry.owner() == deployer
    assert registry.class_count() == registry.next_epoch() == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"committee": NOBODY}, "no committee"),
        ({"staking": NOBODY}, "no staking"),
        ({"attestation_period": 0}, "attestation period out of bounds"),
        ({"attestation_period": 30 * DAY + 1}, "attestation period out of bounds"),
        ({"class_delay": 365 * DAY + 1}, "class delay out of bounds"),
    ],
)
def test_bounds(deploy, change, reason):
    with boa.reverts(f"device_registry: {reason}"):
        deploy(**change)


def test_accepts_the_bounds_themselves(deploy):
    target = deploy(attestation_period=30 * DAY, class_delay=0)
    assert (target.ATTESTATION_PERIOD(), target.CLASS_DELAY()) == (30 * DAY, 0)


@pytest.mark.parametrize(
    "commit",
    [
        Commit(1, b"\x01" * 32, 2, b"\x02" * 32, 128, 256, 512, 4, b"\x03" * 32),
        Commit(
            2**24 - 1,
            b"\xff" * 32,
            2**64 - 1,
            b"\xff" * 32,
            2**32 - 1,
            2**32 - 1,
            2**32 - 1,
            2**16 - 1,
            b"\xff" * 32,
        ),
        Commit(0, b"\0" * 32, 0, b"\0" * 32, 0, 0, 0, 0, b"\0" * 32),
    ],
)
def test_commit_digest_is_the_one_of_the_python_message(registry, domain_of, commit):
    assert registry.commit_digest(astuple(commit)) == commit.digest(domain_of(registry))
