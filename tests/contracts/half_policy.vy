# pragma version 0.4.3
"""
@title Half policy
@license Apache-2.0
@author Clearwork
@notice For tests: an emission policy that releases a share of what is available, and remembers
        what it was asked.
"""

from contracts.interfaces import IEmissionPolicy

implements: IEmissionPolicy

BPS: constant(uint256) = 10_000

share_bps: public(uint256)
# epoch => base units that were available
asked: public(HashMap[uint64, uint256])


@deploy
def __init__(share_bps: uint256):
    self.share_bps = share_bps


@external
def set_share(share_bps: uint256):
    self.share_bps = share_bps


@external
def release(epoch: uint64, available: uint256) -> uint256:
    self.asked[epoch] = available
    return available * self.share_bps // BPS
