"""JobEscrow.settle_voucher."""

from bisect import bisect_left

import boa
import pytest

from oracle.domain.messages import Domain, Voucher
from oracle.domain.receipts import FINAL, JobStatus
from tests.unit.conftest import sign
from tests.unit.market import DEPOSIT, logs

RUNNING = JobStatus.RUNNING


def fee_on(amount: int, bps: int = 300) -> int:
    return -(-amount * bps // 10_000)


def test_pays_at_once_and_takes_the_fee(
    escrow, jobs, asset, job, provider, signed_voucher, stranger
):
    escrow.settle_voucher(*signed_voucher(job, 1_000), sender=stranger)
    assert logs(escrow, "VoucherSettled") == [(job, provider, 1_000, RUNNING, 2_000, 60)]
    assert jobs.job_info(job).status == RUNNING
    assert jobs.job_info(job).settled == 1_000
    assert jobs.job_info(job).deposit == DEPOSIT
    assert escrow.income(provider, asset) == (1_940, 0)
    assert escrow.fees(asset) == 60


def test_pays_the_difference_to_what_was_settled(escrow, jobs, asset, job, provider, settle):
    earned = 0
    for cumulative, paid in [(100, 200), (101, 2), (5_000, 9_798)]:
        settle(job, cumulative)
        fee = fee_on(earned + paid) - fee_on(earned)
        assert logs(escrow, "VoucherSettled") == [(job, provider, cumulative, RUNNING, paid, fee)]
        earned += paid
    assert jobs.job_info(job).settled == 5_000


def test_rounding_never_adds_up(escrow, asset, accepted_job, provider, settle):
    """Each second is worth a third of a base unit: paid down, but from the total."""
    job = accepted_job(price=1_200, deposit=100)
    paid = []
    for cumulative in range(1, 10):
        settle(job, cumulative)
        paid.append(logs(escrow, "VoucherSettled")[0][4])
    assert paid == [0, 0, 1, 0, 0, 1, 0, 0, 1]


@pytest.mark.parametrize("status", sorted(FINAL))
def test_the_provider_may_end_the_job(
    escrow, jobs, job, provider, signed_voucher, operator, status
):
    escrow.settle_voucher(*signed_voucher(job, 10, status), sender=operator.address)
    assert logs(escrow, "VoucherSettled") == [(job, provider, 10, status, 20, 1)]
    assert jobs.job_info(job).status == status


@pytest.mark.parametrize("status", sorted(FINAL))
def test_nobody_else_may_end_the_job(escrow, job, signed_voucher, payer, stranger, refused, status):
    """Else a customer could take its deposit back, or blame its provider, all by itself."""
    voucher = signed_voucher(job, 10, status)
    for caller in (payer, stranger):
        with refused("job_escrow: not the provider"):
            escrow.settle_voucher(*voucher, sender=caller)


def test_settles_after_the_committee_ended_the_job(jobs, job, settle, settle_batch):
    settle_batch((job, 10, JobStatus.COMPLETED))
    settle(job, 30)
    assert jobs.job_info(job).settled == 30
    assert jobs.job_info(job).status == JobStatus.COMPLETED


def test_the_first_final_status_stays(jobs, job, settle):
    settle(job, 10, JobStatus.INFRASTRUCTURE)
    settle(job, 20, JobStatus.COMPLETED)
    assert jobs.job_info(job).status == JobStatus.INFRASTRUCTURE
    assert jobs.job_info(job).settled == 20


def test_ends_a_job_without_more_usage(escrow, job, provider, settle):
    settle(job, 10)
    settle(job, 10, JobStatus.COMPLETED)
    assert logs(escrow, "VoucherSettled") == [(job, provider, 10, JobStatus.COMPLETED, 0, 0)]


# --- more than the deposit ------------------------------------------------------------------


def test_over_the_deposit_pays_whole_seconds_and_reports_the_debt(
    escrow, jobs, asset, accepted_job, provider, settle
):
    job = accepted_job(deposit=DEPOSIT + 1)
    settle(job, 5_002)
    assert logs(escrow, "VoucherSettled") == [(job, provider, 5_000, RUNNING, DEPOSIT, 300)]
    assert logs(escrow, "JobExhausted") == [(job, 3)]
    assert jobs.job_info(job).settled == 5_000


def test_a_top_up_by_the_debt_settles_the_rest(escrow, job, provider, settle, payer, refused):
    settle(job, 6_000, JobStatus.COMPLETED)
    assert logs(escrow, "JobExhausted") == [(job, 2_000)]
    with refused("job_escrow: deposit exhausted"):
        settle(job, 6_000, JobStatus.COMPLETED)
    escrow.top_up(job, 2_000, sender=payer)
    settle(job, 6_000, JobStatus.COMPLETED)
    assert logs(escrow, "VoucherSettled") == [
        (job, provider, 6_000, JobStatus.COMPLETED, 2_000, 60)
    ]
    assert logs(escrow, "JobExhausted") == []


def test_a_top_up_by_less_settles_a_part(escrow, jobs, job, settle, payer):
    settle(job, 6_000)
    escrow.top_up(job, 1_001, sender=payer)
    settle(job, 6_000)
    assert logs(escrow, "JobExhausted") == [(job, 999)]
    assert jobs.job_info(job).settled == 5_500


def test_the_largest_job(escrow, odd_token, accepted_job, payer, settle, provider):
    """All fields full: 2**40 - 1 GPU-seconds at the price that uses the whole deposit."""
    deposit, cumulative = 2**96 - 1, 2**40 - 1
    price = deposit * 3_600 // cumulative
    odd_token.grow(payer, deposit)
    odd_token.approve(escrow, deposit, sender=payer)
    job = accepted_job(price=price, deposit=deposit, paid_in=odd_token)
    settle(job, cumulative)
    paid = cumulative * price // 3_600
    assert logs(escrow, "VoucherSettled")[0][4] == paid
    assert logs(escrow, "JobExhausted") == []
    assert sum(escrow.income(provider, odd_token)) + escrow.fees(odd_token) == paid


def test_the_dearest_job(escrow, jobs, odd_token, accepted_job, payer, settle):
    deposit, price = 2**96 - 1, 2**80 - 1
    odd_token.grow(payer, deposit)
    odd_token.approve(escrow, deposit, sender=payer)
    job = accepted_job(price=price, deposit=deposit, paid_in=odd_token)
    settle(job, 2**40 - 1)
    assert logs(escrow, "JobExhausted") == [(job, (2**40 - 1) * price // 3_600 - deposit)]
    settled = jobs.job_info(job).settled
    assert settled * price // 3_600 <= deposit < (settled + 1) * price // 3_600


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize("cumulative", [0, 99, 100])
def test_usage_that_does_not_rise_reverts(job, settle, refused, cumulative):
    settle(job, 100)
    with refused("job_escrow: usage not increasing"):
        settle(job, cumulative)


@pytest.mark.parametrize("status", [0, 1, 2, 10, 11, 255])
def test_a_status_nobody_can_report_reverts(job, settle, refused, status):
    with refused("job_escrow: bad status"):
        settle(job, 100, status)


def test_jobs_that_can_not_settle_revert(jobs, open_job, job, settle, operator, payer, refused):
    with refused("job_escrow: unknown job"):
        settle(99, 1)
    opened = open_job()
    with refused("job_escrow: not accepted yet"):
        settle(opened, 1)
    jobs.cancel(opened, sender=payer)
    with refused("job_escrow: job is closed"):
        settle(opened, 1)
    settle(job, 1, JobStatus.COMPLETED)
    jobs.close(job)
    with refused("job_escrow: job is closed"):
        settle(job, 2)


def test_signatures_of_anybody_else_revert(escrow, job, signed_voucher, operator, watcher, refused):
    for signer in (operator, watcher):
        with refused("job_escrow: bad signature"):
            escrow.settle_voucher(*signed_voucher(job, 10, signer=signer))


def test_a_signature_of_something_else_reverts(
    escrow, job, accepted_job, signed_voucher, customer, domain_of, refused
):
    other = accepted_job()
    _, _, _, signature = signed_voucher(job, 10)
    for changed in [(other, 10, RUNNING), (job, 11, RUNNING)]:
        with refused("job_escrow: bad signature"):
            escrow.settle_voucher(*changed, signature)
    here = domain_of(escrow)
    for domain in [
        Domain(here.chain_id + 1, here.verifying_contract),
        Domain(here.chain_id, str(boa.env.generate_address())),
    ]:
        elsewhere = sign(customer, Voucher(job, 10, RUNNING), domain)
        with refused("job_escrow: bad signature"):
            escrow.settle_voucher(job, 10, RUNNING, elsewhere)


def test_malformed_signatures_revert(escrow, job, signed_voucher, refused):
    _, _, _, signature = signed_voucher(job, 10)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high_s = (order - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")
    twin = signature[:32] + high_s + bytes([27 + 28 - signature[64]])
    for malformed in (b"", signature[:64], signature + b"\0", twin, bytes(65)):
        with refused("job_escrow: bad signature"):
            escrow.settle_voucher(job, 10, RUNNING, malformed)


# --- customers that are contracts -----------------------------------------------------------


def test_a_contract_signs_by_erc_1271(escrow, wallet_job, provider, domain_of):
    wallet, job = wallet_job
    wallet.sign(Voucher(job, 10, RUNNING).digest(domain_of(escrow)))
    escrow.settle_voucher(job, 10, RUNNING, b"whatever it understands")
    assert logs(escrow, "VoucherSettled") == [(job, provider, 10, RUNNING, 20, 1)]


def test_what_a_contract_did_not_sign_reverts(escrow, wallet_job, domain_of, refused):
    wallet, job = wallet_job
    wallet.sign(Voucher(job, 11, RUNNING).digest(domain_of(escrow)))
    with refused("job_escrow: bad signature"):
        escrow.settle_voucher(job, 10, RUNNING, b"")


def test_a_contract_is_given_200_000_gas(escrow, wallet_job, domain_of, refused):
    wallet, job = wallet_job
    digest = Voucher(job, 10, RUNNING).digest(domain_of(escrow))
    wallet.sign(digest)

    def answers(least_gas):
        wallet.need_gas(least_gas)
        try:
            return wallet.isValidSignature(digest, b"", gas=200_000) != bytes(4)
        except boa.BoaError:
            return False

    # what is left of them where the wallet looks
    seen = bisect_left(range(200_000), True, key=lambda least: not answers(least)) - 1
    wallet.need_gas(seen + 1)
    with refused("job_escrow: bad signature"):
        escrow.settle_voucher(job, 10, RUNNING, b"")
    wallet.need_gas(seen)
    escrow.settle_voucher(job, 10, RUNNING, b"")
