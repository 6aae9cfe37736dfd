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
def _load_counter(state: Words, lane: int, key: Words, t: int) -> None:
    """Words 0 to 3 of one lane: key + t as a 256-bit number; `key` most significant word first."""
    carry = _U(t)
    for word in range(3, -1, -1):
        value = key[word] + carry
        carry = _U(1) if value < carry else _U(0)
        state[word * LANES + lane] = swap_bytes(value)


@kernel
def _load_start(state: Words, lane: int, start: Words, index: int) -> None:
    """Words 0 to 4 of one lane: 32 bytes and a big-endian number."""
    for word in range(4):
        state[word * LANES + lane] = start[word]
    state[4 * LANES + lane] = swap_bytes(_U(index))


@kernel
def _finish_words(state: Words, words: int) -> None:
    """Pad messages of so many words in all lanes, whatever the state held behind them."""
    state[words * LANES :] = _U(0)
    for lane in range(LANES):
        state[words * LANES + lane] = PAD_FIRST
        state[RATE_LAST_WORD * LANES + lane] = PAD_LAST


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
        for lane in range(LANES):
            row, t = divmod(min(start + lane, total - 1), per_row)
            _load_counter(state, lane, keys[row], t)
        _finish_words(state, 4)
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


@kernel
def fill_table(key: Words, depth: int, out: Words) -> None:
    """The residency walk's table: row i of `out`, (entries, 4), is keccak^depth(key + i).

    `key`: (4,), most significant word first. Digests in memory order.
    """
    total = len(out)
    state = np.empty(STATE_WORDS * LANES, np.uint64)
    for start in range(0, total, LANES):
        for lane in range(LANES):
            _load_counter(state, lane, key, min(start + lane, total - 1))
        for _ in range(depth):
            _finish_words(state, 4)
            permute(state)
        for lane in range(min(LANES, total - start)):
            for word in range(4):
                out[start + lane, word] = state[word * LANES + lane]


@kernel
def walk(table: Words, start: Words, steps: int, out: Words) -> None:
    """Walk every lane through `table`, (entries, 4); `out`, (lanes, 4), takes their ends.

    `start`: (4,), in memory order.
    """
    entries = _U(len(table))
    total = len(out)
    state = np.empty(STATE_WORDS * LANES, np.uint64)
    for first in range(0, total, LANES):
        for lane in range(LANES):
            _load_start(state, lane, start, min(first + lane, total - 1))
        _finish_words(state, 5)
        permute(state)
        for _ in range(steps):
            for lane in range(LANES):
                entry = table[state[lane] % entries]
                for word in range(4):
                    state[(4 + word) * LANES + lane] = entry[word]
            _finish_words(state, 8)
            permute(state)
        for lane in range(min(LANES, total - first)):
            for word in range(4):
                out[first + lane, word] = state[word * LANES + lane]


@kernel
def replay(
    key: Words, start: Words, lanes: Words, entries: int, steps: int, depth: int, out: Words
) -> None:
    """The ends of some `lanes` without a table; `key` as for `fill_table`, `start` for `walk`."""
    total = len(lanes)
    state = np.empty(STATE_WORDS * LANES, np.uint64)
    entry = np.empty(STATE_WORDS * LANES, np.uint64)
    for first in range(0, total, LANES):
        for lane in range(LANES):
            _load_start(state, lane, start, lanes[min(first + lane, total - 1)])
        _finish_words(state, 5)
        permute(state)
        for _ in range(steps):
            for lane in range(LANES):
                _load_counter(entry, lane, key, state[lane] % _U(entries))
            for _ in range(depth):
                _finish_words(entry, 4)
                permute(entry)
            for at in range(4 * LANES):
                state[4 * LANES + at] = entry[at]
            _finish_words(state, 8)
            permute(state)
        for lane in range(min(LANES, total - first)):
            for word in range(4):
                out[first + lane, word] = state[word * LANES + lane]
