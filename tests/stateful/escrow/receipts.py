"""The committee reports usage."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from oracle.domain.receipts import JobStatus, Receipt, pack
from tests.stateful.escrow.draws import STRANGER, reports
from tests.stateful.escrow.state import EscrowState
from tests.stateful.ledger_of_jobs import MAX_SETTLED


class Receipts(EscrowState):
    """Usage that no customer has to sign, paid after the dispute windows."""

    @rule(
        items=st.lists(reports, min_size=1, max_size=8),
        path=st.sampled_from(["batch", "job leaf", "payee leaf"]),
        wide=st.booleans(),
        again=st.booleans(),
    )
    def settle_receipts(self, items, path, wide, again):
        """The committee's word, on each of its paths; also twice."""
        self.begin()
        receipts = {}
        for number, usage, status in items:
            wanted = (JobStatus.ACCEPTED, JobStatus.RUNNING)
            number = self.pick(number, *wanted, unknown=True)
            used = self.usage(number, usage, MAX_SETTLED)
            if wide and usage[0] == "exactly":
                used = 2**56 - 1 - used
            receipts[number] = Receipt(number, used, status)
        packed = pack(receipts.values())
        for _ in range(1 + again):
            for number in sorted(receipts):
                job = self.books.jobs.get(number)
                receipt = receipts[number]
                if job and not job.refusal(receipt.cumulative_gpu_seconds, receipt.status):
                    self.touch(number)
                    paid = job.settle(receipt.cumulative_gpu_seconds, receipt.status)
                    self.books.wait(job.payee, job.market, paid, self.now)
                    self.tally("receipt settled")
            if path == "batch":
                self.escrow.settle_batch(0, 0, packed, b"signed", sender=self.customers[STRANGER])
            else:
                self.escrow.settle_root(5 + (path == "payee leaf"), bytes(32), packed, [])
