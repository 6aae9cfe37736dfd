"""Staking with three providers and everybody who could want something from them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.stateful.evm import Contract, Evm, address_of
from tests.unit.conftest import (
    EPOCH_LENGTH,
    GENESIS_SUPPLY,
    LOCK_PERIOD,
    MAX_SUPPLY,
    MIN_DELEGATION,
    MIN_SELF_BOND,
    ROLE_DELAY,
    ROOT,
    UNBONDING_PERIOD,
    UNIT,
    role,
)

PURSE = 60_000 * UNIT
# bps of a slash that a reporter gets at most, and of emission that the provider keeps
TERMS = ((5_000, 1_000), (0, 0), (10_000, 10_000))
DEPLOYER = address_of("deployer")
# name of the property that carries a test's summary to the end of the session
TOLD = "stateful runs"


@dataclass
class World:
    """The contracts, the actors, and a tally of what the machines did."""

    evm: Evm
    token: Contract
    providers: Contract
    staking: Contract
    owners: list[str]
    payouts: list[str]
    delegators: list[str]
    # who slashes and who locks: lone keys here
    court: Any = field(default=address_of("court"))
    escrow: Any = field(default=address_of("escrow"))
    thief: str = address_of("thief")
    victim: str = address_of("victim")
    reporter: str = address_of("reporter")
    steps: int = 0
    longest: int = 0
    # calls back that a hostile token tried
    attempts: int = 0


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Say how much ran, at the end of the test session."""
    return partial(record_property, TOLD)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    told = [
        line
        for report in terminalreporter.getreports("passed")
        for name, line in report.user_properties
        if name == TOLD
    ]
    if told:
        terminalreporter.section("stateful runs")
        for line in told:
            terminalreporter.write_line(str(line))


def deploy(evm: Evm, name: str, *arguments: object) -> Contract:
    """One of the project's contracts."""
    return evm.deploy(ROOT / "contracts" / f"{name}.vy", *arguments, sender=DEPLOYER)


def deploy_token(evm: Evm) -> Contract:
    """The real token, all of it the deployer's."""
    genesis = [(DEPLOYER, GENESIS_SUPPLY)]
    return deploy(evm, "WorkToken", "Clearwork", "WORK", MAX_SUPPLY, genesis, ROLE_DELAY)


def populate(evm: Evm, token: Contract) -> World:
    """Three providers without stake; provider n belongs to owner n - 1."""
    providers = deploy(evm, "ProviderRegistry", UNBONDING_PERIOD)
    staking = deploy(
        evm,
        "ProviderStaking",
        providers,
        token,
        evm.timestamp,
        EPOCH_LENGTH,
        UNBONDING_PERIOD,
        LOCK_PERIOD,
        MIN_SELF_BOND,
        MIN_DELEGATION,
        ROLE_DELAY,
    )
    world = World(
        evm=evm,
        token=token,
        providers=providers,
        staking=staking,
        owners=[address_of(f"owner {i}") for i in range(len(TERMS))],
        payouts=[address_of(f"payout {i}") for i in range(len(TERMS))],
        delegators=[address_of(f"delegator {i}") for i in range(5)],
    )
    for owner, payout, (reporter_bps, commission_bps) in zip(
        world.owners, world.payouts, TERMS, strict=True
    ):
        providers.register(
            "0x" + "00" * 20, payout, commission_bps, 0, reporter_bps, "", sender=owner
        )
    for account in (*world.owners, *world.delegators, world.thief):
        token.transfer(account, PURSE, sender=DEPLOYER)
        token.approve(staking, 2**256 - 1, sender=account)
    return world


def give_roles(world: World) -> World:
    """Let court and escrow act on the stake."""
    world.staking.set_role(role("SLASHER"), world.court, sender=DEPLOYER)
    world.staking.set_role(role("LOCKER"), world.escrow, sender=DEPLOYER)
    return world


@pytest.fixture(scope="module")
def world() -> World:
    """Everybody around the real token."""
    evm = Evm()
    return give_roles(populate(evm, deploy_token(evm)))


@pytest.fixture(scope="module")
def hostile_world() -> World:
    """Everybody around a token that calls back."""
    evm = Evm()
    source = Path(__file__).parent / "contracts" / "hostile_token.vy"
    return give_roles(populate(evm, evm.deploy(source, GENESIS_SUPPLY, sender=DEPLOYER)))
