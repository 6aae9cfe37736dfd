"""What jobs cost and pay, in plain integers and without a packed word: the escrow's model."""

from collections import defaultdict
from dataclasses import dataclass, field

from oracle.domain.receipts import FINAL, JobStatus
from tests.unit.conftest import DISPUTE_WINDOW

HOUR = 3_600
BPS = 10_000
MAX_SETTLED = 2**40 - 1

UNKNOWN = "unknown job"
NOT_ACCEPTED = "not accepted yet"
CLOSED = "job is closed"
BAD_STATUS = "bad status"
NOT_INCREASING = "usage not increasing"
EXHAUSTED = "deposit exhausted"


def amount(gpu_seconds: int, price: int) -> int:
    return gpu_seconds * price // HOUR


@dataclass
class Job:
    """A job, and all that it has ever moved."""

    customer: int
    payee: int
    market: int
    gpus: int
    level: int
    price: int
    deposit: int
    status: int = JobStatus.OPEN
    settled: int = 0
    accepted_at: int = 0
    # base units credited to the payee, before fees
    credited: int = 0
    # the case its income waits for, and how much waits; cases are never used again
    case: bytes = b""
    disputed: int = 0
    # usage at the last two checkpoints and their windows
    newer: tuple[int, int] = (0, 0)
    older: tuple[int, int] = (0, 0)
    reclaim: tuple[int, int] = (0, 0)
    blamed: int = 0

    @property
    def earned(self) -> int:
        return amount(self.settled, self.price)

    @property
    def unspent(self) -> int:
        return self.deposit - self.earned if self.is_unsettled else 0

    @property
    def is_unsettled(self) -> bool:
        return self.status < JobStatus.CLOSED

    @property
    def is_active(self) -> bool:
        return self.status in (JobStatus.ACCEPTED, JobStatus.RUNNING)

    def refusal(self, cumulative: int, status: int) -> str:
        """Why a report does nothing; empty where it does something."""
        if self.status == JobStatus.OPEN:
            return NOT_ACCEPTED
        if not self.is_unsettled:
            return CLOSED
        if status != JobStatus.RUNNING and status not in FINAL:
            return BAD_STATUS
        if cumulative > MAX_SETTLED:
            # vouchers can't say so much
            return "too large"
        if self.is_active and status > self.status:
            return ""
        if cumulative <= self.settled:
            return NOT_INCREASING
        return "" if self.covered(cumulative) > self.settled else EXHAUSTED

    def covered(self, cumulative: int) -> int:
        """The most whole GPU-seconds up to `cumulative` that the deposit pays for."""
        if amount(cumulative, self.price) <= self.deposit:
            return cumulative
        # c * price < (deposit + 1) * 3600
        return ((self.deposit + 1) * HOUR - 1) // self.price

    def settle(self, cumulative: int, status: int) -> int:
        """Apply a report that is not refused; what it pays."""
        if self.is_active:
            self.status = max(self.status, status)
        if cumulative <= self.settled:
            return 0
        before, self.settled = self.settled, self.covered(cumulative)
        paid = amount(self.settled, self.price) - amount(before, self.price)
        self.credited += paid
        return paid

    def agree(self, seconds: int) -> None:
        """The customer signed for so much, of what is settled."""
        if seconds >= self.newer[0]:
            self.newer, self.older = (seconds, 0), (0, 0)
        else:
            self.older = (max(seconds, self.older[0]), 0)

    def undisputed(self, window: int) -> int:
        """GPU-seconds that have outlived their dispute windows."""
        seconds, since = self.newer
        return seconds if window >= since + 2 else self.older[0]


@dataclass
class Income:
    """What a payee has in one market."""

    # window => base units earned in it that have not matured, as far as anybody has looked
    waiting: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    withdrawable: int = 0

    def matured(self, window: int) -> int:
        return sum(tokens for since, tokens in self.waiting.items() if since <= window - 2)

    def pending(self, window: int) -> int:
        return sum(self.waiting.values()) - self.matured(window)

    def take(self, tokens: int) -> None:
        """Take income that waits, the newest first."""
        for since in sorted(self.waiting, reverse=True):
            taken = min(tokens, self.waiting[since])
            self.waiting[since] -= taken
            tokens -= taken
        assert tokens == 0


@dataclass
class Books:
    """All money of the escrow."""

    fee_bps: int
    burn_bps: int
    jobs: dict[int, Job] = field(default_factory=dict)
    # payee, market => income
    incomes: dict[tuple[int, int], Income] = field(default_factory=lambda: defaultdict(Income))
    # market => fees of all time, and those not collected
    earned_fees: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    fees: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    # customer, asset => refunds that could not be delivered
    owed: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))

    def fee_on(self, tokens: int) -> int:
        return -(-tokens * self.fee_bps // BPS)

    def earn(self, payee: int, market: int, tokens: int, before: int = 0) -> None:
        """Income that can be withdrawn at once; `before` is what the same sum has earned before."""
        fee = self.fee_on(before + tokens) - self.fee_on(before)
        self.incomes[payee, market].withdrawable += tokens - fee
        self.earned_fees[market] += fee
        self.fees[market] += fee

    def mature(self, payee: int, market: int, now: int) -> None:
        """The fee is taken once from all that matures together."""
        income, window = self.incomes[payee, market], now // DISPUTE_WINDOW
        self.earn(payee, market, income.matured(window))
        for since in [since for since in income.waiting if since <= window - 2]:
            del income.waiting[since]

    def wait(self, payee: int, market: int, tokens: int, now: int) -> None:
        """Income from the committee."""
        if tokens:
            self.mature(payee, market, now)
            self.incomes[payee, market].waiting[now // DISPUTE_WINDOW] += tokens

    def held(self, markets: list[int], asset: int) -> int:
        """Base units of an asset that the escrow owes to somebody."""
        jobs = [job for job in self.jobs.values() if job.market in markets]
        incomes = [i for (_, market), i in self.incomes.items() if market in markets]
        return (
            sum(job.unspent + job.disputed for job in jobs)
            + sum(sum(i.waiting.values()) + i.withdrawable for i in incomes)
            + sum(self.fees[market] for market in markets)
            + sum(tokens for (_, which), tokens in self.owed.items() if which == asset)
        )
