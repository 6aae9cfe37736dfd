"""Keccak at the speed of one core: generator, leaf and node hashing as numba kernels.

The permutation works on `LANES` independent states at once. Each state word is a run of
`LANES` consecutive uint64 in one flat array, and the body of the innermost loop is one
straight-line round over local variables: LLVM turns it into vector code, without runtime
alias checks because all offsets are compile-time constants.

All kernels release the GIL. The compiled code is cached in `CACHE`, because the first
compilation takes seconds.
"""

import os
from pathlib import Path

import numba
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]


def _cache_directory() -> Path:
    """`build/numba` of a checkout; the user's cache directory once installed."""
    project = Path(__file__).parents[3]
    if (project / "pyproject.toml").is_file():
        return project / "build" / "numba"
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "clearwork" / "numba"


CACHE = Path(os.environ.get("NUMBA_CACHE_DIR") or _cache_directory())
numba.config.CACHE_DIR = str(CACHE)  # type: ignore[attr-defined]
_kernel = numba.njit(cache=True, nogil=True, error_model="numpy")

LANES = 4
STATE_WORDS = 25
_U = np.uint64
_ROUND_CONSTANTS = np.array(
    [
        0x0000000000000001,
        0x0000000000008082,
        0x800000000000808A,
        0x8000000080008000,
        0x000000000000808B,
        0x0000000080000001,
        0x8000000080008081,
        0x8000000000008009,
        0x000000000000008A,
        0x0000000000000088,
        0x0000000080008009,
        0x000000008000000A,
        0x000000008000808B,
        0x800000000000008B,
        0x8000000000008089,
        0x8000000000008003,
        0x8000000000008002,
        0x8000000000000080,
        0x000000000000800A,
        0x800000008000000A,
        0x8000000080008081,
        0x8000000000008080,
        0x0000000080000001,
        0x8000000080008008,
    ],
    dtype=np.uint64,
)
# Keccak's multi-rate padding of a block of 136 bytes: a first and a last bit
_PAD_FIRST = _U(0x01)
_PAD_LAST = _U(0x8000000000000000)
_RATE_LAST_WORD = 16
# byte - 128 in two's complement flips the top bit of every byte
_SIGN_BITS = _U(0x8080808080808080)


@numba.njit(inline="always")
def _rotate(x, n):  # type: ignore[no-untyped-def]
    return (x << _U(n)) | (x >> _U(64 - n))


@numba.njit(inline="always")
def _swap_bytes(x):  # type: ignore[no-untyped-def]
    x = ((x & _U(0x00FF00FF00FF00FF)) << _U(8)) | ((x >> _U(8)) & _U(0x00FF00FF00FF00FF))
    x = ((x & _U(0x0000FFFF0000FFFF)) << _U(16)) | ((x >> _U(16)) & _U(0x0000FFFF0000FFFF))
    return (x << _U(32)) | (x >> _U(32))


@_kernel
def permute(s: Words) -> None:
    """Keccak-f[1600] on `LANES` interleaved states; word w of lane l is s[w * LANES + l]."""
    for round_index in range(24):
        constant = _ROUND_CONSTANTS[round_index]
        for lane in range(LANES):
            a0 = s[lane]
            a1 = s[1 * LANES + lane]
            a2 = s[2 * LANES + lane]
            a3 = s[3 * LANES + lane]
            a4 = s[4 * LANES + lane]
            a5 = s[5 * LANES + lane]
            a6 = s[6 * LANES + lane]
            a7 = s[7 * LANES + lane]
            a8 = s[8 * LANES + lane]
            a9 = s[9 * LANES + lane]
            a10 = s[10 * LANES + lane]
            a11 = s[11 * LANES + lane]
            a12 = s[12 * LANES + lane]
            a13 = s[13 * LANES + lane]
            a14 = s[14 * LANES + lane]
            a15 = s[15 * LANES + lane]
            a16 = s[16 * LANES + lane]
            a17 = s[17 * LANES + lane]
            a18 = s[18 * LANES + lane]
            a19 = s[19 * LANES + lane]
            a20 = s[20 * LANES + lane]
            a21 = s[21 * LANES + lane]
            a22 = s[22 * LANES + lane]
            a23 = s[23 * LANES + lane]
            a24 = s[24 * LANES + lane]
            c0 = a0 ^ a5 ^ a10 ^ a15 ^ a20
            c1 = a1 ^ a6 ^ a11 ^ a16 ^ a21
            c2 = a2 ^ a7 ^ a12 ^ a17 ^ a22
            c3 = a3 ^ a8 ^ a13 ^ a18 ^ a23
            c4 = a4 ^ a9 ^ a14 ^ a19 ^ a24
            d0 = c4 ^ _rotate(c1, 1)
            d1 = c0 ^ _rotate(c2, 1)
            d2 = c1 ^ _rotate(c3, 1)
            d3 = c2 ^ _rotate(c4, 1)
            d4 = c3 ^ _rotate(c0, 1)
            b0 = a0 ^ d0
            b1 = _rotate(a6 ^ d1, 44)
            b2 = _rotate(a12 ^ d2, 43)
            b3 = _rotate(a18 ^ d3, 21)
            b4 = _rotate(a24 ^ d4, 14)
            b5 = _rotate(a3 ^ d3, 28)
            b6 = _rotate(a9 ^ d4, 20)
            b7 = _rotate(a10 ^ d0, 3)
            b8 = _rotate(a16 ^ d1, 45)
            b9 = _rotate(a22 ^ d2, 61)
            b10 = _rotate(a1 ^ d1, 1)
            b11 = _rotate(a7 ^ d2, 6)
            b12 = _rotate(a13 ^ d3, 25)
            b13 = _rotate(a19 ^ d4, 8)
            b14 = _rotate(a20 ^ d0, 18)
            b15 = _rotate(a4 ^ d4, 27)
            b16 = _rotate(a5 ^ d0, 36)
            b17 = _rotate(a11 ^ d1, 10)
            b18 = _rotate(a17 ^ d2, 15)
            b19 = _rotate(a23 ^ d3, 56)
            b20 = _rotate(a2 ^ d2, 62)
            b21 = _rotate(a8 ^ d3, 55)
            b22 = _rotate(a14 ^ d4, 39)
            b23 = _rotate(a15 ^ d0, 41)
            b24 = _rotate(a21 ^ d1, 2)
            s[lane] = b0 ^ (~b1 & b2) ^ constant
            s[1 * LANES + lane] = b1 ^ (~b2 & b3)
            s[2 * LANES + lane] = b2 ^ (~b3 & b4)
            s[3 * LANES + lane] = b3 ^ (~b4 & b0)
            s[4 * LANES + lane] = b4 ^ (~b0 & b1)
            s[5 * LANES + lane] = b5 ^ (~b6 & b7)
            s[6 * LANES + lane] = b6 ^ (~b7 & b8)
            s[7 * LANES + lane] = b7 ^ (~b8 & b9)
            s[8 * LANES + lane] = b8 ^ (~b9 & b5)
            s[9 * LANES + lane] = b9 ^ (~b5 & b6)
            s[10 * LANES + lane] = b10 ^ (~b11 & b12)
            s[11 * LANES + lane] = b11 ^ (~b12 & b13)
            s[12 * LANES + lane] = b12 ^ (~b13 & b14)
            s[13 * LANES + lane] = b13 ^ (~b14 & b10)
            s[14 * LANES + lane] = b14 ^ (~b10 & b11)
            s[15 * LANES + lane] = b15 ^ (~b16 & b17)
            s[16 * LANES + lane] = b16 ^ (~b17 & b18)
            s[17 * LANES + lane] = b17 ^ (~b18 & b19)
            s[18 * LANES + lane] = b18 ^ (~b19 & b15)
            s[19 * LANES + lane] = b19 ^ (~b15 & b16)
            s[20 * LANES + lane] = b20 ^ (~b21 & b22)
            s[21 * LANES + lane] = b21 ^ (~b22 & b23)
            s[22 * LANES + lane] = b22 ^ (~b23 & b24)
            s[23 * LANES + lane] = b23 ^ (~b24 & b20)
            s[24 * LANES + lane] = b24 ^ (~b20 & b21)


@_kernel
def generate(keys: Words, reverse_lanes: bool, out: Words) -> None:
    """Fill each row of `out` with the int8 elements behind its key.

    `keys`: (rows, 4), most significant word first. `out`: (rows, length / 8), the elements'
    bytes in memory order. `reverse_lanes`: the layout of B instead of A.
    """
    rows, row_words = out.shape
    per_row = row_words // 4
    total = rows * per_row
    state = np.empty(STATE_WORDS * LANES, np.uint64)
    for start in range(0, total, LANES):
        state[:] = _U(0)
        for lane in range(LANES):
            row, t = divmod(min(start + lane, total - 1), per_row)
            carry = _U(t)
            for word in range(3, -1, -1):
                value = keys[row, word] + carry
                carry = _U(1) if value < carry else _U(0)
                state[word * LANES + lane] = _swap_bytes(value)
            state[4 * LANES + lane] = _PAD_FIRST
            state[_RATE_LAST_WORD * LANES + lane] = _PAD_LAST
        permute(state)
        for lane in range(min(LANES, total - start)):
            row, t = divmod(start + lane, per_row)
            for word in range(4):
                value = _swap_bytes(state[word * LANES + lane]) ^ _SIGN_BITS
                if reverse_lanes:
                    out[row, 4 * t + word] = _rotate(value, 32)
                else:
                    out[row, 4 * t + 3 - word] = value


@_kernel
def hash_blocks(blocks: Words, out: Words) -> None:
    """Keccak of each row of `blocks`: messages of one length, a multiple of 8 below 136 bytes.

    `out`: (rows, 4), digests in memory order.
    """
    total, words = blocks.shape
    state = np.empty(STATE_WORDS * LANES, np.uint64)
    for start in range(0, total, LANES):
        state[:] = _U(0)
        for lane in range(LANES):
            row = min(start + lane, total - 1)
            for word in range(words):
                state[word * LANES + lane] = blocks[row, word]
            state[words * LANES + lane] = _PAD_FIRST
            state[_RATE_LAST_WORD * LANES + lane] ^= _PAD_LAST
        permute(state)
        for lane in range(min(LANES, total - start)):
            for word in range(4):
                out[start + lane, word] = state[word * LANES + lane]


@_kernel
def fold(products: NDArray[np.int32], out: Bytes) -> None:
    """Fold int32 entries to bytes: xor of the four bytes of each."""
    for index in range(products.size):
        x = np.uint32(products[index])
        x ^= x >> np.uint32(16)
        x ^= x >> np.uint32(8)
        out[index] = np.uint8(x & np.uint32(0xFF))


@_kernel
def add_exact(total: NDArray[np.int32], part: NDArray[np.float32]) -> None:
    """Add integers held as float32 to int32 sums; both contiguous, of one size."""
    for index in range(total.size):
        total[index] += np.int32(part[index])


@_kernel
def paired_products(a: NDArray[np.int8], b: NDArray[np.int8], out: NDArray[np.int32]) -> None:
    """Dot product of row i of `a` with row i of `b`, in int32."""
    rows, length = a.shape
    for row in range(rows):
        total = np.int32(0)
        for t in range(length):
            total += np.int32(a[row, t]) * np.int32(b[row, t])
        out[row] = total
