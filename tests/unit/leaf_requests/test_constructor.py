"""What leaf requests are deployed with."""

import boa
import pytest

from oracle.domain.attestation.challenge import KEEP_EPOCHS
from tests.unit.conftest import (
    DAY,
    EPOCH_LENGTH,
    HOUR,
    LEAF_ANSWER_PERIOD,
    LEAF_BOND,
    REQUEST_EPOCHS,
    UNBONDING_PERIOD,
    load,
)

ZERO = "0x" + "00" * 20


@pytest.fixture
def deploy(token, court, ledger):
    def _deploy(**changes):
        values = {
            "token": token,
            "court": court,
            "ledger": ledger,
            "bond": LEAF_BOND,
            "answer_period": LEAF_ANSWER_PERIOD,
            "request_epochs": REQUEST_EPOCHS,
        }
        return load("LeafRequests", *(values | changes).values())

    return _deploy


def test_keeps_its_arguments(leaf_requests, token, court, registry, providers, ledger):
    assert leaf_requests.TOKEN() == token.address
    assert leaf_requests.COURT() == court.address
    assert leaf_requests.REGISTRY() == registry.address
    assert leaf_requests.PROVIDERS() == providers.address
    assert leaf_requests.BOND() == LEAF_BOND
    assert leaf_requests.ANSWER_PERIOD() == LEAF_ANSWER_PERIOD
    assert leaf_requests.REQUEST_EPOCHS() == REQUEST_EPOCHS
    assert leaf_requests.GENESIS() == ledger.GENESIS()
    assert leaf_requests.EPOCH_LENGTH() == ledger.EPOCH_LENGTH()


def test_agents_keep_what_can_be_asked_for(leaf_requests):
    assert leaf_requests.KEEP_EPOCHS() == KEEP_EPOCHS


@pytest.mark.parametrize("name", ["token", "court", "ledger"])
def test_reverts_without_a_contract(deploy, name):
    with boa.reverts(f"leaf_requests: no {name}"):
        deploy(**{name: ZERO})


def test_bond_within_bounds(deploy):
    for bond in (1, 2**96 - 1):
        assert deploy(bond=bond).BOND() == bond
    for bond in (0, 2**96, 2**256 - 1):
        with boa.reverts("leaf_requests: bond out of bounds"):
            deploy(bond=bond)


def test_answer_period_within_bounds(deploy):
    assert deploy(answer_period=1).ANSWER_PERIOD() == 1
    for period in (0, 30 * DAY + 1, 2**256 - 1):
        with boa.reverts("leaf_requests: answer period out of bounds"):
            deploy(answer_period=period)


def test_no_request_outlives_what_an_agent_keeps(deploy):
    """A commit of an epoch can be asked for until the end of its last one, and then answered."""
    rest = KEEP_EPOCHS * EPOCH_LENGTH - LEAF_ANSWER_PERIOD
    most = rest // EPOCH_LENGTH - 1
    assert deploy(request_epochs=0).REQUEST_EPOCHS() == 0
    assert deploy(request_epochs=most).REQUEST_EPOCHS() == most
    longest = LEAF_ANSWER_PERIOD + (most - REQUEST_EPOCHS) * EPOCH_LENGTH
    assert deploy(answer_period=longest).ANSWER_PERIOD() == longest
    for changes in (
        {"request_epochs": most + 1},
        {"answer_period": longest + 1},
        {"request_epochs": KEEP_EPOCHS, "answer_period": 1},
        {"request_epochs": 2**256 - 1},
    ):
        with boa.reverts("leaf_requests: agents forget sooner"):
            deploy(**changes)


def test_stake_outlives_a_request(token, court, ledger):
    """Epochs so long that a commit can be asked for beyond the unbonding period."""
    length = UNBONDING_PERIOD // 4
    controller = load("EmissionsController", token, 0, length, 10**18, 12, 0, 0, 15 * DAY)
    slow = load("EpochLedger", ledger.COMMITTEE(), controller, HOUR, ZERO)
    for answer_period in (1, (UNBONDING_PERIOD - 2 * length - 1) // 2):
        deployed = load("LeafRequests", token, court, slow, LEAF_BOND, answer_period, 1)
        assert deployed.ANSWER_PERIOD() == answer_period
    with boa.reverts("leaf_requests: stake leaves sooner"):
        load("LeafRequests", token, court, slow, LEAF_BOND, UNBONDING_PERIOD // 4, 1)
