"""Arithmetic of the integer-GEMM chain and the residency walk: exact, the same on every machine.

A prover multiplies two pseudo-random int8 matrices `rounds` times and commits to every entry;
a verifier recomputes the few entries it draws at random. This package holds what both sides
and the EVM agree on: seeds and generator (`chain`), folded leaves and their tree
(`commitment`), the draw of queries (`queries`), the bounds proven (`rate`),
the walk through a table in memory (`walk`), which challenge suits a claim (`plan`)
and which one it is an epoch's turn for (`challenge`).
Source: specification "GPU attestation", sections 1 to 5.
"""

from oracle.domain.attestation.chain import (
    LEAF_ENTRIES,
    Dims,
    Matrix,
    chain_seeds,
    device_id,
    next_seed,
    row_elements,
    row_key,
    seed_zero,
)
from oracle.domain.attestation.challenge import (
    Mode,
    Shape,
    challenge_shape,
    last_turn,
    mode_at,
    shape_numbers,
    shape_of,
)
from oracle.domain.attestation.commitment import (
    LEAF_BYTES,
    FoldedTree,
    Tree,
    fold,
    leaf_hash,
    node_hash,
    root_of,
)
from oracle.domain.attestation.memory import memory_needed, pruned_levels
from oracle.domain.attestation.plan import plan, plan_bandwidth, plan_walk
from oracle.domain.attestation.queries import (
    Opening,
    Query,
    answer_hash,
    draw_queries,
    openings_hash,
)
from oracle.domain.attestation.rate import (
    bytes_per_second,
    detection_probability,
    operations_per_second,
    phi_fixed_point,
    steps_per_second,
)
from oracle.domain.attestation.walk import LaneOpening, WalkDims

__all__ = [
    "LEAF_BYTES",
    "LEAF_ENTRIES",
    "Dims",
    "FoldedTree",
    "LaneOpening",
    "Matrix",
    "Mode",
    "Opening",
    "Query",
    "Shape",
    "Tree",
    "WalkDims",
    "answer_hash",
    "bytes_per_second",
    "chain_seeds",
    "challenge_shape",
    "detection_probability",
    "device_id",
    "draw_queries",
    "fold",
    "last_turn",
    "leaf_hash",
    "memory_needed",
    "mode_at",
    "next_seed",
    "node_hash",
    "openings_hash",
    "operations_per_second",
    "phi_fixed_point",
    "plan",
    "plan_bandwidth",
    "plan_walk",
    "pruned_levels",
    "root_of",
    "row_elements",
    "row_key",
    "seed_zero",
    "shape_numbers",
    "shape_of",
    "steps_per_second",
]
