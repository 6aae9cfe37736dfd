"""Fixed-point arithmetic on arrays, against whole numbers without bounds."""

import ast
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.domain.consensus import fixed
from scripts._project import ROOT
from tests.oracle.consensus import reference

ONE, MAX, MIN = fixed.ONE, fixed.MAX, fixed.MIN
EDGES = (0, 1, 2, 3, ONE // 2, ONE - 1, ONE, ONE + 1, 2 * ONE, 2**40, 2**47, 2**62, MAX - 1, MAX)
numbers = st.one_of(
    st.sampled_from([*EDGES, *(-edge for edge in EDGES), MIN]),
    st.integers(0, ONE),
    st.integers(MIN, MAX),
)
pairs = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=20)
unit_pairs = st.lists(
    st.tuples(*[st.one_of(st.sampled_from([0, 1, ONE - 1, ONE]), st.integers(0, ONE))] * 2),
    min_size=1,
    max_size=20,
)
many = settings(max_examples=300)


def arrays(drawn: list[tuple[int, int]]) -> tuple[fixed.Bits, fixed.Bits]:
    a, b = zip(*drawn, strict=True)
    return np.array(a, np.int64), np.array(b, np.int64)


@many
@given(st.one_of(pairs, unit_pairs))
def test_mul_floors_and_saturates(drawn: list[tuple[int, int]]):
    assert fixed.mul(*arrays(drawn)).tolist() == [reference.mul(a, b) for a, b in drawn]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("a", "b"), [(2**48, 2**47), (2**48 - 1, 2**47), (2**47, 2**47)])
def test_products_at_the_end_of_the_range(a: int, b: int, sign: int):
    found = fixed.mul(np.array([sign * a]), np.array([b])).tolist()
    assert found == [min(sign * a * b // ONE, MAX)]


@many
@given(st.one_of(pairs, unit_pairs))
def test_div_truncates_and_saturates(drawn: list[tuple[int, int]]):
    assert fixed.div(*arrays(drawn)).tolist() == [reference.div(a, b) for a, b in drawn]


@pytest.mark.parametrize("power", range(63))
def test_one_divided_by_powers_of_two(power: int):
    """The only divisors for which 2^64 and 2^64 - 1 give different quotients."""
    for divisor in (2**power, 2**power + 1, max(2**power - 1, 1)):
        assert fixed.div(ONE, np.array([divisor])).tolist() == [reference.div(ONE, divisor)]


@many
@given(pairs)
def test_add_saturates(drawn: list[tuple[int, int]]):
    assert fixed.add(*arrays(drawn)).tolist() == [reference.add(a, b) for a, b in drawn]


@many
@given(st.lists(st.one_of(st.integers(0, ONE), st.integers(0, MAX)), max_size=20))
def test_sums_saturate_and_norm_divides_by_them(drawn: list[int]):
    values = np.array(drawn, np.int64)
    assert int(fixed.total(values)) == reference.add(*drawn)
    assert fixed.norm(values).tolist() == reference.norm(drawn)


@many
@given(st.lists(st.tuples(st.integers(0, 65_535), st.integers(0, 2**32)), min_size=1))
def test_share_is_a_division_of_whole_numbers(drawn: list[tuple[int, int]]):
    drawn = [(part, part + others) for part, others in drawn]
    parts, wholes = zip(*drawn, strict=True)
    found = fixed.share(np.array(parts), np.array(wholes)).tolist()
    assert found == [reference.div(part * ONE, min(whole * ONE, MAX)) for part, whole in drawn]


@many
@given(st.lists(numbers, min_size=1))
def test_stored_proportions(drawn: list[int]):
    found = fixed.to_u16(np.array(drawn, np.int64)).tolist()
    assert found == [reference.u16(each) for each in drawn]


@many
@given(
    st.lists(st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 3), st.just(2**63)), max_size=20)
)
def test_stakes_are_shared_out_in_i64f64(drawn: list[int]):
    assert fixed.stake_shares(drawn).tolist() == reference.stake_shares(drawn)


@many
@given(st.lists(st.one_of(st.integers(-21 * ONE, 21 * ONE), numbers), min_size=1, max_size=20))
def test_exp_is_the_series(drawn: list[int]):
    assert fixed.exp(np.array(drawn, np.int64)).tolist() == [reference.exp(x) for x in drawn]


def test_exp_by_hand():
    arguments = [0, ONE, -20 * ONE, MIN, 1]
    found = fixed.exp(np.array(arguments, np.int64)).tolist()
    # e is 2.718281828...: its 23 bits are 22802600, and exp(-20) is 8 of 2^32
    assert found == [ONE, 22_802_600 << 9, 8, 8, ONE + 1]


@pytest.mark.parametrize("thousandths", [-20_000, -5_000, -1_000, -1, 1, 999, 1_001, 5_000])
def test_exp_is_near_the_real_one(thousandths: int):
    bits = thousandths * ONE // 1_000
    found = int(fixed.exp(np.array([bits], np.int64))[0])
    with localcontext(prec=40):
        real = (Decimal(bits) / ONE).exp() * ONE
    assert abs(found - real) <= 40 + real / 10**7


def test_no_float_gets_in():
    """No float literal, no true division and nothing of numpy's that makes floats."""
    forbidden = {"mean", "true_divide", "divide", "bincount", "linspace", "float64"}
    files = sorted((Path(ROOT) / "oracle" / "domain" / "consensus").glob("*.py"))
    assert len(files) > 5
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            assert not isinstance(node, ast.Div), file
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), file
            name = getattr(node, "attr", getattr(node, "id", ""))
            assert name not in forbidden | {"float"}, file
