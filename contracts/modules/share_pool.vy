# pragma version 0.4.3
"""
@title Share pool
@license Apache-2.0
@author Clearwork
@notice The arithmetic of a pool of tokens owned through shares: putting tokens in, taking
        them out, and slashing tokens without touching a share. Pure: a pool goes in and
        comes out as its word.
@dev Rounding always favours the pool: shares minted down, tokens out down. So a pool
     never owes more than it holds, and its share price falls by a slash only.

     Two guards keep the price within reach of both ends:
     - Every deposit mints MIN_SHARES at least. One share is then never worth more than a
       billionth of what somebody puts in, so no donation and no tiny remainder makes a later
       owner lose more than that to rounding; where shares are dear, deposits have to be large.
     - Where a slash brings the price under a billionth of a token per share, all shares are
       divided by RESCALE until it is above, each holder's when it is next looked at. So the
       shares of any amount of tokens fit 128 bits and a pool can be refilled after whatever
       slash. Rounding down costs a holder less than one new share. A rescaled pool has about
       10**8 shares per base unit or more, and 10**17 in all: a holder loses 10**-8 units, and
       what nobody owns then is one share per holder out of so many.

     A pool starts anew, older shares are worth nothing, and what is left waits for the next
     owner only where a slash leaves it fewer than MIN_TOKENS, or where it holds fewer shares
     and base units than that when somebody has left.
"""

from . import staking_words

# shares a deposit mints at least
MIN_SHARES: constant(uint256) = 10**9
# base units under which a slash leaves nothing worth owning
MIN_TOKENS: constant(uint256) = 10**9
MAX_SHARES_PER_TOKEN: constant(uint256) = 10**9
# small, so that a rescale leaves as many shares per token as it can
RESCALE: constant(uint256) = 10
# a pool has at most 2**96 * 10**9 shares, which twenty of them bring under the 10**18 that
# MIN_TOKENS may have
MAX_RESCALES: constant(uint256) = 20
# rescales that leave something of 128 bits: 2**128 < 10**39
MAX_STEPS: constant(uint256) = 38


@internal
@pure
def _current(word: uint256, shares: uint256, generation: uint256) -> uint256:
    """
    @notice Shares of an earlier generation in today's, rounded down.
    """
    today: uint256 = staking_words._generation(word)
    if generation == today:
        return shares
    steps: uint256 = today - generation
    if staking_words._life(generation) != staking_words._life(today) or steps > MAX_STEPS:
        return 0
    return shares // RESCALE**steps


@internal
@pure
def _value(word: uint256, shares: uint256) -> uint256:
    """
    @notice What `shares` are worth now, rounded down, in base units.
    """
    pool: staking_words.Pool = staking_words._pool(word)
    if pool.shares == 0:
        return 0
    return shares * pool.tokens // pool.shares


@internal
@pure
def _deposit(word: uint256, tokens: uint256) -> (uint256, uint256):
    """
    @notice Put tokens in.
    @return word the pool afterwards
    @return shares what the payer gets, rounded down
    """
    pool: staking_words.Pool = staking_words._pool(word)
    shares: uint256 = tokens
    # shares without tokens can't be: `_scale` and `_redeem` start such a pool anew
    if pool.shares != 0:
        shares = tokens * pool.shares // pool.tokens
    assert shares >= MIN_SHARES, "share_pool: amount too small"
    pool.tokens += tokens
    pool.shares += shares
    return staking_words._pack_pool(pool), shares


@internal
@pure
def _redeem(word: uint256, shares: uint256) -> (uint256, uint256):
    """
    @notice Take out what shares are worth; the caller has checked that they are the
            holder's.
    @return word the pool afterwards
    @return tokens base units, rounded down
    """
    tokens: uint256 = self._value(word, shares)
    pool: staking_words.Pool = staking_words._pool(word)
    pool.tokens -= tokens
    pool.shares -= shares
    # what rescaling rounded away belongs to nobody; it must not set the price of a new start
    if pool.shares < MIN_SHARES and pool.tokens < MIN_TOKENS:
        pool = self._anew(pool)
    return staking_words._pack_pool(pool), tokens


@internal
@pure
def _anew(pool: staking_words.Pool) -> staking_words.Pool:
    """
    @notice The pool without owners; one that never had any stays as it is.
    """
    anew: staking_words.Pool = pool
    if pool.shares != 0:
        anew.shares = 0
        anew.generation = (staking_words._life(pool.generation) + 1) << staking_words.RESCALES
    return anew


@internal
@pure
def _scale(word: uint256, tokens: uint256) -> uint256:
    """
    @notice Leave a pool with fewer tokens and the same owners.
    @param tokens base units left in the pool
    """
    pool: staking_words.Pool = staking_words._pool(word)
    pool.tokens = tokens
    if tokens < MIN_TOKENS:
        pool = self._anew(pool)
    for _: uint256 in range(MAX_RESCALES):
        if pool.shares <= tokens * MAX_SHARES_PER_TOKEN:
            break
        pool.shares //= RESCALE
        pool.generation += 1
    return staking_words._pack_pool(pool)


@internal
@pure
def _add(word: uint256, tokens: uint256) -> uint256:
    """
    @notice Raise the price of all shares.
    @param tokens base units put in for nothing
    """
    pool: staking_words.Pool = staking_words._pool(word)
    pool.tokens += tokens
    return staking_words._pack_pool(pool)


@internal
@pure
def _remaining(active: uint256, thawing: uint256, taken: uint256) -> (uint256, uint256):
    """
    @notice Split a slash over an active amount and what is unbonding from it, pro rata.
    @param taken base units, at most the sum of both
    @return active what is left of it
    @return thawing what is left of it, rounded down: the odd unit stays in the pool
    """
    if thawing == 0:
        return active - taken, 0
    total: uint256 = active + thawing
    left: uint256 = total - taken
    thawing_left: uint256 = thawing * left // total
    return left - thawing_left, thawing_left
