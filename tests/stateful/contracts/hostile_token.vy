# pragma version 0.4.3
"""
@title Hostile token
@license Apache-2.0
@notice An ERC-20 that, while it moves tokens, calls into the contract that moves them. Whoever
        wrote it holds stake through it, so the calls come from a holder.
"""

totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
# contract that is entered again, the zero address while disarmed
target: address
# call that is tried
call: Bytes[1_024]
# how often it was tried, and how often it went through
attempts: public(uint256)
entries: public(uint256)


@deploy
def __init__(supply: uint256):
    self.totalSupply = supply
    self.balanceOf[msg.sender] = supply


@external
def arm(target: address, call: Bytes[1_024]):
    """
    @notice From now on every movement of tokens that `target` asks for tries `call` on it.
    """
    self.target = target
    self.call = call


@external
def act(target: address, call: Bytes[1_024]):
    """
    @notice Call as this contract: how it comes to hold stake.
    """
    raw_call(target, call)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    self._move(msg.sender, receiver, amount)
    return True


# everybody's tokens may be pulled: allowances are not what is tested here
@external
def transferFrom(owner: address, receiver: address, amount: uint256) -> bool:
    self._move(owner, receiver, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    return True


@external
@view
def allowance(owner: address, spender: address) -> uint256:
    return max_value(uint256)


@external
def burn(amount: uint256):
    self.totalSupply -= amount
    self._move(msg.sender, empty(address), amount)


@internal
def _move(owner: address, receiver: address, amount: uint256):
    self.balanceOf[owner] -= amount
    self.balanceOf[receiver] += amount
    if msg.sender == self.target:
        self.attempts += 1
        if raw_call(self.target, self.call, revert_on_failure=False):
            self.entries += 1
