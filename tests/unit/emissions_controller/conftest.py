"""Small controllers, each with a token and a distributor of its own, and the whole market."""

from collections.abc import Callable
from typing import Any

import boa
import pytest

from oracle.domain.emission import Schedule
from tests.compiled import CONTRACTS, compiled
from tests.unit.conftest import BETA_BPS, CAP_RATIO_BPS, DAY, EPOCH_LENGTH, ROLE_DELAY, load, role
from tests.unit.reward_market import RewardMarket


@pytest.fixture
def deploy_controller(deployer: str, ledger: Any, staking: Any) -> Callable[..., Any]:
    """A controller that may mint its own token; its distributor is wired unless told not to."""

    def _deploy(
        cap: int,
        initial: int,
        block_seconds: int,
        *,
        allocated: int = 0,
        epoch_length: int = EPOCH_LENGTH,
        genesis: int | None = None,
        wired: bool = True,
    ) -> Any:
        allocations = [(deployer, allocated)] if allocated else []
        token = load("WorkToken", "Small", "SMALL", cap, allocations, ROLE_DELAY)
        start = boa.env.evm.patch.timestamp if genesis is None else genesis
        controller = load(
            "EmissionsController",
            token,
            start,
            epoch_length,
            initial,
            block_seconds,
            BETA_BPS,
            CAP_RATIO_BPS,
            ROLE_DELAY,
        )
        token.set_role(role("MINTER"), controller)
        distributor = load(
            "RewardDistributor", token, ledger, controller, staking, DAY, 0, 0, ROLE_DELAY
        )
        if wired:
            controller.set_role(role("DISTRIBUTOR"), distributor)
        return controller

    return _deploy


@pytest.fixture
def token_of() -> Callable[[Any], Any]:
    """The token a controller emits."""
    return lambda controller: compiled(CONTRACTS / "WorkToken.vy").at(controller.TOKEN())


@pytest.fixture
def small(deploy_controller: Callable[..., Any]) -> Any:
    """Cap 1 000, 7 units per 12 seconds, epochs of a minute: 35 units in the first epoch."""
    return deploy_controller(1_000, 7, 12, epoch_length=60)


@pytest.fixture
def distributor_of() -> Callable[[Any], Any]:
    """The distributor that a controller pays."""
    return lambda controller: compiled(CONTRACTS / "RewardDistributor.vy").at(
        controller.role_holder(role("DISTRIBUTOR"))
    )


@pytest.fixture
def schedule_of() -> Callable[[Any], Schedule]:
    """The same constants in Python."""

    def _schedule(controller: Any) -> Schedule:
        return Schedule(controller.CAP(), controller.INITIAL_EMISSION(), controller.BLOCK_SECONDS())

    return _schedule


@pytest.fixture
def rewards(
    market: None, token: Any, controller: Any, ledger: Any, distributor: Any, committee_signs: Any
) -> RewardMarket:
    return RewardMarket(token, controller, ledger, distributor, committee_signs)
