"""The market of tests/unit/market.py, and tokens as other people write them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.market import *  # noqa: F403 - fixtures
from tests.unit.market import (
    _wired,  # noqa: F401 - a fixture
    load_odd,
)

PROBE = 10_000
# as much of a token as the escrow lists
SUPPLY = 2**112 - 1


@pytest.fixture
def plain(escrow: Any) -> Callable[..., Any]:
    """A token by the book, which the owner has approved and nobody has listed."""

    def _plain(decimals: int = 18) -> Any:
        token = load_odd("plain_token", SUPPLY, decimals)
        token.approve(escrow, 2**256 - 1)
        return token

    return _plain


@pytest.fixture
def purse(escrow: Any, payer: str) -> Callable[[Any, int], None]:
    """Give the customer tokens that it lets the escrow pull."""

    def _purse(token: Any, amount: int) -> None:
        token.transfer(payer, amount)
        token.approve(escrow, amount, sender=payer)

    return _purse
