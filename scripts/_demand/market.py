"""Days of a market under the policy `demand`, and under halving with the same schedule.

The policy, the schedule and the rule of the price feed are the product's (oracle/domain/demand.py,
oracle/domain/emission.py, contracts/Prices.vy). Modelled are fleet, price and fees: the fleet grows
evenly and then stays, suppliers leave at no price; price and demand are flat but for one fall.
Everything is integers and nothing is drawn, so every run gives the same figures.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from oracle.domain.demand import (
    BPS,
    UNIT,
    ClassTime,
    Payment,
    Rule,
    State,
    Target,
    owed_usd,
    pay,
)
from oracle.domain.emission import Schedule

HOUR = 3_600
HOURS = 24
# as deployments/params/local.yaml has it, in epochs of an hour
SCHEDULE = Schedule(cap=21_000_000 * UNIT, initial=UNIT // 2, block_seconds=12)
GENESIS_SUPPLY = 1_000_000 * UNIT
DEVIATION_BPS = 2_000
RULE = Rule(
    reserve_epochs=30 * HOURS,
    burn_bps=5_000,
    step_bps=10,
    average_epochs=7 * HOURS,
    stale_bps=1,
)
# class => USD an hour and devices of the whole fleet
TARGETS = {
    2: Target(15 * UNIT // 100, 600),
    3: Target(120 * UNIT // 100, 150),
}
AVAILABILITY_BPS = 9_800


@dataclass(frozen=True, slots=True)
class Scenario:
    """A market that grows until the shock and is watched afterwards.

    `growth_days`: until the fleet is whole. `shock_day`: from which price and fees are lower.
    `days`: in all. `fees_bps`: network fees before the shock, of what the fleet is owed at full
    targets. Prices in USD with 18 decimals.
    """

    growth_days: int = 180
    shock_day: int = 180
    days: int = 540
    fees_bps: int = 4_000
    price: int = 2 * UNIT
    price_after_bps: int = 5_000
    demand_after_bps: int = 4_500


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch as the policy saw it: what it was given, what it did, what it left."""

    number: int
    usd: int
    price: int
    available: int
    fees: int
    income: int
    before: State
    payment: Payment
    after: State


@dataclass(slots=True)
class Day:
    """Sums of a day in USD (18 decimals), and what there is at its end in base units.

    `target`: owed at full targets. `demand` and `halving`: what suppliers are paid, at the market
    price. `burnt` in base units, over all days, as `minted`.
    """

    day: int
    target: int = 0
    demand: int = 0
    halving: int = 0
    allowance: int = 0
    fee_vault: int = 0
    minted: int = 0
    minted_by_halving: int = 0
    burnt: int = 0
    scale: int = 0
    shortfall: int = 0
    epochs: list[Epoch] = field(default_factory=list)


@dataclass(slots=True)
class Feed:
    """The price that the policy gets: the last good one while a jump is too far (Prices.vy)."""

    seen: int
    age: int = 0

    def read(self, market: int) -> int:
        """The price an hour later."""
        self.age += 1
        if abs(market - self.seen) * BPS <= self.seen * DEVIATION_BPS * self.age:
            self.seen, self.age = market, 0
        return self.seen


def play(scenario: Scenario, rule: Rule = RULE) -> Iterator[Day]:
    """Play a market day by day.

    Raises `AssertionError` where more would be minted than the cap allows.
    """
    issuance, carry = GENESIS_SUPPLY, 0
    vault, fee_vault, burnt, minted = 0, 0, 0, GENESIS_SUPPLY
    state, feed = State(), Feed(scenario.price)
    for number in range(scenario.days):
        is_shocked = number >= scenario.shock_day
        price = scenario.price * (scenario.price_after_bps if is_shocked else BPS) // BPS
        demand_bps = scenario.demand_after_bps if is_shocked else BPS
        day = Day(number)
        usd = owed_usd(fleet(scenario, number), TARGETS, HOUR)
        fees_usd = usd * scenario.fees_bps * demand_bps // BPS**2
        for hour in range(HOURS):
            scheduled, carry = SCHEDULE.emission(issuance, HOUR, carry)
            issuance += scheduled
            income = fees_usd * UNIT // price
            fee_vault += income
            told = feed.read(price)
            before, available = state, vault + scheduled
            state, paid = pay(rule, before, usd, told, available, fee_vault, income)
            day.epochs.append(
                Epoch(number * HOURS + hour, usd, told, available, fee_vault, income, before,
                      paid, state)
            )  # fmt: skip
            vault = available - paid.from_allowance
            fee_vault -= paid.from_fees + paid.burnt
            minted += paid.from_allowance
            burnt += paid.burnt
            assert minted + vault == issuance <= SCHEDULE.cap
            day.target += usd
            day.demand += (paid.from_allowance + paid.from_fees) * price // UNIT
            day.halving += scheduled * price // UNIT
            day.shortfall += paid.shortfall
        day.allowance, day.fee_vault, day.minted, day.burnt = vault, fee_vault, minted, burnt
        day.minted_by_halving, day.scale = issuance, state.scale
        yield day


def fleet(scenario: Scenario, day: int) -> list[ClassTime]:
    """Live time of every class in an hour of a day."""
    grown = min(day + 1, scenario.growth_days)
    return [
        ClassTime(
            number,
            target.max_devices * grown // scenario.growth_days * HOUR,
            AVAILABILITY_BPS,
        )
        for number, target in TARGETS.items()
    ]
