# pragma version 0.4.3
"""
@title Signatures of people and of contracts
@license Apache-2.0
@author Clearwork
@notice Checks a signature of a customer or provider, who may be a plain key (ECDSA,
        low s only) or a contract (ERC-1271). A signing contract gets bounded gas and
        bounded return data, so that it can harm nobody but its own claim.
"""

# gas a signing contract may use for its check
ERC1271_GAS_CAP: constant(uint256) = 200_000
# longest signature taken: a plain key's is 65 bytes, a wallet of many owners joins theirs
MAX_SIGNATURE: constant(uint256) = 1_024
# half the order of secp256k1: a larger s is the malleable twin of a smaller one (EIP-2)
MAX_S: constant(
    uint256
) = 57896044618658097711785492504343953926418782139537452191302581570759080747168
# `isValidSignature(bytes32,bytes)` returns its own selector when it agrees (ERC-1271)
ERC1271_MAGIC: constant(bytes4) = 0x1626ba7e


@internal
@view
def _is_valid(signer: address, digest: bytes32, signature: Bytes[MAX_SIGNATURE]) -> bool:
    """
    @param signer account that should have signed
    @param digest EIP-712 digest
    @param signature r, s, v for a plain key; for a contract whatever it understands
    """
    if signer.codesize == 0:
        return len(signature) == 65 and self._recover(digest, signature) == signer
    success: bool = False
    answer: Bytes[32] = b""
    success, answer = raw_call(
        signer,
        abi_encode(digest, signature, method_id=ERC1271_MAGIC),
        max_outsize=32,
        gas=ERC1271_GAS_CAP,
        is_static_call=True,
        revert_on_failure=False,
    )
    return success and len(answer) == 32 and convert(slice(answer, 0, 4), bytes4) == ERC1271_MAGIC


@internal
@pure
def _recover(digest: bytes32, signature: Bytes[MAX_SIGNATURE]) -> address:
    """
    @return signer the key that signed, or the zero address for a malleable, malformed
            or invalid signature of 65 bytes
    """
    s: uint256 = convert(extract32(signature, 32), uint256)
    if s > MAX_S:
        return empty(address)
    v: uint256 = convert(slice(signature, 64, 1), uint256)
    return ecrecover(digest, v, convert(extract32(signature, 0), uint256), s)


@internal
@pure
def _digest(domain_separator: bytes32, struct_hash: bytes32) -> bytes32:
    """
    @notice EIP-712 digest of a struct hash under a domain.
    """
    return keccak256(concat(0x1901, domain_separator, struct_hash))
