"""JobEscrow.settle_vouchers: many customers' words at once, none of which stops another."""

import boa
import pytest

from oracle.domain.receipts import FINAL, JobStatus
from tests.unit.market import Skip, logs

RUNNING = JobStatus.RUNNING
MAX_VOUCHERS = 64


def test_settles_each_and_pays_at_once(escrow, jobs, asset, accepted_job, provider, signed_voucher):
    several = [accepted_job() for _ in range(3)]
    vouchers = [signed_voucher(job, 100 * job) for job in several]
    assert escrow.settle_vouchers(vouchers) == 3
    assert logs(escrow, "VoucherSettled") == [
        (job, provider, 100 * job, RUNNING, 200 * job, 6 * job) for job in several
    ]
    assert [jobs.job_info(job).settled for job in several] == [100 * job for job in several]
    total = sum(200 * job for job in several)
    assert escrow.income(provider, asset) == (total * 97 // 100, 0)
    assert escrow.fees(asset) == total * 3 // 100


def test_none_settle_nothing(escrow, job, state):
    before = state()
    assert escrow.settle_vouchers([]) == 0
    assert state() == before


@pytest.mark.parametrize("count", [1, 2, 5])
def test_in_any_order(escrow, jobs, accepted_job, signed_voucher, count):
    vouchers = [signed_voucher(accepted_job(), 10) for _ in range(count)]
    assert escrow.settle_vouchers(vouchers[::-1]) == count
    assert all(jobs.job_info(voucher[0]).settled == 10 for voucher in vouchers)


def test_the_most_there_can_be(escrow, jobs, job, signed_voucher):
    """One job may occur as often as it likes: each voucher pays what it adds."""
    vouchers = [signed_voucher(job, cumulative) for cumulative in range(1, MAX_VOUCHERS + 1)]
    assert escrow.settle_vouchers(vouchers) == MAX_VOUCHERS
    assert jobs.job_info(job).settled == MAX_VOUCHERS
    with boa.reverts():
        escrow.settle_vouchers([*vouchers, vouchers[0]])


def test_repeated_and_reordered_vouchers_pay_once(escrow, asset, job, provider, signed_voucher):
    first, second, third = (signed_voucher(job, cumulative) for cumulative in (10, 20, 30))
    assert escrow.settle_vouchers([second, second, first, third, second]) == 2
    assert logs(escrow, "ReceiptSkipped") == [(job, Skip.NOT_INCREASING)] * 3
    assert escrow.income(provider, asset)[0] + escrow.fees(asset) == 60
    assert escrow.settle_vouchers([first, second, third]) == 0


@pytest.fixture
def bad_vouchers(
    escrow, jobs, open_job, accepted_job, settle, signed_voucher, payer, watcher, operator
):
    """One voucher for every reason to skip it, as (voucher, reason)."""
    cancelled, closed, spent, ran = open_job(), accepted_job(), accepted_job(), accepted_job()
    jobs.cancel(cancelled, sender=payer)
    settle(closed, 1, JobStatus.COMPLETED)
    jobs.close(closed)
    settle(spent, 5_000)
    settle(ran, 100)
    _, _, _, signature = signed_voucher(ran, 101)
    return [
        (signed_voucher(99, 10), Skip.UNKNOWN),
        (signed_voucher(open_job(), 10), Skip.NOT_ACCEPTED),
        (signed_voucher(cancelled, 10), Skip.CLOSED),
        (signed_voucher(closed, 10), Skip.CLOSED),
        (signed_voucher(ran, 110, 2), Skip.STATUS),
        (signed_voucher(ran, 110, 255), Skip.STATUS),
        (signed_voucher(ran, 100), Skip.NOT_INCREASING),
        (signed_voucher(spent, 5_001), Skip.EXHAUSTED),
        (signed_voucher(ran, 110, signer=watcher), Skip.SIGNATURE),
        (signed_voucher(ran, 110, signer=operator), Skip.SIGNATURE),
        ((ran, 110, RUNNING, signature), Skip.SIGNATURE),
        ((ran, 110, RUNNING, b""), Skip.SIGNATURE),
        (signed_voucher(ran, 110, JobStatus.COMPLETED), Skip.SENDER),
    ]


def test_bad_vouchers_change_nothing(escrow, bad_vouchers, stranger, state):
    before = state()
    vouchers = [voucher for voucher, _ in bad_vouchers]
    assert escrow.settle_vouchers(vouchers, sender=stranger) == 0
    assert logs(escrow, "ReceiptSkipped") == [(v[0], reason) for v, reason in bad_vouchers]
    assert state() == before


def test_bad_vouchers_stop_no_good_one(
    escrow, jobs, asset, accepted_job, provider, signed_voucher, bad_vouchers, stranger
):
    earned, fees = escrow.income(provider, asset)[0], escrow.fees(asset)
    good = [signed_voucher(accepted_job(), 50) for _ in range(4)]
    bad = [voucher for voucher, _ in bad_vouchers]
    # one in front, one behind, two between the bad ones
    mixed = [good[0], *bad[:3], good[1], *bad[3:8], good[2], *bad[8:], good[3]]
    assert escrow.settle_vouchers(mixed, sender=stranger) == len(good)
    assert len(logs(escrow, "ReceiptSkipped")) == len(bad_vouchers)
    assert all(jobs.job_info(voucher[0]).settled == 50 for voucher in good)
    assert escrow.income(provider, asset)[0] - earned == 97 * len(good)
    assert escrow.fees(asset) - fees == 3 * len(good)


def test_only_the_provider_ends_jobs(escrow, jobs, accepted_job, signed_voucher, payer, operator):
    ended = [signed_voucher(accepted_job(), 10, status) for status in sorted(FINAL)]
    assert escrow.settle_vouchers(ended, sender=payer) == 0
    assert logs(escrow, "ReceiptSkipped") == [(voucher[0], Skip.SENDER) for voucher in ended]
    assert escrow.settle_vouchers(ended, sender=operator.address) == len(FINAL)
    assert [jobs.job_info(voucher[0]).status for voucher in ended] == sorted(FINAL)


def test_over_the_deposit_pays_what_it_covers(escrow, jobs, accepted_job, signed_voucher):
    first, second = accepted_job(), accepted_job()
    assert escrow.settle_vouchers([signed_voucher(first, 6_000), signed_voucher(second, 1)]) == 2
    assert logs(escrow, "JobExhausted") == [(first, 2_000)]
    assert jobs.job_info(first).settled == 5_000
    assert jobs.job_info(second).settled == 1
