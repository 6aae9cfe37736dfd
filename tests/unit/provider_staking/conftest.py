"""Staking alone: one provider with self-bond, people with tokens, holders of both roles."""

from collections.abc import Callable
from typing import Any

import boa
import pytest
from eth_account.signers.local import LocalAccount
from sha3 import keccak_256

UNIT = 10**18
DAY = 86_400
ZERO = "0x" + "00" * 20
PURSE = 10_000 * UNIT


def role(name: str) -> bytes:
    return keccak_256(name.encode()).digest()


@pytest.fixture
def owner(provider_owner: LocalAccount) -> str:
    return str(provider_owner.address)


@pytest.fixture
def alice(delegator: LocalAccount) -> str:
    """A delegator."""
    return str(delegator.address)


@pytest.fixture
def bob(watcher: LocalAccount) -> str:
    """Another delegator."""
    return str(watcher.address)


@pytest.fixture
def victim(customer: LocalAccount) -> str:
    return str(customer.address)


@pytest.fixture
def reporter() -> str:
    return str(boa.env.generate_address("reporter"))


@pytest.fixture
def slasher(staking: Any) -> str:
    """Holder of SLASHER; on a real chain, the court."""
    address = str(boa.env.generate_address("slasher"))
    staking.set_role(role("SLASHER"), address)
    return address


@pytest.fixture
def locker(staking: Any) -> str:
    """Holder of LOCKER; on a real chain, the escrow."""
    address = str(boa.env.generate_address("locker"))
    staking.set_role(role("LOCKER"), address)
    return address


@pytest.fixture(autouse=True)
def purses(token: Any, staking: Any, owner: str, alice: str, bob: str) -> None:
    """Whoever stakes has tokens and has approved the contract."""
    for account in (owner, alice, bob):
        token.transfer(account, PURSE)
        token.approve(staking, 2**256 - 1, sender=account)
    token.approve(staking, 2**256 - 1)


@pytest.fixture
def registered(
    providers: Any, staking: Any, owner: str, operator: LocalAccount, payout: str
) -> int:
    """A provider without stake: 10 % of emission, 5 % of jobs, half of a slash to reporters."""
    return int(
        providers.register(
            operator.address, payout, 1_000, 500, 5_000, "https://gpu.example", sender=owner
        )
    )


@pytest.fixture
def provider(staking: Any, registered: int, owner: str) -> int:
    """A provider with 1 000 tokens of self-bond."""
    staking.stake(registered, 1_000 * UNIT, sender=owner)
    return registered


@pytest.fixture
def state(
    providers: Any,
    token: Any,
    staking: Any,
    owner: str,
    payout: str,
    alice: str,
    bob: str,
    victim: str,
) -> Callable[[], tuple[Any, ...]]:
    """Everything a call could change, as one comparable value."""

    def _state() -> tuple[Any, ...]:
        ids = range(1, providers.provider_count() + 1)
        holders = (owner, alice, bob)
        return (
            token.totalSupply(),
            [token.balanceOf(a) for a in (*holders, payout, victim, staking.address)],
            [
                (
                    providers.provider_info(p),
                    providers.pending_reporter_cut(p),
                    staking.self_bond(p),
                    staking.unbondings(p),
                    staking.delegation_pool(p),
                    [(staking.delegation(p, a), staking.undelegations(p, a)) for a in holders],
                )
                for p in ids
            ],
        )

    return _state


@pytest.fixture
def slash(staking: Any, slasher: str) -> Callable[..., int]:
    """Slash a provider; what nobody is named for is burnt."""

    def _slash(
        provider: int,
        amount: int,
        victim: str = ZERO,
        victim_amount: int = 0,
        reporter: str = ZERO,
        reporter_amount: int = 0,
    ) -> int:
        order = (amount, victim, victim_amount, reporter, reporter_amount)
        return int(staking.slash(provider, order, sender=slasher))

    return _slash


@pytest.fixture
def solvent(providers: Any, token: Any, staking: Any) -> Callable[[], bool]:
    """Whether the contract holds exactly what all pools together say it does."""

    def _solvent() -> bool:
        owed = sum(staking.slashable(p) for p in range(1, providers.provider_count() + 1))
        return bool(token.balanceOf(staking) == owed)

    return _solvent
