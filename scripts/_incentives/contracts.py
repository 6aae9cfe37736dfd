"""Twins of what contracts decide about places, votes and vesting; a test holds them together."""

from collections import defaultdict
from dataclasses import dataclass, field

BPS = 10_000


@dataclass
class RisingPrice:
    """`contracts/modules/rising_price.vy`: each sale raises the price, time takes it back.

    `floor`: base units. `period`: seconds from any price to the floor.
    """

    floor: int
    factor_bps: int
    period: int
    last: int = 0
    sold_at: int | None = None

    def price(self, now: int) -> int:
        """Base units at a chain time in seconds, rounded up."""
        if self.sold_at is None or now - self.sold_at >= self.period:
            return self.floor
        left = self.period - (now - self.sold_at)
        return self.floor + -(-(self.last - self.floor) * left // self.period)

    def sell(self, now: int) -> int:
        """Sell one; returns what it cost."""
        price = self.price(now)
        self.last, self.sold_at = -(-price * self.factor_bps // BPS), now
        return price


@dataclass
class Votes:
    """`SubnetVotes`: what begins and what ends in an epoch, whole stakes on one subnet only.

    `bond_voter`: by provider, in whose vote its self-bond is.
    """

    vote_epochs: int
    begins: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    ends: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    standing: dict[str, tuple[int, int]] = field(default_factory=dict)
    bond_voter: dict[str, str] = field(default_factory=dict)
    counted: int = 0

    def vote(self, holder: str, stake: int, epoch: int, bond_of: str | None = None) -> None:
        """Vote with a stake in place of the holder's vote before.

        `bond_of`: provider whose self-bond is in the stake; the vote of the owner who voted with
        it before ends.
        """
        self._end(holder, epoch)
        if bond_of is not None:
            self._end(self.bond_voter.get(bond_of, holder), epoch)
            self.bond_voter[bond_of] = holder
        self.begins[epoch] += stake
        self.ends[epoch + self.vote_epochs] += stake
        self.standing[holder] = stake, epoch + self.vote_epochs

    def _end(self, holder: str, epoch: int) -> None:
        stake, to_epoch = self.standing.pop(holder, (0, 0))
        if to_epoch > epoch:
            self.ends[epoch] += stake
            self.ends[to_epoch] -= stake

    def take(self, epoch: int) -> int:
        """Base units of stake that count in an epoch; every epoch in turn."""
        self.counted += self.begins[epoch] - self.ends[epoch]
        return self.counted


@dataclass
class Vesting:
    """`RewardDistributor` and `contracts/modules/vesting.vy` for one provider.

    `paid`: base units that went out so far.
    """

    period: int
    immediate_bps: int
    claimed: int = 0
    remaining: int = 0
    last: int = 0
    left: int = 0
    paid: int = 0

    def claim(self, cumulative: int, now: int) -> None:
        """Claim what a leaf grants over all time; nothing new changes nothing."""
        due = cumulative - self.claimed
        if due <= 0:
            return
        immediate = due * self.immediate_bps // BPS
        unvested, left = self._take(now)
        self.paid += immediate
        added = due - immediate
        self.claimed, self.remaining, self.left = cumulative, unvested + added, 0
        if self.remaining:
            weighted = unvested * left + added * self.period
            self.left = -(-weighted // self.remaining)

    def release(self, now: int) -> None:
        """Pay what has vested."""
        self.remaining, self.left = self._take(now)

    def _take(self, now: int) -> tuple[int, int]:
        passed, self.last = now - self.last, now
        if passed >= self.left:
            self.paid += self.remaining
            return 0, 0
        vested = self.remaining * passed // self.left
        self.paid += vested
        return self.remaining - vested, self.left - passed
