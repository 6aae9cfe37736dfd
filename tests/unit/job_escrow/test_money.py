"""The escrow always holds what it owes, and pays what a plain model says, in any order."""

from dataclasses import dataclass, field
from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.domain.receipts import FINAL, JobStatus
from tests.unit.conftest import DISPUTE_WINDOW

FEE_BPS = 300
BURN_BPS = 5_000
# (provider, asset, price, deposit): prices that leave remainders everywhere
JOBS = [(0, 0, 7_200, 10_000), (0, 1, 1_201, 777), (1, 0, 5, 9), (0, 0, 3_599, 4_000)]


@dataclass
class Job:
    provider: int
    asset: int
    price: int
    deposit: int
    settled: int = 0
    status: JobStatus = JobStatus.ACCEPTED

    def worth(self, gpu_seconds: int) -> int:
        return gpu_seconds * self.price // 3_600

    def report(self, cumulative: int, status: int) -> tuple[bool, int]:
        """Whether the report counts, and what it pays. Searches where the contract divides."""
        if self.status >= JobStatus.CLOSED or not 3 <= status <= 9:
            return False, 0
        covered = max(cumulative, self.settled)
        while self.worth(covered) > self.deposit:
            covered -= 1
        reached = self.status
        if self.status not in FINAL and status > self.status:
            reached = JobStatus(status)
        if (covered, reached) == (self.settled, self.status):
            return False, 0
        paid = self.worth(covered) - self.worth(self.settled)
        self.settled, self.status = covered, reached
        return True, paid

    @property
    def unspent(self) -> int:
        return 0 if self.status == JobStatus.CLOSED else self.deposit - self.worth(self.settled)


@dataclass
class Account:
    """Income of one provider in one asset: by window of origin, then what can be withdrawn."""

    waiting: dict[int, int] = field(default_factory=dict)
    withdrawable: int = 0
    paid: int = 0


@dataclass
class Market:
    """What the escrow should do, in words of a bookkeeper."""

    jobs: list[Job]
    accounts: dict[tuple[int, int], Account]
    fees: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 0})
    treasury: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 0})
    # what the customer has got back, less what it has paid in
    refunded: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 0})

    def earn(self, key: tuple[int, int], amount: int) -> None:
        fee = -(-amount * FEE_BPS // 10_000)
        self.fees[key[1]] += fee
        self.accounts[key].withdrawable += amount - fee

    def mature(self, key: tuple[int, int], window: int) -> None:
        account = self.accounts[key]
        ripe = [origin for origin in account.waiting if origin + 2 <= window]
        self.earn(key, sum(account.waiting.pop(origin) for origin in ripe))

    def wait(self, key: tuple[int, int], amount: int, window: int) -> None:
        if amount:
            self.mature(key, window)
            waiting = self.accounts[key].waiting
            waiting[window] = waiting.get(window, 0) + amount

    def owes(self, asset: int) -> int:
        return (
            sum(job.unspent for job in self.jobs if job.asset == asset)
            + sum(
                account.withdrawable + sum(account.waiting.values())
                for (_, paid_in), account in self.accounts.items()
                if paid_in == asset
            )
            + self.fees[asset]
        )


job_indices = st.integers(0, len(JOBS) - 1)
cumulatives = st.integers(0, 7_000)
statuses = st.sampled_from([3, 3, 3, 3, 3, 4, 6, 9, 2, 10])
steps = st.one_of(
    st.tuples(st.just("voucher"), job_indices, cumulatives, statuses),
    st.tuples(
        st.just("batch"),
        st.dictionaries(job_indices, st.tuples(cumulatives, statuses), min_size=1),
    ),
    st.tuples(st.just("top_up"), job_indices, st.integers(0, 3_000)),
    st.tuples(st.just("close"), job_indices),
    st.tuples(st.just("withdraw"), st.integers(0, 1), st.integers(0, 1)),
    st.tuples(st.just("collect"), st.integers(0, 1)),
    st.tuples(st.just("travel"), st.integers(1, 3 * DISPUTE_WINDOW)),
)


@dataclass
class Table:
    """The escrow and its model side by side."""

    escrow: Any
    jobs: Any
    assets: list[Any]
    providers: list[int]
    payouts: list[str]
    operators: list[str]
    payer: str
    signed_voucher: Any
    signed_batch: Any
    market: Market

    def __post_init__(self) -> None:
        self.purse = [asset.balanceOf(self.payer) for asset in self.assets]

    @property
    def window(self) -> int:
        return int(boa.env.evm.patch.timestamp) // DISPUTE_WINDOW

    def voucher(self, index: int, cumulative: int, status: int) -> None:
        job = self.market.jobs[index]
        counts, paid = job.report(cumulative, status)
        arguments = self.signed_voucher(index + 1, cumulative, status)
        sender = self.operators[job.provider]
        if counts:
            self.escrow.settle_voucher(*arguments, sender=sender)
            self.market.earn((job.provider, job.asset), paid)
        else:
            with boa.reverts():
                self.escrow.settle_voucher(*arguments, sender=sender)

    def batch(self, receipts: dict[int, tuple[int, int]]) -> None:
        for index, (cumulative, status) in sorted(receipts.items()):
            job = self.market.jobs[index]
            _, paid = job.report(cumulative, status)
            self.market.wait((job.provider, job.asset), paid, self.window)
        self.escrow.settle_batch(
            *self.signed_batch([(i + 1, *report) for i, report in receipts.items()])
        )

    def top_up(self, index: int, amount: int) -> None:
        job = self.market.jobs[index]
        if job.status == JobStatus.CLOSED:
            with boa.reverts("job_escrow: job is over"):
                self.escrow.top_up(index + 1, amount, sender=self.payer)
        else:
            self.escrow.top_up(index + 1, amount, sender=self.payer)
            job.deposit += amount
            self.market.refunded[job.asset] -= amount

    def close(self, index: int) -> None:
        job = self.market.jobs[index]
        if job.status in FINAL:
            self.market.refunded[job.asset] += job.unspent
            job.status = JobStatus.CLOSED
            self.jobs.close(index + 1)
        else:
            with boa.reverts("job_registry: status not final"):
                self.jobs.close(index + 1)

    def withdraw(self, provider: int, asset: int) -> None:
        self.market.mature((provider, asset), self.window)
        account = self.market.accounts[provider, asset]
        assert (
            self.escrow.withdraw(self.providers[provider], self.assets[asset])
            == account.withdrawable
        )
        account.paid += account.withdrawable
        account.withdrawable = 0

    def collect(self, asset: int) -> None:
        burnt = self.market.fees[asset] * BURN_BPS // 10_000 if asset == 0 else 0
        self.market.treasury[asset] += self.market.fees[asset] - burnt
        self.market.fees[asset] = 0
        self.escrow.collect_fees(self.assets[asset])

    def travel(self, seconds: int) -> None:
        boa.env.time_travel(seconds=seconds)

    def check(self) -> None:
        """The escrow holds what it owes, and everybody has got what the model says."""
        market = self.market
        for number, asset in enumerate(self.assets):
            assert asset.balanceOf(self.escrow) == market.owes(number)
            assert asset.balanceOf(self.payer) - self.purse[number] == market.refunded[number]
            assert asset.balanceOf(self.escrow.treasury()) == market.treasury[number]
            assert self.escrow.fees(asset) == market.fees[number]
            for (provider, paid_in), account in market.accounts.items():
                if paid_in == number:
                    assert asset.balanceOf(self.payouts[provider]) == account.paid
        for index, job in enumerate(market.jobs):
            info = self.jobs.job_info(index + 1)
            assert (info.deposit, info.settled, info.status) == (
                job.deposit,
                job.settled,
                job.status,
            )


@pytest.fixture
def table(
    escrow,
    jobs,
    asset,
    odd_token,
    provider,
    other_provider,
    open_job,
    payer,
    payout,
    operator,
    oracles,
    signed_voucher,
    signed_batch,
):
    assets, providers = [asset, odd_token], [provider, other_provider]
    operators = [operator.address, oracles[0].address]
    for of, paid_in, price, deposit in JOBS:
        job = open_job(
            price=price, deposit=deposit, of=providers[of], paid_in=assets[paid_in], level=0
        )
        jobs.accept(job, sender=operators[of])
    return lambda: Table(
        escrow,
        jobs,
        assets,
        providers,
        [payout, oracles[0].address],
        operators,
        payer,
        signed_voucher,
        signed_batch,
        Market(
            [Job(*terms) for terms in JOBS],
            {(p, a): Account() for p in range(2) for a in range(2)},
        ),
    )


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(steps, min_size=1, max_size=20))
def test_pays_what_the_model_says(table, steps):
    market = table()
    for name, *arguments in steps:
        getattr(market, name)(*arguments)
        market.check()


def test_the_model_pays_every_way(table):
    """The model itself meets every kind of step, so that agreement means something."""
    market = table()
    market.batch({0: (1_000, 3), 1: (9_999, 4), 2: (3_000, 3)})
    market.voucher(0, 2_000, 3)
    market.top_up(1, 500)
    market.batch({1: (9_999, 4), 3: (100, 6)})
    market.travel(2 * DISPUTE_WINDOW)
    market.close(1)
    market.close(3)
    market.withdraw(0, 0)
    market.withdraw(0, 1)
    market.collect(0)
    market.check()
    assert market.market.accounts[0, 0].paid > 0
    assert market.market.accounts[0, 1].paid > 0
    assert market.market.refunded[0] > 0
    assert market.market.refunded[1] < 0
    assert market.market.treasury[0] > 0
