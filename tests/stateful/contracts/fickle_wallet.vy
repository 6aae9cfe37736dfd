# pragma version 0.4.3
"""
@title A customer that is a contract: it signs (ERC-1271) what it was told to, may have second
       thoughts, and answers in whatever way it was told to. It calls whom anybody wants it to
@license Apache-2.0
"""

# agreed: the magic number of ERC-1271
MAGIC: constant(bytes4) = 0x1626ba7e

agreed: public(HashMap[bytes32, bool])
# what it answers where it agreed, and whether it rather burns all gas or reverts
answer: Bytes[64]
burns: bool
refuses: bool


@deploy
def __init__():
    self.answer = concat(MAGIC, empty(bytes28))


@external
def agree(digest: bytes32, agreed: bool):
    self.agreed[digest] = agreed


@external
def behave(answer: Bytes[64], burns: bool, refuses: bool):
    self.answer = answer
    self.burns = burns
    self.refuses = refuses


@external
@view
@raw_return
def isValidSignature(digest: bytes32, signature: Bytes[1024]) -> Bytes[64]:
    assert not self.refuses, "fickle_wallet: refused"
    if self.burns:
        used: bytes32 = digest
        for i: uint256 in range(10**6):
            used = keccak256(used)
    return self.answer if self.agreed[digest] else concat(0xffffffff, empty(bytes28))


@external
@raw_return
def execute(target: address, data: Bytes[16_384]) -> Bytes[1024]:
    return raw_call(target, data, max_outsize=1024)
