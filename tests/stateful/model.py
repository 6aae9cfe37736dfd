"""What ProviderStaking should do, in exact rationals: no rounding, no shares, no packing.

Every holding is an amount of tokens. A slash multiplies holdings, a reward multiplies the
delegations, everything else moves tokens. The contract rounds, so the two drift apart;
`Provider.dust` is the bound on the drift, summed over all holdings of one provider:

- each rounding in a pool moves less than one grain (the price of a share, at least a base
  unit) between holders, which counts twice in the sum;
- a slash rounds once per tier, and otherwise shrinks the drift or keeps it; where it brings
  the price of a share under a billionth, shares are rescaled, which costs all holders
  together less than a base unit;
- rewards of `r` on a pool of `t` tokens grow the drift by 2 r / t at most.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from fractions import Fraction

# tokens per share under which shares are rescaled, and by how much (share_pool.vy)
LEAST_PRICE = Fraction(1, 10**9)
RESCALE = 10
# base units; a pool starts anew, and its holders forfeit what it holds, only below
MIN_TOKENS = 10**9


@dataclass
class Pool:
    """Tokens of many holders that gain and lose together."""

    holdings: dict[Hashable, Fraction] = field(default_factory=dict)
    # left over from holders who were wiped out; the next holder gets it
    orphaned: Fraction = Fraction(0)
    # tokens per share; an upper bound where the drift hides whether shares were rescaled
    price: Fraction = Fraction(1)

    @property
    def tokens(self) -> Fraction:
        return sum(self.holdings.values(), self.orphaned)

    @property
    def grain(self) -> Fraction:
        """Base units that one rounding can move, and some for the drift of the price."""
        return 2 + 2 * max(self.price, Fraction(1))

    def of(self, holder: Hashable) -> Fraction:
        return self.holdings.get(holder, Fraction(0))

    def put(self, holder: Hashable, tokens: Fraction) -> None:
        if not self.holdings:
            self.price = (tokens + self.orphaned) / tokens
            tokens += self.orphaned
            self.orphaned = Fraction(0)
        self.holdings[holder] = self.of(holder) + tokens

    def take(self, holder: Hashable, part: Fraction = Fraction(1)) -> Fraction:
        tokens = self.holdings.pop(holder)
        if part != 1:
            self.holdings[holder] = tokens * (1 - part)
        return tokens * part

    def multiply(self, factor: Fraction) -> None:
        self.holdings = {holder: tokens * factor for holder, tokens in self.holdings.items()}
        self.orphaned *= factor
        self.price *= factor

    def rescale(self) -> int:
        """After a slash; returns the base units that it may cost all holders together."""
        cost = 0
        while 0 < self.price < 2 * LEAST_PRICE:
            self.price *= RESCALE
            cost = 1
        return cost

    def settle(self, wiped: bool, dust: Fraction) -> None:
        """`wiped` says that the contract started the pool anew: only dust was left in it."""
        if wiped and self.holdings:
            assert self.tokens < MIN_TOKENS + dust, "wiped out too early"
            self.orphaned = self.tokens
            self.holdings.clear()


@dataclass(frozen=True, eq=False)
class Request:
    """A request to leave; it is itself the holder of its tokens in a thawing pool."""

    ready_at: int


@dataclass
class Provider:
    """One provider: its self-bond, its delegations, and who is leaving either."""

    reporter_bps: int
    commission_bps: int
    active: Fraction = Fraction(0)
    held: int = 0
    # lock window => base units released in it
    released: dict[int, int] = field(default_factory=dict)
    jailed_until: int = 0
    # base units that open cases hold, and when self-bond last began to leave meanwhile
    held_by_cases: int = 0
    exit_at: int = 0
    # reporter cut that waits for its time, and that time
    next_reporter_bps: tuple[int, int] | None = None
    thawing: Pool = field(default_factory=Pool)
    requests: list[Request] = field(default_factory=list)
    delegations: Pool = field(default_factory=Pool)
    leaving: Pool = field(default_factory=Pool)
    leavers: dict[str, list[Request]] = field(default_factory=dict)
    dust: Fraction = Fraction(1)

    @property
    def slashable(self) -> Fraction:
        return self.active + self.thawing.tokens + self.delegations.tokens + self.leaving.tokens

    def cooling(self, window: int) -> int:
        return self.released.get(window, 0) + self.released.get(window - 1, 0)

    def requests_of(self, delegator: str) -> list[Request]:
        return self.leavers.setdefault(delegator, [])

    def rounded(self, *pools: Pool) -> None:
        """One rounding happened in each of these pools."""
        self.dust += sum((2 * pool.grain for pool in pools), Fraction(0))

    def unbond(self, part: Fraction, ready_at: int) -> None:
        request = Request(ready_at)
        tokens = self.active * part
        self.active -= tokens
        self.thawing.put(request, tokens)
        self.requests.append(request)
        self.rounded(self.thawing)

    def cancel_unbonding(self, index: int) -> None:
        self.active += self.thawing.take(close(self.requests, index))
        self.rounded(self.thawing)

    def withdraw(self, now: int, count: int) -> Fraction:
        paid = self._pay(self.thawing, self.requests, now, count)
        self.rounded(self.thawing)
        return paid

    def delegate(self, delegator: str, tokens: Fraction) -> None:
        self.delegations.put(delegator, tokens)
        self.rounded(self.delegations)

    def undelegate(self, delegator: str, part: Fraction, ready_at: int) -> None:
        request = Request(ready_at)
        self.leaving.put(request, self.delegations.take(delegator, part))
        self.requests_of(delegator).append(request)
        self.rounded(self.delegations, self.leaving)

    def cancel_undelegation(self, delegator: str, index: int) -> None:
        tokens = self.leaving.take(close(self.requests_of(delegator), index))
        self.delegations.put(delegator, tokens)
        self.rounded(self.leaving, self.delegations)

    def withdraw_delegation(self, delegator: str, now: int, count: int) -> Fraction:
        paid = self._pay(self.leaving, self.requests_of(delegator), now, count)
        self.rounded(self.leaving)
        return paid

    @staticmethod
    def _pay(pool: Pool, requests: list[Request], now: int, count: int) -> Fraction:
        """Pay matured requests from the last to the first."""
        paid = Fraction(0)
        for index in reversed(range(len(requests))):
            if count and requests[index].ready_at <= now:
                paid += pool.take(close(requests, index))
                count -= 1
        return paid

    def reward(self, tokens: int) -> int:
        """Share rewards out; returns the commission."""
        if not self.delegations.holdings:
            return tokens
        commission = tokens * self.commission_bps // 10_000
        growth = Fraction(tokens - commission) / self.delegations.tokens
        self.delegations.multiply(1 + growth)
        self.dust *= 1 + 2 * growth
        return commission

    def take_self_bond(self, tokens: Fraction) -> Fraction:
        """Take up to `tokens` of the first tier; returns what could not be had."""
        total = self.active + self.thawing.tokens
        taken = min(tokens, total)
        if total:
            self.active *= 1 - taken / total
            self.thawing.multiply(1 - taken / total)
        self.dust += 2 + self.thawing.rescale()
        return tokens - taken

    def slash(self, tokens: Fraction) -> None:
        rest = self.take_self_bond(tokens)
        total = self.delegations.tokens + self.leaving.tokens
        if total:
            factor = 1 - min(rest, total) / total
            self.delegations.multiply(factor)
            self.leaving.multiply(factor)
        self.dust += 2 + self.delegations.rescale() + self.leaving.rescale()

    def settle(self, thawing: bool, delegations: bool, leaving: bool) -> None:
        """After a slash: which pools the contract started anew."""
        self.thawing.settle(thawing, self.dust)
        self.delegations.settle(delegations, self.dust)
        self.leaving.settle(leaving, self.dust)
        if not self.thawing.holdings:
            self.requests.clear()
        if not self.leaving.holdings:
            self.leavers.clear()


def close(requests: list[Request], index: int) -> Request:
    """Remove one request; the last one takes its place."""
    requests[index], requests[-1] = requests[-1], requests[index]
    return requests.pop()
