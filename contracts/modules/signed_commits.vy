# pragma version 0.4.3
"""
@title Signed commits
@license Apache-2.0
@author Clearwork
@notice What binds a provider to its word about one chain of matrix products: the signature of
        one of its keys, and the hash chain over the roots of all rounds.
"""

from ..interfaces import IProviderRegistry
from . import signatures

SIGNATURE_BYTES: constant(uint256) = 65
MAX_ROUNDS: constant(uint256) = 64


@internal
@view
def _is_signed(
    providers: IProviderRegistry,
    provider: uint24,
    digest: bytes32,
    signature: Bytes[SIGNATURE_BYTES],
) -> bool:
    """
    @notice Any key the provider ever named as its operator speaks for it, so that dropping a
            key takes nothing back.
    """
    if len(signature) != SIGNATURE_BYTES or provider == 0:
        return False
    signer: address = signatures._recover(digest, signature)
    return staticcall providers.provider_of_operator(signer) == provider


@internal
@pure
def _chain_seeds(
    first: bytes32, roots: DynArray[bytes32, MAX_ROUNDS], round_index: uint256
) -> (bytes32, bytes32):
    """
    @param first seed of the first round
    @param roots of all rounds, in order
    @return seed of round `round_index`, zero where there is none, and the final seed
    """
    seed: bytes32 = first
    seed_r: bytes32 = empty(bytes32)
    at: uint256 = 0
    for root: bytes32 in roots:
        if at == round_index:
            seed_r = seed
        seed = keccak256(concat(seed, root))
        at += 1
    return seed_r, seed
