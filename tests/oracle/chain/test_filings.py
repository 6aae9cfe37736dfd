"""What was shown to the contracts is read back from calldata, whole and signed by whom it says."""

from dataclasses import astuple
from typing import Any

import pytest
from web3 import Web3

from oracle.adapters.chain import filings
from oracle.adapters.chain.filings import Filings, SignedReport
from oracle.domain.hashing import keccak
from oracle.domain.messages import Domain, EpochReport, Result, Verdict
from oracle.domain.receipts import JobStatus, Receipt, pack
from oracle.domain.recovery import recover
from tests.oracle.conftest import UNIT, Live, Machine

DOWNTIME = 4
RULES_VERSION = 1


def settle_batch(live: Live, _: Machine) -> None:
    receipts = pack([Receipt(1, 60, JobStatus.RUNNING)])
    signatures = live.committee_signs("JobEscrow", (7).to_bytes(32, "big"), 5, keccak(receipts))
    live.send(live.customer, "JobEscrow", "settle_batch", 5, 7, receipts, signatures)


def result_of(machine: Machine) -> Result:
    return Result(
        provider=machine.provider,
        device=machine.device,
        identity=machine.identity,
        device_class=1,
        ops_per_second=10_000,
        memory_mb=1_024,
        elapsed_ms=10,
        commit=bytes(32),
        openings=bytes(32),
        evidence=bytes(32),
    )


def record(live: Live, machine: Machine) -> None:
    result = result_of(machine)
    signatures = live.committee_signs("DeviceRegistry", result.device, 1, result.struct_hash())
    live.send(live.customer, "DeviceRegistry", "record", astuple(result), 1, signatures)


def post_epoch(live: Live, _: Machine) -> None:
    live.enter_epoch(1)
    live.send(live.customer, "EmissionsController", "press", 1)
    report = EpochReport(0, 0, *[bytes(32)] * 4, 0, bytes(32), RULES_VERSION)
    signatures = live.committee_signs("EpochLedger", bytes(32), 0, report.struct_hash())
    live.send(live.customer, "EpochLedger", "post_epoch", astuple(report), signatures)


def rule(live: Live, machine: Machine) -> None:
    live.send(live.deployer, "WorkToken", "transfer", live.customer.address, 100 * UNIT)
    court = live.deployment.address("SlashingCourt")
    live.send(live.customer, "WorkToken", "approve", court, 100 * UNIT)
    live.send(live.customer, "SlashingCourt", "accuse", machine.provider, DOWNTIME, 0, bytes(32))
    (accused,) = live.chain.logs("SlashingCourt", "Accused")
    case_id = bytes(accused.args.case_id)
    live.send(live.operator, "SlashingCourt", "answer", case_id, bytes(32))
    verdict = Verdict(case_id, True, 5)
    signatures = live.committee_signs("SlashingCourt", case_id, 0, verdict.struct_hash())
    live.send(live.customer, "SlashingCourt", "rule", case_id, True, 5, signatures)


@pytest.mark.parametrize(
    ("file", "consumer"),
    [
        (settle_batch, "JobEscrow"),
        (record, "DeviceRegistry"),
        (post_epoch, "EpochLedger"),
        (rule, "SlashingCourt"),
    ],
)
def test_every_signature_of_the_committee_is_its_members(
    live: Live, machine: Machine, file: Any, consumer: str
) -> None:
    file(live, machine)
    shown = list(Filings(live.chain).look())
    domain = Domain(live.chain.chain_id, live.deployment.address("OracleCommittee"))
    signers = []
    for one in shown:
        assert isinstance(one, SignedReport)
        assert one.report.consumer == live.deployment.address(consumer)
        signers.append(recover(one.report.digest(domain), one.signature))
    assert signers == [oracle.address for oracle in live.oracles[:3]]


def test_a_look_shows_what_is_new_and_a_few_blocks_before(live: Live, machine: Machine) -> None:
    filed = Filings(live.chain)
    record(live, machine)
    assert len(list(filed.look())) == 3
    # a reorganisation could have moved it here
    assert len(list(filed.look())) == 3
    live.mine(filings.OVERLAP)
    list(filed.look())
    assert list(filed.look()) == []


def test_a_look_that_broke_off_is_taken_again(live: Live, machine: Machine) -> None:
    filed = Filings(live.chain)
    record(live, machine)
    next(filed.look())
    live.mine(filings.OVERLAP + 1)
    assert len(list(filed.look())) == 3


def test_only_recent_blocks_are_read_at_first(
    live: Live, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(live, machine)
    live.mine(5)
    monkeypatch.setattr(filings, "LOG_RANGE", 5)
    assert list(Filings(live.chain).look()) == []


def test_calldata_that_only_contracts_can_read_is_passed_over(live: Live, machine: Machine) -> None:
    result = result_of(machine)
    signatures = live.committee_signs("DeviceRegistry", result.device, 1, result.struct_hash())
    calldata = live.chain.calldata("DeviceRegistry", "record", [astuple(result), 1, signatures])
    # the contract does not look at the padding behind 195 bytes of signatures
    dirty = calldata[:-1] + b"\1"
    to = Web3.to_checksum_address(live.deployment.address("DeviceRegistry"))
    sent = live.w3.eth.send_transaction({"from": live.customer.address, "to": to, "data": dirty})
    assert live.w3.eth.wait_for_transaction_receipt(sent)["status"] == 1
    assert live.read("DeviceRegistry", "device_info", machine.device).provider == machine.provider
    assert list(Filings(live.chain).look()) == []
