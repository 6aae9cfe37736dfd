"""EpochLedger.__init__ and its owner."""

import boa
import pytest

from tests.compiled import CONTRACTS, compiled

from .conftest import ACTIVATION_DELAY, DAY, NOBODY


@pytest.fixture
def deploy(committee, controller, guardian):
    deployer = compiled(CONTRACTS / "EpochLedger.vy")

    def _deploy(**changes):
        arguments = {
            "committee": committee,
            "controller": controller,
            "activation_delay": ACTIVATION_DELAY,
            "guardian": guardian,
        } | changes
        return deployer.deploy(*arguments.values())

    return _deploy


def test_remembers_its_parameters(ledger, committee, controller, guardian, deployer):
    assert ledger.COMMITTEE() == committee.address
    assert ledger.CONTROLLER() == controller.address
    assert ledger.ACTIVATION_DELAY() == ACTIVATION_DELAY
    assert ledger.guardian() == guardian
    assert ledger.owner() == deployer


def test_clock_is_the_controllers(ledger, controller):
    assert ledger.GENESIS() == controller.GENESIS()
    assert ledger.EPOCH_LENGTH() == controller.EPOCH_LENGTH()
    boa.env.time_travel(seconds=5 * ledger.EPOCH_LENGTH())
    assert ledger.current_epoch() == controller.current_epoch() == 5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"committee": NOBODY}, "no committee"),
        ({"activation_delay": 0}, "activation delay out of bounds"),
        ({"activation_delay": 30 * DAY + 1}, "activation delay out of bounds"),
    ],
)
def test_bounds(deploy, change, reason):
    with boa.reverts(f"epoch_ledger: {reason}"):
        deploy(**change)


def test_needs_a_controller_with_a_clock(deploy, token):
    with boa.reverts():
        deploy(controller=token)


def test_accepts_the_bounds_themselves(deploy):
    assert deploy(activation_delay=1).ACTIVATION_DELAY() == 1
    assert deploy(activation_delay=30 * DAY).ACTIVATION_DELAY() == 30 * DAY


def test_owner_names_the_guardian(ledger, guardian, stranger):
    ledger.set_guardian(stranger)
    (event,) = ledger.get_logs()
    assert (event.previous, event.current) == (guardian, stranger)
    assert ledger.guardian() == stranger


def test_only_the_owner_names_the_guardian(ledger, guardian, stranger):
    for caller in (guardian, stranger):
        with boa.reverts("ownable: caller is not the owner"):
            ledger.set_guardian(stranger, sender=caller)
    assert ledger.guardian() == guardian


# --- the clock it takes over ----------------------------------------------------------------


@pytest.fixture
def clock():
    """A controller that is nothing but a clock."""

    def _clock(genesis: int, epoch_length: int):
        return boa.loads(
            f"""
@external
@view
def GENESIS() -> uint256:
    return {genesis}

@external
@view
def EPOCH_LENGTH() -> uint256:
    return {epoch_length}
"""
        )

    return _clock


@pytest.mark.parametrize("length", [0, 30 * DAY + 1, 2**256 - 1])
def test_refuses_a_clock_out_of_bounds(deploy, clock, length):
    with boa.reverts("epoch_clock: length out of bounds"):
        deploy(controller=clock(0, length))


@pytest.mark.parametrize("length", [1, 30 * DAY])
def test_takes_a_clock_at_its_bounds(deploy, clock, length):
    genesis = boa.env.timestamp
    ledger = deploy(controller=clock(genesis, length))
    boa.env.time_travel(seconds=2 * length)
    assert ledger.current_epoch() == 2


def test_there_is_no_epoch_before_genesis(deploy, clock):
    genesis = boa.env.timestamp + 100
    ledger = deploy(controller=clock(genesis, 1))
    boa.env.time_travel(seconds=99)
    with boa.reverts("epoch_clock: before genesis"):
        ledger.current_epoch()
    boa.env.time_travel(seconds=1)
    assert ledger.current_epoch() == 0
