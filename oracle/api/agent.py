"""The agent over HTTP: a public interface for openings, a control interface for local jobs.

They are two servers. The public one may face the internet: it shows what is public anyway and
takes only what a customer has signed. The control one has usage signed, so it binds to
127.0.0.1 only and asks for the token of `control.json`, a file in the agent's state directory
that only its owner can read.
"""

import asyncio
import hmac
import json
import os
import secrets
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import structlog
import uvicorn
from fastapi import Depends, FastAPI, Header, Query
from fastapi import Path as PathParameter

from oracle.adapters.agent_client import CONTROL_FILE
from oracle.adapters.chain.client import Chain
from oracle.adapters.chain.deployment import Deployment
from oracle.adapters.gpu.backend import Backend
from oracle.adapters.gpu.survey import find_device
from oracle.adapters.oracle_client import OracleClient
from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.adapters.store.agent_state import AgentState
from oracle.api.problems import explain_errors
from oracle.api.schemas import (
    ContradictionView,
    JobUsageBody,
    JobUsageView,
    LeafView,
    Problem,
    SignedReceiptBody,
    TelemetryView,
    VoucherBody,
)
from oracle.domain.messages import Voucher
from oracle.domain.vouchers import SignedVoucher
from oracle.errors import Misconfigured, Unauthorized
from oracle.services.agent import Agent, AgentConfig
from oracle.services.calibrate import measure_rates
from oracle.services.evidence import find_identity
from oracle.services.prove import warm_up
from oracle.services.show_leaves import LeafDesk
from oracle.services.vouchers import VoucherDesk

log = structlog.get_logger()

_LOOPBACK = "127.0.0.1"

HashText = Annotated[str, PathParameter(pattern="^0x[0-9a-f]{64}$")]
JobNumber = Annotated[int, PathParameter(ge=0, lt=2**63)]


def public_app(agent: Agent, desk: VoucherDesk) -> FastAPI:
    """What watchers, oracles, customers and anybody else may ask an agent."""
    app = FastAPI(title="Clearwork agent", version="1")
    explain_errors(app)

    @app.get(
        "/v1/commits/{commit}/openings",
        responses={404: {"model": Problem}, 503: {"model": Problem}},
    )
    def openings(
        commit: HashText,
        round_index: Annotated[int, Query(alias="round", ge=0, lt=2**16)],
        index: Annotated[int, Query(ge=0, lt=2**32)],
    ) -> LeafView:
        """One leaf of a signed commit, with its path.

        503 with Retry-After while the device computes something else, or had to compute old
        chains too often.
        """
        return agent.open_leaf(bytes.fromhex(commit[2:]), round_index, index)

    @app.get("/v1/evidence")
    def evidence() -> list[ContradictionView]:
        """What oracles have signed against themselves, for whoever appoints them."""
        return agent.evidence()

    @app.get("/v1/telemetry", responses={503: {"model": Problem}})
    def telemetry() -> TelemetryView:
        """What the device is, and how it is doing."""
        return agent.telemetry()

    @app.get("/v1/jobs/{job}")
    def job_usage(job: JobNumber) -> JobUsageView:
        """What was last signed of a job: what its customer is asked to co-sign."""
        return agent.job_usage(job)

    @app.post("/v1/jobs/{job}/vouchers", status_code=204, responses={401: {"model": Problem}})
    def take_voucher(job: JobNumber, body: VoucherBody) -> None:
        """Hand in a customer's voucher; one that ends the job is settled before the answer."""
        voucher = Voucher(job, body.cumulative_gpu_seconds, body.status)
        desk.take(SignedVoucher(voucher, body.signature))

    @app.get("/v1/jobs/{job}/receipts")
    def receipts(job: JobNumber) -> list[SignedReceiptBody]:
        """The execution receipt of a job that has ended: what its customer counter-signs."""
        return agent.receipts(job)

    @app.post("/v1/jobs/{job}/receipts", status_code=204, responses={401: {"model": Problem}})
    def take_counter_signature(job: JobNumber, body: SignedReceiptBody) -> None:
        """Hand in a receipt with its customer's signature; every oracle gets it."""
        agent.take_counter_signature(job, body)

    return app


def control_app(agent: Agent, token: str) -> FastAPI:
    """What a job on the provider's own machine tells its agent."""
    app = FastAPI(title="Clearwork agent control", version="1")
    explain_errors(app)

    def check_token(authorization: Annotated[str, Header()] = "") -> None:
        if not hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
            raise Unauthorized(
                "the control token is missing or wrong", f"send the token of {CONTROL_FILE}"
            )

    allowed = [Depends(check_token)]

    @app.post("/v1/jobs/{job}/usage", dependencies=allowed)
    def report_usage(job: JobNumber, body: JobUsageBody) -> JobUsageView:
        """Have cumulative usage signed and sent to all oracles."""
        return agent.report_usage(job, body)

    @app.get("/v1/jobs/{job}/usage", dependencies=allowed)
    def job_usage(job: JobNumber) -> JobUsageView:
        """What was last signed of a job."""
        return agent.job_usage(job)

    return app


# --- process ------------------------------------------------------------------------------------


def run_agent(config: AgentConfig, backend: Backend[Any, Any]) -> None:
    """Run one device's agent until SIGINT or SIGTERM.

    Raises `Misconfigured` for a wrong chain, deployment, key, device or port, `Conflict` where
    another agent uses the same state directory.
    """
    if not config.oracles:
        raise Misconfigured("no oracle is named", "pass --oracle URL, once for each oracle")
    chain = Chain(config.rpc, Deployment.load(config.deployment)).connect()
    signer = KeystoreSigner.load(config.keystore, config.password_file)
    state = AgentState(config.state / "agent.db")
    try:
        warm_up(backend)
        device = find_device(config.gpu, config.identity or state.own_uuid())
        with (
            _listen(config.host, config.port) as public,
            _listen(_LOOPBACK, config.control_port) as control,
        ):
            agent = Agent(
                config=config,
                backend=backend,
                device=device,
                identity=(
                    device.inventory.identity
                    if config.by_uuid
                    else find_identity(device, int(time.time()))
                ),
                signer=signer,
                chain=chain,
                state=state,
                public_url=config.public_url or _url(public),
                clients=[OracleClient(url) for url in config.oracles],
                ops_per_second=config.ops_per_second or measure_rates(backend).ops_per_second,
            )
            desk = VoucherDesk(chain, signer, state, config.provider, config.settle_seconds)
            leaves = LeafDesk(
                chain=chain,
                signer=signer,
                provider=config.provider,
                device=agent.device_id,
                open_leaf=agent.owed_leaf,
                lost_leaf=agent.prover.lost_leaf,
                gas_cap=config.answer_gas_cap,
                max_operations=config.max_operations,
            )
            asyncio.run(_serve(agent, desk, leaves, public, control))
    finally:
        state.close()


async def _serve(
    agent: Agent,
    desk: VoucherDesk,
    leaves: LeafDesk,
    public: socket.socket,
    control: socket.socket,
) -> None:
    token = secrets.token_urlsafe(32)
    control_file = agent.config.state / CONTROL_FILE
    _write_private(control_file, json.dumps({"url": _url(control), "token": token}))
    servers = [
        (_Server(_server_config(public_app(agent, desk))), public),
        (_Server(_server_config(control_app(agent, token))), control),
    ]
    log.info("listening", public=_url(public), control=str(control_file))
    serving = (server.serve(sockets=[sock]) for server, sock in servers)
    work = asyncio.ensure_future(_all(agent.run(), desk.run(), leaves.run(), *serving))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # outside the main thread there are no signals to handle
        with suppress(RuntimeError, ValueError):
            loop.add_signal_handler(number, work.cancel)
    with suppress(asyncio.CancelledError):
        await work
    control_file.unlink(missing_ok=True)
    log.info("stopped", undelivered=agent.state.undelivered())


async def _all(*parts: Any) -> None:
    async with asyncio.TaskGroup() as tasks:
        for part in parts:
            tasks.create_task(part)


class _Server(uvicorn.Server):
    """uvicorn without signal handlers: there are two of them in this process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server_config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=2)


@contextmanager
def _listen(host: str, port: int) -> Iterator[socket.socket]:
    try:
        sock = socket.create_server((host, port))
    except OSError as error:
        raise Misconfigured(
            f"cannot listen on {host}:{port}: {error.strerror}", "choose another --port or --host"
        ) from error
    with sock:
        yield sock


def _url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://{host}:{port}"


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
