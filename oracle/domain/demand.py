"""The supply policy `demand` in whole numbers: what a fleet is owed, and out of what it is paid.

The twin of `contracts/modules/demand.vy`, for clients that look ahead, for the simulation and for
tests that hold them against each other (specs/emissions.md, section 1). Amounts are base units of
the work token; USD have 18 decimals; a price is USD with 18 decimals per whole token.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from oracle.domain.hashing import keccak

BPS = 10_000
HOUR = 3_600
# base units in a whole token, USD in one USD
UNIT = 10**18
# the whole targets; targets never fall below a hundredth, from which they can still rise
FULL = 10**18
LOWEST = FULL // 100


@dataclass(frozen=True, slots=True)
class ClassTime:
    """Live and attested time of a class in an epoch; see IDemandPolicy.vyi.

    `device_seconds`: of all its devices together. `availability_bps`: mean over that time,
    rounded down.
    """

    device_class: int
    device_seconds: int
    availability_bps: int


@dataclass(frozen=True, slots=True)
class Target:
    """What a class is owed: USD (18 decimals) an hour, for so many devices at most."""

    usd_per_hour: int
    max_devices: int


def hash_classes(classes: Sequence[ClassTime]) -> bytes:
    """The hash that a `DeviceTime` message names: keccak of the list as the ABI encodes it."""
    words = [32, len(classes)]
    for each in classes:
        words += [each.device_class, each.device_seconds, each.availability_bps]
    return keccak(b"".join(word.to_bytes(32, "big") for word in words))


def owed_usd(classes: Sequence[ClassTime], targets: Mapping[int, Target], epoch_length: int) -> int:
    """USD that an epoch's devices are owed at full targets, rounded down once.

    Time of more devices than a target allows counts as that of so many, a class without a target
    as no time. `epoch_length` in seconds.
    """
    owed = 0
    for each in classes:
        if target := targets.get(each.device_class):
            seconds = min(each.device_seconds, target.max_devices * epoch_length)
            owed += target.usd_per_hour * seconds * each.availability_bps
    return owed // (HOUR * BPS)


@dataclass(frozen=True, slots=True)
class Rule:
    """Constants of one deployment.

    `reserve_epochs`: epochs' worth of what is owed on average, or now where that is more, that the
    fee vault keeps. `burn_bps`: of what it holds beyond, burnt each epoch, at least half.
    `step_bps`: by which targets move per epoch at most. `average_epochs`: of the moving averages.
    `stale_bps`: of the allowance, released for an epoch without a price.
    """

    reserve_epochs: int
    burn_bps: int
    step_bps: int
    average_epochs: int
    stale_bps: int


@dataclass(frozen=True, slots=True)
class State:
    """What one epoch leaves to the next.

    `scale`: of the targets, `FULL` for whole ones. `is_falling`: a shortfall made them fall and
    fees have not covered them since. `average_fees` and `average_owed`: USD per epoch.
    `last_owed`: base units, of the last epoch that had a price.
    """

    scale: int = FULL
    is_falling: bool = False
    average_fees: int = 0
    average_owed: int = 0
    last_owed: int = 0


@dataclass(frozen=True, slots=True)
class Payment:
    """Base units of one epoch: owed at the price, paid out of both vaults, missing, burnt."""

    owed: int
    from_allowance: int
    from_fees: int
    shortfall: int
    burnt: int


def pay(
    rule: Rule, state: State, usd: int, price: int, available: int, fees: int, income: int
) -> tuple[State, Payment]:
    """Pay an epoch that has a price.

    `usd`: owed at full targets. `available`: allowance. `fees`: what the fee vault holds, and
    `income` what of it came in since the last payment. The allowance pays first, then the fee
    vault; what both lack is lost, and everyone is paid pro rata. All rounded down, but for what
    is burnt.
    """
    scaled = usd * state.scale // FULL
    owed = scaled * UNIT // price
    from_allowance = min(owed, available)
    from_fees = min(owed - from_allowance, fees)
    shortfall = owed - from_allowance - from_fees
    after = replace(
        state,
        is_falling=state.is_falling or shortfall != 0,
        average_fees=_average(rule, state.average_fees, income * price // UNIT),
        average_owed=_average(rule, state.average_owed, scaled),
        last_owed=owed,
    )
    # one epoch that owes little says nothing about those that the reserve is for
    usual = max(owed, after.average_owed * UNIT // price)
    excess = max(fees - from_fees - usual * rule.reserve_epochs, 0)
    burnt = -(-excess * rule.burn_bps // BPS)
    return _moved(rule, after), Payment(owed, from_allowance, from_fees, shortfall, burnt)


def pay_without_price(rule: Rule, state: State, available: int) -> int:
    """Base units for an epoch without a price: a part of the allowance, pro rata.

    No more than the last epoch with a price was owed, so a silent feed makes nobody richer.
    """
    return min(available * rule.stale_bps // BPS, state.last_owed)


def _average(rule: Rule, average: int, value: int) -> int:
    return (average * (rule.average_epochs - 1) + value) // rule.average_epochs


def _moved(rule: Rule, state: State) -> State:
    """Targets go to where fees would cover them, by a step at most, and never above the whole."""
    is_covered = state.average_fees >= state.average_owed
    is_falling = state.is_falling and not is_covered
    if not is_covered and not is_falling:
        return state
    wanted = FULL
    if state.average_owed:
        wanted = state.scale * state.average_fees // state.average_owed
    lower = max(state.scale * (BPS - rule.step_bps) // BPS, LOWEST)
    upper = min(state.scale * (BPS + rule.step_bps) // BPS, FULL)
    return replace(state, is_falling=is_falling, scale=min(max(wanted, lower), upper))
