"""The real escrow with everything that starts, ends and disputes jobs, against its model:
whatever customers, providers and thieves do in whatever order, every base unit is where the
model says, none is paid twice, and at the end everybody can leave.
"""

from collections.abc import Callable
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import astuple
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from oracle.domain.hashing import keccak
from oracle.domain.messages import Offer, Voucher
from oracle.domain.receipts import COMPENSATED, FINAL, JobStatus, Receipt, pack
from tests.stateful.conftest import DEPLOYER
from tests.stateful.evm import Reverted, reverts
from tests.stateful.house import (
    BURN_BPS,
    CLASS,
    CLUSTER,
    DEVICES,
    FEE_BPS,
    FEE_DELAY,
    HOARD,
    LEVELS,
    MEMBER_COLLATERAL,
    MEMBERS,
    NOBODY,
    PURSE,
    SELF_BOND,
    SUBNETS,
    House,
    address,
    open_house,
)
from tests.stateful.ledger_of_jobs import MAX_SETTLED, UNKNOWN, Books, Job, amount
from tests.unit.conftest import DAY, DISPUTE_WINDOW, HOUR, JOB_TIMEOUT, UNIT

WORK, ODD = 0, 1
# market n is number n - 1: asset and subnet
MARKETS = [(asset, subnet) for asset in (WORK, ODD) for subnet in SUBNETS]
PAYEES = (1, 2, 3, CLUSTER)
FRAUD, DOWNTIME = 5, 4
OPEN_STAGE, CLOSED_STAGE = 1, 5
MAX_DEPOSIT, MAX_CREDIT, MAX_PRICE = 2**96 - 1, 2**112 - 1, 2**80 - 1
TERMS = bytes(32)
STRANGER = 2

numbers = st.integers(0, 11)
# two customers and the thief
people = st.integers(0, 2)
payees = st.sampled_from(PAYEES)
providers = st.integers(1, 3)
markets = st.integers(0, len(MARKETS) - 1)
assets = st.sampled_from([WORK, ODD])
levels = st.integers(0, len(LEVELS) - 1)
gpus = st.sampled_from([1, 1, 2, 3, 0, DEVICES + 1])
prices = st.one_of(st.sampled_from([1, 7, HOUR, 7_200, UNIT, MAX_PRICE]), st.integers(1, 10 * UNIT))
deposits = st.one_of(st.sampled_from([0, 1, 9_999, UNIT, 50 * UNIT]), st.integers(0, 100 * UNIT))
# GPU-seconds of a report: from what is settled, from what the deposit covers, or outright
usages = st.one_of(
    st.tuples(st.just("more"), st.sampled_from([1, 7, HOUR, 100 * HOUR])),
    st.tuples(st.just("more"), st.integers(-1, 10 * HOUR)),
    st.tuples(st.just("all"), st.integers(-2, 2)),
    st.tuples(st.just("exactly"), st.sampled_from([0, 1, MAX_SETTLED])),
)
statuses = st.sampled_from([JobStatus.RUNNING] * 10 + sorted(FINAL) + [0, 1, 2, 10, 11, 255])
reports = st.tuples(numbers, usages, statuses)
# who signs a voucher: its customer, another customer, nobody, or its customer something else
signers = st.sampled_from(["right"] * 5 + ["wrong", "empty", "other"])
# who sends a call: whoever may, or somebody else
senders = st.sampled_from(["right"] * 5 + ["customer", "thief", "other payee"])


def terms_of(job: Job) -> tuple[int, int, int, int]:
    """A job's service level; a job that names one that is not there is never accepted."""
    return LEVELS[job.level] if job.level < len(LEVELS) else (0, 0, 0, 0)


class EscrowMachine(RuleBasedStateMachine):
    """Everybody's calls as rules; after each, the contracts agree with the model."""

    # what of the machine follows the chain
    STATE = (
        "books", "wallets", "gifts", "burnt", "committed", "bonds", "held", "devices",
        "short", "paused", "pending_fee", "blocked", "cases", "shared", "drawn", "taken",
        "fresh",
    )  # fmt: skip

    def __init__(self, house: House) -> None:
        super().__init__()
        self.house = house
        self.evm, self.escrow, self.jobs = house.evm, house.escrow, house.jobs
        self.assets = (house.token, house.odd)
        self.customers = [address(key) for key in (*house.customers, house.thief)]
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
        self.wallets[ODD, self.customers[STRANGER]] = HOARD
        self.gifts = [0, 0]
        self.burnt = 0
        self.supply = self.assets[WORK].totalSupply()
        self.committed = dict.fromkeys((1, 2, 3), 0)
        self.bonds = dict.fromkeys((1, 2, 3), SELF_BOND)
        self.held = dict.fromkeys((1, 2, 3), 0)
        self.devices = dict.fromkeys((1, 2, 3), DEVICES)
        self.short = dict.fromkeys((1, 2, 3), 0)
        self.paused: set[int] = set()
        self.pending_fee = (0, 0, 0)
        self.blocked: set[str] = set()
        # case => accuser, job, kind, stage, guilty
        self.cases: dict[bytes, list[Any]] = {}
        self.shared = [0, 0]
        self.drawn = {(asset, i): 0 for asset in (WORK, ODD) for i in range(len(MEMBERS))}
        self.taken: dict[tuple[int, int], int] = {}
        self.fresh = 0
        self.steps = 0
        self.sound = True
        # what the next check reads
        self.jobs_touched: set[int] = set()
        self.incomes_touched = {(payee, market) for payee in PAYEES for market in range(4)}
        self.wallets_touched = set(self.wallets)

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
        before = {name: getattr(self, name) for name in self.STATE}
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
        if self.is_blocked(asset, account):
            self.books.owed[customer, asset] += tokens
            if tokens:
                self.tally("refund owed")
        else:
            self.move(asset, account, tokens)

    def pull_refusals(
        self, market: int, account: str, tokens: int, deposit: int
    ) -> list[tuple[bool, str]]:
        asset, _ = MARKETS[market]
        after = self.books.held(self.markets_of(asset), asset) + self.gifts[asset] + tokens
        return [
            (market in self.paused, "job_escrow: inflows paused"),
            (self.is_blocked(asset, account), "odd_token: blocked"),
            (after > MAX_CREDIT, "job_escrow: balance too large"),
            (deposit + tokens > MAX_DEPOSIT, "job_escrow: deposit too large"),
        ]

    @staticmethod
    def markets_of(asset: int) -> list[int]:
        return [i for i, (which, _) in enumerate(MARKETS) if which == asset]

    # --- what stands behind a job ---------------------------------------------------------

    @staticmethod
    def members(job: Job) -> tuple[tuple[int, int], ...]:
        return MEMBERS if job.payee == CLUSTER else ((job.payee, job.gpus),)

    def pledge_refusals(self, job: Job) -> list[tuple[bool, str]]:
        if job.level >= len(LEVELS):
            return [(True, "service_bonds: unknown sla")]
        per_gpu = terms_of(job)[0]
        refusals: list[tuple[bool, str]] = []
        if job.payee == CLUSTER:
            refusals.append(
                (
                    per_gpu > MEMBER_COLLATERAL,
                    "cluster_registry: more collateral than agreed",
                )
            )
        for provider, count in self.members(job):
            free = self.house.staking.free_self_bond(provider)
            refusals += [
                (
                    self.committed[provider] + count > self.devices[provider],
                    "service_bonds: not enough devices",
                ),
                (
                    count * per_gpu > free,
                    "provider_staking: not enough free self-bond",
                ),
            ]
        if job.payee == CLUSTER:
            total = sum(count for _, count in MEMBERS)
            refusals.append((job.gpus != total, "service_bonds: not the cluster's gpus"))
        return refusals

    def pledged(self, job: Job) -> None:
        job.accepted_at = self.now
        for provider, count in self.members(job):
            self.committed[provider] += count
            self.held[provider] += count * terms_of(job)[0]
            self.short[provider] = 0

    def freed(self, job: Job, failed: int = 0) -> None:
        """The job's devices and collateral are free, but for what its customer gets."""
        per_gpu, bps, _, _ = terms_of(job)
        for i, (provider, count) in enumerate(self.members(job)):
            self.committed[provider] -= count
            self.held[provider] -= count * per_gpu
            if failed >> i & 1:
                paid = count * per_gpu * bps // 10_000
                self.bonds[provider] -= paid
                self.move(WORK, self.customers[job.customer], paid)

    def end(self, job: Job, status: int) -> int:
        refunded = job.unspent
        job.status = status
        self.refund(MARKETS[job.market][0], job.customer, refunded)
        return refunded

    # --- opening --------------------------------------------------------------------------

    @initialize(data=st.lists(st.tuples(people, payees, markets, levels), min_size=3, max_size=6))
    def some_jobs(self, data):
        for customer, payee, market, level in data:
            count = sum(each for _, each in MEMBERS) if payee == CLUSTER else 1
            number = self._open(customer, payee, market, count, level, 7_200, 100_000)
            self._accept(number, "right", 0)

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
        deposit: int,
    ) -> int:  # fmt: skip
        asset, subnet = MARKETS[market]
        sender = self.customers[customer]
        terms = (payee, self.assets[asset], count, CLASS, price, deposit, level, TERMS, subnet)
        number = len(self.books.jobs) + 1
        if deposit > self.wallets[asset, sender]:
            return 0
        if not self.attempt(
            lambda: self.escrow.open_job(*terms, sender=sender),
            *self.pull_refusals(market, sender, deposit, 0),
            (count == 0, "job_registry: no gpus"),
        ):
            return 0
        self.books.jobs[number] = Job(customer, payee, market, count, level, price, deposit)
        self.move(asset, sender, -deposit)
        self.touch(number)
        return number

    @rule(
        customer=people, provider=providers, market=markets, count=gpus, level=levels,
        price=prices, run=st.sampled_from([0, 1, 59, 60, HOUR, HOUR + 1]),
        nonce=st.integers(0, 2), signed_by=st.sampled_from(["owner", "thief", "other", "key"]),
    )  # fmt: skip
    def take_offer(self, customer, provider, market, count, level, price, run, nonce, signed_by):
        """Part of what a provider's operator signed; the customer may sign it itself instead."""
        self.begin()
        asset, subnet = MARKETS[market]
        sender = self.customers[customer]
        house, key = self.house, self.house.operators[(provider - 1) % 2]
        signer = address(house.thief) if signed_by == "thief" else address(key)
        signing = house.thief if signed_by in ("thief", "other") else key
        most = 3
        offer = Offer(
            provider, CLASS, most, level, 1, HOUR, 2**63, nonce, self.assets[asset].address, price,
            TERMS,
        )  # fmt: skip
        signature = house.sign(signing, offer, house.offers)
        deposit = -(-count * run * price // HOUR)
        job = Job(customer, provider, market, count, level, price, deposit, JobStatus.ACCEPTED)
        taken = self.taken.get((provider, nonce), 0)
        struct = astuple(offer)
        if deposit > self.wallets[asset, sender]:
            return
        if self.attempt(
            lambda: self.escrow.take_offer(
                struct, signer, signature, count, run, subnet, sender=sender
            ),
            *self.pull_refusals(market, sender, deposit, 0),
            (count == 0, "offer_book: no gpus"),
            (not 1 <= run <= HOUR, "offer_book: run time out of bounds"),
            (taken + count > most, "offer_book: not so many gpus left"),
            (
                signer not in self.speakers(provider),
                "offer_book: signer does not speak for the provider",
            ),
            (signing != key, "offer_book: bad signature"),
            *self.pledge_refusals(job),
        ):
            self.taken[provider, nonce] = taken + count
            number = len(self.books.jobs) + 1
            self.books.jobs[number] = job
            self.move(asset, sender, -deposit)
            self.pledged(job)
            self.touch(number)
            self.tally("offer taken")

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

    # --- the two sides --------------------------------------------------------------------

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

    # --- usage ----------------------------------------------------------------------------

    def usage(self, number: int, wanted: tuple[str, int], most: int) -> int:
        """GPU-seconds of a report."""
        job = self.books.jobs.get(number)
        start = {
            "exactly": 0,
            "more": job.settled if job else 0,
            "all": job.covered(MAX_SETTLED) if job else 0,
        }[wanted[0]]
        return max(0, min(start + wanted[1], most))

    def voucher(self, report: Any, signer: str) -> tuple[int, int, int, bytes, str]:
        """A voucher's arguments, and who sends it if its provider does."""
        number, usage, status = report
        number = self.pick(number, JobStatus.ACCEPTED, JobStatus.RUNNING, unknown=True)
        used = self.usage(number, usage, MAX_SETTLED)
        job = self.books.jobs.get(number)
        keys = (*self.house.customers, self.house.thief)
        key = keys[job.customer if job else 0]
        message = Voucher(number, used, status)
        if signer == "wrong":
            key = keys[(keys.index(key) + 1) % 3]
        elif signer == "other":
            message = Voucher(number, used ^ 1, status)
        signature = b"" if signer == "empty" else self.house.sign(key, message, self.escrow)
        return number, used, status, signature, signer

    def voucher_refusal(self, voucher: Any, sender: str) -> str:
        number, used, status, _, signer = voucher
        job = self.books.jobs.get(number)
        if job is None:
            return UNKNOWN
        refusal = job.refusal(used, status)
        if refusal:
            return refusal
        if signer != "right":
            return "bad signature"
        if status != JobStatus.RUNNING and sender not in self.speakers(job.payee):
            return "not the provider"
        return ""

    def apply_voucher(self, voucher: Any) -> None:
        number, used, status, _, _ = voucher
        job = self.touch(number)
        self.books.earn(job.payee, job.market, job.settle(used, status))

    @rule(report=reports, signer=signers, who=senders)
    def settle_voucher(self, report, signer, who):
        self.begin()
        voucher = self.voucher(report, signer)
        job = self.books.jobs.get(voucher[0])
        sender = self.customers[0]
        if job:
            sender = self.payee_key(job.payee, who, voucher[0], job.customer)
        refusal = self.voucher_refusal(voucher, sender)
        if self.attempt(
            lambda: self.escrow.settle_voucher(*voucher[:4], sender=sender),
            (bool(refusal), f"job_escrow: {refusal}"),
        ):
            self.apply_voucher(voucher)
            self.tally("voucher settled")

    @rule(items=st.lists(st.tuples(reports, signers), max_size=6), payee=payees, who=senders)
    def settle_vouchers(self, items, payee, who):
        self.begin()
        vouchers = [self.voucher(*item) for item in items]
        sender = self.payee_key(payee, who, len(items))
        applied = 0
        for voucher in vouchers:
            if not self.voucher_refusal(voucher, sender):
                self.apply_voucher(voucher)
                applied += 1
        settled = self.escrow.settle_vouchers([each[:4] for each in vouchers], sender=sender)
        assert settled == applied

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
                self.escrow.settle_batch(0, 0, packed, b"signed", sender=self.customers[2])
            else:
                self.escrow.settle_root(5 + (path == "payee leaf"), bytes(32), packed, [])

    # --- ends -----------------------------------------------------------------------------

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
        number = self.pick(number, *COMPENSATED)
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

    @rule(provider=providers, devices=st.integers(0, DEVICES))
    def attest(self, provider, devices):
        """Devices come and go, and somebody notes it."""
        self.begin()
        self.house.referee.enter(provider, devices)
        self.devices[provider] = devices
        self.house.bonds.note_capacity(provider, CLASS)
        if not self.is_short(provider):
            self.short[provider] = 0
        elif not self.short[provider]:
            self.short[provider] = self.now
        assert self.house.bonds.short_since(provider, CLASS) == self.short[provider]

    def is_short(self, provider: int) -> bool:
        return self.committed[provider] > self.devices[provider]

    @rule(number=numbers, who=senders)
    @precondition(lambda self: self.books.jobs)
    def leave_for_lost_capacity(self, number, who):
        self.begin()
        number = self.pick(number, JobStatus.ACCEPTED, JobStatus.RUNNING)
        job = self.touch(number)
        sender = self.customer_key(job, who)
        failed = 0
        for i, (provider, _) in enumerate(self.members(job)):
            since = self.short.get(provider, 0)
            if since and self.now >= since + terms_of(job)[3] and self.is_short(provider):
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

    # --- disputes -------------------------------------------------------------------------

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

    # --- paying out -----------------------------------------------------------------------

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

    # --- owner, guardian, chance ----------------------------------------------------------

    @rule(fee=st.sampled_from([0, 1, 250, 333, 1_000, 1_001]), burn=st.integers(0, 10_001))
    def schedule_fee(self, fee, burn):
        self.begin()
        if self.attempt(
            lambda: self.escrow.schedule_fee(fee, burn, sender=DEPLOYER),
            (fee > 1_000, "job_escrow: fee over the cap"),
            (burn > 10_000, "job_escrow: burn over 100 %"),
        ):
            self.pending_fee = fee, burn, self.now + FEE_DELAY

    @rule(patient=st.booleans())
    def apply_fee(self, patient):
        self.begin()
        fee, burn, ready_at = self.pending_fee
        if patient:
            self.evm.time_travel(max(0, ready_at - self.now))
        if self.attempt(
            lambda: self.escrow.apply_fee(sender=self.customers[STRANGER]),
            (ready_at == 0, "job_escrow: no fee scheduled"),
            (self.now < ready_at, "job_escrow: fee not ready"),
        ):
            self.books.fee_bps, self.books.burn_bps = fee, burn
            self.pending_fee = (0, 0, 0)
            self.incomes_touched |= set(self.books.incomes)
            self.tally("fee changed")

    @rule(market=markets, paused=st.booleans(), who=st.sampled_from(["guardian", "owner", "thief"]))
    def pause(self, market, paused, who):
        self.begin()
        asset, subnet = MARKETS[market]
        sender = {
            "guardian": self.house.guardian,
            "owner": DEPLOYER,
            "thief": self.customers[STRANGER],
        }[who]
        if self.attempt(
            lambda: self.escrow.set_inflows_paused(
                self.assets[asset], paused, subnet, sender=sender
            ),
            (who == "thief", "job_escrow: not the guardian"),
        ):
            (self.paused.add if paused else self.paused.discard)(market)

    @rule(number=numbers, blocked=st.sampled_from([True, False, False]))
    def block(self, number, blocked):
        """The odd token's issuer refuses an account, or no longer does."""
        self.begin()
        accounts = (
            *self.customers, *self.house.payouts, self.house.treasury, self.house.clusters.address
        )  # fmt: skip
        self._block(accounts[number % len(accounts)], blocked)

    def _block(self, account: str, blocked: bool) -> None:
        self.house.odd.set_blocked(account, blocked)
        (self.blocked.add if blocked else self.blocked.discard)(account)

    @rule(asset=assets, tokens=st.integers(0, UNIT))
    def give(self, asset, tokens):
        """What is sent to the escrow past its functions pays for nothing."""
        self.begin()
        thief = self.customers[STRANGER]
        if not self.is_blocked(asset, thief):
            self.assets[asset].transfer(self.escrow, tokens, sender=thief)
            self.move(asset, thief, -tokens)
            self.gifts[asset] += tokens

    @rule(
        seconds=st.one_of(
            st.sampled_from([1, DISPUTE_WINDOW - 1, DISPUTE_WINDOW, 2 * DISPUTE_WINDOW]),
            st.integers(1, 3 * DAY),
        )
    )
    def time_travel(self, seconds):
        self.begin()
        self.evm.time_travel(seconds)
        self.incomes_touched |= set(self.books.incomes)
        self.jobs_touched |= set(list(self.books.jobs)[-5:])

    # --- attacks --------------------------------------------------------------------------

    @rule(number=numbers, person=people, market=markets, payee=payees)
    def abuse(self, number, person, market, payee):
        """Arguments and callers that the contracts may not fall for."""
        self.begin()
        escrow, jobs, house = self.escrow, self.jobs, self.house
        asset, subnet = self.assets[MARKETS[market][0]], MARKETS[market][1]
        number = self.pick(number) if self.books.jobs else 1
        unknown = len(self.books.jobs) + 1
        customer = self.customers[person]
        one = pack([Receipt(max(number, 2), 1, 3)])
        agreement = (customer, payee, CLASS, 1, 0)
        terms = (CLASS, 7_200, 0, 0, TERMS)
        for call, *arguments, reason in (
            (escrow.set_status, number, 3, "not the job registry"),
            (escrow.end_job, number, 10, customer, "not the job registry"),
            (escrow.lower_deposit, number, 1, 0, customer, "not the job registry"),
            (escrow.hold_pending, number, 0, "not the job registry"),
            (escrow.release_pending, number, customer, "not the job registry"),
            (escrow.schedule_fee, 0, 0, "caller is not the owner"),
            (escrow.set_treasury, customer, "caller is not the owner"),
            (escrow.set_guardian, customer, "caller is not the owner"),
            (escrow.list_asset, asset, 9, "caller is not the owner"),
            (escrow.withdraw, payee, asset, 9, "asset not listed"),
            (escrow.collect_fees, asset, 9, "asset not listed"),
            (escrow.withdraw, payee, house.staking, subnet, "asset not listed"),
            (escrow.open_job, payee, asset, 1, *terms, 9, "asset not listed"),
            (escrow.open_job, payee, asset, 1, CLASS, 0, 0, 0, TERMS, subnet, "price out of"),
            (
                escrow.open_job, payee, asset, 1, CLASS, MAX_PRICE + 1, 0, 0, TERMS, subnet,
                "price out of",
            ),
            (escrow.settle_batch, 0, 0, one, b"", "not signed"),
            (escrow.settle_batch, 0, 0, b"", b"signed", "malformed receipts"),
            (escrow.settle_batch, 0, 0, one[:15], b"signed", "malformed receipts"),
            (escrow.settle_batch, 0, 0, one + one, b"signed", "not sorted"),
            (escrow.settle_batch, 0, 0, one + pack([Receipt(1, 1, 3)]), b"signed", "not sorted"),
            (escrow.settle_batch, 0, 0, bytes(16), b"signed", "not sorted"),
            (escrow.settle_root, 4, TERMS, one, [], "not a usage leaf"),
            (escrow.settle_root, 7, TERMS, one, [], "not a usage leaf"),
            (escrow.settle_root, 5, TERMS, one, [TERMS], "not in the usage root"),
            (jobs.record, number, agreement, TERMS, "caller lacks the role"),
            (jobs.fail_job, number, 1, "caller lacks the role"),
            (jobs.accept, unknown, "not open"),
            (jobs.decline, unknown, "not open"),
            (jobs.cancel, unknown, "not open"),
            (jobs.start, unknown, "not accepted"),
            (jobs.close, unknown, "not final"),
            (jobs.request_reclaim, unknown, "not active"),
            (jobs.reclaim, unknown, "not active"),
            (jobs.checkpoint, unknown, "unknown job"),
            (jobs.lower_deposit, unknown, 1, "not the customer"),
            (jobs.dispute, unknown, TERMS, "not the customer"),
            (jobs.leave_for_lost_capacity, unknown, "not the customer"),
            (jobs.settle_dispute, unknown, "not disputed"),
            (house.bonds.pledge, (payee, CLASS, 1, 0), "caller lacks the role"),
            (house.bonds.release, (payee, CLASS, 1, 0), 0, "caller lacks the role"),
            (
                house.bonds.compensate, (payee, CLASS, 1, 0), number, customer, False,
                "caller lacks the role",
            ),
            (house.clusters.collect, CLUSTER + 1, asset, subnet, "unknown cluster"),
            (house.clusters.draw, CLUSTER + 1, 0, asset, "unknown cluster"),
        ):  # fmt: skip
            with pytest.raises(Reverted) as caught:
                call(*arguments, sender=customer)
            assert reason in str(caught.value)

    # --- the end --------------------------------------------------------------------------

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
        self.check()

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
        assert self.assets[WORK].totalSupply() == self.supply - self.burnt
        assert self.escrow.job_count() == len(self.books.jobs)
        self.check_bonds()
        self.wallets_touched, self.jobs_touched, self.incomes_touched = set(), set(), set()
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
        for customer in range(len(self.customers)):
            owed = self.escrow.owed_refund(self.customers[customer], self.assets[asset])
            assert owed == self.books.owed[customer, asset]

    def check_bonds(self) -> None:
        for provider in (1, 2, 3):
            bond = self.house.staking.self_bond(provider)
            assert (bond.active, bond.held) == (self.bonds[provider], self.held[provider])
            assert self.house.bonds.committed_gpus(provider, CLASS) == self.committed[provider]


class _Refused(Exception):
    """A call was refused where its model had begun."""


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
    "offer taken", "declined", "cancelled", "deposit lowered", "voucher settled",
    "receipt settled", "closed", "closed with compensation", "closed, nobody blamed",
    "reclaimed", "failed by the court", "left for lost capacity", "disputed", "dispute upheld",
    "dispute lost", "checkpoint", "withdrawn", "refund owed", "refund claimed", "fee changed",
}  # fmt: skip


@pytest.mark.slow
def test_long_lives(house, capsys):
    """At least 200 000 steps, in which jobs end in every way there is."""
    with capsys.disabled():
        while house.steps < 200_000:
            play(house, examples=1_000, steps=80)
        print(", ".join(f"{count} {outcome}" for outcome, count in house.outcomes.items()))
    assert house.outcomes.keys() >= OUTCOMES
