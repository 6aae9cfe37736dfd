"""What an oracle shows to everybody."""

from collections.abc import Callable

import pytest

from tests.oracle.conftest import Live, Machine, Oracle, enter, step


@pytest.fixture
def attested(live: Live, oracles: list[Oracle], machine: Machine) -> Oracle:
    """One of four oracles that have entered a device."""
    live.enter_epoch(1)
    step(oracles)
    enter(machine, oracles)
    return oracles[0]


def test_everything_public_is_served(attested: Oracle, machine: Machine, live: Live) -> None:
    status = attested.get("/v1/status")
    assert (status["chain_id"], status["threshold"]) == (31337, 3)
    # chain time goes on with the clock
    assert status["epoch"] >= 1
    (device,) = attested.get("/v1/devices")
    assert device == attested.get(f"/v1/devices/0x{machine.device.hex()}")
    assert (device["device_class"], device["provider"]) == (1, machine.provider)
    (commit,) = attested.get("/v1/commits")
    assert commit["verdict"]["accepted"] is True
    assert attested.get(f"/v1/commits?after={commit['id']}") == []
    job = live.open_job(machine.provider)
    attested.look()
    assert [j["job"] for j in attested.get("/v1/jobs")] == [job]


@pytest.mark.usefixtures("attested")
def test_statements_hold_every_signature_seen(oracles: list[Oracle], machine: Machine) -> None:
    device = "0x" + machine.device.hex()
    by_oracle = [
        [s for s in oracle.get("/v1/statements") if s["subject"] == device] for oracle in oracles
    ]
    payloads = {s["payload"] for statements in by_oracle for s in statements}
    assert len(payloads) == 1
    # the leader has seen the three that it sent to the chain
    leader = max(by_oracle, key=len)
    assert len({s["oracle"] for s in leader}) == 3


def test_refused_commit_stays_public(live: Live, oracles: list[Oracle], machine: Machine) -> None:
    live.enter_epoch(1)
    step(oracles)
    oracle = oracles[0]
    oracle.look()
    oracle.post("/v1/devices", machine.registration())
    challenge = oracle.get(f"/v1/devices/0x{machine.device.hex()}/challenge")
    proof, body = machine.skipping(challenge)
    ack = oracle.post("/v1/commits", body)
    verdict = oracle.post("/v1/openings", machine.openings(proof, ack))
    assert (verdict["accepted"], verdict["ops_per_second"]) == (False, 0)
    assert "is not the product" in verdict["reason"]
    (commit,) = oracle.get("/v1/commits")
    assert commit["verdict"]["accepted"] is False
    state = oracle.get(f"/v1/devices/0x{machine.device.hex()}/challenge")
    assert state["state"] == "refused"
    # and no oracle reports it
    oracle.get(f"/v1/peer/devices/0x{machine.device.hex()}/1", status=404)


def test_garbage_openings_by_a_third_party_decide_nothing(
    live: Live, oracles: list[Oracle], machine: Machine
) -> None:
    live.enter_epoch(1)
    step(oracles)
    oracle = oracles[0]
    oracle.look()
    oracle.post("/v1/devices", machine.registration())
    challenge = oracle.get(f"/v1/devices/0x{machine.device.hex()}/challenge")
    proof, body = machine.prove(challenge)
    ack = oracle.post("/v1/commits", body)
    honest = machine.openings(proof, ack)
    forged = [dict(o, leaf="0x" + "00" * 128) for o in honest["openings"]]
    for openings in ([], honest["openings"][1:], honest["openings"][::-1], forged):
        oracle.post("/v1/openings", honest | {"openings": openings}, status=401)
    assert oracle.get("/v1/commits")[0]["verdict"] is None
    assert oracle.post("/v1/openings", honest)["accepted"] is True
    # a verdict is final
    assert oracle.post("/v1/openings", honest | {"openings": []})["accepted"] is True


def test_same_commit_gets_the_same_acknowledgement(
    live: Live, oracles: list[Oracle], machine: Machine
) -> None:
    live.enter_epoch(1)
    step(oracles)
    oracle = oracles[0]
    oracle.look()
    oracle.post("/v1/devices", machine.registration())
    path = f"/v1/devices/0x{machine.device.hex()}/challenge"
    challenge = oracle.get(path)
    assert challenge["secret_hash"] == oracle.get(path)["secret_hash"]
    _, body = machine.prove(challenge)
    first = oracle.post("/v1/commits", body)
    assert oracle.post("/v1/commits", body) == first
    from oracle.domain.hashing import keccak

    secret = bytes.fromhex(first["secret"][2:])
    assert "0x" + keccak(secret).hex() == challenge["secret_hash"]


def test_health_names_its_causes(live: Live, make_oracle: Callable[..., Oracle]) -> None:
    member = make_oracle(live.oracles[0], "member")
    step([member])
    health = member.get("/health")
    assert (health["ok"], health["member"], health["causes"]) == (True, True, [])
    assert health["oracle"] == live.oracles[0].address

    stranger = make_oracle(live.customer, "stranger")
    step([stranger])
    health = stranger.get("/health", status=503)
    assert (health["ok"], health["member"]) == (False, False)
    assert any("no key of a committee member" in cause for cause in health["causes"])


def test_metrics_are_prometheus(live: Live, make_oracle: Callable[..., Oracle]) -> None:
    text = make_oracle(None).http.get("/metrics").text
    assert "clearwork_epoch" in text
    assert 'clearwork_rows{table="usage"} 0.0' in text


def test_status_page_needs_nothing_from_elsewhere(make_oracle: Callable[..., Oracle]) -> None:
    page = make_oracle(None).http.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "http://" not in page.text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page.text
    assert "innerHTML" not in page.text


def test_every_route_is_described(make_oracle: Callable[..., Oracle]) -> None:
    paths = make_oracle(None).get("/openapi.json")["paths"]
    assert len(paths) >= 20
    for operations in paths.values():
        for operation in operations.values():
            assert operation["description"]
            assert "422" in operation["responses"]
