"""The real escrow with everything that starts, ends and disputes jobs, against its model:
whatever customers, providers and thieves do in whatever order, every base unit is where the
model says, none is paid twice, and at the end everybody can leave.

Each subject has its rules in a file of its own (tests/stateful/escrow).
"""

from functools import partial

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from oracle.domain.receipts import FINAL, JobStatus
from tests.stateful.escrow.attacks import Attacks
from tests.stateful.escrow.debts import Debts
from tests.stateful.escrow.disputes import Disputes
from tests.stateful.escrow.draws import (
    MARKETS,
    ODD,
    PAYEES,
    PROVIDERS,
    WORK,
    levels,
    markets,
    payees,
    people,
)
from tests.stateful.escrow.payouts import Payouts
from tests.stateful.escrow.permits import BAD, GOOD, Permits
from tests.stateful.escrow.receipts import Receipts
from tests.stateful.escrow.surroundings import Surroundings
from tests.stateful.escrow.vouchers import MOODS, Vouchers
from tests.stateful.house import CLUSTER, MEMBERS, House, open_house
from tests.unit.conftest import DISPUTE_WINDOW, JOB_TIMEOUT, UNIT


class EscrowMachine(Permits, Debts, Vouchers, Receipts, Disputes, Payouts, Surroundings, Attacks):
    """Everybody's calls as rules; after each, the contracts agree with the model."""

    @initialize(data=st.lists(st.tuples(people, payees, markets, levels), min_size=3, max_size=6))
    def some_jobs(self, data):
        for customer, payee, market, level in data:
            count = sum(each for _, each in MEMBERS) if payee == CLUSTER else 1
            number = self._open(customer, payee, market, count, level, 7_200, 100_000)
            self._accept(number, "right", 0)
        for provider in PROVIDERS:
            self._sign_offer(provider, WORK, 3, provider, UNIT)

    @rule()
    def everybody_could_leave(self):
        self.begin()
        if self.steps % 4 == 0:
            with self.what_if():
                self.leave()

    def leave(self) -> None:
        """Jobs end, disputes are settled, everybody is paid: nothing but gifts is left."""
        for account in sorted(self.blocked):
            self._block(account, False)
        for case in self.cases:
            self._judge(case, guilty=len(self.cases) % 2 == 0)
        for number, job in self.books.jobs.items():
            if job.status == JobStatus.OPEN:
                self._cancel(number, "right")
            elif job.is_active:
                self._request_reclaim(number, self.customers[job.customer])
        self.evm.time_travel(max(JOB_TIMEOUT, 2 * DISPUTE_WINDOW))
        for number, job in self.books.jobs.items():
            if job.is_active:
                self._reclaim(number)
            elif job.status in FINAL:
                self._close(number)
            if job.case:
                self._settle_dispute(number)
        for market in range(len(MARKETS)):
            for payee in PAYEES:
                if payee == CLUSTER:
                    self._collect(market)
                else:
                    self._withdraw(payee, market)
            self._collect_fees(market)
        self.pay_all_debts()
        for asset in (WORK, ODD):
            for index in range(len(MEMBERS)):
                self._draw(index, asset)
            # each member's share was rounded down
            assert 0 <= self.wallets[asset, self.house.clusters.address] < len(MEMBERS)
            for person in range(len(self.customers)):
                if self.books.owed[person, asset]:
                    self._claim_refund(person, asset, person)
            assert self.books.held(self.markets_of(asset), asset) == 0
            assert self.assets[asset].balanceOf(self.escrow) == self.gifts[asset]
        self.jobs_touched |= set(self.books.jobs)
        self.incomes_touched |= set(self.books.incomes)
        self.wallets_touched |= set(self.wallets)
        self.refunds_touched |= set(self.books.owed)
        self.stakes_touched |= set(self.stakes)
        self.debts_touched |= set(self.debts)
        self.check()


def play(house: House, examples: int, steps: int) -> None:
    """Run the machine and say how much of it ran."""
    run_state_machine_as_test(
        partial(EscrowMachine, house),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"\nEscrowMachine: {house.steps} steps, the longest sequence {house.longest}")


@pytest.fixture(scope="module")
def house() -> House:
    return open_house()


def test_short_lives(house):
    play(house, examples=40, steps=50)


# what has to happen on the way
OUTCOMES = {
    "declined", "cancelled", "deposit lowered", "voucher settled", "receipt settled", "closed",
    "closed with compensation", "closed, nobody blamed", "reclaimed", "failed by the court",
    "left for lost capacity", "disputed", "dispute upheld", "dispute lost", "checkpoint",
    "withdrawn", "refund owed", "refund claimed", "fee changed",
    # debts
    "debt left", "debt paid", "debt paid in part", "debt collected",
    "refused: service_bonds: provider owes a customer",
    "refused: service_bonds: provider is jailed",
    "refused: service_bonds: nothing to pay",
    "refused: service_bonds: more than is owed",
    "refused: provider_staking: provider is jailed",
    # offers
    "offer taken", "offer taken in part", "offer revoked", "all older offers revoked",
    "refused: offer_book: offer revoked",
    "refused: offer_book: offer expired",
    "refused: offer_book: bad signature",
    "refused: offer_book: not so many gpus left",
    "refused: offer_book: signer does not speak for the provider",
    "refused: offer_book: caller does not speak for the provider",
    "refused: offer_book: lowest nonce can only rise",
    # permits: a good one opens a job, a bad one allows nothing and stops no approval
    *(f"permit {flaw}: opened" for flaw in GOOD),
    *(f"permit {flaw}: too little allowed" for flaw in (*GOOD, *BAD)),
    "bad permit beside an approval: opened",
    # a customer that is a contract
    *(f"wallet {name}: {'settled' if mood.counts else 'refused'}" for name, mood in MOODS.items()),
    "wallet took it back",
}  # fmt: skip


@pytest.mark.slow
def test_long_lives(house, capsys):
    """At least 200 000 steps, in which jobs end in every way there is."""
    with capsys.disabled():
        while house.steps < 200_000:
            play(house, examples=1_000, steps=80)
        print(", ".join(f"{count} {outcome}" for outcome, count in house.outcomes.items()))
    assert not OUTCOMES - house.outcomes.keys()
