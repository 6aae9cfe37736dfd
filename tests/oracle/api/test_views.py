"""What an oracle shows to everybody."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from oracle.api import app
from oracle.api.schemas import EpochSummaryView, OfferQuery, OfferView
from oracle.cli.epoch import WHY
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


def test_status_page_shows_what_a_summary_has(make_oracle: Callable[..., Oracle]) -> None:
    page = make_oracle(None).http.get("/").text
    shown = set(re.findall(r"summary\.([a-z_]+)", page))
    assert {"minted", "burnt_for_credits", "net"} <= shown <= set(EpochSummaryView.model_fields)
    for reason, why in WHY.items():
        assert f'{int(reason)}: "{why}"' in page


def test_status_page_shows_what_an_offer_has(make_oracle: Callable[..., Oracle]) -> None:
    page = make_oracle(None).http.get("/").text
    (table,) = re.findall(r"const price = .*?table\(\"offers\", .*?\], .*?;", page, re.DOTALL)
    shown = set(re.findall(r"\bo\.([a-z_]+)", table))
    needed = {"provider", "nonce", "device_class", "available", "gpus", "asset", "sla"}
    times = {"min_seconds", "max_seconds", "expires_at"}
    assert needed | times | {"price_per_gpu_hour"} <= shown <= set(OfferView.model_fields)


def test_status_page_filters_offers_as_the_api_does(make_oracle: Callable[..., Oracle]) -> None:
    oracle = make_oracle(None)
    page = oracle.http.get("/").text
    (form,) = re.findall(r'<form id="wanted".*?</form>', page, re.DOTALL)
    assert 'ask("/v1/offers?" + wanted())' in page
    fields = dict(re.findall(r'name="([a-z_]+)" pattern="([^"]+)"', form))
    # the page shows the cheapest only
    assert set(fields) == set(OfferQuery.model_fields) - {"after"}
    typed = dict.fromkeys(fields, "1") | {"asset": "0x" + "aa" * 20}
    assert all(re.fullmatch(pattern, typed[name]) for name, pattern in fields.items())
    assert oracle.http.get("/v1/offers", params=typed).status_code == 200
    # what the browser takes for a mistake, the API does too
    wrong = dict.fromkeys(fields, "x") | {"min_gpus": "0", "asset": "0xaa"}
    for name, value in wrong.items():
        assert not re.fullmatch(fields[name], value)
        assert oracle.http.get("/v1/offers", params={name: value}).status_code == 422


def test_every_route_is_described(make_oracle: Callable[..., Oracle]) -> None:
    paths = make_oracle(None).get("/openapi.json")["paths"]
    assert len(paths) >= 20
    for operations in paths.values():
        for operation in operations.values():
            assert operation["description"]
            assert "422" in operation["responses"]


def test_devices_come_in_pages(
    live: Live,
    machine: Machine,
    make_oracle: Callable[..., Oracle],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    oracle = make_oracle(live.oracles[0])
    assert oracle.get("/v1/devices") == []
    machines = [replace(machine, uuid=f"card {number}") for number in range(5)]
    for one in machines:
        oracle.post("/v1/devices", one.registration())
    expected = sorted("0x" + one.device.hex() for one in machines)
    monkeypatch.setattr(app, "PAGE", 2)
    seen: list[str] = []
    after = "0x" + "00" * 32
    while page := oracle.get(f"/v1/devices?after={after}"):
        assert len(page) <= 2
        seen += [one["device"] for one in page]
        after = seen[-1]
    assert seen == expected
    assert [one["device"] for one in oracle.get("/v1/devices")] == expected[:2]
    assert oracle.get(f"/v1/devices?after=0x{'fF' * 32}") == []
    for wrong in ("1", "0x12", "0x" + "zz" * 32):
        assert oracle.get(f"/v1/devices?after={wrong}", status=422)["detail"]
