"""Subnets in epoch reports of real oracles: paid by consensus, adopted, shown, replayed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import astuple, replace
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from oracle.adapters.chain.history import Posted
from oracle.adapters.report_client import ReportClient
from oracle.cli import epoch as command
from oracle.domain.leaves import EpochLeaves, decode
from oracle.errors import BadInput, Conflict, NotFound
from oracle.services.replay import FROM_FILE, Replay
from tests.oracle.commands import reads
from tests.oracle.conftest import ACTIVATION_DELAY, Live, Machine, Oracle, enter, step, step_until

from .conftest import Scene

HALF = 5_000


@pytest.fixture
def reported(
    live: Live, oracles: list[Oracle], machine: Machine, scene: Scene
) -> tuple[Scene, int]:
    """The scene after its first epoch that pays by a row of weights, which is reported."""
    live.enter_epoch(1)
    step(oracles)
    enter(machine, oracles)
    for key, provider in scene.validators.items():
        scene.client(key).vote(provider, {0: HALF, scene.subnet: HALF})
        assert scene.validator(key).step(scene.subnet).done == "committed"
    # epoch 1 gives permits, epoch 2 counts them
    close(live, oracles, 1)
    # what nobody earned before comes back, and the next budget is minted out of it
    step_until(oracles, lambda: live.read("EmissionsController", "reclaimed") > 0)
    for key in scene.validators:
        assert scene.validator(key).step(scene.subnet).done == "revealed"
    close(live, oracles, 2)
    return scene, 2


def close(live: Live, oracles: list[Oracle], epoch: int) -> None:
    live.enter_epoch(epoch + 1)
    step_until(oracles, lambda: live.read("EpochLedger", "last_epoch")[0] >= epoch)


def test_owner_miner_and_validators_are_paid(
    reported: tuple[Scene, int], oracles: list[Oracle], live: Live
):
    scene, epoch = reported
    found = oracles[0].get(f"/v1/epochs/{epoch}/summary")
    at_large, line = found["subnets"]
    assert line["subnet"] == scene.subnet
    assert int(line["miners"]) > 0
    assert int(line["validators"]) > 0
    # 18 % of what the oracles leave
    net = int(line["share"]) - int(line["oracles"])
    assert abs(int(line["owner"]) - net * 18 // 100) <= net // 10_000
    assert int(at_large["miners"]) > 0
    shares = sum(int(each["share"]) for each in found["subnets"])
    cut = sum(int(amount) for reason, amount in found["reclaimed"].items() if reason != "1")
    assert shares + cut == int(found["released"])
    assert 0 <= int(found["minted"]) <= int(found["released"])
    assert int(found["net"]) == int(found["minted"]) - int(found["burnt_for_credits"])
    earners = {(one["kind"], one["key"]) for one in found["earners"]}
    assert (2, scene.owner.address.lower()) in earners
    assert {(1, str(provider)) for provider in scene.validators.values()} <= earners


def test_the_outcome_is_adopted_once_it_is_active(
    reported: tuple[Scene, int], oracles: list[Oracle], live: Live
):
    scene, epoch = reported
    assert live.read("SubnetRegistry", "outcome_epoch", scene.subnet) != [epoch, True]
    live.mine(1, ACTIVATION_DELAY)
    step_until(
        oracles, lambda: live.read("SubnetRegistry", "outcome_epoch", scene.subnet) == [epoch, True]
    )
    # nobody is immune any more; the validators earn as well, so all three are named
    assert sorted(live.read("SubnetRegistry", "leaving", scene.subnet)) == [0, 1, 2]


def test_an_outcome_can_be_adopted_by_anyone(
    reported: tuple[Scene, int], oracles: list[Oracle], live: Live
):
    scene, epoch = reported
    live.mine(1, ACTIVATION_DELAY)
    oracles[0].look()
    proof = oracles[0].get(f"/v1/proofs/7/0x{scene.subnet:064x}")
    sent = live.w3.eth.send_transaction(
        {"from": live.customer.address, "to": proof["to"], "data": proof["calldata"]}
    )
    assert live.w3.eth.wait_for_transaction_receipt(sent)["status"] == 1
    assert live.read("SubnetRegistry", "outcome_epoch", scene.subnet) == [epoch, True]


def test_an_epoch_without_report_is_not_found(oracles: list[Oracle], live: Live):
    close(live, oracles, 0)
    oracles[0].get("/v1/epochs/1/summary", 404)
    oracles[0].get("/v1/epochs/-1/summary", 422)
    oracles[0].get("/v1/epochs/0/summary?top=501", 422)


# --- replay -------------------------------------------------------------------------------------


def fetching(oracle: Oracle) -> Callable[[Posted], bytes | None]:
    return lambda posted: oracle.node.close_epoch.leaf_file(posted.report_hash)


def test_reports_that_are_right(reported: tuple[Scene, int], oracles: list[Oracle], live: Live):
    from_files = fetching(oracles[0])
    found = list(Replay(live.chain, from_files).run())
    assert [one.posted.to_epoch for one in found][-1] == reported[1]
    assert all(one.wrong == one.unchecked == () for one in found)
    # without leaf files what the chain alone decides is checked
    alone = list(Replay(live.chain, lambda _: None).run())
    assert all(one.wrong == () and one.unchecked == FROM_FILE for one in alone)
    # from a block on, it needs what the report before carries
    last = found[-1].posted
    (again,) = Replay(live.chain, from_files).run(last.block)
    assert (again.posted, again.wrong) == (last, ())
    with pytest.raises(NotFound, match="no leaf file"):
        list(Replay(live.chain, lambda _: None).run(last.block))
    with pytest.raises(BadInput, match="not the posted one"):
        list(Replay(live.chain, lambda posted: from_files(posted)[:-1]).run())  # type: ignore[index]


@pytest.fixture
def forged(reported: tuple[Scene, int], oracles: list[Oracle], live: Live) -> EpochLeaves:
    """Leaves with a unit more for one provider, in a report that a quorum signed and posted."""
    live.enter_epoch(4)
    live.send(live.customer, "EmissionsController", "press", 64)
    honest = oracles[0].node.close_epoch._rebuild(3, ())
    file = decode(oracles[0].node.close_epoch.leaf_file(honest.struct_hash()))
    first, *rest = file.rewards
    leaves = replace(file, rewards=(replace(first, value=first.value + 1), *rest))
    report = leaves.report(honest.previous, honest.rules_version)
    disabled = live.read("EpochLedger", "disabled_count").to_bytes(32, "big")
    signed = live.committee_signs("EpochLedger", disabled, report.to_epoch, report.struct_hash())
    live.send(live.customer, "EpochLedger", "post_epoch", astuple(report), signed)
    return leaves


def test_a_false_report_is_found(
    forged: EpochLeaves, oracles: list[Oracle], live: Live, anvil_url: str
):
    *before, last = Replay(live.chain, lambda _: None).run()
    assert all(one.wrong == () for one in before)
    assert last.wrong == ("reward_root", "cumulative_rewards")
    # the file that the report names, which some oracle has, is as false
    from_files = fetching(oracles[0])

    def fetch(posted: Posted) -> bytes | None:
        return forged.file if posted.to_epoch == forged.to_epoch else from_files(posted)

    *_, last = Replay(live.chain, fetch).run()
    assert (last.wrong, last.unchecked) == (("reward_root", "cumulative_rewards", "data_hash"), ())

    # and so it is told to people and to scripts
    asked = ["replay", *reads(live, anvil_url)]
    told = subprocess.run(
        [sys.executable, "-m", "oracle", "epoch", *asked],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "200"},
    )
    assert told.returncode == BadInput.exit_code == 2
    assert "wrong: reward_root, cumulative_rewards" in told.stdout
    assert told.stdout.count("right") == len(before)
    assert (
        f"error: the report up to epoch {forged.to_epoch} is not what the chain says: "
        "reward_root, cumulative_rewards"
    ) in told.stderr
    assert "guardian" in told.stderr
    listed = CliRunner().invoke(command.app, [*asked, "--json"])
    assert isinstance(listed.exception, Conflict)
    *_, answer = json.loads(listed.stdout)
    assert (answer["to_epoch"], answer["right"]) == (forged.to_epoch, False)
    assert answer["wrong"] == ["reward_root", "cumulative_rewards"]
    assert answer["unchecked"] == list(FROM_FILE)


# --- the command line ---------------------------------------------------------------------------


@pytest.fixture
def cli(
    oracles: list[Oracle], live: Live, anvil_url: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    def answer(request: httpx.Request) -> httpx.Response:
        found = oracles[0].http.get(request.url.raw_path.decode())
        return httpx.Response(found.status_code, content=found.content, headers=found.headers)

    monkeypatch.setattr(
        command, "ReportClient", lambda url: ReportClient(url, httpx.MockTransport(answer))
    )

    def run(*arguments: str) -> Any:
        more = reads(live, anvil_url) if arguments[0] == "replay" else []
        return CliRunner().invoke(command.app, [*arguments, *more, "--oracle", "http://oracle"])

    return run


def test_show_and_replay(reported: tuple[Scene, int], cli: Callable[..., Any]):
    scene, epoch = reported
    shown = cli("show", str(epoch))
    assert shown.exit_code == 0, shown.output
    for text in (
        f"Epoch {epoch}",
        "WORK minted",
        "at large",
        f"subnet {scene.subnet}",
        "Not paid out",
    ):
        assert text in shown.output
    answer = json.loads(cli("show", str(epoch), "--top", "1", "--json").output)
    assert len(answer["earners"]) == 1
    assert isinstance(cli("show", "99").exception, NotFound)

    replayed = cli("replay")
    assert replayed.exit_code == 0, replayed.output
    assert "right" in replayed.output
    answer = json.loads(cli("replay", "--json").stdout)
    assert all(one["right"] for one in answer)
    assert answer[-1]["to_epoch"] == epoch
