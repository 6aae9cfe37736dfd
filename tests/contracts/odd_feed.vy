# pragma version 0.4.3
"""
@title Odd feed
@license Apache-2.0
@author Clearwork
@notice For tests: an aggregator that can be told to answer anything, and to fail in any way.
"""

HONEST: constant(uint256) = 0
# reverts without a word
REVERTS: constant(uint256) = 1
# reverts with 24 576 bytes
LOUD: constant(uint256) = 2
# burns all gas it is given
GREEDY: constant(uint256) = 3
# returns nothing
EMPTY: constant(uint256) = 4
# returns a byte less than five words
SHORT: constant(uint256) = 5
# returns much more
LONG: constant(uint256) = 6
# every bit that no honest answer would have is set, except in what matters
DIRTY: constant(uint256) = 7
# tries to write, as no view may
WRITES: constant(uint256) = 8
# is honest, and needs most of the gas that a feed may use
HUNGRY: constant(uint256) = 9

answer: int256
updated_at: uint256
scale: uint256
# how each of the two functions behaves
scale_mode: uint256
round_mode: uint256
calls: uint256


@deploy
def __init__(answer: int256, scale: uint256):
    self.answer = answer
    self.scale = scale
    self.updated_at = block.timestamp


@external
def say(answer: int256, age: int256):
    """
    @param age seconds since the update; negative for one to come
    """
    self.answer = answer
    self.updated_at = convert(convert(block.timestamp, int256) - age, uint256)


@external
def set_scale(scale: uint256):
    self.scale = scale


@external
def misbehave(scale_mode: uint256, round_mode: uint256):
    self.scale_mode = scale_mode
    self.round_mode = round_mode


@external
@raw_return
def decimals() -> Bytes[1_024]:
    return self._answer(self.scale_mode, abi_encode(self.scale))


@external
@raw_return
def latestRoundData() -> Bytes[1_024]:
    word: uint256 = 1
    if self.round_mode == DIRTY:
        word = max_value(uint256)
    return self._answer(self.round_mode, abi_encode(word, self.answer, word, self.updated_at, word))


@internal
def _answer(mode: uint256, honest: Bytes[160]) -> Bytes[1_024]:
    assert mode != REVERTS
    assert mode != GREEDY, UNREACHABLE
    if mode == LOUD:
        raw_revert(empty(Bytes[24_576]))
    if mode == EMPTY:
        return b""
    if mode == SHORT:
        return slice(honest, 0, len(honest) - 1)
    if mode == LONG:
        more: Bytes[864] = empty(Bytes[864])
        return concat(honest, more)
    if mode == WRITES:
        self.calls += 1
    if mode == HUNGRY:
        spent: bytes32 = empty(bytes32)
        for i: uint256 in range(1_000):
            spent = keccak256(spent)
    return honest
