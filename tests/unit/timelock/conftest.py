"""A timelock that owns the committee, as after a hand-over."""

from typing import Any

import boa
import pytest
from eth_account.signers.local import LocalAccount

from tests.compiled import CONTRACTS, compiled

DAY = 86_400
MIN_DELAY = 2 * DAY
NOBODY = "0x" + "00" * 20
NO_HASH = b"\0" * 32
SALT = b"\x5a" * 32


@pytest.fixture
def proposer(watcher: LocalAccount) -> str:
    return str(watcher.address)


@pytest.fixture
def executor(customer: LocalAccount) -> str:
    return str(customer.address)


@pytest.fixture
def timelock(proposer: str, executor: str, committee: Any) -> Any:
    contract = compiled(CONTRACTS / "Timelock.vy").deploy(MIN_DELAY, [proposer], [executor], NOBODY)
    committee.transfer_ownership(contract)
    with boa.env.prank(contract.address):
        committee.accept_ownership()
    return contract


@pytest.fixture
def new_rules(committee: Any, oracles: list[LocalAccount]) -> bytes:
    """Call data: the same committee under rules version 2."""
    return bytes(committee.configure.prepare_calldata([o.address for o in oracles], 5, 2))


@pytest.fixture
def schedule(timelock: Any, committee: Any, new_rules: bytes, proposer: str):
    """Schedule the new rules; returns the operation's id."""

    def _schedule(delay: int = MIN_DELAY, *, sender: str = proposer) -> bytes:
        operation = (committee.address, 0, new_rules, NO_HASH, SALT)
        timelock.schedule(*operation, delay, sender=sender)
        return bytes(timelock.hash_operation(*operation))

    return _schedule


@pytest.fixture
def execute(timelock: Any, committee: Any, new_rules: bytes, executor: str):
    def _execute(*, sender: str = executor) -> None:
        timelock.execute(committee.address, 0, new_rules, NO_HASH, SALT, sender=sender)

    return _execute
