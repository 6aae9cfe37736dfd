"""How a provider's rewards are packed."""

from tests.unit.market import load_module


def test_where_nothing_vests_the_end_is_now():
    vesting = load_module("vesting")
    word = vesting._add(5, 0, 0, 0, 100)
    assert vesting._claimed(word) == 5
    assert vesting._split(word) == (0, 0, 0)
