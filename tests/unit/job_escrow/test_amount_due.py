"""JobEscrow.amount_due."""

import pytest

from oracle.domain.receipts import JobStatus
from tests.unit.market import logs


@pytest.mark.parametrize(
    ("cumulative", "due"),
    [(0, (0, 0)), (100, (0, 0)), (101, (2, 0)), (5_000, (9_800, 0)), (5_001, (9_800, 2))],
)
def test_tells_what_a_report_would_pay(escrow, job, settle, cumulative, due):
    settle(job, 100)
    assert escrow.amount_due(job, cumulative) == due


def test_agrees_with_the_settlement(escrow, job, settle):
    due, debt = escrow.amount_due(job, 6_000)
    settle(job, 6_000)
    assert logs(escrow, "VoucherSettled")[0][4] == due
    assert logs(escrow, "JobExhausted") == [(job, debt)]


def test_jobs_that_can_not_settle_owe_nothing(escrow, jobs, open_job, job, settle):
    settle(job, 10, JobStatus.COMPLETED)
    jobs.close(job)
    for other in (job, open_job(), 99, 0):
        assert escrow.amount_due(other, 100) == (0, 0)
