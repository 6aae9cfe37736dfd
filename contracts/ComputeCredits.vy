# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Compute credits
@license Apache-2.0
@author Clearwork
@notice Prices in USD for customers, burning for holders. Whoever burns work tokens gets what they are
        worth in credits: one credit is one USD, in 6 decimals. Credits pay jobs like any listed asset
        of the escrow, and a refund is in credits. What a payee has earned is destroyed when it is
        paid out, and counts as its paid usage of that epoch; fees are destroyed as well. Nobody ever
        gets tokens back for credits.

        Credits go from a customer into the escrow and from there back to a customer, nowhere else.
@dev A purchase needs a usable price, see Prices; everything else goes on without one. Rounding: against
     the buyer, who gets credits rounded down for all that is burnt. For every holder the balance is
     what was bought and paid back, less what was paid in.

     Credits are their own price feed, one USD, so that Prices can count fees that were paid in them.

     Trust: the price. The holder of ESCROW takes credits only from those who approved it, and can
     only send back or destroy what it holds; one that took some can do so for ever, whoever holds
     the role later. The owner fills that role and, once it is held, changes it only after
     `ROLE_CHANGE_DELAY`.
@custom:security security@clearwork.example
@custom:kill The guardian of Prices suspends the work token: nothing is sold. Jobs, refunds and
             spending go on for ever.
"""

from ethereum.ercs import IERC20
from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from .interfaces import IAggregator
from .interfaces import IComputeCredits
from .interfaces import IPrices
from .interfaces import IWorkToken
from .modules import delayed_roles
from .modules import epoch_clock

implements: IERC20
implements: IAggregator
implements: IComputeCredits

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


# modules/epoch_clock.vy, on another contract
interface Clock:
    def GENESIS() -> uint256: view
    def EPOCH_LENGTH() -> uint256: view


# role that takes deposits of credits
ESCROW: public(constant(bytes32)) = keccak256("ESCROW")

name: public(constant(String[14])) = "Compute credit"
symbol: public(constant(String[6])) = "CREDIT"
# of a credit, which is one USD; also of the answer as a price feed
decimals: public(constant(uint8)) = 6
ONE_CREDIT: constant(uint256) = 10**6
# base units of the work token times USD with 18 decimals, per base unit of credits
PER_CREDIT_UNIT: constant(uint256) = 10**18 * 10**18 // ONE_CREDIT

# token that is burnt for credits
TOKEN: public(immutable(IWorkToken))
# says what that token is worth
PRICES: public(immutable(IPrices))

# base units
totalSupply: public(uint256)
# holder => base units
balanceOf: public(HashMap[address, uint256])
# holder => spender => base units it may take; all ones for any number
allowance: public(HashMap[address, HashMap[address, uint256]])
# who has taken deposits as ESCROW, and so has to be able to pay them out
is_escrow: public(HashMap[address, bool])
# epoch => base units of the work token burnt for credits
burnt_in: public(HashMap[uint64, uint256])
# epoch => payee => base units of credits spent on its work, fee taken
spent_in: public(HashMap[uint64, HashMap[uint24, uint256]])


@deploy
def __init__(token: IWorkToken, prices: IPrices, clock: Clock, role_change_delay: uint256):
    """
    @param token token that is burnt for credits, with 18 decimals
    @param prices contract that says what it is worth
    @param clock contract whose epochs purchases and spending are counted by
    @param role_change_delay seconds between scheduling and applying a change of a role
    """
    ownable.__init__()
    ownable_2step.__init__()
    delayed_roles.__init__(role_change_delay)
    assert token.address != empty(address), "compute_credits: no token"
    assert prices.address != empty(address), "compute_credits: no prices"
    assert clock.address != empty(address), "compute_credits: no clock"
    epoch_clock.__init__(staticcall clock.GENESIS(), staticcall clock.EPOCH_LENGTH())
    TOKEN = token
    PRICES = prices


# --- permissionless -------------------------------------------------------------------------


@external
def buy(work_amount: uint256, min_credits: uint256) -> uint256:
    """
    @notice Burn work tokens for what they are worth in credits. There is no way back.
    @param work_amount base units of the work token to burn; the caller has approved them
    @param min_credits base units of credits below which the caller does not buy
    @return credits base units bought, rounded down
    """
    price: uint256 = 0
    usable: bool = False
    price, usable = extcall PRICES.poke(TOKEN.address)
    assert usable, "compute_credits: no usable price"
    # afterwards the amount is one that existed: below 2**96, and the price is below 2**90
    extcall TOKEN.burn_from(msg.sender, work_amount)
    credits: uint256 = work_amount * price // PER_CREDIT_UNIT
    assert credits != 0, "compute_credits: buys nothing"
    assert credits >= min_credits, "compute_credits: fewer credits than asked for"

    epoch: uint64 = epoch_clock._current_epoch()
    self.burnt_in[epoch] += work_amount
    self.totalSupply += credits
    self.balanceOf[msg.sender] += credits
    log IERC20.Transfer(sender=empty(address), receiver=msg.sender, value=credits)
    log IComputeCredits.CreditsBought(
        buyer=msg.sender, epoch=epoch, burnt=work_amount, credits=credits, price=price
    )
    return credits


@external
def approve(spender: address, amount: uint256) -> bool:
    """
    @notice Let an escrow take credits for deposits. Nobody else can take any.
    @param spender the escrow
    @param amount base units, in place of what was allowed before; all ones for any number
    """
    self.allowance[msg.sender][spender] = amount
    log IERC20.Approval(owner=msg.sender, spender=spender, value=amount)
    return True


# --- the escrow -----------------------------------------------------------------------------


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    """
    @notice ESCROW: take a deposit.
    @param sender customer who has approved it
    @param receiver the caller
    @param amount base units
    """
    assert (
        msg.sender == delayed_roles.role_holder[ESCROW] and receiver == msg.sender
    ), "compute_credits: credits go into the escrow only"
    allowed: uint256 = self.allowance[sender][receiver]
    assert allowed >= amount, "compute_credits: allowance too small"
    if allowed != max_value(uint256):
        self.allowance[sender][receiver] = allowed - amount
    self.is_escrow[receiver] = True
    self._move(sender, receiver, amount)
    return True


@external
def transfer(receiver: address, amount: uint256) -> bool:
    """
    @notice ESCROW, present or earlier: send a refund.
    @param receiver customer
    @param amount base units
    """
    self._check_escrow()
    self._move(msg.sender, receiver, amount)
    return True


@internal
@view
def _check_escrow():
    assert self.is_escrow[msg.sender], "compute_credits: caller has never been the escrow"


@internal
def _move(sender: address, receiver: address, amount: uint256):
    self._take(sender, amount)
    self.balanceOf[receiver] += amount
    log IERC20.Transfer(sender=sender, receiver=receiver, value=amount)


@internal
def _take(holder: address, amount: uint256):
    balance: uint256 = self.balanceOf[holder]
    assert balance >= amount, "compute_credits: balance too small"
    self.balanceOf[holder] = balance - amount


@external
def spend(payee: uint24, amount: uint256):
    """
    @notice ESCROW, present or earlier: destroy credits of its own that a payee has earned. They count
            as its paid usage of this epoch.
    @param payee id of the provider or cluster; what a cluster earned is its members' by their GPUs
    @param amount base units
    """
    epoch: uint64 = self._destroy(amount)
    self.spent_in[epoch][payee] += amount
    log IComputeCredits.CreditsSpent(payee=payee, epoch=epoch, amount=amount)


@external
def burn(amount: uint256):
    """
    @notice ESCROW, present or earlier: destroy credits of its own that it took as fees.
    @param amount base units
    """
    log IComputeCredits.FeesDestroyed(epoch=self._destroy(amount), amount=amount)


@internal
def _destroy(amount: uint256) -> uint64:
    """
    @return epoch the present one
    """
    self._check_escrow()
    self._take(msg.sender, amount)
    self.totalSupply -= amount
    log IERC20.Transfer(sender=msg.sender, receiver=empty(address), value=amount)
    return epoch_clock._current_epoch()


# --- views ----------------------------------------------------------------------------------


@external
@view
def latestRoundData() -> (uint80, int256, uint256, uint256, uint80):
    """
    @notice What a credit is worth as price feeds say it: always one USD, always fresh.
    @return round 1
    @return answer USD with 6 decimals
    @return started_at chain time in seconds, now
    @return updated_at the same
    @return answered_in_round 1
    """
    return 1, convert(ONE_CREDIT, int256), block.timestamp, block.timestamp, 1
