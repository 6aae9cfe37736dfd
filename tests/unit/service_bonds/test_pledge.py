"""ServiceBonds.pledge and release: devices are promised once, collateral is locked and freed.

A plain account is the job registry here.
"""

import boa
import pytest

from tests.unit.conftest import DAY, ROLE_DELAY, UNIT, role
from tests.unit.market import COLLATERAL_PER_GPU, DEVICES, SELF_BOND, logs


@pytest.fixture
def registrar(bonds, watcher):
    """Who pledges in these tests."""
    bonds.set_role(role("JOBS"), watcher.address)
    boa.env.time_travel(seconds=ROLE_DELAY)
    bonds.apply_role(role("JOBS"))
    return str(watcher.address)


@pytest.fixture
def obligation(provider, device_class, sla):
    def _obligation(gpus=1, level=sla, of=provider, device=device_class):
        return of, device, gpus, level

    return _obligation


def test_binds_and_frees(bonds, staking, provider, device_class, registrar, obligation):
    collateral = 3 * COLLATERAL_PER_GPU
    assert bonds.pledge(obligation(3), sender=registrar) == collateral
    assert logs(bonds, "Pledged") == [(provider, device_class, 3, collateral)]
    assert bonds.committed_gpus(provider, device_class) == 3
    assert staking.self_bond(provider)[:3] == (SELF_BOND, 0, collateral)
    assert bonds.collateral(obligation(3)) == collateral

    assert bonds.release(obligation(3), 0, sender=registrar) == 0
    assert logs(bonds, "Released") == [(provider, device_class, 3, collateral)]
    assert bonds.committed_gpus(provider, device_class) == 0
    # free of the job, and out of unbonding until the lock period is over
    assert staking.self_bond(provider) == (SELF_BOND, 0, 0, collateral)


@pytest.mark.parametrize("level", [2, 3, 2**16 - 1])
def test_an_unknown_sla_reverts(bonds, registrar, obligation, refused, level):
    assert bonds.sla_count() == 1
    with refused("service_bonds: unknown sla"):
        bonds.pledge(obligation(level=level), sender=registrar)


def test_no_sla_binds_devices_only(bonds, staking, provider, device_class, registrar, obligation):
    assert bonds.pledge(obligation(2, level=0), sender=registrar) == 0
    assert bonds.committed_gpus(provider, device_class) == 2
    assert staking.self_bond(provider)[:3] == (SELF_BOND, 0, 0)
    assert bonds.release(obligation(2, level=0), provider, sender=registrar) == 0
    assert bonds.committed_gpus(provider, device_class) == 0


def test_every_device_once(bonds, registrar, obligation, refused):
    bonds.pledge(obligation(DEVICES - 1), sender=registrar)
    with refused("service_bonds: not enough devices"):
        bonds.pledge(obligation(2), sender=registrar)
    bonds.pledge(obligation(1), sender=registrar)
    with refused("service_bonds: not enough devices"):
        bonds.pledge(obligation(1), sender=registrar)


def test_classes_are_counted_apart(bonds, registry, registrar, obligation, refused):
    registry.add_class(1, 1, UNIT)
    with refused("service_bonds: not enough devices"):
        bonds.pledge(obligation(1, device=2), sender=registrar)
    bonds.pledge(obligation(DEVICES), sender=registrar)


def test_the_collateral_must_be_free(bonds, registrar, obligation, refused):
    half = bonds.add_sla(SELF_BOND // 2, 0, 0, 0)
    bonds.pledge(obligation(1, level=half), sender=registrar)
    bonds.pledge(obligation(1, level=half), sender=registrar)
    with refused("provider_staking: not enough free self-bond"):
        bonds.pledge(obligation(1), sender=registrar)


def test_a_jailed_provider_reverts(bonds, staking, provider, court, registrar, obligation, refused):
    staking.jail(provider, boa.env.evm.patch.timestamp + DAY, sender=court.address)
    for level in (0, 1):
        with refused("service_bonds: provider is jailed"):
            bonds.pledge(obligation(level=level), sender=registrar)


def test_too_little_stake_for_its_devices_reverts(
    bonds, provider, slash, registrar, obligation, refused
):
    slash(provider, SELF_BOND - DEVICES * UNIT)
    bonds.pledge(obligation(1, level=0), sender=registrar)
    slash(provider, 1)
    with refused("service_bonds: not enough stake"):
        bonds.pledge(obligation(1, level=0), sender=registrar)


@pytest.mark.parametrize(("bps", "promised"), [(0, 0), (1, 10**16), (10_000, 100 * UNIT)])
def test_a_convicted_providers_promise_is_told(
    bonds, provider, registrar, obligation, bps, promised
):
    """And nothing paid: the court's slash does."""
    level = bonds.add_sla(COLLATERAL_PER_GPU, bps, 0, 0)
    for convicted, told in [(provider, promised), (0, 0), (provider + 1, 0)]:
        bonds.pledge(obligation(2, level=level), sender=registrar)
        assert bonds.release(obligation(2, level=level), convicted, sender=registrar) == told
        assert logs(bonds, "Compensated") == []


@pytest.mark.parametrize(
    "caller", ["deployer", "court", "escrow", "owner", "payer", "stranger", "jobs"]
)
def test_nobody_else(bonds, registrar, obligation, provider, request, refused, caller):
    """Not even the job registry that was replaced."""
    account = request.getfixturevalue(caller)
    account = getattr(account, "address", account)
    bonds.pledge(obligation(), sender=registrar)
    for call, arguments in [
        (bonds.pledge, []),
        (bonds.release, [0]),
        (bonds.compensate, [1, account, False]),
        (bonds.compensate, [1, account, True]),
    ]:
        with refused("roles: caller lacks the role"):
            call(obligation(), *arguments, sender=account)


def test_only_the_owner_names_the_registry(bonds, stranger, refused):
    with refused("ownable: caller is not the owner"):
        bonds.set_role(role("JOBS"), stranger, sender=stranger)


def test_roles_are_applied_only_when_scheduled(bonds, registrar):
    with boa.reverts("roles: nothing scheduled"):
        bonds.apply_role(role("JOBS"))
    assert bonds.role_holder(role("JOBS")) == registrar
