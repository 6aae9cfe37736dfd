"""Every kind of token either lives through a whole job, or is refused when it is listed."""

from collections.abc import Callable
from typing import Any

import boa
import pytest

from oracle.domain.receipts import JobStatus
from tests.unit.market import DEPOSIT, load_odd
from tests.unit.token_zoo.conftest import PROBE

# bps that the escrow takes of each payment
FEE = 300
# enough for every payment of a life
PURSE = 4 * DEPOSIT


def fee_on(income: int) -> int:
    return (income * FEE + 9_999) // 10_000


# --- what works -----------------------------------------------------------------------------


def no_return_value(plain: Callable[..., Any], escrow: Any) -> Any:
    token = load_odd("odd_token", 10**12)
    token.approve(escrow, 2**256 - 1)
    return token


def decimals(number: int) -> Callable[..., Any]:
    return lambda plain, escrow: plain(number)


def refuses_zero(plain: Callable[..., Any], escrow: Any) -> Any:
    token = plain()
    token.set_refuses_zero(True)
    return token


ALIVE = {
    "plain": decimals(18),
    "no return value": no_return_value,
    "no decimals": decimals(0),
    "6 decimals": decimals(6),
    "36 decimals": decimals(36),
    "refuses to move nothing": refuses_zero,
}


@pytest.fixture(params=ALIVE)
def alive(request: pytest.FixtureRequest, plain: Callable[..., Any], escrow: Any) -> Any:
    return ALIVE[request.param](plain, escrow)


@pytest.mark.parametrize("path", ["voucher", "batch"])
def test_a_whole_life(
    alive, escrow, jobs, asset, open_job, purse, provider, operator, payer, payout, treasury,
    settle, settle_batch, next_window, path,
):  # fmt: skip
    escrow.list_asset(alive)
    purse(alive, PURSE)
    report = settle if path == "voucher" else lambda *receipt: settle_batch(receipt)

    # one job is declined, one runs
    declined, job = (open_job(paid_in=alive) for _ in range(2))
    jobs.decline(declined, sender=operator.address)
    jobs.accept(job, sender=operator.address)
    assert alive.balanceOf(escrow) == DEPOSIT
    # more usage than the deposit covers: a top-up settles the rest
    report(job, 6_000, JobStatus.RUNNING)
    escrow.top_up(job, 4_000, sender=payer)
    report(job, 6_000, JobStatus.RUNNING)
    report(job, 6_500, JobStatus.COMPLETED)
    jobs.close(job)
    assert jobs.job_info(job).settled == 6_500
    assert alive.balanceOf(payer) == PURSE - 13_000

    next_window()
    next_window()
    paid = escrow.withdraw(provider, alive)
    assert alive.balanceOf(payout) == paid
    escrow.collect_fees(alive)
    # what matures together pays its fee together
    fees = 13_000 - paid
    assert fee_on(13_000) <= fees <= fee_on(13_000) + (path == "batch")
    assert alive.balanceOf(treasury) == fees
    assert alive.balanceOf(escrow) == 0
    assert escrow.income(provider, alive) == (0, 0)
    assert escrow.withdraw(provider, alive) == escrow.fees(alive) == 0


@pytest.mark.parametrize("amount", ["take back", "cancel"])
def test_what_customers_take_back(alive, escrow, jobs, open_job, purse, payer, amount):
    escrow.list_asset(alive)
    purse(alive, PURSE)
    job = open_job(paid_in=alive)
    if amount == "cancel":
        jobs.cancel(job, sender=payer)
    else:
        jobs.lower_deposit(job, DEPOSIT, sender=payer)
        assert jobs.job_info(job).deposit == 0
        # nothing is left to refund, and nothing is moved
        jobs.cancel(job, sender=payer)
    assert alive.balanceOf(payer) == PURSE
    assert alive.balanceOf(escrow) == escrow.owed_refund(payer, alive) == 0


def test_a_job_of_nothing(escrow, jobs, open_job, plain, payer, operator, settle, refused, state):
    """A token that refuses to move nothing refuses a deposit of nothing, and only that."""
    token = plain()
    token.set_refuses_zero(True)
    escrow.list_asset(token)
    with refused("plain_token: nothing to move"):
        open_job(paid_in=token, deposit=0)


@pytest.mark.parametrize("decimals", [6, 36])
def test_as_much_as_a_job_can_hold(
    escrow, jobs, plain, purse, open_job, operator, settle, provider, payout, refused, asset,
    decimals,
):  # fmt: skip
    """A job holds less than 2**96 base units: much of one token, a sliver of another."""
    token = plain(decimals)
    escrow.list_asset(token)
    purse(token, 2**97)
    with refused("job_escrow: deposit too large"):
        open_job(paid_in=token, deposit=2**96)
    job = open_job(paid_in=token, deposit=2**96 - 1, price=2**80 - 1)
    jobs.accept(job, sender=operator.address)
    settle(job, 2**40 - 1, JobStatus.COMPLETED)
    jobs.close(job)
    paid = escrow.withdraw(provider, token)
    assert token.balanceOf(payout) == paid
    assert token.balanceOf(escrow) == escrow.fees(token)
    # a GPU costs at most 2**80 base units an hour
    with refused("job_escrow: price out of bounds"):
        open_job(paid_in=token, price=2**80)


# --- what is refused ------------------------------------------------------------------------


def charges(plain: Callable[..., Any], escrow: Any) -> Any:
    """On what it takes in."""
    token = load_odd("odd_token", 10**12)
    token.approve(escrow, 2**256 - 1)
    token.set_fee(1)
    return token


def charges_on_the_way_out(plain: Callable[..., Any], escrow: Any) -> Any:
    token = plain()
    token.set_fee(1)
    return token


def charges_the_sender(plain: Callable[..., Any], escrow: Any) -> Any:
    token = load_odd("odd_token", 10**12)
    token.approve(escrow, 2**256 - 1)
    token.set_surcharge(1)
    token.grow(escrow, 1)
    return token


def says_no(plain: Callable[..., Any], escrow: Any) -> Any:
    token = load_odd("refusing_token", 10**12)
    token.set_refuses(True)
    return token


def says_no_on_the_way_out(plain: Callable[..., Any], escrow: Any) -> Any:
    token = plain()
    token.set_says_no(True)
    return token


def rebases(plain: Callable[..., Any], escrow: Any) -> Any:
    """What is moved is rounded to shares."""
    token = load_odd("rebasing_token", 10**12)
    token.approve(escrow, 2**256 - 1)
    token.rebase(1_000_000_007 * 10**9)
    return token


def paused(plain: Callable[..., Any], escrow: Any) -> Any:
    token = plain()
    token.set_paused(True)
    return token


def blocks_the_escrow(plain: Callable[..., Any], escrow: Any) -> Any:
    token = plain()
    token.set_blocked(escrow, True)
    return token


def is_loud(plain: Callable[..., Any], escrow: Any) -> Any:
    token = plain()
    token.set_loud(True)
    return token


def is_greedy(plain: Callable[..., Any], escrow: Any) -> Any:
    token = plain()
    token.set_greedy(True)
    return token


DEAD = {
    "a fee": (charges, "job_escrow: fee on transfer"),
    "a fee on the way out": (charges_on_the_way_out, "job_escrow: probe not returned"),
    "a fee on top": (charges_the_sender, "job_escrow: probe not returned"),
    "returns false": (says_no, "job_escrow: transfer in failed"),
    "returns false on the way out": (says_no_on_the_way_out, "job_escrow: transfer out failed"),
    "rebases": (rebases, "job_escrow: fee on transfer"),
    "is paused": (paused, "plain_token: paused"),
    "blocks the escrow": (blocks_the_escrow, "plain_token: blocked"),
}


@pytest.mark.parametrize(("kind", "reason"), DEAD.values(), ids=DEAD)
def test_refused_when_it_is_listed(escrow, plain, refused, asset, kind, reason):
    token = kind(plain, escrow)
    with refused(reason):
        escrow.list_asset(token)
    assert escrow.market_of(token, 0) == 0


@pytest.mark.parametrize("kind", [is_loud, is_greedy])
def test_refused_without_a_word(escrow, plain, state, asset, kind):
    token, before = kind(plain, escrow), state()
    with boa.reverts():
        escrow.list_asset(token, gas=2**22)
    assert state() == before


def test_the_probe_shows_a_fee_of_one_basis_point(escrow, plain, refused):
    token = plain()
    token.set_fee(1)
    assert PROBE * 1 // 10_000 == 1
    with refused("job_escrow: probe not returned"):
        escrow.list_asset(token)
