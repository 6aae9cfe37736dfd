"""The fixtures of tests/unit/subnets.py with three subnets and somebody who takes the votes."""

from collections.abc import Callable
from typing import Any

import boa
import pytest

from tests.unit.conftest import role
from tests.unit.subnets import *  # noqa: F403 - fixtures


@pytest.fixture
def three(create: Callable[..., int]) -> int:
    """Three subnets."""
    for _ in range(3):
        create()
    return 3


@pytest.fixture
def taker(votes: Any, three: int) -> str:
    account = str(boa.env.generate_address("controller"))
    votes.set_role(role("CONTROLLER"), account)
    return account


@pytest.fixture
def take(votes: Any, taker: str) -> Callable[[], list[int]]:
    """The votes of the next epoch, which ends first if it has not."""

    def _take() -> list[int]:
        epoch = votes.next_epoch()
        if votes.current_epoch() == epoch:
            pass_epochs(1)  # noqa: F405
        with boa.env.prank(taker):
            return list(votes.take(epoch))

    return _take


@pytest.fixture
def cast(votes: Any) -> Callable[..., None]:
    def _cast(voter: tuple[int, str], *choices: tuple[int, int]) -> None:
        provider, holder = voter
        with boa.env.prank(holder):
            votes.vote(provider, list(choices))

    return _cast
