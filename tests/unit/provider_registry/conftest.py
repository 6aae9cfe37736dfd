"""The registry alone: one provider, and people who would like to be it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import boa
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
def refused(providers: Any) -> Callable[[str], AbstractContextManager[None]]:
    """Expect a revert with this reason that changes nothing."""

    def state() -> list[Any]:
        ids = range(1, providers.provider_count() + 2)
        return [
            (
                providers.provider_info(p),
                providers.pending_reporter_cut(p),
                providers.offered_to(p),
            )
            for p in ids
        ]

    @contextmanager
    def _refused(reason: str) -> Iterator[None]:
        before = state()
        with boa.reverts(reason):
            yield
        assert state() == before

    return _refused
