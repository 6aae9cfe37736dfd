"""Stakes, penalties and rewards, in base units: integers, rounded as the contracts round.

The twin of `contracts/modules/penalties.vy`, of `SlashingCourt._punish` and of
`contracts/modules/vesting.vy`; a test holds the first two against the compiled modules.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from scripts._parameters import BPS, DAY, Parameters


def share(tokens: int, bps: int) -> int:
    """A share of an amount, rounded up."""
    return -(-tokens * bps // BPS)


def correlated(bps: int, multiplier: int, max_bps: int, convicted: int, total: int) -> int:
    """The share that a fault costs while others are convicted too, bps."""
    if total == 0:
        return bps
    return min(max_bps, bps + bps * multiplier * convicted // total)


@dataclass(frozen=True, slots=True)
class Sentence:
    """What a conviction took, and who got it."""

    slashed: int
    victim: int
    reporter: int
    seized: int
    burnt: int


@dataclass(slots=True)
class Vesting:
    """A provider's rewards: part at once, the rest over a period."""

    period: int
    immediate_bps: int
    granted: int = 0
    _remaining: int = 0
    _last: int = 0
    _left: int = 0

    def grant(self, amount: int, now: int) -> None:
        """Pay a reward at chain time `now`."""
        self.granted += amount
        unvested, left = self._split(now)
        added = amount - amount * self.immediate_bps // BPS
        self._remaining, self._last = unvested + added, now
        weighted = unvested * left + added * self.period
        self._left = -(-weighted // self._remaining) if self._remaining else 0

    def seize(self, now: int) -> int:
        """Take what has not vested; how much that is."""
        unvested, _ = self._split(now)
        self._remaining = 0
        self.granted -= unvested
        return unvested

    def _split(self, now: int) -> tuple[int, int]:
        """What waits, and for how many seconds."""
        passed = now - self._last
        if passed >= self._left:
            return 0, 0
        return self._remaining - self._remaining * passed // self._left, self._left - passed


@dataclass(slots=True)
class Account:
    """A provider's money."""

    stake: int
    vesting: Vesting
    # of jobs, after the market's fee
    income: int = 0
    # of watchers whose requests for leaves it answered
    bonds: int = 0
    slashed: int = 0
    jailed_until: int = 0

    @property
    def gained(self) -> int:
        """What it was paid and kept, vested or not."""
        return self.vesting.granted + self.income + self.bonds


@dataclass(slots=True)
class Court:
    """Penalties of all providers. Times are chain time in seconds."""

    parameters: Parameters
    reporter_bps: int
    accounts: dict[int, Account]
    _days: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    _convicted: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def convict(self, provider: int, owed: int, now: int) -> Sentence:
        """Punish a false attestation or a withheld leaf; `owed`: to a customer whose job fails."""
        policy, account = self.parameters.court, self.accounts[provider]
        total = sum(one.stake for one in self.accounts.values())
        bps = correlated(
            policy.false_attestation_bps, policy.correlation_multiplier, policy.max_penalty_bps,
            self.convicted_stake(now), total,
        )  # fmt: skip
        penalty = share(account.stake, bps)
        slashed = min(self.impose(provider, account.stake, penalty, owed, now), account.stake)
        victim = min(owed, slashed)
        reporter = (slashed - victim) * min(policy.reporter_bps, self.reporter_bps) // BPS
        seized = account.vesting.seize(now)
        paid = victim + min(owed - victim, seized)
        account.stake -= slashed
        account.slashed += slashed
        account.jailed_until = max(account.jailed_until, now + policy.jail)
        return Sentence(slashed, paid, reporter, seized, slashed + seized - paid - reporter)

    def convicted_stake(self, now: int) -> int:
        """Base units behind the providers that were convicted today and yesterday."""
        today = now // DAY
        return self._convicted[today] + self._convicted[today - 1]

    def impose(self, provider: int, stake: int, penalty: int, owed: int, now: int) -> int:
        """Cut a penalty to what the day leaves, and count the stake as convicted."""
        today = now // DAY
        day, base, taken = self._days.get(provider, (-1, 0, 0))
        if day != today:
            base, taken = stake, 0
            self._convicted[today] += base
        cap = base * self.parameters.court.daily_cap_bps // BPS
        amount = max(owed, min(penalty, cap - min(cap, taken)))
        self._days[provider] = today, base, taken + amount
        return amount
