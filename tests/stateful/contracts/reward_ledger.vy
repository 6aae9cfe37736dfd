# pragma version 0.4.3
"""
@title A ledger whose active reward root is what it was told last, and whose clock is real
@license Apache-2.0
"""

# chain time in seconds at which epoch 0 starts, and seconds of each
GENESIS: public(immutable(uint256))
EPOCH_LENGTH: public(immutable(uint256))

root: bytes32
total: uint256


@deploy
def __init__(genesis: uint256, epoch_length: uint256):
    GENESIS = genesis
    EPOCH_LENGTH = epoch_length


@external
def activate(root: bytes32, total: uint256):
    self.root = root
    self.total = total


@external
@view
def active_rewards() -> (bytes32, uint256):
    return self.root, self.total
