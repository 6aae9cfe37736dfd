"""Cards that prove who made them, and whoever pretends to be one. The maker is the tests' own."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from oracle.api.schemas import OpeningsBody
from oracle.domain.evidence import Evidence, identify, read_evidence
from oracle.domain.hashing import keccak
from oracle.domain.records import NO_EVIDENCE
from tests.oracle.conftest import UNIT, Live, Machine, Oracle, step, step_until
from tests.oracle.evidence.forge import DEVICE, LEAF, forge
from tests.oracle.evidence.forge import Card as SignedCard

from .conftest import (
    OWNERS,
    Card,
    Stopwatch,
    attest_on,
    begin,
    challenge,
    entry,
    of_another_provider,
    owned_by,
)

Timed = Callable[..., list[Oracle]]
MADE_IN = 1_790_000_000


@pytest.fixture
def signed_card() -> SignedCard:
    return SignedCard()


@pytest.fixture
def certified(machine: Machine, signed_card: SignedCard) -> Machine:
    """A machine with a card that proves who made it."""
    return replace(machine, card=signed_card)


def trust(oracles: list[Oracle], card: SignedCard) -> None:
    """Pin the tests' maker instead of NVIDIA."""
    for oracle in oracles:
        oracle.node.attest.rules = replace(oracle.node.attest.rules, maker=card.root)


@pytest.fixture
def oracle(live: Live, timed: Timed, signed_card: SignedCard) -> Oracle:
    """One oracle in epoch 1 that trusts the maker."""
    (made,) = timed(count=1)
    trust([made], signed_card)
    begin(live, [made])
    return made


def hexed(raw: bytes) -> str:
    return "0x" + raw.hex()


def answer_with(
    oracle: Oracle, machine: Machine, evidence: Callable[[bytes], Evidence | None]
) -> dict[str, Any]:
    """An honest chain, and signed evidence that may be anything."""
    proof, body = machine.prove(challenge(oracle, machine))
    ack = oracle.post("/v1/commits", body)
    honest = replace(machine, card=None).openings(proof, ack)
    opened = list(OpeningsBody.model_validate(honest).answer().openings)
    return oracle.post("/v1/openings", machine.opened(ack, opened, evidence(proof.seed)))  # type: ignore[no-any-return]


def test_the_registry_has_the_cards_own_key_and_the_hash_of_its_evidence(
    live: Live, timed: Timed, watch: Stopwatch, certified: Machine, signed_card: SignedCard
) -> None:
    oracles = timed()
    trust(oracles, signed_card)
    begin(live, oracles)
    seed = bytes.fromhex(challenge(oracles[0], certified)["seed"][2:])
    # every answer of a card has another signature: all oracles have to get one
    certified.card = _Recorded(signed_card)  # type: ignore[assignment]
    assert all(verdict["accepted"] for verdict in attest_on(Card(watch), certified, oracles))
    step_until(oracles, lambda: entry(live, certified).provider != 0)

    recorded = entry(live, certified)
    assert bytes(recorded.identity) == signed_card.device_key
    evidence_hash = bytes(recorded.evidence)
    assert evidence_hash != NO_EVIDENCE
    for oracle in oracles:
        file = oracle.http.get(f"/v1/evidence/{hexed(evidence_hash)}").content
        (evidence,) = read_evidence(file)
        card = identify(evidence, seed, MADE_IN, signed_card.root)
        assert (card.device_key, card.evidence_hash) == (signed_card.device_key, evidence_hash)
    assert oracles[0].get(f"/v1/devices/{hexed(certified.device)}")["is_certified"]
    oracles[0].get(f"/v1/evidence/{hexed(keccak(b'other'))}", status=404)


class _Recorded:
    """A card that is asked once for each nonce, as an agent asks it."""

    def __init__(self, card: SignedCard) -> None:
        self.device_key = card.device_key
        self._card = card
        self._answers: dict[bytes, Evidence] = {}

    def evidence(self, nonce: bytes) -> Evidence:
        return self._answers.setdefault(nonce, self._card.evidence(nonce))


def test_a_device_by_uuid_has_no_evidence(
    live: Live, timed: Timed, watch: Stopwatch, machine: Machine
) -> None:
    oracles = timed()
    begin(live, oracles)
    attest_on(Card(watch), machine, oracles)
    step_until(oracles, lambda: entry(live, machine).provider != 0)
    assert bytes(entry(live, machine).evidence) == NO_EVIDENCE
    assert not oracles[0].get(f"/v1/devices/{hexed(machine.device)}")["is_certified"]


def test_the_honest_card_is_accepted(
    oracle: Oracle, certified: Machine, signed_card: SignedCard
) -> None:
    verdict = answer_with(oracle, certified, signed_card.evidence)
    assert verdict["accepted"], verdict
    assert verdict["evidence"] is not None


@pytest.mark.parametrize(
    ("pretend", "reason"),
    [
        (lambda card, nonce: None, "no evidence came with the answer"),
        (lambda card, nonce: card.evidence(keccak(nonce)), "other nonce"),
        (lambda card, nonce: card.sibling().evidence(nonce), "it is the card 0x"),
        (lambda card, nonce: forge(nonce=nonce)[0], "unknown root"),
        (lambda card, nonce: _altered(card.evidence(nonce)), "forged report"),
    ],
    ids=["none", "recording", "another card", "another maker", "altered"],
)
def test_whoever_is_not_the_card_is_refused_for_good(
    oracle: Oracle,
    certified: Machine,
    signed_card: SignedCard,
    pretend: Callable[[SignedCard, bytes], Evidence | None],
    reason: str,
) -> None:
    verdict = answer_with(oracle, certified, lambda nonce: pretend(signed_card, nonce))
    assert not verdict["accepted"]
    assert "does not prove who it is" in verdict["reason"]
    assert reason in verdict["reason"]
    assert verdict["ops_per_second"] == 0
    # and what it says next does not count
    proof, _ = certified.prove(challenge(oracle, certified, "refused"))
    ack = {"commit": verdict["commit"], "secret": hexed(oracle_secret(oracle, certified))}
    assert not oracle.post("/v1/openings", certified.openings(proof, ack))["accepted"]


def _altered(evidence: Evidence) -> Evidence:
    report = bytearray(evidence.report)
    report[60] ^= 1
    return replace(evidence, report=bytes(report))


def oracle_secret(oracle: Oracle, machine: Machine) -> bytes:
    stored = oracle.node.store.commit_for(machine.device, 1)
    return oracle.node.store.challenge(machine.device, stored.message.seed).secret


def test_evidence_altered_on_the_way_decides_nothing(oracle: Oracle, certified: Machine) -> None:
    proof, body = certified.prove(challenge(oracle, certified))
    ack = oracle.post("/v1/commits", body)
    opened = certified.openings(proof, ack)
    report = bytearray.fromhex(opened["evidence"]["report"][2:])
    report[60] ^= 1
    for other in (
        opened | {"evidence": opened["evidence"] | {"report": hexed(bytes(report))}},
        opened | {"evidence": None},
    ):
        problem = oracle.post("/v1/openings", other, 401)
        assert "the open is signed by" in problem["title"]
    unreadable = opened | {"evidence": opened["evidence"] | {"chain": hexed(b"no certificates")}}
    assert "malformed chain" in oracle.post("/v1/openings", unreadable, 422)["title"]
    assert oracle.post("/v1/openings", opened)["accepted"]


def test_a_uuid_is_no_proven_key_afterwards(
    live: Live, timed: Timed, watch: Stopwatch, machine: Machine
) -> None:
    """Whoever proved no key when it was asked doesn't get the class of those that do."""
    live.send(live.deployer, "DeviceRegistry", "add_class", 1_500, 256, 100 * UNIT)
    best = live.read("DeviceRegistry", "class_count")
    oracles = timed(certified_classes=[best])
    begin(live, oracles)
    assert all(verdict["accepted"] for verdict in attest_on(Card(watch), machine, oracles))
    # of the same identity, and without the UUID that it is made of
    machine.hardware = {"uuid": "another", "name": "GH100"}
    for oracle in oracles:
        oracle.post("/v1/devices", machine.registration())
    step_until(oracles, lambda: entry(live, machine).provider != 0)
    assert entry(live, machine).device_class == 1


def test_an_identity_that_nobody_proves_enters_nothing(oracle: Oracle, machine: Machine) -> None:
    """Whoever knows the key of another's card can't keep it from being entered."""
    squatter = replace(machine, hardware={"uuid": "another", "name": "GH100"})
    verdict = answer_with(oracle, squatter, lambda nonce: None)
    assert not verdict["accepted"]


def test_one_card_can_not_be_live_with_two_providers(
    live: Live, timed: Timed, watch: Stopwatch, certified: Machine, signed_card: SignedCard
) -> None:
    oracles = timed()
    trust(oracles, signed_card)
    begin(live, oracles)
    certified.card = _Recorded(signed_card)  # type: ignore[assignment]
    attest_on(Card(watch), certified, oracles)
    step_until(oracles, lambda: entry(live, certified).provider != 0)

    twin = of_another_provider(certified)
    assert twin.identity == certified.identity
    assert twin.device != certified.device
    live.enter_epoch(2)
    begin(live, oracles, 2)
    # the card is what it says: it may have been sold, and the registry knows if it was
    assert all(verdict["accepted"] for verdict in attest_on(Card(watch), twin, oracles))
    step(oracles, 4)
    assert entry(live, twin).provider == 0
    assert entry(live, certified).provider == certified.provider


@pytest.mark.parametrize("owner", OWNERS)
def test_two_cards_do_not_share_a_key(
    live: Live, oracle: Oracle, certified: Machine, signed_card: SignedCard, owner: str
) -> None:
    """Firmware that hands out its attestation key makes one card of two burnt-in keys."""
    copy = signed_card.sibling(LEAF)
    assert copy.device_key != signed_card.device_key
    copied = owned_by(owner, replace(certified, card=copy))
    assert answer_with(oracle, certified, signed_card.evidence)["accepted"]
    for epoch in (1, 2):
        if epoch == 2:
            begin(live, [oracle], epoch)
        verdict = answer_with(oracle, copied, copy.evidence)
        assert not verdict["accepted"]
        assert f"the card {hexed(signed_card.device_key)} has its attestation" in verdict["reason"]
    # and the first keeps what it has
    assert answer_with(oracle, certified, signed_card.evidence)["accepted"]


def test_a_refused_answer_takes_no_key(
    oracle: Oracle, certified: Machine, signed_card: SignedCard
) -> None:
    """Showing another's report, which anybody has, takes nothing from its card."""
    thief = replace(certified, card=signed_card.sibling())
    assert not answer_with(oracle, thief, signed_card.evidence)["accepted"]
    assert answer_with(oracle, certified, signed_card.evidence)["accepted"]


def test_a_card_has_a_key_for_each_firmware(
    live: Live, oracle: Oracle, certified: Machine, signed_card: SignedCard
) -> None:
    updated = signed_card.sibling(DEVICE)
    assert updated.device_key == signed_card.device_key
    for epoch, firmware in enumerate((signed_card, updated, signed_card), start=1):
        if epoch > 1:
            begin(live, [oracle], epoch)
        assert answer_with(oracle, certified, firmware.evidence)["accepted"], epoch


def test_oracles_that_got_different_evidence_make_no_result(
    live: Live, timed: Timed, watch: Stopwatch, certified: Machine, signed_card: SignedCard
) -> None:
    oracles = timed()
    trust(oracles, signed_card)
    begin(live, oracles)
    # the card is asked anew for each oracle
    assert all(verdict["accepted"] for verdict in attest_on(Card(watch), certified, oracles))
    step(oracles, 6)
    assert entry(live, certified).provider == 0


def test_classes_for_certified_cards_take_no_others(
    live: Live, timed: Timed, machine: Machine, certified: Machine
) -> None:
    (oracle,) = timed(count=1, certified_classes=[1, 2])
    problem = oracle.post("/v1/devices", machine.registration(), 422)
    assert "prove who made them" in problem["title"]
    oracle.post("/v1/devices", certified.registration())
