# pragma version 0.4.3
"""
@title Case word
@license Apache-2.0
@author Clearwork
@notice A conviction in one storage word:

          kind uint8 | provider uint24 | convicted_at uint64 | slashed uint128

        kind: what the provider was convicted of, never 0; convicted_at: chain time in
        seconds; slashed: base units of stake that were taken.
@dev No other file shifts these bits.
"""

from ..interfaces import ISlashingCourt

SLASHED_BITS: constant(uint256) = 128
TIME_BITS: constant(uint256) = 64
PROVIDER_BITS: constant(uint256) = 24

TIME_SHIFT: constant(uint256) = SLASHED_BITS
PROVIDER_SHIFT: constant(uint256) = TIME_SHIFT + TIME_BITS
KIND_SHIFT: constant(uint256) = PROVIDER_SHIFT + PROVIDER_BITS

SLASHED_MASK: constant(uint256) = 2**SLASHED_BITS - 1
TIME_MASK: constant(uint256) = 2**TIME_BITS - 1
PROVIDER_MASK: constant(uint256) = 2**PROVIDER_BITS - 1


@internal
@pure
def _pack(case: ISlashingCourt.Case) -> uint256:
    return (
        (convert(case.kind, uint256) << KIND_SHIFT)
        | (convert(case.provider, uint256) << PROVIDER_SHIFT)
        | (convert(case.convicted_at, uint256) << TIME_SHIFT)
        | convert(convert(case.slashed, uint128), uint256)
    )


@internal
@pure
def _unpack(word: uint256) -> ISlashingCourt.Case:
    return ISlashingCourt.Case(
        kind=convert(word >> KIND_SHIFT, uint8),
        provider=convert((word >> PROVIDER_SHIFT) & PROVIDER_MASK, uint24),
        convicted_at=convert((word >> TIME_SHIFT) & TIME_MASK, uint64),
        slashed=word & SLASHED_MASK,
    )
