"""A demand policy with two classes, a price that is told, and figures that the committee signs."""

from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Any

import boa
import pytest

from oracle.domain.demand import FULL, ClassTime, Rule, State, hash_classes
from oracle.domain.messages import DeviceTime
from tests.unit.conftest import HOUR, UNIT, load, role
from tests.unit.market import load_odd

USD = UNIT
CENT = USD // 100
NOBODY = "0x" + "00" * 20
ZERO_HASH = bytes(32)
WAIT = 3
# epochs before a changed target counts
NOTICE = 2
RULE = Rule(reserve_epochs=10, burn_bps=5_000, step_bps=100, average_epochs=8, stale_bps=20)
SUBJECT = role("DeviceTime")
CONSUMER, DATACENTER = 2, 3
# ten devices of each class for a whole epoch; owed 15 and 120 cents each an hour: 13.50 USD
WHOLE = [ClassTime(CONSUMER, 10 * HOUR, 10_000), ClassTime(DATACENTER, 10 * HOUR, 10_000)]
WHOLE_USD = 13 * USD + 50 * CENT
# at 50 cents a token
WHOLE_OWED = 27 * UNIT


@pytest.fixture
def new_policy(controller: Any, committee: Any, told_prices: Any) -> Callable[..., Any]:
    """Deploy a policy; a test names what it wants otherwise."""

    def _new_policy(**changes: Any) -> Any:
        arguments = {
            "controller": controller.address,
            "committee": committee.address,
            "prices": told_prices.address,
            "rule": astuple(RULE),
            "wait_epochs": WAIT,
            "target_epochs": NOTICE,
            "first_epoch": 0,
        } | changes
        return load("DemandPolicy", *arguments.values())

    return _new_policy


@pytest.fixture
def told_prices() -> Any:
    """The work token costs 50 cents."""
    prices = load_odd("told_prices")
    prices.tell(50 * CENT, True, 0, False)
    return prices


@pytest.fixture
def demand(new_policy: Callable[..., Any]) -> Any:
    policy = new_policy()
    policy.set_target(CONSUMER, (15 * CENT, 100))
    policy.set_target(DATACENTER, (120 * CENT, 100))
    return policy


@pytest.fixture
def signed(committee_signs: Callable[..., bytes]) -> Callable[..., tuple[Any, ...]]:
    """Arguments of `post_device_time`."""

    def _signed(
        policy: Any, epoch: int, classes: Sequence[ClassTime] = WHOLE, **changes: Any
    ) -> tuple[Any, ...]:
        payload = DeviceTime(epoch, hash_classes(classes)).struct_hash()
        signatures = committee_signs(policy, SUBJECT, epoch, payload, **changes)
        return epoch, [astuple(each) for each in classes], signatures

    return _signed


@pytest.fixture
def post(demand: Any, signed: Callable[..., tuple[Any, ...]]) -> Callable[..., int]:
    """Post an epoch's figures, returns USD."""

    def _post(epoch: int, classes: Sequence[ClassTime] = WHOLE) -> int:
        return int(demand.post_device_time(*signed(demand, epoch, classes)))

    return _post


@pytest.fixture
def release(demand: Any, controller: Any) -> Callable[..., int]:
    """What the controller gets; more than enough is available."""

    def _release(epoch: int, available: int = 10**6 * UNIT) -> int:
        return int(demand.release(epoch, available, sender=controller.address))

    return _release


@pytest.fixture
def collect(demand: Any, controller: Any) -> Callable[[], int]:
    return lambda: int(demand.collect(sender=controller.address))


@pytest.fixture
def pay_fees(demand: Any, token: Any) -> Callable[[int], None]:
    """Network fees come in."""

    def _pay_fees(amount: int) -> None:
        token.transfer(demand, amount)

    return _pay_fees


@pytest.fixture
def state(demand: Any, token: Any, controller: Any) -> Callable[[], tuple[Any, ...]]:
    """Everything a call could change, as one comparable value."""

    def _state() -> tuple[Any, ...]:
        return (
            demand.next_epoch(),
            state_of(demand),
            demand.due(),
            demand.counted(),
            demand.fee_vault(),
            demand.owner(),
            [tuple(demand.target_of(each)) for each in range(5)],
            [tuple(demand.next_target(each)) for each in range(5)],
            [demand.next_target_epoch(each) for each in range(5)],
            demand.has_figures(),
            [(demand.posted(epoch), demand.owed_usd(epoch)) for epoch in range(8)],
            token.balanceOf(demand),
            token.balanceOf(controller),
            token.totalSupply(),
        )

    return _state


def state_of(policy: Any) -> State:
    """What the last paid epoch left, as its twin has it."""
    return State(*policy.state())


def fresh(**changes: Any) -> State:
    return State(**({"scale": FULL} | changes))


def pass_epochs(count: int = 1) -> None:
    boa.env.time_travel(seconds=count * HOUR)


def logged(contract: Any, name: str) -> list[tuple[Any, ...]]:
    """Fields of each event of this name in the contract's last call."""
    return [tuple(entry)[1:] for entry in contract.get_logs() if type(entry).__name__ == name]
