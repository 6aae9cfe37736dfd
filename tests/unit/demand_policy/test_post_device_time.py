"""DemandPolicy.post_device_time: an epoch's figures, and what they are worth."""

from dataclasses import astuple, replace

import boa
import pytest
from eth.exceptions import Revert
from eth_abi import encode
from eth_utils import function_signature_to_4byte_selector as selector
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.domain.demand import ClassTime, Target, hash_classes, owed_usd
from oracle.domain.messages import DeviceTime, Domain, Report
from tests.unit.conftest import HOUR, UNIT, sign

from .conftest import (
    CENT,
    CONSUMER,
    DATACENTER,
    SUBJECT,
    WAIT,
    WHOLE,
    WHOLE_OWED,
    WHOLE_USD,
    logged,
    pass_epochs,
)

TARGETS = {CONSUMER: Target(15 * CENT, 100), DATACENTER: Target(120 * CENT, 100)}


def test_figures_are_worth_the_targets(demand, post, stranger, signed):
    pass_epochs()
    assert demand.post_device_time(*signed(demand, 0), sender=stranger) == WHOLE_USD
    report_hash = DeviceTime(0, hash_classes(WHOLE)).struct_hash()
    assert logged(demand, "DeviceTimePosted") == [(0, report_hash, WHOLE_USD, 0b0011111)]
    assert demand.posted(0) == report_hash
    assert demand.owed_usd(0) == WHOLE_USD


@pytest.mark.parametrize(
    "classes",
    [[], WHOLE, [ClassTime(2**16 - 1, 2**64 - 1, 2**16 - 1)] * 64],
)
@pytest.mark.parametrize("epoch", [0, 1, 2**64 - 1])
def test_struct_hash_is_the_one_of_the_python_message(demand, classes, epoch):
    expected = DeviceTime(epoch, hash_classes(classes)).struct_hash()
    assert demand.report_hash(epoch, [astuple(each) for each in classes]) == expected


@pytest.mark.parametrize(
    ("classes", "usd"),
    [
        ([], 0),
        ([ClassTime(DATACENTER, 0, 10_000)], 0),
        ([ClassTime(DATACENTER, HOUR, 0)], 0),
        ([ClassTime(DATACENTER, HOUR, 1)], 120 * CENT // 10_000),
        ([ClassTime(DATACENTER, 1, 10_000)], 120 * CENT // HOUR),
        # a second at a bps: rounded down
        ([ClassTime(CONSUMER, 1, 1)], 15 * CENT // (HOUR * 10_000)),
        # as many devices as the target allows, and one second more
        ([ClassTime(CONSUMER, 100 * HOUR, 10_000)], 1_500 * CENT),
        ([ClassTime(CONSUMER, 100 * HOUR + 1, 10_000)], 1_500 * CENT),
        ([ClassTime(CONSUMER, 2**64 - 1, 10_000)], 1_500 * CENT),
        # no target
        ([ClassTime(1, HOUR, 10_000), ClassTime(2**16 - 1, 2**64 - 1, 10_000)], 0),
    ],
)
def test_what_figures_are_worth(demand, post, classes, usd):
    pass_epochs()
    assert post(0, classes) == usd == owed_usd(classes, TARGETS, HOUR)
    assert demand.owed_usd(0) == usd
    assert demand.posted(0) != bytes(32)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    times=st.dictionaries(
        st.integers(1, 2**16 - 1) | st.sampled_from([1, CONSUMER, DATACENTER]),
        st.tuples(st.integers(0, 2**64 - 1) | st.integers(0, 200 * HOUR), st.integers(0, 10_000)),
        max_size=8,
    )
)
def test_worth_is_the_twins(demand, post, times):
    classes = [ClassTime(number, *time) for number, time in sorted(times.items())]
    with boa.env.anchor():
        pass_epochs()
        assert post(0, classes) == owed_usd(classes, TARGETS, HOUR)


def test_the_largest_figures_fit(demand, post, release):
    pass_epochs(1 + WAIT)
    classes = [ClassTime(number, 2**64 - 1, 10_000) for number in range(1, 65)]
    for number in range(1, 65):
        demand.set_target(number, (1_000 * 10**18, 10_000_000))
    usd = 64 * 1_000 * 10**18 * 10_000_000
    assert [post(epoch, classes) for epoch in range(1 + WAIT)] == [usd] * (1 + WAIT)
    assert release(WAIT, 2**96 - 1) == 2**96 - 1
    ((_, paid, *_),) = logged(demand, "Paid")
    assert paid == (1 + WAIT) * usd


def test_every_class_there_is_room_for(demand, post):
    pass_epochs()
    assert post(0, [ClassTime(number, HOUR, 10_000) for number in range(1, 65)]) == 135 * CENT


def test_later_targets_do_not_change_what_was_posted(demand, post):
    pass_epochs(2)
    post(0)
    demand.set_target(DATACENTER, (0, 0))
    assert demand.owed_usd(0) == WHOLE_USD
    assert post(1) == WHOLE_USD


def test_twice(demand, post, signed, refused):
    pass_epochs()
    post(0)
    for classes in (WHOLE, []):
        with refused("demand_policy: epoch has figures"):
            demand.post_device_time(*signed(demand, 0, classes))


def test_twice_with_nothing(demand, post, signed, refused):
    pass_epochs()
    post(0, [])
    with refused("demand_policy: epoch has figures"):
        demand.post_device_time(*signed(demand, 0))


def test_too_early(demand, signed, refused, genesis, post):
    pass_epochs(2)
    for epoch in (2, 3, 2**64 - 1):
        with refused("demand_policy: epoch has not ended"):
            demand.post_device_time(*signed(demand, epoch))
    assert post(1) == WHOLE_USD


def test_the_last_moment(demand, release, post):
    pass_epochs(WAIT + 1)
    release(WAIT - 1)
    assert post(0) == WHOLE_USD
    assert release(WAIT, 10**6 * UNIT) == WHOLE_OWED


def test_too_late(demand, signed, refused, release, post):
    pass_epochs(WAIT + 1)
    release(WAIT)
    with refused("demand_policy: too late"):
        demand.post_device_time(*signed(demand, 0))
    assert post(1) == WHOLE_USD


def test_before_the_first_epoch(new_policy, signed):
    policy = new_policy(first_epoch=WAIT + 1)
    pass_epochs(WAIT + 1)
    with boa.reverts("demand_policy: too late"):
        policy.post_device_time(*signed(policy, 0))
    assert policy.posted(0) == bytes(32)


def test_classes_not_ascending(demand, signed, refused):
    pass_epochs()
    for numbers in ([0], [CONSUMER, CONSUMER], [DATACENTER, CONSUMER], [1, 3, 2]):
        classes = [ClassTime(number, HOUR, 10_000) for number in numbers]
        with refused("demand_policy: classes not ascending"):
            demand.post_device_time(*signed(demand, 0, classes))


def test_more_than_always_available(demand, signed, refused):
    pass_epochs()
    for availability in (10_001, 2**16 - 1):
        with refused("demand_policy: availability out of bounds"):
            demand.post_device_time(*signed(demand, 0, [ClassTime(1, 0, availability)]))


def test_too_many_classes(demand, signed, state):
    """The ABI decoder refuses the list before the contract sees it."""
    pass_epochs()
    call = "post_device_time(uint64,(uint16,uint64,uint16)[],bytes)"

    def post_many(count: int) -> None:
        classes = [ClassTime(number, HOUR, 10_000) for number in range(1, count + 1)]
        arguments = encode(
            ["uint64", "(uint16,uint64,uint16)[]", "bytes"], signed(demand, 0, classes)
        )
        boa.env.raw_call(demand.address, data=selector(call) + arguments)

    before = state()
    with pytest.raises(Revert):
        post_many(65)
    assert state() == before
    post_many(64)
    assert demand.owed_usd(0) == 135 * CENT


# --- signatures ---------------------------------------------------------------------------


def test_other_figures_than_signed(demand, signed, refused):
    pass_epochs(2)
    epoch, classes, signatures = signed(demand, 0)
    with refused("oracle_committee: unknown signer"):
        demand.post_device_time(epoch, classes[:1], signatures)
    with refused("oracle_committee: unknown signer"):
        demand.post_device_time(1, classes, signatures)


def test_strangers_signatures(demand, signed, refused, customer, oracles):
    pass_epochs()
    signers = sorted([*oracles[:4], customer], key=lambda account: int(account.address, 16))
    with refused("oracle_committee: unknown signer"):
        demand.post_device_time(*signed(demand, 0, signers=signers))


def test_too_few_signatures(demand, signed, refused, oracles):
    pass_epochs()
    for count in (0, 1, 4):
        with refused("oracle_committee: wrong signature count"):
            demand.post_device_time(*signed(demand, 0, signers=oracles[:count]))


def test_signed_for_another_policy(demand, new_policy, signed, refused):
    pass_epochs()
    epoch, classes, signatures = signed(new_policy(), 0)
    with refused("oracle_committee: unknown signer"):
        demand.post_device_time(epoch, classes, signatures)


def test_signed_on_another_chain(demand, committee, oracles, refused):
    pass_epochs()
    payload = DeviceTime(0, hash_classes(WHOLE)).struct_hash()
    report = Report(committee.config_digest(), demand.address, SUBJECT, 0, payload)
    foreign = Domain(boa.env.evm.patch.chain_id + 1, committee.address)
    signatures = b"".join(sign(oracle, report, foreign) for oracle in oracles[:5])
    with refused("oracle_committee: unknown signer"):
        demand.post_device_time(0, [astuple(each) for each in WHOLE], signatures)


def test_signed_by_another_committee(demand, committee, oracles, domain_of, refused):
    pass_epochs()
    payload = DeviceTime(0, hash_classes(WHOLE)).struct_hash()
    report = Report(committee.config_digest(), demand.address, SUBJECT, 0, payload)
    for other in (replace(report, config=bytes(32)), replace(report, subject=bytes(32))):
        signatures = b"".join(sign(oracle, other, domain_of(committee)) for oracle in oracles[:5])
        with refused("oracle_committee: unknown signer"):
            demand.post_device_time(0, [astuple(each) for each in WHOLE], signatures)
