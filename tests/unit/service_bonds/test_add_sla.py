"""ServiceBonds.add_sla: what a service level can promise."""

import boa
import pytest

from tests.unit.conftest import DAY
from tests.unit.market import logs


@pytest.mark.parametrize(
    "terms", [(0, 0, 0, 0), (1, 1, 1, 1), (2**128 - 1, 10_000, 10_000, 30 * DAY)]
)
def test_levels_are_numbered_from_one(bonds, sla, terms):
    assert sla == 1
    assert bonds.add_sla(*terms) == 2
    assert logs(bonds, "SlaAdded") == [(2, *terms)]
    assert bonds.sla_count() == 2
    assert bonds.sla_terms(2) == terms


def test_nothing_is_promised_by_level_zero(bonds, sla):
    assert bonds.sla_terms(0) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ((1, 10_001, 0, 0), "compensation > 100 %"),
        ((1, 0, 10_001, 0), "uptime > 100 %"),
        ((1, 0, 0, 30 * DAY + 1), "grace too long"),
    ],
)
def test_what_can_not_be_promised_reverts(bonds, sla, refused, terms, reason):
    with refused(f"service_bonds: {reason}"):
        bonds.add_sla(*terms)


def test_only_the_owner(bonds, sla, stranger, guardian, refused):
    for caller in (stranger, guardian):
        with refused("ownable: caller is not the owner"):
            bonds.add_sla(1, 1, 0, 0, sender=caller)


def test_ownership_passes_in_two_steps(bonds, deployer, stranger):
    bonds.transfer_ownership(stranger)
    assert bonds.owner() == deployer
    bonds.accept_ownership(sender=stranger)
    assert bonds.owner() == stranger
    with boa.reverts("ownable: caller is not the owner"):
        bonds.add_sla(1, 1, 0, 0, sender=deployer)
