"""Customers sign usage: plain keys, and a contract that may have second thoughts (ERC-1271)."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from oracle.domain.messages import Domain, Voucher
from oracle.domain.receipts import JobStatus
from tests.stateful.escrow.draws import WALLET, payees, reports, senders
from tests.stateful.escrow.state import EscrowState
from tests.stateful.house import CHAIN_ID, House
from tests.stateful.ledger_of_jobs import MAX_SETTLED, UNKNOWN, Job

MAGIC = bytes.fromhex("1626ba7e")

# who signs a voucher: its customer, another one, nobody, its customer something else, or its
# customer who then takes it back, as only a contract can
signers = st.sampled_from(["right"] * 6 + ["wrong", "empty", "other", "taken back"])


@dataclass(frozen=True)
class Mood:
    """How a contract says that it agrees, and whether that counts."""

    answer: bytes = MAGIC + bytes(28)
    burns: bool = False
    refuses: bool = False
    counts: bool = False


MOODS = {
    "agrees": Mood(counts=True),
    # only the first four bytes are looked at
    "agrees and goes on": Mood(MAGIC + b"\xff" * 60, counts=True),
    "says true": Mood((1).to_bytes(32, "big")),
    "says it at the wrong end": Mood(bytes(28) + MAGIC),
    "says too little": Mood(MAGIC),
    "says a byte too little": Mood(MAGIC + bytes(27)),
    "says nothing": Mood(b""),
    "burns all gas": Mood(burns=True),
    "refuses": Mood(refuses=True),
}

moods = st.sampled_from(["agrees"] * 6 + sorted(MOODS))


@dataclass(frozen=True)
class Signed:
    """A voucher as it is sent."""

    message: Voucher
    signature: bytes
    # whether a plain key would have to be its customer's
    by_key: bool

    @property
    def arguments(self) -> tuple[Any, ...]:
        message = self.message
        return message.job, message.cumulative_gpu_seconds, message.status, self.signature


class Vouchers(EscrowState):
    """Usage by the customer's word, paid at once."""

    STATE = ("agreed", "mood")

    def __init__(self, house: House) -> None:
        super().__init__(house)
        # digests that the contract among the customers agrees to now, and how it says so
        self.agreed: set[bytes] = set()
        self.mood = "agrees"

    # --- signing --------------------------------------------------------------------------

    def digest(self, message: Voucher) -> bytes:
        return message.digest(Domain(CHAIN_ID, self.escrow.address))

    def agree(self, message: Voucher, agreed: bool = True) -> None:
        """The contract signs, or takes back what it has signed."""
        digest = self.digest(message)
        self.house.wallet.agree(digest, agreed)
        (self.agreed.add if agreed else self.agreed.discard)(digest)

    def sign(self, report: Any, signer: str) -> Signed:
        """A voucher about one of the jobs, and what somebody signed for it."""
        number, usage, status = report
        number = self.pick(number, JobStatus.ACCEPTED, JobStatus.RUNNING, unknown=True)
        used = self.usage(number, usage, MAX_SETTLED)
        job = self.books.jobs.get(number)
        message = Voucher(number, used, status)
        signed = Voucher(number, used ^ 1, status) if signer == "other" else message
        customer = job.customer if job else 0
        if customer == WALLET and signer not in ("wrong", "empty"):
            self.agree(signed)
        if customer == WALLET and signer == "taken back":
            self.agree(signed, False)
        keys = (*self.house.customers, self.house.thief)
        key = keys[(customer + (signer == "wrong")) % len(keys)]
        signature = b"" if signer == "empty" else self.house.sign(key, signed, self.escrow)
        return Signed(message, signature, signer in ("right", "taken back"))

    def is_valid(self, voucher: Signed, job: Job) -> bool:
        if job.customer == WALLET:
            return self.digest(voucher.message) in self.agreed and MOODS[self.mood].counts
        return voucher.by_key

    # --- settling -------------------------------------------------------------------------

    def refusal(self, voucher: Signed, sender: str) -> str:
        """Why a voucher does nothing; empty where it does something."""
        message = voucher.message
        job = self.books.jobs.get(message.job)
        if job is None:
            return UNKNOWN
        refusal = job.refusal(message.cumulative_gpu_seconds, message.status)
        if refusal:
            return refusal
        valid = self.is_valid(voucher, job)
        if job.customer == WALLET and self.digest(message) in self.agreed:
            self.tally(f"wallet {self.mood}: {'settled' if valid else 'refused'}")
        if not valid:
            return "bad signature"
        if message.status != JobStatus.RUNNING and sender not in self.speakers(job.payee):
            return "not the provider"
        return ""

    def apply(self, voucher: Signed) -> None:
        job = self.touch(voucher.message.job)
        earned = job.earned
        paid = job.settle(voucher.message.cumulative_gpu_seconds, voucher.message.status)
        self.books.earn(job.payee, job.market, paid, earned)

    @rule(report=reports, signer=signers, who=senders)
    def settle_voucher(self, report, signer, who):
        self.begin()
        voucher = self.sign(report, signer)
        number = voucher.message.job
        job = self.books.jobs.get(number)
        sender = self.customers[0]
        if job:
            sender = self.payee_key(job.payee, who, number, job.customer)
        self._settle_voucher(voucher, sender)

    def _settle_voucher(self, voucher: Signed, sender: str) -> bool:
        refusal = self.refusal(voucher, sender)
        settled = self.attempt(
            lambda: self.escrow.settle_voucher(*voucher.arguments, sender=sender),
            (bool(refusal), f"job_escrow: {refusal}"),
        )
        if settled:
            self.apply(voucher)
            self.tally("voucher settled")
        return settled

    @rule(items=st.lists(st.tuples(reports, signers), max_size=6), payee=payees, who=senders)
    def settle_vouchers(self, items, payee, who):
        self.begin()
        vouchers = [self.sign(*item) for item in items]
        sender = self.payee_key(payee, who, len(items))
        applied = 0
        for voucher in vouchers:
            if not self.refusal(voucher, sender):
                self.apply(voucher)
                applied += 1
        settled = self.escrow.settle_vouchers([v.arguments for v in vouchers], sender=sender)
        assert settled == applied

    @rule(report=reports, signer=signers)
    def show_voucher(self, report, signer):
        """What the customer signed for is undisputed at once, as far as it is settled."""
        self.begin()
        voucher = self.sign(report, signer)
        message = voucher.message
        job = self.books.jobs.get(message.job)
        if job is None:
            known, valid, seconds = 0, False, 0
        else:
            self.touch(message.job)
            known, valid = job.undisputed(self.window), self.is_valid(voucher, job)
            seconds = min(message.cumulative_gpu_seconds, job.settled)
        if self.attempt(
            lambda: self.jobs.checkpoint_voucher(*voucher.arguments),
            (seconds <= known, "job_registry: already undisputed"),
            (not valid, "job_registry: bad signature"),
        ):
            job.agree(seconds)
            self.tally("voucher shown")

    # --- the contract among the customers -------------------------------------------------

    @rule(mood=moods)
    def change_mood(self, mood):
        """From now on it answers so where it agrees."""
        self.begin()
        self._change_mood(mood)

    def _change_mood(self, mood: str) -> None:
        chosen = MOODS[mood]
        self.house.wallet.behave(chosen.answer, chosen.burns, chosen.refuses)
        self.mood = mood

    @rule(report=reports, mood=moods, again=st.booleans())
    @precondition(lambda self: self.jobs_of_wallet())
    def have_second_thoughts(self, report, mood, again):
        """What the contract has signed counts until it takes it back, and what was settled by
        then stays settled.
        """
        self.begin()
        (number, usage, status), jobs = report, self.jobs_of_wallet()
        number = jobs[number % len(jobs)]
        message = Voucher(number, self.usage(number, usage, MAX_SETTLED), status)
        voucher = Signed(message, b"", by_key=False)
        sender = self.speakers(self.books.jobs[number].payee)[0]
        self._change_mood(mood)
        self.agree(message)
        with self.what_if():
            would_settle = self._settle_voucher(voucher, sender)
        self.agree(message, False)
        assert not self._settle_voucher(voucher, sender)
        if would_settle:
            self.tally("wallet took it back")
        if again:
            self.agree(message)
            assert self._settle_voucher(voucher, sender) == would_settle

    def jobs_of_wallet(self) -> list[int]:
        return [i for i, job in self.books.jobs.items() if job.customer == WALLET and job.is_active]
