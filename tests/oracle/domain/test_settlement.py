"""Batch or root: the choice on worked numbers, and what of the signed batches is carried."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from oracle.domain.market import Job
from oracle.domain.proposals import SignedBatch
from oracle.domain.receipts import JobStatus, Receipt, latest, pack
from oracle.domain.settlement import (
    Settlement,
    carried,
    cheapest,
    outstanding,
    receipts_in,
    settled_by_provider,
    worth,
)

GWEI = 10**9
ETHER = 10**18
MINUTE, HOUR = 60, 3_600


def job(number: int, settled: int = 0, provider: int = 7, status: int = JobStatus.RUNNING) -> Job:
    return Job(number, provider, 1, 1, status, 3_600, 1_000, settled, 1)


def batch(epoch: int, index: int, *receipts: Receipt) -> SignedBatch:
    return SignedBatch(epoch, index, pack(receipts), b"")


# --- batch or root ------------------------------------------------------------------------


def way(
    receipts: int = 400,
    payees: int = 1,
    base_fee: int = 20 * GWEI,
    value: int = 0,
    seconds_left: int = HOUR,
    interval: int = MINUTE,
) -> Settlement:
    return cheapest(receipts, payees, base_fee, value, seconds_left, interval).way


def test_the_root_wins_while_many_rounds_are_left():
    assert way(seconds_left=HOUR) is Settlement.ROOT


def test_a_batch_wins_in_the_last_round_of_many_payees():
    # one claim each costs more than one batch for all of them
    assert way(payees=100, seconds_left=MINUTE - 1) is Settlement.BATCH
    assert way(payees=100, seconds_left=5 * MINUTE) is Settlement.ROOT


def test_free_gas_is_spent():
    assert way(base_fee=0) is Settlement.BATCH


def test_much_at_stake_does_not_wait():
    # 61 batches of 2.46 million gas at 20 gwei are about 3 ether
    assert way(value=100 * ETHER) is Settlement.ROOT
    assert way(value=1_000 * ETHER) is Settlement.BATCH


def test_dear_gas_waits_for_the_root():
    assert way(value=ETHER, base_fee=GWEI // 10_000) is Settlement.BATCH
    assert way(value=ETHER, base_fee=100 * GWEI) is Settlement.ROOT


def test_the_reason_names_both_costs():
    choice = cheapest(400, 1, 20 * GWEI, 0, HOUR, MINUTE)
    assert choice.reason == (
        "61 x 2,460,230 gas in batches, 2,445,530 by the root: "
        "the root saves 2,952,570,000,000,000,000 wei"
    )


@given(
    st.integers(1, 512),
    st.integers(1, 512),
    st.integers(0, 10**12),
    st.integers(0, 10**24),
    st.integers(0, 10**6),
    st.integers(1, 10**5),
)
def test_dearer_gas_and_more_time_only_ever_lead_to_the_root(
    receipts: int, payees: int, base_fee: int, value: int, seconds_left: int, interval: int
):
    payees = min(payees, receipts)
    facts = (receipts, payees, base_fee, value, seconds_left, interval)
    if cheapest(*facts).way is Settlement.ROOT:
        assert cheapest(receipts, payees, 2 * base_fee, *facts[3:]).way is Settlement.ROOT
        assert cheapest(*facts[:3], value // 2, *facts[4:]).way is Settlement.ROOT
        assert cheapest(*facts[:4], 2 * seconds_left, interval).way is Settlement.ROOT


def test_what_receipts_are_worth_is_beyond_what_is_settled():
    jobs = {1: job(1, settled=HOUR), 2: job(2, settled=HOUR)}
    due = [Receipt(1, 3 * HOUR, JobStatus.RUNNING), Receipt(2, 60, JobStatus.RUNNING)]
    assert worth(due, jobs, wei_per_gpu_hour=5) == 10


def test_usage_is_summed_by_provider():
    jobs = [job(1, 5), job(2, 7), job(3, 0, provider=8), job(4, 9, provider=9)]
    assert settled_by_provider(jobs) == {7: 12, 9: 9}


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
