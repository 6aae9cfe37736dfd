"""An agent shows on chain what somebody asked for with a bond, by itself and as long as it can."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from structlog.testing import capture_logs

from oracle.adapters.gpu.numpy_backend import NumpyBackend
from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.api.schemas import CommitBody, LeafView
from oracle.domain.attestation import root_of
from oracle.errors import NotFound, Transient
from oracle.services import show_leaves
from oracle.services.chains import Chains
from tests.oracle.agent.test_chains import Gate
from tests.oracle.conftest import LEAF_ANSWER_PERIOD, LEAF_BOND, Lazy
from tests.oracle.watch.test_withheld import ask_as, tokens, wait


def shown(live: Any) -> list[Any]:
    return [event.args for event in live.chain.logs("LeafRequests", "LeafShown")]


def forgotten(*_: Any) -> LeafView:
    raise NotFound("no such commit", "")


def said(logs: Any) -> list[str]:
    return [entry["event"] for entry in logs if entry["log_level"] == "error"]


def test_every_leaf_that_is_asked_for(live: Any, honest: Any, desk_of: Any, rival: Any) -> None:
    agent, wire = honest
    desk = desk_of(agent)
    desk.look()
    assert shown(live) == []
    ask_as(live, rival, wire, 0, 0)
    ask_as(live, rival, wire, 1, 127)
    before = tokens(live, live.provider_owner.address)
    desk.look()
    assert [(each.round_index, each.index) for each in shown(live)] == [(0, 0), (1, 127)]
    for each in shown(live):
        roots = wire.oracle.get("/v1/commits?after=0").json()[0]["commit"]["roots"]
        root = root_of(bytes(each.leaf), each.index, [bytes(node) for node in each.path])
        assert "0x" + root.hex() == roots[each.round_index]
    assert tokens(live, live.provider_owner.address) == before + 2 * LEAF_BOND
    sent = live.w3.eth.get_transaction_count(live.operator.address)
    desk.look()
    assert live.w3.eth.get_transaction_count(live.operator.address) == sent


def test_it_runs_until_it_is_cancelled(
    live: Any, honest: Any, desk_of: Any, rival: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(show_leaves, "POLL_SECONDS", 0.05)
    agent, wire = honest

    async def run() -> None:
        running = asyncio.create_task(desk_of(agent).run())
        await asyncio.to_thread(ask_as, live, rival, wire)
        async with asyncio.timeout(10):
            while not await asyncio.to_thread(shown, live):
                await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(run())


def test_after_a_restart(live: Any, honest: Any, desk_of: Any, rival: Any) -> None:
    agent, wire = honest
    ask_as(live, rival, wire)
    live.mine(50)
    desk_of(agent).look()
    assert len(shown(live)) == 1


def test_late_but_before_anybody_executes(live: Any, honest: Any, desk_of: Any, rival: Any) -> None:
    agent, wire = honest
    ask_as(live, rival, wire)
    before = tokens(live, rival.address)
    wait(live, 2 * LEAF_ANSWER_PERIOD)
    desk_of(agent).look()
    assert tokens(live, rival.address) == before + LEAF_BOND


def test_what_is_not_kept_any_more_is_computed_again(
    live: Any, honest: Any, desk_of: Any, rival: Any
) -> None:
    agent, wire = honest
    ask_as(live, rival, wire, 1, 5)
    desk_of(agent, open_leaf=forgotten).look()
    assert len(shown(live)) == 1


def test_strangers_who_keep_the_device_busy_hold_nothing_up(
    live: Any, honest: Any, desk_of: Any, rival: Any
) -> None:
    """Or whoever asks on chain and floods the agent would have it convicted."""
    agent, wire = honest
    ask_as(live, rival, wire, 1, 5)
    gate = Gate()
    agent.prover._chains = Chains(gate)
    commit = wire.oracle.get("/v1/commits?after=0").json()[0]["commit"]
    name = CommitBody.model_validate(commit).message().struct_hash().hex()
    path = f"/v1/commits/0x{name}/openings?round=0&index=0"
    with ThreadPoolExecutor(2) as threads:
        stranger = threads.submit(wire.agent.get, path)
        assert gate.entered.wait(5)
        look = threads.submit(desk_of(agent).look)
        while not agent.prover._chains._owed and not look.done():
            pass
        assert wire.agent.get(path).status_code == 503
        gate.released.set()
        look.result(10)
        assert stranger.result(5).status_code == 503
    assert [(each.round_index, each.index) for each in shown(live)] == [(1, 5)]


@pytest.mark.parametrize("why", ["not its chain", "too much work"])
def test_what_can_not_be_computed_again_is_said_once(
    live: Any, attested: Any, desk_of: Any, rival: Any, why: str
) -> None:
    agent, wire = attested(Lazy() if why == "not its chain" else NumpyBackend())
    ask_as(live, rival, wire)
    agent.prover._chains.backend = NumpyBackend()
    limit = 10**18 if why == "not its chain" else 1
    desk = desk_of(agent, open_leaf=forgotten, max_operations=limit)
    with capture_logs() as logs:
        desk.look()
        desk.look()
    assert said(logs) == ["a leaf that was asked for is not shown yet"]
    assert shown(live) == []


def test_another_devices_requests_are_its_own_agents(
    live: Any, honest: Any, desk_of: Any, rival: Any
) -> None:
    agent, wire = honest
    ask_as(live, rival, wire)
    desk_of(agent, device=b"\7" * 32).look()
    assert shown(live) == []
    desk_of(agent, provider=99).look()
    assert shown(live) == []


def test_somebody_else_was_faster(live: Any, honest: Any, desk_of: Any, rival: Any) -> None:
    """Who copies an answer pays its gas; the agent is content with that."""
    agent, wire = honest
    ask_as(live, rival, wire)
    desk = desk_of(agent)
    desk._read()
    desk_of(agent, signer=KeystoreSigner(live.customer)).look()
    with capture_logs() as logs:
        desk.look()
    assert said(logs) == []
    assert desk._waiting == {}
    assert len(shown(live)) == 1


def test_over_the_gas_cap_it_is_said_once(live: Any, honest: Any, desk_of: Any, rival: Any) -> None:
    agent, wire = honest
    ask_as(live, rival, wire)
    desk = desk_of(agent, gas_cap=30_000)
    with capture_logs() as logs:
        desk.look()
        desk.look()
    assert said(logs) == ["a leaf that was asked for is not shown yet"]
    assert "over the cap of 30000" in logs[0]["problem"]
    desk.gas_cap = 500_000
    desk.look()
    assert len(shown(live)) == 1


def test_without_funds_it_says_so_once(live: Any, honest: Any, desk_of: Any) -> None:
    agent, _wire = honest
    address = live.operator.address
    funds = live.chain.balance(address)
    desk = desk_of(agent)
    set_balance = live.w3.provider.make_request
    set_balance("anvil_setBalance", [address, "0x1"])
    with capture_logs() as logs:
        desk.look()
        desk.look()
    assert said(logs) == ["no requests for leaves can be answered"]
    assert address in logs[0]["problem"]
    set_balance("anvil_setBalance", [address, hex(funds)])
    with capture_logs() as logs:
        desk.look()
    assert [entry["event"] for entry in logs] == ["requests for leaves can be answered"]


def test_it_waits_for_a_chain_that_does_not_answer(
    live: Any, honest: Any, desk_of: Any, rival: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any, **__: Any) -> None:
        raise Transient("no RPC endpoint answers", "")

    agent, wire = honest
    ask_as(live, rival, wire)
    desk = desk_of(agent)
    for what in ("head", "read", "transact"):
        with monkeypatch.context() as patch:
            patch.setattr(live.chain, what, down)
            try:
                desk.look()
            except Transient:
                assert what in ("head", "read")
        assert shown(live) == []
    desk.look()
    assert len(shown(live)) == 1
