"""Packed receipts: the bytes of the specification, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.domain.receipts import (
    COMPENSATED,
    FINAL,
    MAX_CUMULATIVE,
    MAX_JOB,
    MAX_RECEIPTS,
    RECEIPT_BYTES,
    JobStatus,
    Receipt,
    latest,
    pack,
    unpack,
)
from oracle.errors import BadInput

receipts = st.builds(
    Receipt,
    job=st.integers(1, MAX_JOB),
    cumulative_gpu_seconds=st.integers(0, MAX_CUMULATIVE),
    status=st.integers(0, 255),
)
batches = st.lists(receipts, min_size=1, max_size=40, unique_by=lambda receipt: receipt.job)


def test_the_layout():
    packed = pack([Receipt(0x0102030405060708, 0x11121314151617, JobStatus.RUNNING)])
    assert packed == bytes.fromhex("01020304050607081112131415161703")


@given(batches)
def test_what_was_packed_comes_back_sorted(batch):
    packed = pack(batch)
    assert len(packed) == RECEIPT_BYTES * len(batch)
    assert unpack(packed) == sorted(batch)
    assert pack(unpack(packed)) == packed


@given(batches.filter(lambda batch: len(batch) > 1))
def test_unsorted_bytes_are_refused(batch):
    packed = pack(batch)
    swapped = packed[RECEIPT_BYTES:] + packed[:RECEIPT_BYTES]
    with pytest.raises(BadInput, match="not sorted"):
        unpack(swapped)


def test_a_job_occurs_once():
    twice = [Receipt(5, 1, JobStatus.RUNNING), Receipt(5, 2, JobStatus.RUNNING)]
    with pytest.raises(BadInput, match="twice"):
        pack(twice)
    with pytest.raises(BadInput, match="not sorted"):
        unpack(pack(twice[:1]) + pack(twice[1:]))


@pytest.mark.parametrize("count", [1, MAX_RECEIPTS])
def test_the_shortest_and_the_longest_batch(count):
    batch = [Receipt(job, 1, JobStatus.RUNNING) for job in range(1, count + 1)]
    assert unpack(pack(batch)) == batch


@pytest.mark.parametrize("count", [0, MAX_RECEIPTS + 1])
def test_no_batch_is_shorter_or_longer(count):
    batch = [Receipt(job, 1, JobStatus.RUNNING) for job in range(1, count + 1)]
    with pytest.raises(BadInput, match=f"batch of {count}"):
        pack(batch)
    with pytest.raises(BadInput, match="no batch"):
        unpack(bytes(RECEIPT_BYTES * count))


@pytest.mark.parametrize("length", [1, RECEIPT_BYTES - 1, RECEIPT_BYTES + 1])
def test_half_a_receipt_is_refused(length):
    with pytest.raises(BadInput, match="no batch"):
        unpack(bytes(length))


@pytest.mark.parametrize(
    "receipt",
    [
        Receipt(0, 1, 3),
        Receipt(-1, 1, 3),
        Receipt(MAX_JOB + 1, 1, 3),
        Receipt(1, -1, 3),
        Receipt(1, MAX_CUMULATIVE + 1, 3),
        Receipt(1, 1, -1),
        Receipt(1, 1, 256),
    ],
)
def test_numbers_that_do_not_fit_are_refused(receipt):
    with pytest.raises(BadInput, match="does not fit"):
        pack([receipt])


def test_job_zero_is_refused_in_bytes_too():
    with pytest.raises(BadInput, match="no job 0"):
        unpack(bytes(7) + b"\0" + bytes(8))


def test_the_statuses_of_the_contract():
    assert [status.value for status in JobStatus] == list(range(12))
    assert sorted(FINAL) == [4, 5, 6, 7, 8, 9]
    assert sorted(COMPENSATED) == [6, 7, 8]


def test_the_latest_receipt_of_a_job_has_most_seconds_then_the_later_status():
    receipts = [
        Receipt(2, 10, JobStatus.RUNNING),
        Receipt(1, 90, JobStatus.RUNNING),
        Receipt(1, 60, JobStatus.COMPLETED),
        Receipt(2, 10, JobStatus.COMPLETED),
    ]
    found = latest(receipts)
    assert list(found) == [1, 2]
    assert found[1] == Receipt(1, 90, JobStatus.RUNNING)
    assert found[2] == Receipt(2, 10, JobStatus.COMPLETED)


@given(st.lists(receipts), st.randoms())
def test_the_order_of_receipts_does_not_matter(many, random):
    found = latest(many)
    assert found == latest(random.sample(many, len(many)))
    assert all(found[receipt.job] >= receipt for receipt in many)
    assert set(found.values()) <= set(many)
