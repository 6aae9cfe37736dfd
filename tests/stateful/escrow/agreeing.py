"""The two sides agree on a job, or don't: accept, decline, start, cancel, take money back."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from oracle.domain.receipts import JobStatus
from tests.stateful.escrow.backing import Backing
from tests.stateful.escrow.draws import MARKETS, PAYEES, numbers, senders
from tests.stateful.ledger_of_jobs import amount
from tests.unit.conftest import JOB_TIMEOUT


class Agreeing(Backing):
    """What a customer and a payee decide about a job between them."""

    @rule(number=numbers, who=senders)
    @precondition(lambda self: self.books.jobs)
    def accept(self, number, who):
        self.begin()
        self._accept(self.pick(number, JobStatus.OPEN), who, number)

    def _accept(self, number: int, who: str, key: int) -> None:
        if not number:
            return
        job = self.touch(number)
        sender = self.payee_key(job.payee, who, key, job.customer)
        if self.attempt(
            lambda: self.jobs.accept(number, sender=sender),
            (job.status != JobStatus.OPEN, "job_registry: job is not open"),
            (sender not in self.speakers(job.payee), "job_registry: not the provider"),
            *(self.pledge_refusals(job) if job.payee in PAYEES else ()),
        ):
            job.status = JobStatus.ACCEPTED
            self.pledged(job)

    @rule(number=numbers, who=senders)
    @precondition(lambda self: self.books.jobs)
    def decline(self, number, who):
        self.begin()
        number = self.pick(number, JobStatus.OPEN)
        job = self.touch(number)
        sender = self.payee_key(job.payee, who, number, job.customer)
        if self.attempt(
            lambda: self.jobs.decline(number, sender=sender),
            (job.status != JobStatus.OPEN, "job_registry: job is not open"),
            (sender not in self.speakers(job.payee), "job_registry: not the provider"),
        ):
            self.end(job, JobStatus.CANCELLED)
            self.tally("declined")

    @rule(number=numbers, who=senders)
    @precondition(lambda self: self.books.jobs)
    def start(self, number, who):
        self.begin()
        number = self.pick(number, JobStatus.ACCEPTED)
        job = self.touch(number)
        sender = self.payee_key(job.payee, who, number, job.customer)
        if self.attempt(
            lambda: self.jobs.start(number, sender=sender),
            (job.status != JobStatus.ACCEPTED, "job_registry: job is not accepted"),
            (sender not in self.speakers(job.payee), "job_registry: not the provider"),
        ):
            job.status = JobStatus.RUNNING

    @rule(number=numbers, who=senders)
    @precondition(lambda self: self.books.jobs)
    def cancel(self, number, who):
        self.begin()
        self._cancel(self.pick(number, JobStatus.OPEN), who)

    def _cancel(self, number: int, who: str) -> None:
        job = self.touch(number)
        sender = self.customer_key(job, who)
        if self.attempt(
            lambda: self.jobs.cancel(number, sender=sender),
            (job.status != JobStatus.OPEN, "job_registry: job is not open"),
            (sender != self.customers[job.customer], "job_registry: not the customer"),
        ):
            self.end(job, JobStatus.CANCELLED)
            self.tally("cancelled")

    @rule(
        number=numbers, who=senders,
        part=st.sampled_from(["one", "all that is free", "one too much", "half", "huge", "none"]),
    )  # fmt: skip
    @precondition(lambda self: self.books.jobs)
    def lower_deposit(self, number, who, part):
        self.begin()
        number = self.pick(number, JobStatus.OPEN, JobStatus.ACCEPTED, JobStatus.RUNNING)
        job = self.touch(number)
        sender = self.customer_key(job, who)
        kept = 0
        if job.status != JobStatus.OPEN:
            kept = (self.now + JOB_TIMEOUT - job.accepted_at) * job.gpus
        free = max(0, job.deposit - amount(max(kept, job.settled), job.price))
        tokens = {
            "one": 1, "all that is free": free, "one too much": free + 1, "half": free // 2,
            "huge": 2**256 - 1, "none": 0,
        }[part]  # fmt: skip
        if self.attempt(
            lambda: self.jobs.lower_deposit(number, tokens, sender=sender),
            (sender != self.customers[job.customer], "job_registry: not the customer"),
            (not job.is_unsettled, "job_registry: job is over"),
            (tokens == 0, "job_registry: nothing to take back"),
            (tokens > free, "job_escrow: the provider may have earned that"),
        ):
            job.deposit -= tokens
            self.refund(MARKETS[job.market][0], job.customer, tokens)
            self.tally("deposit lowered")
