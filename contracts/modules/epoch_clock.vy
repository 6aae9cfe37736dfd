# pragma version 0.4.3
"""
@title Epoch clock
@license Apache-2.0
@author Clearwork
@notice Chain time cut into epochs of equal length. Epoch 0 starts at `GENESIS`.
"""

# chain time in seconds at which epoch 0 starts
GENESIS: public(immutable(uint256))
# seconds in one epoch
EPOCH_LENGTH: public(immutable(uint256))


@deploy
def __init__(genesis: uint256, epoch_length: uint256):
    """
    @param genesis chain time in seconds at which epoch 0 starts
    @param epoch_length seconds in one epoch, 1 to 30 days
    """
    assert epoch_length != 0 and epoch_length <= 30 * 86_400, "epoch_clock: length out of bounds"
    GENESIS = genesis
    EPOCH_LENGTH = epoch_length


@external
@view
def current_epoch() -> uint64:
    """
    @notice The epoch that chain time is in.
    """
    return self._current_epoch()


@internal
@view
def _current_epoch() -> uint64:
    assert block.timestamp >= GENESIS, "epoch_clock: before genesis"
    return convert((block.timestamp - GENESIS) // EPOCH_LENGTH, uint64)


@internal
@view
def _start_of(epoch: uint64) -> uint256:
    return GENESIS + convert(epoch, uint256) * EPOCH_LENGTH
