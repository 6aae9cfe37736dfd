# pragma version 0.4.3
"""
@title Fee source
@license Apache-2.0
@author Clearwork
@notice For tests: the getters of a job escrow that the fee meter reads. A market is a subnet's, and
        has earned what it was told.
"""

WORK_TOKEN: public(immutable(address))

market_count: public(uint8)
asset_of: public(HashMap[uint256, address])
subnet_of: public(HashMap[uint256, uint16])
earned_fees: public(HashMap[uint256, uint256])


@deploy
def __init__(work_token: address):
    WORK_TOKEN = work_token


@external
def list_market(asset: address, subnet: uint16):
    market: uint8 = self.market_count + 1
    self.market_count = market
    self.asset_of[convert(market, uint256)] = asset
    self.subnet_of[convert(market, uint256)] = subnet


@external
def earn(market: uint256, amount: uint256):
    self.earned_fees[market] += amount
