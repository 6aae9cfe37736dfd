"""What happened, counted: catches of cheats, harm to honest devices, money."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import Enum


class Catch(Enum):
    """How a cheat comes to nothing, by the defence that ended it."""

    REFUSED = "refused by oracles"
    CLASS = "class refused"
    FALSE_ENTRY = "convicted: false entry"
    WITHHELD = "convicted: withheld leaf"


@dataclass(slots=True)
class Tally:
    """Counts of one run; times are virtual nanoseconds."""

    # device => how and when it was caught, the first time each
    catches: dict[bytes, dict[Catch, int]] = field(default_factory=lambda: defaultdict(dict))
    # device => when its first dishonest challenge began
    began: dict[bytes, int] = field(default_factory=dict)
    # of honest devices: convictions, and commits or answers refused, by reason
    convicted_honest: int = 0
    refused_honest: Counter[str] = field(default_factory=Counter)
    # of honest devices, in epochs: asked, without a quorum, below their class
    challenges: int = 0
    missed: int = 0
    below_class: int = 0
    # of honest devices, in hours: all, without an entry, entered in a lower class
    hours: int = 0
    without_entry: int = 0
    in_lower_class: int = 0
    commits: int = 0
    openings: int = 0
    # provider => what it had gained when it began to cheat
    before: dict[int, int] = field(default_factory=dict)
    # provider => hours of renting a card, and hours for which its dishonest entry was paid
    rented: Counter[int] = field(default_factory=Counter)
    paid_hours: Counter[int] = field(default_factory=Counter)
    reporter: Counter[int] = field(default_factory=Counter)
    seized: Counter[int] = field(default_factory=Counter)
    # card => per epoch, what all honest devices of it were paid, and the emission in it
    honest_pay: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    honest_emission: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))

    def catch(self, device: bytes, how: Catch, now: int) -> None:
        """Note a catch; the first of each kind counts."""
        self.catches[device].setdefault(how, now)
