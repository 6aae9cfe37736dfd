# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Odd token
@license Apache-2.0
@author Clearwork
@notice For tests: the ways in which tokens of other people differ from ERC-20. Transfers
        return nothing, and can be told to charge, to refuse an account, to answer no, or to
        call back.
"""


interface Receiver:
    def on_transfer(): nonpayable


totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])

# base units that every transfer destroys of what the receiver gets
fee: public(uint256)
# base units that every transfer destroys of what the sender keeps
surcharge: public(uint256)
blocked: public(HashMap[address, bool])
# contract that is called in every `transferFrom`
hook: public(address)


@deploy
def __init__(supply: uint256):
    self.totalSupply = supply
    self.balanceOf[msg.sender] = supply


@external
def set_fee(fee: uint256):
    self.fee = fee


@external
def set_surcharge(surcharge: uint256):
    self.surcharge = surcharge


@external
def set_blocked(account: address, blocked: bool):
    self.blocked[account] = blocked


@external
def set_hook(hook: address):
    self.hook = hook


@external
def grow(account: address, amount: uint256):
    self.totalSupply += amount
    self.balanceOf[account] += amount


@external
def approve(spender: address, amount: uint256):
    self.allowance[msg.sender][spender] = amount


@external
def transfer(receiver: address, amount: uint256):
    self._move(msg.sender, receiver, amount)


@external
def transferFrom(sender: address, receiver: address, amount: uint256):
    self.allowance[sender][msg.sender] -= amount
    self._move(sender, receiver, amount)
    if self.hook != empty(address):
        extcall Receiver(self.hook).on_transfer()


@internal
def _move(sender: address, receiver: address, amount: uint256):
    assert not self.blocked[sender] and not self.blocked[receiver], "odd_token: blocked"
    self.totalSupply -= self.fee + self.surcharge
    self.balanceOf[sender] -= amount + self.surcharge
    self.balanceOf[receiver] += amount - self.fee
