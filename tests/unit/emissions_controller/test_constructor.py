"""What a controller is made of, and the bounds of it."""

from collections.abc import Callable
from typing import Any

import boa
import pytest

from tests.unit.conftest import EPOCH_LENGTH, MAX_SUPPLY, ROLE_DELAY, UNIT, load, role

THIRTY_DAYS = 30 * 86_400


def test_constants(controller: Any, token: Any, deployer: str):
    assert controller.TOKEN() == token.address
    assert controller.CAP() == MAX_SUPPLY
    assert controller.INITIAL_EMISSION() == UNIT // 2
    assert controller.BLOCK_SECONDS() == 12
    assert controller.EPOCH_LENGTH() == EPOCH_LENGTH
    assert controller.ROLE_CHANGE_DELAY() == ROLE_DELAY
    assert controller.owner() == deployer
    assert controller.DISTRIBUTOR() == role("DISTRIBUTOR")
    assert controller.LEDGER() == role("LEDGER")
    assert controller.next_epoch() == controller.reserve() == controller.reclaimed() == 0


def test_the_clock_starts_at_genesis(controller: Any):
    genesis = controller.GENESIS()
    boa.env.evm.patch.timestamp = genesis
    assert controller.current_epoch() == 0
    boa.env.evm.patch.timestamp = genesis + EPOCH_LENGTH - 1
    assert controller.current_epoch() == 0
    boa.env.evm.patch.timestamp = genesis + EPOCH_LENGTH
    assert controller.current_epoch() == 1


def test_bounds_are_inclusive(deploy_controller: Callable[..., Any]):
    widest = deploy_controller(2**96 - 1, 2**96 - 1, 3_600, epoch_length=THIRTY_DAYS)
    assert widest.CAP() == widest.INITIAL_EMISSION() == 2**96 - 1
    narrowest = deploy_controller(1, 1, 1, epoch_length=1)
    assert narrowest.CAP() == 1


@pytest.mark.parametrize(
    ("cap", "initial", "block_seconds", "epoch_length", "reason"),
    [
        (2**96, 1, 12, 60, "emissions_controller: cap out of bounds"),
        (1_000, 0, 12, 60, "emissions_controller: emission out of bounds"),
        (1_000, 2**96, 12, 60, "emissions_controller: emission out of bounds"),
        (1_000, 1, 0, 60, "emissions_controller: block time out of bounds"),
        (1_000, 1, 3_601, 60, "emissions_controller: block time out of bounds"),
        (1_000, 1, 12, 0, "epoch_clock: length out of bounds"),
        (1_000, 1, 12, THIRTY_DAYS + 1, "epoch_clock: length out of bounds"),
    ],
)
def test_out_of_bounds(cap: int, initial: int, block_seconds: int, epoch_length: int, reason: str):
    token = load("WorkToken", "Small", "SMALL", cap, [], ROLE_DELAY)
    with boa.reverts(reason):
        load("EmissionsController", token, 0, epoch_length, initial, block_seconds, ROLE_DELAY)
