"""What the machine of the escrow knows: every base unit of two assets, every job, and how to hold
the contracts against it.
"""

from collections.abc import Callable
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, invariant

from tests.stateful.escrow.draws import MARKETS, ODD, PAYEES, STRANGER, WORK
from tests.stateful.evm import reverts
from tests.stateful.house import (
    BURN_BPS,
    CLASS,
    CLUSTER,
    FEE_BPS,
    HOARD,
    LEVELS,
    MEMBERS,
    PURSE,
    House,
    address,
)
from tests.stateful.ledger_of_jobs import MAX_SETTLED, Books, Job, amount
from tests.unit.conftest import DISPUTE_WINDOW

MAX_DEPOSIT, MAX_CREDIT = 2**96 - 1, 2**112 - 1
UNLIMITED = 2**256 - 1


def terms_of(job: Job) -> tuple[int, int, int, int]:
    """A job's service level; a job that names one that is not there is never accepted."""
    return LEVELS[job.level] if job.level < len(LEVELS) else (0, 0, 0, 0)


class EscrowState(RuleBasedStateMachine):
    """The model, and the chain that has to agree with it after every step."""

    # what of the machine follows the chain; each subject adds its own
    STATE: tuple[str, ...] = ("books", "wallets", "gifts", "burnt", "blocked", "paused", "fresh")

    def __init__(self, house: House) -> None:
        super().__init__()
        self.house = house
        self.evm, self.escrow, self.jobs = house.evm, house.escrow, house.jobs
        self.assets = (house.token, house.odd)
        self.customers = [address(key) for key in (*house.customers, house.thief)]
        self.customers.append(house.wallet.address.lower())
        self.anchor = self.evm.anchor()
        self.anchor.__enter__()
        self.books = Books(FEE_BPS, BURN_BPS)
        self.wallets = {
            (asset, account): 0
            for asset in (WORK, ODD)
            for account in (
                *house.payouts,
                house.treasury,
                house.clusters.address,
                *self.customers,
            )
        }
        for customer in self.customers:
            self.wallets[WORK, customer] = self.wallets[ODD, customer] = PURSE
        for owner in house.owners:
            self.wallets[WORK, owner] = PURSE
        self.wallets[ODD, self.customers[STRANGER]] = HOARD
        self.gifts = [0, 0]
        self.burnt = 0
        self.supply = self.assets[WORK].totalSupply()
        self.paused: set[int] = set()
        self.blocked: set[str] = set()
        # numbers that no case has had
        self.fresh = 0
        self.steps = 0
        self.sound = True
        # what the next check reads
        self.jobs_touched: set[int] = set()
        self.incomes_touched = {(payee, market) for payee in PAYEES for market in range(4)}
        self.wallets_touched = set(self.wallets)
        # customer, asset
        self.refunds_touched: set[tuple[int, int]] = set()

    def teardown(self) -> None:
        try:
            # a failed step has its own message
            if self.sound:
                self.leave()
        finally:
            self.house.steps += self.steps
            self.house.longest = max(self.house.longest, self.steps)
            self.anchor.__exit__(None, None, None)

    # --- helpers --------------------------------------------------------------------------

    @property
    def now(self) -> int:
        return self.evm.timestamp

    @property
    def window(self) -> int:
        return self.now // DISPUTE_WINDOW

    def begin(self) -> None:
        self.steps += 1
        self.sound = False

    def tally(self, outcome: str) -> None:
        self.house.outcomes[outcome] += 1

    def attempt(self, call: Callable[[], Any], *refusals: tuple[bool, str]) -> bool:
        """Make a call; it must fail for the first reason that holds. Whether it went through."""
        for holds, reason in refusals:
            if holds:
                with reverts(reason):
                    call()
                self.tally(f"refused: {reason}")
                return False
        call()
        return True

    @contextmanager
    def what_if(self):
        """Undo on the way out what happens inside, on the chain and in the model."""
        names = [name for kind in type(self).__mro__ for name in vars(kind).get("STATE", ())]
        before = {name: getattr(self, name) for name in names}
        vars(self).update(deepcopy(before))
        with self.evm.anchor():
            yield
        vars(self).update(before)

    def pick(self, number: int, *wanted: int, unknown: bool = False) -> int:
        """One of the jobs, rather one with a wanted status and a new one; or an unknown one."""
        ids = sorted(
            self.books.jobs,
            key=lambda i: (self.books.jobs[i].status not in wanted, -i),
        )
        if (unknown and number == 11) or not ids:
            return len(ids) + 1
        return ids[number % min(len(ids), 4)]

    def usage(self, number: int, wanted: tuple[str, int], most: int) -> int:
        """GPU-seconds of a report."""
        job = self.books.jobs.get(number)
        start = {
            "exactly": 0,
            "more": job.settled if job else 0,
            "all": job.covered(MAX_SETTLED) if job else 0,
        }[wanted[0]]
        return max(0, min(start + wanted[1], most))

    def touch(self, number: int) -> Job:
        job = self.books.jobs[number]
        self.jobs_touched.add(number)
        self.incomes_touched.add((job.payee, job.market))
        return job

    def move(self, asset: int, account: str, tokens: int) -> None:
        self.wallets[asset, account] += tokens
        self.wallets_touched.add((asset, account))

    def speakers(self, payee: int) -> list[str]:
        provider = MEMBERS[0][0] if payee == CLUSTER else payee
        keys = [self.house.owners[provider - 1]] if provider in (1, 2, 3) else []
        if provider in (1, 2):
            keys.append(address(self.house.operators[provider - 1]))
        return keys

    def payee_key(self, payee: int, who: str, number: int, customer: int = 0) -> str:
        """Somebody who may or may not speak for a payee."""
        keys = {
            "right": self.speakers(payee) or [self.customers[STRANGER]],
            "customer": [self.customers[customer]],
            "thief": [self.customers[STRANGER]],
            "other payee": [self.house.owners[2 if payee != 3 else 0]],
        }[who]
        return keys[number % len(keys)]

    def customer_key(self, job: Job, who: str) -> str:
        return {
            "right": self.customers[job.customer],
            "customer": self.customers[1 - job.customer if job.customer < 2 else 0],
            "thief": self.customers[STRANGER],
            "other payee": self.house.owners[0],
        }[who]

    def is_blocked(self, asset: int, account: str) -> bool:
        return asset == ODD and account in self.blocked

    def refund(self, asset: int, customer: int, tokens: int) -> None:
        account = self.customers[customer]
        self.refunds_touched.add((customer, asset))
        if self.is_blocked(asset, account):
            self.books.owed[customer, asset] += tokens
            if tokens:
                self.tally("refund owed")
        else:
            self.move(asset, account, tokens)

    def pull_refusals(
        self, market: int, account: str, tokens: int, deposit: int, allowance: int = UNLIMITED
    ) -> list[tuple[bool, str]]:
        """Why a deposit can't be added to another; `allowance` is the work token's."""
        asset, _ = MARKETS[market]
        after = self.books.held(self.markets_of(asset), asset) + self.gifts[asset] + tokens
        return [
            (market in self.paused, "job_escrow: inflows paused"),
            (self.is_blocked(asset, account), "odd_token: blocked"),
            (asset == WORK and tokens > allowance, "erc20: insufficient allowance"),
            (after > MAX_CREDIT, "job_escrow: balance too large"),
            (deposit + tokens > MAX_DEPOSIT, "job_escrow: deposit too large"),
        ]

    @staticmethod
    def markets_of(asset: int) -> list[int]:
        return [i for i, (which, _) in enumerate(MARKETS) if which == asset]

    def end(self, job: Job, status: int) -> int:
        refunded = job.unspent
        job.status = status
        self.refund(MARKETS[job.market][0], job.customer, refunded)
        return refunded

    def leave(self) -> None:
        """Everybody takes out what is theirs."""
        raise NotImplementedError

    # --- invariants -----------------------------------------------------------------------

    @invariant()
    def check(self):
        """The contracts say what the model says of everything that was touched."""
        for asset in (WORK, ODD):
            owed = self.books.held(self.markets_of(asset), asset)
            assert self.assets[asset].balanceOf(self.escrow) == owed + self.gifts[asset]
        for asset, account in self.wallets_touched:
            assert self.assets[asset].balanceOf(account) == self.wallets[asset, account]
        for number in self.jobs_touched:
            if number in self.books.jobs:
                self.check_job(number, self.books.jobs[number])
        for payee, market in self.incomes_touched:
            self.check_income(payee, market)
        for customer, asset in self.refunds_touched:
            owed = self.escrow.owed_refund(self.customers[customer], self.assets[asset])
            assert owed == self.books.owed[customer, asset]
        assert self.assets[WORK].totalSupply() == self.supply - self.burnt
        assert self.escrow.job_count() == len(self.books.jobs)
        self.jobs_touched, self.wallets_touched = set(), set()
        self.incomes_touched, self.refunds_touched = set(), set()
        self.sound = True

    def check_job(self, number: int, job: Job) -> None:
        accepted = job.accepted_at != 0
        assert tuple(self.jobs.job_info(number)) == (
            self.customers[job.customer],
            job.payee,
            self.assets[MARKETS[job.market][0]].address,
            job.gpus,
            CLASS,
            job.level,
            job.status,
            job.price,
            job.deposit,
            job.settled,
            job.gpus * terms_of(job)[0] if accepted else 0,
            job.accepted_at,
        )
        # nothing is paid twice, nor beyond the deposit
        assert job.credited == amount(job.settled, job.price) <= job.deposit
        assert self.escrow.disputed(number) == job.disputed
        assert self.jobs.undisputed(number) == job.undisputed(self.window)
        case = self.jobs.disputes(number)
        assert case == (job.case or bytes(32))

    def check_income(self, payee: int, market: int) -> None:
        asset, subnet = MARKETS[market]
        income = self.books.incomes[payee, market]
        matured = income.matured(self.window)
        assert self.escrow.income(payee, self.assets[asset], subnet) == (
            income.withdrawable + matured - self.books.fee_on(matured),
            income.pending(self.window),
        )
        assert self.escrow.fees(self.assets[asset], subnet) == self.books.fees[market]
        assert self.escrow.earned_fees(market + 1) == self.books.earned_fees[market]
