"""Staking with three providers and everybody who could want something from them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boa
import pytest

from tests.unit.conftest import (  # noqa: F401 - fixtures
    UNIT,
    deployer,
    role,
    staking,
    token,
)

PURSE = 60_000 * UNIT
# bps of a slash that a reporter gets at most, and of emission that the provider keeps
TERMS = ((5_000, 1_000), (0, 0), (10_000, 10_000))


@dataclass
class World:
    """The contracts, the actors, and a tally of what the machines did."""

    token: Any
    staking: Any
    owners: list[str]
    payouts: list[str]
    delegators: list[str]
    court: str
    escrow: str
    thief: str
    victim: str
    reporter: str
    steps: int = 0
    longest: int = 0


@pytest.fixture(scope="module")
def world(token: Any, staking: Any) -> Iterator[World]:  # noqa: F811 - fixtures
    """Three providers without stake; provider n belongs to owner n - 1."""

    def actor(name: str) -> str:
        return str(boa.env.generate_address(name))

    with boa.env.anchor():
        made = World(
            token=token,
            staking=staking,
            owners=[actor(f"owner {i}") for i in range(len(TERMS))],
            payouts=[actor(f"payout {i}") for i in range(len(TERMS))],
            delegators=[actor(f"delegator {i}") for i in range(5)],
            court=actor("court"),
            escrow=actor("escrow"),
            thief=actor("thief"),
            victim=actor("victim"),
            reporter=actor("reporter"),
        )
        staking.set_role(role("SLASHER"), made.court)
        staking.set_role(role("LOCKER"), made.escrow)
        for owner, payout, (reporter_bps, commission_bps) in zip(
            made.owners, made.payouts, TERMS, strict=True
        ):
            staking.register(
                "0x" + "00" * 20,
                payout,
                commission_bps,
                0,
                reporter_bps,
                "https://gpu.example",
                sender=owner,
            )
        for account in (*made.owners, *made.delegators, made.thief):
            token.transfer(account, PURSE)
            token.approve(staking, 2**256 - 1, sender=account)
        yield made
