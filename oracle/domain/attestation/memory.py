"""What a chain occupies while it runs, so that nobody is asked for more than a device has."""

from oracle.domain.attestation.chain import LEAF_ENTRIES, Dims

# full trees of a chain stay below this, or a prover drops their lowest levels
TREE_BYTES = 1 << 31
# the entries under a dropped node lie in one row of C
MAX_PRUNED = 6
_NODE_BYTES = 32
# what a backend may hold of a factor in another layout at a time
_WORKING_BYTES = 1 << 24


def pruned_levels(dims: Dims) -> int:
    """Levels that a prover drops from the bottom of each tree, leaves included; 0 keeps all.

    To open a leaf under a dropped node, it computes the node's 128 * 2^levels entries again:
    one row of A and as many columns of B. The fewest levels are dropped that keep all trees of
    the chain within `TREE_BYTES`, as far as those entries fit one row and the tree has them.
    """
    most = min(MAX_PRUNED, dims.depth, (dims.n // LEAF_ENTRIES).bit_length() - 1)
    levels = 0
    while levels < most and tree_bytes(dims, levels) > TREE_BYTES:
        levels += 1
    return levels


def tree_bytes(dims: Dims, levels: int) -> int:
    """Bytes of all trees of a chain without their lowest `levels` levels."""
    nodes = 2 * _NODE_BYTES * (dims.leaves >> levels)
    return dims.rounds * (nodes if levels else nodes + dims.m * dims.n)


def memory_needed(dims: Dims) -> int:
    """Bytes a prover of this chain should have.

    The factors as int8, a block of one in another layout, an int32 product, its folded bytes with
    their whole tree, and what `pruned_levels` leaves of the trees.
    """
    entries = dims.m * dims.n
    factors = dims.k * (dims.m + dims.n)
    working = min(_WORKING_BYTES, 4 * factors)
    return factors + working + 6 * entries + tree_bytes(dims, pruned_levels(dims))
