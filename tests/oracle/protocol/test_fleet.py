"""Several devices at once, several oracles per device: median, renewal, expiry, modes."""

from collections.abc import Callable

import pytest

from oracle.domain.attestation import Dims, Mode, bytes_per_second, operations_per_second
from oracle.domain.proposals import DeviceProposal
from oracle.errors import Conflict
from tests.oracle.conftest import (
    DAY,
    DIMS,
    EPOCH_LENGTH,
    QUERIES,
    Live,
    Machine,
    Oracle,
    step,
    step_until,
)

from .conftest import (
    RATE,
    SECONDS,
    WINDOW_MS,
    Card,
    Stopwatch,
    attest_on,
    begin,
    challenge,
    entry,
    lanes_of,
    walk_of,
)

Timed = Callable[..., list[Oracle]]


def enter(live: Live, oracles: list[Oracle], machine: Machine, epoch: int) -> None:
    """Step until the registry has a result of an epoch."""
    step_until(
        oracles,
        lambda: live.read("DeviceRegistry", "attestation_epoch", machine.device) >= epoch,
    )


def test_devices_of_a_provider_share_one_beacon_and_one_deadline(
    live: Live, timed: Timed, watch: Stopwatch, machine: Machine
) -> None:
    oracles = timed()
    begin(live, oracles)
    machines = [Machine(live, machine.provider, f"card {i}") for i in range(3)]
    views = [challenge(oracles[0], one) for one in machines]
    assert len({view["seed"] for view in views}) == 3
    assert len({view["deadline_ms"] for view in views}) == 1

    # a card each: they work side by side, and the stopwatch moves once
    proofs = [one.prove(view) for one, view in zip(machines, views, strict=True)]
    watch.advance(SECONDS)
    for one, (proof, body) in zip(machines, proofs, strict=True):
        for oracle in oracles:
            challenge(oracle, one)
            ack = oracle.post("/v1/commits", body)
            assert oracle.post("/v1/openings", one.openings(proof, ack))["accepted"]
    for one in machines:
        enter(live, oracles, one, 1)
    found = {entry(live, one).ops_per_second for one in machines}
    assert len(found) == 1
    assert live.read("DeviceRegistry", "capacity", machine.provider, 1) == 3


def test_the_oracles_clocks_say_who_is_late_and_nothing_else(
    live: Live, timed: Timed, watch: Stopwatch, machine: Machine
) -> None:
    oracles = timed(lag=150)
    begin(live, oracles)
    verdicts = attest_on(Card(watch), machine, oracles)
    assert len({verdict["elapsed_ms"] for verdict in verdicts}) == 4
    shown = operations_per_second(DIMS, QUERIES, WINDOW_MS)
    assert {verdict["ops_per_second"] for verdict in verdicts} == {shown}
    # nobody is patient for ever, but all four have observed
    enter(live, oracles, machine, 1)
    assert entry(live, machine).ops_per_second == shown


# --- renewal ----------------------------------------------------------------------------------


def test_what_the_registry_says_already_is_not_said_again(
    live: Live, timed: Timed, watch: Stopwatch, machine: Machine
) -> None:
    oracles = timed(renewal_epochs=3)
    begin(live, oracles)
    card = Card(watch)
    attest_on(card, machine, oracles)
    enter(live, oracles, machine, 1)

    begin(live, oracles, 2)
    assert all(verdict["accepted"] for verdict in attest_on(card, machine, oracles))
    step(oracles, 4)
    assert live.read("DeviceRegistry", "attestation_epoch", machine.device) == 1

    # nor can its provider have it signed, to keep it for a worse day
    seen = (oracle.node.attest.observation(machine.device, 2) for oracle in oracles)
    proposal = DeviceProposal(machine.device, 2, tuple(seen))
    for oracle in oracles:
        with pytest.raises(Conflict, match="says the same"):
            oracle.node.record.endorse(proposal)


@pytest.mark.parametrize("change", [(1, 2), (3, 2)], ids=["less", "more"])
def test_a_device_that_claims_something_else_is_recorded_at_once(
    live: Live, timed: Timed, watch: Stopwatch, machine: Machine, change: tuple[int, int]
) -> None:
    unset = dict.fromkeys(("attestation_m", "attestation_n", "attestation_k", "attestation_rounds"))
    oracles = timed(**unset)
    # four rounds of the smallest chain
    claimed = machine.ops_per_second = RATE + 1
    begin(live, oracles)
    attest_on(Card(watch, 2 * RATE), machine, oracles)
    enter(live, oracles, machine, 1)
    before = entry(live, machine).ops_per_second

    begin(live, oracles, 2)
    share, whole = change
    machine.ops_per_second = claimed * share // whole
    attest_on(Card(watch, 2 * RATE), machine, oracles)
    enter(live, oracles, machine, 2)
    assert abs(entry(live, machine).ops_per_second * whole / (before * share) - 1) < 0.01


def test_how_fast_a_device_answers_within_the_window_says_nothing_new(
    live: Live, timed: Timed, watch: Stopwatch, machine: Machine
) -> None:
    oracles = timed(renewal_epochs=3)
    begin(live, oracles)
    attest_on(Card(watch), machine, oracles)
    enter(live, oracles, machine, 1)

    begin(live, oracles, 2)
    attest_on(Card(watch, RATE * 7 // 10), machine, oracles)
    step(oracles, 4)
    assert live.read("DeviceRegistry", "attestation_epoch", machine.device) == 1


def test_an_entry_is_renewed_before_it_ends(
    live: Live, timed: Timed, watch: Stopwatch, machine: Machine
) -> None:
    oracles = timed(renewal_epochs=3)
    begin(live, oracles)
    card = Card(watch)
    attest_on(card, machine, oracles)
    enter(live, oracles, machine, 1)
    end = entry(live, machine).attested_until

    renewing = oracles[0].node.market.epoch_at(end) - 2
    begin(live, oracles, renewing)
    attest_on(card, machine, oracles)
    enter(live, oracles, machine, renewing)
    assert entry(live, machine).attested_until > end
    assert end > live.chain.timestamp()


def test_an_expired_device_is_entered_again(
    live: Live, timed: Timed, watch: Stopwatch, machine: Machine
) -> None:
    oracles = timed()
    begin(live, oracles)
    card = Card(watch)
    attest_on(card, machine, oracles)
    enter(live, oracles, machine, 1)

    live.mine(1, DAY)
    live.send(live.customer, "DeviceRegistry", "expire", machine.device)
    assert live.read("DeviceRegistry", "capacity", machine.provider, 1) == 0
    epoch = 2 + DAY // EPOCH_LENGTH
    begin(live, oracles, epoch)
    attest_on(card, machine, oracles)
    enter(live, oracles, machine, epoch)
    assert live.read("DeviceRegistry", "capacity", machine.provider, 1) == 1


# --- plans ------------------------------------------------------------------------------------


def test_every_oracle_plans_the_same_challenge(live: Live, timed: Timed, machine: Machine) -> None:
    unset = dict.fromkeys(("attestation_m", "attestation_n", "attestation_k", "attestation_rounds"))
    oracles = timed(**unset)
    begin(live, oracles)
    machine.ops_per_second = 3 * 10**6  # the smallest chains, so that it is computed here too
    shapes = {
        tuple(challenge(oracle, machine)[name] for name in ("mode", "m", "n", "k", "rounds"))
        for oracle in oracles
    }
    assert len(shapes) == 1
    verdicts = attest_on(Card(Stopwatch()), machine, oracles)
    assert all(verdict["accepted"] for verdict in verdicts)

    machine.uuid, machine.ops_per_second = "faster", 3 * 10**9
    (faster,) = {
        tuple(challenge(oracle, machine)[name] for name in ("m", "n", "k", "rounds"))
        for oracle in oracles
    }
    (slower,) = shapes
    assert Dims(*faster).operations > 100 * Dims(*slower[1:]).operations


def test_a_claim_that_changes_in_mid_epoch_changes_no_challenge(
    live: Live, timed: Timed, machine: Machine
) -> None:
    unset = dict.fromkeys(("attestation_m", "attestation_n", "attestation_k", "attestation_rounds"))
    (oracle,) = timed(count=1, **unset)
    begin(live, [oracle])
    before = challenge(oracle, machine)
    machine.ops_per_second *= 1_000
    after = challenge(oracle, machine)
    assert after | {"remaining_ms": 0} == before | {"remaining_ms": 0}


# --- modes ------------------------------------------------------------------------------------


def test_a_device_is_reported_once_it_has_shown_everything(
    live: Live, timed: Timed, watch: Stopwatch, machine: Machine
) -> None:
    modes = ["throughput", "bandwidth", "residency"]
    oracles = timed(attestation_modes=modes)
    card = Card(watch)

    begin(live, oracles, 3)
    assert challenge(oracles[0], machine)["mode"] == Mode.THROUGHPUT
    assert all(verdict["accepted"] for verdict in attest_on(card, machine, oracles))
    step(oracles, 2)
    assert entry(live, machine).provider == 0  # bandwidth and residency are missing

    begin(live, oracles, 4)
    view = challenge(oracles[0], machine)
    assert (view["mode"], view["m"]) == (Mode.BANDWIDTH, 16)
    verdicts = attest_on(card, machine, oracles)
    assert all(verdict["accepted"] for verdict in verdicts)
    assert {verdict["ops_per_second"] for verdict in verdicts} == {0}
    assert verdicts[0]["bytes_per_second"] == bytes_per_second(
        Dims(16, DIMS.n, DIMS.k, DIMS.rounds), QUERIES, WINDOW_MS
    )

    begin(live, oracles, 5)
    proof, body = walk_of(machine, challenge(oracles[0], machine))
    watch.advance(5)
    for oracle in oracles:
        challenge(oracle, machine)
        ack = oracle.post("/v1/walks", body)
        verdict = oracle.post("/v1/walks/openings", lanes_of(machine, proof, ack))
        assert verdict["accepted"], verdict
    assert oracles[0].get("/v1/walks")[0]["walk"] == body
    assert [one["commit"]["epoch"] for one in oracles[0].get("/v1/commits")] == [3, 4]

    begin(live, oracles, 6)
    attest_on(card, machine, oracles)
    enter(live, oracles, machine, 6)
    assert entry(live, machine).ops_per_second > 0
