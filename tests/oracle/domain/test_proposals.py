"""The arithmetic that turns observations into reports."""

import pytest

from oracle.domain.market import DeviceClass, Job
from oracle.domain.proposals import (
    DeviceObservation,
    DeviceProposal,
    JobObservation,
    UsageObservation,
    aggregate_device,
    aggregate_usage,
    usage_message,
)
from oracle.domain.receipts import JobStatus, Receipt
from oracle.errors import BadInput

CONFIG = b"\x01" * 32
DEVICE = b"\x02" * 32
ORACLES = [f"0x{i:040x}" for i in (1, 2, 3, 4)]
CLASSES = [DeviceClass(1, 100, 256), DeviceClass(2, 1_000, 8_000), DeviceClass(3, 1_000, 4_000)]


def observation(oracle: str, *jobs: tuple[int, int, int]) -> UsageObservation:
    return UsageObservation(
        5, tuple(JobObservation(s, st, job) for job, s, st in jobs), oracle, b""
    )


def test_usage_is_the_lower_median_per_job() -> None:
    seen = [
        observation(ORACLES[0], (1, 10, 3), (2, 7, 3)),
        observation(ORACLES[1], (1, 20, 3), (2, 7, 4)),
        observation(ORACLES[2], (1, 30, 3), (2, 7, 4)),
        observation(ORACLES[3], (1, 40, 3)),
    ]
    assert aggregate_usage(seen, 3) == {1: Receipt(1, 20, 3), 2: Receipt(2, 7, 4)}


def test_job_that_too_few_saw_is_left_out() -> None:
    seen = [observation(ORACLES[0], (1, 10, 3)), observation(ORACLES[1], (1, 10, 3))]
    assert aggregate_usage(seen, 3) == {}


def test_repeating_a_job_gives_no_second_vote() -> None:
    seen = [observation(ORACLES[0], (1, 99, 3), (1, 99, 3), (1, 99, 3))]
    assert aggregate_usage(seen, 2) == {}


def test_usage_message_ignores_the_order_of_jobs() -> None:
    jobs = [JobObservation(1, 3, 9), JobObservation(2, 3, 4)]
    assert usage_message(CONFIG, 5, jobs) == usage_message(CONFIG, 5, jobs[::-1])
    assert usage_message(CONFIG, 5, jobs) != usage_message(CONFIG, 5, jobs[:1])


def proposal(
    *ops: int, commits: tuple[bytes, ...] = (), evidence: tuple[bytes, ...] = ()
) -> DeviceProposal:
    commits = commits or (b"\x03" * 32,) * len(ops)
    evidence = evidence or (b"\x05" * 32,) * len(ops)
    return DeviceProposal(
        DEVICE,
        5,
        tuple(
            DeviceObservation(
                DEVICE, 5, commit, rate, 1_000 - rate, bytes([i] * 32), proof, oracle, b""
            )
            for i, (rate, commit, proof, oracle) in enumerate(
                zip(ops, commits, evidence, ORACLES, strict=False)
            )
        ),
    )


def test_device_result_is_the_lower_median_with_its_own_time() -> None:
    result = aggregate_device(proposal(150, 300, 200, 900), 1, bytes(32), 512, CLASSES)
    assert (result.ops_per_second, result.elapsed_ms, result.device_class) == (200, 800, 1)


def test_device_result_does_not_depend_on_the_order_of_observations() -> None:
    one = proposal(150, 300, 200)
    other = DeviceProposal(DEVICE, 5, one.observations[::-1])
    arguments = (1, bytes(32), 512, CLASSES)
    assert aggregate_device(one, *arguments) == aggregate_device(other, *arguments)


@pytest.mark.parametrize(
    ("ops", "memory", "device_class"),
    [(100, 256, 1), (999, 9_000, 1), (1_000, 4_000, 3), (1_000, 8_000, 2), (5_000, 256, 1)],
)
def test_best_class_whose_floors_hold(ops: int, memory: int, device_class: int) -> None:
    result = aggregate_device(proposal(ops, ops, ops), 1, bytes(32), memory, CLASSES)
    assert result.device_class == device_class


@pytest.mark.parametrize(("ops", "memory"), [(99, 9_000), (5_000, 255)])
def test_device_below_every_class_is_refused(ops: int, memory: int) -> None:
    with pytest.raises(BadInput, match="below every device class"):
        aggregate_device(proposal(ops, ops, ops), 1, bytes(32), memory, CLASSES)


def test_observations_of_two_commits_are_refused() -> None:
    mixed = proposal(200, 200, commits=(b"\x03" * 32, b"\x04" * 32))
    with pytest.raises(BadInput, match="one commit"):
        aggregate_device(mixed, 1, bytes(32), 512, CLASSES)


def test_observations_of_two_pieces_of_evidence_are_refused() -> None:
    mixed = proposal(200, 200, evidence=(b"\x03" * 32, b"\x04" * 32))
    with pytest.raises(BadInput, match="and evidence"):
        aggregate_device(mixed, 1, bytes(32), 512, CLASSES)
    same = aggregate_device(proposal(200, 200), 1, bytes(32), 512, CLASSES)
    assert same.evidence == b"\x05" * 32


# --- what the escrow would do with a receipt ------------------------------------------------


def job(status: int = JobStatus.RUNNING, settled: int = 10, deposit: int = 100) -> Job:
    return Job(1, 1, 1, 1, status, 3_600, deposit, settled, 1)


@pytest.mark.parametrize(
    ("state", "receipt", "advances"),
    [
        (job(), (11, 3), True),
        (job(), (10, 3), False),
        (job(), (9, 3), False),
        (job(), (10, 4), True),
        (job(status=JobStatus.COMPLETED), (10, 4), False),
        (job(status=JobStatus.COMPLETED), (11, 4), True),
        (job(settled=100), (500, 3), False),
        (job(settled=99), (500, 3), True),
        (job(status=JobStatus.OPEN), (11, 3), False),
        (job(status=JobStatus.CLOSED), (11, 4), False),
        (job(status=JobStatus.CANCELLED), (11, 4), False),
    ],
)
def test_job_advances(state: Job, receipt: tuple[int, int], advances: bool) -> None:
    assert state.advances(*receipt) is advances


def test_deposit_covers_whole_gpu_seconds() -> None:
    assert job(deposit=100).covered == 100
    assert Job(1, 1, 1, 1, 3, 1_000, 5, 0, 1).covered == 21  # 21 * 1000 // 3600 = 5, 22 gives 6
