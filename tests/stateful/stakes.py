"""What a provider stands for with its self-bond and devices, in plain integers."""

from collections import defaultdict
from dataclasses import dataclass, field

from tests.unit.conftest import LOCK_PERIOD, MIN_SELF_BOND


@dataclass
class Stake:
    """One provider's. Amounts are base units of the staked token, times seconds of the chain."""

    active: int
    devices: int
    # of `active`, what running jobs have locked
    held: int = 0
    # devices promised to them, and since when there are fewer; 0 for enough
    committed: int = 0
    short_since: int = 0
    jailed_until: int = 0
    # lock period => base units released in it
    released: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def is_short(self) -> bool:
        return self.committed > self.devices

    def has_been_short(self, now: int, grace: int) -> bool:
        """Noted for longer than a service level allows, and still."""
        return self.is_short and self.short_since > 0 and now >= self.short_since + grace

    def cooling(self, now: int) -> int:
        period = now // LOCK_PERIOD
        return self.released[period] + self.released[period - 1]

    def free(self, now: int) -> int:
        return max(0, self.active - self.held - self.cooling(now))

    def is_jailed(self, now: int) -> bool:
        """A term ends when its time is over and the bond is whole again."""
        return self.jailed_until > 0 and (now < self.jailed_until or self.active < MIN_SELF_BOND)

    def backing(self, collateral: int) -> int:
        """A job's part of what slashes have left of all that is locked."""
        if self.active >= self.held:
            return collateral
        return collateral * self.active // self.held

    def seize(self, tokens: int) -> None:
        """Pay a job's customer out of what the job has locked."""
        self.held -= tokens
        self.active -= tokens

    def release(self, tokens: int, now: int) -> None:
        """A job's lock ends; it is not free at once."""
        self.held -= tokens
        self.released[now // LOCK_PERIOD] += tokens
