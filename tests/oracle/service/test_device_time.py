"""Device time from the registry to the budget: oracles sign it, one posts it, a press pays."""

import json
from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from oracle.adapters.chain.client import Chain
from oracle.adapters.chain.deployment import Deployment
from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.domain.demand import ClassTime, hash_classes
from oracle.domain.device_time import (
    SUBJECT,
    DeviceTimeObservation,
    DeviceTimeProposal,
    observation_message,
)
from oracle.domain.hashing import keccak
from oracle.domain.messages import DeviceTime, Domain
from oracle.errors import BadInput, Conflict, NotFound, Transient, Unauthorized
from tests.oracle.conftest import (
    EPOCH_LENGTH,
    UNIT,
    Live,
    Machine,
    Oracle,
    admit,
    step,
    step_until,
)

POLICY = "DemandPolicy"
CONTROLLER = "EmissionsController"
WAIT = 3
# a hundred devices of class 1 at 6 USD an hour, which is 10 cents an epoch
USD_PER_HOUR = 6 * UNIT


@pytest.fixture
def live(live: Live, tmp_path: Path) -> Live:
    """The market with a supply policy in office."""
    from scripts._project import abi_of, container

    address = live.deployment.address
    rule = (10, 5_000, 100, 8, 20)
    factory = live.w3.eth.contract(
        abi=abi_of(POLICY),
        bytecode=container(POLICY).contract_type.deployment_bytecode.bytecode,
    )
    controller, committee, prices = map(address, (CONTROLLER, "OracleCommittee", "Prices"))
    call = factory.constructor(controller, committee, prices, rule, WAIT, 2, 0)
    sent = call.transact({"from": live.deployer.address})
    receipt = live.w3.eth.wait_for_transaction_receipt(sent)
    created, block = receipt["contractAddress"], receipt["blockNumber"]
    record = json.loads(live.deployment_file.read_text())
    record["contracts"][POLICY] = {"address": created, "block": block}
    path = tmp_path / "31337.json"
    path.write_text(json.dumps(record))
    deployment = Deployment.load(path)
    urls = [str(live.w3.provider.endpoint_uri)]  # type: ignore[attr-defined]
    chain = Chain(urls, deployment).connect()
    with_policy = replace(live, deployment_file=path, deployment=deployment, chain=chain)
    deployer = with_policy.deployer
    with_policy.send(deployer, POLICY, "set_target", 1, (USD_PER_HOUR, 100))
    with_policy.send(deployer, CONTROLLER, "set_role", keccak(b"POLICY"), created)
    return with_policy


def posted(live: Live, epoch: int) -> bool:
    return any(live.read(POLICY, "posted", epoch))


def close(live: Live, oracles: list[Oracle], epoch: int) -> None:
    """End an epoch and let the oracles post its figures."""
    live.enter_epoch(epoch + 1)
    step_until(oracles, lambda: posted(live, epoch))


def beat(live: Live, oracles: Sequence[Oracle], machine: Machine, seconds: int) -> None:
    """Let chain time pass with a heartbeat every ten seconds."""
    for _ in range(seconds // 10):
        body = machine.heartbeat()
        for oracle in oracles:
            oracle.look()
            oracle.post("/v1/heartbeats", [body])
        live.mine(1, 10)


def figures(live: Live, epoch: int) -> list[ClassTime]:
    """What the transaction that posted an epoch's figures says."""
    (log,) = live.chain.logs(POLICY, "DeviceTimePosted", epoch=epoch)
    sent = live.chain.transaction(bytes(log["transactionHash"]))
    _, arguments = live.chain.contract(POLICY).decode_function_input(sent["input"])
    return [ClassTime(*each.values()) for each in arguments["classes"]]


@pytest.fixture
def entered(live: Live, oracles: list[Oracle], machine: Machine) -> Machine:
    """A device that was attested in epoch 1 and is heard of by all oracles in epoch 2."""
    live.enter_epoch(1)
    step(oracles)
    admit(machine, oracles)
    live.enter_epoch(2)
    beat(live, oracles, machine, EPOCH_LENGTH)
    return machine


def observed(
    live: Live, number: int, epoch: int, classes: Sequence[ClassTime]
) -> DeviceTimeObservation:
    """What a member signs, true or not."""
    key = live.oracles[number]
    config = bytes(live.read("OracleCommittee", "config_digest"))
    message = observation_message(config, epoch, classes)
    signature = live.sign(key, message, "OracleCommittee")
    return DeviceTimeObservation(epoch, tuple(classes), key.address, signature)


# --- the whole way ------------------------------------------------------------------------


def test_a_press_pays_what_the_committee_signed(
    live: Live, oracles: list[Oracle], entered: Machine
) -> None:
    close(live, oracles, 2)
    (time,) = figures(live, 2)
    assert (time.device_class, time.device_seconds) == (1, EPOCH_LENGTH)
    assert 9_000 <= time.availability_bps <= 10_000
    owed = USD_PER_HOUR * EPOCH_LENGTH * time.availability_bps // (3_600 * 10_000)
    assert live.read(POLICY, "owed_usd", 2) in (owed, 0)

    read = live.read
    step_until(oracles, lambda: read(CONTROLLER, "next_epoch") > 2)
    live.enter_epoch(4)
    step_until(oracles, lambda: read(CONTROLLER, "next_epoch") > 3)
    paid = [log["args"] for log in live.chain.logs(POLICY, "Paid")]
    assert owed in {each["owed_usd"] for each in paid}
    # half a USD for a token
    assert {each["owed"] for each in paid if each["owed_usd"] == owed} == {2 * owed}
    released = [log["args"]["released"] for log in live.chain.logs(CONTROLLER, "BudgetSplit")]
    assert sum(released) == sum(each["from_allowance"] for each in paid)
    # nobody paid fees for the part that follows them
    assert 0 < read(CONTROLLER, "cumulative_budget", 3) < sum(released)


def test_no_devices_are_figures_too(live: Live, oracles: list[Oracle]) -> None:
    close(live, oracles, 0)
    assert figures(live, 0) == []
    assert live.read(POLICY, "owed_usd", 0) == 0


def test_a_device_that_came_within_an_epoch_counts_from_then_on(
    live: Live, oracles: list[Oracle], machine: Machine
) -> None:
    live.enter_epoch(1)
    step(oracles)
    admit(machine, oracles)
    since = live.read("DeviceRegistry", "device_info", machine.device)[4] - live.read(
        "DeviceRegistry", "ATTESTATION_PERIOD"
    )
    close(live, oracles, 1)
    end = live.read("EpochLedger", "GENESIS") + 2 * EPOCH_LENGTH
    # nobody has heard of it
    assert figures(live, 1) == [ClassTime(1, end - since, 0)]


@pytest.fixture
def honest(live: Live, oracles: list[Oracle], entered: Machine) -> list[DeviceTimeObservation]:
    """What three oracles have of epoch 2, which is over."""
    live.enter_epoch(3)
    for oracle in oracles:
        oracle.look()
    return [oracle.node.device_times.observation(2) for oracle in oracles[:3]]


def test_a_silent_leader_s_proposal_is_adopted(
    live: Live, oracles: list[Oracle], honest: list[DeviceTimeObservation]
) -> None:
    """A member that has signed with others' observations stays with them, whoever leads."""
    low = [replace(each, availability_bps=1) for each in honest[0].classes]
    seen = tuple(observed(live, number, 2, low) for number in range(3))
    for oracle in oracles[:3]:
        oracle.node.device_times.endorse(DeviceTimeProposal(2, seen))
    step_until(oracles, lambda: posted(live, 2))
    assert figures(live, 2) == low


def test_nobody_can_raise_the_median_alone(
    live: Live, oracles: list[Oracle], honest: list[DeviceTimeObservation]
) -> None:
    own = honest[0].classes
    most = [replace(each, availability_bps=10_000) for each in own]
    proposal = DeviceTimeProposal(2, (*honest[:2], observed(live, 3, 2, most)))
    signed = oracles[0].node.device_times.endorse(proposal)
    assert signed.report.payload == DeviceTime(2, hash_classes(own)).struct_hash()


# --- what nobody signs --------------------------------------------------------------------


def test_other_live_time_than_the_chain_s(
    live: Live, oracles: list[Oracle], honest: list[DeviceTimeObservation]
) -> None:
    times = oracles[3].node.device_times
    (own,) = honest[0].classes
    for wrong in ([], [replace(own, device_seconds=own.device_seconds + 1)], [own, own]):
        seen = observed(live, 0, 2, wrong)
        with pytest.raises(BadInput, match="other live time"):
            times.endorse(DeviceTimeProposal(2, (seen, *honest[1:])))


def test_wrong_signers(
    live: Live, oracles: list[Oracle], honest: list[DeviceTimeObservation]
) -> None:
    times = oracles[3].node.device_times
    stolen = replace(honest[0], oracle=live.oracles[3].address)
    with pytest.raises(Unauthorized):
        times.endorse(DeviceTimeProposal(2, (stolen, *honest[1:])))
    with pytest.raises(BadInput, match="2 oracles observed, 3 must"):
        times.endorse(DeviceTimeProposal(2, (honest[0], honest[0], honest[1])))
    with pytest.raises(BadInput, match="0 oracles observed"):
        times.endorse(DeviceTimeProposal(2, ()))


def test_another_chain_s_observation(
    live: Live, oracles: list[Oracle], honest: list[DeviceTimeObservation]
) -> None:
    message = observation_message(
        bytes(live.read("OracleCommittee", "config_digest")), 2, honest[0].classes
    )
    foreign = Domain(live.chain.chain_id + 1, live.deployment.address("OracleCommittee"))
    signature = KeystoreSigner(live.oracles[0]).sign(message.digest(foreign))
    seen = replace(honest[0], signature=signature)
    with pytest.raises(Unauthorized):
        oracles[3].node.device_times.endorse(DeviceTimeProposal(2, (seen, *honest[1:])))


def test_another_epoch_s_observation(
    oracles: list[Oracle], honest: list[DeviceTimeObservation]
) -> None:
    wrong = replace(honest[0], epoch=1)
    with pytest.raises(BadInput, match="another epoch"):
        oracles[3].node.device_times.endorse(DeviceTimeProposal(2, (wrong, *honest[1:])))


def test_an_epoch_that_has_not_ended(
    live: Live, oracles: list[Oracle], honest: list[DeviceTimeObservation]
) -> None:
    early = tuple(observed(live, number, 3, honest[0].classes) for number in range(3))
    with pytest.raises(Transient, match="no final block"):
        oracles[0].node.device_times.observation(3)
    with pytest.raises(Transient, match="no final block"):
        oracles[0].node.device_times.endorse(DeviceTimeProposal(3, early))


# --- late, repeated, reordered ------------------------------------------------------------


def signed(live: Live, epoch: int, classes: Sequence[ClassTime]) -> tuple[object, ...]:
    """Arguments of `post_device_time`."""
    payload = DeviceTime(epoch, hash_classes(classes)).struct_hash()
    signatures = live.committee_signs(POLICY, SUBJECT, epoch, payload)
    return epoch, [astuple(each) for each in classes], signatures


def test_what_somebody_else_posted_is_done(live: Live, oracles: list[Oracle]) -> None:
    live.enter_epoch(1)
    live.send(live.customer, POLICY, "post_device_time", *signed(live, 0, []))
    for oracle in oracles:
        oracle.look()
        assert oracle.node.device_times.due() is None
    with pytest.raises(Conflict, match="epoch has figures"):
        live.send(live.customer, POLICY, "post_device_time", *signed(live, 0, []))


def test_epochs_are_posted_in_any_order_and_the_oldest_first(
    live: Live, oracles: list[Oracle]
) -> None:
    live.enter_epoch(3)
    live.send(live.customer, POLICY, "post_device_time", *signed(live, 1, []))
    oracles[0].look()
    assert oracles[0].node.device_times.due() == 0
    step_until(oracles, lambda: posted(live, 0) and posted(live, 2), 40)


def test_too_late_is_not_asked_for(live: Live, oracles: list[Oracle]) -> None:
    live.enter_epoch(WAIT + 2)
    live.send(live.customer, CONTROLLER, "press", WAIT + 2)
    oracles[0].look()
    assert oracles[0].node.device_times.due() == 2
    with pytest.raises(BadInput, match="stale epoch 1"):
        oracles[0].node.device_times.observation(1)


def test_a_policy_that_is_not_in_office_gets_nothing(live: Live, oracles: list[Oracle]) -> None:
    role = keccak(b"POLICY")
    nobody = "0x" + "00" * 20
    live.send(live.deployer, CONTROLLER, "set_role", role, nobody)
    live.mine(1, live.read(CONTROLLER, "ROLE_CHANGE_DELAY"))
    live.send(live.customer, CONTROLLER, "apply_role", role)
    oracles[0].look()
    assert oracles[0].node.device_times.due() is None
    with pytest.raises(NotFound, match="in office"):
        oracles[0].node.device_times.observation(0)
    oracles[0].get("/v1/peer/device-time/0", 404)


def test_the_subject_is_the_contract_s(live: Live) -> None:
    assert live.read(POLICY, "SUBJECT") == SUBJECT
