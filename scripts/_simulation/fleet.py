"""Who is in the fleet: cards, their owners, and which of them cheat."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from eth_account import Account as Keys

from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.domain.attestation import device_id
from oracle.domain.backoff import Backoff
from oracle.domain.hashing import keccak
from scripts._simulation.conduct import KINDS, LIMITS, Conduct
from scripts._simulation.network import FARTHEST, NEAREST, Link
from scripts._simulation.terms import MIX, Card, Terms

# devices of an honest provider
LARGEST = 8


@dataclass(slots=True)
class Chip:
    """A card in a machine: it does one challenge after the other."""

    model: Card
    free_at: int = 0


@dataclass(slots=True)
class Device:
    """What a provider has registered, and how it really behaves."""

    device: bytes
    identity: bytes
    provider: int
    signer: KeystoreSigner
    chip: Chip
    # the card it says it is once it cheats
    pretended: Card
    conduct: Conduct
    link: Link
    dice: random.Random
    backoff: Backoff = field(default_factory=Backoff)

    @property
    def name(self) -> str:
        """Its kind."""
        return self.conduct.name

    def cheats(self, epoch: int) -> bool:
        """Whether it is no longer honest."""
        return type(self.conduct) is not Conduct and epoch >= self.conduct.turns


@dataclass(frozen=True, slots=True)
class Plan:
    """How many devices there are, and how many cheat."""

    devices: int
    hours: int
    seed: int
    cheats_bps: int = 500
    # devices of each kind that the protocol does not stop, on top
    limits: int = 6
    jitter_bps: int = 3_000
    loss_bps: int = 100
    # whether chains are computed, opened and audited; where only time counts they need not be
    computes: bool = True
    kinds: tuple[type[Conduct], ...] = KINDS
    limit_kinds: tuple[type[Conduct], ...] = LIMITS


def build(plan: Plan, terms: Terms) -> list[Device]:
    """The fleet of a plan: each cheat is a provider, honest providers have up to 8 devices."""
    dice = random.Random(f"{plan.seed}/fleet")
    cheats = plan.devices * plan.cheats_bps // 10_000
    devices: list[Device] = []
    for place, kind in enumerate(plan.kinds if cheats else ()):
        count = cheats // len(plan.kinds) + (place < cheats % len(plan.kinds))
        devices += _cheats(kind, count, plan, terms, dice, len(devices))
    for kind in plan.limit_kinds if plan.limits else ():
        devices += _cheats(kind, plan.limits, plan, terms, dice, len(devices))
    while len(devices) < plan.devices:
        count = min(dice.randint(1, LARGEST), plan.devices - len(devices))
        owner = _owner(plan, dice, len(devices))
        for _ in range(count):
            chip = Chip(_card(terms, dice))
            devices.append(_device(owner, chip, chip.model, Conduct(0, dice), dice, len(devices)))
    return devices


@dataclass(frozen=True, slots=True)
class _Owner:
    provider: int
    signer: KeystoreSigner
    link: Link


def _cheats(
    kind: type[Conduct], count: int, plan: Plan, terms: Terms, dice: random.Random, first: int
) -> Iterator[Device]:
    made = 0
    while made + kind.ids <= max(count, kind.ids):
        owner = _owner(plan, dice, first + made)
        # the fastest card can't pose as a faster one
        place = min(terms.cards.index(_card(terms, dice)), len(terms.cards) - 2)
        chip, better = Chip(terms.cards[place]), terms.cards[place + 1]
        turns = dice.randint(1, max(1, plan.hours // 3))
        for rank in range(kind.ids):
            conduct = kind(turns, random.Random(f"{plan.seed}/{kind.name}/{first + made}"), rank)
            pretended = conduct.poses_as(chip.model, better)
            yield _device(owner, chip, pretended, conduct, dice, first + made)
            made += 1


def _owner(plan: Plan, dice: random.Random, number: int) -> _Owner:
    signer = KeystoreSigner(Keys.from_key(keccak(f"{plan.seed}/operator/{number}".encode())))
    link = Link(dice.randint(NEAREST, FARTHEST), plan.jitter_bps, plan.loss_bps)
    return _Owner(number + 1, signer, link)


def _device(
    owner: _Owner, chip: Chip, pretended: Card, conduct: Conduct, dice: random.Random, number: int
) -> Device:
    identity = keccak(number.to_bytes(4, "big") + dice.randbytes(32))
    return Device(
        device_id(identity, owner.provider), identity, owner.provider, owner.signer, chip,
        pretended, conduct, owner.link, random.Random(dice.getrandbits(64)),
    )  # fmt: skip


def _card(terms: Terms, dice: random.Random) -> Card:
    return dice.choices(terms.cards, list(MIX.values()))[0]
