"""JobEscrow.settle_batch."""

import boa
import pytest

from oracle.domain.hashing import keccak
from oracle.domain.receipts import MAX_RECEIPTS, RECEIPT_BYTES, JobStatus
from tests.unit.conftest import DISPUTE_WINDOW
from tests.unit.market import DEPOSIT, EPOCH, Skip, logs

RUNNING = JobStatus.RUNNING
SIGNERS = 0b11111


def packed(job: int, cumulative: int, status: int = RUNNING) -> bytes:
    return job.to_bytes(8, "big") + cumulative.to_bytes(7, "big") + bytes([status])


def test_settles_jobs_into_pending_income(
    escrow, jobs, asset, accepted_job, provider, signed_batch, stranger
):
    three = [accepted_job() for _ in range(3)]
    batch = signed_batch([(j, 100 * j, RUNNING) for j in three], index=5)
    escrow.settle_batch(*batch, sender=stranger)
    assert logs(escrow, "BatchSettled") == [(EPOCH, 5, SIGNERS, batch[2])]
    assert logs(escrow, "ReceiptSkipped") == []
    assert [jobs.job_info(j).settled for j in three] == [100, 200, 300]
    assert {jobs.job_info(j).status for j in three} == {RUNNING}
    assert escrow.income(provider, asset) == (0, 1_200)
    assert escrow.fees(asset) == 0


def test_pays_the_difference_to_what_was_settled(escrow, asset, job, provider, settle_batch):
    for cumulative, pending in [(100, 200), (101, 202), (5_000, 10_000)]:
        settle_batch((job, cumulative, RUNNING))
        assert escrow.income(provider, asset) == (0, pending)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_any_number_of_receipts(escrow, jobs, asset, accepted_job, provider, settle_batch, count):
    """An odd one is read as well as an even one, first and last too."""
    several = [accepted_job() for _ in range(count)]
    for cumulative in (7, 9):
        settle_batch(*[(j, cumulative, RUNNING) for j in several])
    assert [jobs.job_info(j).settled for j in several] == [9] * count
    assert escrow.income(provider, asset) == (0, 18 * count)


def test_the_longest_batch(escrow, jobs, job, settle_batch):
    unknown = range(10_000, 10_000 + MAX_RECEIPTS - 1)
    settle_batch((job, 1, RUNNING), *[(j, 1, RUNNING) for j in unknown])
    assert logs(escrow, "ReceiptSkipped") == [(j, Skip.UNKNOWN) for j in unknown]
    assert jobs.job_info(job).settled == 1


def test_jobs_of_several_providers_and_assets(
    escrow,
    jobs,
    asset,
    odd_token,
    accepted_job,
    open_job,
    provider,
    other_provider,
    oracles,
    settle_batch,
):
    first, odd = accepted_job(), accepted_job(paid_in=odd_token)
    others = open_job(of=other_provider)
    jobs.accept(others, sender=oracles[0].address)
    last = accepted_job()
    settle_batch(*[(j, 10, RUNNING) for j in (first, odd, others, last)])
    assert escrow.income(provider, asset) == (0, 40)
    assert escrow.income(provider, odd_token) == (0, 20)
    assert escrow.income(other_provider, asset) == (0, 20)
    assert escrow.income(other_provider, odd_token) == (0, 0)


# --- sent again, late, out of order ---------------------------------------------------------


def test_a_repeated_batch_pays_nothing(escrow, asset, job, provider, signed_batch):
    batch = signed_batch([(job, 100, RUNNING)])
    escrow.settle_batch(*batch)
    escrow.settle_batch(*batch)
    assert logs(escrow, "ReceiptSkipped") == [(job, Skip.NOT_INCREASING)]
    assert escrow.income(provider, asset) == (0, 200)


def test_batches_in_any_order_pay_the_same(escrow, jobs, asset, job, provider, signed_batch):
    batches = [signed_batch([(job, c, RUNNING)], index=c) for c in (100, 300, 200)]
    for batch in batches:
        escrow.settle_batch(*batch)
    assert jobs.job_info(job).settled == 300
    assert escrow.income(provider, asset) == (0, 600)


@pytest.mark.parametrize("cumulative", [0, 50, 100, 120])
def test_a_final_status_counts_whatever_its_usage(
    escrow, jobs, job, settle, settle_batch, cumulative
):
    """Vouchers may run ahead of what the committee saw when the job ended."""
    settle(job, 100)
    settle_batch((job, cumulative, JobStatus.CAPACITY_LOST))
    assert logs(escrow, "ReceiptSkipped") == []
    assert jobs.job_info(job).status == JobStatus.CAPACITY_LOST
    assert jobs.job_info(job).settled == max(100, cumulative)


def test_the_first_final_status_stays(jobs, job, settle_batch):
    settle_batch((job, 10, JobStatus.COMPLETED))
    settle_batch((job, 20, JobStatus.PROVIDER_FAULT))
    settle_batch((job, 30, RUNNING))
    assert jobs.job_info(job).status == JobStatus.COMPLETED
    assert jobs.job_info(job).settled == 30


def test_a_job_runs_before_it_has_used_anything(escrow, jobs, job, settle_batch):
    settle_batch((job, 0, RUNNING))
    assert logs(escrow, "ReceiptSkipped") == []
    assert jobs.job_info(job).status == RUNNING
    settle_batch((job, 0, RUNNING))
    assert logs(escrow, "ReceiptSkipped") == [(job, Skip.NOT_INCREASING)]


def test_the_last_word_about_a_job_repeated_is_not_increasing(escrow, job, settle_batch):
    settle_batch((job, 5, JobStatus.INFRASTRUCTURE))
    settle_batch((job, 5, JobStatus.INFRASTRUCTURE))
    assert logs(escrow, "ReceiptSkipped") == [(job, Skip.NOT_INCREASING)]


# --- entries that are skipped ---------------------------------------------------------------


@pytest.fixture
def bad_receipts(escrow, jobs, open_job, accepted_job, settle, payer):
    """One receipt for every reason, as (receipt, reason)."""
    opened, cancelled, closed, spent, settled, wrong = (
        open_job(),
        open_job(),
        accepted_job(),
        accepted_job(),
        accepted_job(),
        accepted_job(),
    )
    jobs.cancel(cancelled, sender=payer)
    settle(closed, 1, JobStatus.COMPLETED)
    jobs.close(closed)
    settle(spent, 5_000)
    settle(settled, 100)
    settle(wrong, 1)
    return [
        ((opened, 10, RUNNING), Skip.NOT_ACCEPTED),
        ((cancelled, 10, RUNNING), Skip.CLOSED),
        ((closed, 10, RUNNING), Skip.CLOSED),
        ((spent, 5_001, RUNNING), Skip.EXHAUSTED),
        ((settled, 100, RUNNING), Skip.NOT_INCREASING),
        ((wrong, 10, 2), Skip.STATUS),
        ((99, 10, RUNNING), Skip.UNKNOWN),
        ((2**64 - 1, 2**56 - 1, 255), Skip.UNKNOWN),
    ]


def test_bad_receipts_change_nothing(escrow, settle_batch, bad_receipts, state):
    before = state()
    settle_batch(*[receipt for receipt, _ in bad_receipts])
    assert logs(escrow, "ReceiptSkipped") == [(r[0], reason) for r, reason in bad_receipts]
    assert state() == before


def test_bad_receipts_stop_no_good_one(
    escrow, jobs, asset, accepted_job, provider, settle_batch, bad_receipts
):
    _, pending = escrow.income(provider, asset)
    good = [accepted_job() for _ in range(3)]
    settle_batch(*[receipt for receipt, _ in bad_receipts], *[(j, 50, RUNNING) for j in good])
    assert [jobs.job_info(j).settled for j in good] == [50] * 3
    assert escrow.income(provider, asset)[1] == pending + 300


@pytest.mark.parametrize("status", [0, 1, 2, 10, 11, 128 + RUNNING, 255])
def test_a_status_nobody_can_report_is_skipped(escrow, job, settle_batch, status):
    settle_batch((job, 10, status))
    assert logs(escrow, "ReceiptSkipped") == [(job, Skip.STATUS)]


@pytest.mark.parametrize("cumulative", [2**40, 2**56 - 1])
@pytest.mark.parametrize("price", [1, 7_200])
def test_more_seconds_than_a_job_counts_are_skipped(
    escrow, jobs, accepted_job, settle, settle_batch, cumulative, price
):
    job = accepted_job(price=price)
    settle(job, 1)
    settle_batch((job, cumulative, RUNNING))
    assert logs(escrow, "ReceiptSkipped") == [(job, Skip.TOO_LARGE)]
    assert jobs.job_info(job).settled == 1


def test_as_many_seconds_as_a_job_counts(jobs, accepted_job, settle, settle_batch):
    job = accepted_job(price=1, deposit=2**40 // 3_600)
    settle(job, 1)
    settle_batch((job, 2**40 - 1, RUNNING))
    assert jobs.job_info(job).settled == 2**40 - 1


# --- more than the deposit ------------------------------------------------------------------


def test_over_the_deposit_pays_what_it_covers(
    escrow, jobs, asset, accepted_job, provider, settle_batch
):
    job = accepted_job(deposit=DEPOSIT + 1)
    settle_batch((job, 5_002, JobStatus.COMPLETED))
    assert logs(escrow, "JobExhausted") == [(job, 3)]
    assert jobs.job_info(job).settled == 5_000
    assert jobs.job_info(job).status == JobStatus.COMPLETED
    assert escrow.income(provider, asset) == (0, DEPOSIT)


def test_a_top_up_lets_the_same_batch_settle_the_rest(
    escrow, jobs, asset, job, provider, signed_batch, payer
):
    batch = signed_batch([(job, 6_000, JobStatus.COMPLETED)])
    escrow.settle_batch(*batch)
    assert logs(escrow, "JobExhausted") == [(job, 2_000)]
    escrow.settle_batch(*batch)
    assert logs(escrow, "ReceiptSkipped") == [(job, Skip.EXHAUSTED)]
    escrow.top_up(job, 2_000, sender=payer)
    escrow.settle_batch(*batch)
    assert jobs.job_info(job).settled == 6_000
    assert escrow.income(provider, asset) == (0, 12_000)


# --- batches that revert --------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 15])
def test_a_length_that_is_no_multiple_reverts(escrow, job, signed_batch, refused, cut):
    for bytes_ in (packed(job, 1)[:cut], packed(job, 1) + packed(99, 1)[:cut]):
        with refused("job_escrow: malformed receipts"):
            escrow.settle_batch(*signed_batch(bytes_))


def test_an_empty_batch_reverts(escrow, job, signed_batch, refused):
    with refused("job_escrow: malformed receipts"):
        escrow.settle_batch(*signed_batch(b""))


def test_more_than_the_longest_batch_reverts(escrow, job, signed_batch, state):
    receipts = b"".join(packed(j, 1) for j in range(job, job + MAX_RECEIPTS + 1))
    assert len(receipts) == (MAX_RECEIPTS + 1) * RECEIPT_BYTES
    before = state()
    with boa.reverts():
        escrow.settle_batch(*signed_batch(receipts))
    assert state() == before


def test_unsorted_receipts_revert(escrow, job, accepted_job, signed_batch, refused):
    other = accepted_job()
    for order in [(other, job), (job, job), (0, job)]:
        with refused("job_escrow: receipts not sorted"):
            escrow.settle_batch(*signed_batch(b"".join(packed(j, 1) for j in order)))


def test_signatures_over_anything_else_revert(
    escrow, job, registry, signed_batch, committee_signs, refused
):
    epoch, index, receipts, signatures = signed_batch([(job, 1, RUNNING)])
    for changed in [
        (epoch + 1, index, receipts, signatures),
        (epoch, index + 1, receipts, signatures),
        (epoch, index, packed(job, 2), signatures),
        (
            epoch,
            index,
            receipts,
            committee_signs(registry, bytes(32), epoch, keccak(receipts)),
        ),
    ]:
        with refused("oracle_committee: unknown signer"):
            escrow.settle_batch(*changed)


def test_too_few_signatures_revert(escrow, job, signed_batch, refused):
    epoch, index, receipts, signatures = signed_batch([(job, 1, RUNNING)])
    with refused("oracle_committee: wrong signature count"):
        escrow.settle_batch(epoch, index, receipts, signatures[:-65])


# --- the dispute window ---------------------------------------------------------------------


def test_income_waits_one_window_at_least_and_two_at_most(
    escrow, asset, job, provider, settle_batch, next_window
):
    """Earned in the last second of a window, and in the first second of the next."""
    next_window()
    boa.env.time_travel(seconds=DISPUTE_WINDOW - 1)
    settle_batch((job, 100, RUNNING))
    boa.env.time_travel(seconds=1)
    settle_batch((job, 300, RUNNING))
    assert escrow.income(provider, asset) == (0, 600)

    boa.env.time_travel(seconds=DISPUTE_WINDOW - 1)
    assert escrow.income(provider, asset) == (0, 600)
    boa.env.time_travel(seconds=1)
    assert escrow.income(provider, asset) == (194, 400)
    boa.env.time_travel(seconds=DISPUTE_WINDOW - 1)
    assert escrow.income(provider, asset) == (194, 400)
    boa.env.time_travel(seconds=1)
    assert escrow.income(provider, asset) == (582, 0)


def test_later_batches_let_earlier_ones_mature(
    escrow, asset, job, provider, settle_batch, next_window
):
    settle_batch((job, 100, RUNNING))
    next_window()
    settle_batch((job, 200, RUNNING))
    assert logs(escrow, "CreditMatured") == []
    next_window()
    settle_batch((job, 300, RUNNING))
    assert logs(escrow, "CreditMatured") == [(provider, asset.address, 200, 6)]
    assert escrow.income(provider, asset) == (194, 400)
    assert escrow.fees(asset) == 6


def test_everything_matures_after_a_long_silence(
    escrow, asset, job, provider, settle_batch, next_window
):
    settle_batch((job, 100, RUNNING))
    next_window()
    settle_batch((job, 200, RUNNING))
    boa.env.time_travel(seconds=50 * DISPUTE_WINDOW)
    assert escrow.income(provider, asset) == (388, 0)
    settle_batch((job, 300, RUNNING))
    assert logs(escrow, "CreditMatured") == [(provider, asset.address, 400, 12)]
    assert escrow.income(provider, asset) == (388, 200)
