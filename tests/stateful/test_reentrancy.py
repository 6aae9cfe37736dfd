"""Staking around a token that calls back: every movement of tokens tries to enter again.

The token is a holder itself: it owns a provider, delegates to it, and has requests that
matured. So each call that it tries would go through at any other time.
"""

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from tests.stateful.conftest import World
from tests.stateful.test_staking import EMISSION, MAX, RoleMachine, play
from tests.unit.conftest import UNBONDING_PERIOD, UNIT

# the token's own provider: the machine plays with the first three
OWN = 4
PERMIT = (0, 27, bytes(32), bytes(32))
ATTEMPTS: tuple[tuple[Any, ...], ...] = (
    ("stake", OWN, UNIT),
    ("stake_with_permit", OWN, UNIT, *PERMIT),
    ("delegate", OWN, UNIT, 0),
    ("delegate_with_permit", OWN, UNIT, 0, *PERMIT),
    ("undelegate", OWN, UNIT),
    ("cancel_undelegation", OWN, 0, 0),
    ("withdraw_delegation", OWN, MAX),
    ("move", OWN, OWN, MAX, 0),
    ("add_rewards", OWN, UNIT, EMISSION),
    ("unbond", OWN, UNIT),
    ("cancel_unbonding", OWN, 0),
    ("withdraw", OWN, MAX),
    ("slashable", OWN),
    ("delegation_pool", OWN),
)


@pytest.fixture(scope="module")
def invested(hostile_world: World) -> World:
    """The token has stake of every kind behind its provider."""
    world = hostile_world
    token, staking = world.token, world.staking

    def act(contract: Any, name: str, *arguments: Any) -> None:
        token.act(contract, contract.encode(name, *arguments))

    token.transfer(token, 5_000 * UNIT, sender=world.thief)
    act(world.providers, "register", "0x" + "00" * 20, token.address, 0, 0, 0, "")
    for name, amount in (("stake", 1_000), ("unbond", 100)):
        act(staking, name, OWN, amount * UNIT)
    act(staking, "delegate", OWN, 500 * UNIT, 0)
    act(staking, "undelegate", OWN, 100 * UNIT)
    world.evm.time_travel(UNBONDING_PERIOD)
    return world


class ReentrancyMachine(RoleMachine):
    """Everything that RoleMachine does, while the token calls back."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.wallets[world.thief] = self.token.balanceOf(world.thief)
        self.donated = self.staking.slashable(OWN)

    def teardown(self) -> None:
        self.world.attempts += self.token.attempts()
        super().teardown()

    @rule(attempt=st.sampled_from(ATTEMPTS))
    def arm(self, attempt: tuple[Any, ...]) -> None:
        self.steps += 1
        self.token.arm(self.staking, self.staking.encode(*attempt))

    @invariant()
    def nobody_enters_twice(self) -> None:
        assert self.token.entries() == 0


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=[attempt[0] for attempt in ATTEMPTS])
def test_each_attempt_would_go_through_alone(invested, attempt):
    with invested.evm.anchor():
        invested.token.act(invested.staking, invested.staking.encode(*attempt))


def test_nobody_enters_while_tokens_move(invested, tell):
    tell(play(invested, ReentrancyMachine, examples=30, steps=40))
    assert invested.attempts > 0
