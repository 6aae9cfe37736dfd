"""Who earned something takes it out."""

from contextlib import contextmanager
from copy import deepcopy

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.stateful.escrow.draws import (
    MARKETS,
    ODD,
    STRANGER,
    WORK,
    assets,
    markets,
    payees,
    people,
)
from tests.stateful.escrow.state import EscrowState
from tests.stateful.evm import reverts
from tests.stateful.house import CLUSTER, MEMBERS, NOBODY, House


class _Refused(Exception):
    """A call was refused where its model had begun."""


class Payouts(EscrowState):
    """Income of providers and clusters, fees, and refunds that did not arrive."""

    STATE = ("shared", "drawn")

    def __init__(self, house: House) -> None:
        super().__init__(house)
        # asset => base units that the cluster has collected, and what each member has of them
        self.shared = [0, 0]
        self.drawn = {(asset, i): 0 for asset in (WORK, ODD) for i in range(len(MEMBERS))}

    @rule(payee=payees, market=markets)
    def withdraw(self, payee, market):
        self.begin()
        self._withdraw(payee, market)

    def _withdraw(self, payee: int, market: int) -> None:
        asset, subnet = MARKETS[market]
        self.incomes_touched.add((payee, market))
        receiver = NOBODY if payee == CLUSTER else self.house.payouts[payee - 1]
        with self.what_if_refused():
            self.books.mature(payee, market, self.now)
            income = self.books.incomes[payee, market]
            paid: list[int] = []
            if self.attempt(
                lambda: paid.append(
                    self.escrow.withdraw(
                        payee, self.assets[asset], subnet, sender=self.customers[STRANGER]
                    )
                ),
                (
                    payee == CLUSTER and income.withdrawable > 0,
                    "job_escrow: not the cluster registry",
                ),
                (
                    self.is_blocked(asset, receiver) and income.withdrawable > 0,
                    "job_escrow: transfer out failed",
                ),
            ):
                assert paid == [income.withdrawable]
                if income.withdrawable:
                    self.move(asset, receiver, income.withdrawable)
                    self.tally("withdrawn")
                income.withdrawable = 0
            else:
                raise _Refused

    @contextmanager
    def what_if_refused(self):
        """What a refused call did to the books is undone."""
        before = deepcopy(self.books)
        try:
            yield
        except _Refused:
            self.books = before

    @rule(market=markets)
    def collect(self, market):
        self.begin()
        self._collect(market)

    def _collect(self, market: int) -> None:
        """The cluster fetches its income, whoever calls."""
        asset, subnet = MARKETS[market]
        self.incomes_touched.add((CLUSTER, market))
        with self.what_if_refused():
            self.books.mature(CLUSTER, market, self.now)
            income = self.books.incomes[CLUSTER, market]
            got: list[int] = []
            if not self.attempt(
                lambda: got.append(
                    self.house.clusters.collect(CLUSTER, self.assets[asset], subnet)
                ),
                (
                    self.is_blocked(asset, self.house.clusters.address) and income.withdrawable > 0,
                    "job_escrow: transfer out failed",
                ),
            ):
                raise _Refused
            assert got == [income.withdrawable]
            self.move(asset, self.house.clusters.address, income.withdrawable)
            self.shared[asset] += income.withdrawable
            income.withdrawable = 0

    @rule(index=st.integers(0, len(MEMBERS)), asset=assets)
    def draw(self, index, asset):
        self.begin()
        self._draw(index, asset)

    def _draw(self, index: int, asset: int) -> None:
        clusters = self.house.clusters
        if index == len(MEMBERS):
            with reverts("cluster_registry: no such member"):
                clusters.draw(CLUSTER, index, self.assets[asset])
            return
        provider, count = MEMBERS[index]
        earned = self.shared[asset] * count // sum(each for _, each in MEMBERS)
        tokens = earned - self.drawn[asset, index]
        receiver = self.house.payouts[provider - 1]
        blocked = self.is_blocked(asset, receiver) or self.is_blocked(asset, clusters.address)
        if self.attempt(
            lambda: clusters.draw(CLUSTER, index, self.assets[asset]),
            (blocked and tokens > 0, "odd_token: blocked"),
        ):
            self.drawn[asset, index] = earned
            self.move(asset, clusters.address, -tokens)
            self.move(asset, receiver, tokens)

    @rule(market=markets)
    def collect_fees(self, market):
        self.begin()
        self._collect_fees(market)

    def _collect_fees(self, market: int) -> None:
        asset, subnet = MARKETS[market]
        tokens = self.books.fees[market]
        burnt = tokens * self.books.burn_bps // 10_000 if asset == WORK else 0
        treasury = self.house.treasury
        if self.attempt(
            lambda: self.escrow.collect_fees(self.assets[asset], subnet),
            (
                self.is_blocked(asset, treasury) and tokens > burnt,
                "job_escrow: transfer out failed",
            ),
        ):
            self.books.fees[market] = 0
            self.burnt += burnt
            self.move(asset, treasury, tokens - burnt)

    @rule(person=people, asset=assets, receiver=people)
    def claim_refund(self, person, asset, receiver):
        self.begin()
        self._claim_refund(person, asset, receiver)

    def _claim_refund(self, person: int, asset: int, receiver: int) -> None:
        tokens = self.books.owed[person, asset]
        account = self.customers[receiver]
        self.refunds_touched.add((person, asset))
        if self.attempt(
            lambda: self.escrow.claim_refund(
                self.assets[asset], account, sender=self.customers[person]
            ),
            (tokens == 0, "job_escrow: no refund owed"),
            (self.is_blocked(asset, account), "job_escrow: transfer out failed"),
        ):
            self.books.owed[person, asset] = 0
            self.move(asset, account, tokens)
            self.tally("refund claimed")
