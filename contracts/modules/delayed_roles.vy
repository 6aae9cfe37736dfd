# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Delayed roles
@license Apache-2.0
@author Clearwork
@notice Names the contracts that may act on this one (slasher, locker, minter, ...).
        A role that nobody holds is filled at once, which is how a deployment wires
        itself together. A role that somebody holds changes only after
        `ROLE_CHANGE_DELAY`, so that everyone with money here can leave first.
@dev The delay is chosen by the contract that initialises the module: longer than the
     unbonding period wherever the role can touch staked money.
"""

from snekmate.auth import ownable

uses: ownable


event RoleChangeScheduled:
    role: indexed(bytes32)
    current: address
    proposed: address
    ready_at: uint256


event RoleChanged:
    role: indexed(bytes32)
    previous: address
    current: address


struct PendingRole:
    holder: address
    ready_at: uint256


# seconds between scheduling and applying the change of a role somebody holds
ROLE_CHANGE_DELAY: public(immutable(uint256))

# role => contract that holds it; the zero address means nobody
role_holder: public(HashMap[bytes32, address])
# role => change that waits for its delay; `ready_at` 0 means none
pending_role: public(HashMap[bytes32, PendingRole])


@deploy
def __init__(change_delay: uint256):
    """
    @param change_delay seconds a change of a held role must wait
    """
    ROLE_CHANGE_DELAY = change_delay


@external
def set_role(role: bytes32, holder: address):
    """
    @notice Fill an empty role at once, or schedule the change of a held one.
    @param role keccak256 of the role's name, a constant of the contract
    @param holder the next holder; the zero address empties the role
    """
    ownable._check_owner()
    current: address = self.role_holder[role]
    if current == empty(address):
        self._change(role, holder)
    else:
        ready_at: uint256 = block.timestamp + ROLE_CHANGE_DELAY
        self.pending_role[role] = PendingRole(holder=holder, ready_at=ready_at)
        log RoleChangeScheduled(role=role, current=current, proposed=holder, ready_at=ready_at)


@external
def apply_role(role: bytes32):
    """
    @notice Carry out a scheduled change whose delay is over; anyone may call.
    @param role keccak256 of the role's name
    """
    pending: PendingRole = self.pending_role[role]
    assert pending.ready_at != 0, "roles: nothing scheduled"
    assert block.timestamp >= pending.ready_at, "roles: change not ready"
    self._change(role, pending.holder)


@internal
def _change(role: bytes32, holder: address):
    log RoleChanged(role=role, previous=self.role_holder[role], current=holder)
    self.role_holder[role] = holder
    self.pending_role[role] = empty(PendingRole)


@internal
@view
def _check_role(role: bytes32):
    assert msg.sender == self.role_holder[role], "roles: caller lacks the role"
