# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Penalties: two bounds on what a fault costs
@license Apache-2.0
@author Clearwork
@notice Correlation. One card that fails is bad luck; many providers that are convicted at
        once share a cause, and whoever relied on them is harmed at once. A penalty grows
        with the stake that was convicted lately, relative to all stake, up to a largest
        share. "Lately" is the present day and the one before; a provider's stake counts
        once a day, from its first penalty on, so a lone first fault costs the plain share.

        Daily cap. All penalties of one provider within one day (UTC) take at most a share
        of its stake at the first of them: a bug that makes every commit false costs a day's
        share before somebody can act, not everything. What a victim is owed is a debt and
        is never cut; it counts towards the cap, so that it is the fire and the reporter who
        get less.
@dev Words. A provider's day: number of the day (64 bits) | stake at its first penalty (96) |
     taken since (96). Convicted stake: number of the day (64) | convicted that day (96) |
     the day before (96). Amounts are base units of the staked token, whose supply fits 96
     bits; sums that could pass them, as the same tokens may be convicted behind two
     providers, stay at the largest value. No other file shifts these bits.

     Rounding: a share of stake is rounded up, a scaled share and a cap down.
"""

BPS: constant(uint256) = 10_000
DAY: constant(uint256) = 86_400

TOKENS_BITS: constant(uint256) = 96
SECOND_SHIFT: constant(uint256) = TOKENS_BITS
DAY_SHIFT: constant(uint256) = SECOND_SHIFT + TOKENS_BITS
MAX_TOKENS: constant(uint256) = 2**TOKENS_BITS - 1

# provider => word of the last day on which it was penalised
days: HashMap[uint24, uint256]
# word of the stake convicted over the whole network
convicted: uint256


@external
@view
def penalty_day(provider: uint24) -> (uint256, uint256, uint256):
    """
    @notice The last day on which a provider was penalised; all zero for none.
    @param provider provider id
    @return day chain time in days
    @return stake base units behind the provider at the day's first penalty
    @return taken base units of all penalties of that day
    """
    word: uint256 = self.days[provider]
    return word >> DAY_SHIFT, (word >> SECOND_SHIFT) & MAX_TOKENS, word & MAX_TOKENS


@external
@view
def convicted_stake() -> uint256:
    """
    @notice Base units behind the providers that were convicted today and yesterday.
    """
    return self._convicted_stake()


@internal
@view
def _convicted_stake() -> uint256:
    current: uint256 = 0
    previous: uint256 = 0
    current, previous = self._rolled()
    return current + previous


@internal
@view
def _rolled() -> (uint256, uint256):
    """
    @return current base units convicted today
    @return previous base units convicted yesterday
    """
    word: uint256 = self.convicted
    current: uint256 = (word >> SECOND_SHIFT) & MAX_TOKENS
    passed: uint256 = block.timestamp // DAY - (word >> DAY_SHIFT)
    if passed == 0:
        return current, word & MAX_TOKENS
    return 0, current if passed == 1 else 0


@internal
@view
def _correlated(bps: uint256, multiplier: uint256, max_bps: uint256, total: uint256) -> uint256:
    """
    @notice The share that a fault costs while others are convicted too.
    @param bps plain share
    @param multiplier how many times the convicted part of all stake adds to it
    @param max_bps largest share, at least `bps`
    @param total base units of all stake
    """
    if total == 0:
        return bps
    return min(max_bps, bps + bps * multiplier * self._convicted_stake() // total)


@internal
@pure
def _share(tokens: uint256, bps: uint256) -> uint256:
    """
    @notice A share of an amount, rounded up.
    """
    return (tokens * bps + BPS - 1) // BPS


@internal
def _impose(
    provider: uint24, stake: uint256, cap_bps: uint256, penalty: uint256, owed: uint256
) -> uint256:
    """
    @notice Cut a penalty to what the day leaves, count it, and count the provider's stake
            as convicted.
    @param provider who is penalised
    @param stake base units behind it now, or when the case was opened, whichever is more
    @param cap_bps share of the stake that one day can take
    @param penalty base units the fault costs
    @param owed base units of it that a victim is owed
    @return amount base units to take
    """
    today: uint256 = block.timestamp // DAY
    word: uint256 = self.days[provider]
    base: uint256 = (word >> SECOND_SHIFT) & MAX_TOKENS
    taken: uint256 = word & MAX_TOKENS
    if word >> DAY_SHIFT != today:
        base = min(stake, MAX_TOKENS)
        taken = 0
        self._count(base, today)
    cap: uint256 = base * cap_bps // BPS
    amount: uint256 = max(owed, min(penalty, cap - min(cap, taken)))
    self.days[provider] = self._pack(today, base, taken + amount)
    return amount


@internal
def _count(stake: uint256, today: uint256):
    current: uint256 = 0
    previous: uint256 = 0
    current, previous = self._rolled()
    self.convicted = self._pack(today, current + stake, previous)


@internal
@pure
def _pack(day: uint256, first: uint256, second: uint256) -> uint256:
    """
    @dev Chain time in days fits 64 bits.
    """
    return ((day << DAY_SHIFT) | (min(first, MAX_TOKENS) << SECOND_SHIFT) | min(second, MAX_TOKENS))
