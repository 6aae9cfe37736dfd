# pragma version 0.4.3
"""
@title Told clock
@license Apache-2.0
@author Clearwork
@notice For tests: a clock for contracts that take theirs from another one, with any genesis and
        any length of epochs.
"""

GENESIS: public(immutable(uint256))
EPOCH_LENGTH: public(immutable(uint256))


@deploy
def __init__(genesis: uint256, epoch_length: uint256):
    GENESIS = genesis
    EPOCH_LENGTH = epoch_length
