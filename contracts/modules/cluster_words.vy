# pragma version 0.4.3
"""
@title Cluster words
@license Apache-2.0
@author Clearwork
@notice What a cluster is, in storage words:

          head      joined uint64 | collateral uint128 | device_class uint16 | lead uint8 | count uint8

        joined: members that have agreed, bit i for member i; collateral: the most base units per
        GPU they agreed to lock; lead: number of the member that speaks for the cluster.

          members   six of 40 bits each, from the low end: provider uint24 | gpus uint16
@dev No other file shifts these bits.
"""

from ..interfaces import IClusterRegistry

MAX_MEMBERS: constant(uint256) = 64
PER_WORD: constant(uint256) = 6
WORDS: constant(uint256) = 11
MEMBER_BITS: constant(uint256) = 40
GPUS_BITS: constant(uint256) = 16

JOINED_SHIFT: constant(uint256) = 160
COLLATERAL_SHIFT: constant(uint256) = 32
CLASS_SHIFT: constant(uint256) = 16
LEAD_SHIFT: constant(uint256) = 8

MASK_8: constant(uint256) = 2**8 - 1
MASK_16: constant(uint256) = 2**16 - 1
MASK_24: constant(uint256) = 2**24 - 1
MASK_128: constant(uint256) = 2**128 - 1


@internal
@pure
def _pack_head(
    device_class: uint16, max_collateral_per_gpu: uint128, lead: uint256, count: uint256
) -> uint256:
    """
    @notice The head of a new cluster: only its lead has agreed.
    """
    return (
        (1 << lead) << JOINED_SHIFT
        | convert(max_collateral_per_gpu, uint256) << COLLATERAL_SHIFT
        | convert(device_class, uint256) << CLASS_SHIFT
        | lead << LEAD_SHIFT
        | count
    )


@internal
@pure
def _with_joined(head: uint256, index: uint256, joined: bool) -> uint256:
    bit: uint256 = 1 << (JOINED_SHIFT + index)
    return head | bit if joined else head & ~bit


@internal
@pure
def _has_joined(head: uint256, index: uint256) -> bool:
    return (head >> (JOINED_SHIFT + index)) & 1 == 1


@internal
@pure
def _is_complete(head: uint256) -> bool:
    """
    @notice Whether every member has agreed.
    """
    return head >> JOINED_SHIFT == (1 << self._count(head)) - 1


@internal
@pure
def _count(head: uint256) -> uint256:
    return head & MASK_8


@internal
@pure
def _lead(head: uint256) -> uint256:
    return (head >> LEAD_SHIFT) & MASK_8


@internal
@pure
def _device_class(head: uint256) -> uint16:
    return convert((head >> CLASS_SHIFT) & MASK_16, uint16)


@internal
@pure
def _max_collateral(head: uint256) -> uint256:
    return (head >> COLLATERAL_SHIFT) & MASK_128


@internal
@pure
def _place(index: uint256, member: IClusterRegistry.Member) -> uint256:
    """
    @return bits of a member at its place in its word
    """
    return (convert(member.provider, uint256) << GPUS_BITS | convert(member.gpus, uint256)) << (
        index % PER_WORD * MEMBER_BITS
    )


@internal
@pure
def _at(word: uint256, index: uint256) -> IClusterRegistry.Member:
    """
    @param word the word that holds member `index`
    """
    bits: uint256 = word >> (index % PER_WORD * MEMBER_BITS)
    return IClusterRegistry.Member(
        provider=convert((bits >> GPUS_BITS) & MASK_24, uint24),
        gpus=convert(bits & MASK_16, uint16),
    )
