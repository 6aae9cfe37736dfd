# pragma version 0.4.3
"""
@title Provider rewards in one word
@license Apache-2.0
@author Clearwork
@notice What one provider has claimed over all time, and what of it still vests, linearly
        until an end:
        claimed base units (96 bits) | remaining base units (96) | last second accounted
        (36) | seconds from then to the end (28).
@dev Rounding: what has vested is rounded down and a merged end is rounded up, so the dust
     stays in `remaining` until the end and is paid with it. Taking out what has vested, at
     any time, leaves the line as it was: nobody gains or loses by when it is called.
     36 bits of seconds last until the year 4147; 28 bits are eight years.
"""

CLAIMED_SHIFT: constant(uint256) = 160
REMAINING_SHIFT: constant(uint256) = 64
LAST_SHIFT: constant(uint256) = 28
AMOUNT_MASK: constant(uint256) = 2**96 - 1
LAST_MASK: constant(uint256) = 2**36 - 1
LEFT_MASK: constant(uint256) = 2**28 - 1


@internal
@pure
def _pack(claimed: uint256, remaining: uint256, last: uint256, left: uint256) -> uint256:
    return (claimed << CLAIMED_SHIFT | remaining << REMAINING_SHIFT | last << LAST_SHIFT | left)


@internal
@pure
def _claimed(word: uint256) -> uint256:
    """
    @return claimed base units over all time
    """
    return word >> CLAIMED_SHIFT


@internal
@view
def _split(word: uint256) -> (uint256, uint256, uint256):
    """
    @param word a provider's rewards
    @return vested base units that have vested by now, rounded down, and were not taken out
    @return unvested base units that still wait
    @return left seconds until they all have vested
    """
    remaining: uint256 = (word >> REMAINING_SHIFT) & AMOUNT_MASK
    left: uint256 = word & LEFT_MASK
    # chain time never runs backwards
    passed: uint256 = unsafe_sub(block.timestamp, (word >> LAST_SHIFT) & LAST_MASK)
    if passed >= left:
        return remaining, 0, 0
    # 96 + 28 bits can't overflow; `left` is more than `passed`, so it is not 0
    vested: uint256 = unsafe_div(unsafe_mul(remaining, passed), left)
    return vested, unsafe_sub(remaining, vested), unsafe_sub(left, passed)


@internal
@view
def _add(
    claimed: uint256, unvested: uint256, left: uint256, added: uint256, period: uint256
) -> uint256:
    """
    @notice The word after everything vested was taken out and more starts to vest. It all
            vests by the mean of both ends, weighted by amount.
    @param claimed base units claimed over all time, `added` included
    @param unvested base units that still wait
    @param left seconds until they all have vested
    @param added base units that start to vest now
    @param period seconds they take
    @return word the provider's rewards from now on
    """
    remaining: uint256 = unvested + added
    if remaining == 0:
        return self._pack(claimed, 0, block.timestamp, 0)
    # both sums stay below 96 + 28 + 1 bits
    weighted: uint256 = unvested * left + added * period
    return self._pack(claimed, remaining, block.timestamp, (weighted + remaining - 1) // remaining)


@internal
@view
def _rest(word: uint256, unvested: uint256, left: uint256) -> uint256:
    """
    @notice The word after everything vested was taken out; the end stays.
    @param word a provider's rewards
    @param unvested base units that still wait
    @param left seconds until they all have vested
    """
    return self._pack(self._claimed(word), unvested, block.timestamp, left)
