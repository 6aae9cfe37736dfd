"""The escrow always holds what it owes, and pays what a plain model says, in any order."""

from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from oracle.domain.receipts import FINAL, JobStatus
from tests.unit.conftest import DISPUTE_WINDOW

FEE_BPS = 300
BURN_BPS = 5_000
# (provider, asset, price, deposit): prices that leave remainders everywhere
JOBS = [(0, 0, 7_200, 10_000), (0, 1, 1_201, 777), (1, 0, 5, 9), (0, 0, 3_599, 4_000)]
PRICES = (7_200, 1_201, 5, 3_599, 1, 3_601, 99_991)
DEPOSITS = (10_000, 777, 0, 9, 4_000, 100_000)
# statuses in the committee's receipts; the last two are none
REPORTED = [JobStatus.RUNNING] * 25 + [*sorted(FINAL), 2, 10]
# jobs of each example, and examples
CROWD, CROWDS = 40, 25
# jobs of the large examples, and how many of them
THOUSAND, THOUSANDS = 1_000, 3
# calls between two comparisons of the money
CHECKED_EVERY = 20


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


def fee_on(amount: int) -> int:
    return -(-amount * FEE_BPS // 10_000)


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
    # of the work token, asset 0
    burnt: int = 0
    # what the customer has got back, less what it has paid in
    refunded: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 0})

    def earn(self, key: tuple[int, int], amount: int, before: int = 0) -> None:
        """`before` has paid its fee already; the fee on both is rounded up once."""
        fee = fee_on(before + amount) - fee_on(before)
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
    st.tuples(
        st.just("root"),
        st.dictionaries(job_indices, st.tuples(cumulatives, statuses), min_size=1),
        st.booleans(),
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
    adopt: Any
    market: Market

    def __post_init__(self) -> None:
        self.purse = [asset.balanceOf(self.payer) for asset in self.assets]
        self.burnt = self._burnt()

    def _burnt(self) -> int:
        """Base units of the work token that are gone: adopting a root mints as well."""
        return int(self.assets[0].minted() - self.assets[0].totalSupply())

    @property
    def window(self) -> int:
        return int(boa.env.evm.patch.timestamp) // DISPUTE_WINDOW

    def voucher(self, index: int, cumulative: int, status: int) -> None:
        job = self.market.jobs[index]
        earned = job.worth(job.settled)
        counts, paid = job.report(cumulative, status)
        arguments = self.signed_voucher(index + 1, cumulative, status)
        sender = self.operators[job.provider]
        if counts:
            self.escrow.settle_voucher(*arguments, sender=sender)
            self.market.earn((job.provider, job.asset), paid, earned)
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

    def vouchers(self, reports: list[tuple[int, int]]) -> None:
        """Many at once, sent by nobody in particular, so none of them ends a job."""
        applied = 0
        for index, cumulative in reports:
            job = self.market.jobs[index]
            earned = job.worth(job.settled)
            counts, paid = job.report(cumulative, JobStatus.RUNNING)
            applied += counts
            self.market.earn((job.provider, job.asset), paid, earned)
        assert applied == self.escrow.settle_vouchers(
            [self.signed_voucher(index + 1, cumulative) for index, cumulative in reports]
        )

    def root(self, receipts: dict[int, tuple[int, int]], per_payee: bool) -> None:
        """A new root, of which every leaf is settled: each payee's, or each job's."""
        by_payee: dict[int, list[tuple[int, int, int]]] = {}
        for index, report in receipts.items():
            payee = self.providers[self.market.jobs[index].provider]
            by_payee.setdefault(payee, []).append((index + 1, *report))
        usage = self.adopt(by_payee)
        for index, (cumulative, status) in receipts.items():
            job = self.market.jobs[index]
            _, paid = job.report(cumulative, status)
            self.market.wait((job.provider, job.asset), paid, self.window)
        if per_payee:
            leaves = [usage.of_payee(payee) for payee in by_payee]
        else:
            leaves = [usage.of_job(index + 1) for index in receipts]
        for leaf in (*leaves, leaves[0]):
            self.escrow.settle_root(*leaf)

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
        self.market.burnt += burnt
        self.market.fees[asset] = 0
        self.escrow.collect_fees(self.assets[asset])

    def travel(self, seconds: int) -> None:
        boa.env.time_travel(seconds=seconds)

    def check(self) -> None:
        """The escrow holds what it owes, and everybody has got what the model says."""
        self.check_money()
        for index, job in enumerate(self.market.jobs):
            info = self.jobs.job_info(index + 1)
            assert (info.deposit, info.settled, info.status) == (
                job.deposit,
                job.settled,
                job.status,
            )

    def check_money(self) -> None:
        market = self.market
        assert self._burnt() - self.burnt == market.burnt
        for number, asset in enumerate(self.assets):
            assert asset.balanceOf(self.escrow) == market.owes(number)
            assert asset.balanceOf(self.payer) - self.purse[number] == market.refunded[number]
            assert asset.balanceOf(self.escrow.treasury()) == market.treasury[number]
            assert self.escrow.fees(asset) == market.fees[number]
            for (provider, paid_in), account in market.accounts.items():
                if paid_in == number:
                    assert asset.balanceOf(self.payouts[provider]) == account.paid


@pytest.fixture
def table_of(escrow, jobs, payer, signed_voucher, signed_batch, adopt, open_job):
    """Jobs that their providers have accepted, and the model of them."""

    def _table_of(terms, assets, providers, payouts, operators):
        for of, paid_in, price, deposit in terms:
            job = open_job(
                price=price, deposit=deposit, of=providers[of], paid_in=assets[paid_in], level=0
            )
            jobs.accept(job, sender=operators[of])
        return lambda: Table(
            escrow, jobs, assets, providers, payouts, operators, payer, signed_voucher,
            signed_batch, adopt,
            Market(
                [Job(*each) for each in terms],
                {(p, a): Account() for p in range(2) for a in range(2)},
            ),
        )  # fmt: skip

    return _table_of


@pytest.fixture
def table(table_of, asset, odd_token, provider, other_provider, payout, operator, oracles):
    return table_of(
        JOBS,
        [asset, odd_token],
        [provider, other_provider],
        [payout, oracles[0].address],
        [operator.address, oracles[0].address],
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
    market.root({0: (2_500, 3), 2: (4_000, 3), 3: (200, 3)}, per_payee=True)
    market.root({0: (2_400, 3), 2: (4_500, 3)}, per_payee=False)
    market.vouchers([(0, 2_600), (0, 2_600), (2, 4_400), (0, 2_550)])
    assert market.market.jobs[0].settled == 2_600
    assert market.market.jobs[2].settled == 4_500
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


# --- every path, for many jobs --------------------------------------------------------------


def parties(register: Any, oracles: Any, jobs: int, first: int = 1) -> tuple[list[int], list[str]]:
    """Two providers with a device for each of their jobs, and their accounts.

    `first`: of the accounts that are taken; nobody registers twice.
    """
    accounts = [oracle.address for oracle in oracles[first : first + 2]]
    return [register(a, a, a, devices=jobs // 2) for a in accounts], accounts


def terms_of(jobs: int) -> list[tuple[int, int, int, int]]:
    """Jobs of both providers in both assets, at all prices."""
    return [
        (i % 2, i // 2 % 2, PRICES[i % len(PRICES)], DEPOSITS[i % len(DEPOSITS)])
        for i in range(jobs)
    ]


@pytest.fixture(scope="module")
def crowd_providers(register, oracles):
    return parties(register, oracles, CROWD)


@pytest.fixture
def crowd(table_of, asset, odd_token, crowd_providers):
    providers, accounts = crowd_providers
    return table_of(terms_of(CROWD), [asset, odd_token], providers, accounts, accounts)


some_jobs = st.lists(st.integers(0, CROWD - 1), min_size=1, max_size=20, unique=True)
usage = st.integers(0, 9_000)
running_mostly = st.sampled_from([3] * 12 + [4, 6, 9, 2, 10])


@st.composite
def crowd_reports(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """Reports on all three paths, some of them sent again later on, whatever came between."""
    reports: list[tuple[Any, ...]] = []
    for _ in range(draw(st.integers(3, 9))):
        path = draw(st.sampled_from(["vouchers", "batch", "root", "again", "travel"]))
        if path == "again" and reports:
            reports.append(draw(st.sampled_from(reports)))
        elif path == "travel":
            reports.append((path, draw(st.integers(1, DISPUTE_WINDOW))))
        elif path == "vouchers":
            # duplicates and every order, in one call too
            each = st.tuples(st.integers(0, CROWD - 1), usage)
            reports.append((path, draw(st.lists(each, min_size=1, max_size=30))))
        else:
            receipts = {i: (draw(usage), draw(running_mostly)) for i in draw(some_jobs)}
            reports.append(("root", receipts, draw(st.booleans())))
            if path == "batch":
                reports[-1] = (path, receipts)
    return reports


many_crowds = settings(
    max_examples=CROWDS,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@settings(many_crowds, max_examples=7)
@given(reports=crowd_reports())
def test_every_path_pays_each_second_once(crowd, reports):
    """Vouchers, batches and leaves, replayed, reordered, duplicated and with gaps."""
    pays_each_second_once(crowd, reports)


@pytest.mark.slow
@many_crowds
@given(reports=crowd_reports())
def test_every_path_pays_each_second_once_to_many_crowds(crowd, reports):
    pays_each_second_once(crowd, reports)


def pays_each_second_once(crowd, reports):
    market = crowd()
    for name, *arguments in reports:
        getattr(market, name)(*arguments)
    pays_out_what_was_used(market)


# --- whole lives ----------------------------------------------------------------------------


def lives_of(jobs: int, random: Random) -> list[tuple[Any, ...]]:
    """Calls in any order: each job is reported on all three paths, twice. Meanwhile some are
    topped up, end and are closed, windows pass, and income and fees are taken out."""
    calls: list[tuple[Any, ...]] = []
    for _ in range(2):
        for path, size in (("vouchers", 50), ("batch", 500), ("root", 500)):
            order = random.sample(range(jobs), jobs)
            for first in range(0, jobs, size):
                used = {job: random.randint(0, 9_000) for job in order[first : first + size]}
                if path == "vouchers":
                    calls.append((path, list(used.items())))
                    continue
                receipts = {job: (used[job], random.choice(REPORTED)) for job in used}
                calls.append((path, receipts, *([random.random() < 0.5] * (path == "root"))))
    for job in random.sample(range(jobs), jobs // 10):
        calls.append(("voucher", job, random.randint(0, 9_000), random.choice(sorted(FINAL))))
    for _ in range(jobs // 5):
        calls.append(("top_up", random.randrange(jobs), random.randint(0, 50_000)))
        calls.append(("close", random.randrange(jobs)))
    for _ in range(4):
        calls.append(("travel", random.randint(1, 2 * DISPUTE_WINDOW)))
        calls.append(("withdraw", random.randrange(2), random.randrange(2)))
        calls.append(("collect", random.randrange(2)))
    random.shuffle(calls)
    return calls


def pays_whole_lives(market: Table, random: Random) -> None:
    """Compared with the model again and again, and at the end to the base unit."""
    jobs = len(market.market.jobs)
    reached: dict[str, set[int]] = {}
    for number, (name, *arguments) in enumerate(lives_of(jobs, random)):
        getattr(market, name)(*arguments)
        if name in ("vouchers", "batch", "root"):
            reached.setdefault(name, set()).update(dict(arguments[0]))
        if number % CHECKED_EVERY == 0:
            market.check_money()
    assert reached == {path: set(range(jobs)) for path in ("vouchers", "batch", "root")}
    pays_out_what_was_used(market)


def test_whole_lives_are_paid_on_every_path(crowd):
    seed = SystemRandom().randrange(2**32)
    # shown where it fails
    print(f"seed {seed}")
    pays_whole_lives(crowd(), Random(seed))


@pytest.fixture
def thousand(table_of, asset, odd_token, register, oracles):
    providers, accounts = parties(register, oracles, THOUSAND, first=3)
    return table_of(terms_of(THOUSAND), [asset, odd_token], providers, accounts, accounts)


@pytest.mark.slow
@settings(many_crowds, max_examples=THOUSANDS, phases=(Phase.reuse, Phase.generate))
@given(seed=st.integers(0, 2**32 - 1))
def test_whole_lives_of_a_thousand_jobs_are_paid_on_every_path(thousand, seed):
    market = thousand()
    pays_whole_lives(market, Random(seed))
    # so many that some are in every state
    statuses = {job.status for job in market.market.jobs}
    assert statuses >= {JobStatus.RUNNING, JobStatus.CLOSED, *FINAL}


def pays_out_what_was_used(market: Any) -> None:
    """In the end the providers and the fee have got what was used, to the base unit."""
    market.check()
    market.travel(2 * DISPUTE_WINDOW)
    for provider in range(2):
        for asset in range(2):
            market.withdraw(provider, asset)
    market.check()
    model = market.market
    for asset in range(2):
        earned = sum(job.worth(job.settled) for job in model.jobs if job.asset == asset)
        paid = sum(model.accounts[provider, asset].paid for provider in range(2))
        fees = model.fees[asset] + model.treasury[asset]
        assert paid + fees + (model.burnt if asset == 0 else 0) == earned
