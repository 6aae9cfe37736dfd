"""Bonds: what a validator earned by weighing a miner early. One block of miners at a time.

Matrices are of shape (miners, validators). `MISSING` marks a pair without an entry, which is
not the same as an entry of 0: liquid alpha tells them apart.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from oracle.domain.consensus.alpha import LiquidAlpha
from oracle.domain.consensus.fixed import ONE, Bits, div, mul, norm, ratio_u16, share, to_u16, total

MISSING = np.int64(-1)
Stored = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Block:
    """What is known about some miners when their bonds are due.

    `weights`: of the bonds, with `MISSING`. `stored`: the bonds of the last epoch.
    `consensus`, `incentive`: of each miner.
    """

    weights: Bits
    stored: Stored
    consensus: Bits
    incentive: Bits


@dataclass(frozen=True, slots=True)
class NewBonds:
    """`stored`: what is kept for the next epoch where `held`. `returns`: of each validator."""

    stored: Stored
    held: NDArray[np.bool_]
    returns: Bits


class BondRule(Protocol):
    """One version of the bonds."""

    def update(self, block: Block) -> NewBonds:
        """Bonds of the next epoch."""

    def dividends(self, returns: Bits) -> Bits:
        """Dividends from the sum of all blocks' returns."""


def bond_weights(weights: Bits, consensus: Bits, penalty: int) -> Bits:
    """Weights drawn toward the consensus: not at all with penalty 0, clipped to it with 1."""
    if penalty == 0:
        return weights
    clipped = np.minimum(weights, consensus[:, np.newaxis])
    if penalty == ONE:
        return np.where((clipped == 0) & (weights > 0), MISSING, clipped)
    known = np.maximum(weights, 0)
    drawn = known + mul(penalty, np.maximum(clipped, 0) - known)
    return np.where(drawn > 0, drawn, MISSING)


def moving_average(new: Bits, old: Bits, alpha: Bits | int) -> Bits:
    """mul(alpha, new) + mul(1 - alpha, old)."""
    return mul(alpha, new) + mul(ONE - alpha, old)


@dataclass(frozen=True, slots=True)
class Yuma2:
    """Bonds as shares of a miner: a column of them sums to 1. Stored by the column's largest."""

    active_stake: Bits
    alpha: int

    def update(self, block: Block) -> NewBonds:
        """See `BondRule`."""
        stored = block.stored.astype(np.int64)
        old = share(stored, stored.sum(axis=1, keepdims=True))
        bought = norm(mul(np.maximum(block.weights, 0), self.active_stake))
        average = moving_average(bought, old, self.alpha)
        bonds = norm(average)
        largest = bonds.max(axis=1, initial=0, keepdims=True)
        returns = mul(bonds, block.incentive[:, np.newaxis])
        return NewBonds(to_u16(div(bonds, largest)), average > 0, total(returns, axis=0))

    def dividends(self, returns: Bits) -> Bits:
        """See `BondRule`."""
        return norm(returns)


@dataclass(frozen=True, slots=True)
class Yuma3:
    """Bonds as proportions of 1, each of its own. `liquid`: the rate differs from pair to pair.

    `forget`: without a weight entry, liquid alpha drops a bond at once instead of letting it
    decay.
    """

    active_stake: Bits
    alpha: int
    liquid: LiquidAlpha | None
    forget: bool

    def update(self, block: Block) -> NewBonds:
        """See `BondRule`."""
        old = PROPORTIONS[block.stored]
        if self.liquid is None:
            bonds = moving_average(np.maximum(block.weights, 0), old, self.alpha)
        else:
            bonds = self._follow(self.liquid, block, old)
        returns = mul(norm(bonds), block.incentive[:, np.newaxis])
        return NewBonds(to_u16(bonds), bonds > 0, total(returns, axis=0))

    def dividends(self, returns: Bits) -> Bits:
        """See `BondRule`."""
        return norm(mul(returns, self.active_stake))

    def _follow(self, liquid: LiquidAlpha, block: Block, old: Bits) -> Bits:
        moves = block.weights >= 0 if self.forget else (block.weights >= 0) | (old > 0)
        weight, bond = np.maximum(block.weights[moves], 0), old[moves]
        consensus = np.broadcast_to(block.consensus[:, np.newaxis], old.shape)[moves]
        alpha = liquid.rate(weight, bond, consensus)
        bonds = np.zeros_like(old)
        bonds[moves] = np.minimum(moving_average(weight, bond, alpha), ONE)
        return bonds


# a stored bond as I32F32
PROPORTIONS = np.array([ratio_u16(stored) for stored in range(2**16)], np.int64)
