"""Attacks on the protocol, each carried out against oracles over HTTP."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account

from oracle.adapters.gpu.numpy_backend import NumpyBackend
from oracle.api.schemas import OpeningBody
from oracle.domain import messages
from oracle.domain.attestation import Opening, WalkDims, answer_hash, draw_queries
from oracle.domain.hashing import keccak
from oracle.domain.messages import Domain
from oracle.domain.proposals import DeviceProposal
from oracle.domain.recovery import recover
from oracle.errors import Unauthorized
from tests.oracle.conftest import DIMS, QUERIES, UNIT, Lazy, Live, Machine, Oracle, step, step_until

from .conftest import (
    OWNERS,
    RATE,
    SECONDS,
    WINDOW_MS,
    Card,
    Hasher,
    Stopwatch,
    answer,
    attest_on,
    begin,
    challenge,
    entry,
    lanes_of,
    owned_by,
    walk_of,
)

Timed = Callable[..., list[Oracle]]
CHAIN_PATHS = ("/v1/commits", "/v1/walks")


# the stopwatch is everybody's: devices that work side by side in truth do so in turn on it
WINDOW_FOR_MANY_MS = 6 * SECONDS * 1_000


@pytest.fixture
def oracle(live: Live, timed: Timed) -> Oracle:
    """One oracle in epoch 1, whose beacon is known."""
    (made,) = timed(count=1)
    begin(live, [made])
    return made


def hexed(raw: bytes) -> str:
    return "0x" + raw.hex()


def refused(oracle: Oracle, path: str, body: Any, status: int, title: str) -> dict[str, Any]:
    """Post what must be refused, with nothing written."""
    before = oracle.node.store.counts()
    problem: dict[str, Any] = oracle.post(path, body, status)
    assert title in problem["title"], problem
    assert oracle.node.store.counts() == before
    return problem


def registry(oracle: Oracle) -> Domain:
    return oracle.node.market.domain("DeviceRegistry")


# --- what an oracle says is signed ----------------------------------------------------------


def test_all_six_messages_are_signed(oracle: Oracle, machine: Machine, live: Live) -> None:
    view = challenge(oracle, machine)
    proof, body = machine.prove(view)
    ack = oracle.post("/v1/commits", body)
    opened = machine.openings(proof, ack)
    oracle.post("/v1/openings", opened)
    domain, key = registry(oracle), live.oracles[0].address

    def raw(source: dict[str, Any], name: str) -> bytes:
        return bytes.fromhex(source[name][2:])

    numbers = (view[name] for name in ("mode", "m", "n", "k", "rounds", "queries", "deadline_ms"))
    asked = messages.Challenge(
        machine.provider,
        machine.device,
        view["epoch"],
        raw(view, "seed"),
        *numbers,
        secret_hash=raw(view, "secret_hash"),
    )
    assert recover(asked.digest(domain), raw(view, "signature")) == key
    commit = raw(ack, "commit")
    acknowledged = messages.Ack(commit, ack["elapsed_ms"])
    assert recover(acknowledged.digest(domain), raw(ack, "ack_signature")) == key
    query = messages.Query(commit, raw(ack, "secret"))
    assert recover(query.digest(domain), raw(ack, "query_signature")) == key
    assert keccak(raw(ack, "secret")) == raw(view, "secret_hash")

    # the operator's word on its answer is kept with the verdict
    stored = oracle.node.store.commit(commit)
    assert stored.answer is not None
    open_ = messages.Open(commit, raw(view, "secret_hash"), stored.answer)
    assert recover(open_.digest(domain), stored.answer_signature) == live.operator.address
    shown = oracle.get("/v1/commits")[0]["verdict"]
    assert (shown["answer"], shown["answer_signature"]) == (
        hexed(stored.answer),
        opened["signature"],
    )


def test_a_challenge_is_the_same_at_every_repetition(
    live: Live, timed: Timed, machine: Machine, make_oracle: Callable[..., Oracle]
) -> None:
    (oracle,) = timed(count=1)
    begin(live, [oracle])
    signed = ("seed", "mode", "m", "n", "k", "rounds", "queries", "deadline_ms", "secret_hash")
    first = challenge(oracle, machine)
    # also after a restart with other settings: what was said stands
    again = make_oracle(
        live.oracles[0], "timed-0", attestation_queries=QUERIES * 2, attestation_deadline_ms=1
    )
    again.node.clock.now_ns = oracle.node.clock.now_ns  # type: ignore[method-assign]
    again.look()
    for other in (challenge(oracle, machine), challenge(again, machine)):
        assert [other[name] for name in (*signed, "signature")] == [
            first[name] for name in (*signed, "signature")
        ]


# --- replays --------------------------------------------------------------------------------


def test_another_devices_commit(oracle: Oracle, machine: Machine, live: Live) -> None:
    other = Machine(live, machine.provider, "other")
    view, others = challenge(oracle, machine), challenge(oracle, other)
    proof, body = other.prove(others)
    oracle.post("/v1/commits", body)
    # as it is, it answers the other device's challenge; in this one's name, nobody's
    stolen = machine.commit_body(view, proof, seed=bytes.fromhex(others["seed"][2:]))
    refused(oracle, "/v1/commits", stolen, 422, "another challenge")


def test_another_epochs_commit(oracle: Oracle, machine: Machine, live: Live) -> None:
    proof, body = machine.prove(challenge(oracle, machine))
    begin(live, [oracle], 2)
    view = challenge(oracle, machine)
    refused(oracle, "/v1/commits", body, 409, "stale epoch 1")
    refused(oracle, "/v1/commits", machine.commit_body(view, proof), 422, "another challenge")


@pytest.mark.parametrize(
    "elsewhere",
    [{"chain_id": 1}, {"verifying_contract": "0x" + "22" * 20}],
    ids=["chain", "registry"],
)
def test_another_chains_or_registrys_commit(
    oracle: Oracle, machine: Machine, live: Live, elsewhere: dict[str, Any]
) -> None:
    _, body = machine.prove(challenge(oracle, machine))
    domain = replace(registry(oracle), **elsewhere)
    fields = {k: v for k, v in body.items() if k not in ("roots", "signature")}
    raw = {k: bytes.fromhex(v[2:]) if isinstance(v, str) else v for k, v in fields.items()}
    digest = messages.Commit(**raw).digest(domain)
    signature = hexed(bytes(Account.unsafe_sign_hash(digest, live.operator.key).signature))
    refused(oracle, "/v1/commits", body | {"signature": signature}, 401, "the commit is signed by")


def test_a_chains_commit_is_no_walk_and_a_walk_no_chain(
    live: Live, timed: Timed, machine: Machine
) -> None:
    (oracle,) = timed(count=1, attestation_modes=["throughput", "residency"])
    begin(live, [oracle], 3)
    view = challenge(oracle, machine)
    proof, walk = walk_of(machine, view)
    # the same numbers signed as a chain's
    chain = {k: view[k] for k in ("m", "n", "k", "rounds")}
    assert chain["m"] == walk["entries"]
    product, _ = machine.prove_on(
        NumpyBackend(), view | {"m": 128, "n": 128, "k": 256, "rounds": 2}
    )
    forged = machine.commit_body(view, product, **chain)
    refused(oracle, "/v1/commits", forged, 422, "another challenge")
    refused(oracle, "/v1/commits", walk, 422, "malformed")

    ack = oracle.post("/v1/walks", walk)
    # and what is opened of a walk are lanes: entries, signed, are a wrong answer
    entries = product.answer(
        draw_queries(product.final_seed, bytes.fromhex(ack["secret"][2:]), QUERIES, DIMS)
    )
    verdict = oracle.post("/v1/openings", machine.opened(ack, entries))
    assert (verdict["accepted"], "not the entries asked for" in verdict["reason"]) == (False, True)
    assert oracle.post("/v1/walks/openings", lanes_of(machine, proof, ack)) == verdict

    begin(live, [oracle], 4)
    refused(oracle, "/v1/walks", walk | {"epoch": 4}, 401, "signed by")


# --- one card under two ids -----------------------------------------------------------------


def two_ids_on_one_card(
    machine: Machine, oracles: list[Oracle], card: Card, order: str, owner: str
) -> tuple[Machine, Machine]:
    """Both compute, on the same card; the first hands in, the second is about to."""
    first, second = machine, owned_by(owner, replace(machine, uuid="the same card"))
    if order == "side by side":
        # each has half of the card, so that both are done when all of the work is
        proofs = [one.prove_on(card, challenge(oracles[0], one)) for one in (first, second)]
        for one, (proof, body) in zip((first, second), proofs, strict=True):
            hand_in(oracles, one, proof, body)
    else:
        for one in (first, second):
            hand_in(oracles, one, *one.prove_on(card, challenge(oracles[0], one)))
    return first, second


def hand_in(oracles: list[Oracle], one: Machine, proof: Any, body: dict[str, Any]) -> None:
    """Commit and open, or be told that it is too late."""
    for oracle in oracles:
        state = (
            oracle.post("/v1/devices", one.registration())
            and oracle.get(f"/v1/devices/{hexed(one.device)}/challenge")["state"]
        )
        if state == "open":
            ack = oracle.post("/v1/commits", body)
            assert oracle.post("/v1/openings", one.openings(proof, ack))["accepted"]
        else:
            refused(oracle, "/v1/commits", body, 409, "the challenge expired")


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("order", ["one after the other", "side by side"])
def test_one_card_under_two_ids_misses_the_window(
    live: Live, timed: Timed, watch: Stopwatch, machine: Machine, order: str, owner: str
) -> None:
    # a class that the whole card makes, with two hundredths to spare
    live.send(live.deployer, "DeviceRegistry", "add_class", RATE * 4 // 10, 256, 100 * UNIT)
    fast = live.read("DeviceRegistry", "class_count")
    oracles = timed()
    begin(live, oracles)
    first, second = two_ids_on_one_card(machine, oracles, Card(watch), order, owner)
    if order == "one after the other":
        step_until(oracles, lambda: entry(live, first).provider != 0)
        assert entry(live, first).device_class == fast
    step(oracles, 4)
    late = (second,) if order == "one after the other" else (first, second)
    assert [entry(live, one).provider for one in late] == [0] * len(late)


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("order", ["one after the other", "side by side"])
def test_two_ids_share_what_their_card_does_in_a_window(
    live: Live, timed: Timed, watch: Stopwatch, machine: Machine, order: str, owner: str
) -> None:
    # a window with room for both; it halves no rate, since a rate is what was shown in the window
    oracles = timed(attestation_deadline_ms=SECONDS * 2_200)
    begin(live, oracles)
    both = two_ids_on_one_card(machine, oracles, Card(watch), order, owner)
    for one in both:
        step_until(oracles, lambda one=one: entry(live, one).provider != 0)

    found = [entry(live, one) for one in both]
    assert (found[0].provider == found[1].provider) is (owner == OWNERS[0])
    # whoever came first, and together no faster than the card
    assert found[0].ops_per_second == found[1].ops_per_second
    assert sum(one.ops_per_second for one in found) <= RATE
    assert 2 * found[0].ops_per_second > RATE // 2


def test_a_card_under_one_id_makes_that_class(
    live: Live, timed: Timed, watch: Stopwatch, machine: Machine
) -> None:
    live.send(live.deployer, "DeviceRegistry", "add_class", RATE * 4 // 10, 256, 100 * UNIT)
    oracles = timed()
    begin(live, oracles)
    attest_on(Card(watch), machine, oracles)
    step_until(oracles, lambda: entry(live, machine).provider != 0)
    assert entry(live, machine).device_class == live.read("DeviceRegistry", "class_count")


# --- lies about time ------------------------------------------------------------------------


def test_there_is_nothing_to_lie_about_time_with(
    oracle: Oracle, machine: Machine, watch: Stopwatch
) -> None:
    proof, body = machine.prove_on(Card(watch), challenge(oracle, machine))
    for lie in ({"elapsed_ms": 1}, {"timestamp": 0}, {"arrived_ns": 0}):
        refused(oracle, "/v1/commits", body | lie, 422, "malformed")
    headers = {"Date": "Thu, 01 Jan 1970 00:00:00 GMT", "X-Request-Start": "0", "Age": "1000"}
    answer = oracle.http.post("/v1/commits?elapsed_ms=1", json=body, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["elapsed_ms"] >= SECONDS * 1_000
    # the first arrival stands; the bound is worked out from the window, whenever it came
    watch.advance(500)
    assert oracle.post("/v1/commits", body) == answer.json()
    verdict = oracle.post("/v1/openings", machine.openings(proof, answer.json()))
    assert verdict["elapsed_ms"] == answer.json()["elapsed_ms"]


def test_a_lost_answer_makes_nobody_late(
    oracle: Oracle, machine: Machine, watch: Stopwatch
) -> None:
    view = challenge(oracle, machine)
    proof, body = machine.prove_on(Card(watch), view)
    _, other = machine.prove_on(Lazy(), view)
    ack = oracle.post("/v1/commits", body)
    watch.advance(WINDOW_MS // 1_000)
    # the commit that was in time, and no other
    assert oracle.post("/v1/commits", body) == ack
    refused(oracle, "/v1/commits", other, 409, "the challenge expired")
    assert oracle.post("/v1/openings", machine.openings(proof, ack))["accepted"]


def test_a_late_commit_with_a_forged_acknowledgement(
    live: Live, timed: Timed, machine: Machine, watch: Stopwatch
) -> None:
    (oracle,) = timed(count=1, attestation_deadline_ms=SECONDS * 500)
    begin(live, [oracle])
    view = challenge(oracle, machine)
    _, body = machine.prove_on(Card(watch), view)  # takes twice the deadline
    problem = refused(oracle, "/v1/commits", body, 409, "the challenge expired")
    assert "secret" not in str(problem)

    # "but you acknowledged it": no request takes an Ack, whoever signed it
    commit = keccak(b"commit")
    forged = messages.Ack(commit, 1)
    signature = "0x" + live.sign(live.operator, forged, "DeviceRegistry").hex()
    claim = {"elapsed_ms": 1, "ack_signature": signature}
    refused(oracle, "/v1/commits", body | claim, 422, "malformed")
    opened = machine.opened({"commit": hexed(commit), "secret": hexed(bytes(32))}, [])
    refused(oracle, "/v1/openings", opened | claim, 422, "malformed")
    refused(oracle, "/v1/openings", opened, 404, "no such commit")
    assert oracle.get(f"/v1/devices/{hexed(machine.device)}/challenge")["state"] == "refused"


def test_another_time_in_an_oracles_observation(
    live: Live, timed: Timed, machine: Machine, watch: Stopwatch
) -> None:
    oracles = timed()
    begin(live, oracles)
    attest_on(Card(watch), machine, oracles)
    seen = [oracle.node.attest.observation(machine.device, 1) for oracle in oracles]
    faster = replace(seen[0], elapsed_ms=1)
    with pytest.raises(Unauthorized):
        oracles[3].node.record.endorse(DeviceProposal(machine.device, 1, (faster, *seen[1:3])))


# --- answers --------------------------------------------------------------------------------


def draws(ack: dict[str, Any], proof: Any, secret: bytes | None = None) -> list[Opening]:
    drawn = secret or bytes.fromhex(ack["secret"][2:])
    return proof.answer(draw_queries(proof.final_seed, drawn, QUERIES, DIMS))  # type: ignore[no-any-return]


def other_queries(ack: dict[str, Any], proof: Any) -> list[Opening]:
    return draws(ack, proof, secret=b"more to my taste".ljust(32))


def torn(ack: dict[str, Any], proof: Any) -> list[Opening]:
    return draws(ack, proof)[:-1]


def none_at_all(ack: dict[str, Any], proof: Any) -> list[Opening]:
    return []


def twice(ack: dict[str, Any], proof: Any) -> list[Opening]:
    return draws(ack, proof) * 2


def reordered(ack: dict[str, Any], proof: Any) -> list[Opening]:
    return draws(ack, proof)[::-1]


def wrong_path(ack: dict[str, Any], proof: Any) -> list[Opening]:
    first, *rest = draws(ack, proof)
    return [replace(first, path=(bytes(32), *first.path[1:])), *rest]


def other_leaf(ack: dict[str, Any], proof: Any) -> list[Opening]:
    first, *rest = draws(ack, proof)
    return [replace(first, leaf=bytes(128)), *rest]


WRONG = [other_queries, torn, none_at_all, twice, reordered, wrong_path, other_leaf]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_a_wrong_answer_that_is_signed_is_final(
    oracle: Oracle, machine: Machine, wrong: Callable[..., list[Opening]]
) -> None:
    proof, body = machine.prove(challenge(oracle, machine))
    ack = oracle.post("/v1/commits", body)
    verdict = oracle.post("/v1/openings", machine.opened(ack, wrong(ack, proof)))
    assert not verdict["accepted"]
    assert verdict["ops_per_second"] == 0
    # the right one comes too late
    assert oracle.post("/v1/openings", machine.openings(proof, ack)) == verdict
    challenge(oracle, machine, "refused")
    oracle.get(f"/v1/peer/devices/{hexed(machine.device)}/1", status=404)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_the_same_by_somebody_else_decides_nothing(
    oracle: Oracle, machine: Machine, live: Live, wrong: Callable[..., list[Opening]]
) -> None:
    proof, body = machine.prove(challenge(oracle, machine))
    ack = oracle.post("/v1/commits", body)
    stranger = replace(machine, live=replace(live, operator=live.customer))
    foreign = stranger.opened(ack, wrong(ack, proof))
    refused(oracle, "/v1/openings", foreign, 401, live.customer.address)
    # nor does the operator's own signature over another answer
    good = machine.openings(proof, ack)
    altered = [OpeningBody.of(one).model_dump(mode="json") for one in wrong(ack, proof)]
    refused(oracle, "/v1/openings", good | {"openings": altered}, 401, "the open is signed by")
    challenge(oracle, machine, "committed")
    assert oracle.post("/v1/openings", good)["accepted"]


def test_an_answer_signed_for_another_oracles_secret(
    live: Live, timed: Timed, machine: Machine
) -> None:
    one, other = timed(count=2)
    begin(live, [one, other])
    proof, body = machine.prove(challenge(one, machine))
    challenge(other, machine)
    ack, others = (oracle.post("/v1/commits", body) for oracle in (one, other))
    refused(one, "/v1/openings", machine.openings(proof, others), 401, "signed by")
    assert one.post("/v1/openings", machine.openings(proof, ack))["accepted"]


def test_garbage_is_no_answer(oracle: Oracle, machine: Machine) -> None:
    proof, body = machine.prove(challenge(oracle, machine))
    ack = oracle.post("/v1/commits", body)
    good = machine.openings(proof, ack)
    short = [good["openings"][0] | {"leaf": "0x00"}]
    for garbled, status in (
        (good | {"signature": "0x" + "00" * 65}, 401),
        (good | {"signature": "0x12"}, 422),
        (good | {"openings": short}, 422),
        (good | {"openings": good["openings"] * 65}, 422),
        ({k: v for k, v in good.items() if k != "signature"}, 422),
        (good | {"commit": hexed(bytes(32))}, 404),
    ):
        answer = oracle.http.post("/v1/openings", json=garbled)
        assert answer.status_code == status, answer.text
    torn_body = str(good).replace("'", '"')[:-200]
    answer = oracle.http.post(
        "/v1/openings", content=torn_body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert oracle.post("/v1/openings", good)["accepted"]


# --- keys -----------------------------------------------------------------------------------


def test_a_commit_by_a_key_that_was_rotated_out(
    oracle: Oracle, machine: Machine, live: Live
) -> None:
    proof, body = machine.prove(challenge(oracle, machine))
    new = Account.create()
    live.send(
        live.provider_owner, "ProviderRegistry", "set_operator", machine.provider, new.address
    )
    oracle.look()
    problem = refused(oracle, "/v1/commits", body, 401, live.operator.address)
    assert new.address in problem["detail"]

    renewed = replace(machine, live=replace(live, operator=new))
    ack = oracle.post("/v1/commits", renewed.commit_body(body, proof))
    # an answer by the old key is a stranger's
    refused(oracle, "/v1/openings", machine.openings(proof, ack), 401, "signed by")
    assert oracle.post("/v1/openings", renewed.openings(proof, ack))["accepted"]


# --- devices that keep failing --------------------------------------------------------------


def test_a_device_that_keeps_failing_is_left_alone(
    live: Live, oracle: Oracle, machine: Machine
) -> None:
    states = {}
    for epoch in range(1, 9):
        if epoch > 1:
            begin(live, [oracle], epoch)
        view = oracle.post("/v1/devices", machine.registration()) and oracle.get(
            f"/v1/devices/{hexed(machine.device)}/challenge"
        )
        states[epoch] = (view["state"], view["resumes"])
        if view["state"] == "open":
            proof, body = machine.prove_on(Lazy(), view)
            ack = oracle.post("/v1/commits", body)
            assert not oracle.post("/v1/openings", machine.openings(proof, ack))["accepted"]
        else:
            # nor does it get anywhere by not asking
            assert view["seed"] is None
            late = machine.commit_body({"epoch": epoch}, proof)
            refused(oracle, "/v1/commits", late, 409, "rests until epoch")
    assert states == {
        1: ("open", None),
        2: ("open", None),
        3: ("resting", 4),
        4: ("open", None),
        5: ("resting", 8),
        6: ("resting", 8),
        7: ("resting", 8),
        8: ("open", None),
    }


def test_a_query_that_was_never_answered_is_a_failure_too(
    live: Live, oracle: Oracle, machine: Machine
) -> None:
    # a cheat looks at what is asked, and keeps quiet where it hurts
    for epoch in (1, 2):
        if epoch > 1:
            begin(live, [oracle], epoch)
        _, body = machine.prove_on(Lazy(), challenge(oracle, machine))
        oracle.post("/v1/commits", body)
    begin(live, [oracle], 3)
    challenge(oracle, machine, "resting")


# --- slices ---------------------------------------------------------------------------------

MIG = {"kind": "mig", "name": "slice", "parent": "GPU-1"}
VGPU = {"kind": "gpu", "name": "slice", "virtualization": "vgpu"}


@pytest.mark.parametrize("inventory", [MIG, VGPU], ids=["mig", "vgpu"])
def test_a_slice_is_no_whole_card(
    oracle: Oracle, machine: Machine, inventory: dict[str, Any]
) -> None:
    machine.hardware = inventory
    refused(oracle, "/v1/devices", machine.registration(), 422, "a slice of a card")
    oracle.get(f"/v1/devices/{hexed(machine.device)}/challenge", status=404)


def test_a_slice_enters_the_classes_that_are_for_slices(
    live: Live, timed: Timed, watch: Stopwatch, machine: Machine
) -> None:
    live.send(live.deployer, "DeviceRegistry", "add_class", 1_500, 256, 100 * UNIT)
    best = live.read("DeviceRegistry", "class_count")
    oracles = timed(slice_classes=[1], attestation_deadline_ms=WINDOW_FOR_MANY_MS)
    begin(live, oracles)
    sliced = Machine(live, machine.provider, "slice", hardware=MIG)
    card = Card(watch)
    for one in (sliced, machine):
        attest_on(card, one, oracles)
        step_until(oracles, lambda one=one: entry(live, one).provider != 0)
    assert [entry(live, one).device_class for one in (sliced, machine)] == [1, best]


# --- walks ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("holds_table", "speed", "in_time"),
    [
        (True, 1, True),
        (False, 1, False),
        # what no walk in one phase keeps out: who hashes that much faster than it claims
        (False, 2, True),
    ],
    ids=["table", "no table", "no table, twice as fast"],
)
def test_whoever_makes_entries_again_is_late(
    live: Live,
    timed: Timed,
    watch: Stopwatch,
    machine: Machine,
    holds_table: bool,
    speed: int,
    in_time: bool,
) -> None:
    (oracle,) = timed(count=1, attestation_modes=["throughput", "residency"])
    begin(live, [oracle], 1)
    view = challenge(oracle, machine)
    # which takes five eighths of the window with a table
    rate = WalkDims(*(view[name] for name in ("m", "n", "k", "rounds"))).hashes / SECONDS
    proof, body = walk_of(machine, view, Hasher(watch, speed * rate, holds_table))
    # the root is the honest one: time is all that tells them apart
    assert proof == walk_of(machine, view)[0]
    if in_time:
        ack = oracle.post("/v1/walks", body)
        assert oracle.post("/v1/walks/openings", lanes_of(machine, proof, ack))["accepted"]
    else:
        refused(oracle, "/v1/walks", body, 409, "the challenge expired")
        challenge(oracle, machine, "refused")


def test_a_walk_of_other_lanes_is_refused(live: Live, timed: Timed, machine: Machine) -> None:
    (oracle,) = timed(count=1, attestation_modes=["throughput", "residency"])
    begin(live, [oracle], 1)
    proof, body = walk_of(machine, challenge(oracle, machine))
    ack = oracle.post("/v1/walks", body)
    honest = lanes_of(machine, proof, ack)
    # other lanes than those asked for, signed
    other = lanes_of(machine, proof, ack | {"secret": hexed(b"another".ljust(32))})
    refused(oracle, "/v1/walks/openings", other, 401, "signed by")
    wrong = proof.answer([0] * QUERIES)
    message = messages.Open(
        bytes.fromhex(ack["commit"][2:]),
        keccak(bytes.fromhex(ack["secret"][2:])),
        answer_hash(wrong),
    )
    body = honest | {
        "openings": [
            {"lane": 0, "leaf": hexed(one.leaf), "path": [hexed(node) for node in one.path]}
            for one in wrong
        ],
        "signature": hexed(live.sign(live.operator, message, "DeviceRegistry")),
    }
    assert not oracle.post("/v1/walks/openings", body)["accepted"]
    assert not oracle.post("/v1/walks/openings", honest)["accepted"]


# --- claims that change ---------------------------------------------------------------------


def test_memory_is_what_was_shown_in_every_mode(
    live: Live, timed: Timed, watch: Stopwatch, machine: Machine
) -> None:
    """A larger claim that comes after the challenge has not been asked about."""
    live.send(live.deployer, "DeviceRegistry", "add_class", 1_500, 80_000, 100 * UNIT)
    oracles = timed(attestation_modes=["throughput", "residency"])
    begin(live, oracles, 1)
    proof, body = walk_of(machine, challenge(oracles[0], machine))
    for oracle in oracles:
        challenge(oracle, machine)
        ack = oracle.post("/v1/walks", body)
        assert oracle.post("/v1/walks/openings", lanes_of(machine, proof, ack))["accepted"]
    walked = machine.memory_mb

    # more memory in the chain's challenge than was walked through, and still more after it
    machine.memory_mb = 90_000
    begin(live, oracles, 2)
    proof, body = machine.prove_on(Card(watch), challenge(oracles[0], machine))
    answer(oracles, machine, proof, body)
    machine.memory_mb = 180_000
    for oracle in oracles:
        oracle.post("/v1/devices", machine.registration())
    step_until(oracles, lambda: entry(live, machine).provider != 0)
    assert (entry(live, machine).memory_mb, entry(live, machine).device_class) == (walked, 1)


def test_a_slice_stays_one_until_the_next_challenge(
    live: Live, timed: Timed, watch: Stopwatch, machine: Machine
) -> None:
    live.send(live.deployer, "DeviceRegistry", "add_class", 1_500, 256, 100 * UNIT)
    best = live.read("DeviceRegistry", "class_count")
    oracles = timed(slice_classes=[1])
    begin(live, oracles)
    whole, machine.hardware = machine.hardware, MIG
    attest_on(Card(watch), machine, oracles)
    machine.hardware = whole
    for oracle in oracles:
        oracle.post("/v1/devices", machine.registration())
    step_until(oracles, lambda: entry(live, machine).provider != 0)
    assert entry(live, machine).device_class == 1

    begin(live, oracles, 2)
    attest_on(Card(watch), machine, oracles)
    step_until(oracles, lambda: entry(live, machine).device_class == best)


def test_one_device_below_every_class_holds_up_no_other(
    live: Live, timed: Timed, watch: Stopwatch, machine: Machine
) -> None:
    oracles = timed(attestation_deadline_ms=WINDOW_FOR_MANY_MS)
    begin(live, oracles)
    weak = [Machine(live, machine.provider, f"weak {i}", memory_mb=1) for i in range(4)]
    for one in (*weak, machine):
        attest_on(Card(watch), one, oracles)
    step(oracles, 1)
    step_until(oracles, lambda: entry(live, machine).provider != 0)
    assert all(entry(live, one).provider == 0 for one in weak)
    assert all("devices" not in cause for o in oracles for cause in o.node.causes())
