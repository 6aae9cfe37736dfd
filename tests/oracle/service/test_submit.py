"""The outbox: one effect on chain, however often the process dies or the chain forgets."""

import time
from collections.abc import Callable

import pytest

from oracle.domain.records import SubmissionState
from oracle.errors import Transient
from oracle.services.submit import PATIENCE, Goal, Outbox
from tests.oracle.conftest import Live, Oracle

EPOCH = 1
NAME = f"beacon/{EPOCH}"


class PowerCut(BaseException):
    """The process is gone: nothing after this point runs."""


@pytest.fixture
def oracle(live: Live, make_oracle: Callable[..., Oracle]) -> Oracle:
    live.enter_epoch(EPOCH)
    made = make_oracle(live.oracles[0])
    made.node.market.follow()
    want_beacon(made.node.outbox)
    return made


def want_beacon(outbox: Outbox) -> None:
    outbox.want(NAME, "EpochLedger", "record_beacon", [], Goal.beacon(EPOCH))


def state(oracle: Oracle) -> SubmissionState | None:
    return oracle.node.store.submission_state(NAME)


def nonce(live: Live) -> int:
    return live.w3.eth.get_transaction_count(live.oracles[0].address)


def test_submission_goes_from_queue_to_final(oracle: Oracle, live: Live) -> None:
    assert state(oracle) is SubmissionState.QUEUED
    oracle.node.outbox.tick()
    assert state(oracle) is SubmissionState.SENT
    live.mine()
    oracle.node.outbox.tick()
    assert state(oracle) is SubmissionState.MINED
    live.mine(4)
    oracle.node.outbox.tick()
    assert state(oracle) is SubmissionState.FINAL
    assert any(live.read("EpochLedger", "beacon", EPOCH))


def test_wanting_twice_sends_once(oracle: Oracle, live: Live) -> None:
    before = nonce(live)
    for _ in range(3):
        want_beacon(oracle.node.outbox)
        oracle.node.outbox.tick()
        live.mine()
    assert nonce(live) == before + 1


def test_goal_reached_by_another_costs_nothing(oracle: Oracle, live: Live) -> None:
    live.send(live.deployer, "EpochLedger", "record_beacon")
    before = nonce(live)
    oracle.node.outbox.tick()
    assert state(oracle) is SubmissionState.MINED
    assert nonce(live) == before


def test_refused_by_the_contracts_is_not_sent(oracle: Oracle, live: Live) -> None:
    before = nonce(live)
    outbox = oracle.node.outbox
    outbox.want("press/9", "EmissionsController", "press", [0], Goal.pressed(9))
    outbox.tick()
    live.mine()
    assert oracle.node.store.submission_state("press/9") is SubmissionState.REFUSED
    assert nonce(live) == before + 1  # the beacon
    # wanted again, it is tried again
    outbox.want("press/9", "EmissionsController", "press", [2], Goal.pressed(0))
    outbox.tick()
    assert oracle.node.store.submission_state("press/9") is SubmissionState.SENT


def test_death_between_storing_and_sending(
    oracle: Oracle, live: Live, make_oracle: Callable[..., Oracle], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(place: str) -> None:
        if place == "stored-not-sent":
            raise PowerCut

    before = nonce(live)
    monkeypatch.setattr("oracle.services.submit.reach", cut)
    with pytest.raises(PowerCut):
        oracle.node.outbox.tick()
    monkeypatch.undo()
    assert nonce(live) == before
    # a new process on the same database
    reborn = make_oracle(live.oracles[0])
    reborn.node.outbox.tick()
    live.mine()
    reborn.node.outbox.tick()
    assert state(reborn) is SubmissionState.MINED
    assert nonce(live) == before + 1


def test_answer_to_a_broadcast_is_lost(
    oracle: Oracle, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = oracle.node.outbox._sender
    assert sender is not None
    really_broadcast = sender.broadcast

    def lose(raw: bytes) -> None:
        really_broadcast(raw)
        raise Transient("no answer", "")

    monkeypatch.setattr(sender, "broadcast", lose)
    before = nonce(live)
    oracle.node.outbox.tick()
    live.mine()
    oracle.node.outbox.tick()
    assert state(oracle) is SubmissionState.MINED
    assert nonce(live) == before + 1


def test_receipt_ahead_of_the_state_decides_nothing(
    oracle: Oracle, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = live.chain.head()
    oracle.node.outbox.tick()
    live.mine()
    # one endpoint knows the receipt, the other is a block behind
    monkeypatch.setattr(oracle.node.chain, "head", lambda: behind)
    oracle.node.outbox.tick()
    assert state(oracle) is SubmissionState.SENT
    monkeypatch.undo()
    oracle.node.outbox.tick()
    assert state(oracle) is SubmissionState.MINED


def test_reorganisation_brings_it_back(oracle: Oracle, live: Live) -> None:
    # the chain goes back to a block of this test: anvil drops the state of much older ones
    live.mine(3)
    oracle.node.outbox.tick()
    live.mine()
    oracle.node.outbox.tick()
    assert state(oracle) is SubmissionState.MINED
    live.w3.provider.make_request("anvil_reorg", [3, []])  # type: ignore[arg-type]
    assert not any(live.read("EpochLedger", "beacon", EPOCH))
    for _ in range(3):
        oracle.node.outbox.tick()
        live.mine()
    assert any(live.read("EpochLedger", "beacon", EPOCH))
    assert state(oracle) is SubmissionState.MINED


def test_stuck_transaction_is_replaced_at_its_nonce(
    oracle: Oracle, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = live.w3.provider.make_request
    request("evm_setAutomine", [False])  # type: ignore[arg-type]
    try:
        oracle.node.outbox.tick()
        (submission,) = oracle.node.store.open_submissions()
        (first,) = oracle.node.store.attempts(submission)
        later = time.time() + PATIENCE + 1
        monkeypatch.setattr("oracle.services.submit.time.time", lambda: later)
        oracle.node.outbox.tick()
        old, new = oracle.node.store.attempts(submission)
        assert old == first
        assert new.nonce == old.nonce
        assert new.max_fee * 10_000 >= old.max_fee * 11_250
        assert new.priority_fee * 10_000 >= old.priority_fee * 11_250
    finally:
        request("evm_setAutomine", [True])  # type: ignore[arg-type]
    live.mine()
    oracle.node.outbox.tick()
    assert state(oracle) is SubmissionState.MINED


def test_fee_cap_is_final(
    live: Live, make_oracle: Callable[..., Oracle], monkeypatch: pytest.MonkeyPatch
) -> None:
    live.enter_epoch(EPOCH)
    oracle = make_oracle(live.oracles[0], "capped", max_fee_gwei=3)
    oracle.node.market.follow()
    want_beacon(oracle.node.outbox)
    request = live.w3.provider.make_request
    request("evm_setAutomine", [False])  # type: ignore[arg-type]
    try:
        oracle.node.outbox.tick()
        for patience in range(1, 20):
            later = time.time() + patience * (PATIENCE + 1)
            monkeypatch.setattr("oracle.services.submit.time.time", lambda later=later: later)
            oracle.node.outbox.tick()
        (submission,) = oracle.node.store.open_submissions()
        attempts = oracle.node.store.attempts(submission)
        assert max(attempt.max_fee for attempt in attempts) <= 3 * 10**9
        assert state(oracle) is SubmissionState.SENT
    finally:
        request("evm_setAutomine", [True])  # type: ignore[arg-type]


def test_dry_outbox_sends_nothing(live: Live, make_oracle: Callable[..., Oracle]) -> None:
    live.enter_epoch(EPOCH)
    dry = make_oracle(None, "dry")
    want_beacon(dry.node.outbox)
    dry.node.outbox.tick()
    assert state(dry) is SubmissionState.QUEUED
