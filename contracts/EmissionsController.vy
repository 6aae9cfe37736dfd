# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Emissions controller
@license Apache-2.0
@author Clearwork
@notice Turns chain time into budgets. Each epoch that has ended is granted what the
        halving schedule emits over its length, split over the subnets by votes and by the
        fees that were paid there; the tokens go to the reward distributor.
        What the split cuts is never minted, and the schedule emits it later. What no reward
        leaf of an active epoch report took comes back and pays later budgets before anything
        new is minted: to the base unit, budgets are what leaves took plus what came back. Both
        are logged under a reason code. No epoch is lost: whoever presses next covers the
        epochs that were missed.
@dev Issuance, which drives the halving, is what the token has ever minted (genesis
     allocations included) less the reserve, plus the vault: what was reclaimed counts as not
     yet issued, what a policy keeps as issued.
     Fees have no epoch: those of one call count evenly for all epochs that have ended by then,
     whether it presses them or not. No choice of the moment gains from that: a subnet's fee
     parts of all these epochs are together at most `cap_ratio_bps` of what it really paid.
     Trust: the DISTRIBUTOR role receives all budgets; the LEDGER role says which report
     is active and what its leaves sum to. Both change only after `ROLE_CHANGE_DELAY`, and
     only together: a distributor serves the ledger it was made for, from its first epoch.
     VOTES, FEES and SUBNETS say how a budget is split, POLICY how much of the schedule is
     granted; each may be nobody, and none can stop a press: one that fails counts as no votes,
     no fees, all withheld, nothing released. The schedule itself (cap, initial emission,
     epochs) is immutable.
@custom:security security@clearwork.example
@custom:kill The owner empties the DISTRIBUTOR role here (`press` reverts after the role
             delay, the grants wait) or the MINTER role of the token. Claims go on.
"""

from ethereum.ercs import IERC20
from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from .interfaces import IEmissionsController
from .interfaces import IEpochLedger
from .interfaces import IRewardDistributor
from .interfaces import IWorkToken
from .modules import delayed_roles
from .modules import epoch_clock
from .modules import halving
from .modules import isolated
from .modules import subnet_split

implements: IEmissionsController

initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: delayed_roles[ownable := ownable]
initializes: epoch_clock

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
    # clock
    epoch_clock.GENESIS,
    epoch_clock.EPOCH_LENGTH,
    epoch_clock.current_epoch,
)


# role that receives the budgets and returns what nobody took
DISTRIBUTOR: public(constant(bytes32)) = keccak256("DISTRIBUTOR")
# role that knows which epoch report is active
LEDGER: public(constant(bytes32)) = keccak256("LEDGER")
# role that stake votes at (ISubnetVotes); nobody: all budgets are the market's at large
VOTES: public(constant(bytes32)) = keccak256("VOTES")
# role that counts fees (IFeeMeter); nobody: no fees
FEES: public(constant(bytes32)) = keccak256("FEES")
# role that knows what subnets' owners withhold (ISubnetRegistry); nobody: nothing
SUBNETS: public(constant(bytes32)) = keccak256("SUBNETS")
# role that decides how much of the schedule is granted (IEmissionPolicy); nobody: all of it
POLICY: public(constant(bytes32)) = keccak256("POLICY")
# epochs one call of `press` covers at most
MAX_EPOCHS: public(constant(uint256)) = 64
# reason codes of a reclaim: no leaf of the epoch's report took it
NO_TAKER: public(constant(uint256)) = 1
# a subnet's owner withholds that share of its miners' emission
WITHHELD: public(constant(uint256)) = 2
# more than `cap_ratio_bps` of the fees that the subnet paid
FEE_CAP: public(constant(uint256)) = 3
# no subnet paid fees
NO_FEES: public(constant(uint256)) = 4
# left in the vault by a policy that is gone
NO_POLICY: public(constant(uint256)) = 5
# bounds of the split: at least half of a budget follows votes, and of its own fees a subnet
# never gets back more than this
MAX_BETA_BPS: constant(uint256) = 5_000
MAX_CAP_RATIO_BPS: constant(uint256) = 9_500
# subnets, and the market at large
MAX_GAUGES: constant(uint256) = 65
# gas that votes, fee meter and policy may take, and that a subnet's withheld share may
SOURCE_GAS: constant(uint256) = 10_000_000
WITHHELD_GAS: constant(uint256) = 100_000
BPS: constant(uint256) = 10_000
# bounds of the schedule: amounts fit the 96 bits that the distributor packs them in
MAX_AMOUNT: constant(uint256) = 2**96 - 1
MAX_BLOCK_SECONDS: constant(uint256) = 3_600

# token that is emitted
TOKEN: public(immutable(IWorkToken))
# base units that can ever be minted
CAP: public(immutable(uint256))
# base units emitted per block's worth of time before the first halving
INITIAL_EMISSION: public(immutable(uint256))
# seconds in one block's worth of time
BLOCK_SECONDS: public(immutable(uint256))

# first epoch that has not been pressed
next_epoch: public(uint64)
# fraction of a base unit the schedule owes to the next epoch, in 1 / `BLOCK_SECONDS`
carry: public(uint256)
# reclaimed base units held here; they pay the next budgets
reserve: public(uint256)
# base units that came back out of granted budgets
reclaimed: public(uint256)
# base units that splits have cut; never minted
cut: public(uint256)
# base units that the schedule has emitted and a policy keeps; not minted
vault: public(uint256)
# part of each budget that follows fees, in bps
beta_bps: public(uint256)
# largest fee part of a subnet, in bps of the fees it paid
cap_ratio_bps: public(uint256)
# fees that count for epochs that had ended and were not pressed at the last press, by subnet
waiting_fees: DynArray[uint256, MAX_GAUGES]
# epoch => base units granted to all epochs up to and including it
budget_until: HashMap[uint64, uint256]


@deploy
def __init__(
    token: IWorkToken,
    genesis: uint256,
    epoch_length: uint256,
    initial_emission: uint256,
    block_seconds: uint256,
    beta_bps: uint256,
    cap_ratio_bps: uint256,
    role_change_delay: uint256,
):
    """
    @param token token that is emitted; names this contract its MINTER later
    @param genesis chain time in seconds at which epoch 0 starts
    @param epoch_length seconds in one epoch, 1 to 30 days
    @param initial_emission base units per `block_seconds` before the first halving
    @param block_seconds seconds in one block's worth of time, 1 to 3 600
    @param beta_bps part of each budget that follows fees, in bps, at most half
    @param cap_ratio_bps largest fee part of a subnet, in bps of the fees it paid, at most 9 500
    @param role_change_delay seconds between scheduling and applying a change of a role
    """
    ownable.__init__()
    ownable_2step.__init__()
    delayed_roles.__init__(role_change_delay)
    epoch_clock.__init__(genesis, epoch_length)
    TOKEN = token
    CAP = staticcall token.MAX_SUPPLY()
    assert CAP <= MAX_AMOUNT, "emissions_controller: cap out of bounds"
    assert (
        initial_emission != 0 and initial_emission <= MAX_AMOUNT
    ), "emissions_controller: emission out of bounds"
    assert (
        block_seconds != 0 and block_seconds <= MAX_BLOCK_SECONDS
    ), "emissions_controller: block time out of bounds"
    INITIAL_EMISSION = initial_emission
    BLOCK_SECONDS = block_seconds
    self._set_beta(beta_bps)
    self._set_cap_ratio(cap_ratio_bps)


# --- permissionless -----------------------------------------------------------------------


@external
def press(max_epochs: uint256) -> uint256:
    """
    @notice Grant their budgets to the oldest epochs that have ended and have none yet, and
            pay the distributor: from the reserve first, the rest is minted.
    @param max_epochs epochs to cover at most; more than `MAX_EPOCHS` means that many
    @return pressed number of epochs covered, at least 1
    """
    distributor: address = self._distributor()
    first: uint64 = self.next_epoch
    ended: uint256 = convert(epoch_clock._current_epoch() - first, uint256)
    count: uint256 = min(min(max_epochs, MAX_EPOCHS), ended)
    assert count != 0, "emissions_controller: nothing to press"

    reserve: uint256 = self.reserve
    vault: uint256 = self._open_vault(first)
    issuance: uint256 = staticcall TOKEN.minted() - reserve + vault
    carry: uint256 = self.carry
    cumulative: uint256 = 0
    if first != 0:
        cumulative = self.budget_until[first - 1]
    # of every epoch, and what does not divide, which is the first one's
    fees: DynArray[uint256, MAX_GAUGES] = []
    odd_fees: DynArray[uint256, MAX_GAUGES] = []
    withheld: DynArray[uint256, MAX_GAUGES] = []
    is_split: bool = delayed_roles.role_holder[VOTES] != empty(address)
    if is_split:
        fees, odd_fees = self._fees(first, ended, count)
        withheld = self._withheld(first, odd_fees)

    granted: uint256 = 0
    epoch: uint64 = first
    for i: uint256 in range(count, bound=MAX_EPOCHS):
        scheduled: uint256 = 0
        scheduled, carry = halving._emission(
            issuance, CAP, INITIAL_EMISSION, BLOCK_SECONDS, epoch_clock.EPOCH_LENGTH, carry
        )
        released: uint256 = 0
        released, vault = self._release(epoch, scheduled, vault)
        shares: DynArray[uint256, MAX_GAUGES] = [released]
        budget: uint256 = released
        if is_split:
            shares, budget = self._split(epoch, released, odd_fees if i == 0 else fees, withheld)
        # what was cut is not issued; it can be more than is scheduled, out of the vault
        issuance = issuance + scheduled + budget - released
        granted += budget
        self.budget_until[epoch] = cumulative + granted
        log IEmissionsController.BudgetSplit(
            epoch=epoch, scheduled=scheduled, released=released, shares=shares
        )
        log IEmissionsController.EpochPressed(
            epoch=epoch, budget=budget, cumulative_budget=cumulative + granted
        )
        epoch += 1
    self.next_epoch = epoch
    self.carry = carry
    self.vault = vault

    from_reserve: uint256 = min(reserve, granted)
    if from_reserve != 0:
        self.reserve = reserve - from_reserve
        assert extcall IERC20(TOKEN.address).transfer(
            distributor, from_reserve, default_return_value=True
        ), "emissions_controller: transfer failed"
    if granted != from_reserve:
        extcall TOKEN.mint(distributor, granted - from_reserve)
    extcall IRewardDistributor(distributor).fund(granted)
    return count


@internal
@view
def _distributor() -> address:
    holder: address = delayed_roles.role_holder[DISTRIBUTOR]
    assert holder != empty(address), "emissions_controller: no distributor"
    return holder


@internal
def _open_vault(epoch: uint64) -> uint256:
    """
    @return vault what a policy can release; without one it goes back to the schedule, which
            emits it bit by bit, not all at once
    """
    vault: uint256 = self.vault
    if vault == 0 or delayed_roles.role_holder[POLICY] != empty(address):
        return vault
    self._cut(epoch, NO_POLICY, vault)
    return 0


@internal
def _cut(epoch: uint64, reason: uint256, amount: uint256):
    if amount != 0:
        self.cut += amount
        log IEmissionsController.Reclaimed(to_epoch=epoch, reason=reason, amount=amount)


@internal
def _fees(
    first: uint64, ended: uint256, count: uint256
) -> (DynArray[uint256, MAX_GAUGES], DynArray[uint256, MAX_GAUGES]):
    """
    @param first the first epoch that is pressed
    @param ended epochs that have ended and were not pressed
    @param count epochs that are pressed
    @return fees by subnet, of each of the epochs but the first
    @return odd_fees those of the first, to whom the remainder goes
    """
    new: DynArray[uint256, MAX_GAUGES] = []
    source: address = delayed_roles.role_holder[FEES]
    if source != empty(address):
        new = self._ask(first, FEES, source, method_id("take()", output_type=Bytes[4]))
    waiting: DynArray[uint256, MAX_GAUGES] = self.waiting_fees
    fees: DynArray[uint256, MAX_GAUGES] = []
    odd_fees: DynArray[uint256, MAX_GAUGES] = []
    rest: DynArray[uint256, MAX_GAUGES] = []
    for subnet: uint256 in range(max(len(new), len(waiting)), bound=MAX_GAUGES):
        total: uint256 = 0
        if subnet < len(new):
            total = new[subnet]
        if subnet < len(waiting):
            total += waiting[subnet]
        even: uint256 = total // ended
        fees.append(even)
        odd_fees.append(even + total % ended)
        rest.append(even * (ended - count))
    if count != ended:
        self.waiting_fees = rest
    elif len(waiting) != 0:
        self.waiting_fees = []
    return fees, odd_fees


@internal
def _ask(
    epoch: uint64, role: bytes32, source: address, question: Bytes[68]
) -> DynArray[uint256, MAX_GAUGES]:
    """
    @return amounts what the holder of a role says by subnet, none where it fails
    """
    success: bool = False
    answer: Bytes[isolated.MAX_ANSWER] = b""
    success, answer = isolated._call(source, question, SOURCE_GAS)
    amounts: DynArray[uint256, MAX_GAUGES] = []
    is_list: bool = False
    amounts, is_list = isolated._amounts(answer)
    if success and is_list:
        return amounts
    log IEmissionsController.SourceFailed(epoch=epoch, role=role, source=source)
    return []


@internal
def _withheld(epoch: uint64, fees: DynArray[uint256, MAX_GAUGES]) -> DynArray[uint256, MAX_GAUGES]:
    """
    @return withheld bps by subnet, as many as `fees`; 0 where no fees were paid
    """
    source: address = delayed_roles.role_holder[SUBNETS]
    withheld: DynArray[uint256, MAX_GAUGES] = []
    for fee: uint256 in fees:
        bps: uint256 = 0
        # the market at large has no owner
        if len(withheld) != 0 and fee != 0 and source != empty(address):
            is_known: bool = False
            bps, is_known = isolated._read(
                source,
                abi_encode(len(withheld), method_id=method_id("withheld_bps(uint16)")),
                WITHHELD_GAS,
            )
            if not is_known or bps > BPS:
                bps = BPS
                log IEmissionsController.SourceFailed(epoch=epoch, role=SUBNETS, source=source)
        withheld.append(bps)
    return withheld


@internal
def _release(epoch: uint64, scheduled: uint256, vault: uint256) -> (uint256, uint256):
    """
    @param epoch the epoch that is pressed
    @param scheduled base units that the schedule emits for it
    @param vault base units that earlier epochs left
    @return released base units that are granted, if the split cuts nothing
    @return vault base units that are left
    """
    policy: address = delayed_roles.role_holder[POLICY]
    if policy == empty(address):
        return scheduled, vault
    available: uint256 = vault + scheduled
    success: bool = False
    answer: Bytes[isolated.MAX_ANSWER] = b""
    success, answer = isolated._call(
        policy,
        abi_encode(epoch, available, method_id=method_id("release(uint64,uint256)")),
        SOURCE_GAS,
    )
    if not success or len(answer) != 32:
        log IEmissionsController.SourceFailed(epoch=epoch, role=POLICY, source=policy)
        return 0, available
    released: uint256 = min(extract32(answer, 0, output_type=uint256), available)
    return released, available - released


@internal
def _split(
    epoch: uint64,
    released: uint256,
    fees: DynArray[uint256, MAX_GAUGES],
    withheld: DynArray[uint256, MAX_GAUGES],
) -> (DynArray[uint256, MAX_GAUGES], uint256):
    """
    @return shares base units by subnet
    @return budget their sum
    """
    votes: DynArray[uint256, MAX_GAUGES] = self._ask(
        epoch,
        VOTES,
        delayed_roles.role_holder[VOTES],
        abi_encode(epoch, method_id=method_id("take(uint64)")),
    )
    shares: DynArray[uint256, MAX_GAUGES] = []
    cuts: subnet_split.Cuts = empty(subnet_split.Cuts)
    shares, cuts = subnet_split._split(
        released, self.beta_bps, self.cap_ratio_bps, votes, fees, withheld
    )
    self._cut(epoch, WITHHELD, cuts.withheld)
    self._cut(epoch, FEE_CAP, cuts.over_cap)
    self._cut(epoch, NO_FEES, cuts.no_fees)
    return shares, released - cuts.withheld - cuts.over_cap - cuts.no_fees


@external
def reclaim() -> uint256:
    """
    @notice Take back what the epochs up to the active report were granted and no leaf of
            it took. Later reports can't take it either: the ledger lets each report raise
            the leaves by no more than the budget of its own epochs.
    @return amount base units that came back
    """
    ledger: IEpochLedger = IEpochLedger(delayed_roles.role_holder[LEDGER])
    assert ledger.address != empty(address), "emissions_controller: no ledger"
    to_epoch: uint64 = 0
    is_active: bool = False
    to_epoch, is_active = staticcall ledger.active_epoch()
    assert is_active, "emissions_controller: no active report"
    root: bytes32 = empty(bytes32)
    rewards: uint256 = 0
    root, rewards = staticcall ledger.active_rewards()
    reclaimed: uint256 = self.reclaimed
    amount: uint256 = self._cumulative_budget(to_epoch) - rewards - reclaimed
    assert amount != 0, "emissions_controller: nothing to reclaim"
    self.reclaimed = reclaimed + amount
    self.reserve += amount
    log IEmissionsController.Reclaimed(to_epoch=to_epoch, reason=NO_TAKER, amount=amount)
    extcall IRewardDistributor(self._distributor()).give_back(amount)
    return amount


# --- owner --------------------------------------------------------------------------------


@external
def set_beta(beta_bps: uint256):
    """
    @notice Owner: change the part of a budget that follows fees, from the next press on.
    @param beta_bps in bps, at most half
    """
    ownable._check_owner()
    self._set_beta(beta_bps)


@internal
def _set_beta(beta_bps: uint256):
    assert beta_bps <= MAX_BETA_BPS, "emissions_controller: beta out of bounds"
    log IEmissionsController.BetaChanged(previous=self.beta_bps, current=beta_bps)
    self.beta_bps = beta_bps


@external
def set_cap_ratio(cap_ratio_bps: uint256):
    """
    @notice Owner: change the largest fee part of a subnet, from the next press on.
    @param cap_ratio_bps in bps of the fees it paid, at most 9 500
    """
    ownable._check_owner()
    self._set_cap_ratio(cap_ratio_bps)


@internal
def _set_cap_ratio(cap_ratio_bps: uint256):
    assert cap_ratio_bps <= MAX_CAP_RATIO_BPS, "emissions_controller: cap ratio out of bounds"
    log IEmissionsController.CapRatioChanged(previous=self.cap_ratio_bps, current=cap_ratio_bps)
    self.cap_ratio_bps = cap_ratio_bps


# --- views --------------------------------------------------------------------------------


@external
@view
@reentrant
def cumulative_budget(epoch: uint64) -> uint256:
    """
    @notice What the schedule has granted to all epochs up to and including this one.
    @dev Outside the reentrancy lock: a budget is written once and never changes.
    @param epoch an epoch that has been pressed
    @return budget base units
    """
    return self._cumulative_budget(epoch)


@internal
@view
def _cumulative_budget(epoch: uint64) -> uint256:
    # only an epoch without any budget so far needs the second look
    budget: uint256 = self.budget_until[epoch]
    assert budget != 0 or epoch < self.next_epoch, "emissions_controller: epoch not pressed"
    return budget


@external
@view
def issuance() -> uint256:
    """
    @notice What drives the halving, base units: tokens ever minted less those that came back,
            and what a policy keeps in the vault.
    """
    return staticcall TOKEN.minted() - self.reserve + self.vault


@external
@view
def block_emission(issuance: uint256) -> uint256:
    """
    @notice The schedule at a point.
    @param issuance base units issued
    @return emission base units per `BLOCK_SECONDS`, rounded down
    """
    return halving._block_emission(issuance, CAP, INITIAL_EMISSION)


@external
@view
def emission(issuance: uint256, duration: uint64, carry: uint256) -> (uint256, uint256):
    """
    @notice What the schedule emits over a span of time, for clients that look ahead.
    @param issuance base units issued before the span
    @param duration seconds in the span
    @param carry what the span before left over, base units times seconds, < `BLOCK_SECONDS`
    @return emitted base units
    @return carry what this span leaves over
    """
    assert issuance <= CAP, "emissions_controller: issuance above the cap"
    assert carry < BLOCK_SECONDS, "emissions_controller: carry out of bounds"
    return halving._emission(
        issuance, CAP, INITIAL_EMISSION, BLOCK_SECONDS, convert(duration, uint256), carry
    )
