# pragma version 0.4.3
"""
@title Credit word
@license Apache-2.0
@author Clearwork
@notice Income that waits for its dispute window to pass, in one storage word:

          current uint112 | previous uint112 | window uint32

        Chain time is cut into windows of equal length. Income of the word's window is
        `current`, of the window before it `previous`. What was earned in one window matures
        when the window after it is over: it waits at least one window and at most two.
@dev No other file shifts these bits. Sums stay below 2**112 because the escrow never holds
     more of an asset than that, and it holds all that is pending.
"""

CURRENT_SHIFT: constant(uint256) = 144
PREVIOUS_SHIFT: constant(uint256) = 32

MAX_CREDIT: constant(uint256) = 2**112 - 1
MAX_WINDOW: constant(uint256) = 2**32 - 1


@internal
@pure
def _roll(word: uint256, window: uint256) -> (uint256, uint256):
    """
    @notice Bring a word to a window.
    @param word the word as stored
    @param window number of the window that chain time is in, not before the word's
    @return next_word the word of that window
    @return matured base units that have waited long enough and are no longer in the word
    """
    # not negative: chain time never falls
    age: uint256 = unsafe_sub(window, word & MAX_WINDOW)
    if age == 0:
        return word, 0
    current: uint256 = word >> CURRENT_SHIFT
    previous: uint256 = (word >> PREVIOUS_SHIFT) & MAX_CREDIT
    if age == 1:
        return current << PREVIOUS_SHIFT | window, previous
    # both below 2**112
    return window, unsafe_add(current, previous)


@internal
@pure
def _add(word: uint256, amount: uint256) -> uint256:
    """
    @param word a word rolled to the window that chain time is in
    @param amount base units earned now; the sum with `current` stays below 2**112
    """
    return unsafe_add(word, amount << CURRENT_SHIFT)


@internal
@pure
def _pending(word: uint256) -> uint256:
    """
    @notice Base units that still wait in a rolled word.
    """
    return (word >> CURRENT_SHIFT) + ((word >> PREVIOUS_SHIFT) & MAX_CREDIT)


@internal
@pure
def _take(word: uint256, amount: uint256) -> uint256:
    """
    @notice Take income out of a rolled word, the newest first.
    @param amount base units, at most what is pending
    """
    current: uint256 = word >> CURRENT_SHIFT
    from_current: uint256 = min(current, amount)
    return unsafe_sub(
        word,
        from_current << CURRENT_SHIFT | unsafe_sub(amount, from_current) << PREVIOUS_SHIFT,
    )
