# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Fee meter
@license Apache-2.0
@author Clearwork
@notice What each subnet has really paid in protocol fees since the last time somebody asked, in
        base units of the work token: that asset counts one to one, any other at its price. Fees
        without a usable price are not forgotten, they count as soon as there is one; nor are those
        for which the gas of one call was not enough: the next call begins with them.
@dev Rounding: a worth is rounded down by PRICES; fees that are worth nothing yet wait for more.
     Fees paid before this contract was deployed never count, so that a new meter does not count
     again what an old one has.
     Trust: the escrow, immutable, for the fees; who holds CONTROLLER takes them; who holds PRICES
     says what other assets are worth, and a failure of it counts as no price. No money is here.
@custom:security security@clearwork.example
@custom:kill The owner empties CONTROLLER: nobody takes fees any more.
"""

from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from .interfaces import IFeeMeter
from .modules import delayed_roles
from .modules import isolated

implements: IFeeMeter

initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: delayed_roles[ownable := ownable]

exports: (
    # owner
    ownable_2step.owner,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
    ownable_2step.accept_ownership,
    ownable_2step.renounce_ownership,
    # roles
    delayed_roles.ROLE_CHANGE_DELAY,
    delayed_roles.role_holder,
    delayed_roles.pending_role,
    delayed_roles.set_role,
    delayed_roles.apply_role,
)


# getters of the job escrow
interface Escrow:
    def WORK_TOKEN() -> address: view
    def market_count() -> uint8: view
    def asset_of(market: uint256) -> address: view
    def subnet_of(market: uint256) -> uint16: view
    def earned_fees(market: uint256) -> uint256: view


# role that takes the fees
CONTROLLER: public(constant(bytes32)) = keccak256("CONTROLLER")
# role that knows what `in_work(asset, amount)` is worth, 0 without a usable price
PRICES: public(constant(bytes32)) = keccak256("PRICES")

MAX_MARKETS: constant(uint256) = 255
# subnets, and the market at large
MAX_GAUGES: constant(uint256) = 65
# gas that a price may take: Prices reads four feeds, and wants 200 000 at hand for each
PRICE_GAS: constant(uint256) = 1_000_000
# gas for a market with fees: to price and to count them, and to end the call afterwards
PRICED_GAS: constant(uint256) = PRICE_GAS * 64 // 63 + 300_000
COUNTED_GAS: constant(uint256) = 300_000
# gas that a call has had if it may leave markets to the next one: nearly all that the emissions
# controller gives a source
TAKE_GAS: public(constant(uint256)) = 9_900_000
# a worth above this many base units is no usable price
MAX_AMOUNT: constant(uint256) = 2**96 - 1

ESCROW: public(immutable(Escrow))
# token that counts one to one
WORK_TOKEN: public(immutable(address))

# market => base units of its asset that were counted
counted: public(HashMap[uint256, uint256])
# markets before the one that the next call begins with
offset: public(uint256)


@deploy
def __init__(escrow: Escrow, role_change_delay: uint256):
    """
    @param escrow whose fees count from now on
    @param role_change_delay seconds between scheduling and applying a change of a role
    """
    ownable.__init__()
    ownable_2step.__init__()
    delayed_roles.__init__(role_change_delay)
    assert escrow.address != empty(address), "fee_meter: no escrow"
    ESCROW = escrow
    WORK_TOKEN = staticcall escrow.WORK_TOKEN()
    markets: uint256 = convert(staticcall escrow.market_count(), uint256)
    for market: uint256 in range(1, markets + 1, bound=MAX_MARKETS):
        self.counted[market] = staticcall escrow.earned_fees(market)


@external
def take() -> DynArray[uint256, MAX_GAUGES]:
    """
    @notice CONTROLLER: the fees since the last time; as many as one call has gas for, the next
            begins where it ended.
    @dev Who sends the transaction chooses its gas, and must not choose which epoch fees count in:
         nothing is left to the next call unless this one had `TAKE_GAS`.
    @return fees base units of the work token, of the market at large and then of every subnet up
            to the last one that paid any; fees of a number that can be no subnet count at large
    """
    delayed_roles._check_role(CONTROLLER)
    is_enough: bool = msg.gas >= TAKE_GAS
    sums: uint256[MAX_GAUGES] = empty(uint256[MAX_GAUGES])
    count: uint256 = 0
    markets: uint256 = convert(staticcall ESCROW.market_count(), uint256)
    offset: uint256 = self.offset
    for i: uint256 in range(markets, bound=MAX_MARKETS):
        market: uint256 = (offset + i) % markets + 1
        earned: uint256 = staticcall ESCROW.earned_fees(market)
        counted: uint256 = self.counted[market]
        asset: address = empty(address)
        # to look at a market without new fees takes gas, too
        needed: uint256 = COUNTED_GAS
        if earned != counted:
            asset = staticcall ESCROW.asset_of(market)
            if asset != WORK_TOKEN:
                needed = PRICED_GAS
        if msg.gas < needed:
            assert is_enough, "fee_meter: too little gas"
            self.offset = market - 1
            break
        if earned == counted:
            continue
        worth: uint256 = self._worth(asset, earned - counted)
        if worth == 0:
            continue
        self.counted[market] = earned
        subnet: uint256 = convert(staticcall ESCROW.subnet_of(market), uint256)
        if subnet >= MAX_GAUGES:
            subnet = 0
        sums[subnet] += worth
        count = max(count, subnet + 1)
    fees: DynArray[uint256, MAX_GAUGES] = []
    for subnet: uint256 in range(count, bound=MAX_GAUGES):
        fees.append(sums[subnet])
    log IFeeMeter.FeesTaken(fees=fees)
    return fees


@internal
@view
def _worth(asset: address, amount: uint256) -> uint256:
    """
    @return worth base units of the work token, rounded down, 0 without a usable price
    """
    if asset == WORK_TOKEN:
        return amount
    prices: address = delayed_roles.role_holder[PRICES]
    if prices == empty(address):
        return 0
    worth: uint256 = 0
    is_known: bool = False
    worth, is_known = isolated._read(
        prices,
        abi_encode(asset, amount, method_id=method_id("in_work(address,uint256)")),
        PRICE_GAS,
    )
    return worth if is_known and worth <= MAX_AMOUNT else 0
