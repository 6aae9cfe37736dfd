"""JobEscrow.open_job."""

import boa
import pytest

from oracle.domain.receipts import JobStatus
from tests.unit.conftest import ROLE_DELAY
from tests.unit.market import DEPOSIT, PRICE, PURSE, TERMS, load_odd, logs

MAX_DEPOSIT = 2**96 - 1
MAX_PRICE = 2**80 - 1


def test_takes_the_deposit_and_remembers_the_job(
    escrow, jobs, asset, open_job, provider, payer, device_class, sla
):
    assert open_job(gpus=2) == 1
    assert logs(escrow, "JobFunded") == [(1, asset.address, 0, PRICE, DEPOSIT)]
    assert logs(escrow, "JobOpened") == [(1, payer, provider, 2, device_class, sla, TERMS)]
    assert asset.balanceOf(escrow) == DEPOSIT
    assert asset.balanceOf(payer) == PURSE - DEPOSIT
    assert jobs.job_info(1) == (
        payer, provider, asset.address, 2, device_class, sla, JobStatus.OPEN, PRICE, DEPOSIT,
        0, 0, 0,
    )  # fmt: skip


def test_jobs_are_numbered_from_one(escrow, open_job):
    assert escrow.job_count() == 0
    assert [open_job(), open_job(), open_job()] == [1, 2, 3]
    assert escrow.job_count() == 3


def test_an_unknown_job_is_all_zero(jobs, open_job):
    open_job()
    for unknown in (0, 2, 2**64 - 1):
        assert set(jobs.job_info(unknown)) == {0, "0x" + "00" * 20}


def test_extreme_values_come_back_unchanged(
    escrow, jobs, odd_token, payer, provider, device_class, sla
):
    odd_token.grow(payer, MAX_DEPOSIT)
    odd_token.approve(escrow, MAX_DEPOSIT, sender=payer)
    job = escrow.open_job(
        2**24 - 1, odd_token, 2**16 - 1, 2**16 - 1, MAX_PRICE, MAX_DEPOSIT, sla, b"\xff" * 32,
        sender=payer,
    )  # fmt: skip
    assert jobs.job_info(job) == (
        payer, 2**24 - 1, odd_token.address, 2**16 - 1, 2**16 - 1, sla, JobStatus.OPEN,
        MAX_PRICE, MAX_DEPOSIT, 0, 0, 0,
    )  # fmt: skip
    job = escrow.open_job(0, odd_token, 1, 0, 1, 0, 0, bytes(32), sender=payer)
    assert jobs.job_info(job) == (
        payer, 0, odd_token.address, 1, 0, 0, JobStatus.OPEN, 1, 0, 0, 0, 0
    )  # fmt: skip


def test_credits_what_has_arrived(jobs, odd_token, open_job):
    odd_token.set_fee(3)
    job = open_job(paid_in=odd_token, deposit=100)
    assert jobs.job_info(job).deposit == 97


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"gpus": 0}, "job_registry: no gpus"),
        ({"price": 0}, "job_escrow: price out of bounds"),
        ({"price": MAX_PRICE + 1}, "job_escrow: price out of bounds"),
    ],
)
def test_what_no_job_can_have_reverts(open_job, refused, changes, reason):
    with refused(reason):
        open_job(**changes)


def test_an_asset_that_is_not_listed_reverts(open_job, refused):
    with refused("job_escrow: asset not listed"):
        open_job(paid_in=load_odd("odd_token", 10**9))


def test_a_deposit_that_does_not_fit_reverts(escrow, odd_token, open_job, payer, refused):
    odd_token.grow(payer, 2**96)
    odd_token.approve(escrow, 2**96, sender=payer)
    with refused("job_escrow: deposit too large"):
        open_job(paid_in=odd_token, deposit=2**96)


def test_more_of_an_asset_than_income_can_count_reverts(escrow, odd_token, open_job, refused):
    odd_token.grow(escrow, 2**112 - 1 - DEPOSIT)
    open_job(paid_in=odd_token)
    with refused("job_escrow: balance too large"):
        open_job(paid_in=odd_token, deposit=1)


def test_a_customer_without_tokens_reverts(open_job, stranger, refused):
    with refused("erc20: insufficient allowance"):
        open_job(by=stranger)


def test_a_token_that_says_no_reverts(escrow, open_job, payer, refused):
    refusing = load_odd("refusing_token", 10**9)
    escrow.list_asset(refusing)
    refusing.set_refuses(True)
    with refused("job_escrow: transfer in failed"):
        open_job(paid_in=refusing, deposit=1)


def test_a_token_cannot_enter_again_in_the_middle(escrow, jobs, odd_token, open_job, refused):
    job = open_job(paid_in=odd_token, deposit=100)
    wallet = load_odd("wallet")
    wallet.reenter(escrow, job)
    odd_token.set_hook(wallet)
    before = jobs.job_info(job)
    with boa.reverts():
        open_job(paid_in=odd_token, deposit=100)
    assert jobs.job_info(job) == before
    assert escrow.job_count() == job


def test_works_while_a_fee_is_pending(escrow, open_job, deployer):
    escrow.schedule_fee(1_000, 0, sender=deployer)
    boa.env.time_travel(seconds=ROLE_DELAY)
    assert open_job() == 1
