"""Staking against its model: whatever people do in whatever order, nobody loses or gains
more than dust against exact arithmetic.
"""

from collections.abc import Callable
from contextlib import contextmanager, suppress
from copy import deepcopy
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.stateful.conftest import PURSE, TERMS, World
from tests.stateful.evm import GENESIS, Reverted, reverts
from tests.stateful.model import MIN_TOKENS, Provider
from tests.unit.conftest import (
    DAY,
    EPOCH_LENGTH,
    LOCK_PERIOD,
    MIN_DELEGATION,
    MIN_SELF_BOND,
    UNBONDING_PERIOD,
    UNIT,
)

EMISSION = 1
MAX_REQUESTS = 32
HELD = "provider_staking: stake is held by a case"
# base units and shares under which a pool refuses a deposit
LEAST_DEPOSIT = 10**9
MAX = 2**256 - 1

providers = st.integers(1, len(TERMS))
people = st.integers(0, 4)
parts = st.one_of(st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(0)]), st.fractions(0, 1))
amounts = st.one_of(
    st.integers(MIN_DELEGATION, 500 * UNIT), st.sampled_from([MIN_DELEGATION, MIN_SELF_BOND])
)


class StakingMachine(RuleBasedStateMachine):
    """Every holder's calls as rules; after each, the contract agrees with the model."""

    # what of the machine follows the chain
    STATE: tuple[str, ...] = ("model", "wallets", "owners", "donated")

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.staking = world.staking
        self.token = world.token
        self.evm = world.evm
        self.anchor = self.evm.anchor()
        self.anchor.__enter__()
        self.model = {i: Provider(*terms) for i, terms in enumerate(TERMS, start=1)}
        self.owners = list(world.owners)
        holders = (*world.owners, *world.delegators, world.thief)
        self.wallets = dict.fromkeys(holders, Fraction(PURSE)) | dict.fromkeys(
            (*world.payouts, world.victim, world.reporter), Fraction(0)
        )
        self.donated = 0
        self.steps = 0
        # providers whose numbers the next check reads: those that the last rule touched
        self.touched = set(self.model)
        for provider, owner in enumerate(world.owners, start=1):
            self._stake(provider, owner, 1_000 * UNIT)
            for delegator in world.delegators[: 2 * provider - 1]:
                self._delegate(provider, delegator, 100 * UNIT)

    def teardown(self) -> None:
        self.world.steps += self.steps
        self.world.longest = max(self.world.longest, self.steps)
        self.anchor.__exit__(None, None, None)

    # --- helpers --------------------------------------------------------------------------

    @property
    def now(self) -> int:
        return self.evm.timestamp

    @property
    def dust(self) -> Fraction:
        return sum((p.dust for p in self.model.values()), Fraction(0))

    def begin(self, provider: int) -> Provider:
        self.steps += 1
        self.touched.add(provider)
        return self.model[provider]

    def owner(self, provider: int) -> str:
        return self.owners[provider - 1]

    def locked(self, provider: int) -> int:
        bond = self.staking.self_bond(provider)
        return int(bond.held + bond.cooling)

    def _stake(self, provider: int, payer: str, tokens: int) -> None:
        self.staking.stake(provider, tokens, sender=payer)
        self.model[provider].active += tokens
        self.wallets[payer] -= tokens

    def wealth(self, provider: int, delegator: str) -> int:
        """Base units that a delegator has in its wallet, a pool and requests."""
        leaving = sum(r.tokens for r in self.staking.undelegations(provider, delegator))
        worth = self.staking.delegation(provider, delegator)[1]
        return int(self.token.balanceOf(delegator) + worth + leaving)

    def fits(self, provider: int, tokens: int) -> bool:
        """Whether the delegation pool mints enough shares for a deposit."""
        pool = self.staking.delegation_pool(provider)
        shares = tokens * pool.shares // pool.tokens if pool.shares else tokens
        return bool(shares >= 2 * LEAST_DEPOSIT)

    def settle(self, provider: int) -> None:
        """Tell the model which pools started anew."""
        delegators = self.world.delegators
        self.model[provider].settle(
            thawing=not self.staking.unbondings(provider),
            delegations=not self.staking.delegation_pool(provider).shares,
            leaving=not any(self.staking.undelegations(provider, d) for d in delegators),
        )

    @contextmanager
    def what_if(self):
        """Undo on the way out what happens inside, on the chain and in the model."""
        before = {name: getattr(self, name) for name in self.STATE}
        # in one copy, so that what is shared stays shared
        vars(self).update(deepcopy(before))
        with self.evm.anchor():
            yield
        vars(self).update(before)

    # --- providers ------------------------------------------------------------------------

    @rule(provider=providers, payer=people, tokens=amounts)
    def stake(self, provider, payer, tokens):
        self.begin(provider)
        people = (*self.world.owners, self.world.delegators[0], self.world.thief)
        if self.staking.self_bond(provider).active + tokens < MIN_SELF_BOND:
            with reverts("provider_staking: self-bond below minimum"):
                self.staking.stake(provider, tokens, sender=people[payer])
        else:
            self._stake(provider, people[payer], tokens)

    @rule(provider=providers, part=parts)
    def unbond(self, provider, part):
        model, owner = self.begin(provider), self.owner(provider)
        active = self.staking.self_bond(provider).active
        tokens = int(active * part)
        rest = active - tokens
        if tokens < 2 * LEAST_DEPOSIT or model.thawing.price > 2:
            return
        if 0 < rest < MIN_SELF_BOND:
            reason = "remaining self-bond below minimum"
        elif rest < self.locked(provider):
            reason = "self-bond is locked"
        elif len(model.requests) == MAX_REQUESTS:
            reason = "too many open requests"
        else:
            self.staking.unbond(provider, tokens, sender=owner)
            model.unbond(Fraction(tokens, active), self.now + UNBONDING_PERIOD)
            if model.held_by_cases:
                model.exit_at = self.now
            return
        with reverts(f"provider_staking: {reason}"):
            self.staking.unbond(provider, tokens, sender=owner)

    @rule(provider=providers, index=st.integers(0, 3))
    def cancel_unbonding(self, provider, index):
        model, owner = self.begin(provider), self.owner(provider)
        if index >= len(model.requests):
            with reverts("provider_staking: no such request"):
                self.staking.cancel_unbonding(provider, index, sender=owner)
        else:
            self.staking.cancel_unbonding(provider, index, sender=owner)
            model.cancel_unbonding(index)
            self.settle(provider)

    @rule(provider=providers, count=st.sampled_from([1, 2, MAX_REQUESTS, MAX]))
    def withdraw(self, provider, count):
        model, owner = self.begin(provider), self.owner(provider)
        if not any(r.ready_at <= self.now for r in model.requests):
            with reverts("provider_staking: nothing to withdraw"):
                self.staking.withdraw(provider, count, sender=owner)
        elif self.holds(provider, self.staking.unbondings(provider), count):
            self.barely(provider, partial(self.staking.withdraw, provider, count, sender=owner))
        else:
            self.staking.withdraw(provider, count, sender=owner)
            paid = model.withdraw(self.now, count)
            self.wallets[self.world.payouts[provider - 1]] += paid
            self.settle(provider)

    def holds(self, provider: int, requests: list[Any], count: int) -> bool:
        """Whether open cases refuse to pay the last `count` matured requests."""
        matured = [r.tokens for r in reversed(requests) if r.ready_at <= self.now][:count]
        left = self.staking.slashable(provider) - sum(matured)
        # requests are redeemed together, so rounding can pay some units more than their sum
        return bool(left - len(matured) < self.model[provider].held_by_cases)

    def barely(self, provider: int, call: Callable[[], Any]) -> None:
        """A payment that cases refuse, but for some units at the edge, where rounding decides."""
        with self.evm.anchor():
            try:
                call()
            except Reverted as refusal:
                reason = str(refusal)
            else:
                reason = HELD
                left = self.staking.slashable(provider)
                assert 0 <= left - self.model[provider].held_by_cases <= MAX_REQUESTS
        assert reason == HELD

    # --- delegators -----------------------------------------------------------------------

    @rule(provider=providers, person=people, tokens=amounts)
    def delegate(self, provider, person, tokens):
        self.begin(provider)
        delegator = self.world.delegators[person]
        if self.staking.self_bond(provider).active < MIN_SELF_BOND:
            with reverts("provider_staking: provider lacks self-bond"):
                self.staking.delegate(provider, tokens, 0, sender=delegator)
        elif self.fits(provider, tokens):
            self._delegate(provider, delegator, tokens)

    def _delegate(self, provider: int, delegator: str, tokens: int) -> None:
        self.staking.delegate(provider, tokens, 0, sender=delegator)
        self.model[provider].delegate(delegator, Fraction(tokens))
        self.wallets[delegator] -= tokens

    @rule(provider=providers, person=people, part=parts)
    def undelegate(self, provider, person, part):
        self.begin(provider)
        self._undelegate(provider, self.world.delegators[person], part)

    def _undelegate(self, provider: int, delegator: str, part: Fraction) -> bool:
        model = self.model[provider]
        held, worth = self.staking.delegation(provider, delegator)
        shares = int(held * part)
        if worth * (held - shares) < MIN_DELEGATION * held + held or held - shares < LEAST_DEPOSIT:
            shares = held
        thin = model.leaving.price > 2
        if not held or worth * shares < 3 * LEAST_DEPOSIT * held or thin:
            return False
        if len(model.requests_of(delegator)) == MAX_REQUESTS:
            with reverts("provider_staking: too many open requests"):
                self.staking.undelegate(provider, shares, sender=delegator)
            return False
        self.staking.undelegate(provider, shares, sender=delegator)
        model.undelegate(delegator, Fraction(shares, held), self.now + UNBONDING_PERIOD)
        self.settle(provider)
        return True

    @rule(provider=providers, person=people, index=st.integers(0, 3))
    def cancel_undelegation(self, provider, person, index):
        model, delegator = self.begin(provider), self.world.delegators[person]
        open_requests = self.staking.undelegations(provider, delegator)
        if index >= len(open_requests):
            with reverts("provider_staking: no such request"):
                self.staking.cancel_undelegation(provider, index, 0, sender=delegator)
            return
        tokens = open_requests[index].tokens
        worth = self.staking.delegation(provider, delegator)[1]
        if worth + tokens > MIN_DELEGATION + 2 * model.dust and self.fits(provider, tokens):
            self.staking.cancel_undelegation(provider, index, 0, sender=delegator)
            model.cancel_undelegation(delegator, index)
            self.settle(provider)

    @rule(provider=providers, person=people, count=st.sampled_from([1, 2, MAX_REQUESTS, MAX]))
    def withdraw_delegation(self, provider, person, count):
        model, delegator = self.begin(provider), self.world.delegators[person]
        if not any(r.ready_at <= self.now for r in model.requests_of(delegator)):
            with reverts("provider_staking: nothing to withdraw"):
                self.staking.withdraw_delegation(provider, count, sender=delegator)
        elif self.holds(provider, self.staking.undelegations(provider, delegator), count):
            call = partial(self.staking.withdraw_delegation, provider, count, sender=delegator)
            self.barely(provider, call)
        else:
            self.staking.withdraw_delegation(provider, count, sender=delegator)
            self.wallets[delegator] += model.withdraw_delegation(delegator, self.now, count)
            self.settle(provider)

    @rule(provider=providers, other=providers, person=people, count=st.sampled_from([1, 2, MAX]))
    def move(self, provider, other, person, count):
        model, target = self.begin(provider), self.model[other]
        self.touched.add(other)
        delegator = self.world.delegators[person]
        requests = self.staking.undelegations(provider, delegator)
        move = partial(self.staking.move, provider, other, count, 0, sender=delegator)
        matured = [r.tokens for r in reversed(requests) if r.ready_at <= self.now][:count]
        if not matured:
            with self.refused(provider, "nothing to withdraw"):
                move()
        elif self.holds(provider, requests, count):
            self.barely_moved(provider, move)
        elif sum(matured) + len(matured) < MIN_DELEGATION:
            with self.refused(provider, "delegation below minimum"):
                move()
        elif self.staking.self_bond(other).active < MIN_SELF_BOND:
            with self.refused(provider, "provider lacks self-bond"):
                move()
        elif sum(matured) >= MIN_DELEGATION and self.fits(other, sum(matured)):
            move()
            paid = model.withdraw_delegation(delegator, self.now, count)
            self.settle(provider)
            target.dust += model.dust
            target.delegate(delegator, paid)

    def barely_moved(self, provider: int, move: Callable[[], Any]) -> None:
        """The same for a move, which may also fail for what its target demands."""
        with self.evm.anchor(), suppress(Reverted):
            before = self.token.balanceOf(self.staking)
            move()
            assert self.token.balanceOf(self.staking) == before

    @rule(provider=providers, person=people, tokens=amounts)
    def with_permit(self, provider, person, tokens):
        """Allowances are there already, so a permit that is worthless does no harm."""
        self.begin(provider)
        delegator, worthless = self.world.delegators[person], (0, 27, bytes(32), bytes(32))
        if self.staking.self_bond(provider).active < MIN_SELF_BOND:
            with self.refused(provider, "provider lacks self-bond"):
                self.staking.delegate_with_permit(provider, tokens, 0, *worthless, sender=delegator)
        elif self.fits(provider, tokens):
            self.staking.delegate_with_permit(provider, tokens, 0, *worthless, sender=delegator)
            self.model[provider].delegate(delegator, Fraction(tokens))
            self.wallets[delegator] -= tokens

    # --- anyone ---------------------------------------------------------------------------

    @rule(provider=providers, tokens=st.integers(0, 50 * UNIT))
    def add_rewards(self, provider, tokens):
        model, payer = self.begin(provider), self.world.thief
        pool = self.staking.delegation_pool(provider)
        if pool.shares and pool.tokens <= 2 * model.dust:
            return
        self.staking.add_rewards(provider, tokens, EMISSION, sender=payer)
        self.wallets[payer] -= tokens
        self.wallets[self.world.payouts[provider - 1]] += model.reward(tokens)

    @rule(tokens=st.integers(1, UNIT))
    def give_away(self, tokens):
        """Tokens sent to the contract past its functions belong to nobody."""
        self.steps += 1
        self.token.transfer(self.staking, tokens, sender=self.world.thief)
        self.wallets[self.world.thief] -= tokens
        self.donated += tokens

    @rule(seconds=st.sampled_from([1, LOCK_PERIOD, UNBONDING_PERIOD // 2, UNBONDING_PERIOD]))
    def wait(self, seconds):
        self.steps += 1
        self.evm.time_travel(seconds)

    # --- terms ----------------------------------------------------------------------------

    @rule(provider=providers, other=providers)
    def hand_over(self, provider, other):
        """Two steps; nobody else can take the second."""
        self.begin(provider)
        registry, owner, following = self.world.providers, self.owner(provider), self.owner(other)
        registry.transfer_provider(provider, following, sender=owner)
        with reverts("provider_registry: caller was not offered the provider"):
            registry.accept_provider(provider, sender=self.world.thief)
        registry.accept_provider(provider, sender=following)
        self.owners[provider - 1] = following

    @rule(provider=providers, bps=st.integers(0, 10_000))
    def change_commission(self, provider, bps):
        model = self.begin(provider)
        try:
            self.world.providers.set_commission(
                provider, EMISSION, bps, sender=self.owner(provider)
            )
        except Reverted:
            assert bps > model.commission_bps
        else:
            model.commission_bps = bps

    @rule(provider=providers, bps=st.integers(0, 10_000))
    def announce_reporter_cut(self, provider, bps):
        model = self.begin(provider)
        registry = self.world.providers
        if bps >= model.reporter_bps:
            with reverts("provider_registry: reporter cut can only be lowered"):
                registry.schedule_reporter_cut(provider, bps, sender=self.owner(provider))
        else:
            registry.schedule_reporter_cut(provider, bps, sender=self.owner(provider))
            model.next_reporter_bps = (bps, self.now + UNBONDING_PERIOD)

    @rule(provider=providers)
    def lower_reporter_cut(self, provider):
        model = self.begin(provider)
        bps, ready_at = model.next_reporter_bps or (0, MAX)
        if self.now < ready_at:
            with pytest.raises(Reverted):
                self.world.providers.lower_reporter_cut(provider, sender=self.world.thief)
        else:
            self.world.providers.lower_reporter_cut(provider, sender=self.world.thief)
            model.reporter_bps, model.next_reporter_bps = bps, None

    # --- attacks --------------------------------------------------------------------------

    @rule(provider=providers, person=people, tokens=amounts)
    def overreach(self, provider, person, tokens):
        """Arguments that nobody may get away with."""
        self.begin(provider)
        staking = self.staking
        owner, delegator = self.owner(provider), self.world.delegators[person]
        bond = staking.self_bond(provider)
        held, _ = staking.delegation(provider, delegator)
        refuse = partial(self.refused, provider)
        with refuse("nothing to stake"):
            staking.stake(provider, 0, sender=owner)
        with refuse("unknown provider"):
            staking.stake(2**24 - 1, tokens, sender=owner)
        with refuse("delegation below minimum"):
            staking.delegate(provider, MIN_DELEGATION - 1, 0, sender=delegator)
        with refuse("more shares than held"):
            staking.undelegate(provider, held + 1, sender=delegator)
        with refuse("more shares than held"):
            staking.undelegate(provider, MAX, sender=delegator)
        with refuse("more than the self-bond"):
            staking.unbond(provider, bond.active + 1, sender=owner)
        with refuse("more than the self-bond"):
            staking.unbond(provider, MAX, sender=owner)
        with refuse("nothing to withdraw"):
            staking.withdraw(provider, 0, sender=owner)
        with refuse("nothing to withdraw"):
            staking.withdraw_delegation(provider, 0, sender=delegator)
        with refuse("no such request"):
            staking.cancel_undelegation(provider, MAX, 0, sender=delegator)

    @rule(provider=providers, person=st.integers(0, 2), tokens=amounts)
    def trespass(self, provider, person, tokens):
        """A thief, another provider and a delegator try what is not theirs to do."""
        self.begin(provider)
        others = (self.world.thief, self.owner(provider % 3 + 1), self.world.delegators[0])
        someone, staking = others[person], self.staking
        if someone == self.owner(provider):
            return
        for call, *args in (
            (staking.unbond, tokens),
            (staking.unbond, 0),
            (staking.cancel_unbonding, 0),
            (staking.withdraw, MAX_REQUESTS),
        ):
            with self.refused(provider, "caller is not the provider's owner"):
                call(provider, *args, sender=someone)
        order = (tokens, someone, tokens, someone, 0)
        for call, *args in (
            (staking.lock, tokens),
            (staking.release, 0),
            (staking.seize, 0, someone),
            (staking.slash, order),
            (staking.jail, MAX % 2**64),
            (staking.hold, tokens),
            (staking.drop, 0),
        ):
            with reverts("roles: caller lacks the role"):
                call(provider, *args, sender=someone)

    @contextmanager
    def refused(self, provider: int, reason: str):
        before = self.staking.slashable(provider), self.token.balanceOf(self.staking)
        with reverts(f"provider_staking: {reason}"):
            yield
        assert (self.staking.slashable(provider), self.token.balanceOf(self.staking)) == before

    # --- invariants -----------------------------------------------------------------------

    @rule(provider=providers)
    def everybody_leaves(self, provider):
        """Each request is paid in full when its time has come, whatever the others do."""
        self.begin(provider)
        staking, token = self.staking, self.token
        payout = self.world.payouts[provider - 1]
        with self.what_if():
            model = self.model[provider]
            self.evm.time_travel(UNBONDING_PERIOD)
            if not self.let_go(provider):
                return
            for delegator, requests in model.leavers.items():
                if requests:
                    paid = staking.withdraw_delegation(provider, MAX, sender=delegator)
                    owed = sum(model.leaving.of(r) for r in requests)
                    assert abs(paid - owed) <= model.dust + len(requests)
            if model.requests:
                had = token.balanceOf(payout)
                staking.withdraw(provider, MAX, sender=self.owner(provider))
                owed = sum(model.thawing.of(r) for r in model.requests)
                assert abs(token.balanceOf(payout) - had - owed) <= model.dust
            assert staking.unbondings(provider) == []
            owed = sum(staking.slashable(p) for p in self.model)
            assert token.balanceOf(staking) == owed + self.donated

    def let_go(self, provider: int) -> bool:
        """Close the cases that hold a provider's stake; whether the model could follow."""
        return True

    @invariant()
    def balance_covers_what_is_owed(self):
        owed = {provider: self.staking.slashable(provider) for provider in self.model}
        assert self.token.balanceOf(self.staking) == sum(owed.values()) + self.donated
        for provider, model in self.model.items():
            assert abs(owed[provider] - model.slashable) <= model.dust

    @invariant()
    def views_equal_the_model(self):
        for provider in self.touched:
            self.check(provider, self.model[provider])
        self.touched.clear()

    @invariant()
    def nobody_has_more_in_hand_than_the_model(self):
        for holder, tokens in self.wallets.items():
            assert abs(self.token.balanceOf(holder) - tokens) <= self.dust

    def check(self, provider: int, model: Provider) -> None:
        staking, dust = self.staking, model.dust
        bond, pool = staking.self_bond(provider), staking.delegation_pool(provider)
        assert staking.slashable(provider) == (
            bond.active + bond.unbonding + pool.tokens + pool.unbonding
        )
        assert abs(bond.active - model.active) <= dust
        assert abs(bond.unbonding - model.thawing.tokens) <= dust
        assert abs(pool.tokens - model.delegations.tokens) <= dust
        assert abs(pool.unbonding - model.leaving.tokens) <= dust
        assert bond.held == model.held
        assert staking.held_by_cases(provider) == (model.held_by_cases, model.exit_at)
        epoch = (self.now - GENESIS) // EPOCH_LENGTH
        assert bond.cooling == model.cooling(self.now // LOCK_PERIOD)
        free = max(0, bond.active - bond.held - bond.cooling)
        assert staking.free_self_bond(provider) == free
        self.check_requests(staking.unbondings(provider), model.requests, model.thawing, dust)

        shares = 0
        for delegator in self.world.delegators:
            held, worth = staking.delegation(provider, delegator)
            shares += held
            assert (held != 0) <= (delegator in model.delegations.holdings)
            if delegator not in self.owners:
                assert staking.stake_at(provider, delegator, epoch) == worth
            assert abs(worth - model.delegations.of(delegator)) <= dust + 1
            requests = staking.undelegations(provider, delegator)
            self.check_requests(requests, model.requests_of(delegator), model.leaving, dust)
        # what rescaling rounded away belongs to nobody
        assert shares <= pool.shares
        assert (pool.shares - shares) * pool.tokens <= dust * pool.shares

    @staticmethod
    def check_requests(found: list[Any], expected: list[Any], pool: Any, dust: Fraction) -> None:
        assert [r.ready_at for r in found] == [r.ready_at for r in expected]
        for request, modelled in zip(found, expected, strict=True):
            assert abs(request.tokens - pool.of(modelled)) <= dust + 1


class RoleMachine(StakingMachine):
    """Also escrow and court, as keys that do whatever their roles allow."""

    # --- escrow ---------------------------------------------------------------------------

    @rule(provider=providers, part=parts)
    def lock(self, provider, part):
        model, escrow = self.begin(provider), self.world.escrow
        tokens = int(self.staking.free_self_bond(provider) * part)
        active = self.staking.self_bond(provider).active
        if model.jailed_until and (self.now < model.jailed_until or active < MIN_SELF_BOND):
            with reverts("provider_staking: provider is jailed"):
                self.staking.lock(provider, tokens, sender=escrow)
        elif active >= self.locked(provider):
            self.staking.lock(provider, tokens, sender=escrow)
            model.held += tokens
        else:
            with reverts("provider_staking: not enough free self-bond"):
                self.staking.lock(provider, tokens, sender=escrow)

    @rule(provider=providers, part=parts)
    def release(self, provider, part):
        model = self.begin(provider)
        tokens = int(model.held * part)
        self.staking.release(provider, tokens, sender=self.world.escrow)
        model.held -= tokens
        window = self.now // LOCK_PERIOD
        model.released[window] = model.released.get(window, 0) + tokens

    @rule(provider=providers, part=parts)
    def seize(self, provider, part):
        model = self.begin(provider)
        tokens = int(model.held * part)
        paid = self.staking.seize(provider, tokens, self.world.victim, sender=self.world.escrow)
        bond = model.active + model.thawing.tokens
        assert abs(paid - min(tokens, bond)) <= model.dust
        model.held -= tokens
        model.take_self_bond(Fraction(paid))
        self.wallets[self.world.victim] += paid
        self.settle(provider)

    # --- court ----------------------------------------------------------------------------

    @rule(
        provider=providers,
        part=parts,
        spared=st.sampled_from([0, 0, 0, 1, 10**6, 10**12, 10**15]),
        beyond=st.sampled_from([0, 0, 0, 1, UNIT]),
        victims=parts,
        reporters=parts,
    )
    def slash(self, provider, part, spared, beyond, victims, reporters):
        self.begin(provider)
        slashable = self.staking.slashable(provider)
        amount = max(0, int(slashable * part) - spared) + (beyond if part == 1 else 0)
        self._slash(provider, amount, victims, reporters)

    def _slash(self, provider: int, amount: int, victims: Fraction, reporters: Fraction) -> None:
        model, world = self.model[provider], self.world
        to_victim = int(amount * victims)
        cap = min(amount - to_victim, amount * model.reporter_bps // 10_000)
        to_reporter = int(cap * reporters)
        order = (amount, world.victim, to_victim, world.reporter, to_reporter)
        supply = self.token.totalSupply()
        had = [self.token.balanceOf(a) for a in (world.victim, world.reporter)]
        taken = self.staking.slash(provider, order, sender=world.court)
        assert abs(taken - min(amount, model.slashable)) <= model.dust
        model.slash(Fraction(taken))

        got = [
            self.token.balanceOf(a) - before
            for a, before in zip((world.victim, world.reporter), had, strict=True)
        ]
        left = taken - min(to_victim, taken)
        assert got[0] == min(to_victim, taken)
        assert got[1] == min(to_reporter, left, taken * model.reporter_bps // 10_000)
        assert supply - self.token.totalSupply() == taken - sum(got)
        self.wallets[world.victim] += got[0]
        self.wallets[world.reporter] += got[1]
        self.settle(provider)

    @rule(provider=providers, part=st.one_of(parts, st.just(Fraction(3, 2))))
    def hold(self, provider, part):
        model = self.begin(provider)
        tokens = int(self.staking.slashable(provider) * part)
        self.staking.hold(provider, tokens, sender=self.world.court)
        model.held_by_cases += tokens

    @rule(provider=providers, part=parts)
    def drop(self, provider, part):
        model = self.begin(provider)
        tokens = int(model.held_by_cases * part)
        self.staking.drop(provider, tokens, sender=self.world.court)
        model.held_by_cases -= tokens

    @rule(provider=providers, days=st.integers(0, 20))
    def jail(self, provider, days):
        model = self.begin(provider)
        until = self.now + days * DAY
        self.staking.jail(provider, until, sender=self.world.court)
        model.jailed_until = max(model.jailed_until, until)

    @rule(provider=providers, tokens=amounts)
    def exceed(self, provider, tokens):
        """Arguments that the holders of roles may not get away with either."""
        self.begin(provider)
        world, staking = self.world, self.staking
        cut = tokens * self.model[provider].reporter_bps // 10_000 + 1
        refuse = partial(self.refused, provider)
        with refuse("more than is locked"):
            staking.release(provider, staking.self_bond(provider).held + 1, sender=world.escrow)
        with refuse("more than cases hold"):
            staking.drop(provider, MAX, sender=world.court)
        with refuse("more than is locked"):
            staking.seize(provider, MAX, world.thief, sender=world.escrow)
        with refuse("order spends more than it takes"):
            order = (tokens, world.victim, tokens, world.reporter, 1)
            staking.slash(provider, order, sender=world.court)
        if cut <= tokens:
            with refuse("reporter cut over the signed share"):
                order = (tokens, world.victim, 0, world.reporter, cut)
                staking.slash(provider, order, sender=world.court)

    @rule(
        provider=providers,
        person=people,
        part=parts,
        slashed=st.fractions(0, 1),
        returns=st.booleans(),
    )
    def dodge(self, provider, person, part, slashed, returns):
        """Leaving before a slash, even to come back after, pays no better than staying."""
        self.begin(provider)
        model, delegator = self.model[provider], self.world.delegators[person]
        amount = int(self.staking.slashable(provider) * slashed)
        order = (amount, self.world.victim, 0, self.world.reporter, 0)
        slack = 4 * (model.delegations.grain + model.leaving.grain)
        # what a wiped pool left is the next owner's, so it is found by leaving, slash or not
        slack += model.leaving.orphaned
        with self.evm.anchor():
            self.staking.slash(provider, order, sender=self.world.court)
            stayed = self.wealth(provider, delegator)
            if not self.staking.delegation_pool(provider).shares:
                slack += MIN_TOKENS
        with self.evm.anchor():
            held, _ = self.staking.delegation(provider, delegator)
            before = self.wealth(provider, delegator)
            shares = int(held * part)
            # what the contract refuses is no way to dodge
            try:
                self.staking.undelegate(provider, shares, sender=delegator)
            except Reverted:
                return
            index = len(self.staking.undelegations(provider, delegator)) - 1
            self.staking.slash(provider, order, sender=self.world.court)
            if returns and self.staking.undelegations(provider, delegator):
                with self.evm.anchor():
                    leaves = self.wealth(provider, delegator)
                    assert leaves <= stayed + slack
                try:
                    self.staking.cancel_undelegation(provider, index, 0, sender=delegator)
                except Reverted:
                    return
            dodged = self.wealth(provider, delegator)
        assert dodged <= stayed + slack
        assert dodged <= before + slack

    def let_go(self, provider: int) -> bool:
        held, _ = self.staking.held_by_cases(provider)
        self.staking.drop(provider, held, sender=self.world.court)
        return True


def play(world: World, machine: type[StakingMachine], examples: int, steps: int) -> str:
    """Run the machine; returns how much of it ran."""
    run_state_machine_as_test(
        partial(machine, world),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return f"{machine.__name__}: {world.steps:,} steps, the longest sequence {world.longest}"


def test_short_lives(world, tell):
    tell(play(world, RoleMachine, examples=30, steps=40))


@pytest.mark.slow
def test_long_lives(world, tell):
    """At least 200 000 steps."""
    while world.steps < 200_000:
        summary = play(world, RoleMachine, examples=1_000, steps=60)
    tell(summary)
