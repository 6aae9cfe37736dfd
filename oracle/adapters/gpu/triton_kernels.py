"""Keccak-256 and the attestation's hashing as Triton kernels: one message per GPU thread.

Importing this module needs the packages of `clearwork[gpu]`. Buffers are int64 tensors that hold
the bits of little-endian words; torch's own uint64 lacks most operations. With
TRITON_INTERPRET=1 the same kernels run on a processor, which is how they are tested.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from oracle.domain.keccak_lanes import ROUND_CONSTANTS

INTERPRETED = triton.knobs.runtime.interpret
"""Whether the kernels below run on Triton's interpreter."""
BLOCK = 1_024 if INTERPRETED else 128
"""Messages per program: one per thread of four warps. The interpreter's take as long for more."""
FOLD_BLOCK = 1_024

_PAD_FIRST = tl.constexpr(1)
_PAD_LAST = tl.constexpr(1 << 63)
_SIGN_BITS = tl.constexpr(0x8080808080808080)


def round_constants(device: Any) -> Tensor:
    """Keccak's 24 round constants on a device; every kernel below takes them first."""
    return torch.from_numpy(ROUND_CONSTANTS.view("int64").copy()).to(device)


@triton.jit
def _load(words, index, mask):
    return tl.load(words + index, mask=mask, other=0).to(tl.uint64, bitcast=True)


@triton.jit
def _store(words, index, value, mask):
    tl.store(words + index, value.to(tl.int64, bitcast=True), mask=mask)


@triton.jit
def _swap_bytes(x):
    x = ((x & 0x00FF00FF00FF00FF) << 8) | ((x >> 8) & 0x00FF00FF00FF00FF)
    x = ((x & 0x0000FFFF0000FFFF) << 16) | ((x >> 16) & 0x0000FFFF0000FFFF)
    return (x << 32) | (x >> 32)


@triton.jit
def _digest(
    constants, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16
):  # fmt: skip
    """First four words of keccak-f[1600] on a padded block of 17 words."""
    zero = a0 ^ a0
    a17, a18, a19, a20, a21, a22, a23, a24 = zero, zero, zero, zero, zero, zero, zero, zero
    for index in range(24):
        c0 = a0 ^ a5 ^ a10 ^ a15 ^ a20
        c1 = a1 ^ a6 ^ a11 ^ a16 ^ a21
        c2 = a2 ^ a7 ^ a12 ^ a17 ^ a22
        c3 = a3 ^ a8 ^ a13 ^ a18 ^ a23
        c4 = a4 ^ a9 ^ a14 ^ a19 ^ a24
        d0 = c4 ^ ((c1 << 1) | (c1 >> 63))
        d1 = c0 ^ ((c2 << 1) | (c2 >> 63))
        d2 = c1 ^ ((c3 << 1) | (c3 >> 63))
        d3 = c2 ^ ((c4 << 1) | (c4 >> 63))
        d4 = c3 ^ ((c0 << 1) | (c0 >> 63))
        b0 = a0 ^ d0
        b1 = ((a6 ^ d1) << 44) | ((a6 ^ d1) >> 20)
        b2 = ((a12 ^ d2) << 43) | ((a12 ^ d2) >> 21)
        b3 = ((a18 ^ d3) << 21) | ((a18 ^ d3) >> 43)
        b4 = ((a24 ^ d4) << 14) | ((a24 ^ d4) >> 50)
        b5 = ((a3 ^ d3) << 28) | ((a3 ^ d3) >> 36)
        b6 = ((a9 ^ d4) << 20) | ((a9 ^ d4) >> 44)
        b7 = ((a10 ^ d0) << 3) | ((a10 ^ d0) >> 61)
        b8 = ((a16 ^ d1) << 45) | ((a16 ^ d1) >> 19)
        b9 = ((a22 ^ d2) << 61) | ((a22 ^ d2) >> 3)
        b10 = ((a1 ^ d1) << 1) | ((a1 ^ d1) >> 63)
        b11 = ((a7 ^ d2) << 6) | ((a7 ^ d2) >> 58)
        b12 = ((a13 ^ d3) << 25) | ((a13 ^ d3) >> 39)
        b13 = ((a19 ^ d4) << 8) | ((a19 ^ d4) >> 56)
        b14 = ((a20 ^ d0) << 18) | ((a20 ^ d0) >> 46)
        b15 = ((a4 ^ d4) << 27) | ((a4 ^ d4) >> 37)
        b16 = ((a5 ^ d0) << 36) | ((a5 ^ d0) >> 28)
        b17 = ((a11 ^ d1) << 10) | ((a11 ^ d1) >> 54)
        b18 = ((a17 ^ d2) << 15) | ((a17 ^ d2) >> 49)
        b19 = ((a23 ^ d3) << 56) | ((a23 ^ d3) >> 8)
        b20 = ((a2 ^ d2) << 62) | ((a2 ^ d2) >> 2)
        b21 = ((a8 ^ d3) << 55) | ((a8 ^ d3) >> 9)
        b22 = ((a14 ^ d4) << 39) | ((a14 ^ d4) >> 25)
        b23 = ((a15 ^ d0) << 41) | ((a15 ^ d0) >> 23)
        b24 = ((a21 ^ d1) << 2) | ((a21 ^ d1) >> 62)
        a0 = b0 ^ (~b1 & b2)
        a1 = b1 ^ (~b2 & b3)
        a2 = b2 ^ (~b3 & b4)
        a3 = b3 ^ (~b4 & b0)
        a4 = b4 ^ (~b0 & b1)
        a5 = b5 ^ (~b6 & b7)
        a6 = b6 ^ (~b7 & b8)
        a7 = b7 ^ (~b8 & b9)
        a8 = b8 ^ (~b9 & b5)
        a9 = b9 ^ (~b5 & b6)
        a10 = b10 ^ (~b11 & b12)
        a11 = b11 ^ (~b12 & b13)
        a12 = b12 ^ (~b13 & b14)
        a13 = b13 ^ (~b14 & b10)
        a14 = b14 ^ (~b10 & b11)
        a15 = b15 ^ (~b16 & b17)
        a16 = b16 ^ (~b17 & b18)
        a17 = b17 ^ (~b18 & b19)
        a18 = b18 ^ (~b19 & b15)
        a19 = b19 ^ (~b15 & b16)
        a20 = b20 ^ (~b21 & b22)
        a21 = b21 ^ (~b22 & b23)
        a22 = b22 ^ (~b23 & b24)
        a23 = b23 ^ (~b24 & b20)
        a24 = b24 ^ (~b20 & b21)
        a0 ^= tl.load(constants + index).to(tl.uint64, bitcast=True)
    return a0, a1, a2, a3


@triton.jit
def _digest_word(constants, w0, w1, w2, w3):
    """Keccak of 32 bytes."""
    zero = w0 ^ w0
    return _digest(
        constants, w0, w1, w2, w3, zero + _PAD_FIRST, zero, zero, zero, zero, zero, zero, zero,
        zero, zero, zero, zero, zero + _PAD_LAST,
    )  # fmt: skip


@triton.jit
def _digest_pair(constants, w0, w1, w2, w3, w4, w5, w6, w7):
    """Keccak of 64 bytes."""
    zero = w0 ^ w0
    return _digest(
        constants, w0, w1, w2, w3, w4, w5, w6, w7, zero + _PAD_FIRST, zero, zero, zero, zero,
        zero, zero, zero, zero + _PAD_LAST,
    )  # fmt: skip


@triton.jit
def _indices(count, block: tl.constexpr):
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    return index, index < count


@triton.jit
def _add(k0, k1, k2, k3, t):
    """A 256-bit number, most significant word first, plus a 64-bit one; modulo 2^256."""
    k3 = k3 + t
    carry = (k3 < t).to(tl.uint64)
    k2 = k2 + carry
    carry = (k2 < carry).to(tl.uint64)
    k1 = k1 + carry
    carry = (k1 < carry).to(tl.uint64)
    return k0 + carry, k1, k2, k3


@triton.jit
def _generate(
    constants, keys, out, count, per_row, reverse_lanes: tl.constexpr, block: tl.constexpr
):
    index, inside = _indices(count, block)
    row = index // per_row
    t = (index - row * per_row).to(tl.uint64)
    k0, k1, k2, k3 = _add(
        _load(keys, 4 * row, inside),
        _load(keys, 4 * row + 1, inside),
        _load(keys, 4 * row + 2, inside),
        _load(keys, 4 * row + 3, inside),
        t,
    )
    d0, d1, d2, d3 = _digest_word(
        constants, _swap_bytes(k0), _swap_bytes(k1), _swap_bytes(k2), _swap_bytes(k3)
    )
    d0, d1, d2, d3 = _swap_bytes(d0), _swap_bytes(d1), _swap_bytes(d2), _swap_bytes(d3)
    if reverse_lanes:
        d0, d1, d2, d3 = (
            (d3 << 32) | (d3 >> 32), (d2 << 32) | (d2 >> 32), (d1 << 32) | (d1 >> 32),
            (d0 << 32) | (d0 >> 32),
        )  # fmt: skip
    _store(out, 4 * index, d3 ^ _SIGN_BITS, inside)
    _store(out, 4 * index + 1, d2 ^ _SIGN_BITS, inside)
    _store(out, 4 * index + 2, d1 ^ _SIGN_BITS, inside)
    _store(out, 4 * index + 3, d0 ^ _SIGN_BITS, inside)


@triton.jit
def _fold(product, out, count, block: tl.constexpr):
    index, inside = _indices(count, block)
    x = tl.load(product + index, mask=inside, other=0)
    # the sign that an arithmetic shift brings in stays above the byte that is kept
    x ^= x >> 16
    x ^= x >> 8
    tl.store(out + index, (x & 0xFF).to(tl.uint8), mask=inside)


@triton.jit
def _hash_leaves(constants, leaves, out, count, block: tl.constexpr):
    """Keccak of 128 bytes each."""
    index, inside = _indices(count, block)
    at = 16 * index
    w0 = _load(leaves, at, inside)
    d0, d1, d2, d3 = _digest(
        constants,
        w0,
        _load(leaves, at + 1, inside),
        _load(leaves, at + 2, inside),
        _load(leaves, at + 3, inside),
        _load(leaves, at + 4, inside),
        _load(leaves, at + 5, inside),
        _load(leaves, at + 6, inside),
        _load(leaves, at + 7, inside),
        _load(leaves, at + 8, inside),
        _load(leaves, at + 9, inside),
        _load(leaves, at + 10, inside),
        _load(leaves, at + 11, inside),
        _load(leaves, at + 12, inside),
        _load(leaves, at + 13, inside),
        _load(leaves, at + 14, inside),
        _load(leaves, at + 15, inside),
        (w0 ^ w0) + (_PAD_FIRST ^ _PAD_LAST),
    )
    _store(out, 4 * index, d0, inside)
    _store(out, 4 * index + 1, d1, inside)
    _store(out, 4 * index + 2, d2, inside)
    _store(out, 4 * index + 3, d3, inside)


@triton.jit
def _hash_pairs(constants, pairs, out, count, block: tl.constexpr):
    """Keccak of 64 bytes each."""
    index, inside = _indices(count, block)
    at = 8 * index
    d0, d1, d2, d3 = _digest_pair(
        constants,
        _load(pairs, at, inside),
        _load(pairs, at + 1, inside),
        _load(pairs, at + 2, inside),
        _load(pairs, at + 3, inside),
        _load(pairs, at + 4, inside),
        _load(pairs, at + 5, inside),
        _load(pairs, at + 6, inside),
        _load(pairs, at + 7, inside),
    )
    _store(out, 4 * index, d0, inside)
    _store(out, 4 * index + 1, d1, inside)
    _store(out, 4 * index + 2, d2, inside)
    _store(out, 4 * index + 3, d3, inside)


@triton.jit
def _fill_table(constants, key, out, count, depth, block: tl.constexpr):
    index, inside = _indices(count, block)
    zero = (index ^ index).to(tl.uint64)
    k0, k1, k2, k3 = _add(
        zero + tl.load(key).to(tl.uint64, bitcast=True),
        zero + tl.load(key + 1).to(tl.uint64, bitcast=True),
        zero + tl.load(key + 2).to(tl.uint64, bitcast=True),
        zero + tl.load(key + 3).to(tl.uint64, bitcast=True),
        index.to(tl.uint64),
    )
    d0, d1, d2, d3 = _swap_bytes(k0), _swap_bytes(k1), _swap_bytes(k2), _swap_bytes(k3)
    for _ in range(depth):
        d0, d1, d2, d3 = _digest_word(constants, d0, d1, d2, d3)
    _store(out, 4 * index, d0, inside)
    _store(out, 4 * index + 1, d1, inside)
    _store(out, 4 * index + 2, d2, inside)
    _store(out, 4 * index + 3, d3, inside)


@triton.jit
def _walk(constants, table, entries, start, steps, out, count, block: tl.constexpr):
    index, inside = _indices(count, block)
    zero = (index ^ index).to(tl.uint64)
    x0, x1, x2, x3 = _digest(
        constants,
        zero + tl.load(start).to(tl.uint64, bitcast=True),
        zero + tl.load(start + 1).to(tl.uint64, bitcast=True),
        zero + tl.load(start + 2).to(tl.uint64, bitcast=True),
        zero + tl.load(start + 3).to(tl.uint64, bitcast=True),
        _swap_bytes(index.to(tl.uint64)),
        zero + _PAD_FIRST, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero,
        zero + _PAD_LAST,
    )  # fmt: skip
    for _ in range(steps):
        at = 4 * (x0 % (zero + entries)).to(tl.int64)
        x0, x1, x2, x3 = _digest_pair(
            constants, x0, x1, x2, x3, _load(table, at, inside), _load(table, at + 1, inside),
            _load(table, at + 2, inside), _load(table, at + 3, inside),
        )  # fmt: skip
    _store(out, 4 * index, x0, inside)
    _store(out, 4 * index + 1, x1, inside)
    _store(out, 4 * index + 2, x2, inside)
    _store(out, 4 * index + 3, x3, inside)


def generate(constants: Tensor, keys: Tensor, reverse_lanes: bool, out: Tensor) -> None:
    """Fill each row of `out` with the int8 elements behind its key.

    `keys`: (rows, 4), most significant word first. `out`: (rows, length / 8) words, the elements'
    bytes in memory order. `reverse_lanes`: the layout of B instead of A.
    """
    count = out.numel() // 4
    _generate[_grid(count)](constants, keys, out, count, out.shape[1] // 4, reverse_lanes, BLOCK)


def fold(product: Tensor, out: Tensor) -> None:
    """Fold int32 entries to bytes: xor of the four bytes of each."""
    _fold[_grid(product.numel(), FOLD_BLOCK)](product, out, product.numel(), FOLD_BLOCK)


def hash_leaves(constants: Tensor, leaves: Tensor, out: Tensor) -> None:
    """Keccak of each row of `leaves`, (rows, 16) words, into `out`, (rows, 4)."""
    _hash_leaves[_grid(len(out))](constants, leaves, out, len(out), BLOCK)


def hash_pairs(constants: Tensor, pairs: Tensor, out: Tensor) -> None:
    """Keccak of each row of `pairs`, (rows, 8) words, into `out`, (rows, 4)."""
    _hash_pairs[_grid(len(out))](constants, pairs, out, len(out), BLOCK)


def fill_table(constants: Tensor, key: Tensor, depth: int, out: Tensor) -> None:
    """A residency walk's table into `out`, (entries, 4); `key`: (4,), most significant first."""
    _fill_table[_grid(len(out))](constants, key, out, len(out), depth, BLOCK)


def walk(constants: Tensor, table: Tensor, start: Tensor, steps: int, out: Tensor) -> None:
    """Walk every lane through `table`; `out`, (lanes, 4), takes their ends."""
    entries, lanes = table.shape[0], out.shape[0]
    _walk[_grid(lanes)](constants, table, entries, start, steps, out, lanes, BLOCK)


def _grid(count: int, block: int = BLOCK) -> tuple[int]:
    return (triton.cdiv(count, block),)
