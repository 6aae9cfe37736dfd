"""kill -9 of an oracle between signing and submitting: same root, one payment, nothing lost."""

from typing import Any

import httpx
import pytest

from oracle.domain.receipts import JobStatus
from tests.integration.service.conftest import OracleProcess, eventually

WORKED_S = 5


@pytest.mark.parametrize(
    "place",
    [
        "after-quorum",
        pytest.param("after-intent", marks=pytest.mark.slow),
        pytest.param("stored-not-sent", marks=pytest.mark.slow),
    ],
)
def test_a_killed_oracle_loses_nothing_and_says_nothing_twice(
    live: Any, machine: Any, processes: list[OracleProcess], place: str
) -> None:
    # the first to lead epoch 0's report
    leader = live.read("OracleCommittee", "members")[0]
    number = [key.address for key in live.oracles].index(leader)
    victim, survivors = processes[number], processes[:number] + processes[number + 1 :]
    for one in processes:
        one.start(crash_at=place if one is victim else "")
    for one in survivors:
        eventually("an oracle's health", one.healthy)

    _attest(live, machine, survivors)
    job = live.open_job(machine.provider)
    eventually("that oracles know the job", lambda: _all_take(survivors, machine, job, 1, 3))
    _beat(survivors, machine)
    seconds = WORKED_S
    live.mine(seconds=seconds + 1)
    eventually("time for the job", lambda: _age(live, job) >= seconds + 1)
    _beat(survivors, machine)
    assert _all_take(survivors, machine, job, seconds, JobStatus.COMPLETED)

    # three of four are enough, whether the first died already or not
    eventually("settlement", lambda: _job(live, job).status == JobStatus.COMPLETED)
    assert _job(live, job).settled == seconds
    live.enter_epoch(1)
    eventually("the crash", victim.was_killed)

    victim.start()
    eventually("the health of the oracle that came back", victim.healthy)
    live.enter_epoch(2)
    eventually("a word of the oracle that came back", lambda: _signs_again(live, leader, victim))
    assert _job(live, job).settled == seconds
    _no_two_truths(processes)


def _attest(live: Any, machine: Any, oracles: list[OracleProcess]) -> None:
    """Take the machine through one epoch's challenge with all oracles that are up."""
    for one in oracles:
        one.post("/v1/devices", machine.registration())
    eventually("an accepted commit at every oracle", lambda: _commit(machine, oracles))
    eventually(
        "the registry's entry",
        lambda: live.read("DeviceRegistry", "device_info", machine.device).attested_until,
    )


def _commit(machine: Any, oracles: list[OracleProcess]) -> bool:
    """Answer the challenge of one epoch everywhere; False if the epoch ended meanwhile."""
    path = f"/v1/devices/0x{machine.device.hex()}/challenge"
    challenges = [one.get(path) for one in oracles]
    if any(challenge["state"] != "open" for challenge in challenges):
        return False
    proof, commit = machine.prove(challenges[0])
    try:
        acks = [one.post("/v1/commits", commit) for one in oracles]
    except httpx.HTTPStatusError as error:
        if error.response.status_code != httpx.codes.CONFLICT:
            raise
        return False
    verdicts = [
        one.post("/v1/openings", machine.openings(proof, ack))
        for one, ack in zip(oracles, acks, strict=True)
    ]
    return all(verdict["accepted"] for verdict in verdicts)


def _beat(oracles: list[OracleProcess], machine: Any) -> None:
    beat = machine.heartbeat()
    for one in oracles:
        assert one.post("/v1/heartbeats", [beat])[0]["state"] == "stored"


def _all_take(
    oracles: list[OracleProcess], machine: Any, job: int, seconds: int, status: int
) -> bool:
    sample = machine.usage(job, seconds, status)
    states = [one.post("/v1/usage", [sample])[0]["state"] for one in oracles]
    return all(state in ("stored", "duplicate") for state in states)


def _job(live: Any, job: int) -> Any:
    return live.read("JobRegistry", "job_info", job)


def _age(live: Any, job: int) -> int:
    return int(live.chain.timestamp() - _job(live, job).accepted_at)


def _signs_again(live: Any, identity: str, oracle: OracleProcess) -> bool:
    """Whether an oracle has signed the newest epoch report."""
    last, posted = live.read("EpochLedger", "last_epoch")
    ledger = live.deployment.address("EpochLedger")
    return posted and any(
        (view["consumer"], view["round"], view["oracle"]) == (ledger, last, identity)
        for view in oracle.get("/v1/statements?after=0")
    )


def _no_two_truths(oracles: list[OracleProcess]) -> None:
    """Nobody ever signed two payloads for one report, by all that anybody has seen."""
    said: dict[tuple[Any, ...], str] = {}
    for one in oracles:
        for view in one.get("/v1/statements?after=0"):
            key = tuple(view[k] for k in ("config", "consumer", "subject", "round", "oracle"))
            assert said.setdefault(key, view["payload"]) == view["payload"]
    assert said
