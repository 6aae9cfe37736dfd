"""An agent whose card proves who made it: asked once per challenge, whoever wants to know."""

from typing import Any

import pytest

from oracle.adapters.gpu.device import HostDevice, NoEvidence
from oracle.domain.evidence import Evidence, identify
from oracle.errors import Transient
from oracle.services.evidence import find_identity
from tests.oracle.evidence.forge import Card

MADE_IN = 1_790_000_000


class CardDevice(HostDevice):
    """A machine with a card of the tests' own maker."""

    def __init__(self, card: Card) -> None:
        super().__init__("GPU-of-the-test")
        self.card = card
        self.asked: list[bytes] = []
        # answers nothing so many times first
        self.silent = 0
        self.broken = False

    def evidence(self, nonce: bytes) -> Evidence:
        self.asked.append(nonce)
        if self.broken:
            raise NoEvidence("confidential computing is switched off", "switch it on")
        if self.silent:
            self.silent -= 1
            raise Transient("the card does not answer", "try again")
        return self.card.evidence(nonce)


@pytest.fixture
def device(world: Any) -> CardDevice:
    card = Card()
    world.device, world.identity = CardDevice(card), card.device_key
    return world.device  # type: ignore[no-any-return]


def _all_judged(world: Any) -> bool:
    return all(oracle.verdicts for oracle in world.oracles)


def test_every_oracle_gets_the_same_evidence_for_the_seed(world: Any, device: CardDevice) -> None:
    world.run(lambda: _all_judged(world))
    (seed,) = {oracle.commits[0].seed for oracle in world.oracles}
    assert device.asked == [seed]
    (body,) = {oracle.openings[0].evidence for oracle in world.oracles}
    assert identify(body.evidence(), seed, MADE_IN, device.card.root).device_key == world.identity
    assert world.oracles[0].registrations[0].identity == world.identity


def test_evidence_outlives_the_agent(world: Any, device: CardDevice) -> None:
    late, *others = world.oracles
    late.down = True
    world.run(lambda: all(oracle.verdicts for oracle in others))
    late.down = False
    world.run(lambda: _all_judged(world))
    assert len(device.asked) == 1
    assert late.openings[0].evidence == others[0].openings[0].evidence


def test_a_card_that_is_silent_for_a_moment_is_asked_again(world: Any, device: CardDevice) -> None:
    device.silent = 2
    world.run(lambda: _all_judged(world))
    assert all(oracle.verdicts[0].accepted for oracle in world.oracles)


def test_nothing_is_opened_without_the_evidence(world: Any, device: CardDevice) -> None:
    device.broken = True
    world.run(lambda: len(device.asked) > 3)
    assert [oracle.openings for oracle in world.oracles] == [[], [], []]


def test_a_device_by_uuid_is_never_asked(world: Any) -> None:
    device = CardDevice(Card())
    world.device = device
    world.run(lambda: _all_judged(world))
    assert device.asked == []
    assert world.oracles[0].openings[0].evidence is None


# --- which identity -------------------------------------------------------------------------


def test_the_identity_is_the_cards_own_key_where_it_proves_one() -> None:
    device = CardDevice(Card())
    at = MADE_IN
    # another maker's root is not trusted: the card goes by its UUID
    assert find_identity(device, at) == device.inventory.identity
    assert find_identity(device, at, device.card.root) == device.card.device_key
    device.broken = True
    assert find_identity(device, at, device.card.root) == device.inventory.identity
    device.broken, device.silent = False, 1
    with pytest.raises(Transient):
        find_identity(device, at, device.card.root)
    # each time for another nonce
    assert len(set(device.asked)) == len(device.asked)


def test_a_recording_proves_no_identity() -> None:
    device = CardDevice(Card())
    old = device.card.evidence(bytes(32))
    device.evidence = lambda _: old  # type: ignore[method-assign]
    assert find_identity(device, MADE_IN, device.card.root) == device.inventory.identity
