"""SubnetRegistry: its constructor, subnets and their price."""

from collections.abc import Callable
from dataclasses import astuple, replace
from typing import Any

import boa
import pytest

from tests.unit.conftest import (
    DAY,
    EPOCH_LENGTH,
    PARAMETER_EPOCHS,
    SUBNET_PRICE,
    UID_PRICE,
    UNIT,
    load,
)
from tests.unit.subnets import NOBODY, Consensus, Rules

FLOOR = SUBNET_PRICE[0]


@pytest.fixture
def deploy(staking: Any, ledger: Any) -> Callable[..., Any]:
    def _deploy(**changes: Any) -> Any:
        arguments = {
            "staking": staking,
            "ledger": ledger,
            "parameter_epochs": PARAMETER_EPOCHS,
            "subnet_price": SUBNET_PRICE,
            "uid_price": UID_PRICE,
        } | changes
        return load("SubnetRegistry", *arguments.values())

    return _deploy


def test_remembers_what_it_is_made_of(
    subnets: Any, staking: Any, ledger: Any, token: Any, providers: Any
):
    assert subnets.STAKING() == staking.address
    assert subnets.PROVIDERS() == providers.address
    assert subnets.LEDGER() == ledger.address
    assert subnets.TOKEN() == token.address
    assert (subnets.GENESIS(), subnets.EPOCH_LENGTH()) == (ledger.GENESIS(), EPOCH_LENGTH)
    assert subnets.PARAMETER_EPOCHS() == PARAMETER_EPOCHS
    names = ("SUBNET_FLOOR", "SUBNET_FACTOR_BPS", "SUBNET_PERIOD")
    assert tuple(getattr(subnets, name)() for name in names) == SUBNET_PRICE
    names = ("UID_FLOOR", "UID_FACTOR_BPS", "UID_PERIOD")
    assert tuple(getattr(subnets, name)() for name in names) == UID_PRICE
    assert subnets.subnet_count() == 0
    assert subnets.MAX_SUBNETS() == 64


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"staking": NOBODY}, "no staking"),
        ({"ledger": NOBODY}, "no ledger"),
        ({"parameter_epochs": 0}, "parameter delay out of bounds"),
        ({"parameter_epochs": 10_001}, "parameter delay out of bounds"),
        ({"subnet_price": (0, 10_000, DAY)}, "price floor out of bounds"),
        ({"uid_price": (2**96, 10_000, DAY)}, "price floor out of bounds"),
        ({"subnet_price": (1, 9_999, DAY)}, "price factor out of bounds"),
        ({"uid_price": (1, 100_001, DAY)}, "price factor out of bounds"),
        ({"uid_price": (1, 10_000, 0)}, "price period out of bounds"),
        ({"subnet_price": (1, 10_000, 365 * DAY + 1)}, "price period out of bounds"),
    ],
)
def test_bounds(deploy: Callable[..., Any], change: dict[str, Any], reason: str):
    with boa.reverts(f"subnet_registry: {reason}"):
        deploy(**change)


def test_accepts_the_bounds_themselves(deploy: Callable[..., Any]):
    for epochs, price in ((1, (1, 10_000, 1)), (10_000, (2**96 - 1, 100_000, 365 * DAY))):
        made = deploy(parameter_epochs=epochs, subnet_price=price, uid_price=price)
        assert (made.PARAMETER_EPOCHS(), made.subnet_price()) == (epochs, price[0])


# --- creating -------------------------------------------------------------------------------


def test_a_subnet_has_an_owner_and_parameters(
    subnets: Any, create: Callable[..., int], subnet_owner: str, token: Any
):
    supply = token.totalSupply()
    assert create(kind=3) == 1
    created, changed = subnets.get_logs()[:2]
    assert (created.subnet, created.owner, created.kind, created.burnt) == (
        1,
        subnet_owner,
        3,
        FLOOR,
    )
    assert (changed.subnet, changed.epoch) == (1, 0)
    assert subnets.owner_of_subnet(1) == subnet_owner
    assert subnets.kind_of(1) == 3
    assert subnets.parameters(1) == (astuple(Rules()), astuple(Consensus()))
    assert supply - token.totalSupply() == FLOOR
    assert create() == subnets.subnet_count() == 2


def test_parameters_of_no_subnet_are_zero(subnets: Any):
    rules, consensus = subnets.parameters(1)
    assert set(rules) | set(consensus) == {0}


EXTREMES = [
    (Rules(1, 1, 1, 1, 1, 1, 0), Consensus(1, 32_767, 0, 0, 2, False, 0, 0, 1, 1, 0)),
    (
        Rules(4_096, 10_000, 64, 1_000, 100, 100, 2**96 - 1),
        Consensus(256, 65_535, 10**6, 65_535, 3, True, 65_535, 65_535, 10_000, 65_535, 1_800),
    ),
]


@pytest.mark.parametrize(("rules", "consensus"), EXTREMES)
def test_no_parameter_spills_into_another(
    subnets: Any, create: Callable[..., int], rules: Rules, consensus: Consensus
):
    create(rules=rules, consensus=consensus)
    assert subnets.parameters(1) == (astuple(rules), astuple(consensus))
    # one at its largest, the others at their smallest
    low_rules, low_consensus = EXTREMES[0]
    for name in Rules.__dataclass_fields__:
        one = replace(low_rules, **{name: getattr(EXTREMES[1][0], name)})
        assert subnets.parameters(create(rules=one, consensus=low_consensus))[0] == astuple(one)
        boa.env.time_travel(seconds=14 * DAY)


BAD_RULES = [
    ({"max_uids": 0}, "places out of bounds"),
    ({"max_uids": 4_097}, "places out of bounds"),
    ({"immunity_epochs": 0}, "immunity out of bounds"),
    ({"immunity_epochs": 10_001}, "immunity out of bounds"),
    ({"min_weights": 0}, "least weights out of bounds"),
    ({"min_weights": 65}, "least weights out of bounds"),
    ({"commit_interval": 0}, "commit interval out of bounds"),
    ({"commit_interval": 1_001}, "commit interval out of bounds"),
    ({"reveal_delay": 0}, "reveal delay out of bounds"),
    ({"reveal_delay": 101}, "reveal delay out of bounds"),
    ({"reveal_window": 0}, "reveal window out of bounds"),
    ({"reveal_window": 101}, "reveal window out of bounds"),
]
BAD_CONSENSUS = [
    ({"max_validators": 0}, "validators out of bounds"),
    ({"max_validators": 257}, "validators out of bounds"),
    ({"kappa": 32_766}, "kappa below a half"),
    ({"bonds_moving_average": 10**6 + 1}, "moving average out of bounds"),
    ({"yuma": 1}, "no such consensus"),
    ({"yuma": 4}, "no such consensus"),
    ({"alpha_low": 58_983}, "alpha not ascending"),
    ({"alpha_steepness": 0}, "steepness out of bounds"),
    ({"alpha_steepness": 10_001}, "steepness out of bounds"),
    ({"activity_cutoff": 0}, "no activity cutoff"),
    ({"owner_cut_bps": 1_801}, "owner's cut out of bounds"),
]


@pytest.mark.parametrize(("change", "reason"), BAD_RULES)
def test_rules_out_of_bounds(create: Callable[..., int], refused: Any, change: Any, reason: str):
    with refused(f"subnet_registry: {reason}"):
        create(rules=replace(Rules(), **change))


@pytest.mark.parametrize(("change", "reason"), BAD_CONSENSUS)
def test_consensus_out_of_bounds(
    create: Callable[..., int], refused: Any, change: Any, reason: str
):
    with refused(f"subnet_registry: {reason}"):
        create(consensus=replace(Consensus(), **change))


@pytest.mark.parametrize("kind", [0, 5, 255])
def test_there_are_four_kinds(create: Callable[..., int], refused: Any, kind: int):
    with refused("subnet_registry: no such kind"):
        create(kind=kind)
    assert create(kind=4) == 1


def test_at_most_64_subnets(subnets: Any, create: Callable[..., int], refused: Any):
    for _ in range(64):
        create()
        boa.env.time_travel(seconds=14 * DAY)
    with refused("subnet_registry: too many subnets"):
        create()


# --- the price ------------------------------------------------------------------------------


def test_a_sale_doubles_the_price_and_time_takes_it_back(
    subnets: Any, create: Callable[..., int], token: Any
):
    create()
    assert subnets.subnet_price() == 2 * FLOOR
    create()
    assert subnets.subnet_price() == 4 * FLOOR
    boa.env.time_travel(seconds=7 * DAY)
    assert subnets.subnet_price() == FLOOR + 3 * FLOOR // 2
    supply = token.totalSupply()
    create()
    assert supply - token.totalSupply() == FLOOR + 3 * FLOOR // 2
    boa.env.time_travel(seconds=14 * DAY - 1)
    above = 2 * (FLOOR + 3 * FLOOR // 2) - FLOOR
    assert subnets.subnet_price() == FLOOR - (-above // (14 * DAY))
    boa.env.time_travel(seconds=1)
    assert subnets.subnet_price() == FLOOR
    boa.env.time_travel(seconds=100 * DAY)
    assert subnets.subnet_price() == FLOOR


def test_never_pays_more_than_the_maximum(create: Callable[..., int], refused: Any):
    create(max_price=FLOOR)
    with refused("subnet_registry: price above the maximum"):
        create(max_price=2 * FLOOR - 1)
    create(max_price=2 * FLOOR)


def test_needs_the_tokens(subnets: Any, create: Callable[..., int], refused: Any, stranger: str):
    with refused("erc20: insufficient allowance"):
        create(sender=stranger)


def test_a_price_ends_at_the_largest(deploy: Callable[..., Any], token: Any, deployer: str):
    made = deploy(subnet_price=(UNIT, 100_000, DAY))
    token.approve(made, 2**256 - 1)
    for _ in range(5):
        made.create(1, astuple(Rules()), astuple(Consensus()), 2**256 - 1)
    assert made.subnet_price() == 10**5 * UNIT
    odd = deploy(subnet_price=(3, 10_001, DAY))
    token.approve(odd, 2**256 - 1)
    odd.create(1, astuple(Rules()), astuple(Consensus()), 3)
    # rounded up, against the buyer
    assert odd.subnet_price() == 4
