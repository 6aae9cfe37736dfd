"""The weighted median of what validators say about one miner."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oracle.domain.consensus.fixed import Bits

_INDEX_BITS = np.int64(16)
_INDEX = np.int64(2**16 - 1)


@dataclass(frozen=True, slots=True)
class Quorum:
    """How much support a score needs: `support` of each voter, all above 0, in any unit.

    A score passes while the support below it is at most `minority`.
    """

    support: Sequence[int]
    minority: int


def weighted_median(scores: Bits, quorums: Sequence[Quorum]) -> Bits:
    """For each row the largest score that passes every quorum, the smallest score if none does.

    `scores`: (rows, voters), in [0, 2^47). No voters: zeros.
    """
    rows, voters = scores.shape
    if not voters:
        return np.zeros(rows, np.int64)
    # sorted with the voter's number in the low bits: unique keys, so one order on every host
    keys = np.sort(scores << _INDEX_BITS | np.arange(voters), axis=1)
    voter = keys & _INDEX
    at = np.full(rows, voters - 1, np.int64)
    for quorum in quorums:
        whole = sum(quorum.support)
        # whole numbers of any size where int64 is too short
        support = np.array(quorum.support, np.int64 if whole < 2**63 else object)
        below = np.cumsum(support[voter], axis=1) <= max(quorum.minority, 0)
        at = np.minimum(at, np.count_nonzero(below, axis=1))
    result: Bits = np.take_along_axis(keys, at[:, np.newaxis], axis=1)[:, 0] >> _INDEX_BITS
    return result
