# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Prices
@license Apache-2.0
@author Clearwork
@notice The one place that reads price feeds. A price counts only while it is fresh, inside fixed
        bounds, and no further from the last good one than it may move in that time; otherwise
        there is no price, and who asked has to do without. A feed that reverts, answers garbage or
        burns its gas is one without a price: no view here reverts because of a feed.
@dev A good price is remembered at most once per `interval`, so repeated pokes can't walk it further
     than `max_deviation_bps` per interval. Where nobody pokes, or the price has really jumped, the
     allowance grows with every interval that passes, so a true price counts again by itself.
     Rounding: prices and amounts down.

     Trust: a feed, within its bounds and its deviation. The owner names feeds, the first one of an
     asset at once, any other after `FEED_CHANGE_DELAY`. The guardian can only take prices away.
     No money is here.
@custom:security security@clearwork.example
@custom:kill The guardian suspends an asset: it has no price.
"""

from snekmate.auth import ownable
from snekmate.auth import ownable_2step
from snekmate.utils import math

from .interfaces import IPrices

implements: IPrices

initializes: ownable
initializes: ownable_2step[ownable := ownable]

exports: (
    # owner
    ownable_2step.owner,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
    ownable_2step.accept_ownership,
    ownable_2step.renounce_ownership,
)


struct FeedChange:
    feed: IPrices.Feed
    # chain time in seconds from which it can be applied; 0 means none is scheduled
    ready_at: uint256


BPS: constant(uint256) = 10_000
# of a price
PRICE_DECIMALS: constant(uint256) = 18
WORK_DECIMALS: constant(uint256) = 18
# no decimals of an asset or a feed above these, so that every product fits
MAX_DECIMALS: constant(uint256) = 36
# a price counts from a millionth of a millionth of a USD to a billion USD
LOWEST_PRICE: constant(uint256) = 10**6
HIGHEST_PRICE: constant(uint256) = 10**27
# no price in bounds needs more, at any decimals
MAX_ANSWER: constant(uint256) = 2**160 - 1
# no asset's balance in the escrow is above
MAX_AMOUNT: constant(uint256) = 2**112 - 1
# seconds
MAX_PERIOD: constant(uint256) = 7 * 86_400

# gas that one call of a feed may use
FEED_GAS: constant(uint256) = 200_000
# gas that must be left so that a call really gets as much: 1/64 stays here (EIP-150), and the call
# itself costs something
MIN_GAS: constant(uint256) = 215_000
WORD: constant(uint256) = 32
ROUND_BYTES: constant(uint256) = 5 * WORD
# where the fields of `latestRoundData` lie
ANSWER_AT: constant(uint256) = WORD
UPDATED_AT: constant(uint256) = 3 * WORD

# token that other amounts are counted in
WORK_TOKEN: public(immutable(address))
# seconds before the change of a feed applies
FEED_CHANGE_DELAY: public(immutable(uint256))

# asset => how its price is read
feed_of: public(HashMap[address, IPrices.Feed])
# asset => the change that waits for its delay
pending_feed: public(HashMap[address, FeedChange])
# asset => the last good price that was remembered, of its present feed
last_good: public(HashMap[address, IPrices.Sighting])
# assets that have no price, whatever their feed says
suspended: public(HashMap[address, bool])
# may suspend prices
guardian: public(address)


@deploy
def __init__(work_token: address, guardian: address, feed_change_delay: uint256):
    """
    @param work_token token that other amounts are counted in, with 18 decimals
    @param guardian may suspend prices
    @param feed_change_delay seconds before the change of a feed applies
    """
    ownable.__init__()
    ownable_2step.__init__()
    assert work_token != empty(address), "prices: no work token"
    WORK_TOKEN = work_token
    FEED_CHANGE_DELAY = feed_change_delay
    self._set_guardian(guardian)


# --- permissionless -------------------------------------------------------------------------


@external
def poke(asset: address) -> (uint256, bool):
    """
    @notice Remember the present price if it is good, and none was for `interval` seconds.
    @param asset token
    @return price USD with 18 decimals per whole token, 0 where it is not usable
    @return usable whether it is good
    """
    return self._poke(asset)


@internal
def _poke(asset: address) -> (uint256, bool):
    price: uint256 = 0
    usable: bool = False
    price, usable = self._price(asset)
    if usable and (block.timestamp - self.last_good[asset].time >= self.feed_of[asset].interval):
        self.last_good[asset] = IPrices.Sighting(price=price, time=block.timestamp)
        log IPrices.PriceSeen(asset=asset, price=price)
    return price, usable


@internal
@view
def _price(asset: address) -> (uint256, bool):
    feed: IPrices.Feed = self.feed_of[asset]
    if feed.aggregator == empty(address) or self.suspended[asset]:
        return 0, False
    price: uint256 = self._read(feed)
    if price < feed.lower or price > feed.upper:
        return 0, False
    seen: IPrices.Sighting = self.last_good[asset]
    if seen.time != 0:
        intervals: uint256 = max((block.timestamp - seen.time) // feed.interval, 1)
        allowed: uint256 = seen.price * feed.max_deviation_bps * intervals // BPS
        if max(price, seen.price) - min(price, seen.price) > allowed:
            return 0, False
    return price, True


@internal
@view
def _read(feed: IPrices.Feed) -> uint256:
    """
    @return price what the feed says now; 0 for nothing, garbage, or what is stale
    """
    scale: Bytes[ROUND_BYTES] = self._ask(
        feed.aggregator, method_id("decimals()", output_type=Bytes[4])
    )
    answers: Bytes[ROUND_BYTES] = self._ask(
        feed.aggregator, method_id("latestRoundData()", output_type=Bytes[4])
    )
    if len(scale) < WORD or len(answers) < ROUND_BYTES:
        return 0
    decimals: uint256 = convert(extract32(scale, 0), uint256)
    # a negative answer is above the maximum
    answer: uint256 = convert(extract32(answers, ANSWER_AT), uint256)
    updated_at: uint256 = convert(extract32(answers, UPDATED_AT), uint256)
    if decimals > MAX_DECIMALS or answer > MAX_ANSWER:
        return 0
    if updated_at > block.timestamp or block.timestamp - updated_at > feed.max_age:
        return 0
    return answer * 10**PRICE_DECIMALS // 10**decimals


@internal
@view
def _ask(aggregator: address, call: Bytes[4]) -> Bytes[ROUND_BYTES]:
    """
    @dev Who calls must not be able to starve a feed: it could choose between a price and none.
    @return answer nothing where the feed reverts or is no contract
    """
    assert msg.gas >= MIN_GAS, "prices: too little gas to ask a feed"
    success: bool = False
    answer: Bytes[ROUND_BYTES] = b""
    success, answer = raw_call(
        aggregator,
        call,
        max_outsize=ROUND_BYTES,
        gas=FEED_GAS,
        is_static_call=True,
        revert_on_failure=False,
    )
    return answer if success else b""


@external
def apply_feed(asset: address):
    """
    @notice Carry out a change of a feed whose delay is over; anyone may call. What was remembered
            of the feed before is forgotten.
    @param asset token
    """
    change: FeedChange = self.pending_feed[asset]
    assert change.ready_at != 0, "prices: no feed scheduled"
    assert block.timestamp >= change.ready_at, "prices: feed not ready"
    self._change_feed(asset, change.feed)


@internal
def _change_feed(asset: address, feed: IPrices.Feed):
    log IPrices.FeedChanged(asset=asset, previous=self.feed_of[asset], current=feed)
    self.feed_of[asset] = feed
    self.pending_feed[asset] = empty(FeedChange)
    self.last_good[asset] = empty(IPrices.Sighting)
    self._poke(asset)


# --- guardian -------------------------------------------------------------------------------


@external
def set_suspended(asset: address, suspended: bool):
    """
    @notice Take an asset's price away, or allow it again, as guardian or owner.
    @param asset token
    @param suspended whether it has no price
    """
    assert msg.sender == self.guardian or msg.sender == ownable.owner, "prices: not the guardian"
    self.suspended[asset] = suspended
    log IPrices.Suspended(asset=asset, suspended=suspended)


# --- owner ----------------------------------------------------------------------------------


@external
def set_feed(asset: address, feed: IPrices.Feed):
    """
    @notice Name the feed of an asset that has none, at once; or announce a change, which replaces
            an earlier announcement.
    @param asset token
    @param feed how its price is read and when it counts; all zero for no feed
    """
    ownable._check_owner()
    assert asset != empty(address), "prices: no asset"
    if feed.aggregator != empty(address):
        self._check_feed(feed)
    current: IPrices.Feed = self.feed_of[asset]
    if current.aggregator == empty(address):
        self._change_feed(asset, feed)
    else:
        ready_at: uint256 = block.timestamp + FEED_CHANGE_DELAY
        self.pending_feed[asset] = FeedChange(feed=feed, ready_at=ready_at)
        log IPrices.FeedScheduled(asset=asset, current=current, proposed=feed, ready_at=ready_at)


@internal
@view
def _check_feed(feed: IPrices.Feed):
    assert feed.aggregator.is_contract, "prices: feed is not a contract"
    assert feed.asset_decimals <= MAX_DECIMALS, "prices: decimals out of bounds"
    assert feed.max_age != 0 and feed.max_age <= MAX_PERIOD, "prices: age out of bounds"
    assert feed.grace <= MAX_PERIOD, "prices: grace out of bounds"
    assert (
        feed.lower >= LOWEST_PRICE and feed.lower < feed.upper and feed.upper <= HIGHEST_PRICE
    ), "prices: limits out of bounds"
    assert (
        feed.max_deviation_bps != 0 and feed.max_deviation_bps <= BPS
    ), "prices: deviation out of bounds"
    assert feed.interval != 0 and feed.interval <= MAX_PERIOD, "prices: interval out of bounds"


@external
def set_guardian(guardian: address):
    """
    @notice Name the account that may suspend prices.
    @param guardian the zero address for none; the owner can always do it too
    """
    ownable._check_owner()
    self._set_guardian(guardian)


@internal
def _set_guardian(guardian: address):
    log IPrices.GuardianChanged(previous=self.guardian, current=guardian)
    self.guardian = guardian


# --- views ----------------------------------------------------------------------------------


@external
@view
def usd_price(asset: address) -> (uint256, bool):
    """
    @notice What an asset is worth now.
    @param asset token
    @return price USD with 18 decimals per whole token, 0 where it is not usable
    @return usable whether it is fresh, in bounds, and near enough to the last good price
    """
    return self._price(asset)


@external
@view
def recent_price(asset: address) -> (uint256, bool):
    """
    @notice What an asset is worth now or, where that is not known, was worth when it last was:
            no longer than the feed's `grace` ago.
    @param asset token
    @return price USD with 18 decimals per whole token, 0 where it is not usable
    @return usable whether there is one
    """
    price: uint256 = 0
    usable: bool = False
    price, usable = self._price(asset)
    if usable:
        return price, True
    seen: IPrices.Sighting = self.last_good[asset]
    if (
        seen.time == 0
        or self.suspended[asset]
        or block.timestamp - seen.time > self.feed_of[asset].grace
    ):
        return 0, False
    return seen.price, True


@external
@view
def in_work(asset: address, amount: uint256) -> uint256:
    """
    @notice What an amount is worth in the work token.
    @param asset token; the work token is worth itself, with or without a price
    @param amount base units of `asset`; more than `2**112 - 1` count as that many
    @return worth base units of the work token, rounded down; 0 where either has no usable price
    """
    if asset == WORK_TOKEN:
        return amount
    price: uint256 = 0
    usable: bool = False
    price, usable = self._price(asset)
    if not usable:
        return 0
    work_price: uint256 = 0
    work_price, usable = self._price(WORK_TOKEN)
    if not usable:
        return 0
    # the result is below 2**112 * 10**27 * 10**18 / 10**6, so it fits
    return math._mul_div(
        min(amount, MAX_AMOUNT),
        price * 10**WORK_DECIMALS,
        work_price * 10**self.feed_of[asset].asset_decimals,
        False,
    )
