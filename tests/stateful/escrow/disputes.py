"""Customers dispute what jobs have earned, and the court decides."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from oracle.domain.hashing import keccak
from oracle.domain.receipts import FINAL, JobStatus
from tests.stateful.escrow.draws import MARKETS, STRANGER, numbers, senders
from tests.stateful.escrow.state import EscrowState
from tests.stateful.house import House
from tests.stateful.ledger_of_jobs import amount

FRAUD, DOWNTIME = 5, 4
OPEN_STAGE, CLOSED_STAGE = 1, 5


class Disputes(EscrowState):
    """Income that waits for a case."""

    STATE = ("cases",)

    def __init__(self, house: House) -> None:
        super().__init__(house)
        # case => accuser, job, kind, stage, guilty
        self.cases: dict[bytes, list[Any]] = {}

    @rule(
        number=numbers, who=senders, kind=st.sampled_from([FRAUD] * 5 + [DOWNTIME]),
        flaw=st.sampled_from(["none"] * 5 + ["another job", "another accuser", "closed"]),
    )  # fmt: skip
    @precondition(lambda self: self.books.jobs)
    def dispute(self, number, who, kind, flaw):
        """A customer's accusation, or one that is not good enough."""
        self.begin()
        number = self.pick(number, *FINAL, JobStatus.RUNNING, JobStatus.CLOSED)
        job = self.touch(number)
        sender = self.customer_key(job, who)
        self.fresh += 1
        case = keccak(self.fresh.to_bytes(32, "big"))
        accuser = self.house.owners[1] if flaw == "another accuser" else sender
        about = number + (flaw == "another job")
        stage = CLOSED_STAGE if flaw == "closed" else OPEN_STAGE
        self.house.referee.file(case, accuser, about, kind, stage, False)
        books, income = self.books, self.books.incomes[job.payee, job.market]
        earned = amount(job.settled, job.price)
        undisputed = amount(job.undisputed(self.window), job.price)
        tokens = min(earned - undisputed, income.pending(self.window))
        wrong = flaw in ("another job", "another accuser") or kind != FRAUD
        if self.attempt(
            lambda: self.jobs.dispute(number, case, sender=sender),
            (sender != self.customers[job.customer], "job_registry: not the customer"),
            (job.case != b"", "job_registry: already disputed"),
            (wrong, "job_registry: no such accusation"),
            (flaw == "closed", "job_registry: accusation is closed"),
            (tokens == 0, "job_registry: nothing pending"),
        ):
            books.mature(job.payee, job.market, self.now)
            income.take(tokens)
            job.disputed += tokens
            job.case = case
            job.newer, job.older = (job.settled, 0), (0, 0)
            self.cases[case] = [sender, number, kind, OPEN_STAGE, False]
            self.tally("disputed")

    @rule(number=numbers, guilty=st.booleans())
    @precondition(lambda self: self.cases)
    def judge(self, number, guilty):
        self.begin()
        self._judge(list(self.cases)[number % len(self.cases)], guilty)

    def _judge(self, case: bytes, guilty: bool) -> None:
        words = self.cases[case]
        if words[3] != CLOSED_STAGE:
            words[3:] = CLOSED_STAGE, guilty
            self.house.referee.file(case, *words)

    @rule(number=numbers)
    @precondition(lambda self: self.books.jobs)
    def settle_dispute(self, number):
        self.begin()
        ids = sorted(self.books.jobs, key=lambda i: (not self.books.jobs[i].case, -i))
        self._settle_dispute(ids[number % min(len(ids), 3)])

    def _settle_dispute(self, number: int) -> None:
        job = self.touch(number)
        *_, stage, guilty = self.cases.get(job.case, (CLOSED_STAGE, False))
        if self.attempt(
            lambda: self.jobs.settle_dispute(number, sender=self.customers[STRANGER]),
            (not job.case, "job_registry: not disputed"),
            (stage != CLOSED_STAGE, "job_registry: accusation is open"),
        ):
            if guilty:
                self.refund(MARKETS[job.market][0], job.customer, job.disputed)
                self.tally("dispute upheld")
            else:
                self.books.earn(job.payee, job.market, job.disputed)
                self.tally("dispute lost")
            job.disputed, job.case = 0, b""

    @rule(number=numbers)
    @precondition(lambda self: self.books.jobs)
    def checkpoint(self, number):
        self.begin()
        number = self.pick(number, JobStatus.RUNNING)
        job = self.touch(number)
        young = job.newer[1] != 0 and self.window < job.newer[1] + 2
        if self.attempt(
            lambda: self.jobs.checkpoint(number),
            (young, "job_registry: last checkpoint is too young"),
        ):
            job.older, job.newer = job.newer, (job.settled, self.window)
            self.tally("checkpoint")
