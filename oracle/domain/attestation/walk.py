"""The residency walk: a table that has to be in memory, and lanes that read it at random.

Entry i of the table is keccak applied `depth` times to uint256(key + i), where
`key = keccak(seed || uint192(2) || uint64(0))`: the tag after those of A and B, so that no table
is a factor of a chain. Lane l starts at `x = keccak(start || uint64(l))` and takes `steps` steps
`x' = keccak(x || table[p])`, where p is x's first eight bytes, little-endian, modulo the number of
entries. Whoever lacks an entry pays `depth` hashes where others pay a read.

The ends of all lanes, 32 bytes each, are the leaves of a tree like a chain's, four to a leaf.
`commitment` binds table, start, shape and root behind a tag of its own: it is a hash of 32 + 32 +
32 + 32 + 32 bytes, and no chain's final seed (a hash of 64) is one.
Source: specification "GPU attestation", section 2; decision 0023.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from oracle.domain.attestation.commitment import LEAF_BYTES, NODE_BYTES, root_of
from oracle.domain.hashing import keccak
from oracle.errors import BadInput

ENTRY_BYTES = 32
ENDS_PER_LEAF = LEAF_BYTES // NODE_BYTES
MIN_DEPTH, MAX_DEPTH = 8, 1_024
MAX_ENTRIES = 1 << 40
MAX_LANES = 1 << 30
MAX_STEPS = 1 << 20

_TABLE_TAG = 2
_COMMITMENT_TAG = keccak(b"Clearwork residency walk")


@dataclass(frozen=True, slots=True)
class WalkDims:
    """Shape of a walk: a table of `entries` x 32 bytes, and `lanes` of `steps` dependent reads.

    `depth` is the hashes behind one entry. Raises `BadInput` outside the bounds above, and where
    lanes are not a power of two from 4 (the leaves of a full binary tree).
    """

    entries: int
    lanes: int
    steps: int
    depth: int

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("entries", self.entries, 1, MAX_ENTRIES),
            ("lanes", self.lanes, ENDS_PER_LEAF, MAX_LANES),
            ("steps", self.steps, 1, MAX_STEPS),
            ("depth", self.depth, MIN_DEPTH, MAX_DEPTH),
        ):
            if not least <= value <= most:
                raise BadInput(f"a walk of {value} {name}", f"choose {least} to {most} {name}")
        if self.lanes & (self.lanes - 1):
            raise BadInput(f"{self.lanes} lanes fill no tree", "choose a power of two from 4")

    @property
    def leaves(self) -> int:
        """Leaves of the tree over the lanes' ends."""
        return self.lanes // ENDS_PER_LEAF

    @property
    def tree_depth(self) -> int:
        """Length of a Merkle path."""
        return self.leaves.bit_length() - 1

    @property
    def table_bytes(self) -> int:
        """Memory that the table fills."""
        return self.entries * ENTRY_BYTES

    @property
    def hashes(self) -> int:
        """Hashes of an honest prover: the whole table, then one a step."""
        return self.entries * self.depth + self.lanes * self.steps

    @property
    def hashes_without_memory(self) -> int:
        """Hashes of a prover that computes each entry when a lane asks for it."""
        return self.lanes * self.steps * (self.depth + 1)


@dataclass(frozen=True, slots=True)
class LaneOpening:
    """Answer to a query for one lane: the leaf with its end, and the leaf's path."""

    lane: int
    leaf: bytes
    path: tuple[bytes, ...]

    @property
    def end(self) -> bytes:
        """The 32 bytes that the lane is said to have ended in."""
        place = self.lane % ENDS_PER_LEAF * NODE_BYTES
        return self.leaf[place : place + NODE_BYTES]


def table_key(seed: bytes) -> bytes:
    """Key of the table that a device has to hold in an epoch; `seed` as of a chain."""
    return keccak(seed + _TABLE_TAG.to_bytes(24, "big") + bytes(8))


def table_entry(key: bytes, index: int, depth: int) -> bytes:
    """Entry `index` of a table."""
    entry = ((int.from_bytes(key, "big") + index) % 2**256).to_bytes(32, "big")
    for _ in range(depth):
        entry = keccak(entry)
    return entry


def lane_start(start: bytes, lane: int) -> bytes:
    """Where a lane begins. `start` is 32 bytes that may be revealed after the table's key."""
    return keccak(start + lane.to_bytes(8, "big"))


def position(x: bytes, entries: int) -> int:
    """The entry that a lane at `x` reads."""
    return int.from_bytes(x[:8], "little") % entries


def step(x: bytes, entry: bytes) -> bytes:
    """Where a lane at `x` goes when it has read `entry`."""
    return keccak(x + entry)


def lane_end(key: bytes, start: bytes, dims: WalkDims, lane: int) -> bytes:
    """The end of one lane, without a table: steps * (depth + 1) hashes."""
    x = lane_start(start, lane)
    for _ in range(dims.steps):
        x = step(x, table_entry(key, position(x, dims.entries), dims.depth))
    return x


def commitment(seed: bytes, start: bytes, dims: WalkDims, root: bytes) -> bytes:
    """The hash that binds a finished walk, and draws the lanes to open."""
    shape = b"".join(
        value.to_bytes(8, "big") for value in (dims.entries, dims.lanes, dims.steps, dims.depth)
    )
    return keccak(_COMMITMENT_TAG + seed + start + shape + root)


def draw_lanes(committed: bytes, secret: bytes, count: int, dims: WalkDims) -> list[int]:
    """The `count` lanes that an oracle's secret draws under a commitment, with replacement."""
    return [
        int.from_bytes(keccak(committed + secret + t.to_bytes(32, "big")), "big") % dims.lanes
        for t in range(count)
    ]


def lane_in_tree(dims: WalkDims, root: bytes, opening: LaneOpening) -> bool:
    """Whether an opened lane end is the committed one."""
    inside = 0 <= opening.lane < dims.lanes and len(opening.leaf) == LEAF_BYTES
    if not inside or len(opening.path) != dims.tree_depth:
        return False
    return root_of(opening.leaf, opening.lane // ENDS_PER_LEAF, opening.path) == root


def false_lanes(openings: Sequence[LaneOpening], ends: Sequence[bytes]) -> list[int]:
    """The opened lanes whose end is not the one replayed."""
    return [o.lane for o, end in zip(openings, ends, strict=True) if o.end != end]
