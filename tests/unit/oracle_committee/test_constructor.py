"""OracleCommittee.__init__: what it accepts, what it remembers."""

import boa
import pytest

from .conftest import BOND_DELAY, DAY, KEY_OVERLAP, MIN_BOND, REPORTER_BPS


def test_remembers_its_parameters(committee, token, oracles, deployer):
    assert committee.TOKEN() == token.address
    assert committee.MIN_BOND() == MIN_BOND
    assert committee.BOND_DELAY() == BOND_DELAY
    assert committee.KEY_OVERLAP() == KEY_OVERLAP
    assert committee.EQUIVOCATION_REPORTER_BPS() == REPORTER_BPS
    assert committee.members() == [o.address for o in oracles]
    assert committee.threshold() == 5
    assert committee.rules_version() == 1
    assert committee.config_number() == 1
    assert committee.owner() == deployer


def test_domain_is_the_one_of_the_messages(committee, domain_of):
    _, name, version, chain_id, contract, _, _ = committee.eip712Domain()
    assert (name, version) == ("Clearwork", "1")
    assert chain_id == domain_of(committee).chain_id
    assert contract == committee.address


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"token": "0x" + "00" * 20}, "no token"),
        ({"min_bond": 0}, "no minimum bond"),
        ({"bond_delay": 365 * DAY + 1}, "bond delay out of bounds"),
        ({"key_overlap": 7 * DAY + 1}, "key overlap out of bounds"),
        ({"equivocation_reporter_bps": 5_001}, "reporter bps out of bounds"),
        ({"threshold": 3}, "threshold is not a majority"),
        ({"threshold": 8}, "threshold above member count"),
        ({"threshold": 0, "members": []}, "threshold is not a majority"),
        ({"threshold": 1, "members": []}, "threshold above member count"),
        ({"threshold": 1, "members": ["0x" + "00" * 20]}, "members not ascending"),
    ],
)
def test_refuses_parameters_out_of_bounds(deploy_committee, oracles, change, reason):
    parameters = {"members": [o.address for o in oracles], "threshold": 5} | change
    with boa.reverts(f"oracle_committee: {reason}"):
        deploy_committee(**parameters, bonded=False)


def test_accepts_the_bounds_themselves(deploy_committee, oracles):
    target = deploy_committee(
        [o.address for o in oracles],
        4,
        bonded=False,
        bond_delay=365 * DAY,
        key_overlap=7 * DAY,
        equivocation_reporter_bps=5_000,
        min_bond=1,
    )
    assert target.threshold() == 4
