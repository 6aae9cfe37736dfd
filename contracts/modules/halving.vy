# pragma version 0.4.3
"""
@title Halving by issuance
@license Apache-2.0
@author Clearwork
@notice How much the schedule emits. With a cap S and x tokens issued, one block's worth of
        time emits `initial / 2^k`, k = floor(log2(S / (S - x))): the emission halves each
        time half of what is still missing has been issued, and ends at the cap.
@dev The rule and its thresholds are Bittensor's `get_block_emission_for_issuance`, in
     whole numbers. Time is cut into seconds: the issuance at the start of a second sets
     the rate of that second, as the issuance at the start of a block does there. So the
     emission of a span does not depend on how often it is asked for: one call over two
     hours grants what two calls over one hour each grant.
     Rounding: a second emits `rate / block_seconds` base units, rounded down; the
     fraction (the carry, in base units times seconds) goes on to the next second.
     `oracle/domain/emission.py` is this module in Python.
"""

from snekmate.utils import math

# phases an initial emission below 2^96 can go through before it is halved to nothing,
# plus the one that ends at the cap
MAX_PHASES: constant(uint256) = 98


@internal
@pure
def _halvings(issuance: uint256, cap: uint256) -> uint256:
    """
    @param issuance base units issued, less than `cap`
    @param cap base units that can ever be issued
    @return halvings how often the emission has been halved
    """
    return math._log2(cap // (cap - issuance), False)


@internal
@pure
def _block_emission(issuance: uint256, cap: uint256, initial: uint256) -> uint256:
    """
    @param issuance base units issued
    @param cap base units that can ever be issued
    @param initial base units per block's worth of time before the first halving
    @return emission base units per block's worth of time, rounded down
    """
    if issuance >= cap:
        return 0
    return initial >> self._halvings(issuance, cap)


@internal
@pure
def _emission(
    issuance: uint256,
    cap: uint256,
    initial: uint256,
    block_seconds: uint256,
    duration: uint256,
    carry: uint256,
) -> (uint256, uint256):
    """
    @notice What a span of time emits: piecewise constant between two halvings.
    @dev Nothing overflows for `cap` and `initial` below 2^96, `block_seconds` below 2^32
         and a `duration` below 2^64.
    @param issuance base units issued before the span
    @param cap base units that can ever be issued
    @param initial base units per block's worth of time before the first halving
    @param block_seconds seconds in one block's worth of time
    @param duration seconds in the span
    @param carry what the last span left over, base units times seconds, < `block_seconds`
    @return emitted base units, rounded down, never more than `cap - issuance`
    @return carry what this span leaves over for the next, base units times seconds
    """
    issued: uint256 = issuance
    fraction: uint256 = carry
    seconds_left: uint256 = duration
    for _: uint256 in range(MAX_PHASES):
        if seconds_left == 0 or issued >= cap:
            break
        halvings: uint256 = self._halvings(issued, cap)
        rate: uint256 = initial >> halvings
        if rate == 0:
            break
        # first issuance that halves once more; above `issued`, so `missing` is not 0
        threshold: uint256 = cap - (cap >> (halvings + 1))
        missing: uint256 = (threshold - issued) * block_seconds - fraction
        passed: uint256 = min((missing + rate - 1) // rate, seconds_left)
        accrued: uint256 = passed * rate + fraction
        issued += accrued // block_seconds
        fraction = accrued % block_seconds
        seconds_left -= passed
    if issued >= cap:
        return cap - issuance, 0
    return issued - issuance, fraction
