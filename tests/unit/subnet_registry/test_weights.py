"""SubnetRegistry: weights are committed to, then shown."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boa
import pytest
from eth_abi import encode

from oracle.domain.hashing import keccak
from oracle.domain.scores import CommittedRow, Row
from tests.unit.conftest import UNIT
from tests.unit.subnets import STAKE, Rules, pass_epochs

SALT = b"\5" * 32
UIDS, WEIGHTS = [0, 1, 2], [1, 65_535, 7]
DELAY, WINDOW, INTERVAL = 1, 2, 2


@pytest.fixture
def subnet(create: Callable[..., int]) -> int:
    return create()


@pytest.fixture
def validator(subnet: int, enter: Callable[..., tuple[int, str]]) -> tuple[int, str]:
    """The first of three in the subnet."""
    made = enter(subnet)
    for _ in range(2):
        enter(subnet, 100 * UNIT)
    return made


@pytest.fixture
def commit(subnets: Any, subnet: int, validator: tuple[int, str]) -> Callable[..., bytes]:
    def _commit(uids: Any = UIDS, weights: Any = WEIGHTS, salt: bytes = SALT) -> bytes:
        provider, owner = validator
        made = bytes(subnets.weights_commit(subnet, provider, uids, weights, salt))
        with boa.env.prank(owner):
            subnets.commit_weights(subnet, provider, made)
        return made

    return _commit


@pytest.fixture
def reveal(subnets: Any, subnet: int, validator: tuple[int, str]) -> Callable[..., None]:
    def _reveal(uids: Any = UIDS, weights: Any = WEIGHTS, salt: bytes = SALT) -> None:
        provider, owner = validator
        with boa.env.prank(owner):
            subnets.reveal_weights(subnet, provider, uids, weights, salt)

    return _reveal


def test_a_row_is_committed_to_then_shown(
    subnets: Any,
    subnet: int,
    validator: tuple[int, str],
    commit: Callable[..., bytes],
    reveal: Callable[..., None],
):
    provider, _ = validator
    made, at = commit(), boa.env.timestamp
    (event,) = subnets.get_logs()
    assert (event.subnet, event.provider, event.uid, event.epoch) == (subnet, provider, 0, 0)
    assert bytes(event.commit) == subnets.commit_of(subnet, 0) == made
    waiting = subnets.neuron(subnet, 0)
    assert (waiting.weights_at, waiting.committed_at, waiting.committed_epoch) == (0, at, 0)

    pass_epochs(DELAY)
    reveal()
    (event,) = subnets.get_logs()
    assert (event.subnet, event.provider, event.uid) == (subnet, provider, 0)
    assert (event.committed_at, event.uids, event.weights) == (at, UIDS, WEIGHTS)
    row = keccak(encode(["uint16[]", "uint16[]"], [UIDS, WEIGHTS]))
    assert subnets.weights_hash(subnet, 0) == row
    assert subnets.commit_of(subnet, 0) == bytes(32)
    # the row is as old as its commit: who registered since is not judged by it
    assert subnets.neuron(subnet, 0).weights_at == at


def test_the_commit_binds_chain_contract_validator_and_row(
    subnets: Any, subnet: int, validator: tuple[int, str]
):
    provider, _ = validator
    types = ["uint256", "address", "uint16", "uint24", "uint16[]", "uint16[]", "bytes32"]
    chain = boa.env.evm.patch.chain_id
    values = [chain, str(subnets.address), subnet, provider, UIDS, WEIGHTS, SALT]
    made = subnets.weights_commit(subnet, provider, UIDS, WEIGHTS, SALT)
    assert made == keccak(encode(types, values))
    # a validator makes its own without asking a node, which would see the row
    own = CommittedRow(subnet, provider, Row(tuple(UIDS), tuple(WEIGHTS)), SALT)
    assert own.commit(chain, str(subnets.address)) == made


@pytest.mark.parametrize(
    "shown",
    [
        {"uids": [0, 1]},
        {"uids": [0, 2, 1]},
        {"weights": [1, 65_535, 8]},
        {"weights": [1, 65_535]},
        {"salt": bytes(32)},
        {"uids": [], "weights": []},
    ],
)
def test_another_row_is_not_what_was_committed(
    commit: Callable[..., bytes], reveal: Callable[..., None], refused: Any, shown: Any
):
    commit()
    pass_epochs(DELAY)
    with refused("subnet_registry: not what was committed"):
        reveal(**shown)
    reveal()
    with refused("subnet_registry: not what was committed"):
        reveal()


def test_nothing_was_committed(reveal: Callable[..., None], refused: Any):
    with refused("subnet_registry: not what was committed"):
        reveal()


def test_the_window(commit: Callable[..., bytes], reveal: Callable[..., None], refused: Any):
    commit()
    with refused("subnet_registry: too early to reveal"):
        reveal()
    pass_epochs(DELAY + WINDOW - 1)
    reveal()
    pass_epochs(1)
    commit()
    pass_epochs(DELAY + WINDOW)
    with refused("subnet_registry: too late to reveal"):
        reveal()


BAD_ROWS = [
    ([0], [1], "too few weights"),
    ([0, 1], [1], "uids and weights differ in number"),
    ([0, 1, 3], [1, 1, 1], "no such uid"),
    ([1, 0], [1, 1], "uids not ascending"),
    ([1, 1], [1, 1], "uids not ascending"),
    ([0, 1], [1, 0], "weight of nothing"),
    ([0, 1], [0, 1], "weight of nothing"),
    ([], [], "too few weights"),
]


@pytest.mark.parametrize(("uids", "weights", "reason"), BAD_ROWS)
def test_rows_that_are_none(
    commit: Callable[..., bytes],
    reveal: Callable[..., None],
    refused: Any,
    uids: Any,
    weights: Any,
    reason: str,
):
    commit(uids, weights)
    pass_epochs(DELAY)
    with refused(f"subnet_registry: {reason}"):
        reveal(uids, weights)


def test_a_young_subnet_needs_fewer_entries(
    subnets: Any, create: Callable[..., int], enter: Callable[..., tuple[int, str]]
):
    subnet = create(rules=replace(Rules(), min_weights=64))
    provider, owner = enter(subnet)
    with boa.env.prank(owner):
        for uids, weights, fails in (([], [], True), ([0], [1], False)):
            made = subnets.weights_commit(subnet, provider, uids, weights, SALT)
            subnets.commit_weights(subnet, provider, made)
            pass_epochs(DELAY)
            if fails:
                with boa.reverts("subnet_registry: too few weights"):
                    subnets.reveal_weights(subnet, provider, uids, weights, SALT)
            else:
                subnets.reveal_weights(subnet, provider, uids, weights, SALT)
            pass_epochs(WINDOW)


def test_256_weights(
    subnets: Any,
    commit: Callable[..., bytes],
    reveal: Callable[..., None],
    refused: Any,
):
    uids, weights = list(range(256)), [65_535] * 256
    commit(uids, weights)
    pass_epochs(DELAY)
    with refused("subnet_registry: no such uid"):
        reveal(uids, weights)
    with boa.reverts():
        reveal([*uids, 256], [*weights, 1])


# --- who, and how often ---------------------------------------------------------------------


def test_only_who_speaks_for_a_validator_with_a_place(
    subnets: Any,
    subnet: int,
    validator: tuple[int, str],
    commit: Callable[..., bytes],
    neuron: Callable[..., tuple[int, str]],
    refused: Any,
    stranger: str,
):
    provider, _ = validator
    made = commit()
    with refused("subnet_registry: not the provider"), boa.env.prank(stranger):
        subnets.commit_weights(subnet, provider, made)
    with refused("subnet_registry: not the provider"), boa.env.prank(stranger):
        subnets.reveal_weights(subnet, provider, UIDS, WEIGHTS, SALT)
    outsider, owner = neuron()
    with refused("subnet_registry: has no place"), boa.env.prank(owner):
        subnets.commit_weights(subnet, outsider, made)
    with refused("subnet_registry: has no place"), boa.env.prank(owner):
        subnets.reveal_weights(subnet, outsider, UIDS, WEIGHTS, SALT)


def test_a_validator_needs_stake(
    subnets: Any, subnet: int, enter: Callable[..., tuple[int, str]], refused: Any
):
    poor, owner = enter(subnet, STAKE - 1)
    with refused("subnet_registry: too little stake"), boa.env.prank(owner):
        subnets.commit_weights(subnet, poor, SALT)
    rich, owner = enter(subnet, STAKE)
    with boa.env.prank(owner):
        subnets.commit_weights(subnet, rich, SALT)


def test_a_commit_of_nothing(subnets: Any, subnet: int, validator: tuple[int, str], refused: Any):
    provider, owner = validator
    with refused("subnet_registry: no commit"), boa.env.prank(owner):
        subnets.commit_weights(subnet, provider, bytes(32))


def test_how_often(commit: Callable[..., bytes], reveal: Callable[..., None], refused: Any):
    commit()
    pass_epochs(DELAY)
    with refused("subnet_registry: committed too recently"):
        commit(salt=bytes(32))
    reveal()
    with refused("subnet_registry: committed too recently"):
        commit(salt=bytes(32))
    pass_epochs(INTERVAL - DELAY)
    commit(salt=bytes(32))


def test_a_commit_waits_for_its_reveal_until_that_is_too_late(
    commit: Callable[..., bytes], reveal: Callable[..., None], refused: Any
):
    commit()
    pass_epochs(INTERVAL)
    with refused("subnet_registry: a commit waits for its reveal"):
        commit(salt=bytes(32))
    pass_epochs(DELAY + WINDOW - INTERVAL)
    commit(salt=bytes(32))
    pass_epochs(DELAY)
    reveal(salt=bytes(32))
