"""The market with a staked provider, and shorthand for whole epochs."""

from collections.abc import Callable
from typing import Any

import boa
import pytest
from eth_account.signers.local import LocalAccount

from tests.unit.conftest import UNIT
from tests.unit.reward_market import RewardMarket

SELF_BOND = 1_000 * UNIT
COMMISSION_BPS = 1_000


@pytest.fixture
def rewards(
    market: None, token: Any, controller: Any, ledger: Any, distributor: Any, committee_signs: Any
) -> RewardMarket:
    return RewardMarket(token, controller, ledger, distributor, committee_signs)


@pytest.fixture
def register(
    providers: Any, market: None, token: Any, staking: Any, operator: LocalAccount, deployer: str
) -> Callable[..., int]:
    """Make an account a provider with a self-bond and a tenth of emission as commission."""

    def _register(owner: LocalAccount, payout: str, operator_key: str) -> int:
        with boa.env.prank(owner.address):
            provider = providers.register(operator_key, payout, COMMISSION_BPS, 500, 5_000, "")
        token.approve(staking, SELF_BOND)
        staking.stake(provider, SELF_BOND)
        return int(provider)

    return _register


@pytest.fixture
def provider(
    register: Callable[..., int], provider_owner: LocalAccount, operator: LocalAccount, payout: str
) -> int:
    return register(provider_owner, payout, operator.address)


@pytest.fixture
def court_account(market: None, distributor: Any, court: Any) -> str:
    """The slashing court, to be pranked."""
    return str(court.address)


@pytest.fixture
def jail(staking: Any, court_account: str) -> Callable[[int, int], None]:
    """The court jails a provider until a time."""

    def _jail(provider: int, until: int) -> None:
        with boa.env.prank(court_account):
            staking.jail(provider, until)

    return _jail
