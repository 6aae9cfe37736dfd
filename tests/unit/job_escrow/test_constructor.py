"""JobEscrow's constructor."""

import boa
import pytest

from tests.compiled import CONTRACTS, compiled
from tests.unit.conftest import DAY, DISPUTE_WINDOW, ROLE_DELAY

ZERO = "0x" + "00" * 20
# position of each constructor argument
(
    TOKEN,
    PROVIDERS,
    CLUSTERS,
    JOBS,
    COMMITTEE,
    LEDGER,
    CREDITS,
    WINDOW,
    FEE,
    BURN,
    TREASURY,
    GUARDIAN,
) = range(12)


@pytest.fixture
def arguments(
    token, providers, clusters, jobs, committee, ledger, compute_credits, treasury, guardian
):
    return [
        token, providers, clusters, jobs, committee, ledger, compute_credits, DISPUTE_WINDOW, 300,
        5_000, treasury, guardian, ROLE_DELAY,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def contract():
    return compiled(CONTRACTS / "JobEscrow.vy")


def test_keeps_what_it_was_given(contract, arguments, deployer):
    escrow = contract.deploy(*arguments)
    assert [
        escrow.WORK_TOKEN(),
        escrow.PROVIDERS(),
        escrow.CLUSTERS(),
        escrow.JOBS(),
        escrow.COMMITTEE(),
        escrow.LEDGER(),
        escrow.CREDITS(),
        escrow.DISPUTE_WINDOW(),
        escrow.fee_bps(),
        escrow.burn_bps(),
        escrow.treasury(),
        escrow.guardian(),
        escrow.FEE_CHANGE_DELAY(),
    ] == [getattr(argument, "address", argument) for argument in arguments]
    assert escrow.owner() == deployer
    assert (escrow.job_count(), escrow.market_count()) == (0, 0)


def test_signs_in_its_own_domain(escrow):
    assert escrow.eip712Domain() == (
        b"\x0f", "Clearwork", "1", boa.env.evm.patch.chain_id, escrow.address, bytes(32), []
    )  # fmt: skip


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (WINDOW, 5),
        (WINDOW, 30 * DAY),
        (FEE, 0),
        (FEE, 1_000),
        (BURN, 0),
        (BURN, 10_000),
        (GUARDIAN, ZERO),
        (CREDITS, ZERO),
    ],
)
def test_bounds_are_inclusive(contract, arguments, position, value):
    arguments[position] = value
    contract.deploy(*arguments)


@pytest.mark.parametrize(
    ("position", "value", "reason"),
    [
        (TOKEN, ZERO, "no work token"),
        (PROVIDERS, ZERO, "no providers"),
        (CLUSTERS, ZERO, "no clusters"),
        (JOBS, ZERO, "no jobs"),
        (COMMITTEE, ZERO, "no committee"),
        (LEDGER, ZERO, "no ledger"),
        (WINDOW, 4, "dispute window out of bounds"),
        (WINDOW, 30 * DAY + 1, "dispute window out of bounds"),
        (FEE, 1_001, "fee over the cap"),
        (BURN, 10_001, "burn over 100 %"),
        (TREASURY, ZERO, "no treasury"),
    ],
)
def test_what_can_not_work_reverts(contract, arguments, position, value, reason):
    arguments[position] = value
    with boa.reverts(f"job_escrow: {reason}"):
        contract.deploy(*arguments)
