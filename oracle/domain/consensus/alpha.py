"""Liquid alpha: how fast a bond follows a weight depends on how far apart they are."""

from dataclasses import dataclass

import numpy as np

from oracle.domain.consensus.fixed import FRACTION, HALF, ONE, Bits, div, exp, mul


@dataclass(frozen=True, slots=True)
class LiquidAlpha:
    """The curve from `low` to `high`, both I32F32; `steepness` in hundredths, i16."""

    low: int
    high: int
    steepness: int

    def rate(self, weight: Bits, bond: Bits, consensus: Bits) -> Bits:
        """Alpha for each triple, of shape (n,): all three in [0, 1].

        Buying is measured by how far the weight is above the consensus, selling by how far the
        bond is above the weight.
        """
        distance = np.where(weight >= bond, weight - consensus, bond - weight)
        distance = np.clip(distance, 0, ONE)
        size = (abs(self.steepness) << FRACTION) // 100
        slope = -size if self.steepness > 0 else size
        sigmoid = div(ONE, exp(mul(slope, distance - HALF)) + np.int64(ONE))
        rate: Bits = mul(sigmoid, self.high - self.low) + np.int64(self.low)
        return np.maximum(np.minimum(rate, self.high), self.low)
