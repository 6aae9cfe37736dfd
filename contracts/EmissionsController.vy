# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Emissions controller
@license Apache-2.0
@author Clearwork
@notice Turns chain time into budgets. Each epoch that has ended is granted what the
        halving schedule emits over its length; the tokens go to the reward distributor.
        What no reward leaf of an active epoch report took comes back under a reason code
        and pays later budgets before anything new is minted: to the base unit, budgets are
        what leaves took plus what came back. No epoch is lost: whoever presses next covers
        the epochs that were missed.
@dev Issuance, which drives the halving, is what the token has ever minted (genesis
     allocations included) less the reserve: a reclaimed token counts as not yet issued.
     Trust: the DISTRIBUTOR role receives all budgets; the LEDGER role says which report
     is active and what its leaves sum to. Both change only after `ROLE_CHANGE_DELAY`, and
     only together: a distributor serves the ledger it was made for, from its first epoch.
     The schedule itself (cap, initial emission, epochs) is immutable.
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
# epochs one call of `press` covers at most
MAX_EPOCHS: public(constant(uint256)) = 64
# reason code of a reclaim: no leaf of the epoch's report took it
NO_TAKER: public(constant(uint256)) = 1
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
# base units ever reclaimed
reclaimed: public(uint256)
# epoch => base units granted to all epochs up to and including it
budget_until: HashMap[uint64, uint256]


@deploy
def __init__(
    token: IWorkToken,
    genesis: uint256,
    epoch_length: uint256,
    initial_emission: uint256,
    block_seconds: uint256,
    role_change_delay: uint256,
):
    """
    @param token token that is emitted; names this contract its MINTER later
    @param genesis chain time in seconds at which epoch 0 starts
    @param epoch_length seconds in one epoch, 1 to 30 days
    @param initial_emission base units per `block_seconds` before the first halving
    @param block_seconds seconds in one block's worth of time, 1 to 3 600
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
    issuance: uint256 = staticcall TOKEN.minted() - reserve
    carry: uint256 = self.carry
    cumulative: uint256 = 0
    if first != 0:
        cumulative = self.budget_until[first - 1]
    granted: uint256 = 0
    epoch: uint64 = first
    for _: uint256 in range(count, bound=MAX_EPOCHS):
        budget: uint256 = 0
        budget, carry = halving._emission(
            issuance + granted,
            CAP,
            INITIAL_EMISSION,
            BLOCK_SECONDS,
            epoch_clock.EPOCH_LENGTH,
            carry,
        )
        granted += budget
        self.budget_until[epoch] = cumulative + granted
        log IEmissionsController.EpochPressed(
            epoch=epoch, budget=budget, cumulative_budget=cumulative + granted
        )
        epoch += 1
    self.next_epoch = epoch
    self.carry = carry

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
    @notice What drives the halving: tokens ever minted less those that came back, base units.
    """
    return staticcall TOKEN.minted() - self.reserve


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
