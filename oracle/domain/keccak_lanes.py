"""Keccak-256 at the speed of one core: many messages of one length at once, as numba kernels.

The permutation works on `LANES` independent states at once. Each state word is a run of
`LANES` consecutive uint64 in one flat array, and the body of the innermost loop is one
straight-line round over local variables: LLVM turns it into vector code, without runtime
alias checks because all offsets are compile-time constants.

All kernels release the GIL. The compiled code is cached, because the first compilation takes
seconds; `oracle/__init__.py` says where.
"""

import numba
import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

kernel = numba.njit(cache=True, nogil=True, error_model="numpy")

LANES = 4
STATE_WORDS = 25
_U = np.uint64
ROUND_CONSTANTS = np.array(
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
PAD_FIRST = _U(0x01)
PAD_LAST = _U(0x8000000000000000)
RATE_LAST_WORD = 16


@numba.njit(inline="always")
def rotate(x, n):  # type: ignore[no-untyped-def]
    return (x << _U(n)) | (x >> _U(64 - n))


@numba.njit(inline="always")
def swap_bytes(x):  # type: ignore[no-untyped-def]
    x = ((x & _U(0x00FF00FF00FF00FF)) << _U(8)) | ((x >> _U(8)) & _U(0x00FF00FF00FF00FF))
    x = ((x & _U(0x0000FFFF0000FFFF)) << _U(16)) | ((x >> _U(16)) & _U(0x0000FFFF0000FFFF))
    return (x << _U(32)) | (x >> _U(32))


@kernel
def permute(s: Words) -> None:
    """Keccak-f[1600] on `LANES` interleaved states; word w of lane l is s[w * LANES + l]."""
    for round_index in range(24):
        constant = ROUND_CONSTANTS[round_index]
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
            d0 = c4 ^ rotate(c1, 1)
            d1 = c0 ^ rotate(c2, 1)
            d2 = c1 ^ rotate(c3, 1)
            d3 = c2 ^ rotate(c4, 1)
            d4 = c3 ^ rotate(c0, 1)
            b0 = a0 ^ d0
            b1 = rotate(a6 ^ d1, 44)
            b2 = rotate(a12 ^ d2, 43)
            b3 = rotate(a18 ^ d3, 21)
            b4 = rotate(a24 ^ d4, 14)
            b5 = rotate(a3 ^ d3, 28)
            b6 = rotate(a9 ^ d4, 20)
            b7 = rotate(a10 ^ d0, 3)
            b8 = rotate(a16 ^ d1, 45)
            b9 = rotate(a22 ^ d2, 61)
            b10 = rotate(a1 ^ d1, 1)
            b11 = rotate(a7 ^ d2, 6)
            b12 = rotate(a13 ^ d3, 25)
            b13 = rotate(a19 ^ d4, 8)
            b14 = rotate(a20 ^ d0, 18)
            b15 = rotate(a4 ^ d4, 27)
            b16 = rotate(a5 ^ d0, 36)
            b17 = rotate(a11 ^ d1, 10)
            b18 = rotate(a17 ^ d2, 15)
            b19 = rotate(a23 ^ d3, 56)
            b20 = rotate(a2 ^ d2, 62)
            b21 = rotate(a8 ^ d3, 55)
            b22 = rotate(a14 ^ d4, 39)
            b23 = rotate(a15 ^ d0, 41)
            b24 = rotate(a21 ^ d1, 2)
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


@kernel
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
            state[words * LANES + lane] = PAD_FIRST
            state[RATE_LAST_WORD * LANES + lane] ^= PAD_LAST
        permute(state)
        for lane in range(min(LANES, total - start)):
            for word in range(4):
                out[start + lane, word] = state[word * LANES + lane]


@kernel
def hash_nodes(nodes: Words, first: int, last: int) -> None:
    """Fill in nodes `first` to `last` (not included) of a Merkle tree in one flat list.

    `nodes`: (nodes, 4), hashes in memory order; node i hashes nodes 2i + 1 and 2i + 2, the
    smaller one first. All of those lie at `last` or behind.
    """
    state = np.empty(STATE_WORDS * LANES, np.uint64)
    for start in range(first, last, LANES):
        state[:] = _U(0)
        for lane in range(LANES):
            left = 2 * min(start + lane, last - 1) + 1
            right = left + 1
            for word in range(4):
                a, b = nodes[left, word], nodes[right, word]
                if a != b:
                    if swap_bytes(a) > swap_bytes(b):
                        left, right = right, left
                    break
            for word in range(4):
                state[word * LANES + lane] = nodes[left, word]
                state[(4 + word) * LANES + lane] = nodes[right, word]
            state[8 * LANES + lane] = PAD_FIRST
            state[RATE_LAST_WORD * LANES + lane] = PAD_LAST
        permute(state)
        for lane in range(min(LANES, last - start)):
            for word in range(4):
                nodes[start + lane, word] = state[word * LANES + lane]
