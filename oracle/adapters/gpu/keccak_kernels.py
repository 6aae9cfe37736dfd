"""The attestation's generator and its arithmetic as numba kernels."""

import numpy as np
from numpy.typing import NDArray

from oracle.domain.keccak_lanes import (
    LANES,
    PAD_FIRST,
    PAD_LAST,
    RATE_LAST_WORD,
    STATE_WORDS,
    Words,
    kernel,
    permute,
    rotate,
    swap_bytes,
)

Bytes = NDArray[np.uint8]

_U = np.uint64
# byte - 128 in two's complement flips the top bit of every byte
_SIGN_BITS = _U(0x8080808080808080)


@kernel
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
                state[word * LANES + lane] = swap_bytes(value)
            state[4 * LANES + lane] = PAD_FIRST
            state[RATE_LAST_WORD * LANES + lane] = PAD_LAST
        permute(state)
        for lane in range(min(LANES, total - start)):
            row, t = divmod(start + lane, per_row)
            for word in range(4):
                value = swap_bytes(state[word * LANES + lane]) ^ _SIGN_BITS
                if reverse_lanes:
                    out[row, 4 * t + word] = rotate(value, 32)
                else:
                    out[row, 4 * t + 3 - word] = value


@kernel
def fold(products: NDArray[np.int32], out: Bytes) -> None:
    """Fold int32 entries to bytes: xor of the four bytes of each."""
    for index in range(products.size):
        x = np.uint32(products[index])
        x ^= x >> np.uint32(16)
        x ^= x >> np.uint32(8)
        out[index] = np.uint8(x & np.uint32(0xFF))


@kernel
def add_exact(total: NDArray[np.int32], part: NDArray[np.float32]) -> None:
    """Add integers held as float32 to int32 sums; both of one shape (rows, columns)."""
    rows, columns = total.shape
    for row in range(rows):
        for column in range(columns):
            total[row, column] += np.int32(part[row, column])


@kernel
def paired_products(a: NDArray[np.int8], b: NDArray[np.int8], out: NDArray[np.int32]) -> None:
    """Dot product of row i of `a` with row i of `b`, in int32."""
    rows, length = a.shape
    for row in range(rows):
        total = np.int32(0)
        for t in range(length):
            total += np.int32(a[row, t]) * np.int32(b[row, t])
        out[row] = total
