"""A row committed to under parameters that are others when it is shown: those in force decide."""

from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import boa
import pytest

from tests.unit.conftest import PARAMETER_EPOCHS
from tests.unit.subnets import Consensus, Rules, pass_epochs

ROW = ([1, 2], [65_535, 7])
SALT = b"\5" * 32


@pytest.mark.parametrize(
    ("delay", "window", "passed", "reason"),
    [
        # earlier than the committed rules had it
        (PARAMETER_EPOCHS, 2, PARAMETER_EPOCHS, None),
        # in time by the rules of the commit, not by those in force
        (PARAMETER_EPOCHS + 20, 2, PARAMETER_EPOCHS + 6, "too early to reveal"),
        (1, 2, PARAMETER_EPOCHS + 6, "too late to reveal"),
    ],
)
def test_parameters_in_force_at_the_reveal_decide(
    subnets: Any,
    create: Callable[..., int],
    enter: Callable[..., tuple[int, str]],
    subnet_owner: str,
    delay: int,
    window: int,
    passed: int,
    reason: str | None,
):
    subnet = create(rules=Rules(reveal_delay=PARAMETER_EPOCHS + 6))
    provider, owner = enter(subnet)
    for _ in range(2):
        enter(subnet)
    commit = subnets.weights_commit(subnet, provider, *ROW, SALT)
    subnets.commit_weights(subnet, provider, commit, sender=owner)
    rules = Rules(reveal_delay=delay, reveal_window=window)
    subnets.change_parameters(subnet, astuple(rules), astuple(Consensus()), sender=subnet_owner)
    pass_epochs(passed)
    if reason:
        with boa.reverts(f"subnet_registry: {reason}"):
            subnets.reveal_weights(subnet, provider, *ROW, SALT, sender=owner)
        assert subnets.commit_of(subnet, 0) == commit
    else:
        subnets.reveal_weights(subnet, provider, *ROW, SALT, sender=owner)
        assert subnets.commit_of(subnet, 0) == bytes(32)
