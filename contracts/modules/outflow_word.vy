# pragma version 0.4.3
"""
@title Outflow in one word
@license Apache-2.0
@author Clearwork
@notice How much of what was open to claims has been taken lately, and what was left open then:
        level base units (96 bits) | base units open then (96) | chain time in seconds (40).
        The level falls by a cap per day, in a straight line.
@dev Rounding: what it has fallen by is rounded down, against who claims. What was taken since then
     shows in what is open now, so a claim writes nothing here; it counts as taken just now.
"""

LEVEL_SHIFT: constant(uint256) = 136
OPEN_SHIFT: constant(uint256) = 40
AMOUNT_MASK: constant(uint256) = 2**96 - 1
TIME_MASK: constant(uint256) = 2**40 - 1
DAY: constant(uint256) = 86_400


@internal
@view
def _pack(level: uint256, open: uint256) -> uint256:
    """
    @param level base units
    @param open base units that are open to claims from now on
    """
    return min(level, AMOUNT_MASK) << LEVEL_SHIFT | open << OPEN_SHIFT | block.timestamp


@internal
@view
def _level(word: uint256, open: uint256, cap: uint256) -> uint256:
    """
    @param word the outflow, 0 for none
    @param open base units of those open then that still are
    @param cap base units that the level falls by per day
    @return level base units, now
    """
    level: uint256 = word >> LEVEL_SHIFT
    # 96 + 40 bits can't overflow
    fallen: uint256 = cap * (block.timestamp - (word & TIME_MASK)) // DAY
    open_then: uint256 = (word >> OPEN_SHIFT) & AMOUNT_MASK
    # a gift to the contract is no negative outflow
    return level - min(level, fallen) + open_then - min(open_then, open)
