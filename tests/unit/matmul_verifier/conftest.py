"""A reference of the committed product, written from specs/attestation.md and nothing else."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sha3 import keccak_256

GOLDEN = Path(__file__).parents[2] / "data" / "attestation_golden.json"
ROW_OF_A, COLUMN_OF_B = 0, 1


def keccak(data: bytes) -> bytes:
    digest: bytes = keccak_256(data).digest()
    return digest


def int8_row(seed: bytes, tag: int, row: int, k: int) -> list[int]:
    """One row of A (tag 0) or one column of B (tag 1)."""
    key = int.from_bytes(keccak(seed + tag.to_bytes(24, "big") + row.to_bytes(8, "big")), "big")
    values: list[int] = []
    for t in range(k // 32):
        word = keccak((key + t).to_bytes(32, "big"))[::-1]
        if tag == COLUMN_OF_B:
            word = b"".join(word[4 * lane : 4 * lane + 4] for lane in reversed(range(8)))
        values += [byte - 128 for byte in word]
    return values


def fold8(value: int) -> int:
    """The xor of the four bytes of an int32."""
    b0, b1, b2, b3 = (value & 0xFFFF_FFFF).to_bytes(4, "big")
    return b0 ^ b1 ^ b2 ^ b3


@dataclass(frozen=True)
class Opening:
    """The struct of IMatmulVerifier."""

    seed_r: bytes
    seed_0: bytes
    m: int
    n: int
    k: int
    i: int
    j: int
    leaf: bytes
    path: list[bytes]
    root: bytes

    def but(self, **changes: Any) -> "Opening":
        return replace(self, **changes)

    @property
    def struct(self) -> tuple[Any, ...]:
        return tuple(vars(self).values())


@dataclass(frozen=True)
class Product:
    """A.B of one round with its committed bytes, which a test may falsify."""

    seed_r: bytes
    seed_0: bytes
    m: int
    n: int
    k: int
    entries: np.ndarray[Any, Any]
    committed: bytes

    @classmethod
    def compute(cls, seed_r: bytes, seed_0: bytes, m: int, n: int, k: int) -> "Product":
        a = np.array([int8_row(seed_r, ROW_OF_A, i, k) for i in range(m)], dtype=np.int64)
        b = np.array([int8_row(seed_0, COLUMN_OF_B, j, k) for j in range(n)], dtype=np.int64)
        entries = a @ b.T
        committed = bytes(fold8(int(entry)) for entry in entries.flat)
        return cls(seed_r, seed_0, m, n, k, entries, committed)

    def falsify(self, i: int, j: int, difference: int = 1) -> "Product":
        """The same commitment with one byte changed."""
        committed = bytearray(self.committed)
        committed[i * self.n + j] ^= difference
        return replace(self, committed=bytes(committed))

    def leaf(self, index: int) -> bytes:
        return self.committed[128 * index : 128 * (index + 1)]

    @property
    def levels(self) -> list[list[bytes]]:
        level = [keccak(self.leaf(index)) for index in range(self.m * self.n // 128)]
        levels = [level]
        while len(level) > 1:
            level = [keccak(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
            levels.append(level)
        return levels

    @property
    def root(self) -> bytes:
        return self.levels[-1][0]

    def open(self, i: int, j: int) -> Opening:
        index = (i * self.n + j) // 128
        path = [level[(index >> depth) ^ 1] for depth, level in enumerate(self.levels[:-1])]
        return Opening(
            self.seed_r,
            self.seed_0,
            self.m,
            self.n,
            self.k,
            i,
            j,
            self.leaf(index),
            path,
            self.root,
        )


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    """Vectors that every implementation of the chain must meet."""
    vectors: dict[str, Any] = json.loads(GOLDEN.read_text())
    return vectors


@pytest.fixture(scope="session")
def compute() -> Callable[..., Product]:
    """The reference product."""
    return Product.compute


@pytest.fixture(scope="session")
def entry_of() -> Callable[..., int]:
    """One entry of the reference product."""

    def _entry_of(seed_r: bytes, seed_0: bytes, k: int, i: int, j: int) -> int:
        row = int8_row(seed_r, ROW_OF_A, i, k)
        column = int8_row(seed_0, COLUMN_OF_B, j, k)
        return sum(a * b for a, b in zip(row, column, strict=True))

    return _entry_of


@pytest.fixture(scope="session")
def fold_of() -> Callable[[int], int]:
    """The reference fold."""
    return fold8


@pytest.fixture(scope="session")
def product() -> Product:
    """32 x 64 entries in 16 leaves; 6 words: one turn of the main loop and two of the other."""
    return Product.compute(keccak(b"seed of the round"), keccak(b"seed of the chain"), 32, 64, 192)
