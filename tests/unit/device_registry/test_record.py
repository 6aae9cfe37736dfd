"""DeviceRegistry.record: what the committee signed becomes capacity, or nothing happens."""

from dataclasses import astuple, replace

import boa
import pytest

from .conftest import (
    ATTESTATION_PERIOD,
    CLASS_DELAY,
    LARGE,
    SMALL,
    STAKE,
    UNIT,
    device_of,
    identity_of,
)


def logs_of(registry, name):
    return [e for e in registry.get_logs() if type(e).__name__ == name]


# --- entering -----------------------------------------------------------------------------


def test_enters_a_device_for_the_attestation_period(
    registry, result, record, provider, classes, stranger
):
    entry = result()
    record(entry, epoch=7, sender=stranger)
    (event,) = logs_of(registry, "DeviceAttested")
    until = boa.env.evm.patch.timestamp + ATTESTATION_PERIOD
    assert (event.device, event.provider, event.device_class) == (
        entry.device,
        provider,
        classes[0],
    )
    assert (event.ops_per_second, event.memory_mb) == (1_234, 8_192)
    assert (event.attested_until, event.result, event.epoch) == (until, entry.struct_hash(), 7)
    assert event.signers == 0b0011111
    assert astuple_info(registry, entry) == (
        provider,
        classes[0],
        1_234,
        8_192,
        until,
        entry.identity,
        entry.struct_hash(),
        entry.evidence,
    )
    assert registry.attestation_epoch(entry.device) == 7
    assert registry.device_of_identity(entry.identity) == entry.device
    assert registry.capacity(provider, classes[0]) == 1
    assert registry.required_stake(provider) == SMALL[2]


def astuple_info(registry, entry):
    info = registry.device_info(entry.device)
    return tuple(info)


def test_capacity_and_stake_are_sums_over_devices(registry, result, record, provider, classes):
    small, large = classes
    for i in range(3):
        record(result(f"small {i}"))
    record(result("large", device_class=large, ops_per_second=9_000, memory_mb=40_000))
    assert registry.capacity(provider, small) == 3
    assert registry.capacity(provider, large) == 1
    assert registry.required_stake(provider) == 3 * SMALL[2] + LARGE[2]


def test_extreme_values_survive_packing(registry, result, record):
    entry = result(ops_per_second=2**64 - 1, memory_mb=2**32 - 1, elapsed_ms=2**32 - 1)
    record(entry, epoch=2**63)
    info = registry.device_info(entry.device)
    assert (info.ops_per_second, info.memory_mb) == (2**64 - 1, 2**32 - 1)
    assert registry.attestation_epoch(entry.device) == 2**63


def test_unknown_device_is_all_zero(registry):
    info = tuple(registry.device_info(b"\x77" * 32))
    assert info == (0, 0, 0, 0, 0, b"\0" * 32, b"\0" * 32, b"\0" * 32)


# --- renewing -----------------------------------------------------------------------------


def test_renewal_prolongs_and_counts_once(registry, result, record, provider, classes):
    record(result(), epoch=1)
    boa.env.time_travel(seconds=3_600)
    renewed = result(ops_per_second=2_000, evidence=b"\x09" * 32)
    record(renewed, epoch=2)
    info = registry.device_info(renewed.device)
    assert info.attested_until == boa.env.evm.patch.timestamp + ATTESTATION_PERIOD
    assert (info.ops_per_second, info.evidence) == (2_000, b"\x09" * 32)
    assert info.result == renewed.struct_hash()
    assert registry.capacity(provider, classes[0]) == 1
    assert registry.required_stake(provider) == SMALL[2]


def test_renewal_in_another_class_moves_the_device(registry, result, record, provider, classes):
    small, large = classes
    record(result(), epoch=1)
    record(result(device_class=large, ops_per_second=9_000, memory_mb=40_000), epoch=2)
    assert (registry.capacity(provider, small), registry.capacity(provider, large)) == (0, 1)
    assert registry.required_stake(provider) == LARGE[2]


def test_expired_device_comes_back(registry, result, record, provider, classes):
    entry = result()
    record(entry, epoch=1)
    boa.env.time_travel(seconds=ATTESTATION_PERIOD)
    registry.expire(entry.device)
    record(entry, epoch=2)
    assert registry.capacity(provider, classes[0]) == 1
    assert registry.required_stake(provider) == SMALL[2]


def test_lapsed_device_nobody_expired_counts_once(registry, result, record, provider, classes):
    record(result(), epoch=1)
    boa.env.time_travel(seconds=2 * ATTESTATION_PERIOD)
    record(result(), epoch=2)
    assert registry.capacity(provider, classes[0]) == 1


@pytest.mark.parametrize("epoch", [0, 4, 5])
def test_result_that_is_not_newer(result, record, state_of, epoch):
    """Also the same result again: a report is used once."""
    record(result(), epoch=5)
    before = state_of(result())
    with boa.reverts("device_registry: attestation is not newer"):
        record(result(), epoch=epoch)
    assert state_of(result()) == before


def test_expiry_does_not_make_an_old_result_new(registry, result, record, state_of):
    record(result(), epoch=5)
    boa.env.time_travel(seconds=ATTESTATION_PERIOD)
    registry.expire(result().device)
    before = state_of(result())
    with boa.reverts("device_registry: attestation is not newer"):
        record(result(), epoch=5)
    assert state_of(result()) == before


def test_hoarded_result_is_stale(registry, result, record, state_of):
    """A result kept back is worth nothing once the fleet has moved on."""
    record(result("fleet"), epoch=10)
    lag = registry.MAX_EPOCH_LAG()
    hoarded = result("hoarder")
    before = state_of(hoarded)
    with boa.reverts("device_registry: attestation is stale"):
        record(hoarded, epoch=10 - lag - 1)
    assert state_of(hoarded) == before
    record(hoarded, epoch=10 - lag)
    assert registry.next_epoch() == 11


# --- one card, one entry ------------------------------------------------------------------


def test_card_is_live_for_one_provider_at_a_time(registry, result, record, rival, state_of):
    mine = result()
    theirs = result(provider=rival)
    record(mine, epoch=1)
    assert mine.device != theirs.device
    before = state_of(mine, theirs)
    with boa.reverts("device_registry: identity is live with another provider"):
        record(theirs, epoch=2)
    boa.env.time_travel(seconds=ATTESTATION_PERIOD - 1)
    with boa.reverts("device_registry: identity is live with another provider"):
        record(theirs, epoch=2)
    assert state_of(mine, theirs) == before


def test_card_moves_on_when_its_attestation_has_run_out(
    registry, result, record, provider, rival, classes
):
    mine = result()
    theirs = result(provider=rival)
    record(mine, epoch=1)
    boa.env.time_travel(seconds=ATTESTATION_PERIOD)
    record(theirs, epoch=2)
    (event,) = logs_of(registry, "DeviceExpired")
    assert (event.device, event.provider) == (mine.device, provider)
    assert registry.capacity(provider, classes[0]) == 0
    assert registry.required_stake(provider) == 0
    assert registry.capacity(rival, classes[0]) == 1
    assert registry.device_of_identity(mine.identity) == theirs.device

    # and it can't be claimed back while it is live there
    with boa.reverts("device_registry: identity is live with another provider"):
        record(mine, epoch=3)


def test_card_that_was_expired_already_moves_on_silently(
    registry, result, record, provider, rival, classes
):
    record(result(), epoch=1)
    boa.env.time_travel(seconds=ATTESTATION_PERIOD)
    registry.expire(result().device)
    record(result(provider=rival), epoch=2)
    assert logs_of(registry, "DeviceExpired") == []
    assert registry.capacity(provider, classes[0]) == 0


def test_device_is_the_hash_of_identity_and_provider(result, record, state_of, rival):
    entry = result()
    before = state_of(entry)
    for wrong in (
        replace(entry, device=b"\x05" * 32),
        replace(entry, device=device_of(entry.identity, rival)),
        replace(entry, identity=identity_of("another card")),
    ):
        with boa.reverts("device_registry: device is not the identity's"):
            record(wrong)
    assert state_of(entry) == before


# --- the class ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"device_class": 0}, "no such class"),
        ({"device_class": 3}, "no such class"),
        ({"ops_per_second": SMALL[0] - 1}, "too slow for the class"),
        ({"memory_mb": SMALL[1] - 1}, "too little memory for the class"),
    ],
)
def test_class_must_fit(result, record, state_of, changes, reason):
    entry = result(**changes)
    before = state_of(entry)
    with boa.reverts(f"device_registry: {reason}"):
        record(entry)
    assert state_of(entry) == before


def test_exact_floor_is_enough(registry, result, record, provider, classes):
    record(result(ops_per_second=SMALL[0], memory_mb=SMALL[1]))
    assert registry.capacity(provider, classes[0]) == 1


def test_class_added_later_waits(registry, result, record, state_of, provider):
    record(result(), epoch=1)
    late = int(registry.add_class(*SMALL))
    entry = result("new card", device_class=late)
    before = state_of(entry)
    boa.env.time_travel(seconds=CLASS_DELAY - 1)
    with boa.reverts("device_registry: class is not usable yet"):
        record(entry, epoch=2)
    assert state_of(entry) == before
    boa.env.time_travel(seconds=1)
    record(entry, epoch=2)
    assert registry.capacity(provider, late) == 1


# --- the provider -------------------------------------------------------------------------


def test_stake_must_cover_all_entered_devices(
    registry, result, record, new_provider, operator, state_of, token, staking
):
    poor = new_provider(operator.address, 250 * UNIT)
    record(result("a", provider=poor))
    record(result("b", provider=poor))
    third = result("c", provider=poor)
    before = state_of(third)
    with boa.reverts("device_registry: not enough stake behind the devices"):
        record(third)
    assert state_of(third) == before
    staking.stake(poor, 50 * UNIT)
    record(third)
    assert registry.required_stake(poor) == 300 * UNIT == staking.slashable(poor)


def test_renewal_needs_the_stake_too(result, record, provider, staking, state_of, slasher):
    record(result(), epoch=1)
    nobody = "0x" + "00" * 20
    staking.slash(provider, (STAKE - SMALL[2] + 1, nobody, 0, nobody, 0), sender=slasher)
    before = state_of(result())
    with boa.reverts("device_registry: not enough stake behind the devices"):
        record(result(), epoch=2)
    assert state_of(result()) == before


def test_provider_that_does_not_exist(result, record, state_of):
    ghost = result(provider=99)
    before = state_of(ghost)
    with boa.reverts("device_registry: not enough stake behind the devices"):
        record(ghost)
    assert state_of(ghost) == before


def test_jailed_provider(result, record, provider, staking, state_of, slasher):
    now = boa.env.evm.patch.timestamp
    staking.jail(provider, now + 100, sender=slasher)
    before = state_of(result())
    with boa.reverts("device_registry: provider is jailed"):
        record(result())
    assert state_of(result()) == before
    boa.env.time_travel(seconds=101)
    record(result())


# --- the signatures -----------------------------------------------------------------------


def test_committee_must_have_signed_this_very_result(
    registry, committee_signs, result, record, state_of, oracles, committee
):
    entry = result()
    payload = entry.struct_hash()
    too_few = committee_signs(registry, entry.device, 1, payload, oracles[:4])
    other_epoch = committee_signs(registry, entry.device, 2, payload)
    other_device = committee_signs(registry, b"\x01" * 32, 1, payload)
    other_result = committee_signs(registry, entry.device, 1, result(elapsed_ms=1).struct_hash())
    other_consumer = committee_signs(committee, entry.device, 1, payload)
    before = state_of(entry)
    for signatures in (b"", too_few, other_epoch, other_device, other_result, other_consumer):
        with boa.reverts():
            record(entry, signatures=signatures)
    assert state_of(entry) == before
    record(entry)


def test_result_hash_is_the_one_of_the_python_message(registry, result):
    for entry in (result(), result(evidence=b"\0" * 32, ops_per_second=2**64 - 1)):
        assert registry.result_hash(astuple(entry)) == entry.struct_hash()
