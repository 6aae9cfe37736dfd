"""The split of a budget over subnets: nothing is lost, and nobody farms it with own fees."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from oracle.domain.emission import BPS, Split, split_budget

MAX_SUBNETS = 65
BUDGET = st.integers(0, 2**96 - 1)
BETA, CAP_RATIO = st.integers(0, 5_000), st.integers(0, 9_500)
WEIGHTS = st.lists(
    st.one_of(st.just(0), st.integers(0, 100), st.integers(0, 2**128 - 1)), max_size=MAX_SUBNETS
)


@st.composite
def fees_and_withheld(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    fees = draw(WEIGHTS)
    bps = st.one_of(st.sampled_from([0, BPS]), st.integers(0, BPS))
    return fees, draw(st.lists(bps, min_size=len(fees), max_size=len(fees)))


@given(budget=BUDGET, beta=BETA, ratio=CAP_RATIO, votes=WEIGHTS, paid=fees_and_withheld())
def test_shares_and_cuts_are_the_budget(budget, beta, ratio, votes, paid):
    split = split_budget(budget, beta, ratio, votes, *paid)
    assert split.granted + split.withheld + split.over_cap + split.no_fees == budget
    assert min(split.shares) >= 0
    assert min(split.withheld, split.over_cap, split.no_fees) >= 0
    assert len(split.shares) == max(1, len(votes) * any(votes), len(paid[0]) * any(paid[0]))


@given(budget=BUDGET, votes=WEIGHTS.filter(any))
def test_votes_alone_are_within_a_unit_of_their_exact_part(budget, votes):
    shares = split_budget(budget, 0, 0, votes, [], []).shares
    for share, weight in zip(shares, votes, strict=True):
        assert abs(share - Fraction(budget * weight, sum(votes))) < 1
        assert weight or share == 0


@given(budget=BUDGET, beta=BETA, ratio=CAP_RATIO, votes=WEIGHTS, paid=fees_and_withheld())
def test_fees_never_bring_back_more_than_their_cap(budget, beta, ratio, votes, paid):
    fees, withheld = paid
    split = split_budget(budget, beta, ratio, votes, fees, withheld)
    fee_part = budget * beta // BPS
    without = split_budget(budget - fee_part, 0, 0, votes, [], []).shares
    for subnet, (fee, bps) in enumerate(zip(fees, withheld, strict=True)):
        share = split.shares[subnet] if subnet < len(split.shares) else 0
        gained = share - (without[subnet] if subnet < len(without) else 0)
        assert 0 <= gained * BPS <= fee * ratio
        assert bps < BPS or gained == 0


@given(budget=BUDGET, fees=st.integers(1, 2**128 - 1), epochs=st.integers(1, 64), beta=BETA)
def test_no_choice_of_epochs_brings_back_more_than_the_cap(budget, fees, epochs, beta):
    """Fees spread evenly over epochs, as a press does: together they stay below their cap."""
    even, odd = divmod(fees, epochs)
    gained = 0
    for epoch in range(epochs):
        paid = even + (odd if epoch == 0 else 0)
        split = split_budget(budget, beta, 9_000, [0, 1], [paid], [0])
        gained += split.shares[0]
    assert gained * BPS <= fees * 9_000


def test_worked_numbers():
    # 300 follow fees: 100 and 200, of which the owner of subnet 2 withholds half
    assert split_budget(1_000, 3_000, 9_000, [1, 2, 4], [0, 1_000, 2_000], [0, 0, 5_000]) == Split(
        shares=[100, 200 + 100, 400 + 100], withheld=100
    )
    # nobody votes, and only 90 of 300 are covered by fees
    assert split_budget(1_000, 3_000, 9_000, [0, 0], [100], [0]) == Split([790], over_cap=210)
    # nobody pays
    assert split_budget(1_000, 3_000, 9_000, [], [0, 0], [0, 0]) == Split([700], no_fees=300)
    # thirds of 100: each ends where the sum of all up to it does
    assert split_budget(100, 0, 0, [1, 1, 1], [], []) == Split([33, 33, 34])
