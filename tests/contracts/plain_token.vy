# pragma version 0.4.3
"""
@title Plain token
@license Apache-2.0
@author Clearwork
@notice For tests: an ERC-20 by the book that can be told to do what other people's tokens do.
        Any number of decimals; can be paused; has a list of blocked accounts; refuses to move
        nothing; takes a fee on what it moves; burns all gas it is given; reverts with very much
        to say; calls somebody while it moves.
"""

struct Call:
    target: address
    data: Bytes[1_024]


decimals: public(uint8)
totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])

paused: public(bool)
blocked: public(HashMap[address, bool])
refuses_zero: public(bool)
# whether every movement burns all gas
greedy: public(bool)
# whether every movement reverts with 24 576 bytes
loud: public(bool)
# whether `transfer` moves nothing and answers False
says_no: public(bool)
# bps of what `transfer` moves that never arrive
fee_bps: public(uint256)
# what is called while tokens move
calls: DynArray[Call, 64]
# how often that was tried, and how often it went through
attempts: public(uint256)
entries: public(uint256)


@deploy
def __init__(supply: uint256, decimals: uint8):
    self.totalSupply = supply
    self.decimals = decimals
    self.balanceOf[msg.sender] = supply


@external
def set_paused(paused: bool):
    self.paused = paused


@external
def set_blocked(account: address, blocked: bool):
    self.blocked[account] = blocked


@external
def set_refuses_zero(refuses_zero: bool):
    self.refuses_zero = refuses_zero


@external
def set_greedy(greedy: bool):
    self.greedy = greedy


@external
def set_loud(loud: bool):
    self.loud = loud


@external
def set_says_no(says_no: bool):
    self.says_no = says_no


@external
def set_fee(fee_bps: uint256):
    self.fee_bps = fee_bps


@external
def arm(target: address, call: Bytes[1_024]):
    """
    @notice From now on every movement of tokens calls `target` with `call`; the zero address
            is not called.
    """
    self.calls = []
    if target != empty(address):
        self.calls.append(Call(target=target, data=call))


@external
def arm_with(calls: DynArray[Call, 64]):
    """
    @notice From now on every movement of tokens makes all of these calls.
    """
    self.calls = calls


@external
def lose(account: address, amount: uint256):
    """
    @notice Take tokens from somebody, as a rebase or a regulator does.
    """
    self.balanceOf[account] -= amount


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    return True


@external
def transfer(receiver: address, amount: uint256) -> bool:
    if self.says_no:
        return False
    self._move(msg.sender, receiver, amount, amount * self.fee_bps // 10_000)
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    self.allowance[sender][msg.sender] -= amount
    self._move(sender, receiver, amount, 0)
    return True


@internal
def _move(sender: address, receiver: address, amount: uint256, fee: uint256):
    assert not self.paused, "plain_token: paused"
    assert not self.blocked[sender] and not self.blocked[receiver], "plain_token: blocked"
    assert amount != 0 or not self.refuses_zero, "plain_token: nothing to move"
    assert not self.greedy, UNREACHABLE
    if self.loud:
        raw_revert(empty(Bytes[24_576]))
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount - fee
    for call: Call in self.calls:
        self.attempts += 1
        if raw_call(call.target, call.data, revert_on_failure=False):
            self.entries += 1
