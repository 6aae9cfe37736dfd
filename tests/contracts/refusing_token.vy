# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Refusing token
@license Apache-2.0
@author Clearwork
@notice For tests: a token that answers `False` where others revert.
"""

totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
refuses: public(bool)


@deploy
def __init__(supply: uint256):
    self.totalSupply = supply
    self.balanceOf[msg.sender] = supply


@external
def set_refuses(refuses: bool):
    self.refuses = refuses


@external
def approve(spender: address, amount: uint256) -> bool:
    return True


@external
def transfer(receiver: address, amount: uint256) -> bool:
    return self._move(msg.sender, receiver, amount)


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    return self._move(sender, receiver, amount)


@internal
def _move(sender: address, receiver: address, amount: uint256) -> bool:
    if self.refuses:
        return False
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount
    return True
