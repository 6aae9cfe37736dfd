# pragma version 0.4.3
"""
@title Rebasing token
@license Apache-2.0
@author Clearwork
@notice For tests: balances are shares of a whole that grows and shrinks. What is moved is rounded
        down to whole shares, so a little less may arrive than was sent.
"""

ONE: constant(uint256) = 10**18

shares: public(HashMap[address, uint256])
# all of them
total_shares: uint256
allowance: public(HashMap[address, HashMap[address, uint256]])
# base units that a share is worth, times 10**18
index: public(uint256)


@deploy
def __init__(supply: uint256):
    self.index = ONE
    self.shares[msg.sender] = supply
    self.total_shares = supply


@external
def rebase(index: uint256):
    self.index = index


@external
@view
def totalSupply() -> uint256:
    return self.total_shares * self.index // ONE


@external
@view
def balanceOf(account: address) -> uint256:
    return self.shares[account] * self.index // ONE


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    return True


@external
def transfer(receiver: address, amount: uint256) -> bool:
    self._move(msg.sender, receiver, amount)
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    self.allowance[sender][msg.sender] -= amount
    self._move(sender, receiver, amount)
    return True


@internal
def _move(sender: address, receiver: address, amount: uint256):
    shares: uint256 = amount * ONE // self.index
    self.shares[sender] -= shares
    self.shares[receiver] += shares
