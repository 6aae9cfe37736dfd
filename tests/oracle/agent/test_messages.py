"""Heartbeats and usage: signed once, delivered to everybody, over every restart."""

import time
from typing import Any

import pytest

from oracle.api.schemas import JobUsageBody
from oracle.domain.receipts import JobStatus
from oracle.errors import BadInput, Conflict, Transient


def _usage(seconds: int, status: int = JobStatus.RUNNING) -> JobUsageBody:
    return JobUsageBody(gpu_seconds=seconds, status=status, telemetry={"job_cpu_user_ms": 5})


def test_heartbeats_count_up_and_carry_chain_time(world: Any) -> None:
    world.run(lambda: all(len(oracle.heartbeats) >= 3 for oracle in world.oracles))
    beats = world.oracles[0].heartbeats

    assert [beat.seq for beat in beats[:3]] == [1, 2, 3]
    assert {beat.timestamp for beat in beats} == {world.chain.now}
    assert "cpu_user_ms" in beats[0].telemetry


def test_a_restart_never_reuses_a_sequence_number(world: Any) -> None:
    world.run(lambda: len(world.oracles[0].heartbeats) >= 2)
    world.run(lambda: len(world.oracles[0].heartbeats) >= 5)
    seen = [beat.seq for beat in world.oracles[0].heartbeats]

    assert len(set(seen)) == len(seen)
    assert seen == sorted(seen)


def test_heartbeats_go_on_while_the_node_is_down(world: Any) -> None:
    def beats_after_loss() -> bool:
        world.chain.down = bool(world.oracles[0].heartbeats)
        return len(world.oracles[0].heartbeats) >= 4

    world.run(beats_after_loss)
    assert world.oracles[0].heartbeats[-1].timestamp >= world.chain.now


def test_no_time_no_heartbeat(world: Any) -> None:
    world.chain.down = True
    agent = world.agent()

    with pytest.raises(Transient):
        agent.send_heartbeat()
    assert agent.state.undelivered() == 0
    agent.state.close()


def test_usage_reaches_every_oracle_signed(world: Any) -> None:
    agent = world.agent()
    agent.report_usage(3, _usage(10))
    view = agent.report_usage(3, _usage(25))
    assert (view.gpu_seconds, view.status, view.undelivered) == (25, 3, 6)
    world.run(lambda: all(len(oracle.usage) == 2 for oracle in world.oracles), agent)

    samples = [(u.job, u.seq, u.cumulative_gpu_seconds) for u in world.oracles[2].usage]
    assert samples == [(3, 1, 10), (3, 2, 25)]
    assert world.oracles[0].usage[0].telemetry["job_cpu_user_ms"] == 5
    assert "cpu_user_ms" in world.oracles[0].usage[0].telemetry


def test_messages_for_a_dead_oracle_survive_a_restart(world: Any) -> None:
    dead, alive, _ = world.oracles
    dead.down = True
    agent = world.agent()
    agent.report_usage(3, _usage(10))
    world.run(lambda: bool(alive.usage), agent)
    assert dead.usage == []

    dead.down = False
    world.run(lambda: bool(dead.usage))
    assert dead.usage == alive.usage


def test_usage_never_falls_and_repeats_freely(world: Any) -> None:
    agent = world.agent()
    agent.report_usage(3, _usage(10))
    agent.report_usage(3, _usage(10))
    before = agent.state.undelivered()

    with pytest.raises(Conflict, match="already used 10"):
        agent.report_usage(3, _usage(9))
    assert agent.state.undelivered() == before
    assert agent.job_usage(3).gpu_seconds == 10
    agent.state.close()


def test_a_job_that_ended_stays_ended(world: Any) -> None:
    agent = world.agent()
    agent.report_usage(3, _usage(10, JobStatus.COMPLETED))
    agent.report_usage(3, _usage(10, JobStatus.COMPLETED))

    for again in (_usage(11), _usage(11, JobStatus.COMPLETED), _usage(10, JobStatus.SLA_MISSED)):
        with pytest.raises(Conflict, match="has ended"):
            agent.report_usage(3, again)
    assert agent.job_usage(3).status == JobStatus.COMPLETED
    agent.state.close()


@pytest.mark.parametrize("status", [0, 1, 2, 10, 11, 255])
def test_statuses_that_no_usage_carries(world: Any, status: int) -> None:
    agent = world.agent()
    with pytest.raises(BadInput, match="status"):
        agent.report_usage(3, _usage(10, status))
    assert agent.state.undelivered() == 0
    agent.state.close()


def test_jobs_count_apart(world: Any) -> None:
    agent = world.agent()
    agent.report_usage(3, _usage(10))
    agent.report_usage(4, _usage(1))

    assert agent.job_usage(3).gpu_seconds == 10
    assert agent.job_usage(4).gpu_seconds == 1
    assert agent.job_usage(5).gpu_seconds == 0
    agent.state.close()


def test_one_bad_message_does_not_hold_the_others(world: Any) -> None:
    agent = world.agent()
    for seconds in (10, 66_666, 66_667):
        agent.report_usage(3, _usage(seconds))
    for oracle in world.oracles:
        oracle.allergic_to = ":66666,"
    world.run(lambda: all(len(oracle.usage) == 2 for oracle in world.oracles), agent)

    assert [u.cumulative_gpu_seconds for u in world.oracles[0].usage] == [10, 66_667]


def test_usage_of_a_lost_card_is_still_signed(world: Any) -> None:
    agent = world.agent()

    class Lost:
        inventory = agent.device.inventory

        def telemetry(self) -> dict[str, int | None]:
            raise Transient("fallen off the bus", "reset it")

    agent.device = Lost()
    agent.report_usage(3, _usage(10))
    with pytest.raises(Transient):
        agent.send_heartbeat()
    assert agent.state.undelivered() == 3
    agent.state.close()


def test_heartbeats_resume_when_the_card_does(world: Any) -> None:
    agent = world.agent()
    real, lost_until = agent.device, time.monotonic() + 0.2

    class Flaky:
        inventory = real.inventory

        def telemetry(self) -> dict[str, int | None]:
            if time.monotonic() < lost_until:
                raise Transient("fallen off the bus", "reset it")
            return real.telemetry()

    agent.device = Flaky()
    world.run(lambda: bool(world.oracles[0].heartbeats), agent)
    assert time.monotonic() >= lost_until
