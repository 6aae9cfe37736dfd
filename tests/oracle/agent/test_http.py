"""The agent's two servers, and the meter that talks to one of them."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient

from oracle.adapters.agent_client import CONTROL_FILE, AgentClient
from oracle.api.agent import control_app, public_app
from oracle.api.schemas import LeafView
from oracle.domain.attestation import root_of
from oracle.domain.execution import Layer, Work
from oracle.domain.receipts import JobStatus
from oracle.errors import BadInput, Conflict, Transient, Unauthorized
from oracle.services.agent import Agent
from oracle.services.chains import RETRY_AFTER
from oracle.services.meter import JobFailure, JobMeter
from oracle.services.vouchers import VoucherDesk

TOKEN = "token of the test"


@pytest.fixture
def agent(world: Any) -> Iterator[Agent]:
    """An agent that has attested once."""
    agent = world.agent()
    keep_open, agent.state.close = agent.state.close, lambda: None  # type: ignore[method-assign]
    world.run(lambda: bool(world.oracles[0].verdicts), agent)
    yield agent
    keep_open()


@pytest.fixture
def public(world: Any, agent: Agent) -> TestClient:
    return TestClient(public_app(agent, VoucherDesk(world.chain, world.signer, agent.state, 7, 60)))


@pytest.fixture
def control(agent: Agent, tmp_path: Path) -> Iterator[Path]:
    """The control interface on a real port; yields the agent's state directory."""
    config = uvicorn.Config(control_app(agent, TOKEN), port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    _write_control(tmp_path, f"http://127.0.0.1:{port}", TOKEN)
    yield tmp_path
    server.should_exit = True
    thread.join()


def _write_control(state: Path, url: str, token: str) -> None:
    (state / CONTROL_FILE).write_text(json.dumps({"url": url, "token": token}))


# --- public ---------------------------------------------------------------------------------------


def test_a_watcher_opens_a_leaf(world: Any, public: TestClient) -> None:
    commit = world.oracles[0].commits[0]
    url = f"/v1/commits/0x{commit.message().struct_hash().hex()}/openings"
    view = LeafView.model_validate_json(public.get(url, params={"round": 1, "index": 3}).content)

    assert (view.round, view.index) == (1, 3)
    assert root_of(view.leaf, 3, view.path) == commit.roots[1]


def test_a_leaf_of_an_old_chain_waits_for_the_challenge(
    world: Any, agent: Any, public: TestClient
) -> None:
    commit = world.oracles[0].commits[0].message().struct_hash()
    url, params = f"/v1/commits/0x{commit.hex()}/openings", {"round": 1, "index": 3}
    chains = agent.prover._chains
    assert chains.compute(lambda: public.get(url, params=params)).status_code == 200
    chains._newest.clear()
    answer = chains.compute(lambda: public.get(url, params=params))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, str(RETRY_AFTER))
    assert "computes a challenge" in answer.json()["title"]
    assert public.get(url, params=params).status_code == 200


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"round": 9, "index": 0}, 404),
        ({"round": 0, "index": 8}, 404),
        ({"round": 0, "index": 2**32 - 1}, 404),
        ({"round": 0}, 422),
        ({"round": -1, "index": 0}, 422),
        ({"round": 0, "index": 2**64}, 422),
    ],
)
def test_what_is_not_there_is_a_problem(
    world: Any, public: TestClient, params: dict[str, int], status: int
) -> None:
    commit = world.oracles[0].commits[0].message().struct_hash()
    answer = public.get(f"/v1/commits/0x{commit.hex()}/openings", params=params)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


@pytest.mark.parametrize("name", ["0x" + "00" * 32, "0x12", "latest"])
def test_unknown_and_malformed_commits(public: TestClient, name: str) -> None:
    answer = public.get(f"/v1/commits/{name}/openings", params={"round": 0, "index": 0})
    assert answer.status_code == (404 if len(name) == 66 else 422)


def test_telemetry_is_labelled(public: TestClient) -> None:
    view = public.get("/v1/telemetry").json()

    assert view["inventory"]["kind"] == "cpu"
    assert view["telemetry"]["cpu_user_ms"] > 0


def test_usage_can_not_be_reported_in_public(public: TestClient) -> None:
    answer = public.post("/v1/jobs/3/usage", json={"gpu_seconds": 1, "status": 3})
    assert answer.status_code == 404


# --- control --------------------------------------------------------------------------------------


def test_the_token_is_asked_for(agent: Agent, control: Path) -> None:
    url = json.loads((control / CONTROL_FILE).read_text())["url"]
    before = agent.state.undelivered()
    for token in ("x", "wrong", TOKEN[:-1]):
        _write_control(control, url, token)
        with pytest.raises(Unauthorized):
            AgentClient(control).report(3, 1, JobStatus.RUNNING, {})

    assert agent.state.job(3) == (0, 0)
    assert agent.state.undelivered() == before


def test_a_job_reports_and_reads_its_usage(agent: Agent, control: Path) -> None:
    client = AgentClient(control)
    assert client.usage(3).gpu_seconds == 0
    assert client.report(3, 7, JobStatus.RUNNING, {"x": 1}).gpu_seconds == 7
    assert client.usage(3).status == JobStatus.RUNNING


def test_errors_keep_their_kind(control: Path) -> None:
    client = AgentClient(control)
    client.report(3, 7, JobStatus.RUNNING, {})
    with pytest.raises(Conflict):
        client.report(3, 6, JobStatus.RUNNING, {})
    with pytest.raises(BadInput):
        client.report(3, 8, JobStatus.OPEN, {})


def test_without_an_agent_the_job_is_told(tmp_path: Path) -> None:
    with pytest.raises(Transient, match="no agent runs"):
        AgentClient(tmp_path).usage(3)
    _write_control(tmp_path, "http://127.0.0.1:9", TOKEN)
    with pytest.raises(Transient, match="does not answer"):
        AgentClient(tmp_path).usage(3)


# --- meter ----------------------------------------------------------------------------------------


def test_meter_measures_time_times_gpus(agent: Agent, control: Path) -> None:
    started = time.monotonic()
    with JobMeter(control, job=3, gpus=4, interval=0.1) as meter:
        time.sleep(0.8)
    elapsed = time.monotonic() - started

    assert 3 <= meter.gpu_seconds <= int(elapsed * 4)
    assert agent.state.job(3) == (meter.gpu_seconds, JobStatus.COMPLETED)
    time.sleep(0.3)
    assert agent.state.job(3)[0] == meter.gpu_seconds


def test_meter_reports_while_the_job_runs(agent: Agent, control: Path) -> None:
    with JobMeter(control, job=3, gpus=10, interval=0.05):
        time.sleep(0.5)
        seconds, status = agent.state.job(3)
    assert seconds >= 1
    assert status == JobStatus.RUNNING


def test_a_failed_job_is_the_providers_fault(agent: Agent, control: Path) -> None:
    with pytest.raises(ZeroDivisionError), JobMeter(control, job=3, gpus=1):
        _ = 1 // 0
    assert agent.state.job(3)[1] == JobStatus.PROVIDER_FAULT


def test_the_meter_tells_what_ran(agent: Agent, control: Path) -> None:
    with JobMeter(control, job=3, gpus=1, work=Work(command=("train", "--fast"))) as meter:
        meter.output = "sha256:" + "ab" * 32
    (body,) = agent.receipts(3)
    assert body.receipt.work is not None
    assert body.receipt.work.command == ["train", "--fast"]
    assert body.receipt.work.output == meter.output
    assert body.receipt.work.exit_code == 0
    assert (body.receipt.work.peak_memory_mb or 0) > 10


def test_a_job_names_the_layer_it_failed_at(agent: Agent, control: Path) -> None:
    with pytest.raises(JobFailure), JobMeter(control, job=3, gpus=1):
        raise JobFailure(Layer.OUTPUT, "no space left on device")
    (body,) = agent.receipts(3)
    assert body.receipt.status == "provider_fault"
    assert body.receipt.fault is not None
    assert body.receipt.fault.layer is Layer.OUTPUT
    assert body.receipt.work is not None
    assert body.receipt.work.exit_code == 1


def test_an_output_that_is_no_digest_is_the_jobs_own_error(agent: Agent, control: Path) -> None:
    with pytest.raises(BadInput, match="output"), JobMeter(control, job=3, gpus=1) as meter:
        meter.output = "weights.bin"
    (body,) = agent.receipts(3)
    assert body.receipt.fault is not None
    assert "BadInput: output" in body.receipt.fault.reason


def test_a_resumed_job_goes_on_counting(agent: Agent, control: Path) -> None:
    AgentClient(control).report(3, 1_000, JobStatus.RUNNING, {})
    with JobMeter(control, job=3, gpus=1) as meter:
        assert meter.gpu_seconds == 1_000
    assert agent.state.job(3) == (1_000, JobStatus.COMPLETED)


def test_an_agent_away_for_a_moment_costs_nothing(agent: Agent, control: Path) -> None:
    content = json.loads((control / CONTROL_FILE).read_text())
    with JobMeter(control, job=3, gpus=10, interval=0.05) as meter:
        (control / CONTROL_FILE).unlink()
        time.sleep(0.3)
        threading.Timer(0.4, lambda: _write_control(control, **content)).start()
    assert agent.state.job(3) == (meter.gpu_seconds, JobStatus.COMPLETED)
    assert meter.gpu_seconds >= 3
