"""What stands behind a job: devices, self-bond that can be slashed, and what providers owe
whose self-bond was too small.
"""

from collections import defaultdict

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from tests.stateful.escrow.draws import PROVIDERS, WORK, providers
from tests.stateful.escrow.state import EscrowState, terms_of
from tests.stateful.house import (
    CLASS,
    CLUSTER,
    DEVICES,
    LEVELS,
    MEMBER_COLLATERAL,
    MEMBERS,
    NOBODY,
    SELF_BOND,
    House,
)
from tests.stateful.ledger_of_jobs import Job
from tests.stateful.stakes import Stake
from tests.unit.conftest import DAY, HOUR, MIN_SELF_BOND, UNIT

# self-bond that a slash leaves
# less than what customers are promised, or enough for them
lefts = st.sampled_from(
    ["nothing", "one", "a fifth of what is locked", "half of what is locked", "all but a little"]
)


class Backing(EscrowState):
    """Providers promise, lose stake, add to it, owe and pay."""

    STATE = ("stakes", "debts")

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self.stakes = {provider: Stake(SELF_BOND, DEVICES) for provider in PROVIDERS}
        # provider, customer => compensation that the stake did not cover
        self.debts: dict[tuple[int, int], int] = defaultdict(int)
        # what the next check reads
        self.stakes_touched = set(PROVIDERS)
        self.debts_touched: set[tuple[int, int]] = set()

    def stake(self, provider: int) -> Stake:
        """A stake that changes now."""
        self.stakes_touched.add(provider)
        return self.stakes[provider]

    @staticmethod
    def members(job: Job) -> tuple[tuple[int, int], ...]:
        """Providers behind a job, and the GPUs of each."""
        return MEMBERS if job.payee == CLUSTER else ((job.payee, job.gpus),)

    def pledge_refusals(self, job: Job) -> list[tuple[bool, str]]:
        if job.level >= len(LEVELS):
            return [(True, "service_bonds: unknown sla")]
        per_gpu = terms_of(job)[0]
        refusals = [
            (
                job.payee == CLUSTER and per_gpu > MEMBER_COLLATERAL,
                "cluster_registry: more collateral than agreed",
            )
        ]
        for provider, count in self.members(job):
            stake = self.stakes[provider]
            refusals += [
                (stake.is_jailed(self.now), "service_bonds: provider is jailed"),
                (self.debt_of(provider) > 0, "service_bonds: provider owes a customer"),
                (stake.committed + count > stake.devices, "service_bonds: not enough devices"),
                (
                    count * per_gpu > stake.free(self.now),
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
            stake = self.stake(provider)
            stake.committed += count
            stake.held += count * terms_of(job)[0]
            stake.short_since = 0

    def freed(self, job: Job, failed: int = 0) -> None:
        """The job's devices and collateral are free, but for what its customer gets; what is
        missing for that is owed.
        """
        per_gpu, bps, _, _ = terms_of(job)
        for i, (provider, count) in enumerate(self.members(job)):
            stake, collateral, paid = self.stake(provider), count * per_gpu, 0
            stake.committed -= count
            if failed >> i & 1:
                promised = collateral * bps // 10_000
                paid = min(promised, stake.backing(collateral))
                stake.seize(paid)
                self.move(WORK, self.customers[job.customer], paid)
                self.owe(provider, job.customer, promised - paid)
            stake.release(collateral - paid, self.now)

    def debt_of(self, provider: int) -> int:
        return sum(tokens for (who, _), tokens in self.debts.items() if who == provider)

    def owe(self, provider: int, customer: int, tokens: int) -> None:
        self.debts[provider, customer] += tokens
        self.debts_touched.add((provider, customer))
        if tokens:
            self.tally("debt left")

    # --- stake ----------------------------------------------------------------------------

    @rule(
        provider=providers,
        left=lefts,
    )
    def slash(self, provider, left):
        """Some of the self-bond is burnt, also what is locked."""
        self.begin()
        self._slash(provider, left)

    def _slash(self, provider: int, left: str) -> None:
        stake = self.stake(provider)
        rest = {
            "nothing": 0,
            "one": 1,
            "a fifth of what is locked": stake.held // 5,
            "half of what is locked": stake.held // 2,
            "all but a little": max(0, stake.active - 7),
            "everything": stake.active,
        }[left]
        tokens = max(0, stake.active - rest)
        order = (tokens, NOBODY, 0, NOBODY, 0)
        taken = self.house.staking.slash(provider, order, sender=self.house.court)
        assert taken == tokens
        stake.active -= tokens
        self.burnt += tokens

    @rule(
        provider=providers,
        tokens=st.sampled_from([0, 1, 7 * UNIT, MIN_SELF_BOND] + [3 * MIN_SELF_BOND] * 3),
    )
    def add_stake(self, provider, tokens):
        self.begin()
        self._add_stake(provider, tokens)

    def _add_stake(self, provider: int, tokens: int) -> None:
        stake, owner = self.stake(provider), self.house.owners[provider - 1]
        if self.attempt(
            lambda: self.house.staking.stake(provider, tokens, sender=owner),
            (tokens == 0, "provider_staking: nothing to stake"),
            (
                stake.active + tokens < MIN_SELF_BOND,
                "provider_staking: self-bond below minimum",
            ),
        ):
            stake.active += tokens
            self.move(WORK, owner, -tokens)

    @rule(provider=providers, seconds=st.sampled_from([0, 1, HOUR, 5 * DAY]))
    def jail(self, provider, seconds):
        self.begin()
        stake, until = self.stake(provider), self.now + seconds
        self.house.staking.jail(provider, until, sender=self.house.court)
        stake.jailed_until = max(stake.jailed_until, until)

    @rule(provider=providers, devices=st.integers(0, DEVICES))
    def attest(self, provider, devices):
        """Devices come and go, and somebody notes it."""
        self.begin()
        stake = self.stakes[provider]
        self.house.referee.enter(provider, devices)
        stake.devices = devices
        self.house.bonds.note_capacity(provider, CLASS)
        if not stake.is_short:
            stake.short_since = 0
        elif not stake.short_since:
            stake.short_since = self.now
        assert self.house.bonds.short_since(provider, CLASS) == stake.short_since

    # --- invariants -----------------------------------------------------------------------

    @invariant()
    def check(self):
        """The contracts say what the model says of stakes, and of debts that were touched."""
        for provider in self.stakes_touched:
            self.check_stake(provider, self.stakes[provider])
        for provider, customer in self.debts_touched:
            owed = self.house.bonds.debt_to(provider, self.customers[customer])
            assert owed == self.debts[provider, customer]
        self.stakes_touched, self.debts_touched = set(), set()
        super().check()

    def check_stake(self, provider: int, stake: Stake) -> None:
        assert tuple(self.house.staking.self_bond(provider)) == (
            stake.active,
            0,
            stake.held,
            stake.cooling(self.now),
        )
        assert self.house.bonds.committed_gpus(provider, CLASS) == stake.committed
        assert self.house.bonds.debt_of(provider) == self.debt_of(provider)
