"""How a job ends, and what its customer gets then."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from oracle.domain.receipts import COMPENSATED, FINAL, JobStatus
from tests.stateful.escrow.backing import Backing
from tests.stateful.escrow.draws import STRANGER, numbers, providers, senders
from tests.stateful.escrow.state import terms_of
from tests.stateful.evm import reverts
from tests.stateful.house import CLUSTER
from tests.unit.conftest import JOB_TIMEOUT


class Ends(Backing):
    """Closed, reclaimed, failed by the court, or left for lost capacity."""

    @rule(number=numbers)
    @precondition(lambda self: self.books.jobs)
    def close(self, number):
        self.begin()
        self._close(self.pick(number, *FINAL))

    def _close(self, number: int) -> None:
        job = self.touch(number)
        if self.attempt(
            lambda: self.jobs.close(number, sender=self.customers[STRANGER]),
            (job.status not in FINAL, "job_registry: status not final"),
        ):
            failed = 0
            if job.status in COMPENSATED:
                failed = job.blamed if job.payee == CLUSTER else 1
                self.tally("closed with compensation" if failed else "closed, nobody blamed")
            else:
                self.tally("closed")
            self.freed(job, failed)
            self.end(job, JobStatus.CLOSED)

    @rule(number=numbers, mask=st.sampled_from([0, 1, 2, 3, 2**63]), signed=st.booleans())
    @precondition(lambda self: self.books.jobs)
    def blame(self, number, mask, signed):
        self.begin()
        self._blame(self.pick(number, *COMPENSATED), mask, signed)

    def _blame(self, number: int, mask: int, signed: bool) -> None:
        job = self.touch(number)
        if self.attempt(
            lambda: self.house.bonds.blame(number, 0, mask, b"signed" * signed),
            (mask == 0, "service_bonds: nobody to blame"),
            (job.blamed != 0, "service_bonds: already blamed"),
            (not signed, "referee: not signed"),
        ):
            job.blamed = mask

    @rule(number=numbers, who=senders, by_payee=st.booleans())
    @precondition(lambda self: self.books.jobs)
    def request_reclaim(self, number, who, by_payee):
        self.begin()
        number = self.pick(number, JobStatus.ACCEPTED, JobStatus.RUNNING)
        job = self.touch(number)
        sender = (
            self.payee_key(job.payee, who, number, job.customer)
            if by_payee
            else self.customer_key(job, who)
        )
        self._request_reclaim(number, sender)

    def _request_reclaim(self, number: int, sender: str) -> None:
        job = self.touch(number)
        may = (*self.speakers(job.payee), self.customers[job.customer])
        if self.attempt(
            lambda: self.jobs.request_reclaim(number, sender=sender),
            (not job.is_active, "job_registry: job is not active"),
            (sender not in may, "job_registry: not the provider"),
        ):
            job.reclaim = job.settled, self.now + JOB_TIMEOUT

    @rule(number=numbers, patient=st.sampled_from([True, True, False]))
    @precondition(lambda self: self.books.jobs)
    def reclaim(self, number, patient):
        self.begin()
        number = self.pick(number, JobStatus.ACCEPTED, JobStatus.RUNNING)
        if patient and self.books.jobs[number].is_active:
            self.evm.time_travel(max(0, self.books.jobs[number].reclaim[1] - self.now))
        self._reclaim(number)

    def _reclaim(self, number: int) -> None:
        job = self.touch(number)
        settled, ready_at = job.reclaim
        if self.attempt(
            lambda: self.jobs.reclaim(number, sender=self.customers[STRANGER]),
            (not job.is_active, "job_registry: job is not active"),
            (ready_at == 0, "job_registry: no reclaim requested"),
            (self.now < ready_at, "job_registry: job timeout not over"),
            (job.settled != settled, "job_registry: job is not silent"),
        ):
            self.freed(job)
            self.end(job, JobStatus.CLOSED)
            self.tally("reclaimed")

    @rule(number=numbers, provider=providers, by_court=st.sampled_from([True, True, False]))
    @precondition(lambda self: self.books.jobs)
    def fail_job(self, number, provider, by_court):
        self.begin()
        number = self.pick(number, JobStatus.ACCEPTED, JobStatus.RUNNING)
        job = self.touch(number)
        if not by_court:
            with reverts("roles: caller lacks the role"):
                self.jobs.fail_job(number, provider, sender=self.customers[STRANGER])
            return
        share = dict(self.members(job)).get(provider, 0)
        per_gpu, bps, _, _ = terms_of(job)
        harm: list[Any] = []
        if self.attempt(
            lambda: harm.append(self.house.referee.fail_job(self.jobs, number, provider)),
            (not job.is_active, "job_registry: job is not active"),
            (share == 0, "job_registry: wrong provider"),
        ):
            self.freed(job)
            refunded = self.end(job, JobStatus.CLOSED)
            assert tuple(harm[0]) == (
                self.customers[job.customer],
                refunded,
                share * per_gpu * bps // 10_000,
            )
            self.tally("failed by the court")

    @rule(number=numbers, who=senders)
    @precondition(lambda self: self.books.jobs)
    def leave_for_lost_capacity(self, number, who):
        self.begin()
        number = self.pick(number, JobStatus.ACCEPTED, JobStatus.RUNNING)
        job = self.touch(number)
        sender = self.customer_key(job, who)
        failed = 0
        for i, (provider, _) in enumerate(self.members(job)):
            stake = self.stakes.get(provider)
            if stake and stake.has_been_short(self.now, terms_of(job)[3]):
                failed |= 1 << i
        if self.attempt(
            lambda: self.jobs.leave_for_lost_capacity(number, sender=sender),
            (sender != self.customers[job.customer], "job_registry: not the customer"),
            (not job.is_active, "job_registry: job is not active"),
            (failed == 0, "service_bonds: capacity is not lost"),
        ):
            self.freed(job, failed)
            self.end(job, JobStatus.CLOSED)
            self.tally("left for lost capacity")
