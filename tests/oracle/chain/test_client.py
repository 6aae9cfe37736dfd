"""The chain client: every failure is explained and says what to do."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account
from web3.exceptions import Web3RPCError

from oracle.adapters.chain import client
from oracle.adapters.chain.client import Block, Chain, redact
from oracle.adapters.chain.deployment import Deployment, load_abi
from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.errors import Conflict, Misconfigured, NotFound, Transient
from tests.oracle.conftest import SELF_BOND, Live

NOBODY = "0x" + "11" * 20
JSON = "application/json"
NOBODY_LISTENS = "http://127.0.0.1:9"


def changed(live: Live, tmp_path: Path, **changes: Any) -> Deployment:
    content = json.loads(live.deployment_file.read_text()) | changes
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(content))
    return Deployment.load(path)


def test_wrong_chain_id_stops_the_start(live: Live, anvil_url: str, tmp_path: Path) -> None:
    with pytest.raises(
        Misconfigured, match="is on chain 31337, the deployment on chain 1"
    ) as error:
        Chain([anvil_url], changed(live, tmp_path, chain_id=1)).connect()
    assert "deployments/31337.json" in error.value.remedy


def test_empty_address_stops_the_start(live: Live, anvil_url: str, tmp_path: Path) -> None:
    contracts = {"WorkToken": {"address": "0x" + "12" * 20, "block": 0}}
    with pytest.raises(Misconfigured, match="no WorkToken at") as error:
        Chain([anvil_url], changed(live, tmp_path, contracts=contracts)).connect()
    assert "ape run deploy" in error.value.remedy


def test_dead_endpoint_is_transient(live: Live) -> None:
    with pytest.raises(Transient, match="no RPC endpoint answers"):
        Chain([NOBODY_LISTENS], live.deployment).connect()


def test_second_endpoint_steps_in(live: Live, anvil_url: str) -> None:
    chain = Chain([NOBODY_LISTENS, anvil_url], live.deployment).connect()
    assert chain.head().number > 0


def test_no_endpoint_is_misconfigured(live: Live) -> None:
    with pytest.raises(Misconfigured, match="no RPC endpoint is set"):
        Chain([], live.deployment)


def test_missing_deployment_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no deployment at") as error:
        Deployment.load(tmp_path / "31337.json")
    assert "ape run deploy" in error.value.remedy


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        '{"chain_id": 1, "network": "x", "contracts": {"A": {"address": "0x12", "block": 1}}}',
        '{"chain_id": 1, "network": "x", "contracts": {"A": {}}}',
    ],
)
def test_malformed_deployment_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "31337.json"
    path.write_text(content)
    with pytest.raises(Misconfigured, match="not a deployment file"):
        Deployment.load(path)


def test_missing_contract_is_named(live: Live) -> None:
    with pytest.raises(Misconfigured, match="has no Nothing"):
        live.deployment.address("Nothing")


def test_missing_abi_names_the_command() -> None:
    with pytest.raises(Misconfigured, match="no ABI of Nothing"):
        load_abi("Nothing")


def test_revert_reason_arrives(live: Live) -> None:
    call = live.chain.contract("JobRegistry").functions.accept(99)
    with pytest.raises(Conflict, match="the chain refuses: job_registry: "):
        live.chain.transact(KeystoreSigner(live.operator), call)


def test_unfunded_key_is_told_where_to_send_coin(live: Live) -> None:
    pauper = KeystoreSigner(Account.create())
    call = live.chain.contract("EpochLedger").functions.record_beacon()
    live.mine(1, 60)
    with pytest.raises(Misconfigured, match="can't pay for gas") as error:
        live.chain.transact(pauper, call)
    assert pauper.address in error.value.remedy


@pytest.mark.parametrize("times", [1, 4, 5])
def test_a_nonce_that_another_process_has_used_is_drawn_again(
    live: Live, anvil_url: str, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """As an oracle does that runs with the key which claims its pay."""
    owner, eth = live.provider_owner, live.chain.w3.eth
    other = Chain([anvil_url], live.deployment)
    live.send(live.deployer, "WorkToken", "transfer", owner.address, 10)
    next_nonce, stale = eth.get_transaction_count, times

    def late(account: Any, block: Any = None) -> int:
        nonlocal stale
        found = int(next_nonce(account, block))
        if stale:
            stale -= 1
            # between this answer and our transaction
            other.transact(KeystoreSigner(owner), other.call("WorkToken", "approve", NOBODY, stale))
        return found

    monkeypatch.setattr(eth, "get_transaction_count", late)
    call = live.chain.contract("WorkToken").functions.transfer(live.customer.address, 10)
    if times == client.NONCE_DRAWS:
        with pytest.raises(Transient, match="nonce too low"):
            live.chain.transact(KeystoreSigner(owner), call)
        assert live.read("WorkToken", "balanceOf", owner.address) == 10
    else:
        assert live.chain.transact(KeystoreSigner(owner), call)["status"] == 1
        assert live.read("WorkToken", "balanceOf", owner.address) == 0


def test_what_an_endpoint_took_without_saying_so_is_not_sent_twice(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, eth = live.provider_owner, live.chain.w3.eth
    live.send(live.deployer, "WorkToken", "transfer", owner.address, 30)
    send = eth.send_raw_transaction

    def twice(signed: bytes) -> Any:
        sent = send(signed)
        eth.wait_for_transaction_receipt(sent)
        return send(signed)

    monkeypatch.setattr(eth, "send_raw_transaction", twice)
    call = live.chain.contract("WorkToken").functions.transfer(live.customer.address, 10)
    assert live.chain.transact(KeystoreSigner(owner), call)["status"] == 1
    assert live.read("WorkToken", "balanceOf", owner.address) == 20


def test_unknown_block_is_not_found(live: Live) -> None:
    with pytest.raises(NotFound):
        live.chain.block(10**9)


def test_reads_can_be_pinned_to_a_block(live: Live) -> None:
    before = live.chain.head()
    live.send(live.deployer, "WorkToken", "transfer", live.customer.address, 5)
    read = live.chain.read
    then = read("WorkToken", "balanceOf", live.customer.address, block=before)
    now = read("WorkToken", "balanceOf", live.customer.address)
    assert now - then == 5


def test_a_read_of_a_block_that_is_gone_is_refused(live: Live) -> None:
    block = live.chain.head()
    gone = Block(block.number, bytes(32), block.timestamp)
    with pytest.raises(NotFound, match="not found"):
        live.chain.read("EpochLedger", "last_epoch", block=gone)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (-32_001, "Resource not found"),
        (-32_000, "header not found"),
        (-32_000, "hash 0x11 is not currently canonical"),
    ],
)
def test_only_a_named_block_can_be_gone(
    live: Live, monkeypatch: pytest.MonkeyPatch, code: int, message: str
) -> None:
    """A node that can't answer at its head just now is asked again: nothing is missing."""
    block = live.chain.head()

    def refuse(*_: Any, **__: Any) -> None:
        raise Web3RPCError(message, rpc_response={"error": {"code": code, "message": message}})  # type: ignore[typeddict-item]

    monkeypatch.setattr(live.chain.w3.eth, "call", refuse)
    with pytest.raises(Transient):
        live.chain.read("EpochLedger", "last_epoch")
    with pytest.raises(NotFound):
        live.chain.read("EpochLedger", "last_epoch", block=block)


def test_a_read_of_a_block_that_was_replaced_is_refused(live: Live) -> None:
    request = live.w3.provider.make_request
    snapshot = request("evm_snapshot", [])["result"]  # type: ignore[arg-type]
    live.mine(1)
    replaced = live.chain.head()
    assert live.chain.read("EpochLedger", "last_epoch", block=replaced) is not None
    request("evm_revert", [snapshot])  # type: ignore[arg-type]
    live.mine(1, 7)
    assert live.chain.head().number == replaced.number
    for read in (
        lambda: live.chain.read("EpochLedger", "last_epoch", block=replaced),
        lambda: live.chain.read_all([("EpochLedger", "last_epoch")], replaced),
    ):
        with pytest.raises(NotFound, match="not found"):
            read()


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_many_reads_are_those_one_by_one(
    live: Live, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(client, "BATCH_SIZE", size)
    provider = live.register_provider()
    calls = [
        ("ProviderStaking", "slashable", provider),
        ("ProviderRegistry", "provider_info", provider),
        ("EpochLedger", "last_epoch"),
    ]
    block = live.chain.head()
    alone = [live.chain.read(*call, block=block) for call in calls]
    assert live.chain.read_all(calls, block) == alone
    assert live.chain.read_all([], block) == []
    live.send(live.deployer, "WorkToken", "transfer", live.provider_owner.address, SELF_BOND)
    live.send(live.provider_owner, "ProviderStaking", "stake", provider, SELF_BOND)
    assert live.chain.read_all(calls, block) == alone
    assert live.chain.read_all(calls, live.chain.head())[0] == 2 * SELF_BOND


class Node(http.server.BaseHTTPRequestHandler):
    """Anvil behind a proxy that takes no batches, and says so as `refusal`; counts requests."""

    anvil: str
    refusal: tuple[int, bytes]
    single = batches = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if body.lstrip().startswith(b"["):
            type(self).batches += 1
            status, answer = self.refusal
        else:
            type(self).single += 1
            found = httpx.post(self.anvil, content=body, headers={"Content-Type": JSON})
            status, answer = found.status_code, found.content
        self.send_response(status)
        self.send_header("Content-Type", JSON)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def proxied(anvil: str, refusal: tuple[int, bytes]) -> Iterator[tuple[str, type[Node]]]:
    node = type("Proxied", (Node,), {"anvil": anvil, "refusal": refusal})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), node) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{proxy.server_port}", node
        proxy.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "refusal",
    [
        (400, b'{"error": "batches are not supported"}'),
        (403, b""),
        (413, b"too large"),
        (200, b'{"jsonrpc": "2.0", "id": null, "error": {"code": -32600, "message": "batch"}}'),
    ],
)
def test_an_endpoint_that_takes_no_batches_is_asked_one_by_one(
    live: Live, anvil_url: str, refusal: tuple[int, bytes]
) -> None:
    calls = [("WorkToken", "balanceOf", NOBODY), ("EpochLedger", "last_epoch")]
    with proxied(anvil_url, refusal) as (url, node):
        chain = Chain([url], live.deployment)
        assert chain.read_all(calls, None) == live.chain.read_all(calls, None)
        assert (node.batches, node.single) == (1, 2)
        with pytest.raises(Conflict, match="epoch not pressed"):
            chain.read_all([*calls, ("EmissionsController", "cumulative_budget", 10**6)], None)


def test_an_endpoint_that_has_enough_is_not_asked_one_by_one(live: Live, anvil_url: str) -> None:
    calls = [("EpochLedger", "last_epoch")] * 3
    with proxied(anvil_url, (429, b"")) as (url, node):
        with pytest.raises(Transient, match="no RPC endpoint answers"):
            Chain([url], live.deployment).read_all(calls, None)
        assert (node.batches, node.single) == (1, 0)
        # another endpoint steps in
        chain = Chain([url, anvil_url], live.deployment)
        assert chain.read_all(calls, None) == live.chain.read_all(calls, None)


def test_many_reads_of_a_block_that_is_gone_are_refused(live: Live) -> None:
    block = live.chain.head()
    gone = Block(block.number, bytes(32), block.timestamp)
    with pytest.raises(NotFound, match="not found"):
        live.chain.read_all([("EpochLedger", "last_epoch")], gone)


def test_many_reads_name_the_reason_of_a_revert(live: Live) -> None:
    with pytest.raises(Conflict, match="epoch not pressed"):
        live.chain.read_all(
            [("EmissionsController", "cumulative_budget", 10**6)], live.chain.head()
        )
    # and leave nothing behind for the next call
    assert live.chain.head().number > 0


def test_the_last_block_before_a_time(live: Live) -> None:
    live.mine(1, 10)
    before = live.chain.head()
    live.mine(1, 10)
    head = live.chain.head()
    assert live.chain.last_block_before(head.timestamp, head) == before
    first = live.chain.block(live.deployment.first_block)
    assert live.chain.last_block_before(first.timestamp, head) == first


def test_logs_are_complete_across_ranges(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oracle.adapters.chain.client.LOG_RANGE", 3)
    first = live.chain.head().number + 1
    for amount in range(1, 8):
        live.send(live.deployer, "WorkToken", "transfer", live.customer.address, amount)
    logs = live.chain.logs("WorkToken", "Transfer", first)
    assert [log["args"]["amount" if "amount" in log["args"] else "value"] for log in logs] == list(
        range(1, 8)
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://mainnet.example/v3/secret", "https://mainnet.example"),
        ("https://user:secret@node.example:8545/?key=secret", "https://node.example:8545"),
    ],
)
def test_tokens_of_endpoints_are_not_shown(url: str, shown: str) -> None:
    assert redact(url) == shown
