"""The product's agent with the product's oracles and contracts: from registration to registry."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from oracle.adapters.gpu.device import HostDevice
from oracle.adapters.gpu.numpy_backend import NumpyBackend
from oracle.adapters.oracle_client import OracleClient
from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.adapters.store.agent_state import AgentState
from oracle.api.schemas import JobUsageBody
from oracle.domain.admission import uuid_identity
from oracle.domain.receipts import JobStatus
from oracle.services.agent import Agent, AgentConfig

PATIENCE_S = 20


class RunningAgent:
    """An agent on a thread of its own."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        self._task = self._loop.create_task(self.agent.run())
        self._loop.run_until_complete(asyncio.gather(self._task, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def stop(self) -> None:
        assert self._task is not None
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()
        self.agent.state.close()


@pytest.fixture
def start_agent(live: Any, oracles: Any, tmp_path: Path) -> Iterator[Callable[..., Agent]]:
    """Start the agent of a registered provider's device on a backend."""
    running: list[RunningAgent] = []

    def start(backend: Any) -> Agent:
        provider = live.register_provider()
        urls = tuple(f"http://oracle-{index}" for index in range(len(oracles)))
        config = AgentConfig(
            provider=provider,
            keystore=Path("unused"),
            password_file=Path("unused"),
            oracles=urls,
            deployment=live.deployment_file,
            rpc=("unused",),
            state=tmp_path / "agent",
            heartbeat_seconds=0.5,
            poll_seconds=0.1,
        )
        agent = Agent(
            config=config,
            backend=backend,
            device=HostDevice("CPU-of-the-test"),
            identity=uuid_identity("CPU-of-the-test"),
            signer=KeystoreSigner(live.operator),
            chain=live.chain,
            state=AgentState(config.state / "agent.db"),
            public_url="http://127.0.0.1:9000",
            clients=[
                OracleClient(url, httpx.ASGITransport(oracle.http.app))
                for url, oracle in zip(urls, oracles, strict=True)
            ],
            ops_per_second=10**9,
        )
        running.append(RunningAgent(agent))
        running[-1].start()
        return agent

    yield start
    for one in running:
        one.stop()


def _eventually(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (result := what()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)
    return result


def _verdicts(oracles: Any) -> list[Any]:
    """Each oracle's verdict on the newest commit it has; empty until all have one."""
    views = [oracle.get("/v1/commits?after=0") for oracle in oracles]
    if not all(view and view[-1]["verdict"] for view in views):
        return []
    return [view[-1]["verdict"] for view in views]


def _look(oracles: Any) -> None:
    for oracle in oracles:
        oracle.look()


def _turn(oracles: Any) -> None:
    """Every oracle takes one turn of its work loop."""
    for oracle in oracles:
        oracle.look()
        oracle.node.rounds.tick()


def _reported(oracle: Any, job: int) -> int | None:
    return next(view["reported"] for view in oracle.get("/v1/jobs") if view["job"] == job)


def test_an_attested_device_works_a_job_that_every_oracle_hears_of(
    live: Any, oracles: Any, start_agent: Callable[..., Agent]
) -> None:
    live.enter_epoch(1)
    agent = start_agent(NumpyBackend())
    _turn(oracles)  # somebody records the beacon
    _look(oracles)
    verdicts = _eventually(lambda: _verdicts(oracles))
    assert [verdict["accepted"] for verdict in verdicts] == [True] * 4
    assert all(verdict["ops_per_second"] > 0 for verdict in verdicts)

    for _ in range(3):
        _turn(oracles)
    device = live.read("DeviceRegistry", "device_info", agent.device_id)
    assert device.provider == agent.config.provider
    assert device.ops_per_second > 0

    job = live.open_job(agent.config.provider)
    _look(oracles)
    agent.report_usage(job, JobUsageBody(gpu_seconds=5, status=JobStatus.RUNNING))
    agent.report_usage(job, JobUsageBody(gpu_seconds=9, status=JobStatus.COMPLETED))
    _eventually(lambda: [_reported(oracle, job) for oracle in oracles] == [9] * 4)


def test_a_cheating_device_is_refused_by_all(
    live: Any, oracles: Any, start_agent: Callable[..., Agent]
) -> None:
    class SkipsHalf(NumpyBackend):
        def matmul(self, a: Any, b: Any) -> Any:
            product = super().matmul(a, b)
            product[::2] = product[1::2]
            return product

    live.enter_epoch(1)
    agent = start_agent(SkipsHalf())
    _turn(oracles)
    _look(oracles)
    verdicts = _eventually(lambda: _verdicts(oracles))

    assert [verdict["accepted"] for verdict in verdicts] == [False] * 4
    assert all("not the product" in verdict["reason"] for verdict in verdicts)
    assert live.read("DeviceRegistry", "device_info", agent.device_id).provider == 0


def test_heartbeats_are_taken_and_strange_usage_is_not(
    live: Any, oracles: Any, start_agent: Callable[..., Agent]
) -> None:
    agent = start_agent(NumpyBackend())
    _look(oracles)
    path = f"/v1/devices/0x{agent.device_id.hex()}"
    _eventually(lambda: oracles[3].http.get(path).status_code == 200)
    _eventually(lambda: oracles[3].get(path)["last_heartbeat"])

    agent.report_usage(1, JobUsageBody(gpu_seconds=5, status=JobStatus.RUNNING))
    # no such job on chain: refused for good, and not in the way of anything
    _eventually(lambda: not agent.state.waiting("http://oracle-3", "/v1/usage", 1))
    assert oracles[3].get("/v1/jobs") == []
