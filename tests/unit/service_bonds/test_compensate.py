"""ServiceBonds.compensate: what a let-down customer gets, also where stake is short."""

from dataclasses import dataclass
from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.domain.receipts import COMPENSATED, JobStatus
from tests.unit.conftest import UNIT
from tests.unit.market import (
    COLLATERAL_PER_GPU,
    COMPENSATION_BPS,
    DEVICES,
    SELF_BOND,
    logs,
)

FAULT = JobStatus.PROVIDER_FAULT


@pytest.fixture
def fail(jobs, settle_batch):
    """End a job for which its provider is to blame."""

    def _fail(job: int, status: JobStatus = FAULT) -> None:
        settle_batch((job, 0, status))
        jobs.close(job)

    return _fail


@pytest.fixture
def whole(bonds, sla):
    """A service level that promises all of the collateral."""
    return int(bonds.add_sla(COLLATERAL_PER_GPU, 10_000, 0, 0))


# --- enough stake ---------------------------------------------------------------------------


@pytest.mark.parametrize("status", sorted(COMPENSATED))
@pytest.mark.parametrize("gpus", [1, DEVICES])
def test_pays_what_was_promised(
    bonds, jobs, staking, asset, accepted_job, fail, provider, payer, status, gpus
):
    job = accepted_job(gpus=gpus)
    supply, before = asset.totalSupply(), asset.balanceOf(payer)
    fail(job, status)
    promised = gpus * COLLATERAL_PER_GPU * COMPENSATION_BPS // 10_000
    assert logs(jobs, "Compensated") == [(job, provider, payer, promised, 0)]
    assert staking.self_bond(provider)[:3] == (SELF_BOND - promised, 0, 0)
    assert bonds.debt_of(provider) == 0
    assert asset.totalSupply() == supply
    deposit = jobs.job_info(job).deposit
    assert asset.balanceOf(payer) - before == deposit + promised


def test_unbonding_self_bond_pays_too(
    bonds, jobs, staking, accepted_job, fail, provider, payer, owner, whole, slash
):
    job = accepted_job(gpus=2, level=whole)
    staking.unbond(provider, SELF_BOND // 2, sender=owner)
    slash(provider, SELF_BOND - 2 * COLLATERAL_PER_GPU)
    fail(job)
    assert logs(jobs, "Compensated") == [(job, provider, payer, 2 * COLLATERAL_PER_GPU, 0)]


def test_a_jailed_provider_pays_too(jobs, staking, accepted_job, fail, provider, payer, court):
    job = accepted_job()
    staking.jail(provider, 2**64 - 1, sender=court.address)
    fail(job)
    assert logs(jobs, "Compensated")[0][3] == COLLATERAL_PER_GPU * COMPENSATION_BPS // 10_000


# --- too little stake -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "paid"),
    [
        (0, 0),
        (1, 0),
        (2, 1),
        (COLLATERAL_PER_GPU, COLLATERAL_PER_GPU // 2),
        (2 * COLLATERAL_PER_GPU - 1, COLLATERAL_PER_GPU - 1),
        (2 * COLLATERAL_PER_GPU, COLLATERAL_PER_GPU),
    ],
)
def test_the_job_gets_its_part_of_what_is_left(
    bonds, jobs, staking, accepted_job, fail, provider, payer, whole, slash, left, paid
):
    """The other half of it stands behind another job, which is not over."""
    job, _ = accepted_job(level=whole), accepted_job(level=whole)
    slash(provider, SELF_BOND - left)
    fail(job)
    owed = COLLATERAL_PER_GPU - paid
    assert logs(jobs, "Compensated") == [(job, provider, payer, paid, owed)]
    assert staking.self_bond(provider)[:3] == (left - paid, 0, COLLATERAL_PER_GPU)
    assert bonds.debt_of(provider) == bonds.debt_to(provider, payer) == owed


def test_a_small_promise_is_kept_in_full(bonds, jobs, accepted_job, fail, provider, payer, slash):
    """Two fifths are promised, half is left."""
    job, _ = accepted_job(), accepted_job()
    slash(provider, SELF_BOND - COLLATERAL_PER_GPU)
    fail(job)
    assert logs(jobs, "Compensated") == [(job, provider, payer, 2 * COLLATERAL_PER_GPU // 5, 0)]


def test_delegated_stake_never_pays(
    jobs, staking, token, accepted_job, fail, provider, payer, whole, slash, delegator
):
    """It is not what the job locked."""
    job = accepted_job(level=whole)
    token.transfer(delegator.address, 100 * UNIT)
    token.approve(staking, 100 * UNIT, sender=delegator.address)
    staking.delegate(provider, 100 * UNIT, 0, sender=delegator.address)
    slash(provider, SELF_BOND)
    fail(job)
    assert logs(jobs, "Compensated") == [(job, provider, payer, 0, COLLATERAL_PER_GPU)]
    assert staking.delegation_pool(provider).tokens == 100 * UNIT


def test_each_victim_is_owed_its_own(
    escrow, bonds, asset, accepted_job, fail, provider, payer, stranger, whole, slash, deployer
):
    asset.transfer(stranger, 10_000, sender=deployer)
    asset.approve(escrow, 10_000, sender=stranger)
    one, other = accepted_job(level=whole), accepted_job(level=whole, by=stranger)
    slash(provider, SELF_BOND - COLLATERAL_PER_GPU)
    fail(one)
    fail(other)
    half = COLLATERAL_PER_GPU // 2
    assert bonds.debt_to(provider, payer) == bonds.debt_to(provider, stranger) == half
    assert bonds.debt_of(provider) == 2 * half
    assert asset.balanceOf(stranger) == 10_000 + half


@dataclass
class Shortage:
    """Jobs whose provider lost part of what they had locked, each with what it is promised."""

    staking: Any
    bonds: Any
    asset: Any
    provider: int
    payer: str
    accepted_job: Any
    fail: Any
    slash: Any

    def end(self, terms: list[tuple[int, int]], left: int, order: list[int]) -> list[int]:
        """What each job (GPUs, bps) is paid if they end in that order."""
        with boa.env.anchor():
            several = [
                self.accepted_job(
                    gpus=gpus, level=self.bonds.add_sla(COLLATERAL_PER_GPU, bps, 0, 0), deposit=0
                )
                for gpus, bps in terms
            ]
            self.slash(self.provider, SELF_BOND - left)
            paid = [0] * len(terms)
            for index in order:
                before = self.asset.balanceOf(self.payer)
                self.fail(several[index])
                paid[index] = self.asset.balanceOf(self.payer) - before
            # whatever was not paid is still there, or owed
            bond = self.staking.self_bond(self.provider)
            assert (bond.active + bond.unbonding, bond.held) == (left - sum(paid), 0)
            promised = sum(self.promised(*each) for each in terms)
            assert self.bonds.debt_of(self.provider) == promised - sum(paid)
            return paid

    @staticmethod
    def promised(gpus: int, bps: int) -> int:
        return gpus * COLLATERAL_PER_GPU * bps // 10_000


@pytest.fixture
def shortage(staking, bonds, asset, provider, payer, accepted_job, fail, slash):
    return Shortage(staking, bonds, asset, provider, payer, accepted_job, fail, slash)


orders = st.integers(2, 4).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(1, 2), min_size=n, max_size=n),
        st.permutations(range(n)),
        st.permutations(range(n)),
    )
)
several = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@several
@given(orders=orders, share=st.integers(0, 10**18), odd=st.integers(0, 9))
def test_all_victims_get_the_same_share_whichever_is_first(shortage, orders, share, odd):
    """To the base unit that rounding leaves to those who come later."""
    gpus, first, second = orders
    locked = sum(gpus) * COLLATERAL_PER_GPU
    left = min(locked * share // 10**18 + odd, locked)
    terms = [(each, 10_000) for each in gpus]
    one, other = (shortage.end(terms, left, order) for order in (first, second))
    for count, *paid in zip(gpus, one, other, strict=True):
        share_of_job = count * COLLATERAL_PER_GPU * left // locked
        for each in paid:
            assert share_of_job <= each <= share_of_job + len(gpus)


@several
@given(
    orders=orders,
    bps=st.lists(st.integers(0, 10_000), min_size=4, max_size=4),
    share=st.integers(0, 10**18),
)
def test_no_victim_gets_less_for_being_late(shortage, orders, bps, share):
    """What others did not need is there for those who come later, never less."""
    gpus, first, second = orders
    locked = sum(gpus) * COLLATERAL_PER_GPU
    left = locked * share // 10**18
    terms = list(zip(gpus, bps, strict=False))
    for order in (first, second):
        for (count, promise), paid in zip(terms, shortage.end(terms, left, order), strict=True):
            promised = Shortage.promised(count, promise)
            share_of_job = count * COLLATERAL_PER_GPU * left // locked
            assert min(promised, share_of_job) <= paid <= promised
