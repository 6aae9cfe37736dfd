# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Timelock
@license Apache-2.0
@author Clearwork
@notice The owner of every Clearwork contract after the hand-over: what proposers schedule
        waits at least `get_minimum_delay` seconds in public before executors can run it,
        and whoever holds the canceller role can stop it meanwhile.
@dev snekmate's timelock controller, all of it and nothing else. It administers itself
     unless an admin is given; the hand-over gives none or renounces it. Calls made by an
     operation may come back in, as in a batch whose calls depend on each other, so the
     file is not under the reentrancy lock; an operation can't be executed twice.
     Trust: proposers, as long as nobody uses the delay to object or to leave. Granting
     EXECUTOR_ROLE to the zero address lets anyone execute what is due.
@custom:security security@clearwork.example
@custom:kill Cancellers cancel every operation; a timelock without proposers is an owner
             that never acts again.
"""

from snekmate.auth import access_control
from snekmate.governance import timelock_controller

initializes: access_control
initializes: timelock_controller[access_control := access_control]

exports: (
    # proposals
    timelock_controller.schedule,
    timelock_controller.schedule_batch,
    timelock_controller.cancel,
    timelock_controller.execute,
    timelock_controller.execute_batch,
    # operations
    timelock_controller.hash_operation,
    timelock_controller.hash_operation_batch,
    timelock_controller.is_operation,
    timelock_controller.is_operation_pending,
    timelock_controller.is_operation_ready,
    timelock_controller.is_operation_done,
    timelock_controller.get_operation_state,
    timelock_controller.get_timestamp,
    # delay
    timelock_controller.get_minimum_delay,
    timelock_controller.update_delay,
    # roles
    timelock_controller.DEFAULT_ADMIN_ROLE,
    timelock_controller.PROPOSER_ROLE,
    timelock_controller.EXECUTOR_ROLE,
    timelock_controller.CANCELLER_ROLE,
    timelock_controller.hasRole,
    timelock_controller.getRoleAdmin,
    timelock_controller.grantRole,
    timelock_controller.revokeRole,
    timelock_controller.renounceRole,
    timelock_controller.set_role_admin,
    # ERC-165, receiving ether, ERC-721 and ERC-1155
    timelock_controller.supportsInterface,
    timelock_controller.__default__,
    timelock_controller.IERC721_TOKENRECEIVER_SELECTOR,
    timelock_controller.IERC1155_TOKENRECEIVER_SINGLE_SELECTOR,
    timelock_controller.IERC1155_TOKENRECEIVER_BATCH_SELECTOR,
    timelock_controller.onERC721Received,
    timelock_controller.onERC1155Received,
    timelock_controller.onERC1155BatchReceived,
)

MAX_ACCOUNTS: constant(uint256) = 255
# longest minimum delay to start with: a typing error must not lock everything for good
MAX_INITIAL_DELAY: constant(uint256) = 90 * 86_400


@deploy
def __init__(
    min_delay: uint256,
    proposers: DynArray[address, MAX_ACCOUNTS],
    executors: DynArray[address, MAX_ACCOUNTS],
    admin: address,
):
    """
    @param min_delay seconds between scheduling and executing, at least; up to 90 days
    @param proposers accounts that may schedule and cancel
    @param executors accounts that may execute; the zero address stands for everyone
    @param admin may change roles without delay; the zero address for nobody
    """
    assert min_delay <= MAX_INITIAL_DELAY, "timelock: delay out of bounds"
    assert len(proposers) != 0, "timelock: no proposer"
    assert len(executors) != 0, "timelock: no executor"
    access_control.__init__()
    timelock_controller.__init__(min_delay, proposers, executors, admin)
