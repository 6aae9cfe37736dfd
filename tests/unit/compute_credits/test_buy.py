"""ComputeCredits.buy."""

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.compute_credits.conftest import CREDIT, pass_epoch, transfers
from tests.unit.conftest import HOUR, UNIT
from tests.unit.market import logs
from tests.unit.prices.conftest import CENT, USD

NOBODY = "0x" + "00" * 20


@pytest.fixture(autouse=True)
def _priced(feed):
    """The work token costs 50 cents."""


def test_burns_work_tokens_for_what_they_are_worth(compute_credits, token, stranger, buy, prices):
    supply, minted = token.totalSupply(), token.minted()
    assert buy(stranger, 10 * UNIT, 5 * CREDIT) == 5 * CREDIT
    assert logs(compute_credits, "CreditsBought") == [
        (stranger, 0, 10 * UNIT, 5 * CREDIT, USD // 2)
    ]
    assert transfers(compute_credits) == [(NOBODY, stranger, 5 * CREDIT)]
    assert token.totalSupply() == supply - 10 * UNIT
    assert token.balanceOf(stranger) == token.balanceOf(compute_credits) == 0
    assert token.allowance(stranger, compute_credits) == 0
    assert compute_credits.balanceOf(stranger) == compute_credits.totalSupply() == 5 * CREDIT
    # what is burnt makes no room for minting
    assert token.minted() == minted


def test_counts_what_an_epoch_burns(compute_credits, stranger, payer, buy):
    buy(stranger, 3 * UNIT)
    buy(payer, 4 * UNIT)
    assert compute_credits.burnt_in(0) == 7 * UNIT
    pass_epoch()
    buy(stranger, UNIT)
    assert logs(compute_credits, "CreditsBought")[0][1] == 1
    assert [compute_credits.burnt_in(epoch) for epoch in range(3)] == [7 * UNIT, UNIT, 0]


@pytest.mark.parametrize(
    ("amount", "bought"),
    [
        # a base unit of credits costs 2 * 10**12 at 50 cents
        (2 * 10**12, 1),
        (4 * 10**12 - 1, 1),
        (4 * 10**12, 2),
        (UNIT + 1, CREDIT // 2),
    ],
)
def test_is_rounded_against_the_buyer(compute_credits, token, stranger, buy, amount, bought):
    supply = token.totalSupply()
    assert buy(stranger, amount) == bought
    # the dust is burnt, too
    assert token.totalSupply() == supply - amount


@pytest.mark.parametrize("amount", [0, 1, 2 * 10**12 - 1])
def test_too_little_buys_nothing(buy, stranger, refused, token, compute_credits, amount):
    token.transfer(stranger, amount)
    token.approve(compute_credits, amount, sender=stranger)
    with refused("compute_credits: buys nothing"):
        compute_credits.buy(amount, 0, sender=stranger)


def test_all_there_is(compute_credits, token, deployer, buy):
    amount = token.balanceOf(deployer)
    assert buy(deployer, amount) == amount // (2 * 10**12)
    assert token.balanceOf(deployer) == 0


@pytest.mark.parametrize("amount", [2 * UNIT, 2**256 - 1])
def test_more_than_is_owned(compute_credits, token, stranger, refused, amount):
    token.transfer(stranger, 2 * UNIT - 1)
    token.approve(compute_credits, amount, sender=stranger)
    with refused("erc20: burn amount exceeds balance"):
        compute_credits.buy(amount, 0, sender=stranger)


def test_more_than_is_approved(compute_credits, token, stranger, refused):
    token.transfer(stranger, UNIT)
    token.approve(compute_credits, UNIT - 1, sender=stranger)
    with refused("erc20: insufficient allowance"):
        compute_credits.buy(UNIT, 0, sender=stranger)


def test_no_fewer_than_asked_for(compute_credits, token, stranger, refused):
    token.transfer(stranger, UNIT)
    token.approve(compute_credits, UNIT, sender=stranger)
    with refused("compute_credits: fewer credits than asked for"):
        compute_credits.buy(UNIT, CREDIT // 2 + 1, sender=stranger)
    assert compute_credits.buy(UNIT, CREDIT // 2, sender=stranger) == CREDIT // 2


# --- without a usable price nothing is sold -------------------------------------------------


@pytest.mark.parametrize("why", ["stale", "out of bounds", "jumped", "suspended"])
def test_no_sale_without_a_usable_price(
    compute_credits, token, prices, feed, stranger, guardian, refused, why
):
    token.transfer(stranger, UNIT)
    token.approve(compute_credits, UNIT, sender=stranger)
    if why == "stale":
        boa.env.time_travel(seconds=HOUR + 1)
    elif why == "out of bounds":
        feed.set_answer(1)
    elif why == "jumped":
        feed.set_answer(56 * CENT)
    else:
        prices.set_suspended(token, True, sender=guardian)
    # the last good price is good for others, not for a sale
    assert prices.recent_price(token)[1] is (why != "suspended")
    with refused("compute_credits: no usable price"):
        compute_credits.buy(UNIT, 0, sender=stranger)


def test_a_purchase_remembers_the_price(compute_credits, token, prices, feed, stranger, buy):
    boa.env.time_travel(seconds=HOUR)
    feed.set_answer(52 * CENT)
    buy(stranger, UNIT)
    assert prices.last_good(token) == (52 * USD // 100, boa.env.evm.patch.timestamp)


def test_the_price_of_the_moment_counts(compute_credits, feed, stranger, buy):
    feed.set_answer(55 * CENT)
    assert buy(stranger, 10 * UNIT) == 55 * CREDIT // 10
    feed.set_answer(45 * CENT)
    assert buy(stranger, 10 * UNIT) == 45 * CREDIT // 10


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
@given(amount=st.integers(1, 10**24), answer=st.integers(45 * CENT, 55 * CENT))
def test_nobody_gets_more_than_what_was_burnt_is_worth(
    compute_credits, token, feed, deployer, amount, answer
):
    with boa.env.anchor():
        feed.set_answer(answer)
        amount = min(amount, token.balanceOf(deployer))
        token.approve(compute_credits, amount)
        # USD with 26 decimals: 18 of the token, 8 of the feed
        exact = amount * answer
        if exact < 10**20:
            with boa.reverts("compute_credits: buys nothing"):
                compute_credits.buy(amount, 0)
        else:
            bought = compute_credits.buy(amount, 0)
            assert bought * 10**20 <= exact < (bought + 1) * 10**20
