"""The fixtures of tests/unit/subnets.py, and what an arena on the contracts needs."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.conftest import wire_split
from tests.unit.reward_market import RewardMarket
from tests.unit.subnets import *  # noqa: F403 - fixtures


@pytest.fixture
def contracts(providers: Any, staking: Any, subnets: Any, votes: Any) -> dict[str, Any]:
    """What an arena's people call, by name."""
    return {
        "ProviderRegistry": providers,
        "ProviderStaking": staking,
        "SubnetRegistry": subnets,
        "SubnetVotes": votes,
    }


@pytest.fixture
def split(
    market: None, controller: Any, subnets: Any, contracts: dict[str, Any]
) -> Callable[[Any], None]:
    """Have budgets split by votes, and by the fees of this meter."""

    def _split(meter: Any) -> None:
        wire_split(controller, subnets, contracts["SubnetVotes"], meter)

    return _split


@pytest.fixture
def rewards(
    market: None, token: Any, controller: Any, ledger: Any, distributor: Any, committee_signs: Any
) -> RewardMarket:
    return RewardMarket(token, controller, ledger, distributor, committee_signs)
