# pragma version 0.4.3
"""
@title Told source
@license Apache-2.0
@author Clearwork
@notice For tests: votes, fee meter, subnets, policy and prices in one, which answer the bytes that
        they were told, or revert, or burn all their gas.
"""

MAX_ANSWER: constant(uint256) = 4_096

# selector => what its function answers
answers: HashMap[bytes4, Bytes[MAX_ANSWER]]
reverts: public(bool)
burns: public(bool)
# what `release` was asked last
epoch: public(uint64)
available: public(uint256)


@external
def tell(selector: bytes4, answer: Bytes[MAX_ANSWER]):
    self.answers[selector] = answer


@external
def misbehave(reverts: bool, burns: bool):
    self.reverts = reverts
    self.burns = burns


@external
@raw_return
def take(epoch: uint64 = 0) -> Bytes[MAX_ANSWER]:
    return self._answer()


@external
@raw_return
def release(epoch: uint64, available: uint256) -> Bytes[MAX_ANSWER]:
    self.epoch = epoch
    self.available = available
    return self._answer()


@external
@view
@raw_return
def withheld_bps(subnet: uint16) -> Bytes[MAX_ANSWER]:
    return self._answer()


@external
@view
@raw_return
def in_work(asset: address, amount: uint256) -> Bytes[MAX_ANSWER]:
    return self._answer()


@internal
@view
def _answer() -> Bytes[MAX_ANSWER]:
    assert not self.reverts, "told to revert"
    assert not self.burns, UNREACHABLE
    return self.answers[convert(slice(msg.data, 0, 4), bytes4)]
