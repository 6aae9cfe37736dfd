"""DeviceRegistry.add_class: classes are data, numbered from 1 and never changed."""

import boa
import pytest

from .conftest import CLASS_DELAY, LARGE, SMALL


def test_numbers_and_remembers(registry):
    assert registry.add_class(*SMALL) == 1
    assert registry.add_class(*LARGE) == 2
    assert registry.class_count() == 2
    assert tuple(registry.class_info(1)) == SMALL
    assert tuple(registry.class_info(2)) == LARGE
    assert tuple(registry.class_info(3)) == (0, 0, 0)
    assert registry.class_usable_from(3) == 0


def test_logs_the_class(registry):
    registry.add_class(*SMALL)
    (event,) = registry.get_logs()
    assert (event.device_class, event.min_ops_per_second, event.min_memory_mb) == (1, *SMALL[:2])
    assert event.stake_per_device == SMALL[2]
    assert event.usable_from == boa.env.evm.patch.timestamp


def test_usable_at_once_before_the_first_attestation(registry):
    """That is how a deployment sets itself up."""
    registry.add_class(*SMALL)
    assert registry.class_usable_from(1) == boa.env.evm.patch.timestamp


def test_waits_after_the_first_attestation(registry, result, record):
    record(result(), epoch=0)
    number = registry.add_class(*SMALL)
    usable_from = boa.env.evm.patch.timestamp + CLASS_DELAY
    assert registry.class_usable_from(number) == usable_from


def test_extreme_terms_survive_packing(registry):
    terms = (2**64 - 1, 2**32 - 1, 2**96 - 1)
    registry.add_class(*terms)
    assert tuple(registry.class_info(1)) == terms
    assert registry.class_usable_from(1) == boa.env.evm.patch.timestamp


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ((0, 1, 1), "class without floor"),
        ((1, 1, 0), "class stake out of bounds"),
        ((1, 1, 2**96), "class stake out of bounds"),
    ],
)
def test_bounds(registry, terms, reason):
    with boa.reverts(f"device_registry: {reason}"):
        registry.add_class(*terms)
    assert registry.class_count() == 0


def test_only_the_owner(registry, stranger):
    with boa.reverts("ownable: caller is not the owner"):
        registry.add_class(*SMALL, sender=stranger)
    assert registry.class_count() == 0
