# pragma version 0.4.3
"""
@title Merkle proofs
@license Apache-2.0
@author Clearwork
@notice Proofs of OpenZeppelin's StandardMerkleTree: leaves are hashed twice, inner nodes hash
        their children in ascending order.
"""

# a proof of this many siblings reaches 2^32 leaves
MAX_PROOF: constant(uint256) = 32


@internal
@view
def _leaf(contract: address, kind: uint8, key: bytes32, amount: uint256) -> bytes32:
    """
    @param contract whose leaf it is: the same report can't be claimed from another
    @return leaf keccak256(keccak256(abi_encode(chain id, contract, kind, key, amount)))
    """
    return keccak256(keccak256(abi_encode(chain.id, contract, kind, key, amount)))


@internal
@pure
def _root(leaf: bytes32, proof: DynArray[bytes32, MAX_PROOF]) -> bytes32:
    """
    @param proof siblings from the leaf up to the root
    @return root where they lead
    """
    node: bytes32 = leaf
    for sibling: bytes32 in proof:
        if convert(node, uint256) < convert(sibling, uint256):
            node = keccak256(abi_encode(node, sibling))
        else:
            node = keccak256(abi_encode(sibling, node))
    return node
