"""One run: epochs, challenges, commits, openings, records, audits and pay, event by event."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from oracle.domain.attestation import (
    Mode,
    answer_hash,
    challenge_shape,
    draw_queries,
    seed_zero,
    shape_numbers,
)
from oracle.domain.backoff import rest_after
from oracle.domain.emission import Schedule
from oracle.domain.epochs import RULES, EpochInput, close
from oracle.domain.hashing import keccak
from oracle.domain.leaves import LeafKind
from oracle.domain.messages import Commit, Domain, Open
from oracle.domain.proposals import DeviceProposal, aggregate_device
from oracle.domain.recovery import checksum
from oracle.domain.renewal import is_due
from oracle.errors import BadInput, ClearworkError
from oracle.services.prove import Proof
from oracle.services.request_leaves import PROVIDER_SHARE
from scripts._parameters import BPS
from scripts._simulation.chains import honest, untold
from scripts._simulation.clock import HOUR, MILLISECOND, SECOND, Agenda
from scripts._simulation.committee import Asked, Oracle
from scripts._simulation.conduct import Conduct
from scripts._simulation.fleet import Device, Plan, build
from scripts._simulation.money import Account, Court, Vesting
from scripts._simulation.network import wobble
from scripts._simulation.registry import Registry
from scripts._simulation.tally import Catch, Tally
from scripts._simulation.terms import REPORTER_BPS, SMALL, Card, Terms
from scripts._simulation.watcher import Found, Watcher

CHAIN_ID = 31_337
RULES_VERSION = 1
# what the product's defaults are: AgentConfig.poll_seconds, the watcher's interval and `asks`
AGENT_POLL, WATCH_INTERVAL, WATCH_ASKS = SECOND, 5 * SECOND, 12
WATCH_LEAVES, WATCH_SAMPLE = 64, 50
# how often an agent looks for requests (oracle.services.show_leaves.POLL_SECONDS)
DESK_POLL = 10 * SECOND


@dataclass(frozen=True, slots=True)
class Defences:
    """What can be switched off, to see that it is what catches."""

    openings: bool = True
    watcher: bool = True
    leaf_requests: bool = True


@dataclass(slots=True)
class _Work:
    """A device's answer to one epoch's challenge."""

    commit: Commit
    roots: list[bytes]
    signature: bytes
    proof: Proof
    done: int


@dataclass(slots=True)
class _Epoch:
    """What is going on in an epoch."""

    number: int
    beacon: bytes
    work: dict[bytes, _Work] = field(default_factory=dict)
    began: dict[bytes, int] = field(default_factory=dict)
    accepted: dict[bytes, list[int]] = field(default_factory=lambda: defaultdict(list))
    refused: dict[bytes, int] = field(default_factory=dict)
    published: set[bytes] = field(default_factory=set)
    judged: set[bytes] = field(default_factory=set)


class Simulation:
    """A fleet, its committee, a watcher and the chain, from epoch 0 on."""

    def __init__(self, plan: Plan, terms: Terms, defences: Defences | None = None) -> None:
        if not plan.computes:
            defences = Defences(openings=False, watcher=False)
        self.plan, self.terms, self.defences = plan, terms, defences or Defences()
        self._honest = honest if plan.computes else untold
        self.devices = build(plan, terms)
        self.tally = Tally()
        self._agenda = Agenda()
        self._dice = random.Random(f"{plan.seed}/world")
        self._registry_domain = Domain(CHAIN_ID, _address("registry"))
        parameters = terms.parameters
        self.oracles = [
            Oracle(
                _address(f"oracle {number}"), terms.queries, terms.deadline_ms, SMALL,
                self._registry_domain, random.Random(f"{plan.seed}/oracle/{number}"),
                self.defences.openings,
            )
            for number in range(len(parameters.committee.members))
        ]  # fmt: skip
        self.accounts: dict[int, Account] = {}
        for one in self.devices:
            emissions = parameters.emissions
            vesting = Vesting(emissions.vesting_period, emissions.immediate_bps)
            account = self.accounts.setdefault(one.provider, Account(0, vesting))
            account.stake += max(one.chip.model.stake, one.pretended.stake)
        self.staked = {provider: account.stake for provider, account in self.accounts.items()}
        self.registry = Registry(
            terms.attestation_period,
            {card.device_class: card.stake for card in terms.cards},
            self.accounts,
        )
        self.court = Court(parameters, REPORTER_BPS, self.accounts)
        self.watcher = Watcher(
            SMALL, WATCH_LEAVES, WATCH_SAMPLE, random.Random(f"{plan.seed}/watcher"),
            terms.bond_budget,
        )  # fmt: skip
        # provider => requests for leaves that are open
        self._requests: Counter[int] = Counter()
        # provider => base units of bonds that the watcher holds or has lost for its leaves
        self._bonds: Counter[int] = Counter()
        self._schedule = Schedule(
            parameters.token.max_supply,
            parameters.emissions.initial_emission,
            parameters.emissions.block_seconds,
        )
        self._issuance = sum(one.amount for one in parameters.token.allocations)
        self._carry = 0
        self._by_id = {one.device: one for one in self.devices}
        # providers with a card to rent by the hour
        self._cards = {card.device_class: card for card in terms.cards}

    def run(self, progress: Callable[[], None] = lambda: None) -> Tally:
        """Play all epochs; `progress` is called after each."""
        for epoch in range(self.plan.hours):
            self._begin(epoch)
            self._agenda.run((epoch + 1) * HOUR)
            self._pay(epoch)
            progress()
        return self.tally

    # --- time ---------------------------------------------------------------------------------

    @property
    def _now(self) -> int:
        """Chain time in seconds."""
        return self._agenda.now // SECOND

    def _next_block(self) -> int:
        block = self.terms.parameters.emissions.block_seconds * SECOND
        return (self._agenda.now // block + 1) * block

    # --- an epoch -----------------------------------------------------------------------------

    def _begin(self, number: int) -> None:
        """The beacon is mined in the epoch's second block; then everybody looks."""
        epoch = _Epoch(number, self._dice.randbytes(32))
        for one in self.devices:
            if one.cheats(number):
                gained = self.accounts[one.provider].gained
                self.tally.before.setdefault(one.provider, gained)
        mined = self._next_block()
        for oracle in self.oracles:
            seen = mined + self._dice.randrange(self.terms.poll_ms) * MILLISECOND
            self._agenda.at(seen, partial(oracle.see_beacon, number, seen))
            for one in self.devices:
                asks = seen + one.dice.randrange(AGENT_POLL) + one.link.delay(one.dice)
                self._agenda.at(asks, partial(self._ask, epoch, one, oracle))
        deadline = mined + self.terms.deadline_ms * MILLISECOND
        for one in self.devices:
            conclude = partial(self._conclude, epoch, one, deadline)
            self._agenda.at(deadline + 60 * SECOND, conclude)

    def _ask(self, epoch: _Epoch, one: Device, oracle: Oracle) -> None:
        """A device asks an oracle what it has to do."""
        cheats = one.cheats(epoch.number)
        if self._now < self.accounts[one.provider].jailed_until:
            return
        if not one.backoff.is_ready(epoch.number):
            return
        entry = self.registry.entries.get(one.device)
        until = entry.attested_until if entry else 0
        is_due = until <= self._now + self.terms.renewal.margin
        if cheats and not one.conduct.takes_part(epoch.number, is_due):
            return
        seed = seed_zero(
            epoch.beacon, CHAIN_ID, self._registry_domain.verifying_contract, one.provider,
            one.device, epoch.number,
        )  # fmt: skip
        card, claim = self._claim(one, cheats)
        shape = challenge_shape(Mode.THROUGHPUT, claim, card.memory_mb, self.terms.deadline_ms)
        try:
            asked = oracle.challenge(seed, one.provider, one.device, epoch.number, shape)
        except ClearworkError:
            return
        arrives = self._agenda.now + one.link.delay(one.dice)
        self._agenda.at(arrives, partial(self._work, epoch, one, oracle, asked))

    def _claim(self, one: Device, cheats: bool) -> tuple[Card, int]:
        """The card that a device says it is, and the operations a second that it claims."""
        if not cheats:
            return one.chip.model, one.chip.model.sustained
        return one.pretended, one.conduct.claims(one.pretended.sustained, self.terms.deadline_ms)

    def _work(self, epoch: _Epoch, one: Device, oracle: Oracle, asked: Asked) -> None:
        """A device has a challenge: it computes it once, whoever asked first."""
        work = epoch.work.get(one.device)
        if work is None:
            work = epoch.work[one.device] = self._compute(epoch, one, asked)
        ready = max(self._agenda.now, work.done) + one.link.delay(one.dice)
        self._agenda.at(ready, partial(self._commit, epoch, one, oracle, work))

    def _compute(self, epoch: _Epoch, one: Device, asked: Asked) -> _Work:
        conduct, now = one.conduct, self._agenda.now
        cheats = one.cheats(epoch.number)
        if cheats:
            self.tally.began.setdefault(one.device, now)
            if not conduct.serves:
                self.tally.rented[one.provider] += 1
        elif type(conduct) is Conduct:
            self.tally.challenges += 1
        epoch.began[one.device] = now
        rate = wobble(one.chip.model.sustained, self.plan.jitter_bps, one.dice)
        start = now
        if cheats:
            rate = rate * conduct.share_bps() // BPS
            start += conduct.waits()
        # two devices on one card are behind each other
        shared = cheats and conduct.ids > 1
        start = max(start, one.chip.free_at if shared else 0)
        done = start + asked.planned.operations * SECOND // max(1, rate)
        one.chip.free_at = done
        message = asked.challenge.message
        acting = conduct if cheats else Conduct(0, one.dice)
        proof = acting.prove(message.seed, SMALL, self._honest)
        if not cheats:
            conduct.keeps(proof)
        commit = Commit(
            message.provider, message.device, message.epoch, message.seed,
            *shape_numbers(SMALL), final_seed=proof.final_seed,
        )  # fmt: skip
        commit, roots = acting.signs(commit, proof)
        signature = one.signer.sign(commit.digest(self._registry_domain))
        return _Work(commit, roots, signature, proof, done)

    def _commit(self, epoch: _Epoch, one: Device, oracle: Oracle, work: _Work) -> None:
        """A commit arrives."""
        try:
            secret = oracle.commit(
                work.commit, work.roots, work.signature, one.signer.address, self._agenda.now
            )
        except ClearworkError as error:
            self._refused(epoch, one, str(error))
            return
        if one.device not in epoch.published:
            epoch.published.add(one.device)
            self.tally.commits += 1
            looks = self._agenda.now + self._dice.randrange(WATCH_INTERVAL)
            self._agenda.at(looks, partial(self._audit, epoch, one, work))
        opened = self._agenda.now + one.link.delay(one.dice) + one.link.delay(one.dice)
        self._agenda.at(opened, partial(self._open, epoch, one, oracle, work, secret))

    def _open(self, epoch: _Epoch, one: Device, oracle: Oracle, work: _Work, secret: bytes) -> None:
        """The answer to a query arrives."""
        queries = self.terms.queries if self.plan.computes else 0
        drawn = draw_queries(work.commit.final_seed, secret, queries, SMALL)
        answer = work.proof.answer(drawn)
        message = Open(work.commit.struct_hash(), keccak(secret), answer_hash(answer))
        signature = one.signer.sign(message.digest(self._registry_domain))
        judged = oracle.open(work.commit, answer, signature, one.signer.address)
        self.tally.openings += len(answer)
        if not judged.accepted:
            self._refused(epoch, one, judged.reason)
            return
        one.backoff.succeeded(epoch.number)
        accepted = epoch.accepted[one.device]
        accepted.append(self._agenda.now)
        if len(accepted) == len(self.oracles):
            self._record(epoch, one)
        elif len(accepted) == 1:
            patience = self._agenda.now + self.terms.leader_delay * SECOND
            self._agenda.at(patience, partial(self._record, epoch, one))

    def _refused(self, epoch: _Epoch, one: Device, reason: str) -> None:
        jitter = one.dice.randrange(rest_after(one.backoff.failures + 1))
        one.backoff.failed(epoch.number, jitter)
        epoch.refused.setdefault(one.device, self._agenda.now)
        if type(one.conduct) is Conduct or not one.cheats(epoch.number):
            self.tally.refused_honest[reason.split(" (")[0]] += 1

    # --- records ------------------------------------------------------------------------------

    def _record(self, epoch: _Epoch, one: Device) -> None:
        """Have a result recorded, if a quorum saw one and it says something new."""
        if one.device in epoch.judged:
            return
        seen = [oracle.observation(one.device, epoch.number) for oracle in self.oracles]
        observations = tuple(each for each in seen if each is not None)
        if len(observations) < self.terms.parameters.committee.threshold:
            return
        epoch.judged.add(one.device)
        card, _ = self._claim(one, one.cheats(epoch.number))
        try:
            result = aggregate_device(
                DeviceProposal(one.device, epoch.number, observations),
                one.provider, one.identity, card.memory_mb, self.terms.classes,
            )  # fmt: skip
        except BadInput:
            self._below_class(epoch, one)
            return
        if result.device_class < card.device_class:
            self._below_class(epoch, one)
        entry = self.registry.entries.get(one.device)
        found = result.device_class, result.ops_per_second, result.memory_mb
        if is_due(entry, *found, self._now, self.terms.renewal):
            mined = self._next_block()
            self._agenda.at(
                mined, lambda: void(self.registry.record(result, epoch.number, mined // SECOND))
            )

    def _below_class(self, epoch: _Epoch, one: Device) -> None:
        if one.cheats(epoch.number):
            self.tally.catch(one.device, Catch.CLASS, self._agenda.now)
        elif type(one.conduct) is Conduct:
            self.tally.below_class += 1

    def _conclude(self, epoch: _Epoch, one: Device, deadline: int) -> None:
        """After the deadline: whoever has no quorum by now has none in this epoch."""
        self._record(epoch, one)
        if one.device in epoch.judged or one.device not in epoch.began:
            return
        if one.cheats(epoch.number):
            # a commit that is still being computed is refused when it comes
            refused = epoch.refused.get(one.device, deadline)
            self.tally.catch(one.device, Catch.REFUSED, refused)
        elif type(one.conduct) is Conduct:
            self.tally.missed += 1

    # --- convictions --------------------------------------------------------------------------

    def _audit(self, epoch: _Epoch, one: Device, work: _Work) -> None:
        """A watcher has found a new commit."""
        if not self.defences.watcher:
            return
        shows = not one.cheats(epoch.number) or one.conduct.shows_leaves()
        found = self.watcher.audit(work.commit, work.proof, work.roots, shows)
        if found is Found.FALSE_ENTRY:
            act = partial(self._convict, epoch, one, Catch.FALSE_ENTRY)
            self._agenda.at(self._next_block(), act)
        elif found is Found.WITHHELD and self.defences.leaf_requests:
            asks = self._agenda.now + (WATCH_ASKS - 1) * WATCH_INTERVAL
            self._agenda.at(asks, partial(self._request_leaf, epoch, one, work, 0))

    def _request_leaf(self, epoch: _Epoch, one: Device, work: _Work, shown: int) -> None:
        """The watcher asks on chain for a leaf, the one after `shown`, if it has a bond for it."""
        rules, now = self.terms.parameters.leaf_requests, self._agenda.now
        if shown == self.watcher.leaves or now // HOUR - epoch.number > rules.request_epochs:
            return
        bond = (self._requests[one.provider] + 1) * rules.bond
        share = max(self.terms.bond_budget // PROVIDER_SHARE, rules.bond)
        if bond > min(self.watcher.budget, share - self._bonds[one.provider]):
            # what is held may be back by then
            self._agenda.at(now + HOUR, partial(self._request_leaf, epoch, one, work, shown))
            return
        self.watcher.budget -= bond
        self._bonds[one.provider] += bond
        self._requests[one.provider] += 1
        block = self.terms.parameters.emissions.block_seconds * SECOND
        if one.conduct.answers_requests():
            answer = partial(self._show_leaf, epoch, one, work, shown, bond)
            looks = self._next_block() + one.dice.randrange(DESK_POLL)
            self._agenda.at((looks // block + 1) * block, answer)
        else:
            # mined, unanswered, executed
            deadline = now + rules.answer_period * SECOND + 2 * block
            self._agenda.at(deadline, partial(self._execute, epoch, one, bond))

    def _show_leaf(self, epoch: _Epoch, one: Device, work: _Work, shown: int, bond: int) -> None:
        """A leaf is shown on chain: one bond is the provider's, what was paid above it is burnt."""
        self._requests[one.provider] -= 1
        self.accounts[one.provider].bonds += self.terms.parameters.leaf_requests.bond
        self.tally.reporter[one.provider] -= bond
        if self.watcher.audit_leaf(work.commit, work.proof, work.roots) is Found.FALSE_ENTRY:
            act = partial(self._convict, epoch, one, Catch.FALSE_ENTRY)
            self._agenda.at(self._next_block(), act)
            return
        # the next leaf has to be withheld as often
        asks = self._agenda.now + WATCH_ASKS * WATCH_INTERVAL
        self._agenda.at(asks, partial(self._request_leaf, epoch, one, work, shown + 1))

    def _execute(self, epoch: _Epoch, one: Device, bond: int) -> None:
        """A request that nobody answered: the bond comes back, the provider is convicted."""
        self._requests[one.provider] -= 1
        self.watcher.budget += bond
        self._bonds[one.provider] -= bond
        self._convict(epoch, one, Catch.WITHHELD)

    def _convict(self, epoch: _Epoch, one: Device, how: Catch) -> None:
        """The court takes a proof, or a request that nobody answered."""
        if not one.cheats(epoch.number):
            self.tally.convicted_honest += 1
        self.tally.catch(one.device, how, self._agenda.now)
        owed = self._owed() if self.registry.entry(one.device, self._now) else 0
        self.registry.revoke(one.device)
        sentence = self.court.convict(one.provider, owed, self._now)
        self.tally.reporter[one.provider] += sentence.reporter
        self.tally.seized[one.provider] += sentence.seized

    def _owed(self) -> int:
        """Base units for the customer of a device whose job fails, by the first service level."""
        level = self.terms.parameters.escrow.slas[0]
        return level.collateral_per_gpu * level.compensation_bps // BPS

    # --- pay ----------------------------------------------------------------------------------

    def _pay(self, epoch: int) -> None:
        """Share an epoch's emission as its report does, and pay an hour of work to all entered."""
        budget, self._carry = self._schedule.emission(self._issuance, HOUR // SECOND, self._carry)
        self._issuance += budget
        live = self.registry.live(self._now)
        report = close(
            EpochInput(
                chain_id=CHAIN_ID, distributor=_address("distributor"), ledger=_address("ledger"),
                from_epoch=epoch, to_epoch=epoch, budget=budget, rules=RULES[RULES_VERSION],
                devices=live, signatures={oracle.address: 1 for oracle in self.oracles},
            )
        )  # fmt: skip
        rewards = {
            int.from_bytes(leaf.key, "big"): leaf.value
            for leaf in report.rewards
            if leaf.kind is LeafKind.PROVIDER
        }
        speeds: dict[int, int] = defaultdict(int)
        for entered in live:
            speeds[entered.provider] += entered.ops_per_second
        for provider, reward in rewards.items():
            self.accounts[provider].vesting.grant(reward, self._now)
        fee = self.terms.parameters.escrow.fee_bps
        for entered in live:
            if entered.jailed:
                continue
            one = self._by_id[entered.device]
            reward = rewards.get(one.provider, 0) * entered.ops_per_second
            emission = paid = reward // max(1, speeds[one.provider])
            cheats = one.cheats(epoch)
            if cheats:
                self.tally.paid_hours[one.provider] += 1
            if not cheats or one.conduct.serves:
                price = self._cards[self.registry.entries[entered.device].device_class].price
                income = price - price * fee // BPS
                self.accounts[one.provider].income += income
                paid += income
            if type(one.conduct) is Conduct:
                self.tally.honest_pay[one.chip.model.name][epoch] += paid
                self.tally.honest_emission[one.chip.model.name][epoch] += emission
        self._count_hour({one.device for one in live})

    def _count_hour(self, live: set[bytes]) -> None:
        """Note who of the honest has an entry at an epoch's end, and whether in its own class."""
        for one in self.devices:
            if type(one.conduct) is not Conduct:
                continue
            self.tally.hours += 1
            if one.device not in live:
                self.tally.without_entry += 1
            elif self.registry.entries[one.device].device_class < one.chip.model.device_class:
                self.tally.in_lower_class += 1


def void(_: object) -> None:
    """Drop what an event returns."""


def _address(name: str) -> str:
    return checksum(keccak(name.encode())[12:])
