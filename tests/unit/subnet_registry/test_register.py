"""SubnetRegistry.register: who gets a place, what it costs, and who leaves for it."""

from collections.abc import Callable
from typing import Any

import boa
import pytest

from tests.unit.conftest import DAY, UID_PRICE

FLOOR = UID_PRICE[0]


@pytest.fixture
def subnet(create: Callable[..., int]) -> int:
    return create()


def test_places_are_numbered_as_they_are_taken(
    subnets: Any, subnet: int, enter: Callable[..., tuple[int, str]], token: Any
):
    first, _ = enter(subnet)
    (event,) = [e for e in subnets.get_logs() if type(e).__name__ == "Registered"]
    assert (event.subnet, event.provider, event.uid) == (subnet, first, 0)
    assert (event.replaced, event.burnt) == (0, FLOOR)
    second, _ = enter(subnet)
    assert subnets.uid_of(subnet, first) == (0, True)
    assert subnets.uid_of(subnet, second) == (1, True)
    assert subnets.uid_count(subnet) == 2
    held = subnets.neuron(subnet, 1)
    assert (held.provider, held.registered_at, held.registered_epoch) == (
        second,
        boa.env.timestamp,
        0,
    )
    assert (held.weights_at, held.committed_at, held.committed_epoch) == (0, 0, 0)


def test_whoever_has_no_place(subnets: Any, subnet: int, neuron: Callable[..., tuple[int, str]]):
    provider, _ = neuron()
    assert subnets.uid_of(subnet, provider) == (0, False)
    assert set(subnets.neuron(subnet, 0)) == {0}


def test_a_sale_raises_the_price_of_this_subnet_alone(
    subnets: Any, subnet: int, create: Callable[..., int], enter: Callable[..., tuple[int, str]]
):
    other = create()
    enter(subnet)
    assert subnets.uid_price(subnet) == 11 * FLOOR // 10
    assert subnets.uid_price(other) == FLOOR
    boa.env.time_travel(seconds=DAY // 2)
    assert subnets.uid_price(subnet) == 105 * FLOOR // 100
    boa.env.time_travel(seconds=DAY // 2)
    assert subnets.uid_price(subnet) == FLOOR


def test_what_is_refused(
    subnets: Any,
    subnet: int,
    neuron: Callable[..., tuple[int, str]],
    refused: Any,
    stranger: str,
    staking: Any,
    court: Any,
):
    provider, owner = neuron()
    with refused("subnet_registry: not the provider"), boa.env.prank(stranger):
        subnets.register(subnet, provider, 2**256 - 1)
    for none in (0, subnet + 1, 2**16 - 1):
        with refused("subnet_registry: no such subnet"), boa.env.prank(owner):
            subnets.register(none, provider, 2**256 - 1)
    with refused("subnet_registry: price above the maximum"), boa.env.prank(owner):
        subnets.register(subnet, provider, FLOOR - 1)
    with boa.env.prank(owner):
        subnets.register(subnet, provider, FLOOR)
    with refused("subnet_registry: has a place"), boa.env.prank(owner):
        subnets.register(subnet, provider, 2**256 - 1)

    jailed, owner = neuron()
    with boa.env.prank(court.address):
        staking.jail(jailed, boa.env.timestamp + DAY)
    with refused("subnet_registry: provider is jailed"), boa.env.prank(owner):
        subnets.register(subnet, jailed, 2**256 - 1)


def test_a_place_in_each_subnet(
    subnets: Any, subnet: int, create: Callable[..., int], enter: Callable[..., tuple[int, str]]
):
    other = create()
    provider, owner = enter(subnet)
    with boa.env.prank(owner):
        assert subnets.register(other, provider, 2**256 - 1) == 0
    assert subnets.uid_of(other, provider) == (0, True)
