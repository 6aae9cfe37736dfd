"""Devices whose attestation has run out: they leave the registry, so that nobody sells them."""

import pytest

from tests.oracle.conftest import DAY, HOUR, Live, Machine, Oracle, admit, step, step_until


@pytest.fixture
def oracle(live: Live, oracles: list[Oracle], machine: Machine) -> Oracle:
    """One of four, which knows the machine as attested."""
    live.enter_epoch(1)
    step(oracles)
    admit(machine, oracles[:1])
    return oracles[0]


def capacity(live: Live, machine: Machine) -> int:
    return int(live.read("DeviceRegistry", "capacity", machine.provider, 1))


def test_oracles_take_lapsed_devices_out_and_only_those(
    live: Live, oracles: list[Oracle], machine: Machine
) -> None:
    live.enter_epoch(1)
    step(oracles)
    admit(machine, oracles)
    live.mine(1, DAY - HOUR)
    fresh = Machine(live, machine.provider, uuid="renewed lately")
    admit(fresh, oracles)
    step(oracles, 2)
    assert capacity(live, machine) == 2

    live.mine(1, HOUR)
    for oracle in oracles:
        oracle.look()
        assert oracle.node.market.attested_gpus(machine.provider, 1) == 1
    step_until(oracles, lambda: capacity(live, machine) == 1)
    assert live.read("DeviceRegistry", "device_info", machine.device).attested_until == 0
    assert live.read("DeviceRegistry", "device_info", fresh.device).attested_until > 0
    step(oracles, 2)
    assert len(list(live.chain.logs("DeviceRegistry", "DeviceExpired"))) == 1
    assert oracles[0].node.market.attested_gpus(machine.provider, 1) == 1


def test_what_a_device_did_before_counts_for_its_job(
    live: Live, oracle: Oracle, machine: Machine
) -> None:
    """An attestation that is renewed late costs the time between, not all of the job."""
    market, uptime = oracle.node.market, oracle.node.settle._uptime
    live.mine(1, DAY - HOUR)
    number = live.open_job(machine.provider)
    for _ in range(3):
        live.mine(1, 20)
        oracle.look()
        oracle.post("/v1/heartbeats", [machine.heartbeat()])
    oracle.look()
    before = uptime.covered(market.job(number))
    assert before >= 40

    live.mine(1, HOUR)
    live.send(live.customer, "DeviceRegistry", "expire", machine.device)
    oracle.look()
    assert market.device(machine.device) is None
    assert uptime.covered(market.job(number)) >= before


def test_a_struck_device_counts_for_nothing(live: Live, oracle: Oracle, machine: Machine) -> None:
    assert machine.device in oracle.node.market.attestations()
    live.send_as("SlashingCourt", "DeviceRegistry", "revoke", machine.device, machine.provider)
    oracle.look()
    assert machine.device not in oracle.node.market.attestations()
    assert oracle.node.market.lapsed() == {}
