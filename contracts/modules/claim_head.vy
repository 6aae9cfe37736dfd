# pragma version 0.4.3
"""
@title Claim head in one word
@license Apache-2.0
@author Clearwork
@notice What every claim reads: the first 160 bits of the reward root it is checked against
        | the reserved base units (96 bits), which no claim may touch.
@dev 160 bits are what an address has: to find a leaf whose proof ends in the same 160 bits
     takes 2^160 hashes. One word instead of two saves each claimant 2 100 gas.
"""

ROOT_SHIFT: constant(uint256) = 96
RESERVED_MASK: constant(uint256) = 2**96 - 1


@internal
@pure
def _with_root(head: uint256, root: bytes32) -> uint256:
    return (convert(root, uint256) >> ROOT_SHIFT << ROOT_SHIFT) | (head & RESERVED_MASK)


@internal
@pure
def _has_root(head: uint256, root: bytes32) -> bool:
    return (head ^ convert(root, uint256)) >> ROOT_SHIFT == 0


@internal
@pure
def _reserved(head: uint256) -> uint256:
    return head & RESERVED_MASK


@internal
@pure
def _reserve(head: uint256, amount: uint256) -> uint256:
    """
    @notice Keep more from claims, base units.
    """
    assert amount <= RESERVED_MASK - (head & RESERVED_MASK), "claim_head: too much to reserve"
    return unsafe_add(head, amount)


@internal
@pure
def _free(head: uint256, amount: uint256) -> uint256:
    """
    @notice Keep less from claims, base units.
    """
    assert amount <= head & RESERVED_MASK, "claim_head: not that much is reserved"
    return unsafe_sub(head, amount)
