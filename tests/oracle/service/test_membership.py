"""The guarded pen: one payload per key, before the key is used, for ever."""

from collections.abc import Callable

import pytest

from oracle.domain.messages import Report
from oracle.errors import Bound, Misconfigured, Unauthorized
from tests.oracle.conftest import Live, Oracle


class PowerCut(BaseException):
    """The process is gone."""


def report(oracle: Oracle, payload: int, subject: int = 1) -> Report:
    return Report(
        oracle.node.market.committee().config,
        oracle.node.market.domain("JobEscrow").verifying_contract,
        subject.to_bytes(32, "big"),
        4,
        payload.to_bytes(32, "big"),
    )


@pytest.fixture
def oracle(live: Live, make_oracle: Callable[..., Oracle]) -> Oracle:
    return make_oracle(live.oracles[0])


def test_signature_is_what_the_committee_verifies(oracle: Oracle, live: Live) -> None:
    signed = oracle.node.member.endorse(report(oracle, 1))
    digest = live.chain.contract("OracleCommittee").functions.report_digest(
        signed.report.consumer, signed.report.subject, 4, signed.report.payload
    )
    assert digest.call() == signed.report.digest(oracle.node.market.domain("OracleCommittee"))


def test_second_payload_is_refused(oracle: Oracle) -> None:
    first = oracle.node.member.endorse(report(oracle, 1))
    assert oracle.node.member.endorse(report(oracle, 1)) == first
    with pytest.raises(Bound):
        oracle.node.member.endorse(report(oracle, 2))
    oracle.node.member.endorse(report(oracle, 2, subject=2))
    payloads = [s.report.payload[-1] for s in oracle.node.store.statements(0, 10)]
    assert payloads == [1, 2]


def test_refusal_survives_death_before_the_signature(
    oracle: Oracle, live: Live, make_oracle: Callable[..., Oracle], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(_: str) -> None:
        raise PowerCut

    monkeypatch.setattr("oracle.services.membership.reach", cut)
    with pytest.raises(PowerCut):
        oracle.node.member.endorse(report(oracle, 1))
    monkeypatch.undo()
    reborn = make_oracle(live.oracles[0])
    assert reborn.node.store.statements(0, 10) == []
    with pytest.raises(Bound):
        reborn.node.member.endorse(report(reborn, 2))
    assert reborn.node.member.endorse(report(reborn, 1))


def test_two_processes_with_one_database_agree(
    oracle: Oracle, live: Live, make_oracle: Callable[..., Oracle]
) -> None:
    twin = make_oracle(live.oracles[0])
    oracle.node.member.endorse(report(oracle, 1))
    with pytest.raises(Bound):
        twin.node.member.endorse(report(twin, 2))


def test_stranger_signs_nothing(live: Live, make_oracle: Callable[..., Oracle]) -> None:
    stranger = make_oracle(live.customer, "stranger")
    with pytest.raises(Misconfigured, match="no key of a committee member"):
        stranger.node.member.endorse(report(stranger, 1))
    assert stranger.node.store.statements(0, 10) == []


def test_peer_that_signs_for_another_is_refused(
    oracle: Oracle, live: Live, make_oracle: Callable[..., Oracle]
) -> None:
    other = make_oracle(live.oracles[1], "other")
    signed = other.node.member.endorse(report(other, 1))
    assert oracle.node.member.check(signed.report, signed.oracle, signed.signature) == signed
    with pytest.raises(Unauthorized, match="does not sign for"):
        oracle.node.member.check(signed.report, live.oracles[2].address, signed.signature)
    with pytest.raises(Unauthorized, match="does not sign for"):
        oracle.node.member.check(report(other, 9), signed.oracle, signed.signature)
