"""Subnets on the test market, with providers that compete and vote in them."""

from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Any

import boa
import pytest

from tests.unit.conftest import EPOCH_LENGTH, UNIT

NOBODY = "0x" + "00" * 20
STAKE = 1_000 * UNIT
SEED = b"\5" * 32


@dataclass(frozen=True)
class Rules:
    """As ISubnetRegistry has it, in its order."""

    max_uids: int = 4
    immunity_epochs: int = 3
    min_weights: int = 2
    commit_interval: int = 2
    reveal_delay: int = 1
    reveal_window: int = 2
    min_stake: int = STAKE


@dataclass(frozen=True)
class Consensus:
    """As ISubnetRegistry has it, in its order."""

    max_validators: int = 64
    kappa: int = 32_767
    bonds_moving_average: int = 900_000
    bonds_penalty: int = 65_535
    yuma: int = 3
    liquid_alpha: bool = True
    alpha_low: int = 45_875
    alpha_high: int = 58_982
    alpha_steepness: int = 1_000
    activity_cutoff: int = 24
    owner_cut_bps: int = 1_800


@pytest.fixture
def funded(market: None, token: Any, subnets: Any) -> Callable[[str], str]:
    """Give an account tokens to burn."""

    def _fund(account: str) -> str:
        token.transfer(account, 10_000 * UNIT)
        with boa.env.prank(account):
            token.approve(subnets, 2**256 - 1)
        return account

    return _fund


@pytest.fixture
def subnet_owner(funded: Callable[[str], str]) -> str:
    return funded(str(boa.env.generate_address("subnet owner")))


@pytest.fixture
def create(subnets: Any, subnet_owner: str) -> Callable[..., int]:
    """Create a subnet; by default what its owner would."""

    def _create(
        kind: int = 1,
        rules: Rules = Rules(),
        consensus: Consensus = Consensus(),
        max_price: int = 2**256 - 1,
        sender: str = "",
    ) -> int:
        with boa.env.prank(sender or subnet_owner):
            return int(subnets.create(kind, astuple(rules), astuple(consensus), max_price))

    return _create


@pytest.fixture
def neuron(
    market: None, providers: Any, staking: Any, token: Any, funded: Callable[[str], str]
) -> Callable[..., tuple[int, str]]:
    """A provider with stake, and its owner, who has tokens to burn."""
    made = 0

    def _make(stake: int = STAKE) -> tuple[int, str]:
        nonlocal made
        made += 1
        owner = funded(str(boa.env.generate_address(f"neuron {made}")))
        with boa.env.prank(owner):
            provider = int(providers.register(NOBODY, owner, 1_000, 500, 5_000, ""))
        token.approve(staking, stake)
        staking.stake(provider, stake)
        return provider, owner

    return _make


@pytest.fixture
def enter(subnets: Any, neuron: Callable[..., tuple[int, str]]) -> Callable[..., tuple[int, str]]:
    """A new provider with a place in a subnet, and its owner."""

    def _enter(subnet: int, stake: int = STAKE) -> tuple[int, str]:
        provider, owner = neuron(stake)
        with boa.env.prank(owner):
            subnets.register(subnet, provider, 2**256 - 1)
        return provider, owner

    return _enter


def pass_epochs(count: int = 1) -> None:
    """Let epochs pass."""
    boa.env.time_travel(seconds=count * EPOCH_LENGTH)
