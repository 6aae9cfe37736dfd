"""ServiceBonds.note_capacity: since when devices are missing."""

import boa

from tests.unit.market import DEVICES, logs


def test_the_first_note_counts(bonds, accepted_job, lose_device, provider, device_class, stranger):
    accepted_job(gpus=DEVICES)
    lose_device(provider, 0)
    now = boa.env.evm.patch.timestamp
    assert bonds.note_capacity(provider, device_class, sender=stranger) == now
    assert logs(bonds, "CapacityNoted") == [(provider, device_class, now)]
    lose_device(provider, 1)
    boa.env.time_travel(seconds=100)
    assert bonds.note_capacity(provider, device_class) == now
    assert bonds.short_since(provider, device_class) == now


def test_enough_is_noted_too(bonds, accepted_job, lose_device, attest, provider, device_class):
    accepted_job(gpus=DEVICES)
    lose_device(provider, 0)
    bonds.note_capacity(provider, device_class)
    attest(provider, 0, epoch=2)
    assert bonds.note_capacity(provider, device_class) == 0
    assert logs(bonds, "CapacityNoted") == [(provider, device_class, 0)]
    boa.env.time_travel(seconds=100)
    lose_device(provider, 0)
    assert bonds.note_capacity(provider, device_class) == boa.env.evm.patch.timestamp


def test_exactly_as_many_as_promised_are_enough(
    bonds, accepted_job, lose_device, provider, device_class
):
    accepted_job(gpus=DEVICES - 1)
    lose_device(provider, 0)
    assert bonds.note_capacity(provider, device_class) == 0
    lose_device(provider, 1)
    assert bonds.note_capacity(provider, device_class) != 0


def test_who_promised_nothing_lacks_nothing(bonds, job, provider, device_class, state):
    before = state()
    for other in [(provider, device_class + 1), (provider + 1, device_class), (0, 0)]:
        assert bonds.note_capacity(*other) == 0
    assert state() == before


def test_a_new_promise_ends_a_shortage_that_nobody_noted_the_end_of(
    bonds, accepted_job, lose_device, attest, provider, device_class
):
    accepted_job(gpus=1)
    lose_device(provider, 0)
    for number in range(1, DEVICES):
        lose_device(provider, number)
    assert bonds.note_capacity(provider, device_class) != 0
    for number in range(DEVICES):
        attest(provider, number, epoch=2)
    assert bonds.short_since(provider, device_class) != 0
    accepted_job(gpus=1)
    assert bonds.short_since(provider, device_class) == 0
