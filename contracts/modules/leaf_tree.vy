# pragma version 0.4.3
"""
@title Leaf tree
@license Apache-2.0
@author Clearwork
@notice The tree that a prover commits to a matrix product with: 128 folded entries in
        row-major order are a leaf, a node is the hash of its two children in their order.
"""

# folded entries in one leaf
LEAF_ENTRIES: constant(uint256) = 128
# levels above the leaves
MAX_DEPTH: constant(uint256) = 32


@internal
@pure
def _root(leaf: Bytes[LEAF_ENTRIES], index: uint256, path: DynArray[bytes32, MAX_DEPTH]) -> bytes32:
    """
    @param index number of the leaf; its bits say on which side each sibling is
    @param path siblings from the leaf up to the root
    """
    node: bytes32 = keccak256(leaf)
    position: uint256 = index
    for sibling: bytes32 in path:
        if position & 1 == 0:
            node = keccak256(concat(node, sibling))
        else:
            node = keccak256(concat(sibling, node))
        position >>= 1
    return node
