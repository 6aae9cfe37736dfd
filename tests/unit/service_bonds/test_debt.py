"""ServiceBonds.pay_debt and collect_debt: what stake did not cover is still owed."""

import boa
import pytest

from oracle.domain.receipts import JobStatus
from tests.unit.conftest import DAY, LOCK_PERIOD, UNIT
from tests.unit.market import COLLATERAL_PER_GPU, SELF_BOND, logs

LEFT = COLLATERAL_PER_GPU // 5
OWED = COLLATERAL_PER_GPU - LEFT
OWES = "service_bonds: provider owes a customer"


@pytest.fixture
def owed(bonds, jobs, accepted_job, provider, payer, settle_batch, slash, sla):
    """The provider owes the customer four fifths of a job's collateral, and has no self-bond."""
    job = accepted_job(level=bonds.add_sla(COLLATERAL_PER_GPU, 10_000, 0, 0))
    slash(provider, SELF_BOND - LEFT)
    settle_batch((job, 0, JobStatus.PROVIDER_FAULT))
    jobs.close(job)
    assert bonds.debt_to(provider, payer) == OWED
    return OWED


@pytest.fixture
def stake(staking, token, provider, owner):
    """The owner adds self-bond."""

    def _stake(amount):
        token.transfer(owner, amount)
        token.approve(staking, amount, sender=owner)
        staking.stake(provider, amount, sender=owner)

    return _stake


@pytest.fixture
def purse(token, bonds, stranger):
    """Somebody who would pay for the provider."""
    token.transfer(stranger, OWED)
    token.approve(bonds, OWED, sender=stranger)
    return stranger


# --- while it is owed -----------------------------------------------------------------------


def test_no_new_job_is_accepted(
    bonds, jobs, open_job, take_offer, provider, operator, payer, owed, stake, purse, refused
):
    stake(SELF_BOND)
    for level in (0, 1):
        job = open_job(level=level)
        with refused(OWES):
            jobs.accept(job, sender=operator.address)
    with refused(OWES):
        take_offer()
    bonds.pay_debt(provider, payer, OWED - 1, sender=purse)
    with refused(OWES):
        jobs.accept(job, sender=operator.address)
    bonds.pay_debt(provider, payer, 1, sender=purse)
    jobs.accept(job, sender=operator.address)


# --- pay_debt -------------------------------------------------------------------------------


def test_anyone_pays_in_parts(bonds, asset, provider, payer, owed, purse):
    before = asset.balanceOf(payer)
    bonds.pay_debt(provider, payer, 1, sender=purse)
    assert logs(bonds, "DebtPaid") == [(provider, payer, 1, OWED - 1)]
    bonds.pay_debt(provider, payer, OWED - 1, sender=purse)
    assert logs(bonds, "DebtPaid") == [(provider, payer, OWED - 1, 0)]
    assert asset.balanceOf(payer) - before == OWED
    assert asset.balanceOf(purse) == asset.balanceOf(bonds) == 0
    assert bonds.debt_of(provider) == bonds.debt_to(provider, payer) == 0


@pytest.mark.parametrize(
    ("amount", "reason"), [(0, "nothing to pay"), (OWED + 1, "more than is owed")]
)
def test_what_is_no_payment_reverts(
    bonds, asset, provider, payer, owed, purse, refused, amount, reason
):
    with refused(f"service_bonds: {reason}"):
        bonds.pay_debt(provider, payer, amount, sender=purse)


def test_nobody_else_is_owed(bonds, provider, payer, owed, stranger, refused):
    for debt in [(provider, stranger), (provider + 1, payer), (0, payer)]:
        with refused("service_bonds: more than is owed"):
            bonds.pay_debt(*debt, 1)
        with refused("service_bonds: nothing to pay"):
            bonds.collect_debt(*debt)


def test_without_tokens_it_reverts(bonds, provider, payer, owed, stranger, refused):
    with refused("erc20: insufficient allowance"):
        bonds.pay_debt(provider, payer, 1, sender=stranger)


# --- collect_debt ---------------------------------------------------------------------------


def test_is_taken_from_new_self_bond(bonds, asset, staking, provider, payer, owed, stake, stranger):
    before = asset.balanceOf(payer)
    boa.env.time_travel(seconds=2 * LOCK_PERIOD)
    stake(SELF_BOND)
    assert bonds.collect_debt(provider, payer, sender=stranger) == OWED
    assert logs(bonds, "DebtPaid") == [(provider, payer, OWED, 0)]
    assert asset.balanceOf(payer) - before == OWED
    assert staking.self_bond(provider) == (SELF_BOND - OWED, 0, 0, 0)
    assert bonds.debt_of(provider) == 0


def test_as_far_as_it_goes(bonds, staking, provider, payer, owed, stake, slash, refused):
    with refused("service_bonds: nothing to pay"):
        bonds.collect_debt(provider, payer)
    boa.env.time_travel(seconds=2 * LOCK_PERIOD)
    stake(100 * UNIT)
    slash(provider, 100 * UNIT - 7)
    assert bonds.collect_debt(provider, payer) == 7
    assert logs(bonds, "DebtPaid") == [(provider, payer, 7, OWED - 7)]
    assert staking.self_bond(provider)[:3] == (0, 0, 0)


def test_what_the_job_has_released_stays_for_its_lock_period(
    bonds, staking, provider, payer, owed, stake
):
    """The rest of its collateral: the job can still be disputed, although the stake is new."""
    stake(SELF_BOND)
    assert staking.free_self_bond(provider) == SELF_BOND - OWED
    assert bonds.collect_debt(provider, payer) == OWED
    assert staking.free_self_bond(provider) == SELF_BOND - 2 * OWED


def test_what_other_jobs_have_locked_is_theirs(
    bonds, jobs, staking, accepted_job, settle_batch, provider, payer, stake, slash, sla, refused
):
    """A job that runs keeps its collateral, and its customer's compensation."""
    whole = bonds.add_sla(COLLATERAL_PER_GPU, 10_000, 0, 0)
    one, other = accepted_job(level=whole), accepted_job(level=whole)
    slash(provider, SELF_BOND)
    settle_batch((one, 0, JobStatus.PROVIDER_FAULT))
    jobs.close(one)
    boa.env.time_travel(seconds=2 * LOCK_PERIOD)
    stake(100 * UNIT)
    assert bonds.collect_debt(provider, payer) == COLLATERAL_PER_GPU
    assert staking.self_bond(provider)[:3] == (
        100 * UNIT - COLLATERAL_PER_GPU, 0, COLLATERAL_PER_GPU,
    )  # fmt: skip
    settle_batch((other, 0, JobStatus.PROVIDER_FAULT))
    jobs.close(other)
    assert logs(jobs, "Compensated")[0][3:] == (COLLATERAL_PER_GPU, 0)


def test_a_jailed_providers_stays_with_the_court(
    bonds, staking, provider, payer, owed, stake, court, refused
):
    stake(SELF_BOND)
    staking.jail(provider, boa.env.evm.patch.timestamp + DAY, sender=court.address)
    with refused("provider_staking: provider is jailed"):
        bonds.collect_debt(provider, payer)
    boa.env.time_travel(seconds=DAY)
    assert bonds.collect_debt(provider, payer) == OWED


def test_nothing_owed_reverts(bonds, job, provider, payer, refused):
    with refused("service_bonds: nothing to pay"):
        bonds.collect_debt(provider, payer)
