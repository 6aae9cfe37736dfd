# pragma version 0.4.3
"""
@title Rising price
@license Apache-2.0
@author Clearwork
@notice A price that each sale raises by a factor, and that falls back to its floor in a straight
        line over a period. One storage word:

          price after the last sale 96 | chain time of that sale, seconds 40

        0 means that nothing was sold: the price is the floor.
@dev Rounding: up, against the buyer. No other file shifts these bits.
"""

PRICE_BITS: constant(uint256) = 96
MAX_PRICE: constant(uint256) = 2**PRICE_BITS - 1
BPS: constant(uint256) = 10_000


@internal
@view
def _price(word: uint256, lowest: uint256, period: uint256) -> uint256:
    """
    @param word of the last sale
    @param lowest base units, the floor, not 0 and at most `MAX_PRICE`
    @param period seconds from any price to the floor, not 0
    @return price base units, now
    """
    if word == 0:
        return lowest
    elapsed: uint256 = block.timestamp - (word >> PRICE_BITS)
    if elapsed >= period:
        return lowest
    above: uint256 = (word & MAX_PRICE) - lowest
    return lowest + (above * (period - elapsed) + period - 1) // period


@internal
@view
def _sold(price: uint256, factor_bps: uint256) -> uint256:
    """
    @param price base units of the sale that is made now
    @param factor_bps by which it raises the price, at least 10 000
    @return word after it
    """
    raised: uint256 = min((price * factor_bps + BPS - 1) // BPS, MAX_PRICE)
    return (block.timestamp << PRICE_BITS) | raised
