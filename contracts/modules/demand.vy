# pragma version 0.4.3
"""
@title The rule of the supply policy `demand`
@license Apache-2.0
@author Clearwork
@notice What a fleet is owed, out of what it is paid, what is burnt and how targets move. USD have
        18 decimals, a price is USD per whole token, amounts are base units of the work token.
@dev Pure: no clock, no storage, no other contract. `oracle/domain/demand.py` is its twin.
     Nothing overflows for USD below 2^127, amounts below 2^96 and prices below 2^90; beyond
     that it reverts.
"""

BPS: constant(uint256) = 10_000
# base units in a whole token
UNIT: constant(uint256) = 10**18
# the whole targets, and a hundredth of them: from less they could not rise any more
FULL: constant(uint256) = 10**18
LOWEST: constant(uint256) = FULL // 100


# constants of one deployment
struct Rule:
    # epochs' worth of what is owed on average, or now where that is more, that the fee vault keeps
    reserve_epochs: uint256
    # of what it holds beyond, burnt each epoch, in bps
    burn_bps: uint256
    # by which targets move per epoch at most, in bps
    step_bps: uint256
    # epochs of the moving average
    average_epochs: uint256
    # of the allowance, released for an epoch without a price, in bps
    stale_bps: uint256


# what one epoch leaves to the next
struct State:
    # of the targets, in 1 / `FULL`
    scale: uint256
    # whether a shortfall made them fall, and fees have not covered them since
    is_falling: bool
    # USD per epoch, moving averages
    average_fees: uint256
    average_owed: uint256
    # base units, of the last epoch that had a price
    last_owed: uint256


# base units of one epoch
struct Payment:
    # at the price
    owed: uint256
    # out of both vaults, the allowance first
    from_allowance: uint256
    from_fees: uint256
    # what both lack
    shortfall: uint256
    burnt: uint256


@internal
@pure
def _pay(
    rule: Rule,
    state: State,
    usd: uint256,
    price: uint256,
    available: uint256,
    fees: uint256,
    income: uint256,
) -> (State, Payment):
    """
    @notice Pay an epoch that has a price. Everything is rounded down, but for what is burnt.
    @param rule constants
    @param state what the epoch before left
    @param usd owed at full targets
    @param price above 0
    @param available base units of the allowance
    @param fees base units in the fee vault
    @param income what of these came in since the last payment
    @return state what this epoch leaves
    @return payment what is paid out of what
    """
    scaled: uint256 = usd * state.scale // FULL
    payment: Payment = empty(Payment)
    payment.owed = scaled * UNIT // price
    payment.from_allowance = min(payment.owed, available)
    payment.from_fees = min(payment.owed - payment.from_allowance, fees)
    payment.shortfall = payment.owed - payment.from_allowance - payment.from_fees
    after: State = state
    after.is_falling = state.is_falling or payment.shortfall != 0
    after.average_fees = self._average(
        state.average_fees, income * price // UNIT, rule.average_epochs
    )
    after.average_owed = self._average(state.average_owed, scaled, rule.average_epochs)
    after.last_owed = payment.owed
    left: uint256 = fees - payment.from_fees
    # one epoch that owes little says nothing about those that the reserve is for
    usual: uint256 = max(payment.owed, after.average_owed * UNIT // price)
    reserve: uint256 = usual * rule.reserve_epochs
    if left > reserve:
        # at least half means rounded up
        payment.burnt = ((left - reserve) * rule.burn_bps + BPS - 1) // BPS
    return self._moved(rule, after), payment


@internal
@pure
def _average(average: uint256, new: uint256, epochs: uint256) -> uint256:
    return (average * (epochs - 1) + new) // epochs


@internal
@pure
def _moved(rule: Rule, state: State) -> State:
    """
    @notice Targets go to where fees would cover them, by a step at most, never above the whole.
            They fall after a shortfall until fees cover them, and rise only while fees do.
    """
    moved: State = state
    is_covered: bool = state.average_fees >= state.average_owed
    moved.is_falling = state.is_falling and not is_covered
    if not is_covered and not moved.is_falling:
        return moved
    wanted: uint256 = FULL
    if state.average_owed != 0:
        wanted = state.scale * state.average_fees // state.average_owed
    lower: uint256 = max(state.scale * (BPS - rule.step_bps) // BPS, LOWEST)
    upper: uint256 = min(state.scale * (BPS + rule.step_bps) // BPS, FULL)
    moved.scale = min(max(wanted, lower), upper)
    return moved


@internal
@pure
def _pay_without_price(rule: Rule, state: State, available: uint256) -> uint256:
    """
    @notice Pay an epoch without a price: a part of the allowance, pro rata. No more than the last
            epoch with a price was owed, so that a silent feed makes nobody richer.
    @return released base units, rounded down
    """
    return min(available * rule.stale_bps // BPS, state.last_owed)
