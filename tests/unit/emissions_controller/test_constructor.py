"""What a controller is made of, and the bounds of it."""

from collections.abc import Callable
from typing import Any

import boa
import pytest

from tests.unit.conftest import (
    BETA_BPS,
    CAP_RATIO_BPS,
    EPOCH_LENGTH,
    MAX_SUPPLY,
    ROLE_DELAY,
    UNIT,
    load,
    role,
)

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
    for name in ("VOTES", "FEES", "SUBNETS", "POLICY"):
        assert getattr(controller, name)() == role(name)
    assert (controller.beta_bps(), controller.cap_ratio_bps()) == (BETA_BPS, CAP_RATIO_BPS)
    assert controller.next_epoch() == controller.reserve() == controller.reclaimed() == 0
    assert controller.cut() == controller.vault() == 0


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
    ("change", "reason"),
    [
        ({"cap": 2**96}, "emissions_controller: cap out of bounds"),
        ({"initial": 0}, "emissions_controller: emission out of bounds"),
        ({"initial": 2**96}, "emissions_controller: emission out of bounds"),
        ({"block_seconds": 0}, "emissions_controller: block time out of bounds"),
        ({"block_seconds": 3_601}, "emissions_controller: block time out of bounds"),
        ({"epoch_length": 0}, "epoch_clock: length out of bounds"),
        ({"epoch_length": THIRTY_DAYS + 1}, "epoch_clock: length out of bounds"),
        ({"beta_bps": 5_001}, "emissions_controller: beta out of bounds"),
        ({"cap_ratio_bps": 9_501}, "emissions_controller: cap ratio out of bounds"),
    ],
)
def test_out_of_bounds(change: dict[str, int], reason: str):
    numbers = {
        "cap": 1_000,
        "epoch_length": 60,
        "initial": 1,
        "block_seconds": 12,
        "beta_bps": 5_000,
        "cap_ratio_bps": 9_500,
    } | change
    token = load("WorkToken", "Small", "SMALL", numbers.pop("cap"), [], ROLE_DELAY)
    with boa.reverts(reason):
        load("EmissionsController", token, 0, *numbers.values(), ROLE_DELAY)
