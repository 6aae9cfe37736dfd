"""Jobs that are paid in credits, from the deposit to the last fee."""

from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.domain.receipts import JobStatus
from tests.unit.compute_credits.conftest import pass_epoch
from tests.unit.conftest import HOUR, ROLE_DELAY, UNIT, load
from tests.unit.market import DEVICES, logs

RUNNING = JobStatus.RUNNING
NOBODY = "0x" + "00" * 20


@pytest.fixture
def job(rich: Any, accepted_job: Any) -> int:
    """2 base units a GPU-second, 10 000 deposited."""
    return int(accepted_job(paid_in=rich, level=0))


def test_the_probe_accepts_credits_that_the_owner_has_bought(
    wired, escrow, token, deployer, buy, refused
):
    wired.approve(escrow, 2**256 - 1)
    with refused("compute_credits: balance too small"):
        escrow.list_asset(wired)
    bought = buy(deployer, 20 * 10**15)
    assert bought == 10_000
    market = escrow.list_asset(wired)
    assert escrow.asset_of(market) == wired.address
    assert wired.balanceOf(deployer) == bought
    assert wired.balanceOf(escrow) == 0


def test_income_is_destroyed_and_counts(rich, escrow, job, provider, settle, payout, stranger):
    supply = rich.totalSupply()
    settle(job, 1_000)
    assert escrow.income(provider, rich) == (1_940, 0)
    pass_epoch()
    assert escrow.withdraw(provider, rich, sender=stranger) == 1_940
    assert logs(escrow, "CreditsSpent") == [(provider, 1, 1_940)]
    assert logs(escrow, "IncomeWithdrawn") == [(provider, rich.address, NOBODY, 1_940)]
    assert rich.spent_in(1, provider) == 1_940
    assert rich.balanceOf(payout) == 0
    assert rich.totalSupply() == supply - 1_940
    # nothing twice
    assert escrow.withdraw(provider, rich) == 0
    assert rich.spent_in(1, provider) == 1_940


def test_reported_income_waits_like_any_other(
    rich, escrow, job, provider, settle_batch, next_window
):
    settle_batch((job, 1_000, RUNNING))
    assert escrow.withdraw(provider, rich) == 0
    next_window()
    next_window()
    assert escrow.withdraw(provider, rich) == 1_940
    assert rich.spent_in(rich.current_epoch(), provider) == 1_940


def test_fees_are_destroyed_whatever_the_share_to_burn(
    rich, escrow, job, settle, treasury, provider
):
    settle(job, 5_000)
    escrow.schedule_fee(300, 0)
    boa.env.time_travel(seconds=ROLE_DELAY)
    escrow.apply_fee()
    supply = rich.totalSupply()
    escrow.collect_fees(rich)
    assert logs(escrow, "FeesCollected") == [(rich.address, 0, 0, 300)]
    assert logs(escrow, "FeesDestroyed") == [(rich.current_epoch(), 300)]
    assert rich.totalSupply() == supply - 300
    assert rich.balanceOf(treasury) == 0
    assert escrow.fees(rich) == 0
    assert escrow.earned_fees(escrow.market_of(rich, 0)) == 300
    # nothing twice
    escrow.collect_fees(rich)
    assert rich.totalSupply() == supply - 300


def test_refunds_stay_credits(rich, escrow, jobs, open_job, job, settle, payer, operator):
    """Of a job that nobody took, of a part of a deposit, and of what a job leaves over."""
    before = rich.balanceOf(payer)
    cancelled = open_job(paid_in=rich, level=0)
    assert rich.balanceOf(payer) == before - 10_000
    jobs.cancel(cancelled, sender=payer)
    assert rich.balanceOf(payer) == before
    escrow.top_up(job, 5_000, sender=payer)
    settle(job, 1_000, JobStatus.COMPLETED)
    jobs.close(job, sender=operator.address)
    assert rich.balanceOf(payer) == before + 10_000 - 2_000


def test_everything_goes_on_without_a_price(
    rich, escrow, jobs, prices, token, guardian, open_job, job, provider, settle, payer, operator
):
    """Stale and suspended: what was bought is still spent, refunded and bought work with."""
    boa.env.time_travel(seconds=HOUR + 1)
    prices.set_suspended(token, True, sender=guardian)
    another = open_job(paid_in=rich, level=0)
    jobs.accept(another, sender=operator.address)
    settle(job, 1_000)
    settle(another, 500, JobStatus.COMPLETED)
    jobs.close(another, sender=operator.address)
    assert escrow.withdraw(provider, rich) == 1_940 + 970
    escrow.collect_fees(rich)
    with boa.reverts("compute_credits: no usable price"):
        rich.buy(UNIT, 0, sender=payer)


def test_a_cluster_is_counted_by_its_own_number(
    rich, escrow, clusters, jobs, provider, other_provider, open_job, settle, operator, oracles,
    device_class,
):  # fmt: skip
    """Its members are to be rewarded by their GPUs, which its registry knows."""
    cluster = clusters.form(
        [(provider, 3), (other_provider, 1)], device_class, 0, 0, sender=operator.address
    )
    clusters.join(cluster, 1, sender=oracles[0].address)
    job = open_job(of=cluster, paid_in=rich, gpus=4, level=0)
    jobs.accept(job, sender=operator.address)
    settle(job, 1_000)
    with boa.reverts("job_escrow: not the cluster registry"):
        escrow.withdraw(cluster, rich)
    assert clusters.collect(cluster, rich) == 0
    assert rich.spent_in(0, cluster) == 1_940
    assert rich.spent_in(0, provider) == rich.spent_in(0, other_provider) == 0
    assert escrow.income(cluster, rich) == (0, 0)
    # there is nothing to draw, and a member that tries gets nothing
    assert clusters.drawable(cluster, 0, rich) == 0
    assert clusters.draw(cluster, 0, rich) == 0


def test_other_assets_are_paid_as_before(
    rich, escrow, asset, odd_token, accepted_job, provider, settle, payout, treasury
):
    for paid_in, burnt in ((asset, 30), (odd_token, 0)):
        settle(accepted_job(paid_in=paid_in), 1_000)
        assert escrow.withdraw(provider, paid_in) == 1_940
        assert paid_in.balanceOf(payout) == 1_940
        escrow.collect_fees(paid_in)
        assert paid_in.balanceOf(treasury) == 60 - burnt
    assert rich.spent_in(0, provider) == 0


def test_an_escrow_without_credits_sends_them_as_it_sends_all(
    token, providers, clusters, jobs, committee, ledger, treasury, guardian
):
    """Nothing is ever paid to nobody: no asset has the zero address."""
    escrow = load(
        "JobEscrow", token, providers, clusters, jobs, committee, ledger, NOBODY,
        86_400, 300, 5_000, treasury, guardian, ROLE_DELAY,
    )  # fmt: skip
    assert escrow.CREDITS() == NOBODY
    with boa.reverts("job_escrow: asset not listed"):
        escrow.withdraw(1, NOBODY)
    with boa.reverts("job_escrow: asset not listed"):
        escrow.collect_fees(NOBODY)


def test_paying_oneself_costs_all_of_it(
    rich, escrow, jobs, token, provider, buy, owner, provider_owner, payout, signed_voucher
):
    """Whoever is its own customer gets its usage counted, less the fee, and no token back."""
    supply = token.totalSupply()
    bought = buy(owner, 2 * UNIT)
    rich.approve(escrow, bought, sender=owner)
    terms = (provider, rich, 1, 1, 3_600, bought, 0, bytes(32), 0)
    job = escrow.open_job(*terms, sender=owner)
    jobs.accept(job, sender=owner)
    escrow.settle_voucher(*signed_voucher(job, bought, RUNNING, provider_owner))
    assert escrow.withdraw(provider, rich) == rich.spent_in(0, provider) == bought * 97 // 100
    escrow.collect_fees(rich)
    assert token.totalSupply() == supply - 2 * UNIT
    for account in (owner, payout):
        assert rich.balanceOf(account) == token.balanceOf(account) == 0


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20
)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("buy"), st.integers(1, 10**17)),
            st.tuples(st.just("open"), st.integers(0, 20_000)),
            st.tuples(st.just("settle"), st.integers(1, 3_000)),
            st.tuples(st.just("withdraw"), st.just(0)),
            st.tuples(st.just("collect"), st.just(0)),
            st.tuples(st.just("close"), st.integers(0, 1)),
            st.tuples(st.just("epoch"), st.just(0)),
        ),
        max_size=14,
    )
)
def test_every_credit_is_held_owed_spent_or_a_fee(
    rich, escrow, jobs, token, prices, feed, open_job, settle, provider, payer, deployer, operator,
    buy, steps,
):  # fmt: skip
    with boa.env.anchor():
        bought, spent, fees = rich.totalSupply(), 0, 0
        running: dict[int, int] = {}
        burnt: dict[int, int] = {rich.current_epoch(): rich.burnt_in(rich.current_epoch())}
        used: dict[int, int] = {}
        for step, number in steps:
            epoch = rich.current_epoch()
            if step == "buy" and number >= 2 * 10**12:
                bought += buy(payer, number)
                burnt[epoch] = burnt.get(epoch, 0) + number
            elif step == "open" and len(running) < DEVICES:
                job = open_job(paid_in=rich, level=0, deposit=number)
                jobs.accept(job, sender=operator.address)
                running[job] = 0
            elif step == "settle" and running:
                job = next(iter(running))
                # a deposit that is exhausted pays no more
                with boa.env.anchor():
                    covered = escrow.amount_due(job, running[job] + number)[0]
                if covered:
                    settle(job, running[job] + number)
                    running[job] = escrow.job_state(job).settled
            elif step == "withdraw":
                amount = escrow.withdraw(provider, rich)
                spent += amount
                used[epoch] = used.get(epoch, 0) + amount
            elif step == "collect":
                fees += escrow.fees(rich)
                escrow.collect_fees(rich)
            elif step == "close" and len(running) > number:
                job = list(running)[number]
                settle(job, running.pop(job), JobStatus.COMPLETED)
                jobs.close(job)
            elif step == "epoch":
                boa.env.time_travel(seconds=HOUR)
                feed.set_answer(50 * 10**6)
            holders = (payer, deployer, str(escrow.address))
            assert rich.totalSupply() == bought - spent - fees
            assert rich.totalSupply() == sum(rich.balanceOf(holder) for holder in holders)
            # 2 base units a GPU-second
            states = [escrow.job_state(job) for job in running]
            unspent = sum(job.deposit - 2 * job.settled for job in states)
            owed = unspent + sum(escrow.income(provider, rich)) + escrow.fees(rich)
            assert rich.balanceOf(escrow) == owed
        assert {epoch: rich.burnt_in(epoch) for epoch in burnt} == burnt
        assert {epoch: rich.spent_in(epoch, provider) for epoch in used} == used
