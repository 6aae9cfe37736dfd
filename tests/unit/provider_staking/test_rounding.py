"""Rounding: who may lose the odd unit, and that nobody can make it a fortune.

First the arithmetic of one pool, over all pools that can exist; then whole lives of a
provider through the contract itself.
"""

from fractions import Fraction
from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.compiled import CONTRACTS, compiled

UNIT = 10**18
EMISSION = 1
MIN_SHARES = 10**9
MAX_SHARES_PER_TOKEN = 10**9
MIN_TOKENS = 10**9
RESCALE = 10
MAX_RESCALES = 20
MAX_TOKENS = 2**96 - 1


@pytest.fixture(scope="module")
def arithmetic() -> Any:
    return compiled(CONTRACTS / "modules" / "share_pool.vy").deploy().internal


def pack(tokens: int, shares: int, generation: int = 0) -> int:
    return tokens | shares << 96 | generation << 224


def anew(generation: int) -> int:
    """The generation of a pool that starts anew: one life more, no rescale yet."""
    return ((generation >> 12) + 1) << 12


def unpack(word: int) -> tuple[int, int, int]:
    return word & 2**96 - 1, word >> 96 & 2**128 - 1, word >> 224


@st.composite
def pools(draw: st.DrawFn, least: int = 1) -> tuple[int, int]:
    """Tokens and shares of any pool that deposits, rewards and slashes can lead to."""
    tokens = draw(st.integers(least, 2**90))
    shares = draw(st.integers(MIN_SHARES, max(MIN_SHARES, tokens * MAX_SHARES_PER_TOKEN)))
    assume(shares <= tokens * MAX_SHARES_PER_TOKEN)
    return tokens, shares


AMOUNTS = st.integers(1, 2**90)


# --- arithmetic ---------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(pool=pools(), paid=AMOUNTS)
def test_deposit_never_takes_from_the_others(arithmetic, pool, paid):
    tokens, shares = pool
    assume(paid * shares // tokens >= MIN_SHARES)
    word, minted = arithmetic._deposit(pack(tokens, shares), paid)
    assert unpack(word) == (tokens + paid, shares + minted, 0)
    # the price of a share does not fall: (tokens + paid) / (shares + minted) >= tokens / shares
    assert (tokens + paid) * shares >= tokens * (shares + minted)


@settings(max_examples=100, deadline=None)
@given(pool=pools(), paid=AMOUNTS)
def test_depositor_loses_at_most_a_billionth_and_gains_nothing(arithmetic, pool, paid):
    tokens, shares = pool
    assume(paid * shares // tokens >= MIN_SHARES)
    word, minted = arithmetic._deposit(pack(tokens, shares), paid)
    worth = arithmetic._value(word, minted)
    assert paid - paid // 10**9 - 2 <= worth <= paid


@settings(max_examples=100, deadline=None)
@given(pool=pools(), paid=AMOUNTS)
def test_amount_too_small_for_fine_shares_reverts(arithmetic, pool, paid):
    tokens, shares = pool
    assume(paid * shares // tokens < MIN_SHARES)
    with boa.reverts("share_pool: amount too small"):
        arithmetic._deposit(pack(tokens, shares), paid)


@settings(max_examples=100, deadline=None)
@given(pool=pools(), part=st.fractions(0, 1))
def test_redeeming_never_takes_from_the_others(arithmetic, pool, part):
    tokens, shares = pool
    redeemed = int(shares * part)
    word, paid = arithmetic._redeem(pack(tokens, shares), redeemed)
    left = shares - redeemed
    if 0 < left < MIN_SHARES and tokens - paid < MIN_TOKENS:
        assert unpack(word) == (tokens - paid, 0, anew(0))
    else:
        assert unpack(word) == (tokens - paid, left, 0)
    assert paid == redeemed * tokens // shares
    assert (tokens - paid) * shares >= tokens * (shares - redeemed)


@settings(max_examples=50, deadline=None)
@given(pool=pools())
def test_last_one_out_takes_everything(arithmetic, pool):
    tokens, shares = pool
    assert arithmetic._redeem(pack(tokens, shares), shares) == (0, tokens)


@settings(max_examples=200, deadline=None)
@given(
    pool=pools(),
    left=st.one_of(st.fractions(0, 1), st.integers(0, 10**19)),
    generation=st.integers(0, 2**32 - 2**13),
)
def test_slash_leaves_owners_shares_that_fit(arithmetic, pool, left, generation):
    tokens, shares = pool
    left = int(tokens * left) if isinstance(left, Fraction) else min(left, tokens)
    assume(generation % 2**12 < 2**12 - MAX_RESCALES)
    held, kept, now = unpack(arithmetic._scale(pack(tokens, shares, generation), left))
    assert held == left
    if left < MIN_TOKENS:
        assert (kept, now) == (0, anew(generation))
        return
    # rescaled as seldom as it can be
    steps = now - generation
    assert kept == shares // RESCALE**steps <= left * MAX_SHARES_PER_TOKEN
    if steps:
        assert shares // RESCALE ** (steps - 1) > left * MAX_SHARES_PER_TOKEN
        assert kept >= left * MAX_SHARES_PER_TOKEN // RESCALE


@pytest.mark.parametrize(("shares", "kept"), [(10**18, 10**18), (10**18 + 1, 10**17)])
def test_rescaled_only_beyond_the_bound(arithmetic, shares, kept):
    """10**9 shares per base unit are not too many."""
    assert unpack(arithmetic._scale(pack(10**10, shares), 10**9))[1] == kept


@settings(max_examples=200, deadline=None)
@given(
    pool=pools(least=MIN_TOKENS),
    left=st.integers(MIN_TOKENS, 10**19),
    parts=st.lists(st.fractions(0, 1), min_size=1, max_size=4),
)
def test_rescale_costs_a_holder_no_base_unit(arithmetic, pool, left, parts):
    tokens, shares = pool
    left = min(left, tokens)
    word = arithmetic._scale(pack(tokens, shares), left)
    _, kept, now = unpack(word)
    holders = [int(shares * part) // len(parts) for part in parts]
    today = [arithmetic._current(word, held, 0) for held in holders]
    assert sum(today) <= kept
    for held, owned in zip(holders, today, strict=True):
        worth = arithmetic._value(word, owned)
        exact = Fraction(held * left, shares)
        # a share that rescaling rounds away is worth less than 10**-8 units
        cost = Fraction(1, 10**8) if now else 0
        assert exact - cost - 1 < worth
        assert worth <= exact * Fraction(shares, shares - shares % RESCALE**now)


@pytest.mark.parametrize("steps", [0, 1, 2, MAX_RESCALES, 37, 38, 39, 4_000])
def test_shares_of_earlier_generations(arithmetic, steps):
    held = 2**128 - 1
    generation = (7 << 12) | 9
    word = pack(1, 0, generation + steps)
    assert arithmetic._current(word, held, generation) == held // RESCALE**steps


def test_shares_of_an_earlier_life_are_worth_nothing(arithmetic):
    assert arithmetic._current(pack(1, 0, 1 << 12), 2**128 - 1, 0) == 0
    assert arithmetic._current(pack(1, 0, 1 << 12), 2**128 - 1, (1 << 12) - 1) == 0


@settings(max_examples=100, deadline=None)
@given(active=st.integers(0, 2**90), thawing=st.integers(0, 2**90), part=st.fractions(0, 1))
def test_slash_is_split_exactly_and_rounds_up_for_those_who_leave(
    arithmetic, active, thawing, part
):
    total = active + thawing
    taken = int(total * part)
    active_left, thawing_left = arithmetic._remaining(active, thawing, taken)
    assert active_left + thawing_left == total - taken
    assert 0 <= active_left <= active
    if total:
        assert thawing_left == thawing * (total - taken) // total


@settings(max_examples=50, deadline=None)
@given(tokens=st.integers(1, MAX_TOKENS), paid=st.integers(1, MAX_TOKENS))
def test_shares_of_the_cheapest_pool_fit_their_field(arithmetic, tokens, paid):
    assume(tokens + paid <= MAX_TOKENS)
    shares = tokens * MAX_SHARES_PER_TOKEN
    word, minted = arithmetic._deposit(pack(tokens, shares), paid)
    assert unpack(word) == (tokens + paid, shares + minted, 0)
    assert shares + minted < 2**128


# --- through the contract -----------------------------------------------------------------

through_contract = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@through_contract
@given(
    kept=st.integers(0, 10**18),
    donation=st.integers(0, 400_000 * UNIT),
    paid=st.integers(1 * UNIT, 3 * UNIT),
)
def test_first_delegator_cannot_inflate_away_the_second(
    providers, staking, provider, owner, deployer, alice, bob, kept, donation, paid
):
    """The Graph: inflation through a tiny remainder. Alice tries, Bob asks for any shares."""
    with boa.env.anchor():
        providers.set_commission(provider, EMISSION, 0, sender=owner)
        staking.delegate(provider, 1 * UNIT, 0, sender=alice)
        staking.add_rewards(provider, donation, EMISSION, sender=deployer)
        price = staking.delegation_pool(provider).tokens
        if kept >= MIN_SHARES and UNIT - kept >= MIN_SHARES and kept * price // UNIT >= UNIT:
            staking.undelegate(provider, UNIT - kept, sender=alice)
        before = staking.delegation(provider, alice)[1]
        shares = staking.delegate(provider, paid, 0, sender=bob)
        assert shares >= MIN_SHARES
        assert paid - staking.delegation(provider, bob)[1] <= paid // 10**9 + 1
        assert staking.delegation(provider, alice)[1] - before <= paid // 10**9 + 1


@through_contract
@given(amounts=st.lists(st.integers(1 * UNIT, 50 * UNIT), min_size=1, max_size=6))
def test_going_in_and_out_pays_nobody(token, staking, provider, deployer, alice, bob, amounts):
    """Whoever delegates and leaves at once, however often, never has more than before."""
    with boa.env.anchor():
        staking.delegate(provider, 7 * UNIT, 0, sender=alice)
        staking.add_rewards(provider, UNIT // 3, EMISSION, sender=deployer)
        had, alices = token.balanceOf(bob), staking.delegation(provider, alice)[1]
        for amount in amounts:
            shares = staking.delegate(provider, amount, 0, sender=bob)
            staking.undelegate(provider, shares, sender=bob)
        boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())
        staking.withdraw_delegation(provider, 32, sender=bob)
        assert had - 2 * len(amounts) <= token.balanceOf(bob) <= had
        assert staking.delegation(provider, alice)[1] >= alices


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["stake", "unbond", "withdraw", "delegate", "undelegate", "cancel", "reward", "slash"]
        ),
        st.integers(0, 2),
        st.fractions(0, 1),
    ),
    min_size=4,
    max_size=14,
)


class Life:
    """One provider, its owner and three delegators, doing whatever is possible."""

    def __init__(self, token, staking, provider, owner, slash, deployer, delegators):
        self.token = token
        self.staking = staking
        self.provider = provider
        self.owner = owner
        self.take = slash
        self.deployer = deployer
        self.delegators = delegators

    def stake(self, who, part):
        self.staking.stake(self.provider, 100 * UNIT + int(part * 100 * UNIT), sender=who)

    def unbond(self, who, part):
        bond = self.staking.self_bond(self.provider)
        tokens = int(part * bond.active)
        rest = bond.active - tokens
        if tokens < MIN_SHARES or 0 < rest < self.staking.MIN_SELF_BOND():
            return
        self.staking.unbond(self.provider, tokens, sender=self.owner)

    def withdraw(self, who, part):
        boa.env.time_travel(seconds=self.staking.UNBONDING_PERIOD() // 2)
        now = boa.env.evm.patch.timestamp
        if any(r.ready_at <= now for r in self.staking.unbondings(self.provider)):
            self.staking.withdraw(self.provider, 32, sender=self.owner)
        if any(r.ready_at <= now for r in self.staking.undelegations(self.provider, who)):
            self.staking.withdraw_delegation(self.provider, 32, sender=who)

    def delegate(self, who, part):
        if self.staking.self_bond(self.provider).active < self.staking.MIN_SELF_BOND():
            return
        tokens = UNIT + int(part * 100 * UNIT)
        pool = self.staking.delegation_pool(self.provider)
        if pool.shares and tokens * pool.shares // pool.tokens < MIN_SHARES:
            return
        self.staking.delegate(self.provider, tokens, 0, sender=who)

    def undelegate(self, who, part):
        held, worth = self.staking.delegation(self.provider, who)
        shares = int(part * held)
        tokens = shares * worth // held if held else 0
        if tokens < 2 * MIN_SHARES:
            return
        if worth - tokens < 2 * UNIT:
            shares = held
        if len(self.staking.undelegations(self.provider, who)) < 32:
            self.staking.undelegate(self.provider, shares, sender=who)

    def cancel(self, who, part):
        requests = self.staking.undelegations(self.provider, who)
        worth = self.staking.delegation(self.provider, who)[1]
        pool = self.staking.delegation_pool(self.provider)
        if not requests:
            return
        index = int(part * (len(requests) - 1))
        tokens = requests[index].tokens
        shares = tokens * pool.shares // pool.tokens if pool.shares else tokens
        if shares < MIN_SHARES or worth + tokens < 2 * UNIT:
            return
        self.staking.cancel_undelegation(self.provider, index, 0, sender=who)

    def reward(self, who, part):
        self.staking.add_rewards(
            self.provider, int(part * 10 * UNIT), EMISSION, sender=self.deployer
        )

    def slash(self, who, part):
        self.take(self.provider, int(part * self.staking.slashable(self.provider)))

    def check(self):
        """The contract holds what it owes, and owes nobody more than a pool holds."""
        staking, provider = self.staking, self.provider
        bond, pool = staking.self_bond(provider), staking.delegation_pool(provider)
        assert self.token.balanceOf(staking) == staking.slashable(provider)
        assert staking.slashable(provider) == (
            bond.active + bond.unbonding + pool.tokens + pool.unbonding
        )
        held = [staking.delegation(provider, d) for d in self.delegators]
        assert sum(shares for shares, _ in held) == pool.shares
        assert all(shares == 0 or shares >= MIN_SHARES for shares, _ in held)
        assert pool.shares <= pool.tokens * MAX_SHARES_PER_TOKEN
        worth = sum(tokens for _, tokens in held)
        assert worth <= pool.tokens
        if pool.shares:
            assert pool.tokens - worth < len(held)
        leaving = [r.tokens for d in self.delegators for r in staking.undelegations(provider, d)]
        assert sum(leaving) <= pool.unbonding
        if leaving:
            assert pool.unbonding - sum(leaving) < len(leaving)
        own = [r.tokens for r in staking.unbondings(provider)]
        assert sum(own) <= bond.unbonding
        if own:
            assert bond.unbonding - sum(own) < len(own)


@through_contract
@given(actions=ACTIONS)
def test_whole_lives_leave_only_dust(
    token, staking, provider, owner, slash, deployer, alice, bob, actions
):
    with boa.env.anchor():
        life = Life(token, staking, provider, owner, slash, deployer, (alice, bob, owner))
        for action, actor, part in actions:
            getattr(life, action)(life.delegators[actor], part)
            life.check()
        # in the end everybody leaves with all that is theirs
        if len(staking.unbondings(provider)) < 32:
            life.unbond(owner, 1)
        for delegator in life.delegators:
            life.undelegate(delegator, 1)
        boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())
        for delegator in life.delegators:
            life.withdraw(delegator, 1)
        life.check()
