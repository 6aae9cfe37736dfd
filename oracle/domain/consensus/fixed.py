"""Fixed-point arithmetic on arrays: I32F32, signed, 32 integer and 32 fraction bits, as int64.

The rules are those of specs/emissions.md, section 3: `mul` floors, `div` truncates toward zero,
x / 0 is 0, and what does not fit becomes the nearest number that does. Every function is exact
on all of int64. Numbers in [0, 1], nearly all of an epoch's, take a short path; nothing here is
a float, so every host gets the same bits.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.int64]

FRACTION = 32
ONE = 1 << FRACTION
HALF = ONE >> 1
MAX = 2**63 - 1
MIN = -(2**63)
MAX_U16 = 2**16 - 1
# the largest I64F64, which stakes are shared out in
MAX_WIDE = 2**127 - 1
_LOW = np.int64(ONE - 1)
_SHIFT = np.int64(FRACTION)
_U_SHIFT = np.uint64(FRACTION)
_U_LOW = np.uint64(ONE - 1)
_U_MAX = np.uint64(2**64 - 1)

# arguments and terms of `exp`: e^20 is the largest power of e that leaves room to spare
EXP_LIMIT = 20 << FRACTION
EXP_TERMS = 31
# e with 23 fraction bits, which the original returns for an argument of exactly 1
E_AT_ONE = 0x15BF0A8 << 9


def mul(a: Bits | int, b: Bits | int) -> Bits:
    """The product, floored."""
    a, b = np.asarray(a, np.int64), np.asarray(b, np.int64)
    if _in_unit(a) and _in_unit(b):
        x, y = a.view(np.uint64), b.view(np.uint64)
        # 1 * 1 is 2^64, which wraps to 0: the one product of the unit interval that does
        return ((x * y >> _U_SHIFT) | (x & y & np.uint64(ONE))).view(np.int64)
    a_high, a_low, b_high, b_low = a >> _SHIFT, a & _LOW, b >> _SHIFT, b & _LOW
    middle, other = a_high * b_low, a_low * b_high
    low = (a_low.view(np.uint64) * b_low.view(np.uint64) >> _U_SHIFT).view(np.int64)
    low = (middle & _LOW) + (other & _LOW) + low
    high = a_high * b_high + (middle >> _SHIFT) + (other >> _SHIFT) + (low >> _SHIFT)
    result: Bits = (high << _SHIFT) | (low & _LOW)
    result = np.where(high >= 2**31, np.int64(MAX), result)
    return np.where(high < -(2**31), np.int64(MIN), result)


def div(a: Bits | int, b: Bits | int) -> Bits:
    """The quotient, truncated toward zero; 0 where `b` is 0."""
    a, b = np.asarray(a, np.int64), np.asarray(b, np.int64)
    least = int(b.min(initial=MAX))
    if not _in_unit(a) or least < 0:
        return _one_by_one(_quotient, a, b)
    divisor = (np.maximum(b, 1) if least == 0 else b).view(np.uint64)
    x = a.view(np.uint64)
    whole = x == np.uint64(ONE)
    numerator = x << _U_SHIFT
    if whole.any():
        # a whole 1 would need bit 64: take 2^64 - 1, and put right what this changes, which is
        # the quotient by a power of two
        numerator = np.where(whole, _U_MAX, numerator)
        quotient = numerator // divisor
        rest = numerator - quotient * divisor
        quotient += whole & (rest == divisor - np.uint64(1)) & (rest > 0)
    else:
        quotient = numerator // divisor
    if least <= 2:
        # only the smallest divisors can pass the largest number
        quotient = np.where(b == 0, np.uint64(0), np.minimum(quotient, np.uint64(MAX)))
    return quotient.view(np.int64)


def total(values: Bits, axis: int = -1) -> Bits:
    """The sum along an axis, of numbers none of which is below 0."""
    if values.size == 0 or int(_magnitude(values)) * values.shape[axis] <= MAX:
        return np.asarray(values.sum(axis=axis, dtype=np.int64))
    return _saturated(values.astype(object).sum(axis=axis))


def norm(values: Bits) -> Bits:
    """Divide each row by its sum, unless that is 0."""
    sums = total(values)[..., np.newaxis]
    return np.where(sums == 0, values, div(values, sums))


def add(a: Bits, b: Bits) -> Bits:
    """The sum of two numbers."""
    plain = a + b
    overflow = ((a ^ plain) & (b ^ plain)) < 0
    return np.where(overflow, np.where(a < 0, np.int64(MIN), np.int64(MAX)), plain)


def share(parts: NDArray[Any], wholes: NDArray[Any]) -> Bits:
    """parts / wholes for u16 and the sums they are part of: a norm's one division.

    A sum of 2^31 or more has no I32F32 of its own and counts as the largest one.
    """
    parts, wholes = np.asarray(parts, np.int64), np.asarray(wholes, np.int64)
    result: Bits = (parts << _SHIFT) // np.maximum(wholes, 1)
    if wholes.max(initial=0) >= 2**31:
        result = np.where(wholes >= 2**31, parts * 2, result)
    return result


def ratio_u16(value: int) -> int:
    """A stored proportion as a number: value / 65535."""
    return (value << FRACTION) // MAX_U16


def to_u16(values: Bits) -> NDArray[np.uint16]:
    """A number as the stored proportion: floor(x * 65535), clamped."""
    clamped = np.clip(values, 0, ONE)
    return (clamped * MAX_U16 >> _SHIFT).astype(np.uint16)


def stake_shares(stakes: Sequence[int]) -> Bits:
    """norm(stakes) in I64F64, dropped to I32F32. `stakes`: u64."""
    wide = [min(stake << 64, MAX_WIDE) if stake else 0 for stake in stakes]
    whole = min(sum(wide), MAX_WIDE)
    return np.array([(each << 64) // whole >> 32 if each else 0 for each in wide], np.int64)


def exp(x: Bits) -> Bits:
    """e^x by 31 terms of its series, for x clamped to [-20, 20]; of shape (n,)."""
    x = np.clip(x, -EXP_LIMIT, EXP_LIMIT)
    size = np.abs(x).view(np.uint64)
    high, low = size >> _U_SHIFT, size & _U_LOW
    term, series = size.copy(), size + np.uint64(ONE)
    for i in range(2, EXP_TERMS + 1):
        # `mul` in place, of factors whose product stays below 20^20 / 19! < 2^31
        term_low = term & _U_LOW
        term >>= _U_SHIFT
        term *= size
        term += term_low * high
        term_low *= low
        term_low >>= _U_SHIFT
        term += term_low
        term //= np.uint64(i)
        series += term
    result = series.view(np.int64)
    result = np.where(x < 0, div(ONE, result), result)
    return np.where(x == ONE, np.int64(E_AT_ONE), result)


def _in_unit(values: Bits) -> bool:
    return bool(values.view(np.uint64).max(initial=0) <= ONE)


def _magnitude(values: Bits) -> int:
    return max(abs(int(values.max())), abs(int(values.min())))


def _quotient(a: int, b: int) -> int:
    if b == 0:
        return 0
    size = (abs(a) << FRACTION) // abs(b)
    return size if (a < 0) == (b < 0) else -size


def _one_by_one(rule: Callable[[int, int], int], a: Bits, b: Bits) -> Bits:
    """Any rule on two numbers in exact whole numbers, element by element."""
    return _saturated(np.frompyfunc(rule, 2, 1)(a.astype(object), b.astype(object)))


def _saturated(exact: Any) -> Bits:
    """Whole numbers of any size, or one of them."""
    return np.array(np.frompyfunc(lambda x: min(max(x, MIN), MAX), 1, 1)(exact), np.int64)
