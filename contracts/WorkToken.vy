# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Work token
@license Apache-2.0
@author Clearwork
@notice The ERC-20 that providers stake and emissions pay: EIP-2612 permit, burning by
        holders, minting by one contract up to a cap that nobody can raise.
@dev The cap counts every token ever minted, the genesis allocations included. A burnt
     token is gone: burning never makes room for minting.
     Trust: the holder of the MINTER role (the emissions controller) decides who receives
     new tokens, within the cap. The owner can only name that holder, after
     `ROLE_CHANGE_DELAY`. Nobody can pause, freeze or take a balance.
@custom:security security@clearwork.example
@custom:kill The owner empties the MINTER role, which ends all minting after the role
             delay. Transfers and burning cannot be stopped.
"""

from snekmate.auth import ownable
from snekmate.auth import ownable_2step
from snekmate.tokens import erc20

from .interfaces import IWorkToken
from .modules import delayed_roles

implements: IWorkToken

initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: erc20[ownable := ownable]
initializes: delayed_roles[ownable := ownable]

# `mint`, `set_minter`, `is_minter` and the ownership functions of the ERC-20 module stay
# inside: they would let an owner mint without cap.
exports: (
    # ERC-20
    erc20.name,
    erc20.symbol,
    erc20.decimals,
    erc20.totalSupply,
    erc20.balanceOf,
    erc20.allowance,
    erc20.transfer,
    erc20.approve,
    erc20.transferFrom,
    # burning
    erc20.burn,
    erc20.burn_from,
    # EIP-2612, EIP-5267
    erc20.permit,
    erc20.nonces,
    erc20.DOMAIN_SEPARATOR,
    erc20.eip712Domain,
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


struct Allocation:
    receiver: address
    # base units
    amount: uint256


# role that may mint
MINTER: public(constant(bytes32)) = keccak256("MINTER")
DECIMALS: constant(uint8) = 18
PERMIT_VERSION: constant(String[20]) = "1"
MAX_ALLOCATIONS: constant(uint256) = 64

# base units that can ever be minted, genesis included
MAX_SUPPLY: public(immutable(uint256))

# base units ever minted; burning does not lower it
minted: public(uint256)


@deploy
def __init__(
    name: String[25],
    symbol: String[5],
    max_supply: uint256,
    genesis: DynArray[Allocation, MAX_ALLOCATIONS],
    role_change_delay: uint256,
):
    """
    @param name name of the token, also of its EIP-712 domain
    @param symbol symbol of the token
    @param max_supply base units that can ever be minted, genesis included
    @param genesis base units minted to each receiver now
    @param role_change_delay seconds between naming a new minter and its first mint
    """
    assert max_supply != 0, "work_token: no supply"
    MAX_SUPPLY = max_supply
    ownable.__init__()
    ownable_2step.__init__()
    delayed_roles.__init__(role_change_delay)
    erc20.__init__(name, symbol, DECIMALS, name, PERMIT_VERSION)
    # The module makes the deployer a minter. Its `mint` is not exported, so the flag could
    # do nothing; a reader of the logs should not have to know that.
    erc20.is_minter[msg.sender] = False
    log erc20.RoleMinterChanged(minter=msg.sender, status=False)
    for allocation: Allocation in genesis:
        self._mint(allocation.receiver, allocation.amount)


# --- role-gated ---------------------------------------------------------------------------


@external
def mint(receiver: address, amount: uint256):
    """
    @notice MINTER: create tokens, up to the cap over all time.
    @param receiver who gets them
    @param amount base units
    """
    delayed_roles._check_role(MINTER)
    self._mint(receiver, amount)


@internal
def _mint(receiver: address, amount: uint256):
    """
    @dev Counts what is minted, so that burning makes no room.
    """
    minted: uint256 = self.minted
    # `minted` never passes the cap, so the subtraction can't underflow
    assert amount <= unsafe_sub(MAX_SUPPLY, minted), "work_token: over max supply"
    minted = unsafe_add(minted, amount)
    self.minted = minted
    erc20._mint(receiver, amount)
    log IWorkToken.Minted(receiver=receiver, amount=amount, minted=minted)
