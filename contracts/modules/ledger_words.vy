# pragma version 0.4.3
"""
@title Ledger words
@license Apache-2.0
@author Clearwork
@notice The epoch ledger's hot state, two storage slots. From the low end:

        mark     bits   0..95   cumulative rewards of a report, base units
                 bits  96..191  granted up to its last epoch and taken by no leaf, base units
                 bits 192..221  its last epoch
                 bits 222..255  chain time at which it becomes active

        cursor   bits   0..95   cumulative rewards of the active report, base units
                 bits  96..127  last epoch of the active report
                 bits 128..167  chain time at which the oldest pending report becomes active
                 bits 168..199  reports posted and not disabled
                 bits 200..207  of them, those that were pending at the last write
                 bits 208..239  reports ever disabled
"""

UNTAKEN_SHIFT: constant(uint256) = 96
TO_EPOCH_SHIFT: constant(uint256) = 192
ACTIVE_AT_SHIFT: constant(uint256) = 222

ACTIVE_EPOCH_SHIFT: constant(uint256) = 96
NEXT_ACTIVE_AT_SHIFT: constant(uint256) = 128
REPORTS_SHIFT: constant(uint256) = 168
PENDING_SHIFT: constant(uint256) = 200
DISABLED_SHIFT: constant(uint256) = 208

ONE_REPORT: constant(uint256) = 1 << REPORTS_SHIFT
ONE_PENDING: constant(uint256) = 1 << PENDING_SHIFT
ONE_DISABLED: constant(uint256) = 1 << DISABLED_SHIFT

MASK_8: constant(uint256) = 2**8 - 1
MASK_30: constant(uint256) = 2**30 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_40: constant(uint256) = 2**40 - 1
MASK_96: constant(uint256) = 2**96 - 1


@internal
@pure
def _pack_mark(
    rewards: uint256, untaken: uint256, to_epoch: uint256, active_at: uint256
) -> uint256:
    """
    @dev The controller caps what it grants below 2**96 base units, and an epoch lasts a
         second at least, so every field fits until 2**30 epochs have passed.
    """
    return (
        rewards
        | (untaken << UNTAKEN_SHIFT)
        | (to_epoch << TO_EPOCH_SHIFT)
        | (active_at << ACTIVE_AT_SHIFT)
    )


@internal
@pure
def _rewards(mark: uint256) -> uint256:
    return mark & MASK_96


@internal
@pure
def _untaken(mark: uint256) -> uint256:
    return (mark >> UNTAKEN_SHIFT) & MASK_96


@internal
@pure
def _to_epoch(mark: uint256) -> uint256:
    return (mark >> TO_EPOCH_SHIFT) & MASK_30


@internal
@pure
def _active_at(mark: uint256) -> uint256:
    return mark >> ACTIVE_AT_SHIFT


@internal
@pure
def _active_rewards(cursor: uint256) -> uint256:
    return cursor & MASK_96


@internal
@pure
def _active_epoch(cursor: uint256) -> uint256:
    return (cursor >> ACTIVE_EPOCH_SHIFT) & MASK_32


@internal
@pure
def _next_active_at(cursor: uint256) -> uint256:
    return (cursor >> NEXT_ACTIVE_AT_SHIFT) & MASK_40


@internal
@pure
def _reports(cursor: uint256) -> uint256:
    return (cursor >> REPORTS_SHIFT) & MASK_32


@internal
@pure
def _pending(cursor: uint256) -> uint256:
    return (cursor >> PENDING_SHIFT) & MASK_8


@internal
@pure
def _disabled(cursor: uint256) -> uint256:
    return cursor >> DISABLED_SHIFT


@internal
@pure
def _posted(cursor: uint256, active_at: uint256) -> uint256:
    """
    @param active_at chain time in seconds at which the new report becomes active
    @return cursor with one report more, pending
    """
    posted: uint256 = cursor
    if (cursor >> PENDING_SHIFT) & MASK_8 == 0:
        posted = self._with_next_active_at(cursor, active_at)
    # neither count ever fills its bits: one report per epoch, `MAX_PENDING` of them waiting
    return unsafe_add(posted, ONE_REPORT | ONE_PENDING)


@internal
@pure
def _popped(cursor: uint256) -> uint256:
    """
    @return cursor with one pending report less and one more disabled
    """
    # the caller has checked that one is pending
    return unsafe_add(unsafe_sub(cursor, ONE_REPORT | ONE_PENDING), ONE_DISABLED)


@internal
@pure
def _activated(cursor: uint256, mark: uint256) -> uint256:
    """
    @param mark of the oldest pending report
    @return cursor with that report active
    """
    kept: uint256 = unsafe_sub(cursor, ONE_PENDING) & ~(MASK_96 | (MASK_32 << ACTIVE_EPOCH_SHIFT))
    return (kept | (mark & MASK_96) | (((mark >> TO_EPOCH_SHIFT) & MASK_30) << ACTIVE_EPOCH_SHIFT))


@internal
@pure
def _with_next_active_at(cursor: uint256, active_at: uint256) -> uint256:
    return (cursor & ~(MASK_40 << NEXT_ACTIVE_AT_SHIFT)) | (active_at << NEXT_ACTIVE_AT_SHIFT)
