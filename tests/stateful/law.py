"""What SlashingCourt should do, in exact fractions: rounded only where the policy says so.

The law is given what the chain says before a sentence (stake, unvested rewards) and says to the
base unit what the sentence takes and who gets it. What that does to holders is for `model.py`.
"""

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor

from tests.unit.conftest import DAY, Policy
from tests.unit.slashing_court.conftest import (
    APPEALED,
    CLOSED,
    DOWNTIME,
    FRAUD,
    MISSED_CHALLENGE,
    OPEN,
)

BPS = 10_000
# what a fault costs whoever tries to escape it
EXIT = Fraction(105, 100)
NOBODY = "0x" + "00" * 20
FOR_EVER = 2**64 - 1


@dataclass(eq=False)
class Accusation:
    """The struct of ISlashingCourt, in its order."""

    accuser: str
    job: int
    provider: int
    kind: int
    snapshot: int
    opened_at: int
    deadline: int
    stage: int = OPEN
    answered: bool = False
    exited: bool = False
    guilty: bool = False
    loss: int = 0
    appellant: str = NOBODY

    @property
    def is_open(self) -> bool:
        return self.stage != CLOSED


@dataclass
class Conviction:
    """A case by proof, in the order of ISlashingCourt's struct."""

    kind: int
    provider: int
    convicted_at: int
    slashed: int


@dataclass
class Day:
    """A provider's day in court: its stake at the first penalty, and what all took."""

    stake: int
    taken: int = 0


@dataclass(frozen=True)
class Stakes:
    """What the chain says when a sentence is carried out, in base units."""

    # behind the provider, and behind everybody
    slashable: int
    total: int
    # the provider's rewards that still vest
    unvested: int
    # bps that the provider signed for reporters
    reporter_bps: int


@dataclass(frozen=True)
class Sentence:
    """What a fault takes, and who gets it, in base units."""

    # behind the provider, now or when the case was opened, whichever is more
    stake: int
    # what counts towards the day's cap
    amount: int
    from_stake: int
    from_vesting: int
    victim: int
    reporter: int

    @property
    def burnt(self) -> int:
        return self.from_stake + self.from_vesting - self.victim - self.reporter


@dataclass
class Law:
    """The policy, and what was done by it."""

    policy: Policy
    accusations: dict[bytes, Accusation] = field(default_factory=dict)
    convictions: dict[bytes, Conviction] = field(default_factory=dict)
    # (provider, day) => what its penalties took
    days: dict[tuple[int, int], Day] = field(default_factory=dict)
    # day => base units behind the providers that were penalised
    convicted: Counter[int] = field(default_factory=Counter)

    def share(self, kind: int) -> Fraction:
        """Part of the stake that a fault costs by itself."""
        bps = {
            MISSED_CHALLENGE: self.policy.missed_challenge_bps,
            DOWNTIME: self.policy.downtime_bps,
            FRAUD: self.policy.fraud_bps,
        }
        return Fraction(bps.get(kind, self.policy.false_attestation_bps), BPS)

    def held(self, case: Accusation) -> int:
        """Base units that an open case keeps from leaving."""
        return ceil(ceil(case.snapshot * self.share(case.kind)) * EXIT)

    def held_of(self, provider: int) -> int:
        """What all open cases of a provider keep from leaving."""
        cases = self.accusations.values()
        return sum(self.held(c) for c in cases if c.provider == provider and c.is_open)

    @property
    def bonds(self) -> int:
        """What the court keeps: a bond per open accusation and per undecided appeal."""
        stages = Counter(case.stage for case in self.accusations.values())
        accusations = stages.total() - stages[CLOSED]
        return (
            accusations * self.policy.accusation_bond + stages[APPEALED] * self.policy.appeal_bond
        )

    def convicted_lately(self, now: int) -> int:
        """Base units behind the providers penalised on this day and the one before."""
        return self.convicted[now // DAY] + self.convicted[now // DAY - 1]

    def penalty(self, kind: int, snapshot: int, exited: bool, total: int, now: int) -> int:
        """What a fault costs before the day's cap, in base units."""
        scale = Fraction(1)
        if total:
            lately = Fraction(self.convicted_lately(now), total)
            scale += self.policy.correlation_multiplier * lately
        bps = min(self.policy.max_penalty_bps, floor(self.share(kind) * scale * BPS))
        penalty = ceil(Fraction(snapshot * bps, BPS))
        return ceil(penalty * EXIT) if exited else penalty

    def sentence(
        self, provider: int, kind: int, snapshot: int, penalty: int, owed: int,
        stakes: Stakes, now: int,
    ) -> Sentence:  # fmt: skip
        """Carry out a penalty of which a victim is owed a part: the day's cap, then the split."""
        stake = max(snapshot, stakes.slashable)
        day = self.days.get((provider, now // DAY), Day(stake))
        cap = floor(day.stake * Fraction(self.policy.daily_cap_bps, BPS))
        amount = max(owed, min(penalty, max(cap - day.taken, 0)))
        from_stake = min(amount, stakes.slashable)
        victim = min(owed, from_stake)
        cut = Fraction(min(self.policy.reporter_bps, stakes.reporter_bps), BPS)
        # proofs cost all that still vests, accusations what stake could not pay
        vesting = stakes.unvested
        if kind in (MISSED_CHALLENGE, DOWNTIME, FRAUD):
            vesting = min(vesting, amount - from_stake)
        return Sentence(
            stake=stake,
            amount=amount,
            from_stake=from_stake,
            from_vesting=vesting,
            victim=victim + min(owed - victim, vesting),
            reporter=floor((from_stake - victim) * cut),
        )

    def compensation(self, promised: int, stakes: Stakes) -> Sentence:
        """What another customer gets after a conviction: a debt, whatever the day took."""
        from_stake = min(promised, stakes.slashable)
        vesting = min(promised - from_stake, stakes.unvested)
        return Sentence(stakes.slashable, promised, from_stake, vesting, from_stake + vesting, 0)

    def enter(self, provider: int, sentence: Sentence, now: int) -> None:
        """Count a penalty towards the day, and the provider's stake as convicted."""
        today = now // DAY
        if (provider, today) not in self.days:
            self.days[provider, today] = Day(sentence.stake)
            self.convicted[today] += sentence.stake
        self.days[provider, today].taken += sentence.amount

    def last_day(self, provider: int) -> tuple[int, int, int]:
        """The provider's last day in court: its number, stake and what it took."""
        days = [day for of, day in self.days if of == provider]
        if not days:
            return 0, 0, 0
        day = self.days[provider, max(days)]
        return max(days), day.stake, day.taken
