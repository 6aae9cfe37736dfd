"""Credits in a machine: bought for burnt tokens at a price that moves, spent, and made up for."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from oracle.domain.credits import by_provider, redeem
from oracle.domain.market import FIRST_CLUSTER
from tests.stateful.conftest import DEPLOYER, PURSE, deploy
from tests.stateful.evm import Contract, Evm, address_of, reverts
from tests.unit.conftest import DAY, HOUR, ROLE_DELAY, ROOT, UNIT, role
from tests.unit.prices.conftest import CENT, USD, Feed

ESCROW = address_of("escrow of credits")
# payees of the escrow: providers, and a cluster of two of them with so many GPUs
CLUSTER = FIRST_CLUSTER + 1
GPUS = {CLUSTER: {1: 2, 3: 1}}
PAYEES = (1, 2, 3, CLUSTER)
# of the feed's modes
HONEST, REVERTS = 0, 1
# with 8 decimals: 50 cents
FIRST_ANSWER = 50 * CENT
NO_PRICE = "compute_credits: no usable price"

buyers = st.integers(0, 4)
parts = st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(1, 7)])


@dataclass(kw_only=True)
class CreditWorld:
    """The contracts that sell credits, and the feed that says for how much."""

    credits: Contract
    prices: Contract
    feed: Contract


def open_credits(evm: Evm, token: Contract, clock: Contract, customers: list[str]) -> CreditWorld:
    """Credits that sell at 50 cents a token; a lone key is their escrow."""
    prices = deploy(evm, "Prices", token, DEPLOYER, ROLE_DELAY)
    feed = evm.deploy(
        ROOT / "tests" / "contracts" / "odd_feed.vy", FIRST_ANSWER, 8, sender=DEPLOYER
    )
    sold = deploy(evm, "ComputeCredits", token, prices, clock, ROLE_DELAY)
    prices.set_feed(token, astuple(of_token(feed)), sender=DEPLOYER)
    own = Feed(sold.address, asset_decimals=6)
    prices.set_feed(sold, astuple(own), sender=DEPLOYER)
    sold.set_role(role("ESCROW"), ESCROW, sender=DEPLOYER)
    for buyer in customers:
        token.approve(sold, 2**256 - 1, sender=buyer)
        sold.approve(ESCROW, 2**256 - 1, sender=buyer)
    return CreditWorld(credits=sold, prices=prices, feed=feed)


def of_token(feed: Contract) -> Feed:
    """How the work token's feed is read; fresh for a day."""
    return Feed(feed.address, max_age=DAY)


@dataclass
class Price:
    """What Prices says of the work token, in plain integers."""

    rules: Feed
    updated_at: int
    answer: int = FIRST_ANSWER
    answers: bool = True
    suspended: bool = False
    # the last good price and when it was remembered
    seen: int = FIRST_ANSWER * USD // 10**8
    seen_at: int = 0

    def now(self, time: int) -> int:
        """USD with 18 decimals a token; 0 where it is not usable."""
        price = self.answer * USD // 10**8
        if self.suspended or not self.answers or not self.rules.lower <= price <= self.rules.upper:
            return 0
        if not 0 <= time - self.updated_at <= self.rules.max_age:
            return 0
        intervals = max(1, (time - self.seen_at) // self.rules.interval)
        allowed = self.seen * self.rules.max_deviation_bps * intervals // 10_000
        return price if abs(price - self.seen) <= allowed else 0

    def poke(self, time: int) -> int:
        """The same; what is good is remembered, once an interval."""
        price = self.now(time)
        if price and time - self.seen_at >= self.rules.interval:
            self.seen, self.seen_at = price, time
        return price


@dataclass
class CreditBooks:
    """Where every credit is or went, and every token that was burnt for one. Base units."""

    held: list[int] = field(default_factory=lambda: [0] * 5)
    escrow: int = 0
    bought: int = 0
    burnt: int = 0
    # destroyed as income and as fees
    spent: int = 0
    fees: int = 0
    burnt_in: Counter[int] = field(default_factory=Counter)
    spent_in: Counter[tuple[int, int]] = field(default_factory=Counter)
    # of the income: reported and not made up for, by provider
    owed: dict[int, int] = field(default_factory=dict)
    # reported; made up for at the price of the day; the most that rounding has lost
    reported: int = 0
    covered: Fraction = Fraction(0)
    lost: Fraction = Fraction(0)


class CreditMachine(RuleBasedStateMachine):
    """Customers, their escrow and the price; who inherits it makes up for what was earned."""

    world: Any
    evm: Evm
    token: Contract
    steps: int
    epoch: int

    def open_books(self) -> None:
        """Before the first step."""
        self.credits, self.prices = self.world.credits, self.world.prices
        self.feed = self.world.feed
        self.price = Price(of_token(self.feed), self.evm.timestamp, seen_at=self.evm.timestamp)
        self.books = CreditBooks()
        self.purses = [self.token.balanceOf(buyer) for buyer in self.world.delegators]
        # what was burnt before, such as prices of places
        self.burnt_elsewhere = self.token.minted() - self.token.totalSupply()

    def tally(self, outcome: str) -> None:
        raise NotImplementedError

    # --- the price ------------------------------------------------------------------------

    @rule(
        move=st.sampled_from([-10_000, -9_900, -3_000, -1_000, -37, 0, 0, 1, 1_000, 1_001, 25_000]),
        age=st.sampled_from([0, 0, 0, 0, DAY - HOUR, DAY, DAY + 1, -1]),
    )
    def answer(self, move, age):
        """The feed moves by so many bps: too far, out of bounds, or old."""
        self.steps += 1
        self._answer(move, age)

    def _answer(self, move: int, age: int) -> None:
        good = self.price.seen * 10**8 // USD
        self.price.answer = good + good * move // 10_000
        self.price.updated_at = self.evm.timestamp - age
        self.price.answers = True
        self.feed.misbehave(HONEST, HONEST)
        self.feed.say(self.price.answer, age)

    @rule()
    def break_feed(self):
        self.steps += 1
        self.price.answers = False
        self.feed.misbehave(HONEST, REVERTS)

    @rule(suspended=st.sampled_from([True, False, False]))
    def suspend(self, suspended):
        self.steps += 1
        self._suspend(suspended)

    def _suspend(self, suspended: bool) -> None:
        self.prices.set_suspended(self.token.address, suspended, sender=DEPLOYER)
        self.price.suspended = suspended

    def refresh(self) -> None:
        """A price again after whatever happened: time outruns a feed that few steps repeat."""
        self._suspend(False)
        self._answer(0, 0)

    @rule()
    def poke(self):
        self.steps += 1
        price = self.price.poke(self.evm.timestamp)
        assert self.prices.poke(self.token.address) == (price, price != 0)

    # --- buying and spending --------------------------------------------------------------

    @rule(
        who=buyers,
        amount=st.one_of(
            st.integers(UNIT, 5_000 * UNIT),
            st.sampled_from([2 * 10**12 - 1, 2 * 10**12, 20_000 * UNIT, PURSE]),
        ),
        missing=st.sampled_from([0, 0, 0, 1]), fresh=st.sampled_from([True, True, False]),
        part=parts,
    )  # fmt: skip
    def buy(self, who, amount, missing, fresh, part):
        """`missing`: credits that the buyer asks for above what it can get. `part`: of them all,
        for a job at once.
        """
        self.steps += 1
        if fresh:
            self.refresh()
        buyer, now = self.world.delegators[who], self.evm.timestamp
        price = self.price.now(now)
        worth = amount * price // 10**30
        refused = (
            (not price, NO_PRICE),
            (amount > self.purses[who], "erc20: burn amount exceeds balance"),
            (not worth, "compute_credits: buys nothing"),
            (missing, "compute_credits: fewer credits than asked for"),
        )
        for is_so, reason in refused:
            if is_so:
                with reverts(reason):
                    self.credits.buy(amount, worth + missing, sender=buyer)
                self.tally(f"not sold, {reason.split(': ')[1]}")
                return
        assert self.credits.buy(amount, worth, sender=buyer) == worth
        self.price.poke(now)
        self.purses[who] -= amount
        books = self.books
        books.held[who] += worth
        books.bought += worth
        books.burnt += amount
        books.burnt_in[self.epoch] += amount
        self.tally("bought")
        self._deposit(who, part)

    @rule(who=buyers, part=parts)
    def deposit(self, who, part):
        self.steps += 1
        self._deposit(who, part)

    def _deposit(self, who: int, part: Fraction) -> None:
        amount = int(self.books.held[who] * part)
        self.credits.transferFrom(self.world.delegators[who], ESCROW, amount, sender=ESCROW)
        self.books.held[who] -= amount
        self.books.escrow += amount
        if amount:
            self.tally("deposited")

    def _pay_out(self, name: str, part: Fraction, *arguments: Any) -> int:
        """The escrow sends or destroys a part of what it holds; returns how much."""
        amount = int(self.books.escrow * part)
        if self.credits.is_escrow(ESCROW):
            getattr(self.credits, name)(*arguments, amount, sender=ESCROW)
        else:
            with reverts("compute_credits: caller has never been the escrow"):
                getattr(self.credits, name)(*arguments, amount, sender=ESCROW)
        self.books.escrow -= amount
        return amount

    @rule(who=buyers, part=parts)
    def refund(self, who, part):
        self.steps += 1
        self.books.held[who] += self._pay_out("transfer", part, self.world.delegators[who])

    @rule(payee=st.sampled_from(PAYEES), part=parts)
    def spend(self, payee, part):
        """A payee withdraws what it earned."""
        self.steps += 1
        amount = self._pay_out("spend", part, payee)
        self.books.spent += amount
        self.books.spent_in[self.epoch, payee] += amount
        if amount:
            self.tally("spent")

    @rule(part=parts)
    def collect(self, part):
        """The collector's fees."""
        self.steps += 1
        amount = self._pay_out("burn", part)
        self.books.fees += amount
        if amount:
            self.tally("fees destroyed")

    @rule(who=buyers)
    def steal(self, who):
        """Neither a holder nor anybody else moves credits, nor the escrow more than it has."""
        self.steps += 1
        thief, holder, more = self.world.thief, self.world.delegators[who], self.books.escrow + 1
        with reverts("compute_credits: credits go into the escrow only"):
            self.credits.transferFrom(holder, thief, 1, sender=thief)
        for sender in (holder, thief):
            with reverts("compute_credits: caller has never been the escrow"):
                self.credits.transfer(thief, 1, sender=sender)
        with reverts("compute_credits: caller has never been the escrow"):
            self.credits.spend(1, 1, sender=thief)
        if self.credits.is_escrow(ESCROW):
            with reverts("compute_credits: balance too small"):
                self.credits.spend(1, more, sender=ESCROW)

    # --- what the emission makes up for ---------------------------------------------------

    def make_up(self, first: int, last: int, available: int) -> Mapping[int, int]:
        """What a report on these epochs pays providers for credits, base units of the token."""
        books = self.books
        earned = {
            payee: sum(self.credits.spent_in(epoch, payee) for epoch in range(first, last + 1))
            for payee in PAYEES
        }
        assert earned == {
            payee: sum(books.spent_in[epoch, payee] for epoch in range(first, last + 1))
            for payee in PAYEES
        }
        owed = dict(books.owed)
        for provider, amount in by_provider(earned, GPUS).items():
            owed[provider] = owed.get(provider, 0) + amount
        total, price = sum(owed.values()), self.price.now(self.evm.timestamp)
        books.reported += sum(earned.values())
        worth = total * 10**30 // price if price else 0
        assert self.prices.in_work(self.credits.address, total) == worth
        redeemed = redeem(owed, worth, available)
        paid = sum(redeemed.paid.values())
        assert paid <= min(worth, available)
        for provider, amount in owed.items():
            tokens = redeemed.paid.get(provider, 0)
            covered = Fraction(tokens * total, worth) if worth else Fraction(0)
            lost = amount - redeemed.owed.get(provider, 0) - covered
            # a base unit of credits, and what a base unit of the token is worth in them
            assert 0 <= lost < 1 + (Fraction(total, worth) if worth else 0)
            books.covered += covered
            books.lost += lost
        books.owed = redeemed.owed
        if total:
            self.tally(
                "no price, credits wait" if not worth
                else "credits made up for" if not redeemed.owed
                else "credits in part, the rest carried"
            )  # fmt: skip
        return redeemed.paid

    # --- invariants -----------------------------------------------------------------------

    @invariant()
    def every_credit_is_somewhere(self):
        books = self.books
        balances = [self.credits.balanceOf(each) for each in self.world.delegators]
        assert balances == books.held
        assert self.credits.balanceOf(ESCROW) == books.escrow
        supply = sum(books.held) + books.escrow
        assert self.credits.totalSupply() == supply == books.bought - books.spent - books.fees

    @invariant()
    def every_epoch_counts_its_credits(self):
        books, epoch = self.books, self.epoch
        assert self.credits.burnt_in(epoch) == books.burnt_in[epoch]
        for payee in PAYEES:
            assert self.credits.spent_in(epoch, payee) == books.spent_in[epoch, payee]

    @invariant()
    def no_credit_is_made_up_for_twice(self):
        books = self.books
        assert books.covered + books.lost + sum(books.owed.values()) == books.reported
        assert books.reported <= books.spent

    @invariant()
    def the_price_is_its_model(self):
        price = self.price.now(self.evm.timestamp)
        assert self.prices.usd_price(self.token.address) == (price, price != 0)
