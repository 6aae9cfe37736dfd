"""DeviceRegistry.expire: anyone lowers capacity once an attestation has run out."""

import boa

from .conftest import ATTESTATION_PERIOD, SMALL


def test_anyone_expires_a_lapsed_device(registry, result, record, provider, classes, stranger):
    entry, other = result(), result("other")
    record(entry)
    record(other)
    boa.env.time_travel(seconds=ATTESTATION_PERIOD)
    registry.expire(entry.device, sender=stranger)
    (event,) = registry.get_logs()
    assert (event.device, event.provider) == (entry.device, provider)
    assert registry.capacity(provider, classes[0]) == 1
    assert registry.required_stake(provider) == SMALL[2]
    info = registry.device_info(entry.device)
    assert (info.attested_until, info.provider) == (0, provider)
    assert registry.attestation_epoch(entry.device) == 1


def test_live_device_stays(registry, result, record, state_of):
    record(result())
    boa.env.time_travel(seconds=ATTESTATION_PERIOD - 1)
    before = state_of(result())
    with boa.reverts("device_registry: device is live"):
        registry.expire(result().device)
    assert state_of(result()) == before


def test_device_goes_once(registry, result, record, state_of):
    record(result())
    boa.env.time_travel(seconds=ATTESTATION_PERIOD)
    registry.expire(result().device)
    before = state_of(result())
    for device in (result().device, b"\x42" * 32):
        with boa.reverts("device_registry: device is not entered"):
            registry.expire(device)
    assert state_of(result()) == before
