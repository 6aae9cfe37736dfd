"""The market of tests/unit/market.py, and somebody who takes the fees."""

from collections.abc import Callable
from typing import Any

import boa
import pytest

from tests.unit.conftest import role
from tests.unit.market import *  # noqa: F403 - fixtures
from tests.unit.market import _wired  # noqa: F401 - a fixture
from tests.unit.told_source import Source

IN_WORK = "in_work(address,uint256)"


@pytest.fixture
def taker(meter: Any) -> str:
    account = str(boa.env.generate_address("taker"))
    meter.set_role(role("CONTROLLER"), account)
    return account


@pytest.fixture
def take(meter: Any, taker: str) -> Callable[..., list[int]]:
    def _take(**limits: int) -> list[int]:
        return list(meter.take(sender=taker, **limits))

    return _take


@pytest.fixture
def told_prices(meter: Any) -> Source:
    """Says what an amount is worth; nothing yet."""
    source = Source()
    source.number(IN_WORK, 0)
    meter.set_role(role("PRICES"), source.contract)
    return source


@pytest.fixture
def earn(accepted_job: Callable[..., int], settle: Callable[..., None]) -> Callable[..., None]:
    """A job in a market pays for so many GPU-seconds, two base units each; the fee is 3 %."""

    def _earn(gpu_seconds: int, **market: Any) -> None:
        settle(accepted_job(**market), gpu_seconds)

    return _earn
