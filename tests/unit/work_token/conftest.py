"""The token alone, with an account that may mint."""

from collections.abc import Callable
from typing import Any

import boa
import pytest
from sha3 import keccak_256

MINTER = keccak_256(b"MINTER").digest()


@pytest.fixture
def minter(token: Any, deployer: str) -> str:
    """Holder of the MINTER role; on a real chain, the emissions controller."""
    address = str(boa.env.generate_address("minter"))
    token.set_role(MINTER, address, sender=deployer)
    return address


@pytest.fixture
def state(token: Any, deployer: str, stranger: str) -> Callable[[], tuple[Any, ...]]:
    """Everything a call could change, as one comparable value."""

    def _state() -> tuple[Any, ...]:
        accounts = (deployer, stranger)
        return (
            token.totalSupply(),
            token.minted(),
            token.owner(),
            [(token.balanceOf(a), token.nonces(a)) for a in accounts],
            [token.allowance(a, b) for a in accounts for b in accounts],
            token.role_holder(MINTER),
        )

    return _state
