# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Demand policy
@license Apache-2.0
@author Clearwork
@notice The supply policy `demand`: an epoch is granted what its live, attested devices are owed in
        USD, at the price of the work token, and no more. The allowance (what the schedule has
        emitted and nobody was granted) pays first, then the fee vault: work tokens that were sent
        here, network fees. What both lack is lost, everyone is paid pro rata, and targets fall
        until fees cover them. At least half of what the fee vault holds beyond its reserve is
        burnt in every epoch that is paid. See modules/demand.vy for the rule.
@dev Figures come late: an epoch is paid at the first release, from its own on, that finds them,
     and never if the committee misses `WAIT_EPOCHS` releases. What its devices are owed is then
     part of that later epoch's budget. Epochs that nothing is owed for leave everything as it is.
     A price counts as Prices has it: the present one, or the last good one for the feed's `grace`.
     Afterwards a fixed part of the allowance is released, and nothing is paid or burnt out of the
     fee vault.
     Targets change with notice: a new one counts for the epochs from `TARGET_EPOCHS` later on. Until
     the first figures it counts at once, so that a deployment can set up.
     Paid fees wait here until the controller collects them: only what it counts into a budget can
     be claimed.
     Rounding: what is owed down, what is burnt up.
     Trust: the committee for device time, up to `max_devices` of each class; Prices for the price;
     the owner for targets. The owner can't take the fee vault while this is the controller's
     policy. Whoever presses chooses the moment of the price.
@custom:security security@clearwork.example
@custom:kill The owner empties the controller's POLICY role: after the role delay the schedule is
             granted whole, and `hand_over` moves the fee vault.
"""

from ethereum.ercs import IERC20
from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from .interfaces import IDemandPolicy
from .interfaces import IEmissionPolicy
from .interfaces import IOracleCommittee
from .interfaces import IPrices
from .interfaces import IWorkToken
from .modules import demand
from .modules import epoch_clock

implements: IDemandPolicy
implements: IEmissionPolicy

initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: epoch_clock

exports: (
    # owner
    ownable_2step.owner,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
    ownable_2step.accept_ownership,
    ownable_2step.renounce_ownership,
    # clock
    epoch_clock.GENESIS,
    epoch_clock.EPOCH_LENGTH,
    epoch_clock.current_epoch,
)


interface Controller:
    def TOKEN() -> address: view
    def GENESIS() -> uint256: view
    def EPOCH_LENGTH() -> uint256: view
    def role_holder(role: bytes32) -> address: view


MAX_CLASSES: public(constant(uint256)) = 64
MAX_SIGNATURES: constant(uint256) = 31 * 65
BPS: constant(uint256) = 10_000
HOUR: constant(uint256) = 3_600
# bounds of the rule
MAX_RESERVE_EPOCHS: constant(uint256) = 100_000
MIN_BURN_BPS: constant(uint256) = 5_000
MAX_STEP_BPS: constant(uint256) = 1_000
MAX_AVERAGE_EPOCHS: constant(uint256) = 100_000
MAX_STALE_BPS: constant(uint256) = 100
MAX_WAIT_EPOCHS: constant(uint256) = 168
MAX_TARGET_EPOCHS: constant(uint256) = 10_000
# bounds of a target: 1 000 USD an hour, and more devices than there are
MAX_USD_PER_HOUR: constant(uint256) = 1_000 * 10**18
MAX_DEVICES: constant(uint256) = 10_000_000

DEVICE_TIME_TYPEHASH: constant(bytes32) = keccak256("DeviceTime(uint64 epoch,bytes32 classes)")
# what reports are about; their round is the epoch
SUBJECT: public(constant(bytes32)) = keccak256("DeviceTime")
# role of the controller that this contract serves in
POLICY: constant(bytes32) = keccak256("POLICY")

# asks for releases and collects fees
CONTROLLER: public(immutable(address))
# signs device time
COMMITTEE: public(immutable(IOracleCommittee))
# says what the work token is worth
PRICES: public(immutable(IPrices))
# token that is released, and that fees are in
TOKEN: public(immutable(IERC20))
# constants of the rule
RULE: public(immutable(demand.Rule))
# releases, after its own, that an epoch without figures waits for them
WAIT_EPOCHS: public(immutable(uint256))
# epochs before a changed target counts
TARGET_EPOCHS: public(immutable(uint256))

# first epoch that was not released
next_epoch: public(uint64)
# what the last paid epoch left: how far targets have fallen, averages
state: public(demand.State)
# base units of fees that are paid and wait for the controller
due: public(uint256)
# base units of the fee vault that have counted as income
counted: public(uint256)
# class => what its devices are owed, and what they will be; first epoch of that, 0 for none
targets: HashMap[uint16, IDemandPolicy.Target]
next_targets: HashMap[uint16, IDemandPolicy.Target]
next_target_epoch: public(HashMap[uint16, uint64])
# whether any epoch has figures: from then on targets change with notice
has_figures: public(bool)
# epoch => struct hash of its figures, zero for none
posted: public(HashMap[uint64, bytes32])
# epoch => USD with 18 decimals that its figures are worth at full targets, until it is paid
owed_usd: public(HashMap[uint64, uint256])


@deploy
def __init__(
    controller: address,
    committee: IOracleCommittee,
    prices: IPrices,
    rule: demand.Rule,
    wait_epochs: uint256,
    target_epochs: uint256,
    first_epoch: uint64,
):
    """
    @param controller asks for releases; its clock and its token are also this contract's
    @param committee signs device time
    @param prices says what the work token is worth
    @param rule constants, see modules/demand.vy
    @param wait_epochs releases that an epoch waits for its figures, 1 to 168
    @param target_epochs epochs before a changed target counts, 1 to 10 000
    @param first_epoch epochs before this one have no figures and are not released
    """
    ownable.__init__()
    ownable_2step.__init__()
    assert controller != empty(address), "demand_policy: no controller"
    assert committee.address != empty(address), "demand_policy: no committee"
    assert prices.address != empty(address), "demand_policy: no prices"
    assert rule.reserve_epochs <= MAX_RESERVE_EPOCHS, "demand_policy: reserve out of bounds"
    assert (
        rule.burn_bps >= MIN_BURN_BPS and rule.burn_bps <= BPS
    ), "demand_policy: burnt share out of bounds"
    assert (
        rule.step_bps != 0 and rule.step_bps <= MAX_STEP_BPS
    ), "demand_policy: step out of bounds"
    assert (
        rule.average_epochs != 0 and rule.average_epochs <= MAX_AVERAGE_EPOCHS
    ), "demand_policy: average out of bounds"
    assert rule.stale_bps <= MAX_STALE_BPS, "demand_policy: share without price out of bounds"
    assert (
        wait_epochs != 0 and wait_epochs <= MAX_WAIT_EPOCHS
    ), "demand_policy: wait out of bounds"
    assert (
        target_epochs != 0 and target_epochs <= MAX_TARGET_EPOCHS
    ), "demand_policy: target delay out of bounds"
    source: Controller = Controller(controller)
    epoch_clock.__init__(staticcall source.GENESIS(), staticcall source.EPOCH_LENGTH())
    CONTROLLER = controller
    COMMITTEE = committee
    PRICES = prices
    TOKEN = IERC20(staticcall source.TOKEN())
    RULE = rule
    WAIT_EPOCHS = wait_epochs
    TARGET_EPOCHS = target_epochs
    self.next_epoch = first_epoch
    self.state.scale = demand.FULL


# --- permissionless -----------------------------------------------------------------------


@external
def post_device_time(
    epoch: uint64,
    classes: DynArray[IDemandPolicy.ClassTime, MAX_CLASSES],
    signatures: Bytes[MAX_SIGNATURES],
) -> uint256:
    """
    @notice Give an epoch its figures, signed by the committee; they are worth what targets were
            then. Time of more than `max_devices` counts as that of so many, a class without a
            target as no time: no change of a target makes a signed report worthless.
    @param epoch one that has ended, and that `WAIT_EPOCHS` releases have not passed
    @param classes live time by class, ascending
    @param signatures threshold many, see `IOracleCommittee.verify`
    @return owed_usd USD with 18 decimals at full targets, rounded down
    """
    assert epoch < epoch_clock._current_epoch(), "demand_policy: epoch has not ended"
    assert self.posted[epoch] == empty(bytes32), "demand_policy: epoch has figures"
    assert (
        convert(epoch, uint256) + WAIT_EPOCHS >= convert(self.next_epoch, uint256)
    ), "demand_policy: too late"
    owed: uint256 = self._owed_usd(epoch, classes)
    report_hash: bytes32 = self._report_hash(epoch, classes)
    signers: uint256 = staticcall COMMITTEE.verify(SUBJECT, epoch, report_hash, signatures)
    self.posted[epoch] = report_hash
    self.has_figures = True
    self.owed_usd[epoch] = owed
    log IDemandPolicy.DeviceTimePosted(
        epoch=epoch, report_hash=report_hash, owed_usd=owed, signers=signers
    )
    return owed


@internal
@view
def _owed_usd(epoch: uint64, classes: DynArray[IDemandPolicy.ClassTime, MAX_CLASSES]) -> uint256:
    owed: uint256 = 0
    # of the class before; classes count from 1
    before: uint16 = 0
    for time: IDemandPolicy.ClassTime in classes:
        assert time.device_class > before, "demand_policy: classes not ascending"
        availability: uint256 = convert(time.availability_bps, uint256)
        assert availability <= BPS, "demand_policy: availability out of bounds"
        before = time.device_class
        target: IDemandPolicy.Target = self._target_at(time.device_class, epoch)
        seconds: uint256 = min(
            convert(time.device_seconds, uint256), target.max_devices * epoch_clock.EPOCH_LENGTH
        )
        owed += target.usd_per_hour * seconds * availability
    return owed // (HOUR * BPS)


@internal
@view
def _target_at(device_class: uint16, epoch: uint64) -> IDemandPolicy.Target:
    next_epoch: uint64 = self.next_target_epoch[device_class]
    if next_epoch != 0 and epoch >= next_epoch:
        return self.next_targets[device_class]
    return self.targets[device_class]


@internal
@pure
def _report_hash(epoch: uint64, classes: DynArray[IDemandPolicy.ClassTime, MAX_CLASSES]) -> bytes32:
    return keccak256(abi_encode(DEVICE_TIME_TYPEHASH, epoch, keccak256(abi_encode(classes))))


# --- controller ---------------------------------------------------------------------------


@external
def release(epoch: uint64, available: uint256) -> uint256:
    """
    @notice Controller: pay what is owed for this epoch and for those before it whose figures came
            late.
    @param epoch one that was not released, higher than those that were
    @param available base units of the allowance
    @return released base units of it; fees are on top, see `collect`
    """
    self._check_controller()
    assert epoch >= self.next_epoch, "demand_policy: epoch out of turn"
    self.next_epoch = epoch + 1
    usd: uint256 = self._take_owed(epoch)
    if usd == 0:
        return 0
    price: uint256 = self._price()
    state: demand.State = self.state
    if price == 0:
        released: uint256 = demand._pay_without_price(RULE, state, available)
        log IDemandPolicy.PaidWithoutPrice(epoch=epoch, owed_usd=usd, released=released)
        return released

    due: uint256 = self.due
    fees: uint256 = staticcall TOKEN.balanceOf(self) - due
    payment: demand.Payment = empty(demand.Payment)
    after: demand.State = empty(demand.State)
    after, payment = demand._pay(RULE, state, usd, price, available, fees, fees - self.counted)
    self.state = after
    self.due = due + payment.from_fees
    self.counted = fees - payment.from_fees - payment.burnt
    if payment.burnt != 0:
        extcall IWorkToken(TOKEN.address).burn(payment.burnt)
    log IDemandPolicy.Paid(
        epoch=epoch,
        owed_usd=usd,
        scale=state.scale,
        price=price,
        owed=payment.owed,
        from_allowance=payment.from_allowance,
        from_fees=payment.from_fees,
        shortfall=payment.shortfall,
        burnt=payment.burnt,
    )
    return payment.from_allowance


@internal
@view
def _check_controller():
    assert msg.sender == CONTROLLER, "demand_policy: caller is not the controller"


@internal
def _take_owed(epoch: uint64) -> uint256:
    """
    @return usd what this epoch and the `WAIT_EPOCHS` before it are owed and were not paid
    """
    last: uint256 = convert(epoch, uint256)
    first: uint256 = last - min(last, WAIT_EPOCHS)
    usd: uint256 = 0
    for i: uint256 in range(last + 1 - first, bound=MAX_WAIT_EPOCHS + 1):
        each: uint64 = convert(first + i, uint64)
        owed: uint256 = self.owed_usd[each]
        if owed != 0:
            usd += owed
            self.owed_usd[each] = 0
    oldest: uint64 = convert(first, uint64)
    if last >= WAIT_EPOCHS and self.posted[oldest] == empty(bytes32):
        log IDemandPolicy.DeviceTimeMissed(epoch=oldest)
    return usd


@internal
def _price() -> uint256:
    """
    @return price USD with 18 decimals per whole token, 0 where there is none
    """
    price: uint256 = 0
    usable: bool = False
    # remembered, so that it can stand in for one that is missing later
    price, usable = extcall PRICES.poke(TOKEN.address)
    if not usable:
        price, usable = staticcall PRICES.recent_price(TOKEN.address)
    return price if usable else 0


@external
def collect() -> uint256:
    """
    @notice Controller: take the fees that have been paid since the last call, to grant them with
            the budget.
    @return amount base units, 0 where there are none
    """
    self._check_controller()
    amount: uint256 = self.due
    if amount != 0:
        self.due = 0
        self._send(CONTROLLER, amount)
        log IDemandPolicy.FeesCollected(amount=amount)
    return amount


@internal
def _send(receiver: address, amount: uint256):
    assert extcall TOKEN.transfer(receiver, amount), "demand_policy: transfer failed"


# --- owner --------------------------------------------------------------------------------


@external
def set_target(device_class: uint16, target: IDemandPolicy.Target):
    """
    @notice Owner: change what a class is owed, for the epochs from `TARGET_EPOCHS` later on. A
            change that does not count yet is replaced, and its notice begins again. Until the
            first figures a target counts at once.
    @param device_class class
    @param target USD an hour and number of devices; all zero for nothing
    """
    ownable._check_owner()
    assert device_class != 0, "demand_policy: no class"
    assert target.usd_per_hour <= MAX_USD_PER_HOUR, "demand_policy: target out of bounds"
    assert target.max_devices <= MAX_DEVICES, "demand_policy: devices out of bounds"
    now: uint64 = epoch_clock._current_epoch()
    previous: IDemandPolicy.Target = self._target_at(device_class, now)
    epoch: uint64 = 0
    if self.has_figures:
        epoch = now + convert(TARGET_EPOCHS, uint64)
        self.targets[device_class] = previous
        self.next_targets[device_class] = target
    else:
        self.targets[device_class] = target
    self.next_target_epoch[device_class] = epoch
    log IDemandPolicy.TargetChanged(
        device_class=device_class, previous=previous, current=target, from_epoch=epoch
    )


@external
def hand_over(receiver: address) -> uint256:
    """
    @notice Owner: send all work tokens to the policy that has followed this one.
    @param receiver the next fee vault
    @return amount base units
    """
    ownable._check_owner()
    assert receiver != empty(address), "demand_policy: no receiver"
    assert (
        staticcall Controller(CONTROLLER).role_holder(POLICY) != self
    ), "demand_policy: still the policy"
    amount: uint256 = staticcall TOKEN.balanceOf(self)
    assert amount != 0, "demand_policy: nothing to hand over"
    self.due = 0
    self.counted = 0
    self._send(receiver, amount)
    log IDemandPolicy.HandedOver(receiver=receiver, amount=amount)
    return amount


# --- views --------------------------------------------------------------------------------


@external
@view
def target_of(device_class: uint16) -> IDemandPolicy.Target:
    """
    @notice What a class is owed for the current epoch, all zero for nothing.
    @param device_class class
    """
    return self._target_at(device_class, epoch_clock._current_epoch())


@external
@view
def next_target(device_class: uint16) -> IDemandPolicy.Target:
    """
    @notice What a class is owed from `next_target_epoch` on, where that is not 0.
    @param device_class class
    """
    return self.next_targets[device_class]


@external
@view
def fee_vault() -> uint256:
    """
    @notice Base units of network fees that are not paid yet.
    """
    return staticcall TOKEN.balanceOf(self) - self.due


@external
@pure
def report_hash(epoch: uint64, classes: DynArray[IDemandPolicy.ClassTime, MAX_CLASSES]) -> bytes32:
    """
    @notice The EIP-712 struct hash of an epoch's figures, which the committee signs.
    @param epoch epoch
    @param classes live time by class
    """
    return self._report_hash(epoch, classes)
