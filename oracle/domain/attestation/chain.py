"""Dimensions, seeds and the keccak generator of the integer-GEMM chain."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from oracle.domain.hashing import keccak
from oracle.errors import BadInput

LEAF_ENTRIES = 128
WORD_BYTES = 32
MAX_K = 131_072
MAX_ROUNDS = 64
MAX_DEPTH = 32
# rows and columns travel in 32 bits
MAX_SIDE = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Dims:
    """Shape of a chain: `rounds` products of an m x k with a k x n matrix of int8.

    Raises `BadInput` for a shape that no commitment exists for: m * n / 128 must be a power
    of two (the leaves of a full binary tree, at most 2^32 of them), k a multiple of 32 up to
    131 072 (int32 sums are exact), rounds in 1..64.
    """

    m: int
    n: int
    k: int
    rounds: int

    def __post_init__(self) -> None:
        leaves, rest = divmod(self.m * self.n, LEAF_ENTRIES)
        sides_fit = min(self.m, self.n) >= 1 and max(self.m, self.n) <= MAX_SIDE
        if not sides_fit or rest or leaves & (leaves - 1) or self.depth > MAX_DEPTH:
            raise BadInput(
                f"m x n = {self.m} x {self.n} does not fill a tree of 128-entry leaves",
                "choose m and n so that m * n / 128 is a power of two, at most 2^32",
            )
        if self.k < WORD_BYTES or self.k % WORD_BYTES or self.k > MAX_K:
            raise BadInput(
                f"k = {self.k} is not a multiple of 32 in 32..{MAX_K}",
                "choose a multiple of 32; above 131 072 an int32 sum could overflow",
            )
        if not 1 <= self.rounds <= MAX_ROUNDS:
            raise BadInput(f"{self.rounds} rounds", f"choose 1 to {MAX_ROUNDS} rounds")

    @property
    def leaves(self) -> int:
        """Leaves of one round's tree."""
        return self.m * self.n // LEAF_ENTRIES

    @property
    def depth(self) -> int:
        """Length of a Merkle path."""
        return self.leaves.bit_length() - 1

    @property
    def operations(self) -> int:
        """Multiplications and additions of the whole chain."""
        return self.rounds * 2 * self.m * self.n * self.k

    def leaf_of(self, i: int, j: int) -> tuple[int, int]:
        """The leaf that holds entry (i, j), and the entry's place in it."""
        return divmod(i * self.n + j, LEAF_ENTRIES)

    def entry_of(self, leaf: int, place: int) -> tuple[int, int]:
        """The entry (i, j) at `place` of `leaf`: the inverse of `leaf_of`."""
        return divmod(leaf * LEAF_ENTRIES + place, self.n)


class Matrix(IntEnum):
    """Which factor a generated row belongs to; the value is the tag hashed into its key."""

    A = 0
    """Rows of A."""
    B = 1
    """Columns of B; a generated "row" of B is one column, so both factors read k in a line."""


def device_id(identity: bytes, provider: int) -> bytes:
    """Id of a device: keccak of its 32-byte identity and the provider id."""
    return keccak(identity + provider.to_bytes(32, "big"))


def seed_zero(
    beacon: bytes, chain_id: int, registry: str, provider: int, device: bytes, epoch: int
) -> bytes:
    """First seed of a chain: chain randomness bound to one device of one chain and epoch.

    `registry` is the DeviceRegistry's address as 0x hex, `beacon` is EpochLedger.beacon(epoch).
    """
    return keccak(
        beacon
        + chain_id.to_bytes(32, "big")
        + bytes.fromhex(registry.removeprefix("0x"))
        + provider.to_bytes(32, "big")
        + device
        + epoch.to_bytes(32, "big")
    )


def next_seed(seed: bytes, root: bytes) -> bytes:
    """Seed of the round after the one whose tree has `root`."""
    return keccak(seed + root)


def chain_seeds(seed: bytes, roots: Sequence[bytes]) -> list[bytes]:
    """Seeds of all rounds and, last, the final seed, which binds every root."""
    seeds = [seed]
    for root in roots:
        seeds.append(next_seed(seeds[-1], root))
    return seeds


def row_key(seed: bytes, matrix: Matrix, row: int) -> bytes:
    """Key of one row of A or one column of B."""
    return keccak(seed + matrix.to_bytes(24, "big") + row.to_bytes(8, "big"))


def row_elements(key: bytes, matrix: Matrix, length: int) -> list[int]:
    """The `length` int8 values behind a key, by the letter of the specification.

    Word t is keccak(key + t). A reads its bytes in little-endian order; B reads the same
    with the eight 32-bit lanes reversed, so that one 256-bit multiplication in the EVM
    yields eight products.
    """
    start = int.from_bytes(key, "big")
    values = []
    for t in range(length // WORD_BYTES):
        word = keccak(((start + t) % 2**256).to_bytes(32, "big"))[::-1]
        if matrix is Matrix.B:
            word = b"".join(word[lane : lane + 4] for lane in range(28, -1, -4))
        values += [byte - 128 for byte in word]
    return values
