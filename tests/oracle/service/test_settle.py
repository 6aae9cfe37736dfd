"""Settlement by receipts: a silent customer, four observers, one batch."""

from collections.abc import Callable

import pytest

from oracle.domain.receipts import FINAL, JobStatus
from oracle.domain.settlement import Settlement
from tests.oracle.conftest import Live, Machine, Oracle, admit, step, step_until


@pytest.fixture
def job(live: Live, oracles: list[Oracle], machine: Machine) -> int:
    """A job on an attested device that is heard of every ten seconds."""
    live.enter_epoch(1)
    step(oracles)
    admit(machine, oracles)
    return live.open_job(machine.provider)


def work(
    live: Live, oracles: list[Oracle], machine: Machine, seconds: int, every: int = 10
) -> None:
    """Let a device work: a heartbeat now and `every` so many seconds."""
    for _ in range(seconds // every):
        for oracle in oracles:
            oracle.look()
            oracle.post("/v1/heartbeats", [machine.heartbeat()])
        live.mine(1, every)
    for oracle in oracles:
        oracle.look()
        oracle.post("/v1/heartbeats", [machine.heartbeat()])


def report(
    oracles: list[Oracle], machine: Machine, job: int, gpu_seconds: int, status: int = 3
) -> None:
    body = machine.usage(job, gpu_seconds, status)
    for oracle in oracles:
        assert oracle.post("/v1/usage", [body])[0] == {"state": "stored", "reason": ""}


def settled(live: Live, job: int) -> int:
    return int(live.read("JobRegistry", "job_info", job)[9])


def test_silent_customer_is_settled(
    live: Live, oracles: list[Oracle], machine: Machine, job: int
) -> None:
    work(live, oracles, machine, 30)
    report(oracles, machine, job, 25)
    step_until(oracles, lambda: settled(live, job) == 25)


def test_final_status_reaches_the_escrow(
    live: Live, oracles: list[Oracle], machine: Machine, job: int
) -> None:
    work(live, oracles, machine, 20)
    report(oracles, machine, job, 15, JobStatus.COMPLETED)
    step_until(oracles, lambda: live.read("JobRegistry", "job_info", job)[6] == JobStatus.COMPLETED)


def test_exaggeration_is_cut_to_elapsed_time(
    live: Live, oracles: list[Oracle], machine: Machine, job: int
) -> None:
    work(live, oracles, machine, 20)
    report(oracles, machine, job, 10_000)
    step_until(oracles, lambda: settled(live, job) > 0)
    now = live.chain.timestamp()
    accepted_at = live.read("JobRegistry", "job_info", job)[11]
    assert 15 <= settled(live, job) <= now - accepted_at


def test_silent_device_earns_nothing(
    live: Live, oracles: list[Oracle], machine: Machine, job: int
) -> None:
    live.mine(1, 600)
    step(oracles)
    report(oracles, machine, job, 500)
    step(oracles, 8)
    assert settled(live, job) == 0


def test_one_silent_oracle_stops_nothing(
    live: Live, oracles: list[Oracle], machine: Machine, job: int
) -> None:
    work(live, oracles, machine, 20)
    report(oracles, machine, job, 12)
    # whoever leads, one of the four is gone: its peers meet a closed door
    for gone in oracles[3:]:
        for oracle in oracles[:3]:
            oracle.node.peers[:] = [p for p in oracle.node.peers if p._client is not gone.http]
    step_until(oracles[:3], lambda: settled(live, job) == 12)


def test_two_silent_oracles_stop_the_round(
    live: Live, oracles: list[Oracle], machine: Machine, job: int
) -> None:
    work(live, oracles, machine, 20)
    report(oracles, machine, job, 12)
    alive = oracles[:2]
    for oracle in alive:
        oracle.node.peers[:] = [
            p for p in oracle.node.peers if p._client in [o.http for o in alive]
        ]
    step(alive, 8)
    assert settled(live, job) == 0


def test_a_liar_below_a_third_moves_nothing(
    live: Live, oracles: list[Oracle], machine: Machine, job: int
) -> None:
    work(live, oracles, machine, 30)
    report(oracles[1:], machine, job, 20)
    report(oracles[:1], machine, job, 2)
    step_until(oracles, lambda: settled(live, job) > 0)
    assert settled(live, job) == 20


def test_customer_who_co_signs_is_left_alone(live: Live, make_oracles, machine: Machine) -> None:

    oracles = make_oracles(usage_lag=300)
    live.enter_epoch(1)
    step(oracles)
    admit(machine, oracles)
    job = live.open_job(machine.provider)
    work(live, oracles, machine, 20)
    report(oracles, machine, job, 12)
    step(oracles, 8)
    assert settled(live, job) == 0
    live.mine(1, 300)
    step_until(oracles, lambda: settled(live, job) == 12)


# --- service levels -----------------------------------------------------------------------------


@pytest.fixture
def guaranteed(live: Live, oracles: list[Oracle], machine: Machine) -> int:
    """A job whose service level promises its GPU for 90 % of the time."""
    live.send(live.deployer, "ServiceBonds", "add_sla", 10**18, 10_000, 9_000, 0)
    live.enter_epoch(1)
    step(oracles)
    admit(machine, oracles)
    return live.open_job(machine.provider, sla=1)


def status(live: Live, job: int) -> int:
    return int(live.read("JobRegistry", "job_info", job).status)


def test_a_device_that_is_gone_misses_its_service_level(
    live: Live, oracles: list[Oracle], machine: Machine, guaranteed: int
) -> None:
    work(live, oracles, machine, 20)
    report(oracles, machine, guaranteed, 20)
    live.mine(1, 600)
    step_until(oracles, lambda: status(live, guaranteed) == JobStatus.SLA_MISSED)
    assert settled(live, guaranteed) == 20
    had = live.read("WorkToken", "balanceOf", live.customer.address)
    deposit = live.read("JobRegistry", "job_info", guaranteed).deposit
    live.send(live.customer, "JobRegistry", "close", guaranteed)
    got = live.read("WorkToken", "balanceOf", live.customer.address) - had
    price = live.read("JobRegistry", "job_info", guaranteed).price_per_gpu_hour
    assert got == deposit - 20 * price // 3_600 + 10**18


def test_a_missed_service_level_does_not_wait_for_the_root(
    live: Live, make_oracles: Callable[..., list[Oracle]], machine: Machine
) -> None:
    # nothing was used, and a GPU-hour is worth nothing: only the compensation speaks for a batch
    oracles = make_oracles(settlement=Settlement.AUTO, gpu_hour_gwei=0)
    live.send(live.deployer, "ServiceBonds", "add_sla", 10**18, 10_000, 9_000, 0)
    live.enter_epoch(1)
    step(oracles)
    admit(machine, oracles)
    job = live.open_job(machine.provider, sla=1)
    live.mine(1, 600)
    step_until(oracles, lambda: status(live, job) == JobStatus.SLA_MISSED)
    assert not [batch for oracle in oracles for batch in oracle.node.store.batches(2**62)]


def test_a_provider_that_never_reports_misses_it_too(
    live: Live, oracles: list[Oracle], machine: Machine, guaranteed: int
) -> None:
    live.mine(1, 600)
    step_until(oracles, lambda: status(live, guaranteed) == JobStatus.SLA_MISSED)
    assert settled(live, guaranteed) == 0


@pytest.mark.parametrize(
    "end", [JobStatus.COMPLETED, JobStatus.CUSTOMER_CANCELLED, JobStatus.INFRASTRUCTURE]
)
def test_no_provider_words_a_missed_service_level_away(
    live: Live, oracles: list[Oracle], machine: Machine, guaranteed: int, end: JobStatus
) -> None:
    work(live, oracles, machine, 20)
    live.mine(1, 600)
    for oracle in oracles:
        oracle.look()
    report(oracles, machine, guaranteed, 20, end)
    step_until(oracles, lambda: status(live, guaranteed) in FINAL)
    assert status(live, guaranteed) == JobStatus.SLA_MISSED
    assert settled(live, guaranteed) == 20


def test_an_early_end_is_no_way_out(
    live: Live, oracles: list[Oracle], machine: Machine, guaranteed: int
) -> None:
    """Long before a job that goes on would be judged; a heartbeat vouches for 120 s."""
    work(live, oracles, machine, 20)
    live.mine(1, 200)
    for oracle in oracles:
        oracle.look()
    report(oracles, machine, guaranteed, 20, JobStatus.COMPLETED)
    step_until(oracles, lambda: status(live, guaranteed) in FINAL)
    assert status(live, guaranteed) == JobStatus.SLA_MISSED


def test_a_short_job_may_end(
    live: Live, oracles: list[Oracle], machine: Machine, guaranteed: int
) -> None:
    work(live, oracles, machine, 20)
    report(oracles, machine, guaranteed, 10, JobStatus.COMPLETED)
    step_until(oracles, lambda: status(live, guaranteed) in FINAL)
    assert status(live, guaranteed) == JobStatus.COMPLETED
    assert settled(live, guaranteed) == 10


def test_a_job_that_is_over_is_judged_until_its_end(
    live: Live, oracles: list[Oracle], machine: Machine, guaranteed: int
) -> None:
    work(live, oracles, machine, 625, every=25)
    report(oracles, machine, guaranteed, 600, JobStatus.COMPLETED)
    # its devices do something else from now on
    live.mine(1, 1_200)
    step_until(oracles, lambda: status(live, guaranteed) in FINAL)
    assert status(live, guaranteed) == JobStatus.COMPLETED


def test_a_job_that_goes_on_after_its_end_is_judged_until_now(
    live: Live, oracles: list[Oracle], machine: Machine, guaranteed: int
) -> None:
    """An early "completed", taken back, does not end the watch."""
    work(live, oracles, machine, 20)
    report(oracles, machine, guaranteed, 10, JobStatus.COMPLETED)
    report(oracles, machine, guaranteed, 20)
    live.mine(1, 600)
    step_until(oracles, lambda: status(live, guaranteed) in FINAL)
    assert status(live, guaranteed) == JobStatus.SLA_MISSED


def test_uptime_is_not_judged_at_once(
    live: Live, oracles: list[Oracle], machine: Machine, guaranteed: int
) -> None:
    live.mine(1, 500)
    step(oracles, 8)
    assert status(live, guaranteed) == JobStatus.ACCEPTED


def test_a_job_without_service_level_is_never_judged(
    live: Live, oracles: list[Oracle], machine: Machine, job: int
) -> None:
    live.mine(1, 700)
    step(oracles, 8)
    assert status(live, job) == JobStatus.ACCEPTED
