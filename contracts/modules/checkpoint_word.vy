# pragma version 0.4.3
"""
@title Checkpoint word
@license Apache-2.0
@author Clearwork
@notice How much of a job's usage is beyond dispute, in one storage word:

          newer GPU-seconds uint40 | its window uint32 | older GPU-seconds uint40 | its window uint32

        A checkpoint is what was settled at the latest by some window. Two windows later the
        income from it has matured, and it can't be disputed any more. The older one is kept
        while the newer one still waits. A checkpoint of window 0 waits for nothing: what was
        disputed once is not disputed again, nor what the customer signed for.
@dev No other file shifts these bits.
"""

NEWER_SHIFT: constant(uint256) = 104
NEWER_WINDOW_SHIFT: constant(uint256) = 72
OLDER_SHIFT: constant(uint256) = 32

MAX_SECONDS: constant(uint256) = 2**40 - 1
MAX_WINDOW: constant(uint256) = 2**32 - 1
# windows until income has matured
MATURE_AFTER: constant(uint256) = 2


@internal
@pure
def _mark(word: uint256, settled: uint256, window: uint256) -> uint256:
    """
    @notice Add a checkpoint. One that the newer would replace too early stays.
    @param word the job's word, 0 for none
    @param settled GPU-seconds settled now
    @param window number of the present dispute window
    """
    newer: uint256 = (word >> NEWER_SHIFT) & MAX_SECONDS
    newer_window: uint256 = (word >> NEWER_WINDOW_SHIFT) & MAX_WINDOW
    if newer_window != 0 and window < newer_window + MATURE_AFTER:
        return word
    return (
        settled << NEWER_SHIFT | window << NEWER_WINDOW_SHIFT | newer << OLDER_SHIFT | newer_window
    )


@internal
@pure
def _final(settled: uint256) -> uint256:
    """
    @notice The word of a job whose usage so far can't be disputed from now on.
    @param settled GPU-seconds settled now
    """
    return settled << NEWER_SHIFT


@internal
@pure
def _agreed(word: uint256, seconds: uint256) -> uint256:
    """
    @notice Add usage that the customer signed for. A newer checkpoint of more stays.
    @param word the job's word, 0 for none
    @param seconds GPU-seconds, at most what is settled now
    """
    if seconds >= (word >> NEWER_SHIFT) & MAX_SECONDS:
        return self._final(seconds)
    older: uint256 = max((word >> OLDER_SHIFT) & MAX_SECONDS, seconds)
    return (word >> NEWER_WINDOW_SHIFT << NEWER_WINDOW_SHIFT) | older << OLDER_SHIFT


@internal
@pure
def _undisputed(word: uint256, window: uint256) -> uint256:
    """
    @return seconds GPU-seconds whose income has matured by this window
    """
    if window >= ((word >> NEWER_WINDOW_SHIFT) & MAX_WINDOW) + MATURE_AFTER:
        return (word >> NEWER_SHIFT) & MAX_SECONDS
    return (word >> OLDER_SHIFT) & MAX_SECONDS
