# pragma version 0.4.3
"""
@title Split of a budget over subnets
@license Apache-2.0
@author Clearwork
@notice A part `beta` of a budget follows the fees that were really paid in each subnet, the rest
        follows votes. Of a subnet's fee part the share that its owner withholds is cut, and what
        is more than `cap_ratio` of the fees it paid: whoever pays fees to itself gets less back
        than it paid.
@dev Rounding: a part ends where the sum of all weights up to its own ends, rounded down. So each
     part is within one base unit of its exact value, and all of them are the whole, without
     sorting remainders. The fee part of the budget, the caps and what the withheld share leaves
     are rounded down: the dust goes to the votes, or is cut.
     Nothing overflows for a budget below 2^96 and weights below 2^136.
     `oracle/domain/emission.py` is this module in Python.
"""

# subnets, and the market at large
MAX_GAUGES: constant(uint256) = 65
BPS: constant(uint256) = 10_000


struct Cuts:
    # base units that a subnet's owner withholds
    withheld: uint256
    # base units above the cap
    over_cap: uint256
    # base units of the fee part where nobody paid fees
    no_fees: uint256


@internal
@pure
def _split(
    budget: uint256,
    beta_bps: uint256,
    cap_ratio_bps: uint256,
    votes: DynArray[uint256, MAX_GAUGES],
    fees: DynArray[uint256, MAX_GAUGES],
    withheld_bps: DynArray[uint256, MAX_GAUGES],
) -> (DynArray[uint256, MAX_GAUGES], Cuts):
    """
    @param budget base units
    @param beta_bps part of it that follows fees, in bps
    @param cap_ratio_bps largest fee part of a subnet, in bps of the fees it paid
    @param votes stake by subnet, 0 the market at large; none at all is a vote for that
    @param fees by subnet, in base units of the work token
    @param withheld_bps share that each subnet's owner withholds, as many as `fees`
    @return shares base units by subnet, at least one; with the cuts they are the budget
    @return cuts base units that nobody gets
    """
    fee_part: uint256 = budget * beta_bps // BPS
    shares: DynArray[uint256, MAX_GAUGES] = self._parts(budget - fee_part, votes)
    if len(shares) == 0:
        shares.append(budget - fee_part)
    cuts: Cuts = empty(Cuts)
    parts: DynArray[uint256, MAX_GAUGES] = self._parts(fee_part, fees)
    if len(parts) == 0:
        cuts.no_fees = fee_part
        return shares, cuts
    subnet: uint256 = 0
    for part: uint256 in parts:
        left: uint256 = part * (BPS - withheld_bps[subnet]) // BPS
        paid: uint256 = min(left, fees[subnet] * cap_ratio_bps // BPS)
        cuts.withheld += part - left
        cuts.over_cap += left - paid
        if subnet < len(shares):
            shares[subnet] += paid
        else:
            shares.append(paid)
        subnet += 1
    return shares, cuts


@internal
@pure
def _parts(
    amount: uint256, weights: DynArray[uint256, MAX_GAUGES]
) -> DynArray[uint256, MAX_GAUGES]:
    """
    @return parts as many as weights, `amount` in all; none where no weight is above 0
    """
    parts: DynArray[uint256, MAX_GAUGES] = []
    total: uint256 = 0
    for weight: uint256 in weights:
        total += weight
    if total == 0:
        return parts
    below: uint256 = 0
    end: uint256 = 0
    for weight: uint256 in weights:
        start: uint256 = end
        below += weight
        end = amount * below // total
        parts.append(end - start)
    return parts
