"""ServiceBonds's constructor."""

import boa
import pytest

from tests.compiled import CONTRACTS, compiled
from tests.unit.conftest import ROLE_DELAY, role

ZERO = "0x" + "00" * 20
# position of each constructor argument
STAKING, REGISTRY, CLUSTERS, COMMITTEE = range(4)


@pytest.fixture
def arguments(staking, registry, clusters, committee):
    return [staking, registry, clusters, committee, ROLE_DELAY]


@pytest.fixture(scope="module")
def contract():
    return compiled(CONTRACTS / "ServiceBonds.vy")


def test_keeps_what_it_was_given(contract, arguments, token, deployer):
    bonds = contract.deploy(*arguments)
    assert [
        bonds.STAKING(),
        bonds.REGISTRY(),
        bonds.CLUSTERS(),
        bonds.COMMITTEE(),
        bonds.ROLE_CHANGE_DELAY(),
    ] == [getattr(argument, "address", argument) for argument in arguments]
    assert bonds.TOKEN() == token.address
    assert bonds.owner() == deployer
    assert bonds.sla_count() == 0
    assert bonds.role_holder(role("JOBS")) == ZERO


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        (STAKING, "no staking"),
        (REGISTRY, "no registry"),
        (CLUSTERS, "no clusters"),
        (COMMITTEE, "no committee"),
    ],
)
def test_what_can_not_work_reverts(contract, arguments, position, reason):
    arguments[position] = ZERO
    with boa.reverts(f"service_bonds: {reason}"):
        contract.deploy(*arguments)
