# pragma version 0.4.3
"""
@title Request word
@license Apache-2.0
@author Clearwork
@notice A request for a leaf in one storage word:

          requester 160 | provider 24 | deadline 40 | depth 8 | bonds 8 | stage 8

        deadline: chain time in seconds; depth: levels of the tree above its leaves; bonds: how
        many times the plain bond is held for the request. An open request is left once:

          OPEN      asked for, nobody has shown the leaf
          SHOWN     somebody has
          EXECUTED  nobody has, and the bond went back
@dev No other file shifts these bits.
"""

from ..interfaces import ILeafRequests

OPEN: constant(uint8) = 1
SHOWN: constant(uint8) = 2
EXECUTED: constant(uint8) = 3

BYTE_BITS: constant(uint256) = 8
TIME_BITS: constant(uint256) = 40
PROVIDER_BITS: constant(uint256) = 24

BONDS_SHIFT: constant(uint256) = BYTE_BITS
DEPTH_SHIFT: constant(uint256) = BONDS_SHIFT + BYTE_BITS
DEADLINE_SHIFT: constant(uint256) = DEPTH_SHIFT + BYTE_BITS
PROVIDER_SHIFT: constant(uint256) = DEADLINE_SHIFT + TIME_BITS
REQUESTER_SHIFT: constant(uint256) = PROVIDER_SHIFT + PROVIDER_BITS

BYTE_MASK: constant(uint256) = 2**BYTE_BITS - 1
TIME_MASK: constant(uint256) = 2**TIME_BITS - 1
PROVIDER_MASK: constant(uint256) = 2**PROVIDER_BITS - 1


@internal
@pure
def _pack(request: ILeafRequests.Request) -> uint256:
    """
    @dev 40 bits of seconds last 34 000 years.
    """
    return (
        (convert(request.requester, uint256) << REQUESTER_SHIFT)
        | (convert(request.provider, uint256) << PROVIDER_SHIFT)
        | (convert(request.deadline, uint256) << DEADLINE_SHIFT)
        | (convert(request.depth, uint256) << DEPTH_SHIFT)
        | (convert(request.bonds, uint256) << BONDS_SHIFT)
        | convert(request.stage, uint256)
    )


@internal
@pure
def _unpack(word: uint256) -> ILeafRequests.Request:
    return ILeafRequests.Request(
        requester=convert(convert(word >> REQUESTER_SHIFT, uint160), address),
        provider=convert((word >> PROVIDER_SHIFT) & PROVIDER_MASK, uint24),
        deadline=convert((word >> DEADLINE_SHIFT) & TIME_MASK, uint64),
        depth=convert((word >> DEPTH_SHIFT) & BYTE_MASK, uint8),
        bonds=convert((word >> BONDS_SHIFT) & BYTE_MASK, uint8),
        stage=convert(word & BYTE_MASK, uint8),
    )
