"""A customer opens and funds a job."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.stateful.escrow.draws import (
    MARKETS,
    TERMS,
    deposits,
    gpus,
    levels,
    markets,
    numbers,
    payees,
    people,
    prices,
)
from tests.stateful.escrow.state import UNLIMITED, EscrowState
from tests.stateful.evm import reverts
from tests.stateful.house import CLASS, CLUSTER, LEVELS, MEMBERS
from tests.stateful.ledger_of_jobs import Job


@dataclass(frozen=True)
class Permitted:
    """What the escrow may pull of the work token, after the permit among a call's arguments."""

    arguments: tuple[Any, ...] = ()
    # base units
    allowance: int = UNLIMITED


# all have approved the escrow before
UNPERMITTED = Permitted()


class Opening(EscrowState):
    """Jobs that wait for a provider, and deposits that grow."""

    @rule(
        customer=people, payee=st.one_of(payees, st.just(77)), market=markets, count=gpus,
        level=st.one_of(levels, st.just(len(LEVELS))), price=prices, deposit=deposits,
    )  # fmt: skip
    def open(self, customer, payee, market, count, level, price, deposit):
        self.begin()
        if payee == CLUSTER and count:
            count = sum(each for _, each in MEMBERS) if count < 3 else count
        self._open(customer, payee, market, count, level, price, deposit)

    def _open(
        self, customer: int, payee: int, market: int, count: int, level: int, price: int,
        deposit: int, permit: Permitted = UNPERMITTED,
    ) -> int:  # fmt: skip
        """Returns the job's number, 0 where it was refused."""
        asset, subnet = MARKETS[market]
        sender = self.customers[customer]
        terms = (payee, self.assets[asset], count, CLASS, price, deposit, level, TERMS, subnet)
        number = len(self.books.jobs) + 1
        if deposit > self.wallets[asset, sender]:
            return 0
        if not self.attempt(
            lambda: self.escrow.open_job(*terms, *permit.arguments, sender=sender),
            *self.pull_refusals(market, sender, deposit, 0, permit.allowance),
            (count == 0, "job_registry: no gpus"),
        ):
            return 0
        self.books.jobs[number] = Job(customer, payee, market, count, level, price, deposit)
        self.move(asset, sender, -deposit)
        self.touch(number)
        return number

    @rule(
        person=people, number=numbers, tokens=st.one_of(deposits, st.sampled_from([2**96, 2**112]))
    )
    def top_up(self, person, number, tokens):
        self.begin()
        number = self.pick(number, unknown=True)
        sender, job = self.customers[person], self.books.jobs.get(number)
        if job is None:
            with reverts("job_escrow: job is over"):
                self.escrow.top_up(number, tokens, sender=sender)
            return
        asset, _ = MARKETS[job.market]
        if tokens > self.wallets[asset, sender]:
            return
        if self.attempt(
            lambda: self.escrow.top_up(number, tokens, sender=sender),
            (not job.is_unsettled, "job_escrow: job is over"),
            *self.pull_refusals(job.market, sender, tokens, job.deposit),
        ):
            self.touch(number).deposit += tokens
            self.move(asset, sender, -tokens)
