"""What the interface refuses: problem+json that says what to do, and nothing written."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from oracle.domain.attestation import Dims
from oracle.domain.hashing import keccak
from tests.oracle.conftest import Live, Machine, Oracle


@pytest.fixture
def oracle(live: Live, make_oracle: Callable[..., Oracle]) -> Oracle:
    """An oracle in an epoch whose beacon is on chain."""
    live.enter_epoch(1)
    made = make_oracle(live.oracles[0])
    live.send(live.deployer, "EpochLedger", "record_beacon")
    made.look()
    return made


def counts(oracle: Oracle) -> Any:
    return oracle.node.store.counts()


def refused(oracle: Oracle, path: str, body: Any, status: int, title: str) -> dict[str, Any]:
    """Post what must be refused; checks the shape of the answer and that nothing was written."""
    before = counts(oracle)
    answer = oracle.http.post(path, json=body)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status), problem
    assert title in problem["title"]
    assert problem["detail"]
    assert problem["type"].startswith("urn:clearwork:")
    assert counts(oracle) == before
    return problem


def ready(oracle: Oracle, machine: Machine) -> dict[str, Any]:
    """Register and return the open challenge."""
    oracle.look()
    oracle.post("/v1/devices", machine.registration())
    challenge: dict[str, Any] = oracle.get(f"/v1/devices/0x{machine.device.hex()}/challenge")
    assert challenge["state"] == "open"
    return challenge


# --- registration ---------------------------------------------------------------------------


def test_registration_by_a_stranger(oracle: Oracle, machine: Machine, live: Live) -> None:
    oracle.look()
    machine.live = _as(live, live.customer)
    refused(oracle, "/v1/devices", machine.registration(), 401, "signed by")


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:99999", "http://[::1", "http://", "ftp://host", "http://" + "a" * 2_048],
)
def test_registration_with_an_agent_that_nobody_can_ask(
    oracle: Oracle, machine: Machine, url: str
) -> None:
    oracle.look()
    body = machine.registration() | {"agent_url": url}
    assert "agent_url" in refused(oracle, "/v1/devices", body, 422, "")["detail"]


def test_registration_of_an_unknown_provider(oracle: Oracle, machine: Machine) -> None:
    oracle.look()
    machine.provider = 99
    refused(oracle, "/v1/devices", machine.registration(), 404, "no provider 99")


def test_registration_with_another_inventory(oracle: Oracle, machine: Machine) -> None:
    oracle.look()
    body = machine.registration() | {"inventory": {"name": "H100"}}
    refused(oracle, "/v1/devices", body, 401, "signed by")


# --- attestation ----------------------------------------------------------------------------


def test_unknown_device_has_no_challenge(oracle: Oracle) -> None:
    problem = oracle.get(f"/v1/devices/0x{'ab' * 32}/challenge", status=404)
    assert "unknown device" in problem["title"]
    assert "POST /v1/devices" in problem["detail"]


def test_commit_of_an_unknown_device(oracle: Oracle, machine: Machine) -> None:
    challenge = ready(oracle, machine)
    _, body = machine.prove(challenge)
    machine.uuid = "another"
    body = body | {"device": "0x" + machine.device.hex()}
    refused(oracle, "/v1/commits", body, 404, "unknown device")


def test_expired_challenge(oracle: Oracle, machine: Machine) -> None:
    _, body = machine.prove(ready(oracle, machine))
    later = oracle.node.clock.now_ns() + 30_001 * 10**6
    oracle.node.clock.now_ns = lambda: later  # type: ignore[method-assign]
    problem = refused(oracle, "/v1/commits", body, 409, "the challenge expired")
    assert "next epoch" in problem["detail"]
    path = f"/v1/devices/0x{machine.device.hex()}/challenge"
    assert oracle.get(path) | {"state": "refused", "remaining_ms": 0} == oracle.get(path)


def test_stale_epoch(oracle: Oracle, machine: Machine, live: Live) -> None:
    _, body = machine.prove(ready(oracle, machine))
    live.enter_epoch(2)
    oracle.look()
    problem = refused(oracle, "/v1/commits", body, 409, "stale epoch 1")
    assert "current epoch" in problem["detail"]


def test_epoch_without_beacon_waits(oracle: Oracle, machine: Machine, live: Live) -> None:
    ready(oracle, machine)
    live.enter_epoch(2)
    oracle.look()
    state = oracle.get(f"/v1/devices/0x{machine.device.hex()}/challenge")
    assert (state["state"], state["epoch"], state["seed"]) == ("waiting", 2, None)


def test_bad_signature(oracle: Oracle, machine: Machine, live: Live) -> None:
    challenge = ready(oracle, machine)
    machine.live = _as(live, live.customer)
    _, body = machine.prove(challenge)
    problem = refused(oracle, "/v1/commits", body, 401, live.customer.address)
    assert live.operator.address in problem["detail"]


def test_malformed_signature(oracle: Oracle, machine: Machine) -> None:
    _, body = machine.prove(ready(oracle, machine))
    refused(oracle, "/v1/commits", body | {"signature": "0x" + "00" * 65}, 401, "27 or 28")


@pytest.mark.parametrize(
    "change",
    [
        {"seed": b"\x01" * 32},
        {"rounds": 1},
        {"k": 512},
        {"final_seed": b"\x01" * 32},
        {"provider": 2},
    ],
)
def test_answer_to_another_challenge(
    oracle: Oracle, machine: Machine, change: dict[str, Any]
) -> None:
    challenge = ready(oracle, machine)
    proof, _ = machine.prove(challenge)
    body = machine.commit_body(challenge, proof, **change)
    refused(oracle, "/v1/commits", body, 422, "refused")


def test_replay_of_another_devices_commit(oracle: Oracle, machine: Machine, live: Live) -> None:
    ready(oracle, machine)
    other = Machine(live, machine.provider, uuid="other")
    challenge = ready(oracle, other)
    proof, _ = machine.prove(oracle.get(f"/v1/devices/0x{machine.device.hex()}/challenge"))
    replayed = other.commit_body(challenge, proof)
    refused(oracle, "/v1/commits", replayed, 422, "another challenge")


def test_second_commit_in_one_epoch(oracle: Oracle, machine: Machine) -> None:
    challenge = ready(oracle, machine)
    proof, body = machine.prove(challenge)
    oracle.post("/v1/commits", body)
    roots = [root if i else bytes(32) for i, root in enumerate(proof.roots)]
    final = keccak(keccak(proof.seed + roots[0]) + roots[1])
    other = machine.commit_body(challenge, proof, final_seed=final)
    other["roots"] = ["0x" + root.hex() for root in roots]
    refused(oracle, "/v1/commits", other, 409, "committed to something else")


def test_openings_of_no_commit(oracle: Oracle) -> None:
    body = {"commit": "0x" + "11" * 32, "openings": [], "signature": "0x" + "11" * 65}
    refused(oracle, "/v1/openings", body, 404, "no such commit")


def test_dry_oracle_takes_no_commit(
    live: Live, make_oracle: Callable[..., Oracle], oracle: Oracle, machine: Machine
) -> None:
    dry = make_oracle(None, "dry")
    dry.look()
    dry.post("/v1/devices", machine.registration())
    _, body = machine.prove(ready(oracle, machine))
    for answer in (
        dry.http.get(f"/v1/devices/0x{machine.device.hex()}/challenge"),
        dry.http.post("/v1/commits", json=body),
    ):
        assert answer.status_code == 500
        assert "runs dry" in answer.json()["title"]
    assert dry.get("/v1/commits") == []


# --- telemetry ------------------------------------------------------------------------------


def test_heartbeat_of_an_unknown_device(oracle: Oracle, machine: Machine) -> None:
    oracle.look()
    (receipt,) = oracle.post("/v1/heartbeats", [machine.heartbeat()])
    assert receipt["state"] == "refused"
    assert "unknown device" in receipt["reason"]


def test_usage_of_an_unknown_job(oracle: Oracle, machine: Machine) -> None:
    oracle.look()
    (receipt,) = oracle.post("/v1/usage", [machine.usage(77, 10)])
    assert receipt["state"] == "refused"
    assert "no job 77" in receipt["reason"]


def test_one_bad_heartbeat_does_not_stop_the_others(oracle: Oracle, machine: Machine) -> None:
    ready(oracle, machine)
    good, bad, other = machine.heartbeat(), machine.heartbeat(), machine.heartbeat()
    bad["telemetry"] = {"power_mw": 1}
    states = [r["state"] for r in oracle.post("/v1/heartbeats", [good, bad, other])]
    assert states == ["stored", "refused", "stored"]


# --- transport ------------------------------------------------------------------------------


def test_oversized_body(oracle: Oracle) -> None:
    size = oracle.node.settings.max_body_bytes
    refused(oracle, "/v1/heartbeats", [{"x": "y" * size}], 413, "larger than")


def test_empty_and_oversized_batches(oracle: Oracle, machine: Machine) -> None:
    refused(oracle, "/v1/heartbeats", [], 422, "batch of 0")
    refused(oracle, "/v1/usage", [], 422, "batch of 0")


@pytest.mark.parametrize(
    "body", [{}, [], "text", None, {"provider": -1}, {"provider": 2**24}, {"signature": "0xzz"}]
)
def test_malformed_registration(oracle: Oracle, body: Any) -> None:
    refused(oracle, "/v1/devices", body, 422, "malformed")


@pytest.mark.parametrize("claim", [-1, 0, 2**63, 2**64, "fast", None])
def test_claims_that_are_none(oracle: Oracle, machine: Machine, claim: Any) -> None:
    body = machine.registration() | {"ops_per_second": claim}
    refused(oracle, "/v1/devices", body, 422, "malformed")


def test_a_claim_is_signed(oracle: Oracle, machine: Machine) -> None:
    oracle.look()
    body = machine.registration() | {"ops_per_second": machine.ops_per_second + 1}
    refused(oracle, "/v1/devices", body, 401, "signed by")


def test_the_largest_and_smallest_claims_are_taken(oracle: Oracle, machine: Machine) -> None:
    oracle.look()
    for claim in (1, 2**63 - 1):
        machine.ops_per_second = claim
        view = oracle.post("/v1/devices", machine.registration())
        assert view["claimed_ops_per_second"] == claim


def test_unknown_fields_are_refused(oracle: Oracle, machine: Machine) -> None:
    refused(oracle, "/v1/devices", machine.registration() | {"extra": 1}, 422, "malformed")


def test_numbers_no_database_holds_are_refused(oracle: Oracle, machine: Machine) -> None:
    body = machine.usage(1, 10) | {"seq": 2**63}
    refused(oracle, "/v1/usage", [body], 422, "malformed")


@pytest.mark.parametrize("path", ["/v2/devices", "/v1/devices/0x12", "/v1/proofs/9/0x00"])
def test_wrong_paths_are_explained(oracle: Oracle, path: str) -> None:
    answer = oracle.http.get(path)
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_time_of_arrival_is_taken_before_the_work(oracle: Oracle, machine: Machine) -> None:
    _, body = machine.prove(ready(oracle, machine))
    before = time.monotonic_ns()
    ack = oracle.post("/v1/commits", body)
    sighting = oracle.node.store.sighting(1, oracle.node.market.beacon(1))
    spent = (time.monotonic_ns() - sighting.seen_ns) // 10**6 + sighting.age_ms
    assert (before - sighting.seen_ns) // 10**6 <= ack["elapsed_ms"] <= spent + 1


def _as(live: Live, signer: Any) -> Live:
    """The same market seen by somebody with another operator key."""
    from dataclasses import replace

    return replace(live, operator=signer)


def test_dimensions_of_the_settings_are_checked(
    live: Live, make_oracle: Callable[..., Oracle]
) -> None:
    from oracle.errors import BadInput

    assert Dims(128, 128, 256, 2)
    with pytest.raises(BadInput, match="tree"):
        make_oracle(None, "odd", attestation_m=100)
