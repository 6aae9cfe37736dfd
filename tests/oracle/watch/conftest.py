"""A provider's real agent behind a real oracle, both in this process, and a watcher of them.

The wire is where a test pulls the plug: an agent that withholds leaves answers nothing there.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account.signers.local import LocalAccount
from fastapi.testclient import TestClient

from oracle.adapters.gpu.device import HostDevice
from oracle.adapters.gpu.numpy_backend import NumpyBackend
from oracle.adapters.oracle_client import OracleClient
from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.adapters.store.agent_state import AgentState
from oracle.api.agent import public_app
from oracle.domain.admission import uuid_identity
from oracle.services.agent import Agent, AgentConfig
from oracle.services.show_leaves import LeafDesk
from oracle.services.vouchers import VoucherDesk
from oracle.services.watch import Watcher
from scripts import _anvil
from tests.oracle.conftest import LEAF_BOND, Lazy, Live, Machine, Oracle

ORACLE, AGENT = "http://oracle", "http://agent"
SEEKER_KEY, RIVAL_KEY = 9, 8
BUDGET = 3 * LEAF_BOND


@dataclass
class Wire:
    """What a watcher reaches: an oracle, and an agent that may withhold."""

    oracle: TestClient
    agent: TestClient
    withholds: bool = True
    # seconds after which it asks to be asked again
    retry_after: str | None = None
    # leaves asked for
    asked: list[str] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.host not in ("oracle", "agent"):
            return httpx.Response(503)
        if request.url.host == "agent":
            self.asked.append(request.url.query.decode())
            if self.withholds:
                headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
                return httpx.Response(503, headers=headers)
        client = self.agent if request.url.host == "agent" else self.oracle
        found = client.get(request.url.raw_path.decode())
        return httpx.Response(found.status_code, content=found.content)


@pytest.fixture
def attested(
    live: Live, machine: Machine, make_oracle: Callable[..., Oracle], tmp_path: Path
) -> Callable[..., tuple[Agent, Wire]]:
    """Have an agent, honest or lazy, commit to a real oracle, which publishes it."""

    def attest(backend: Any) -> tuple[Agent, Wire]:
        live.enter_epoch(1)
        live.send(live.deployer, "EpochLedger", "record_beacon")
        oracle = make_oracle(live.oracles[0])
        oracle.look()
        signer = KeystoreSigner(live.operator)
        nowhere = Path("unused")
        agent = Agent(
            config=AgentConfig(
                provider=machine.provider,
                keystore=nowhere,
                password_file=nowhere,
                oracles=(ORACLE,),
                deployment=nowhere,
                rpc=("unused",),
                state=tmp_path,
                poll_seconds=0.02,
            ),
            backend=backend,
            device=HostDevice("CPU-test"),
            identity=uuid_identity("CPU-test"),
            signer=signer,
            chain=live.chain,
            state=AgentState(tmp_path / "agent.db"),
            public_url=AGENT,
            clients=[OracleClient(ORACLE, httpx.ASGITransport(oracle.http.app))],
            ops_per_second=10**9,
        )
        asyncio.run(_until(agent, lambda: bool(oracle.get("/v1/commits?after=0"))))
        vouchers = VoucherDesk(live.chain, signer, agent.state, machine.provider, 600)
        return agent, Wire(oracle.http, TestClient(public_app(agent, vouchers)))

    return attest


async def _until(agent: Agent, done: Callable[[], bool]) -> None:
    """Run an agent until something holds, ten seconds at most."""
    running = asyncio.create_task(agent.run())
    try:
        async with asyncio.timeout(10):
            while not await asyncio.to_thread(done):
                await asyncio.sleep(0.02)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def honest(attested: Callable[..., tuple[Agent, Wire]]) -> tuple[Agent, Wire]:
    return attested(NumpyBackend())


@pytest.fixture
def lazy(attested: Callable[..., tuple[Agent, Wire]]) -> tuple[Agent, Wire]:
    return attested(Lazy())


@pytest.fixture
def desk_of(live: Live, machine: Machine) -> Callable[..., LeafDesk]:
    """The service that answers an agent's requests on chain."""

    def desk(agent: Agent, **changes: Any) -> LeafDesk:
        values: dict[str, Any] = {
            "chain": live.chain,
            "signer": agent.signer,
            "provider": machine.provider,
            "device": agent.device_id,
            "open_leaf": agent.owed_leaf,
            "lost_leaf": agent.prover.lost_leaf,
            "gas_cap": 500_000,
            "max_operations": 10**18,
        }
        return LeafDesk(**(values | changes))

    return desk


@pytest.fixture
def seeker(live: Live) -> LocalAccount:
    """The key of a watcher with tokens for bonds."""
    key = _anvil.test_key(SEEKER_KEY)
    live.send(live.deployer, "WorkToken", "transfer", key.address, BUDGET)
    return key


@pytest.fixture
def rival(live: Live) -> LocalAccount:
    """Somebody else who asks for leaves."""
    key = _anvil.test_key(RIVAL_KEY)
    live.send(live.deployer, "WorkToken", "transfer", key.address, BUDGET)
    spender = live.deployment.address("LeafRequests")
    live.send(key, "WorkToken", "approve", spender, BUDGET)
    return key


@pytest.fixture
def watch(live: Live) -> Iterator[Callable[..., Watcher]]:
    """A watcher that gives up asking an agent after two looks."""
    watchers = ExitStack()

    def make(wire: Wire, key: LocalAccount | None, **changes: Any) -> Watcher:
        values: dict[str, Any] = {"leaves": 4, "asks": 2, "bond_budget": BUDGET}
        watcher = Watcher(
            chain=live.chain,
            sources=[ORACLE],
            backend=NumpyBackend(),
            signer=KeystoreSigner(key) if key else None,
            **(values | changes),
        )
        watcher.opener.http = httpx.AsyncClient(transport=httpx.MockTransport(wire.answer))
        return watchers.enter_context(closing(watcher))

    with watchers:
        yield make
