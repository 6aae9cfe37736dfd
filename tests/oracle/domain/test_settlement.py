"""Batch or root: the choice on worked numbers, and what of the signed batches is carried."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.domain.market import Job
from oracle.domain.proposals import SignedBatch
from oracle.domain.receipts import COMPENSATED, FINAL, JobStatus, Receipt, latest, pack
from oracle.domain.settlement import (
    ADOPT_GAS,
    BATCH_GAS,
    CLAIM_GAS,
    Choice,
    Due,
    Settlement,
    carried,
    cheapest,
    ends_first,
    outstanding,
    receipts_in,
    settled_by_provider,
    weigh,
)

GWEI = 10**9
ETHER = 10**18
MINUTE, HOUR = 60, 3_600


def job(
    number: int,
    settled: int = 0,
    provider: int = 7,
    status: int = JobStatus.RUNNING,
    sla: int = 0,
    asset: str = "0xaa",
) -> Job:
    """A job of one GPU whose deposit covers 1 000 GPU-seconds and a bit."""
    return Job(number, provider, 1, 1, status, 3_600, 1_000, settled, 1, sla, asset)


def batch(epoch: int, index: int, *receipts: Receipt) -> SignedBatch:
    return SignedBatch(epoch, index, pack(receipts), b"")


# --- batch or root ------------------------------------------------------------------------


def due(
    receipts: int = 400,
    claims: int = 1,
    accounts: int | None = None,
    value: int = 0,
    compensates: bool = False,
) -> Due:
    return Due(receipts, claims, claims if accounts is None else accounts, value, compensates)


def way(
    what: Due, base_fee: int = 20 * GWEI, seconds_left: int = HOUR, interval: int = MINUTE
) -> Settlement:
    return cheapest(what, base_fee, seconds_left, interval).way


def test_the_root_wins_while_many_rounds_are_left():
    assert way(due(), seconds_left=HOUR) is Settlement.ROOT


def test_a_batch_wins_in_the_last_round_of_many_payees():
    # one claim each costs more than one batch for all of them
    assert way(due(claims=100), seconds_left=MINUTE - 1) is Settlement.BATCH
    assert way(due(claims=100), seconds_left=5 * MINUTE) is Settlement.ROOT


def test_the_root_pays_for_its_adoption():
    # one claim is cheaper than one batch, but not with the adoption before it
    assert CLAIM_GAS < BATCH_GAS < CLAIM_GAS + ADOPT_GAS
    assert way(due(), seconds_left=0) is Settlement.BATCH
    assert way(due(), seconds_left=MINUTE) is Settlement.ROOT


def test_more_receipts_than_fit_need_more_batches():
    assert way(due(512), seconds_left=0) is Settlement.BATCH
    assert way(due(513), seconds_left=0) is Settlement.ROOT


def test_free_gas_is_spent():
    assert way(due(), base_fee=0) is Settlement.BATCH


def test_much_at_stake_does_not_wait():
    # 61 batches of 2.46 million gas at 20 gwei are about 3 ether
    assert way(due(value=100 * ETHER)) is Settlement.ROOT
    assert way(due(value=1_000 * ETHER)) is Settlement.BATCH


def test_dear_gas_waits_for_the_root():
    assert way(due(value=ETHER), base_fee=GWEI // 10_000) is Settlement.BATCH
    assert way(due(value=ETHER), base_fee=100 * GWEI) is Settlement.ROOT


def test_a_compensation_never_waits():
    choice = cheapest(due(compensates=True), 10**6 * GWEI, HOUR, MINUTE)
    assert choice == Choice(Settlement.BATCH, "a customer is to be compensated")


def test_the_reason_names_both_costs():
    choice = cheapest(due(), 20 * GWEI, HOUR, MINUTE)
    assert choice.reason == (
        "61 x 2,460,230 gas in batches, 2,486,030 by the root: "
        "the root saves 2,951,760,000,000,000,000 wei"
    )


@given(
    st.integers(1, 2_000),
    st.integers(1, 512),
    st.integers(0, 10**12),
    st.integers(0, 10**24),
    st.integers(0, 10**6),
    st.integers(1, 10**5),
)
def test_dearer_gas_and_more_time_only_ever_lead_to_the_root(
    receipts: int, claims: int, base_fee: int, value: int, seconds_left: int, interval: int
):
    what = due(receipts, min(claims, receipts), value=value)
    if way(what, base_fee, seconds_left, interval) is Settlement.ROOT:
        assert way(what, 2 * base_fee, seconds_left, interval) is Settlement.ROOT
        assert way(what, base_fee, 2 * seconds_left, interval) is Settlement.ROOT
        less = replace(what, value=value // 2)
        assert way(less, base_fee, seconds_left, interval) is Settlement.ROOT


# --- what is due --------------------------------------------------------------------------


def test_running_jobs_are_worth_what_they_used_beyond_what_is_settled():
    jobs = {1: job(1, settled=100), 2: job(2, settled=100), 3: job(3, settled=900)}
    found = weigh(
        [
            Receipt(1, 460, JobStatus.RUNNING),
            # the customer was faster
            Receipt(2, 60, JobStatus.RUNNING),
            # the deposit covers 1 000 of them
            Receipt(3, 9_000, JobStatus.RUNNING),
        ],
        jobs,
        wei_per_gpu_hour=3_600,
    )
    assert found == Due(receipts=3, claims=1, accounts=1, value=460, compensates=False)


@pytest.mark.parametrize("status", sorted(FINAL))
def test_an_end_is_worth_the_rest_of_the_deposit_though_nothing_was_used(status: JobStatus):
    jobs = {1: job(1, settled=100)}
    found = weigh([Receipt(1, 100, status)], jobs, wei_per_gpu_hour=3_600)
    assert (found.value, found.compensates) == (900, False)


@pytest.mark.parametrize("status", sorted(FINAL))
def test_with_a_service_level_a_providers_fault_compensates(status: JobStatus):
    jobs = {1: job(1, sla=1)}
    assert weigh([Receipt(1, 0, status)], jobs, 1).compensates is (status in COMPENSATED)
    # the second word on an end changes nothing any more
    jobs = {1: job(1, sla=1, status=JobStatus.COMPLETED)}
    assert weigh([Receipt(1, 5, status)], jobs, 3_600) == Due(1, 1, 1, 5, False)


def test_the_share_of_an_hour_is_rounded_down():
    jobs = {1: job(1), 2: job(2)}
    receipts = [Receipt(1, 400, JobStatus.RUNNING), Receipt(2, 500, JobStatus.RUNNING)]
    assert weigh(receipts, jobs, wei_per_gpu_hour=5).value == 1  # 900 * 5 / 3 600 = 1.25


def test_payees_claim_by_parts_and_earn_by_tokens():
    jobs = {number: job(number) for number in range(1, 514)}
    jobs[600] = job(600, provider=8)
    jobs[601] = job(601, provider=8, asset="0xbb")
    found = weigh([Receipt(n, 1, JobStatus.RUNNING) for n in jobs], jobs, 0)
    assert (found.receipts, found.claims, found.accounts) == (515, 3, 3)


def test_usage_is_summed_by_provider():
    jobs = [job(1, 5), job(2, 7), job(3, 0, provider=8), job(4, 9, provider=9)]
    assert settled_by_provider(jobs) == {7: 12, 9: 9}


def test_ends_go_into_the_first_batch():
    over = job(4, status=JobStatus.COMPLETED)
    jobs = {number: job(number) for number in (1, 2, 3)} | {4: over}
    receipts = [
        Receipt(1, 9, JobStatus.RUNNING),
        Receipt(2, 0, JobStatus.SLA_MISSED),
        Receipt(3, 9, JobStatus.COMPLETED),
        # more usage of a job that has ended
        Receipt(4, 9, JobStatus.COMPLETED),
    ]
    assert [r.job for r in ends_first(receipts[::-1], jobs)] == [2, 3, 1, 4]


# --- what is carried ----------------------------------------------------------------------


def test_newer_batches_make_older_ones_needless():
    old = batch(3, 0, Receipt(1, 10, 3), Receipt(2, 10, 3))
    other = batch(3, 1, Receipt(5, 10, 3))
    new = batch(3, 2, Receipt(1, 20, 3), Receipt(2, 10, 3))
    assert carried([old, other, new], (), 9) == (new, other)
    # job 5 of the last report says as much
    assert carried([old, other, new], [Receipt(5, 10, 3)], 9) == (new,)
    assert carried([old, other, new], (), 1) == (new,)


receipts = st.builds(Receipt, st.integers(1, 9), st.integers(0, 99), st.integers(3, 9))
batches = st.lists(
    st.lists(receipts, min_size=1, max_size=5, unique_by=lambda r: r.job), max_size=8
).map(lambda many: [batch(3, index, *receipts) for index, receipts in enumerate(many)])


@given(batches, st.lists(receipts), st.randoms())
def test_what_is_carried_says_all_there_is_to_say(
    many: list[SignedBatch], said: list[Receipt], random
):
    chosen = carried(random.sample(many, len(many)), said, 99)
    assert latest([*said, *receipts_in(chosen)]) == latest([*said, *receipts_in(many)])
    assert set(chosen) <= set(many)
    assert all(left.index > right.index for left, right in pairwise(chosen))


def test_only_what_the_escrow_would_apply_is_outstanding():
    jobs = {
        1: job(1, settled=10),
        2: job(2, settled=60),
        3: job(3, status=JobStatus.CLOSED),
        4: job(4, settled=60, provider=8),
        # its deposit covers 1 000 seconds
        5: job(5, settled=1_000),
    }
    said = [
        Receipt(1, 60, JobStatus.RUNNING),
        Receipt(1, 50, JobStatus.RUNNING),
        Receipt(2, 60, JobStatus.RUNNING),
        Receipt(3, 60, JobStatus.RUNNING),
        Receipt(4, 60, JobStatus.COMPLETED),
        Receipt(5, 2_000, JobStatus.RUNNING),
        Receipt(6, 60, JobStatus.RUNNING),
    ]
    found = [(agreed.receipt, agreed.payee) for agreed in outstanding(said, jobs)]
    assert found == [(said[0], 7), (said[4], 8)]
