# pragma version 0.4.3
"""
@title Half policy
@license Apache-2.0
@author Clearwork
@notice For tests: an emission policy that releases a share of what is available, and remembers
        what it was asked; what it is given of a token it pays out as fees.
"""

from ethereum.ercs import IERC20

from contracts.interfaces import IEmissionPolicy

implements: IEmissionPolicy

BPS: constant(uint256) = 10_000

share_bps: public(uint256)
# epoch => base units that were available
asked: public(HashMap[uint64, uint256])
# what fees are paid in
token: public(IERC20)


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


@external
def set_token(token: IERC20):
    self.token = token


@external
def collect() -> uint256:
    if self.token.address == empty(address):
        return 0
    amount: uint256 = staticcall self.token.balanceOf(self)
    if amount != 0:
        extcall self.token.transfer(msg.sender, amount)
    # only what arrives counts
    return 2 * amount
