"""The real court over the real stake: whoever accuses whom of what, everything that is paid is
what the policy says, once, and an open case keeps what it may cost.
"""

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import astuple, dataclass
from fractions import Fraction
from functools import partial
from math import floor
from typing import Any

import pytest
from eth_abi import encode
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from oracle.domain.hashing import keccak
from oracle.domain.receipts import COMPENSATED, FINAL, JobStatus
from tests.stateful.conftest import PURSE
from tests.stateful.evm import Reverted, reverts
from tests.stateful.law import FOR_EVER, Accusation, Conviction, Law, Sentence, Stakes
from tests.stateful.market import CLASS, DEPOSIT, LEVELS, PRICE, Market, open_market
from tests.stateful.model import MIN_TOKENS
from tests.stateful.test_staking import MAX, StakingMachine, parts, people, play, providers
from tests.unit.conftest import (
    DISPUTE_WINDOW,
    GENESIS_SUPPLY,
    HOUR,
    LOCK_PERIOD,
    MIN_SELF_BOND,
    ROLE_DELAY,
    UNBONDING_PERIOD,
    UNIT,
)
from tests.unit.slashing_court.conftest import (
    APPEALED,
    CLOSED,
    DECIDED,
    DOWNTIME,
    EQUIVOCATION,
    FALSE_ATTESTATION,
    FRAUD,
    MISSED_CHALLENGE,
    OPEN,
    RULED,
)

PROVIDER_LEAF = 1
MAX_LOSS = 2**96 - 1
# income that a dispute gave back to the provider waits for no window
SETTLED = -1
# GPU-seconds that a job is metered for at most; its deposit covers more
MAX_METERED = 7 * HOUR
# by proof in one sequence: each costs half the stake, and its provider rests in jail for long
MAX_CONVICTIONS = 3

# a lie that nobody is convicted of
UNTOLD = 8

# cases, jobs and seeds are drawn by number; the machine takes it modulo what there is
numbers = st.integers(0, 7)
kinds = st.sampled_from([MISSED_CHALLENGE, DOWNTIME, FRAUD])
losses = st.one_of(st.just(0), st.integers(0, 200 * UNIT), st.just(MAX_LOSS))
parties = st.sampled_from(["owner", "operator", "accuser", "thief"])


def amount(seconds: int) -> int:
    """What usage costs."""
    return seconds * PRICE // HOUR


@dataclass
class Job:
    """A job that its provider accepted."""

    provider: int
    customer: str
    level: int
    accepted_at: int
    live: bool = True
    # GPU-seconds reported, and those that were disputed once
    seconds: int = 0
    undisputed: int = 0
    # the case that its customer's dispute waits for, and the income that is kept back meanwhile
    case_id: bytes = b""
    kept: int = 0

    @property
    def earned(self) -> int:
        return amount(self.seconds)

    @property
    def collateral(self) -> int:
        return LEVELS[self.level][0]

    @property
    def promised(self) -> int:
        """What the customer gets where the provider failed."""
        return self.collateral * LEVELS[self.level][1] // 10_000


class CourtMachine(StakingMachine):
    """Everything that StakingMachine does, while jobs run and providers stand accused."""

    STATE = (
        *StakingMachine.STATE, "law", "jobs", "income", "debts", "granted", "claimed", "burnt",
        "gifts", "struck",
    )  # fmt: skip
    # played enough without a court
    overreach = trespass = with_permit = change_commission = give_away = None

    def __init__(self, world: Market) -> None:
        super().__init__(world)
        self.market = market = world
        self.court = market.court
        self.law = Law(market.policy)
        self.jobs: dict[int, Job] = {}
        # provider => dispute window in which it was earned, or `SETTLED` => income
        self.income: dict[int, Counter[int]] = {provider: Counter() for provider in self.model}
        # (provider, customer) => compensation that the stake did not cover
        self.debts: Counter[tuple[int, str]] = Counter()
        # provider => rewards of all time, and those of them that were claimed
        self.granted = dict.fromkeys(self.model, 0)
        self.claimed = dict.fromkeys(self.model, 0)
        self.devices: dict[int, list[bytes]] = {provider: [] for provider in self.model}
        self.burnt = 0
        # tokens that somebody sent to the court
        self.gifts = 0
        # numbers that no report or device has had
        self.fresh = 0
        # stake behind each provider, and who lost some by a sentence or to a customer
        self.stood: dict[int, int] = {}
        self.struck: set[int] = set()

        for provider in self.model:
            self.wallets[market.key_of(provider)] = Fraction(PURSE)
            self._hire(provider, world.delegators[provider], level=provider)

    # --- helpers --------------------------------------------------------------------------

    def next_number(self) -> int:
        self.fresh += 1
        return self.fresh

    def job_of(self, provider: int, number: int) -> int:
        """One of a provider's jobs, the running ones first; 0 for none."""
        jobs = [i for i, job in self.jobs.items() if job.provider == provider]
        choices = [*sorted(jobs, key=lambda i: not self.jobs[i].live), 0]
        return choices[number % len(choices)]

    def party(self, name: str, case: Accusation) -> tuple[str, bool]:
        """Somebody, and whether that is the accused provider's own word."""
        owner = self.owner(case.provider)
        account = {
            "owner": owner,
            "operator": self.market.key_of(case.provider),
            "accuser": case.accuser,
            "thief": self.world.thief,
        }[name]
        return account, name == "operator" or account == owner

    def attempt(self, call: Callable[[], Any], *refusals: tuple[bool, str]) -> bool:
        """Make a call; it must fail for the first reason that holds. Whether it went through."""
        for holds, reason in refusals:
            if holds:
                with reverts(reason):
                    call()
                return False
        call()
        return True

    def tally(self, outcome: str) -> None:
        self.market.outcomes[outcome] += 1

    def is_jailed(self, provider: int) -> bool:
        until = self.model[provider].jailed_until
        if not until:
            return False
        return self.now < until or bool(self.staking.self_bond(provider).active < MIN_SELF_BOND)

    # --- jobs -----------------------------------------------------------------------------

    @rule(provider=providers, person=people, level=st.integers(0, len(LEVELS) - 1))
    def hire(self, provider, person, level):
        """A customer's job that the provider accepts, if it may."""
        self.begin(provider)
        self._hire(provider, self.world.delegators[person], level)

    def _hire(self, provider: int, customer: str, level: int) -> None:
        model, market = self.model[provider], self.market
        collateral, _ = LEVELS[level]
        jailed = self.is_jailed(provider)
        committed = market.bonds.committed_gpus(provider, CLASS)
        # the court strikes devices, also those that are promised
        while committed >= market.registry.capacity(provider, CLASS) and not jailed:
            if self.staking.slashable(provider) < self.required_stake(provider) + UNIT:
                return
            self.devices[provider].append(self.attest(provider))
        arguments = (provider, self.token, 1, CLASS, PRICE, DEPOSIT, level, bytes(32))
        job = market.escrow.open_job(*arguments, sender=customer)
        if self.attempt(
            lambda: market.jobs.accept(job, sender=self.owner(provider)),
            (jailed, "service_bonds: provider is jailed"),
            (self.owes(provider), "service_bonds: provider owes a customer"),
            (
                committed >= market.registry.capacity(provider, CLASS),
                "service_bonds: not enough devices",
            ),
            (
                self.staking.slashable(provider) < self.required_stake(provider),
                "service_bonds: not enough stake",
            ),
            (
                collateral > 0
                and self.staking.self_bond(provider).active < self.locked(provider) + collateral,
                "provider_staking: not enough free self-bond",
            ),
        ):
            self.jobs[job] = Job(provider, customer, level, self.now)
            self.wallets[customer] -= DEPOSIT
            model.held += collateral
        else:
            market.jobs.cancel(job, sender=customer)

    def required_stake(self, provider: int) -> int:
        return int(self.market.registry.required_stake(provider))

    def attest(self, provider: int) -> bytes:
        number = self.next_number()
        return self.market.attest(provider, keccak(number.to_bytes(32, "big")), number)

    @rule(number=numbers, seconds=st.integers(1, 2 * HOUR))
    @precondition(lambda self: self.live_jobs())
    def meter(self, number, seconds):
        """The committee reports usage."""
        job_id, job = self.live_job(number)
        if job.seconds + seconds <= MAX_METERED:
            self.report(job_id, job, seconds, JobStatus.RUNNING)

    @rule(number=numbers, status=st.sampled_from(sorted(FINAL)), seconds=st.integers(1, 2 * HOUR))
    @precondition(lambda self: self.live_jobs())
    def finish(self, number, status, seconds):
        """The committee reports the end of a job; who failed pays out of the job's collateral."""
        job_id, job = self.live_job(number)
        provider, bond = job.provider, self.staking.self_bond(job.provider)
        self.report(job_id, job, seconds, status)
        self.market.jobs.close(job_id)
        paid = 0
        if status in COMPENSATED:
            # what slashes have left of the self-bond is all jobs' in proportion
            left = min(Fraction(1), Fraction(bond.active + bond.unbonding, max(bond.held, 1)))
            paid = min(job.promised, floor(job.collateral * left))
            owed = job.promised - paid
            self.debts[provider, job.customer] += owed
            if owed:
                self.tally("debt")
            self.struck.add(provider)
            self.wallets[job.customer] += paid
        self.end(job, paid)
        if paid:
            self.model[provider].take_self_bond(Fraction(paid))
            self.settle(provider)

    def live_jobs(self) -> list[tuple[int, Job]]:
        return [item for item in self.jobs.items() if item[1].live]

    def live_job(self, number: int) -> tuple[int, Job]:
        job_id, job = self.live_jobs()[number % len(self.live_jobs())]
        self.begin(job.provider)
        return job_id, job

    def report(self, job_id: int, job: Job, seconds: int, status: int) -> None:
        before = job.earned
        job.seconds += seconds
        self.market.report(job_id, job.seconds, status, self.next_number())
        self.income[job.provider][self.now // DISPUTE_WINDOW] += job.earned - before

    def end(self, job: Job, seized: int = 0) -> None:
        """A job is over: the rest of the deposit goes back, that of the collateral is let go."""
        model, window = self.model[job.provider], self.now // LOCK_PERIOD
        job.live = False
        self.wallets[job.customer] += DEPOSIT - job.earned
        model.held -= job.collateral
        model.released[window] = model.released.get(window, 0) + job.collateral - seized

    @rule(
        number=numbers,
        metered=st.booleans(),
        strays=st.sampled_from([0, 0, 0, 1]),
        person=people,
    )
    @precondition(lambda self: self.any_case(OPEN, RULED, APPEALED, DECIDED))
    def dispute(self, number, metered, strays, person):
        """A customer that accuses of fraud has what its job earned lately kept back."""
        case_id, case = self.begin_case(number, OPEN, RULED, APPEALED, DECIDED)
        if not case.job:
            return
        job, income = self.jobs[case.job], self.income[case.provider]
        if metered and job.live and job.seconds < MAX_METERED:
            self.report(case.job, job, HOUR, JobStatus.RUNNING)
        customer = self.world.delegators[person] if strays else job.customer
        window = self.now // DISPUTE_WINDOW
        kept = min(job.earned - amount(job.undisputed), income[window] + income[window - 1])
        if self.attempt(
            lambda: self.market.jobs.dispute(case.job, case_id, sender=customer),
            (customer != job.customer, "job_registry: not the customer"),
            (job.case_id != b"", "job_registry: already disputed"),
            (
                case.accuser != customer or case.kind != FRAUD,
                "job_registry: no such accusation",
            ),
            (not case.is_open, "job_registry: accusation is closed"),
            (kept == 0, "job_registry: nothing pending"),
        ):
            job.case_id, job.kept, job.undisputed = case_id, kept, job.seconds
            newest = min(kept, income[window])
            income[window] -= newest
            income[window - 1] -= kept - newest
            self.tally("disputed")

    @rule(number=numbers)
    @precondition(lambda self: self.jobs)
    def settle_dispute(self, number):
        """The money follows the court's last word; a draw is for the provider."""
        jobs = sorted(self.jobs.items(), key=lambda item: not item[1].case_id)
        job_id, job = jobs[number % len(jobs)]
        self.begin(job.provider)
        case = self.law.accusations.get(job.case_id)
        if self.attempt(
            lambda: self.market.jobs.settle_dispute(job_id),
            (case is None, "job_registry: not disputed"),
            (case is not None and case.is_open, "job_registry: accusation is open"),
        ):
            if case.guilty:
                self.wallets[job.customer] += job.kept
            else:
                self.income[job.provider][SETTLED] += job.kept
            self.tally("dispute won" if case.guilty else "dispute lost")
            job.case_id, job.kept = b"", 0

    def owes(self, provider: int) -> bool:
        return any(owed for (debtor, _), owed in self.debts.items() if debtor == provider)

    @rule(provider=providers, person=people)
    @precondition(lambda self: self.debts.total())
    def collect_debt(self, provider, person):
        """What collateral did not cover comes out of self-bond that no job locks."""
        model, customer = self.begin(provider), self.world.delegators[person]
        free = self.staking.free_self_bond(provider)
        paid = min(self.debts[provider, customer], free)
        if self.attempt(
            lambda: self.market.bonds.collect_debt(provider, customer),
            (paid == 0, "service_bonds: nothing to pay"),
            (self.is_jailed(provider), "provider_staking: provider is jailed"),
        ):
            self.debts[provider, customer] -= paid
            self.struck.add(provider)
            self.wallets[customer] += paid
            model.take_self_bond(Fraction(paid))
            self.settle(provider)
            self.tally("debt collected")

    # --- rewards --------------------------------------------------------------------------

    @rule(provider=providers, tokens=st.integers(1, 100 * UNIT))
    def earn(self, provider, tokens):
        """Emission: a quarter at once, the rest over time; none to who is in jail."""
        model, market = self.begin(provider), self.market
        if self.is_thin(provider):
            return
        self.token.transfer(market.distributor, tokens, sender=self.world.thief)
        self.wallets[self.world.thief] -= tokens
        market.distributor.fund(tokens, sender=market.controller)
        self.granted[provider] += tokens
        key, cumulative = provider.to_bytes(32, "big"), self.granted[provider]
        root = market.distributor.leaf(PROVIDER_LEAF, key, cumulative)
        market.ledger.activate(root, sum(self.granted.values()))
        vested = market.distributor.releasable(provider)
        if self.attempt(
            lambda: market.distributor.claim(PROVIDER_LEAF, key, cumulative, []),
            (self.is_jailed(provider), "reward_distributor: provider is jailed"),
        ):
            due = cumulative - self.claimed[provider]
            self.claimed[provider] = cumulative
            self.reward(provider, due // 4 + vested)
            assert market.distributor.unvested(provider) >= due - due // 4
        else:
            self.tally("claim from jail")
            assert model.jailed_until

    def is_thin(self, provider: int) -> bool:
        """Whether the model can't tell what rewards do to the pool: it is near its dust."""
        pool = self.staking.delegation_pool(provider)
        return bool(pool.shares and pool.tokens <= 2 * self.model[provider].dust)

    def reward(self, provider: int, tokens: int) -> None:
        commission = self.model[provider].reward(tokens)
        self.wallets[self.world.payouts[provider - 1]] += commission

    @rule(provider=providers)
    def release_vested(self, provider):
        self.begin(provider)
        if not self.is_thin(provider):
            self._release(provider)

    def _release(self, provider: int) -> None:
        vested = self.market.distributor.releasable(provider)
        if self.attempt(
            lambda: self.market.distributor.release(provider),
            (vested == 0, "reward_distributor: nothing vested"),
        ):
            self.reward(provider, vested)

    # --- proofs ---------------------------------------------------------------------------

    @rule(provider=providers, person=people, number=numbers, job=numbers, own=st.booleans())
    @precondition(lambda self: len(self.law.convictions) < MAX_CONVICTIONS)
    def convict(self, provider, person, number, job, own):
        """Anyone shows a false entry that the provider signed for; each commit counts once."""
        self.begin(provider)
        device = self.device_of(provider, own)
        commit, proof = self.market.lie(provider, device, number)
        case_id = bytes(self.market.registry.commit_digest(astuple(commit)))
        self._convict(
            FALSE_ATTESTATION,
            case_id,
            provider,
            self.job_of(provider, job),
            self.world.delegators[person],
            lambda named, sender: self.court.convict_attestation(proof, named, sender=sender),
            "slashing_court: commit convicted before",
        )

    @rule(provider=providers, person=people, number=numbers, job=numbers, own=st.booleans())
    @precondition(lambda self: len(self.law.convictions) < MAX_CONVICTIONS)
    def convict_of_two_ends(self, provider, person, number, job, own):
        """Anyone shows two ends of one chain; the provider never comes back."""
        self.begin(provider)
        device = self.device_of(provider, own)
        key = self.market.operators[provider - 1]
        seed = keccak(b"twice" + bytes([number]))
        ends = [keccak(seed + bytes([end])) for end in range(2)]
        pair: list[Any] = []
        for end in ends:
            commit = self.market.commit(provider, device, seed, end)
            pair += [astuple(commit), self.market.sign(key, commit, self.market.registry)]
        types = ["uint8", "uint24", "bytes32", "uint64", "bytes32"]
        case_id = keccak(encode(types, [EQUIVOCATION, provider, device, 1, seed]))
        self._convict(
            EQUIVOCATION,
            case_id,
            provider,
            self.job_of(provider, job),
            self.world.delegators[person],
            lambda named, sender: self.court.convict_equivocation(*pair, named, sender=sender),
            "slashing_court: seed convicted before",
        )

    def device_of(self, provider: int, own: bool) -> bytes:
        """A device of the provider, or of another one: who signs may name any."""
        devices = self.devices[provider if own else provider % 3 + 1]
        return devices[-1] if devices else keccak(b"no device")

    def _convict(
        self,
        kind: int,
        case_id: bytes,
        provider: int,
        job_id: int,
        reporter: str,
        call: Callable[[int, str], Any],
        twice: str,
    ) -> None:
        job = self.jobs.get(job_id)

        def judge(stakes: Stakes) -> Sentence:
            penalty = self.law.penalty(kind, stakes.slashable, False, stakes.total, self.now)
            owed = job.promised if job else 0
            snapshot = stakes.slashable
            return self.law.sentence(provider, kind, snapshot, penalty, owed, stakes, self.now)

        weighed = self.weigh(provider, judge)
        file = partial(call, job_id, reporter)
        if weighed is None or not self.attempt(
            file,
            (case_id in self.law.convictions, twice),
            (job is not None and not job.live, "job_registry: job is not active"),
        ):
            return
        self.fails(twice, file)
        sentence, vested = weighed
        if job:
            self.end(job)
        self.law.convictions[case_id] = Conviction(kind, provider, self.now, sentence.from_stake)
        self.law.enter(provider, sentence, self.now)
        self.pay(provider, sentence, vested, job.customer if job else "", reporter)
        self.jail(provider, kind)
        self.tally("equivocation" if kind == EQUIVOCATION else "false attestation")

    def weigh(
        self, provider: int, judge: Callable[[Stakes], Sentence]
    ) -> tuple[Sentence, int] | None:
        """What a sentence will be, and what has vested, which is paid out with it.

        The model can't tell what rewards do to a pool near its dust: they are let out before a
        sentence that leaves it there, and where it is there already nobody is sentenced.
        """
        distributor = self.market.distributor
        vested = distributor.releasable(provider)
        sentence = judge(self.stakes(provider))
        if not vested or not sentence.from_vesting:
            return sentence, 0
        if self.is_thin(provider):
            return None
        after = deepcopy(self.model[provider])
        after.slash(Fraction(sentence.from_stake))
        if after.delegations.tokens > 4 * after.dust + MIN_TOKENS:
            return sentence, vested
        self._release(provider)
        return judge(self.stakes(provider)), 0

    def stakes(self, provider: int) -> Stakes:
        return Stakes(
            slashable=self.staking.slashable(provider),
            total=self.token.balanceOf(self.staking),
            unvested=self.market.distributor.unvested(provider),
            reporter_bps=self.model[provider].reporter_bps,
        )

    def pay(
        self, provider: int, sentence: Sentence, vested: int, victim: str, reporter: str
    ) -> None:
        """What a sentence does to everybody."""
        self.struck.add(provider)
        self.model[provider].slash(Fraction(sentence.from_stake))
        self.settle(provider)
        if vested:
            self.reward(provider, vested)
        if sentence.victim:
            self.wallets[victim] += sentence.victim
        if sentence.reporter:
            self.wallets[reporter] += sentence.reporter
        self.burnt += sentence.burnt

    def jail(self, provider: int, kind: int) -> None:
        model = self.model[provider]
        term = FOR_EVER if kind == EQUIVOCATION else self.now + self.law.policy.jail_seconds
        model.jailed_until = max(model.jailed_until, term)

    @rule(number=numbers, job=numbers, person=people, strays=st.sampled_from([0, 0, 0, 1]))
    @precondition(lambda self: self.law.convictions)
    def compensate(self, number, job, person, strays):
        """Other customers of a convicted provider: each job once, and to its customer alone."""
        case_id = list(self.law.convictions)[number % len(self.law.convictions)]
        conviction = self.law.convictions[case_id]
        provider = conviction.provider
        self.begin(provider)
        job_id = self.job_of(provider, job)
        if strays or not job_id:
            job_id = list(self.jobs)[job % len(self.jobs)]
        hired = self.jobs[job_id]
        customer = self.world.delegators[person] if strays else hired.customer
        weighed = self.weigh(provider, lambda stakes: self.law.compensation(hired.promised, stakes))
        if weighed is not None and self.attempt(
            lambda: self.court.compensate(case_id, job_id, sender=customer),
            (customer != hired.customer, "slashing_court: caller is not the customer"),
            (hired.accepted_at > conviction.convicted_at, "slashing_court: job accepted later"),
            (not hired.live, "job_registry: job is not active"),
            (hired.provider != provider, "job_registry: wrong provider"),
        ):
            sentence, vested = weighed
            self.end(hired)
            conviction.slashed += sentence.from_stake
            self.pay(provider, sentence, vested, customer, "")
            self.tally("compensated")

    # --- accusations ----------------------------------------------------------------------

    @initialize(
        provider=providers,
        others=st.lists(st.tuples(providers, kinds, people, numbers), max_size=2),
        verdict=st.sampled_from([None, True, True, False]),
        loss=losses,
    )
    def begin_on_trial(self, provider, others, verdict, loss):
        """A customer accuses its provider of fraud, others somebody of something; the customer's
        case may have been ruled on.
        """
        self._accuse(provider, FRAUD, person=0, job=0, pieces=[0])
        for accusation in others:
            self._accuse(*accusation, [0])
        if verdict is not None:
            (case_id, case), *_ = self.law.accusations.items()
            self._answer(case_id, case, *self.party("owner", case))
            self._rule(case_id, case, verdict, loss)

    @rule(
        provider=providers,
        kind=kinds,
        person=people,
        job=numbers,
        pieces=st.sets(st.integers(0, 3), min_size=1, max_size=3),
    )
    def accuse(self, provider, kind, person, job, pieces):
        """Each piece of evidence is a case of its own; all of them hold stake."""
        self.begin(provider)
        self._accuse(provider, kind, person, job, sorted(pieces))

    def _accuse(self, provider: int, kind: int, person: int, job: int, pieces: list[int]) -> None:
        model, owner = self.model[provider], self.owner(provider)
        job_id = self.job_of(provider, job)
        # mostly the customer itself where a job is named
        customer = self.jobs[job_id].customer if job_id else self.world.delegators[0]
        accuser = (*[customer] * 2, self.world.delegators[1], self.world.thief, owner)[person]
        types = ["address", "uint24", "uint8", "uint64", "bytes32"]
        for piece in pieces:
            evidence = keccak(bytes([piece]))
            case_id = keccak(encode(types, [accuser, provider, kind, job_id, evidence]))
            call = partial(self.court.accuse, provider, kind, job_id, evidence, sender=accuser)
            if self.attempt(
                call,
                (job_id != 0 and not self.jobs[job_id].live, "slashing_court: job is not live"),
                (case_id in self.law.accusations, "slashing_court: accused before"),
            ):
                case = Accusation(
                    accuser=accuser,
                    job=job_id,
                    provider=provider,
                    kind=kind,
                    snapshot=self.staking.slashable(provider),
                    opened_at=self.now,
                    deadline=self.now + self.law.policy.answer_period,
                )
                self.law.accusations[case_id] = case
                model.held_by_cases += self.law.held(case)
                self.wallets[accuser] -= self.law.policy.accusation_bond
                self.tally("accused")

    @rule(number=numbers, party=parties)
    @precondition(lambda self: self.law.accusations)
    def answer(self, number, party):
        case_id, case = self.begin_case(number, OPEN)
        self._answer(case_id, case, *self.party(party, case))

    def _answer(self, case_id: bytes, case: Accusation, sender: str, speaks: bool) -> None:
        if self.attempt(
            lambda: self.court.answer(case_id, keccak(b"answer"), sender=sender),
            (case.stage != OPEN, "slashing_court: case waits for no verdict"),
            (not speaks, "slashing_court: caller is not the provider"),
            (case.answered, "slashing_court: answered before"),
            (self.now >= case.deadline, "slashing_court: answer period is over"),
        ):
            case.exited = self.has_exited(case)
            case.answered = True
            self.tally("answered")

    def begin_case(self, number: int, *stages: int) -> tuple[bytes, Accusation]:
        """One of the cases in these stages, or now and then another one, the newest."""
        cases = list(self.law.accusations.items())
        wanted = [item for item in cases if item[1].stage in stages]
        others = [item for item in reversed(cases) if item[1].stage not in stages][:1]
        choices = wanted + others
        case_id, case = choices[number % len(choices)]
        self.begin(case.provider)
        return case_id, case

    @rule(number=numbers, part=parts, patient=st.booleans())
    @precondition(lambda self: self.law.accusations)
    def flee(self, number, part, patient):
        """The accused takes self-bond out, as far as its cases let it go."""
        _, case = self.begin_case(number, OPEN, RULED)
        self.unbond(case.provider, part)
        if patient:
            self.evm.time_travel(UNBONDING_PERIOD)
            self.withdraw(case.provider, MAX)

    def any_case(self, *stages: int) -> bool:
        return any(case.stage in stages for case in self.law.accusations.values())

    def has_exited(self, case: Accusation) -> bool:
        """Whether self-bond began to leave before the accusation was answered."""
        if case.answered:
            return case.exited
        return self.model[case.provider].exit_at >= case.opened_at

    @rule(number=numbers, patient=st.booleans(), guilty=st.booleans(), loss=losses)
    @precondition(lambda self: self.law.accusations)
    def rule_on(self, number, patient, guilty, loss):
        """The committee's verdict, too early or not."""
        case_id, case = self.begin_case(number, OPEN)
        self.wait_until(case.deadline * patient)
        self._rule(case_id, case, guilty, loss)

    def _rule(self, case_id: bytes, case: Accusation, guilty: bool, loss: int) -> None:
        policy = self.law.policy
        signatures = self.market.verdict(case_id, guilty, loss)
        if self.attempt(
            lambda: self.court.rule(case_id, guilty, loss, signatures),
            (case.stage != OPEN, "slashing_court: case waits for no verdict"),
            (
                not case.answered and self.now < case.deadline,
                "slashing_court: provider may still answer",
            ),
            (
                self.now >= case.deadline + policy.verdict_period,
                "slashing_court: verdict period is over",
            ),
        ):
            case.stage = RULED
            case.deadline = self.now + policy.appeal_period
            case.guilty, case.loss = guilty, loss
            self.tally("ruled")

    @rule(number=numbers, party=parties)
    @precondition(lambda self: self.any_case(RULED))
    def appeal(self, number, party):
        case_id, case = self.begin_case(number, RULED)
        self._appeal(case_id, case, *self.party(party, case))

    def _appeal(self, case_id: bytes, case: Accusation, sender: str, speaks: bool) -> None:
        if self.attempt(
            lambda: self.court.appeal(case_id, sender=sender),
            (case.stage != RULED, "slashing_court: no verdict to appeal"),
            (self.now >= case.deadline, "slashing_court: appeal period is over"),
            (case.guilty and not speaks, "slashing_court: caller is not the provider"),
            (
                not case.guilty and sender != case.accuser,
                "slashing_court: caller is not the accuser",
            ),
        ):
            case.stage = APPEALED
            case.deadline = self.now + self.law.policy.arbiter_period
            case.appellant = sender
            self.wallets[sender] -= self.law.policy.appeal_bond
            self.tally("appealed")

    @rule(number=numbers, guilty=st.booleans(), loss=losses)
    @precondition(lambda self: self.any_case(APPEALED))
    def decide(self, number, guilty, loss):
        self._decide(*self.begin_case(number, APPEALED), guilty, loss)

    def _decide(self, case_id: bytes, case: Accusation, guilty: bool, loss: int) -> None:
        if self.attempt(
            lambda: self.court.decide(case_id, guilty, loss, sender=self.market.arbiter),
            (case.stage != APPEALED, "slashing_court: no appeal to decide"),
            (self.now >= case.deadline, "slashing_court: arbiter period is over"),
        ):
            if guilty != case.guilty:
                self.wallets[case.appellant] += self.law.policy.appeal_bond
                self.tally("reversed")
            else:
                self.burnt += self.law.policy.appeal_bond
                self.tally("upheld")
            case.stage, case.deadline = DECIDED, 0
            case.guilty, case.loss = guilty, loss

    @rule(number=numbers, patient=st.booleans())
    @precondition(lambda self: self.any_case(OPEN))
    def draw(self, number, patient):
        case_id, case = self.begin_case(number, OPEN)
        self.wait_until((case.deadline + self.law.policy.verdict_period) * patient)
        self._draw(case_id, case)

    def _draw(self, case_id: bytes, case: Accusation) -> None:
        if self.attempt(
            lambda: self.court.draw(case_id),
            (case.stage != OPEN, "slashing_court: case waits for no verdict"),
            (
                self.now < case.deadline + self.law.policy.verdict_period,
                "slashing_court: committee may still rule",
            ),
        ):
            self.close(case)
            self.wallets[case.accuser] += self.law.policy.accusation_bond
            self.tally("drawn")

    def close(self, case: Accusation) -> None:
        case.stage = CLOSED
        self.model[case.provider].held_by_cases -= self.law.held(case)

    @rule(number=numbers, patient=st.booleans())
    @precondition(lambda self: self.any_case(RULED, APPEALED, DECIDED))
    def execute(self, number, patient):
        case_id, case = self.begin_case(number, RULED, APPEALED, DECIDED)
        self.wait_until(case.deadline * patient)
        self._execute(case_id, case)

    def _execute(self, case_id: bytes, case: Accusation) -> None:
        provider, policy, job = case.provider, self.law.policy, self.jobs.get(case.job)
        exited, stage = self.has_exited(case), case.stage

        def judge(stakes: Stakes) -> Sentence:
            penalty = self.law.penalty(case.kind, case.snapshot, exited, stakes.total, self.now)
            owed = 0
            if job:
                owed = min(penalty, case.loss + (job.promised if job.live else 0))
            return self.law.sentence(
                provider, case.kind, case.snapshot, penalty, owed, stakes, self.now
            )

        weighed = self.weigh(provider, judge)
        if weighed is None or not self.attempt(
            lambda: self.court.execute(case_id),
            (stage not in (RULED, APPEALED, DECIDED), "slashing_court: no verdict to execute"),
            (self.now < case.deadline, "slashing_court: verdict is not final"),
        ):
            return
        self.close(case)
        if stage == APPEALED:
            self.wallets[case.appellant] += policy.appeal_bond
            self.tally("arbiter silent")
        if not case.guilty:
            self.burnt += policy.accusation_bond
            self.tally("acquitted")
            return
        self.wallets[case.accuser] += policy.accusation_bond
        sentence, vested = weighed
        if job and job.live:
            self.end(job)
        self.law.enter(provider, sentence, self.now)
        self.pay(provider, sentence, vested, job.customer if job else "", case.accuser)
        self.jail(provider, case.kind)
        self.tally("executed after an exit" if exited else "executed")

    @rule(number=numbers, early=st.booleans())
    @precondition(lambda self: self.law.accusations)
    def wait_for(self, number, early):
        """Until a period of a case is over, or until the last second of it."""
        _, case = self.begin_case(number, OPEN, RULED, APPEALED)
        self.wait_until(case.deadline - early)

    def wait_until(self, time: int) -> None:
        self.evm.time_travel(max(0, time - self.now))

    @rule(
        number=numbers,
        steps=st.integers(1, 4),
        guilty=st.booleans(),
        loss=losses,
        appeals=st.booleans(),
        arbiter=st.sampled_from(["silent", "upholds", "reverses"]),
    )
    @precondition(lambda self: self.law.accusations)
    def press_on(self, number, steps, guilty, loss, appeals, arbiter):
        """A case moves on, and who may speak does so in time or never."""
        case_id, case = self.begin_case(number, OPEN, RULED, APPEALED, DECIDED)
        for _ in range(steps):
            if case.stage == OPEN:
                self.wait_until(case.deadline)
                if self.now < case.deadline + self.law.policy.verdict_period:
                    self._rule(case_id, case, guilty, loss)
                else:
                    self._draw(case_id, case)
            elif case.stage == RULED and appeals and self.now < case.deadline:
                loser = self.party("owner" if case.guilty else "accuser", case)
                self._appeal(case_id, case, *loser)
            elif case.stage == APPEALED and arbiter != "silent" and self.now < case.deadline:
                self._decide(case_id, case, case.guilty == (arbiter == "upholds"), loss)
            else:
                self.wait_until(case.deadline)
                self._execute(case_id, case)
                break

    # --- attacks --------------------------------------------------------------------------

    @rule(provider=providers, person=people, job=numbers)
    def abuse(self, provider, person, job):
        """Arguments that the court may not fall for."""
        self.begin(provider)
        court, market = self.court, self.market
        stranger, evidence = self.world.delegators[person], bytes(32)
        other = provider % 3 + 1
        device = self.device_of(provider, own=True)
        _, proof = market.lie(provider, device, UNTOLD)
        _, foreign = market.lie(other, device, UNTOLD)
        unknown = keccak(b"no such case")
        for call, *arguments, reason in (
            (court.accuse, provider, 0, 0, evidence, "not a kind of accusation"),
            (court.accuse, provider, EQUIVOCATION, 0, evidence, "not a kind of accusation"),
            (court.accuse, provider, FRAUD + 1, 0, evidence, "not a kind of accusation"),
            (court.accuse, len(self.model) + 1, FRAUD, 0, evidence, "unknown provider"),
            (court.accuse, 0, FRAUD, 0, evidence, "unknown provider"),
            (court.accuse, provider, FRAUD, 2**64 - 1, evidence, "job of another provider"),
            (court.answer, unknown, evidence, "case waits for no verdict"),
            (court.rule, unknown, True, 0, b"", "case waits for no verdict"),
            (court.draw, unknown, "case waits for no verdict"),
            (court.execute, unknown, "no verdict to execute"),
            (court.appeal, unknown, "no verdict to appeal"),
            (court.compensate, unknown, 1, "no such case"),
            (court.convict_attestation, (*proof[:5], 1, *proof[6:]), 0, "entry is correct"),
            (court.convict_attestation, (proof[0], foreign[1], *proof[2:]), 0, "not signed by"),
            (court.convict_attestation, (proof[0], b"", *proof[2:]), 0, "signature is not 65"),
            (
                court.convict_equivocation,
                proof[0],
                proof[1],
                proof[0],
                proof[1],
                0,
                "commits agree",
            ),
        ):
            self.fails(reason, call, *arguments, sender=stranger)
        self.fails("roles: caller", court.decide, unknown, True, 0, sender=stranger)
        job_id = self.job_of(other, job)
        if job_id:
            another = "slashing_court: job of another provider"
            self.fails(another, court.accuse, provider, FRAUD, job_id, evidence, sender=stranger)

    @rule(number=numbers, guilty=st.booleans(), loss=losses)
    @precondition(lambda self: self.law.accusations)
    def forge(self, number, guilty, loss):
        """Verdicts of too few, of another case, of another sense."""
        case_id, case = self.begin_case(number, OPEN)
        if case.stage != OPEN or not case.deadline <= self.now < case.deadline + 86_400:
            return
        market, rule_ = self.market, self.court.rule
        true = market.verdict(case_id, guilty, loss)
        for signatures in (b"", true[:65], true[65:] + true[:65], true[:65] * 2, true + true[:65]):
            self.fails("oracle_committee: ", rule_, case_id, guilty, loss, signatures)
        for false in (
            market.verdict(keccak(case_id), guilty, loss),
            market.verdict(case_id, not guilty, loss),
            market.verdict(case_id, guilty, loss ^ 1),
        ):
            self.fails("oracle_committee: ", rule_, case_id, guilty, loss, false)

    def fails(self, reason: str, call: Callable[..., Any], *arguments: Any, **sender: str) -> None:
        with pytest.raises(Reverted) as caught:
            call(*arguments, **sender)
        assert reason in str(caught.value)

    @rule(tokens=st.integers(1, UNIT))
    def give_to_court(self, tokens):
        """What is sent to the court past its functions pays for nothing."""
        self.steps += 1
        self.token.transfer(self.court, tokens, sender=self.world.thief)
        self.wallets[self.world.thief] -= tokens
        self.gifts += tokens

    # --- invariants -----------------------------------------------------------------------

    def let_go(self, provider: int) -> bool:
        """However silent everybody is, each case ends, before a change of the court's role."""
        for case_id, case in self.law.accusations.items():
            if case.provider != provider or not case.is_open:
                continue
            ends = case.deadline + (case.stage == OPEN) * self.law.policy.verdict_period
            assert ends <= case.opened_at + ROLE_DELAY
            self.wait_until(ends)
            if case.stage == OPEN:
                self._draw(case_id, case)
            else:
                self._execute(case_id, case)
        self.court_keeps_the_bonds()
        self.what_is_missing_was_burnt()
        self.nobody_has_more_in_hand_than_the_model()
        return self.law.held_of(provider) == 0

    @invariant()
    def court_keeps_the_bonds(self):
        assert self.token.balanceOf(self.court) == self.law.bonds + self.gifts

    @invariant()
    def escrow_holds_what_it_owes(self):
        unspent = sum(DEPOSIT - job.earned for job in self.jobs.values() if job.live)
        income = sum(income.total() for income in self.income.values())
        kept = sum(job.kept for job in self.jobs.values())
        assert self.token.balanceOf(self.market.escrow) == unspent + income + kept

    @invariant()
    def what_is_missing_was_burnt(self):
        assert self.token.totalSupply() == GENESIS_SUPPLY - self.burnt

    @invariant()
    def disputed_stake_stays(self):
        """Who is accused can't be paid what the case may cost; only a sentence takes it."""
        for provider in self.model:
            held, _ = self.staking.held_by_cases(provider)
            assert held == self.law.held_of(provider)
            stands = self.staking.slashable(provider)
            if provider not in self.struck:
                assert stands >= min(held, self.stood.get(provider, 0))
            self.stood[provider] = stands
        self.struck.clear()

    @invariant()
    def days_take_no_more_than_their_cap(self):
        for provider in self.model:
            assert self.court.penalty_day(provider) == self.law.last_day(provider)
        assert self.court.convicted_stake() == self.law.convicted_lately(self.now)

    @invariant()
    def distributor_holds_what_it_owes(self):
        distributor = self.market.distributor
        vesting = sum(distributor.unvested(p) + distributor.releasable(p) for p in self.model)
        unclaimed = sum(self.granted.values()) - sum(self.claimed.values())
        assert self.token.balanceOf(distributor) == vesting + unclaimed

    def check(self, provider, model):
        """The cases of a provider, and its jail term, are what the law says."""
        super().check(provider, model)
        assert self.staking.jailed_until(provider) == model.jailed_until
        assert self.staking.is_jailed(provider) == self.is_jailed(provider)
        window = self.now // DISPUTE_WINDOW
        pending = self.income[provider][window] + self.income[provider][window - 1]
        income = self.income[provider].total() - pending, pending
        assert self.market.escrow.income(provider, self.token) == income
        for customer in self.world.delegators:
            owed = self.market.bonds.debt_to(provider, customer)
            assert owed == self.debts[provider, customer]
        for case_id, case in self.law.accusations.items():
            if case.provider == provider:
                assert tuple(self.court.accusations(case_id)) == astuple(case)
        for case_id, conviction in self.law.convictions.items():
            if conviction.provider == provider:
                assert tuple(self.court.cases(case_id)) == astuple(conviction)


@pytest.fixture(scope="module")
def market() -> Market:
    return open_market()


def test_short_trials(market, tell):
    tell(play(market, CourtMachine, examples=20, steps=50))


# how a case or a proof ends
OUTCOMES = {
    "drawn", "acquitted", "executed", "executed after an exit", "arbiter silent", "upheld",
    "reversed", "false attestation", "equivocation", "compensated", "claim from jail",
    "debt", "disputed", "dispute won", "dispute lost",
}  # fmt: skip


@pytest.mark.slow
def test_long_trials(market, tell):
    """At least 100 000 steps, in which cases end in every way there is."""
    while market.steps < 100_000:
        summary = play(market, CourtMachine, examples=1_000, steps=100)
    tell(summary)
    for outcome, count in market.outcomes.most_common():
        tell(f"  {outcome}: {count:,}")
    assert market.outcomes.keys() >= OUTCOMES
