"""Emission in whole numbers: the schedule, halving by issuance, and its split over subnets.

The twins of `contracts/modules/halving.vy` and `subnet_split.vy`, for clients that look ahead
and for tests that hold them against each other. The rule of the schedule is Bittensor's
`get_block_emission_for_issuance` (specs/emissions.md, section 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, zip_longest

BPS = 10_000


@dataclass(frozen=True, slots=True)
class Schedule:
    """Constants of one deployment.

    `cap`: base units that can ever be issued. `initial`: base units per `block_seconds`
    before the first halving. `block_seconds`: seconds in one block's worth of time.
    """

    cap: int
    initial: int
    block_seconds: int

    def block_emission(self, issuance: int) -> int:
        """Base units per block's worth of time once `issuance` base units are out."""
        if issuance >= self.cap:
            return 0
        return self.initial >> self._halvings(issuance)

    def emission(self, issuance: int, duration: int, carry: int = 0) -> tuple[int, int]:
        """What `duration` seconds emit, and the carry they leave over.

        The issuance at the start of a second sets that second's rate, so a span emits the
        same in one piece or in many. `carry` is the fraction of a base unit that the span
        before left over, in base units times seconds; at the cap it ends as 0.
        """
        issued, seconds_left = issuance, duration
        while seconds_left and (rate := self.block_emission(issued)):
            threshold = self.cap - (self.cap >> (self._halvings(issued) + 1))
            missing = (threshold - issued) * self.block_seconds - carry
            passed = min(-(-missing // rate), seconds_left)
            whole, carry = divmod(passed * rate + carry, self.block_seconds)
            issued += whole
            seconds_left -= passed
        if issued >= self.cap:
            return max(self.cap - issuance, 0), 0
        return issued - issuance, carry

    def _halvings(self, issuance: int) -> int:
        """floor(log2(cap / (cap - issuance))), for an issuance below the cap."""
        return (self.cap // (self.cap - issuance)).bit_length() - 1


@dataclass(frozen=True, slots=True)
class Split:
    """What became of a budget, in base units.

    `shares`: by subnet, 0 the market at large. `withheld`: cut because owners of subnets
    withhold it. `over_cap`: cut because it is more than a part of the fees that were paid.
    `no_fees`: the fee part where nobody paid any. All together are the budget.
    """

    shares: list[int]
    withheld: int = 0
    over_cap: int = 0
    no_fees: int = 0

    @property
    def granted(self) -> int:
        """Base units that subnets get."""
        return sum(self.shares)


def split_budget(
    budget: int,
    beta_bps: int,
    cap_ratio_bps: int,
    votes: Sequence[int],
    fees: Sequence[int],
    withheld_bps: Sequence[int],
) -> Split:
    """Split an epoch's budget over subnets: the twin of `contracts/modules/subnet_split.vy`.

    `beta_bps` of the budget follow `fees` (base units of the work token by subnet), the rest
    `votes` (base units of stake). Of a subnet's fee part `withheld_bps`, as many as `fees`, is
    cut, and what is more than `cap_ratio_bps` of its fees. See specs/emissions.md, section 1.
    """
    fee_part = budget * beta_bps // BPS
    shares = _parts(budget - fee_part, votes) or [budget - fee_part]
    parts = _parts(fee_part, fees)
    if not parts:
        return Split(shares, no_fees=fee_part)
    left = [part * (BPS - bps) // BPS for part, bps in zip(parts, withheld_bps, strict=True)]
    paid = [min(part, fee * cap_ratio_bps // BPS) for part, fee in zip(left, fees, strict=True)]
    both = [a + b for a, b in zip_longest(shares, paid, fillvalue=0)]
    return Split(both, withheld=sum(parts) - sum(left), over_cap=sum(left) - sum(paid))


def _parts(amount: int, weights: Sequence[int]) -> list[int]:
    """Cut an amount in proportion to weights; none where no weight is above 0.

    Each part ends where the sum of the weights up to its own does, rounded down, so it is within
    one of its exact value and all of them are the amount.
    """
    total = sum(weights)
    if total == 0:
        return []
    ends = [amount * below // total for below in accumulate(weights)]
    return [end - start for start, end in pairwise([0, *ends])]
