"""The registry alone: one provider, and people who would like to be it."""

from collections.abc import Callable
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount


@pytest.fixture
def owner(provider_owner: LocalAccount) -> str:
    return str(provider_owner.address)


@pytest.fixture
def alice(delegator: LocalAccount) -> str:
    """Somebody else, who may become a provider or take one over."""
    return str(delegator.address)


@pytest.fixture
def registered(providers: Any, owner: str, operator: LocalAccount, payout: str) -> int:
    """A provider: 10 % of emission, 5 % of jobs, half of a slash to reporters."""
    return int(
        providers.register(
            operator.address, payout, 1_000, 500, 5_000, "https://gpu.example", sender=owner
        )
    )


@pytest.fixture
def state(providers: Any) -> Callable[[], list[Any]]:
    """Everything a call could change, as one comparable value."""

    def _state() -> list[Any]:
        return [
            (
                providers.provider_info(p),
                providers.pending_reporter_cut(p),
                providers.offered_to(p),
            )
            for p in range(1, providers.provider_count() + 2)
        ]

    return _state
