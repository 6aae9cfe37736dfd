# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Wallet
@license Apache-2.0
@author Clearwork
@notice For tests: a customer that is a contract. It signs (ERC-1271) whatever digest it was
        told to, and can try to enter the escrow again in the middle of a transfer.
"""


interface Escrow:
    def top_up(job: uint64, amount: uint256): nonpayable


# less gas than this, and it does not answer
least_gas: public(uint256)
signed: public(HashMap[bytes32, bool])
escrow: public(address)
job: public(uint64)


@external
def sign(digest: bytes32):
    self.signed[digest] = True


@external
def need_gas(least_gas: uint256):
    self.least_gas = least_gas


@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[65]) -> bytes4:
    given: uint256 = msg.gas
    assert given >= self.least_gas
    return 0x1626ba7e if self.signed[digest] else 0xffffffff


@external
def reenter(escrow: address, job: uint64):
    self.escrow = escrow
    self.job = job


@external
def on_transfer():
    extcall Escrow(self.escrow).top_up(self.job, 1)
