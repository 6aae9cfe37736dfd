"""The record of convictions."""

import boa

from tests.unit.slashing_court.conftest import SLASHABLE


def test_nothing_before_a_conviction(court, case_id):
    assert tuple(court.cases(case_id)) == (0, 0, 0, 0)
    assert tuple(court.cases(bytes(32))) == (0, 0, 0, 0)


def test_each_commit_is_a_case(court, prove, false_chain, provider):
    first = court.convict_attestation(prove(false_chain).struct, 0)
    convicted_at = boa.env.evm.patch.timestamp
    boa.env.time_travel(seconds=60)
    second = court.convict_attestation(prove(false_chain, epoch=2).struct, 0)
    assert first != second
    assert tuple(court.cases(first)) == (1, provider, convicted_at, SLASHABLE // 2)
    assert tuple(court.cases(second)) == (1, provider, convicted_at + 60, SLASHABLE // 4)
