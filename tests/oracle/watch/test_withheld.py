"""Leaves that an agent withholds: asked for on chain, shown or not, and what comes of it."""

import time
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import httpx
import pytest

from oracle.adapters.chain.leaf_requests import RequestLog
from oracle.adapters.gpu.numpy_backend import NumpyBackend
from oracle.errors import Transient
from oracle.services import watch as watch_module
from oracle.services.request_leaves import LOOK_BACK, PROVIDER_SHARE, Bonds
from tests.oracle.conftest import LEAF_ANSWER_PERIOD, LEAF_BOND, SELF_BOND
from tests.oracle.watch.conftest import BUDGET, ORACLE

FALSE_ATTESTATION, WITHHELD_OPENING = 1, 6


def requested(live: Any) -> Any:
    """The one request on chain."""
    (event,) = live.chain.logs("LeafRequests", "LeafRequested")
    return event.args


def tokens(live: Any, account: str) -> int:
    return int(live.read("WorkToken", "balanceOf", account))


def ask_twice(watcher: Any) -> None:
    for _ in range(2):
        assert watcher.watch_once() == []


def ask_as(live: Any, account: Any, wire: Any, round_index: int = 0, index: int = 0) -> None:
    """Somebody asks on chain for a leaf of the published commit."""
    body = wire.oracle.get("/v1/commits?after=0").json()[0]["commit"]
    names = "provider", "device", "epoch", "seed", "m", "n", "k", "rounds", "final_seed"
    commit = tuple(body[name] for name in names)
    leaf = round_index, index, BUDGET
    terms = commit, body["signature"], body["roots"], *leaf
    live.send(account, "LeafRequests", "request_open", *terms)


def wait(live: Any, seconds: int = LEAF_ANSWER_PERIOD) -> None:
    live.mine(1, seconds)


# --- the three ends ---------------------------------------------------------------------------


def test_unanswered_it_convicts(
    live: Any, machine: Any, lazy: Any, watch: Any, seeker: Any
) -> None:
    _agent, wire = lazy
    watcher = watch(wire, seeker)
    assert watcher.watch_once() == []
    assert list(live.chain.logs("LeafRequests", "LeafRequested")) == []
    assert watcher.watch_once() == []
    asked = requested(live)
    assert f"round={asked.round_index}&index={asked.index}" == wire.asked[-1]
    assert tokens(live, seeker.address) == BUDGET - LEAF_BOND
    assert watcher.requests.bonds == Bonds(paid=LEAF_BOND)

    wait(live, LEAF_ANSWER_PERIOD // 2)
    assert watcher.watch_once() == []
    wait(live)
    (conviction,) = watcher.watch_once()
    assert conviction.kind == "withheld_opening"
    assert conviction.offender == f"provider {machine.provider}"
    assert conviction.slashed == SELF_BOND // 2
    case = live.read("SlashingCourt", "cases", asked.commit_digest)
    assert case.kind == WITHHELD_OPENING
    assert live.read("ProviderStaking", "is_jailed", machine.provider)
    earned = conviction.reporter_paid
    assert earned == watcher.earned > 0
    assert tokens(live, seeker.address) == BUDGET + earned
    assert watcher.watch_once() == []
    assert watcher.requests.bonds == Bonds(paid=LEAF_BOND, returned=LEAF_BOND)
    assert len(watcher.convictions) == 1


def test_an_honest_answer_costs_the_bond(
    live: Any, machine: Any, honest: Any, watch: Any, seeker: Any, desk_of: Any
) -> None:
    agent, wire = honest
    watcher = watch(wire, seeker)
    ask_twice(watcher)
    payout = live.provider_owner.address
    before = tokens(live, payout)
    desk_of(agent).look()
    assert tokens(live, payout) == before + LEAF_BOND
    assert watcher.watch_once() == []
    assert watcher.requests.bonds == Bonds(paid=LEAF_BOND, lost=LEAF_BOND)
    wait(live, 3 * LEAF_ANSWER_PERIOD)
    assert watcher.watch_once() == []
    assert live.read("ProviderStaking", "slashable", machine.provider) == SELF_BOND
    assert not live.read("ProviderStaking", "is_jailed", machine.provider)


def test_a_false_answer_convicts_by_its_leaf(
    live: Any, machine: Any, lazy: Any, watch: Any, seeker: Any, desk_of: Any
) -> None:
    agent, wire = lazy
    watcher = watch(wire, seeker)
    ask_twice(watcher)
    desk_of(agent).look()
    (conviction,) = watcher.watch_once()
    assert conviction.kind == "false_attestation"
    assert conviction.slashed == SELF_BOND // 2
    digest = requested(live).commit_digest
    assert live.read("SlashingCourt", "cases", digest).kind == FALSE_ATTESTATION
    assert watcher.requests.bonds == Bonds(paid=LEAF_BOND, lost=LEAF_BOND)
    assert watcher.earned > LEAF_BOND


# --- before it is asked for on chain ----------------------------------------------------------


def test_an_agent_that_comes_back_is_asked_nothing_on_chain(
    live: Any, honest: Any, watch: Any, seeker: Any
) -> None:
    _agent, wire = honest
    watcher = watch(wire, seeker)
    assert watcher.watch_once() == []
    withheld = wire.asked[-1]
    wire.withholds = False
    assert watcher.watch_once() == []
    # first the leaf that was withheld, then others
    assert wire.asked[1] == withheld
    assert len(wire.asked) == 1 + watcher.leaves
    wire.withholds = True
    assert watcher.watch_once() == []
    assert list(live.chain.logs("LeafRequests", "LeafRequested")) == []


@pytest.fixture
def wait_on_the_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let seconds pass on the watcher's own clock, which stands still otherwise."""
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)

    def pass_on(seconds: int) -> None:
        nonlocal now
        now += seconds

    return pass_on


def test_a_busy_agent_is_left_alone_until_it_says(
    live: Any, honest: Any, watch: Any, seeker: Any, wait_on_the_clock: Callable[[int], None]
) -> None:
    """As it computes something else, or was asked for old chains too often."""
    _agent, wire = honest
    watcher = watch(wire, seeker)
    wire.retry_after = "600"
    for _ in range(5):
        assert watcher.watch_once() == []
    assert len(wire.asked) == 1
    wait_on_the_clock(600)
    for _ in range(5):
        assert watcher.watch_once() == []
    assert len(wire.asked) == 2
    wait_on_the_clock(600)
    wire.withholds = False
    assert watcher.watch_once() == []
    assert len(wire.asked) == 2 + watcher.leaves
    assert list(live.chain.logs("LeafRequests", "LeafRequested")) == []


def test_a_wait_is_an_hour_at_most(
    lazy: Any, watch: Any, seeker: Any, wait_on_the_clock: Callable[[int], None]
) -> None:
    _agent, wire = lazy
    watcher = watch(wire, seeker)
    wire.retry_after = "1" + "0" * 5_000
    watcher.watch_once()
    wait_on_the_clock(3_599)
    watcher.watch_once()
    assert len(wire.asked) == 1
    wait_on_the_clock(1)
    watcher.watch_once()
    assert len(wire.asked) == 2


def test_who_is_always_busy_withholds(live: Any, lazy: Any, watch: Any, seeker: Any) -> None:
    """A third of the time for requests on chain is its to take."""
    _agent, wire = lazy
    watcher = watch(wire, seeker)
    wire.retry_after = "0"
    committed = live.read("EpochLedger", "current_epoch")
    last = committed + live.read("LeafRequests", "REQUEST_EPOCHS") // 3
    for epoch in (committed, committed + 1, last):
        live.enter_epoch(epoch)
        for _ in range(3):
            assert watcher.watch_once() == []
    assert list(live.chain.logs("LeafRequests", "LeafRequested")) == []
    live.enter_epoch(last + 1)
    ask_twice(watcher)
    assert requested(live).requester == seeker.address


@pytest.mark.parametrize("said", ["", "-1", "soon", "1.5", "Fri, 27 Nov 2026 00:00:00 GMT"])
def test_who_does_not_say_when_withholds(
    live: Any, lazy: Any, watch: Any, seeker: Any, said: str
) -> None:
    _agent, wire = lazy
    wire.retry_after = said
    ask_twice(watch(wire, seeker))
    assert requested(live).requester == seeker.address


@pytest.mark.parametrize(
    "changes",
    [
        {"bond_budget": None},
        {"bond_budget": 0},
        {"bond_budget": LEAF_BOND - 1},
        {"gas_cap": 50_000},
    ],
    ids=["no budget", "nothing", "too little", "gas cap"],
)
def test_what_it_may_not_spend_is_only_said(
    live: Any, lazy: Any, watch: Any, seeker: Any, changes: dict[str, Any]
) -> None:
    _agent, wire = lazy
    watcher = watch(wire, seeker, **changes)
    ask_twice(watcher)
    assert watcher.watch_once() == []
    assert list(live.chain.logs("LeafRequests", "LeafRequested")) == []
    assert watcher.requests.bonds == Bonds()
    # and the agent is asked again
    assert len(wire.asked) == 3


def test_without_a_key_it_is_only_said(live: Any, lazy: Any, watch: Any) -> None:
    _agent, wire = lazy
    ask_twice(watch(wire, None))
    assert list(live.chain.logs("LeafRequests", "LeafRequested")) == []


def test_what_is_lost_is_not_in_the_budget_any_more(
    live: Any, machine: Any, honest: Any, watch: Any, seeker: Any, desk_of: Any
) -> None:
    agent, wire = honest
    ask_twice(watch(wire, seeker))
    desk_of(agent).look()
    # a second one, of the same watcher after a restart, would be beyond
    later = watch(wire, seeker, bond_budget=2 * LEAF_BOND - 1)
    later.watch_once()
    assert later.requests.bonds == Bonds(paid=LEAF_BOND, lost=LEAF_BOND)
    another = machine.provider + 1
    assert later.requests._why_not(LEAF_BOND, another) == (
        f"{LEAF_BOND - 1} of the budget for bonds are left"
    )
    assert not watch(wire, seeker).requests._why_not(LEAF_BOND, another)


def test_one_provider_costs_a_share_of_the_budget(
    live: Any, machine: Any, honest: Any, watch: Any, seeker: Any, desk_of: Any
) -> None:
    agent, wire = honest
    share = 2 * LEAF_BOND
    watcher, desk = watch(wire, seeker, bond_budget=PROVIDER_SHARE * share), desk_of(agent)
    for _ in range(12):
        assert shows(live, watcher, desk) == []
    assert watcher.requests.bonds == Bonds(paid=share, lost=share)
    assert watcher.requests._why_not(LEAF_BOND, machine.provider) == (
        "0 of the provider's share of it are left"
    )
    # others are asked
    assert not watcher.requests._why_not(LEAF_BOND, machine.provider + 1)
    # its audit is taken up where the agent is back
    wire.withholds = False
    before = len(wire.asked)
    assert watcher.watch_once() == []
    assert watcher.watch_once() == []
    assert len(wire.asked) - before == watcher.leaves


def test_nobody_raises_a_bond_above_the_share(
    live: Any, lazy: Any, watch: Any, seeker: Any, rival: Any, draws: list[tuple[int, int]]
) -> None:
    """A provider that asks itself makes others' requests dear: that costs no watcher its budget."""
    _agent, wire = lazy
    for index in range(2):
        ask_as(live, rival, wire, 0, index)
    draws.append((0, 5))
    watcher = watch(wire, seeker, bond_budget=PROVIDER_SHARE * 2 * LEAF_BOND)
    ask_twice(watcher)
    assert watcher.requests.bonds == Bonds()
    assert tokens(live, seeker.address) == BUDGET
    # its share is for three bonds
    watcher.requests.budget = PROVIDER_SHARE * 3 * LEAF_BOND
    assert watcher.watch_once() == []
    assert watcher.requests.bonds == Bonds(paid=3 * LEAF_BOND)


def test_what_was_lost_long_ago_counts_no_more(
    live: Any, machine: Any, honest: Any, watch: Any, seeker: Any, desk_of: Any
) -> None:
    agent, wire = honest
    watcher = watch(wire, seeker, bond_budget=LEAF_BOND)
    ask_twice(watcher)
    desk_of(agent).look()
    assert watcher.watch_once() == []
    assert watcher.requests.bonds == Bonds(paid=LEAF_BOND, lost=LEAF_BOND)
    # its deadline is when it counts from
    wait(live, LOOK_BACK)
    assert watcher.watch_once() == []
    assert watcher.requests._why_not(LEAF_BOND, machine.provider)
    wait(live, LEAF_ANSWER_PERIOD + 1)
    assert watcher.watch_once() == []
    assert watcher.requests.bonds == Bonds()
    assert not watcher.requests._why_not(LEAF_BOND, machine.provider)


def test_commits_that_are_too_old_to_be_asked_about_make_room(
    live: Any, lazy: Any, watch: Any, seeker: Any
) -> None:
    _agent, wire = lazy
    watcher = watch(wire, seeker, bond_budget=None)
    assert watcher.watch_once() == []
    last = live.read("EpochLedger", "current_epoch") + live.read("LeafRequests", "REQUEST_EPOCHS")
    live.enter_epoch(last)
    assert watcher.watch_once() == []
    assert len(watcher._withheld) == 1
    live.enter_epoch(last + 1)
    before = len(wire.asked)
    assert watcher.watch_once() == []
    assert len(watcher._withheld) == 0
    # nor is its agent asked any more
    assert watcher.watch_once() == []
    assert len(wire.asked) == before


def test_the_chain_is_asked_again(
    live: Any, lazy: Any, watch: Any, seeker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any, **__: Any) -> None:
        raise Transient("no RPC endpoint answers", "")

    _agent, wire = lazy
    watcher = watch(wire, seeker)
    assert watcher.watch_once() == []
    with monkeypatch.context() as patch:
        patch.setattr(live.chain, "transact", down)
        assert watcher.watch_once() == []
    assert watcher.watch_once() == []
    assert requested(live).requester == seeker.address
    wait(live)
    with monkeypatch.context() as patch:
        patch.setattr(live.chain, "transact", down)
        assert watcher.watch_once() == []
    assert [conviction.kind for conviction in watcher.watch_once()] == ["withheld_opening"]


# --- shields ----------------------------------------------------------------------------------


def shows(live: Any, watcher: Any, desk: Any) -> list[str]:
    """One look, one answer on chain; what kinds of convictions came of the look."""
    found = [conviction.kind for conviction in watcher.watch_once()]
    desk.look()
    return found


def test_a_request_for_a_true_leaf_shields_no_other(
    live: Any, attested: Any, watch: Any, seeker: Any, rival: Any, desk_of: Any
) -> None:
    """An accomplice asks for a true leaf, and its provider shows that one on chain."""
    agent, wire = attested(OneFalseEntry())
    ask_as(live, rival, wire, 0, 0)
    desk_of(agent).look()
    watcher = watch(wire, seeker, leaves=10**6)
    ask_twice(watcher)
    ours = [event.args for event in live.chain.logs("LeafRequests", "LeafRequested")][-1]
    assert ours.requester == seeker.address
    # and it still is audited when the agent is back
    wire.withholds = False
    assert [conviction.kind for conviction in watcher.watch_once()] == ["false_attestation"]


def test_whoever_shows_leaves_on_chain_alone_is_audited_there(
    live: Any, attested: Any, watch: Any, seeker: Any, desk_of: Any, draws: list[tuple[int, int]]
) -> None:
    """Each true leaf is paid for; the first false one convicts."""
    agent, wire = attested(OneFalseEntry())
    last = 128 * 128 // 128 - 1
    draws += [(0, 1), (0, 2), (0, last)]
    watcher, desk = watch(wire, seeker, bond_budget=3 * PROVIDER_SHARE * LEAF_BOND), desk_of(agent)
    found: list[str] = []
    for _ in range(12):
        found += shows(live, watcher, desk)
    assert found == ["false_attestation"]
    asked = [event.args for event in live.chain.logs("LeafRequests", "LeafRequested")]
    assert [(one.round_index, one.index) for one in asked] == [(0, 1), (0, 2), (0, last)]
    assert watcher.requests.bonds == Bonds(paid=3 * LEAF_BOND, lost=3 * LEAF_BOND)
    assert watcher.earned > 3 * LEAF_BOND


def test_an_audit_on_chain_has_an_end(
    live: Any, honest: Any, watch: Any, seeker: Any, desk_of: Any
) -> None:
    agent, wire = honest
    changes = {"leaves": 2, "bond_budget": 2 * PROVIDER_SHARE * LEAF_BOND}
    watcher, desk = watch(wire, seeker, **changes), desk_of(agent)
    for _ in range(12):
        assert shows(live, watcher, desk) == []
    assert watcher.requests.bonds == Bonds(paid=2 * LEAF_BOND, lost=2 * LEAF_BOND)
    wire.withholds = False
    before = len(wire.asked)
    assert watcher.watch_once() == []
    assert len(wire.asked) == before


@pytest.mark.parametrize("first", ["liar", "oracle"])
def test_a_source_that_lies_about_an_agent_costs_nothing(
    live: Any, honest: Any, watch: Any, seeker: Any, first: str
) -> None:
    _agent, wire = honest
    wire.withholds = False
    watcher = watch(wire, seeker, asks=1)
    watcher.opener.http = httpx.AsyncClient(transport=httpx.MockTransport(lying(wire)))
    watcher.sources = ["http://liar", ORACLE] if first == "liar" else [ORACLE, "http://liar"]
    for _ in range(4):
        assert watcher.watch_once() == []
    assert len(wire.asked) == watcher.leaves
    assert list(live.chain.logs("LeafRequests", "LeafRequested")) == []


def test_an_agent_that_no_source_knows_is_asked_on_chain(
    live: Any, honest: Any, watch: Any, seeker: Any
) -> None:
    _agent, wire = honest
    watcher = watch(wire, seeker)
    watcher.opener.http = httpx.AsyncClient(transport=httpx.MockTransport(lying(wire)))
    watcher.sources = ["http://liar"]
    ask_twice(watcher)
    assert requested(live).requester == seeker.address


def lying(wire: Any) -> Any:
    """The wire with one more source, which sends whoever asks for leaves to nobody."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host != "liar":
            return wire.answer(request)  # type: ignore[no-any-return]
        path = request.url.raw_path.decode()
        views = wire.oracle.get(path).json()
        moved = [
            view | ({"agent_url": "http://nobody"} if "agent_url" in view else {}) for view in views
        ]
        return httpx.Response(200, json=moved)

    return answer


class OneFalseEntry(NumpyBackend):
    """A backend that gets one entry of each product wrong, the last one."""

    def fold_commit(self, product: Any) -> Any:
        wrong = product.copy()
        wrong[-1, -1] ^= 1
        return super().fold_commit(wrong)


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What the watcher draws next; afterwards it draws as ever."""
    chosen: list[tuple[int, int]] = []
    draw = watch_module._draw
    monkeypatch.setattr(watch_module, "_draw", lambda dims: chosen.pop(0) if chosen else draw(dims))
    return chosen


# --- restarts and others ----------------------------------------------------------------------


def test_a_restart_forgets_no_bond(live: Any, lazy: Any, watch: Any, seeker: Any) -> None:
    _agent, wire = lazy
    ask_twice(watch(wire, seeker))
    wait(live)
    later = watch(wire, seeker)
    assert [conviction.kind for conviction in later.watch_once()] == ["withheld_opening"]
    assert later.watch_once() == []
    assert later.requests.bonds == Bonds(paid=LEAF_BOND, returned=LEAF_BOND)
    assert tokens(live, seeker.address) == BUDGET + later.earned


def test_a_restart_audits_what_was_shown_meanwhile(
    lazy: Any, watch: Any, seeker: Any, desk_of: Any
) -> None:
    agent, wire = lazy
    ask_twice(watch(wire, seeker))
    desk_of(agent).look()
    kinds = [conviction.kind for conviction in watch(wire, seeker).watch_once()]
    assert kinds == ["false_attestation"]


def test_what_somebody_else_asked_for_is_not_asked_again(
    live: Any, lazy: Any, watch: Any, seeker: Any, rival: Any, desk_of: Any, draws: Any
) -> None:
    agent, wire = lazy
    draws.append((0, 5))
    ask_as(live, rival, wire, 0, 5)
    watcher = watch(wire, seeker)
    ask_twice(watcher)
    assert requested(live).requester == rival.address
    assert watcher.requests.bonds == Bonds()
    # but its answer convicts for whoever is first
    desk_of(agent).look()
    assert [conviction.kind for conviction in watcher.watch_once()] == ["false_attestation"]


def test_a_request_that_its_author_leaves_lying_is_executed(
    live: Any, lazy: Any, watch: Any, seeker: Any, rival: Any
) -> None:
    _agent, wire = lazy
    ask_as(live, rival, wire)
    watcher = watch(wire, seeker)
    wait(live)
    assert watcher.watch_once() == []
    wait(live)
    (conviction,) = watcher.watch_once()
    assert conviction.kind == "withheld_opening"
    assert tokens(live, seeker.address) == BUDGET + conviction.reporter_paid
    assert tokens(live, rival.address) == BUDGET


def test_what_somebody_executes_for_us_is_counted(
    live: Any, machine: Any, lazy: Any, watch: Any, seeker: Any, rival: Any
) -> None:
    _agent, wire = lazy
    watcher = watch(wire, seeker)
    ask_twice(watcher)
    assert watcher.watch_once() == []
    wait(live)
    request = next(e for e in RequestLog(live.chain, 10**6).look())
    signed = astuple(request.commit), request.shown.signature
    live.send(rival, "LeafRequests", "execute", *signed, *request.name[1:], 0)
    (conviction,) = watcher.watch_once()
    assert conviction.offender == f"provider {machine.provider}"
    assert tokens(live, seeker.address) == BUDGET + conviction.reporter_paid
    assert watcher.requests.bonds == Bonds(paid=LEAF_BOND, returned=LEAF_BOND)


def test_a_bond_comes_back_from_a_commit_that_was_convicted(
    live: Any, lazy: Any, watch: Any, seeker: Any, rival: Any, desk_of: Any
) -> None:
    """Two leaves were asked for; the first one shown convicts, and the second is not needed."""
    agent, wire = lazy
    watcher = watch(wire, seeker)
    ask_twice(watcher)
    shown = requested(live)
    other = (shown.index + 1) % 128
    ask_as(live, rival, wire, shown.round_index, other)
    rivals = watch(wire, rival)
    rivals.watch_once()
    assert rivals.requests.bonds == Bonds(paid=2 * LEAF_BOND)

    desk = desk_of(agent)
    desk._read()
    (first,) = [each for each in desk._waiting.values() if each.place[2] == shown.index]
    desk._answer(first)
    assert [conviction.kind for conviction in watcher.watch_once()] == ["false_attestation"]
    assert rivals.watch_once() == []
    assert rivals.watch_once() == []
    assert rivals.requests.bonds == Bonds(paid=2 * LEAF_BOND, returned=2 * LEAF_BOND)
    assert tokens(live, rival.address) == BUDGET


def test_two_ends_are_compared_with_what_was_asked_about(
    live: Any, lazy: Any, watch: Any, seeker: Any, rival: Any
) -> None:
    """A commit that no oracle of ours has shown is known from the request for its leaf."""
    _agent, wire = lazy
    ask_as(live, rival, wire)
    watcher = watch(wire, seeker)
    watcher.sources = []
    assert watcher.watch_once() == []
    assert len(watcher._ends) == 1
