"""Providers that let customers down owe what their stake did not cover, and work for nobody until
it is paid.
"""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from oracle.domain.receipts import JobStatus, Receipt, pack
from tests.stateful.escrow.agreeing import Agreeing
from tests.stateful.escrow.backing import lefts
from tests.stateful.escrow.draws import PROVIDERS, STRANGER, WORK, numbers, people
from tests.stateful.escrow.ends import Ends
from tests.stateful.escrow.opening import Opening
from tests.stateful.escrow.state import terms_of
from tests.stateful.house import CLUSTER, MEMBERS
from tests.stateful.ledger_of_jobs import Job
from tests.unit.conftest import HOUR, MIN_SELF_BOND

# whether somebody pays whom nothing is owed
strays = st.sampled_from([False] * 5 + [True])


class Debts(Agreeing, Ends, Opening):
    """Made, paid in parts, paid out of new stake, and worked in."""

    @rule(
        number=numbers,
        left=lefts,
        slashes=st.sampled_from([True, True, False]),
        mask=st.sampled_from([1, 2, 3]),
    )
    @precondition(lambda self: self.promising())
    def let_down(self, number, left, slashes, mask):
        """The committee ends a job by its payee's fault, perhaps after a slash."""
        self.begin()
        self._let_down(number, left if slashes else "everything", mask)

    def _let_down(self, number: int, left: str, mask: int) -> None:
        jobs = self.promising()
        number = jobs[number % len(jobs)]
        job = self.touch(number)
        for provider, _ in self.members(job):
            self._slash(provider, left)
        if job.payee == CLUSTER:
            self._blame(number, mask, signed=True)
        packed = pack([Receipt(number, 0, JobStatus.PROVIDER_FAULT)])
        self.escrow.settle_batch(0, 0, packed, b"signed")
        job.settle(0, JobStatus.PROVIDER_FAULT)
        self._close(number)

    def promising(self) -> list[int]:
        """Jobs whose customers would be compensated."""
        return [i for i, job in self.books.jobs.items() if job.is_active and self.promise(job)]

    @staticmethod
    def promise(job: Job) -> int:
        per_gpu, bps, _, _ = terms_of(job)
        return per_gpu * bps

    @rule(number=numbers, customer=people, level=st.sampled_from([0, 0, 1]))
    @precondition(lambda self: self.unwelcome())
    def work_in_debt(self, number, customer, level):
        """A provider in debt or in jail looks for another job, also as a member of the cluster."""
        self.begin()
        payees = self.unwelcome()
        payee = payees[number % len(payees)]
        count = sum(each for _, each in MEMBERS) if payee == CLUSTER else 1
        opened = self._open(customer, payee, WORK, count, level, HOUR, HOUR)
        self._accept(opened, "right", number)

    def unwelcome(self) -> list[int]:
        """Payees that can't take jobs, whatever these are."""
        those = [
            provider
            for provider in PROVIDERS
            if self.debt_of(provider) or self.stakes[provider].is_jailed(self.now)
        ]
        return [*those, CLUSTER] if {each for each, _ in MEMBERS} & set(those) else those

    def owed(self) -> list[tuple[int, int]]:
        return sorted(pair for pair, tokens in self.debts.items() if tokens)

    def creditor(self, number: int, stray: bool) -> tuple[int, int]:
        """A provider and a customer, rather one that it owes something, if need be from now on."""
        if not self.owed():
            self._let_down(number, "a fifth of what is locked", mask=1)
        owed = self.owed()
        if stray or not owed:
            return number % 3 + 1, number % len(self.customers)
        return owed[number % len(owed)]

    @rule(
        number=numbers, stray=strays,
        part=st.sampled_from(["all", "half", "half", "one", "one too much", "none", "huge"]),
        who=st.sampled_from(["owner", "thief", "customer"]), payer=people,
    )  # fmt: skip
    @precondition(lambda self: self.owed() or self.promising())
    def pay_debt(self, number, stray, part, who, payer):
        """Anyone may pay for a provider, in parts, and no more than it owes."""
        self.begin()
        provider, customer = self.creditor(number, stray)
        owed = self.debts[provider, customer]
        tokens = {
            "all": owed, "half": owed // 2, "one": 1, "one too much": owed + 1, "none": 0,
            "huge": 2**256 - 1,
        }[part]  # fmt: skip
        sender = {
            "owner": self.house.owners[provider - 1],
            "thief": self.customers[STRANGER],
            "customer": self.customers[payer],
        }[who]
        self._pay_debt(provider, customer, tokens, sender)

    def _pay_debt(self, provider: int, customer: int, tokens: int, sender: str) -> None:
        owed = self.debts[provider, customer]
        receiver = self.customers[customer]
        has_approved = sender in (*self.house.owners, self.customers[STRANGER])
        if self.attempt(
            lambda: self.house.bonds.pay_debt(provider, receiver, tokens, sender=sender),
            (tokens == 0, "service_bonds: nothing to pay"),
            (tokens > owed, "service_bonds: more than is owed"),
            (not has_approved, "erc20: insufficient allowance"),
            (tokens > self.wallets[WORK, sender], "erc20: transfer amount exceeds balance"),
        ):
            self.move(WORK, sender, -tokens)
            self.move(WORK, receiver, tokens)
            self.repaid(provider, customer, tokens)

    def repaid(self, provider: int, customer: int, tokens: int) -> None:
        self.debts[provider, customer] -= tokens
        self.debts_touched.add((provider, customer))
        self.tally("debt paid in part" if self.debts[provider, customer] else "debt paid")

    @rule(
        number=numbers, stray=strays, added=st.sampled_from([0, 0, 1, MIN_SELF_BOND]),
    )  # fmt: skip
    @precondition(lambda self: self.owed() or self.promising())
    def collect_debt(self, number, stray, added):
        """Self-bond that the provider has added pays too, whoever calls."""
        self.begin()
        provider, customer = self.creditor(number, stray)
        self._add_stake(provider, added)
        self._collect_debt(provider, customer)

    def _collect_debt(self, provider: int, customer: int) -> None:
        stake, receiver = self.stake(provider), self.customers[customer]
        tokens = min(self.debts[provider, customer], stake.free(self.now))
        paid: list[int] = []
        if self.attempt(
            lambda: paid.append(self.house.bonds.collect_debt(provider, receiver)),
            (tokens == 0, "service_bonds: nothing to pay"),
            (stake.is_jailed(self.now), "provider_staking: provider is jailed"),
        ):
            assert paid == [tokens]
            stake.active -= tokens
            self.move(WORK, receiver, tokens)
            self.repaid(provider, customer, tokens)
            self.tally("debt collected")

    def pay_all_debts(self) -> None:
        """Out of the stake where it is free, and out of the owner's pocket."""
        for (provider, customer), tokens in self.debts.items():
            stake = self.stakes[provider]
            if tokens and stake.free(self.now) and not stake.is_jailed(self.now):
                self._collect_debt(provider, customer)
            if left := self.debts[provider, customer]:
                self._pay_debt(provider, customer, left, self.house.owners[provider - 1])
        assert not any(self.debts.values())
