# pragma version 0.4.3
"""
@title Told prices
@license Apache-2.0
@author Clearwork
@notice For tests: one price for every asset, the present one and the last good one, as it was told.
"""

price: uint256
is_usable: bool
recent: uint256
is_recent_usable: bool
pokes: public(uint256)


@external
def tell(price: uint256, is_usable: bool, recent: uint256, is_recent_usable: bool):
    self.price = price
    self.is_usable = is_usable
    self.recent = recent
    self.is_recent_usable = is_recent_usable


@external
def poke(asset: address) -> (uint256, bool):
    self.pokes += 1
    return self.price, self.is_usable


@external
@view
def usd_price(asset: address) -> (uint256, bool):
    return self.price, self.is_usable


@external
@view
def recent_price(asset: address) -> (uint256, bool):
    return self.recent, self.is_recent_usable
