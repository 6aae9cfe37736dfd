"""The watcher against real contracts, with real oracles as its sources."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, astuple, dataclass, field, replace
from typing import Any

import httpx
import pytest
from eth_account.signers.local import LocalAccount

from oracle.adapters.gpu.numpy_backend import NumpyBackend
from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.api.schemas import CommitView, StatementView
from oracle.domain.messages import Domain, EpochReport, KeyClaim, Report
from oracle.domain.receipts import JobStatus
from oracle.errors import Transient
from oracle.services.filing import Filer
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
def make_watcher(live: Any, internet: Internet) -> Iterator[Callable[..., Watcher]]:
    watchers = ExitStack()

    def make(signer: KeystoreSigner | None, **changes: Any) -> Watcher:
        watcher = Watcher(
            chain=live.chain,
            sources=[ORACLE],
            backend=NumpyBackend(),
            signer=signer,
            leaves=8,
            **changes,
        )
        watcher.opener.http = httpx.AsyncClient(transport=httpx.MockTransport(internet.answer))
        return watchers.enter_context(closing(watcher))

    with watchers:
        yield make


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
    monkeypatch.setattr(Filer, "victim_job", lambda filer, provider: 0)
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
    watcher.opener.http = httpx.AsyncClient(
        transport=httpx.MockTransport(
            lambda request: answer if request.url.host == "agent" else honest(request)
        )
    )
    assert watcher.watch_once() == []
    watcher.opener.http = httpx.AsyncClient(transport=httpx.MockTransport(honest))
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


@pytest.mark.parametrize(
    "spoiled", [{"signature": b"\x1b" * 65}, {"roots": [bytes(32)] * 2}], ids=["signature", "roots"]
)
def test_a_spoiled_copy_does_not_hide_the_commit(
    watcher: Watcher, publish: Any, internet: Internet, spoiled: dict[str, Any]
) -> None:
    view = publish("lazy")
    copy = view.commit.model_copy(update=spoiled)
    internet.commits = [
        view.model_copy(update={"commit": copy}),
        view.model_copy(update={"id": 2}),
    ]
    assert [conviction.kind for conviction in watcher.watch_once()] == ["false_attestation"]


def test_a_commit_of_no_provider_is_a_strangers(
    live: Any, watcher: Watcher, publish: Any, internet: Internet
) -> None:
    view = publish("lazy")
    message = replace(view.commit.message(), provider=0)
    signature = live.sign(live.customer, message, "DeviceRegistry")
    body = view.commit.model_copy(update={"provider": 0, "signature": signature})
    internet.commits = [view.model_copy(update={"commit": body})]
    assert watcher.watch_once() == []
    assert internet.opened == 0


def test_a_proof_waits_for_a_chain_that_does_not_answer(
    live: Any, watcher: Watcher, publish: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any) -> None:
        raise Transient("no RPC endpoint answers", "")

    publish("lazy")
    with monkeypatch.context() as patch:
        patch.setattr(live.chain, "transact", down)
        assert watcher.watch_once() == []
        patch.undo()
    assert len(watcher.watch_once()) == 1
    assert watcher.watch_once() == []


def test_a_look_waits_for_a_chain_that_does_not_answer(
    live: Any, watcher: Watcher, publish: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any, **__: Any) -> None:
        raise Transient("no RPC endpoint answers", "")

    publish("lazy")
    with monkeypatch.context() as patch:
        patch.setattr(live.chain, "read", down)
        assert watcher.watch_once() == []
    assert len(watcher.watch_once()) == 1


def test_a_source_that_is_down_does_not_stop_the_others(
    watcher: Watcher, publish: Any, internet: Internet
) -> None:
    publish("lazy")
    watcher.sources = ["http://agent", ORACLE]  # an agent has no commits to show
    internet.agent_up = False
    internet_answer = internet.answer
    watcher.opener.http = httpx.AsyncClient(
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


# --- two ends of one chain --------------------------------------------------------------------


@pytest.fixture
def publish_end(live: Any, internet: Internet) -> Callable[..., CommitView]:
    """Publish a commit with fields of a published one changed, signed by the operator or others."""

    def publish_end(
        view: CommitView,
        signer: LocalAccount | None = None,
        domain: Domain | None = None,
        **changes: Any,
    ) -> CommitView:
        message = replace(view.commit.message(), **changes)
        domain = domain or Domain(live.chain.chain_id, live.deployment.address("DeviceRegistry"))
        signature = KeystoreSigner(signer or live.operator).sign(message.digest(domain))
        body = view.commit.model_copy(update={**asdict(message), "signature": signature})
        number = len(internet.commits) + 1
        internet.commits.append(view.model_copy(update={"id": number, "commit": body}))
        return internet.commits[-1]

    return publish_end


OTHER_END = b"\7" * 32


def test_two_ends_of_one_chain_convict_for_ever(
    live: Any,
    machine: Any,
    watcher: Watcher,
    watcher_key: LocalAccount,
    publish: Any,
    publish_end: Any,
) -> None:
    publish_end(publish("honest"), final_seed=OTHER_END)
    (conviction,) = watcher.watch_once()
    assert conviction.kind == "equivocation"
    assert conviction.offender == f"provider {machine.provider}"
    assert conviction.slashed == 500 * 10**18
    assert live.read("ProviderStaking", "jailed_until", machine.provider) == 2**64 - 1
    balance = live.read("WorkToken", "balanceOf", watcher_key.address)
    assert watcher.earned == conviction.reporter_paid == balance > 0
    assert watcher.watch_once() == []


def test_two_oracles_that_were_told_different_ends(
    watcher: Watcher, publish: Any, publish_end: Any, internet: Internet
) -> None:
    first = publish("honest")
    second = publish_end(first, final_seed=OTHER_END)
    lists = {"oracle": [first], "other": [second.model_copy(update={"id": 1})]}

    def answer(request: httpx.Request) -> httpx.Response:
        internet.commits = lists.get(request.url.host, [])
        return internet.answer(httpx.Request("GET", str(request.url).replace("other", "oracle")))

    watcher.sources = [ORACLE, "http://other"]
    watcher.opener.http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    assert [conviction.kind for conviction in watcher.watch_once()] == ["equivocation"]


def test_the_second_end_may_be_signed_by_a_later_key(
    live: Any, machine: Any, watcher: Watcher, publish: Any, publish_end: Any
) -> None:
    view = publish("honest")
    later = live.customer
    live.send(
        live.provider_owner, "ProviderRegistry", "set_operator", machine.provider, later.address
    )
    publish_end(view, signer=later, final_seed=OTHER_END)
    assert [conviction.kind for conviction in watcher.watch_once()] == ["equivocation"]


def test_a_third_end_is_no_new_case(
    live: Any, machine: Any, watcher: Watcher, publish: Any, publish_end: Any
) -> None:
    view = publish("honest")
    publish_end(view, final_seed=OTHER_END)
    assert len(watcher.watch_once()) == 1
    stake = _stake(live, machine.provider)
    publish_end(view, final_seed=b"\x08" * 32)
    assert watcher.watch_once() == []
    assert _stake(live, machine.provider) == stake


def test_an_end_counts_whatever_roots_it_came_with(
    live: Any, machine: Any, watcher: Watcher, publish: Any, publish_end: Any, internet: Internet
) -> None:
    honest = publish("honest")
    publish_end(honest, final_seed=OTHER_END)
    first, second = reversed(internet.commits)
    internet.commits = [
        first.model_copy(update={"id": 1}),
        second.model_copy(update={"id": 2}),
    ]
    assert [conviction.kind for conviction in watcher.watch_once()] == ["equivocation"]


def test_a_false_end_is_convicted_of_its_entries_too(
    machine: Any, watcher: Watcher, publish: Any, publish_end: Any
) -> None:
    publish_end(publish("lazy"), final_seed=OTHER_END)
    kinds = {conviction.kind for conviction in watcher.watch_once()}
    assert kinds == {"false_attestation", "equivocation"}


def test_the_customer_of_a_provider_with_two_ends_is_refunded(
    live: Any, machine: Any, oracles: Any, watcher: Watcher, publish: Any, publish_end: Any
) -> None:
    live.enter_epoch(1)
    step(oracles)
    attest(machine, oracles)
    step(oracles, 3)
    job = live.open_job(machine.provider)
    publish_end(publish("honest", epoch=2), final_seed=OTHER_END)
    (conviction,) = watcher.watch_once()
    assert conviction.refunded == 100 * 10**18
    assert live.read("JobRegistry", "job_info", job).status == JobStatus.CLOSED


@pytest.mark.parametrize(
    "changes",
    [{}, {"seed": b"\1" * 32}, {"epoch": 9}, {"device": b"\1" * 32}, {"k": 32}],
    ids=["the same", "seed", "epoch", "device", "shape"],
)
def test_commits_that_do_not_contradict_convict_nobody(
    live: Any,
    machine: Any,
    watcher: Watcher,
    publish: Any,
    publish_end: Any,
    changes: dict[str, Any],
) -> None:
    end = {"final_seed": OTHER_END} if changes else {}
    publish_end(publish("honest"), **changes, **end)
    assert watcher.watch_once() == []
    assert _stake(live, machine.provider) == 1_000 * 10**18


def test_an_end_that_a_stranger_signed_convicts_nobody(
    live: Any, machine: Any, watcher: Watcher, publish: Any, publish_end: Any
) -> None:
    publish_end(publish("honest"), signer=live.customer, final_seed=OTHER_END)
    assert watcher.watch_once() == []
    assert _stake(live, machine.provider) == 1_000 * 10**18


@pytest.mark.parametrize("elsewhere", ["chain", "contract"])
def test_an_end_that_was_signed_for_elsewhere_convicts_nobody(
    live: Any, machine: Any, watcher: Watcher, publish: Any, publish_end: Any, elsewhere: str
) -> None:
    registry = live.deployment.address("DeviceRegistry")
    domain = Domain(live.chain.chain_id + 1, registry)
    if elsewhere == "contract":
        domain = Domain(live.chain.chain_id, live.deployment.address("JobEscrow"))
    publish_end(publish("honest"), domain=domain, final_seed=OTHER_END)
    assert watcher.watch_once() == []
    assert _stake(live, machine.provider) == 1_000 * 10**18


def test_two_ends_over_the_gas_cap_are_not_filed(
    live: Any,
    machine: Any,
    make_watcher: Any,
    watcher_key: LocalAccount,
    publish: Any,
    publish_end: Any,
) -> None:
    publish_end(publish("honest"), final_seed=OTHER_END)
    assert make_watcher(KeystoreSigner(watcher_key), gas_cap=100_000).watch_once() == []
    assert _stake(live, machine.provider) == 1_000 * 10**18


def test_the_other_end_was_shown_to_the_court(
    live: Any,
    make_watcher: Any,
    watcher: Watcher,
    publish: Any,
    publish_end: Any,
    internet: Internet,
) -> None:
    first = publish("lazy")
    somebody = make_watcher(KeystoreSigner(live.oracles[0]))
    assert [conviction.kind for conviction in somebody.watch_once()] == ["false_attestation"]
    # our own oracle was told something else
    internet.commits = []
    publish_end(first, final_seed=OTHER_END)
    assert [conviction.kind for conviction in watcher.watch_once()] == ["equivocation"]


# --- two truths of a member -------------------------------------------------------------------


def _statement(
    live: Any, signer: LocalAccount, payload: bytes, number: int, round_: int = 7
) -> StatementView:
    config = bytes(live.read("OracleCommittee", "config_digest"))
    consumer = live.deployment.address("EpochLedger")
    report = Report(config, consumer, bytes(32), round_, payload)
    domain = Domain(live.chain.chain_id, live.deployment.address("OracleCommittee"))
    return StatementView(
        id=number,
        config=config,
        consumer=consumer,
        subject=bytes(32),
        round=round_,
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


def test_a_source_spells_addresses_as_it_likes(
    live: Any, watcher: Watcher, internet: Internet
) -> None:
    statements = [_statement(live, live.oracles[2], bytes([n]) * 32, n) for n in (1, 2)]
    lower = {"consumer": statements[0].consumer.lower()}
    internet.statements = [statements[0].model_copy(update=lower), statements[1]]
    assert len(watcher.watch_once()) == 1


def test_what_is_no_address_is_passed_over(live: Any, watcher: Watcher, internet: Internet) -> None:
    statement = _statement(live, live.oracles[2], b"\1" * 32, 1)
    internet.statements = [statement.model_copy(update={"consumer": "the ledger"})]
    assert watcher.watch_once() == []


def test_two_keys_of_one_member_speak_for_it(
    live: Any, watcher: Watcher, internet: Internet
) -> None:
    liar, fresh = live.oracles[2], live.customer
    claim = live.sign(fresh, KeyClaim(liar.address, fresh.address), "OracleCommittee")
    live.send(liar, "OracleCommittee", "rotate_key", fresh.address, claim)
    internet.statements = [
        _statement(live, liar, b"\1" * 32, 1),
        _statement(live, fresh, b"\2" * 32, 2),
    ]
    (conviction,) = watcher.watch_once()
    assert conviction.offender == liar.address
    assert live.read("OracleCommittee", "bond_of", liar.address) == 0


def test_strangers_may_contradict_themselves(
    live: Any, watcher: Watcher, internet: Internet
) -> None:
    internet.statements = [_statement(live, live.customer, bytes([n]) * 32, n) for n in (1, 2)]
    assert watcher.watch_once() == []


def test_a_statement_that_contradicts_a_report_on_chain(
    live: Any, watcher: Watcher, internet: Internet
) -> None:
    live.enter_epoch(1)
    live.send(live.customer, "EmissionsController", "press", 1)
    report = EpochReport(0, 0, *[bytes(32)] * 4, 0, bytes(32), 1)
    signatures = live.committee_signs("EpochLedger", bytes(32), 0, report.struct_hash())
    live.send(live.customer, "EpochLedger", "post_epoch", astuple(report), signatures)
    assert watcher.watch_once() == []
    liar = live.oracles[1]
    internet.statements = [_statement(live, liar, b"\1" * 32, 1, round_=0)]
    (conviction,) = watcher.watch_once()
    assert conviction.offender == liar.address
    assert live.read("OracleCommittee", "bond_of", liar.address) == 0
