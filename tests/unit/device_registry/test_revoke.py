"""DeviceRegistry.revoke: the court strikes a device, whoever else asks is refused."""

import boa

from .conftest import ATTESTATION_PERIOD, SMALL


def test_court_strikes_a_live_device(registry, result, record, court_holder, provider, classes):
    entry = result()
    record(entry)
    record(result("other"))
    registry.revoke(entry.device, provider, sender=court_holder)
    (event,) = registry.get_logs()
    assert type(event).__name__ == "DeviceRevoked"
    assert (event.device, event.provider) == (entry.device, provider)
    assert registry.capacity(provider, classes[0]) == 1
    assert registry.required_stake(provider) == SMALL[2]
    assert registry.device_info(entry.device).attested_until == 0


def test_nothing_happens_for_a_device_not_entered(
    registry, result, record, court_holder, provider, state_of
):
    registry.revoke(b"\x42" * 32, provider, sender=court_holder)
    assert registry.get_logs() == []

    record(result())
    registry.revoke(result().device, provider, sender=court_holder)
    before = state_of(result())
    registry.revoke(result().device, provider, sender=court_holder)
    assert registry.get_logs() == []
    assert state_of(result()) == before


def test_nothing_happens_for_a_device_of_another_provider(
    registry, result, record, court_holder, provider, rival, state_of
):
    record(result())
    before = state_of(result())
    registry.revoke(result().device, rival, sender=court_holder)
    assert registry.get_logs() == []
    assert state_of(result()) == before


def test_revoked_device_needs_a_newer_attestation(
    registry, result, record, court_holder, provider, classes, state_of
):
    record(result(), epoch=4)
    registry.revoke(result().device, provider, sender=court_holder)
    before = state_of(result())
    with boa.reverts("device_registry: attestation is not newer"):
        record(result(), epoch=4)
    assert state_of(result()) == before
    record(result(), epoch=5)
    assert registry.capacity(provider, classes[0]) == 1


def test_revoked_card_can_move_to_another_provider(
    registry, result, record, court_holder, provider, rival, classes
):
    record(result(), epoch=1)
    registry.revoke(result().device, provider, sender=court_holder)
    record(result(provider=rival), epoch=2)
    assert registry.capacity(rival, classes[0]) == 1


def test_lapsed_device_can_still_be_struck(
    registry, result, record, court_holder, provider, classes
):
    record(result())
    boa.env.time_travel(seconds=2 * ATTESTATION_PERIOD)
    registry.revoke(result().device, provider, sender=court_holder)
    assert registry.capacity(provider, classes[0]) == 0


def test_only_the_court(
    registry, result, record, court_holder, provider, deployer, stranger, state_of
):
    record(result())
    before = state_of(result())
    for caller in (deployer, stranger):
        with boa.reverts("roles: caller lacks the role"):
            registry.revoke(result().device, provider, sender=caller)
    assert state_of(result()) == before
