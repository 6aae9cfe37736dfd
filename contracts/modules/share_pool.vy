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
     - Every deposit mints MIN_SHARES at least, and a pool left with fewer starts anew. One
       share can then never be worth more than a billionth of what somebody put in, so no
       donation and no tiny remainder makes a later owner lose more than that to rounding.
     - Where a slash brings the price under a billionth of a token per share, all shares are
       divided by RESCALE, each holder's when it is next looked at. So the shares of any
       amount of tokens fit 128 bits, a pool can be refilled after whatever slash, and a
       holder loses less than one new share, which is worth at most one base unit then.

     Only a pool that a rescale would leave with fewer than MIN_SHARES starts anew for good:
     older shares are worth nothing, and what is left, less than MIN_SHARES base units,
     waits for the next owner.
"""

from . import staking_words

MIN_SHARES: constant(uint256) = 10**9
MAX_SHARES_PER_TOKEN: constant(uint256) = 10**9
# must not exceed MAX_SHARES_PER_TOKEN, or a rescale could leave fewer shares than tokens
RESCALE: constant(uint256) = 10**9
# a pool has at most 2**96 * 10**9 shares, which four of them bring under MIN_SHARES
MAX_RESCALES: constant(uint256) = 4


@internal
@pure
def _current(word: uint256, shares: uint256, generation: uint256) -> uint256:
    """
    @notice Shares of an earlier generation in today's, rounded down.
    """
    today: uint256 = staking_words._generation(word)
    if generation == today:
        return shares
    # after five rescales nothing is left of 128 bits
    steps: uint256 = today - generation
    if staking_words._life(generation) != staking_words._life(today) or steps > 4:
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
    if pool.shares < MIN_SHARES:
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
    rescaled: staking_words.Pool = pool
    for _: uint256 in range(MAX_RESCALES):
        if rescaled.shares <= tokens * MAX_SHARES_PER_TOKEN:
            break
        rescaled.shares //= RESCALE
        rescaled.generation += 1
    if rescaled.shares < MIN_SHARES:
        rescaled = self._anew(pool)
    return staking_words._pack_pool(rescaled)


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
