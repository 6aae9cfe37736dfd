"""The watcher against real contracts, with real oracles as its sources."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from eth_account.signers.local import LocalAccount

from oracle.adapters.gpu.numpy_backend import NumpyBackend
from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.api.schemas import CommitView, StatementView
from oracle.domain.messages import Domain, Report
from oracle.domain.receipts import JobStatus
from oracle.services.prove import Proof
from oracle.services.watch import Watcher
from scripts import _anvil
from tests.oracle.conftest import attest, step

ORACLE, AGENT = "http://oracle", "http://agent"
WATCHER_KEY = 9


@dataclass
class Internet:
    """What the watcher reaches: one oracle's public lists, one agent's leaves."""

    commits: list[CommitView] = field(default_factory=list)
    statements: list[StatementView] = field(default_factory=list)
    proofs: dict[bytes, Proof] = field(default_factory=dict)
    # whether the agent answers
    agent_up: bool = True
    # leaves the agent was asked for
    opened: int = 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        path, query = request.url.path, request.url.params
        if request.url.host == "oracle":
            views: Any = self.commits if path == "/v1/commits" else self.statements
            body = [view.model_dump(mode="json") for view in views if view.id > int(query["after"])]
            return httpx.Response(200, json=body)
        self.opened += 1
        if not self.agent_up:
            return httpx.Response(503)
        commit = bytes.fromhex(path.split("/")[3][2:])
        leaf, nodes = self.proofs[commit].open_leaf(int(query["round"]), int(query["index"]))
        body = {
            "round": int(query["round"]),
            "index": int(query["index"]),
            "leaf": "0x" + leaf.hex(),
            "path": ["0x" + node.hex() for node in nodes],
        }
        return httpx.Response(200, json=body)


@pytest.fixture
def internet() -> Internet:
    return Internet()


@pytest.fixture
def watcher_key() -> LocalAccount:
    return _anvil.test_key(WATCHER_KEY)


@pytest.fixture
def make_watcher(live: Any, internet: Internet) -> Callable[..., Watcher]:
    def make(signer: KeystoreSigner | None, **changes: Any) -> Watcher:
        watcher = Watcher(
            chain=live.chain,
            sources=[ORACLE],
            backend=NumpyBackend(),
            signer=signer,
            leaves=8,
            **changes,
        )
        watcher._http = httpx.Client(transport=httpx.MockTransport(internet.answer))
        return watcher

    return make


@pytest.fixture
def watcher(make_watcher: Any, watcher_key: LocalAccount) -> Watcher:
    return make_watcher(KeystoreSigner(watcher_key))


@pytest.fixture
def publish(live: Any, machine: Any, oracles: Any, internet: Internet) -> Callable[..., CommitView]:
    """Have the machine commit, honestly or not, and publish it as oracles do."""

    def commit(how: str, epoch: int = 1) -> CommitView:
        live.enter_epoch(epoch)
        live.send(live.deployer, "EpochLedger", "record_beacon")
        oracle = oracles[0]
        oracle.look()
        oracle.post("/v1/devices", machine.registration())
        challenge = oracle.get(f"/v1/devices/0x{machine.device.hex()}/challenge")
        proof, body = machine.prove(challenge) if how == "honest" else machine.skipping(challenge)
        view = CommitView.model_validate(
            {"id": 1, "commit": body, "agent_url": AGENT, "verdict": None}
        )
        internet.commits = [view]
        internet.proofs[view.commit.message().struct_hash()] = proof
        return view

    return commit


def _stake(live: Any, provider: int) -> int:
    return live.read("ProviderStaking", "slashable", provider)


# --- false attestations ---------------------------------------------------------------------


def test_an_honest_commit_is_left_alone(
    live: Any, machine: Any, watcher: Watcher, publish: Any, internet: Internet
) -> None:
    publish("honest")
    assert watcher.watch_once() == []
    assert internet.opened == 8
    assert _stake(live, machine.provider) == 1_000 * 10**18


def test_a_false_commit_is_convicted_once(
    live: Any, machine: Any, watcher: Watcher, watcher_key: LocalAccount, publish: Any
) -> None:
    publish("lazy")
    (conviction,) = watcher.watch_once()
    assert conviction.kind == "false_attestation"
    assert conviction.offender == f"provider {machine.provider}"
    assert conviction.slashed == 500 * 10**18
    assert conviction.victim_paid == 0
    assert conviction.reporter_paid == live.read("WorkToken", "balanceOf", watcher_key.address)
    assert conviction.reporter_paid + conviction.burnt == conviction.slashed
    assert _stake(live, machine.provider) == 500 * 10**18
    assert live.read("ProviderStaking", "is_jailed", machine.provider)
    assert watcher.watch_once() == []


def test_a_convicted_provider_gets_no_more_challenges(
    machine: Any, oracles: Any, watcher: Watcher, publish: Any
) -> None:
    publish("lazy")
    assert len(watcher.watch_once()) == 1
    oracles[0].look()
    path = f"/v1/devices/0x{machine.device.hex()}/challenge"
    assert "is jailed until" in oracles[0].get(path, status=409)["title"]


def test_the_customer_of_the_liar_is_refunded_by_the_same_call(
    live: Any, machine: Any, oracles: Any, watcher: Watcher, publish: Any
) -> None:
    live.enter_epoch(1)
    step(oracles)
    attest(machine, oracles)
    step(oracles, 3)
    job = live.open_job(machine.provider)
    before = live.read("WorkToken", "balanceOf", live.customer.address)
    publish("lazy", epoch=2)
    (conviction,) = watcher.watch_once()
    assert conviction.refunded == 100 * 10**18
    assert live.read("WorkToken", "balanceOf", live.customer.address) == before + 100 * 10**18
    assert live.read("JobRegistry", "job_info", job).status == JobStatus.CLOSED


def test_the_conviction_leaves_a_receipt_that_names_the_layer(
    live: Any, machine: Any, oracles: Any, watcher: Watcher, publish: Any
) -> None:
    live.enter_epoch(1)
    step(oracles)
    attest(machine, oracles)
    step(oracles, 3)
    job = live.open_job(machine.provider)
    publish("lazy", epoch=2)
    assert len(watcher.watch_once()) == 1
    live.mine(3)
    step(oracles)
    (case,) = live.chain.logs("SlashingCourt", "Convicted", provider=machine.provider)
    views = [oracle.get(f"/v1/jobs/{job}/receipts") for oracle in oracles]
    assert len({view[0]["document"] for view in views}) == 1
    receipt = views[0][0]["receipt"]
    assert (receipt["issuer"], receipt["status"]) == ("oracle", "provider_fault")
    assert receipt["fault"]["layer"] == "execution"
    assert receipt["fault"]["evidence"] == "0x" + case.args.case_id.hex()
    assert receipt["devices"] == ["0x" + machine.device.hex()]


def test_a_customer_that_is_compensated_later_has_the_same_evidence(
    live: Any,
    machine: Any,
    oracles: Any,
    watcher: Watcher,
    publish: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live.enter_epoch(1)
    step(oracles)
    attest(machine, oracles)
    step(oracles, 3)
    job = live.open_job(machine.provider)
    # a watcher that names no job: the customer ends its own
    monkeypatch.setattr(Watcher, "_victim_job", lambda watcher, provider: 0)
    publish("lazy", epoch=2)
    assert len(watcher.watch_once()) == 1
    (case,) = live.chain.logs("SlashingCourt", "Convicted", provider=machine.provider)
    live.send(live.customer, "SlashingCourt", "compensate", case.args.case_id, job)
    live.mine(3)
    step(oracles)
    (view,) = oracles[0].get(f"/v1/jobs/{job}/receipts")
    assert view["receipt"]["fault"]["layer"] == "execution"
    assert view["receipt"]["fault"]["evidence"] == "0x" + case.args.case_id.hex()


def test_a_withheld_leaf_is_asked_for_again(
    live: Any, watcher: Watcher, publish: Any, internet: Internet
) -> None:
    publish("lazy")
    internet.agent_up = False
    assert watcher.watch_once() == []
    internet.agent_up = True
    assert len(watcher.watch_once()) == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b"x" * 2**20),
        httpx.Response(200, json={"leaf": 5}),
        httpx.Response(200, content=b"not json"),
        httpx.Response(302, headers={"location": "http://elsewhere/"}),
    ],
    ids=["endless", "wrong shape", "no json", "redirect"],
)
def test_whatever_an_agent_answers_the_watcher_goes_on(
    watcher: Watcher, publish: Any, internet: Internet, answer: httpx.Response
) -> None:
    publish("lazy")
    honest = internet.answer
    watcher._http = httpx.Client(
        transport=httpx.MockTransport(
            lambda request: answer if request.url.host == "agent" else honest(request)
        )
    )
    assert watcher.watch_once() == []
    watcher._http = httpx.Client(transport=httpx.MockTransport(honest))
    assert len(watcher.watch_once()) == 1


def test_without_a_key_it_only_reports(
    live: Any, machine: Any, make_watcher: Any, publish: Any
) -> None:
    publish("lazy")
    assert make_watcher(None).watch_once() == []
    assert _stake(live, machine.provider) == 1_000 * 10**18


def test_a_proof_over_the_gas_cap_is_not_filed(
    live: Any, machine: Any, make_watcher: Any, watcher_key: LocalAccount, publish: Any
) -> None:
    publish("lazy")
    assert make_watcher(KeystoreSigner(watcher_key), gas_cap=100_000).watch_once() == []
    assert _stake(live, machine.provider) == 1_000 * 10**18


def test_a_commit_of_a_stranger_convicts_nobody(
    live: Any, machine: Any, watcher: Watcher, publish: Any, internet: Internet
) -> None:
    view = publish("lazy")
    registry = Domain(live.chain.chain_id, live.deployment.address("DeviceRegistry"))
    forged = KeystoreSigner(live.customer).sign(view.commit.message().digest(registry))
    body = view.commit.model_copy(update={"signature": forged})
    internet.commits = [view.model_copy(update={"commit": body})]
    assert watcher.watch_once() == []
    assert internet.opened == 0


def test_a_source_that_is_down_does_not_stop_the_others(
    watcher: Watcher, publish: Any, internet: Internet
) -> None:
    publish("lazy")
    watcher.sources = ["http://agent", ORACLE]  # an agent has no commits to show
    internet.agent_up = False
    internet_answer = internet.answer
    watcher._http = httpx.Client(
        transport=httpx.MockTransport(
            lambda request: (
                httpx.Response(500)
                if request.url.path == "/v1/commits" and request.url.host == "agent"
                else internet_answer(request)
            )
        )
    )
    assert watcher.watch_once() == []
    internet.agent_up = True
    assert len(watcher.watch_once()) == 1


# --- equivocation -----------------------------------------------------------------------------


def _statement(live: Any, signer: LocalAccount, payload: bytes, number: int) -> StatementView:
    config = bytes(live.read("OracleCommittee", "config_digest"))
    consumer = live.deployment.address("EpochLedger")
    report = Report(config, consumer, bytes(32), 7, payload)
    domain = Domain(live.chain.chain_id, live.deployment.address("OracleCommittee"))
    return StatementView(
        id=number,
        config=config,
        consumer=consumer,
        subject=bytes(32),
        round=7,
        payload=payload,
        oracle=signer.address,
        signature=KeystoreSigner(signer).sign(report.digest(domain)),
    )


def test_two_truths_of_one_oracle_cost_its_bond(
    live: Any, watcher: Watcher, watcher_key: LocalAccount, internet: Internet
) -> None:
    liar = live.oracles[2]
    internet.statements = [_statement(live, liar, bytes([n]) * 32, n) for n in (1, 2)]
    (conviction,) = watcher.watch_once()
    assert conviction.kind == "equivocation"
    assert conviction.offender == liar.address
    assert conviction.slashed == 1_000 * 10**18
    assert live.read("OracleCommittee", "bond_of", liar.address) == 0
    assert live.read("WorkToken", "balanceOf", watcher_key.address) == conviction.reporter_paid
    assert watcher.watch_once() == []


def test_two_oracles_may_disagree(live: Any, watcher: Watcher, internet: Internet) -> None:
    internet.statements = [
        _statement(live, oracle, bytes([n]) * 32, n) for n, oracle in enumerate(live.oracles, 1)
    ]
    assert watcher.watch_once() == []


def test_the_same_statement_twice_is_one_truth(
    live: Any, watcher: Watcher, internet: Internet
) -> None:
    liar = live.oracles[2]
    internet.statements = [_statement(live, liar, b"\1" * 32, n) for n in (1, 2)]
    assert watcher.watch_once() == []


def test_a_malformed_signature_is_passed_over(
    live: Any, watcher: Watcher, internet: Internet
) -> None:
    liar = live.oracles[2]
    good = [_statement(live, liar, bytes([n]) * 32, n + 1) for n in (1, 2)]
    garbage = good[0].model_copy(update={"id": 1, "signature": b"\xff" * 65})
    internet.statements = [garbage, *good]
    assert len(watcher.watch_once()) == 1
