"""One epoch of Yuma consensus: from stakes, weights and bonds to who earns what.

The steps are those of specs/emissions.md, section 3, and have its numbers. After the weights
are normalised by validator, everything is said about one miner at a time, so matrices lie
miner by miner and the work runs over blocks of them that fit a processor's cache.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from oracle.domain.consensus.alpha import LiquidAlpha
from oracle.domain.consensus.bonds import MISSING, Block, BondRule, Yuma2, Yuma3, bond_weights
from oracle.domain.consensus.fixed import (
    FRACTION,
    ONE,
    Bits,
    add,
    div,
    mul,
    norm,
    ratio_u16,
    share,
    stake_shares,
    total,
)
from oracle.domain.consensus.median import Quorum, weighted_median
from oracle.domain.consensus.rows import UIDS, Rows
from oracle.errors import BadInput

U64 = NDArray[np.uint64]
Flags = NDArray[np.bool_]

PPM = 1_000_000
# matrix cells that are worked on at once: 128 KiB per matrix
BLOCK_CELLS = 2**14


class Mode(StrEnum):
    """Whose rules: ours, or the original's with its two quirks."""

    STRICT = "strict"
    BITTENSOR = "bittensor"


@dataclass(frozen=True, slots=True)
class Params:
    """A subnet's parameters, by the original's names.

    `tempo`, `activity_cutoff`: blocks. `last_mechanism_step_block`: of the last epoch, 0 for
    none. `stake_threshold`: raw stake. `kappa`, `bonds_penalty`, `alpha_low`, `alpha_high`: u16,
    as a share of 65535. `liquid_alpha`: only with `yuma3`. `alpha_sigmoid_steepness`: i16, in
    hundredths. `bonds_moving_average`: millionths. `rao_emission`: u64, base units that the
    epoch gives to servers and validators.
    """

    tempo: int
    activity_cutoff: int
    last_mechanism_step_block: int
    stake_threshold: int
    owner_uid: int | None
    max_allowed_validators: int
    kappa: int
    bonds_penalty: int
    yuma3: bool
    liquid_alpha: bool
    alpha_low: int
    alpha_high: int
    alpha_sigmoid_steepness: int
    bonds_moving_average: int
    rao_emission: int


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """What an epoch starts from. Every list has one entry, every `Rows` one row for each uid.

    `block`: now. `last_update`: block of the last weights. `stake`: raw weight of the stake.
    `validator_permits`: from the epoch before. `bonds`: stored by it. `commit_blocks`: of the
    earliest unexpired commit, 2^64 - 1 for none; None where commits mask nothing.

    Raises `BadInput` where lengths or uids don't fit each other, `TypeError` for blocks and
    stakes that are not uint64.
    """

    params: Params
    block: int
    last_update: U64
    block_at_registration: U64
    stake: U64
    validator_permits: Flags
    weights: Rows
    bonds: Rows
    commit_blocks: U64 | None = None

    def __post_init__(self) -> None:
        n = len(self.stake)
        if n > UIDS:
            raise BadInput(f"{n} uids", f"a subnet has at most {UIDS}")
        for name in (
            "last_update",
            "block_at_registration",
            "validator_permits",
            "weights",
            "bonds",
            "commit_blocks",
        ):
            values = getattr(self, name)
            if values is not None and len(values) != n:
                raise BadInput(
                    f"{name} has {len(values)} entries, stake has {n}", "give one for each uid"
                )
        for name in ("last_update", "block_at_registration", "stake", "commit_blocks"):
            values = getattr(self, name)
            # beside a signed integer numpy would compare them as floats
            if values is not None and values.dtype != np.uint64:
                raise TypeError(f"{name} is {values.dtype}, not uint64")
        owner = self.params.owner_uid
        if owner is not None and not 0 <= owner < n:
            raise BadInput(f"owner_uid {owner} is none of the {n} uids", "name one, or null")
        if not 0 <= self.params.bonds_moving_average <= PPM:
            raise BadInput(
                f"bonds_moving_average {self.params.bonds_moving_average} is above {PPM}",
                "give millionths: 900000 keeps nine tenths of a bond",
            )


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """What an epoch decides, for each uid. Numbers without another unit are I32F32.

    `stake`, `active_stake`: shares of all, and of the validators that count. `consensus`: of
    each miner. `server_emission`, `validator_emission`, `combined_emission`: base units.
    `new_permits`, `bonds`: what the next epoch starts from.
    """

    stake: Bits
    active_stake: Bits
    consensus: Bits
    validator_trust: Bits
    incentive: Bits
    dividends: Bits
    server_emission: U64
    validator_emission: U64
    combined_emission: U64
    new_permits: Flags
    active: Flags
    bonds: Rows


def run_epoch(inputs: Inputs, mode: Mode = Mode.STRICT) -> Outputs:
    """Compute one epoch."""
    params = inputs.params
    active = _active(inputs)  # 1
    staked = _counted_stake(inputs)  # 2
    stake = stake_shares(staked)
    permits = _with_owner(inputs.validator_permits, params.owner_uid)  # 3
    new_permits = _new_permits(stake, params)
    active_stake = norm(np.where(active & permits, stake, 0))  # 4

    # rows of uids that neither may say nor ever said anything are left out
    validators = np.flatnonzero(permits | (inputs.bonds.lengths > 0))
    weights = _weights(inputs, permits, validators)  # 5
    support = active_stake[validators]

    quorums, voters = _quorums(support, [staked[uid] for uid in validators], params.kappa, mode)
    consensus, ranks, trust = _agree(weights, support, voters, quorums)  # 6, 7
    incentive = norm(ranks)

    rule = _bond_rule(params, support, liquid=bool(consensus.any()), mode=mode)
    stored, held, returns = _move_bonds(  # 8 to 11
        inputs, rule, weights, validators, consensus, incentive
    )
    dividends = rule.dividends(returns)

    n = len(stake)
    spread = _spread(dividends, validators, n)
    by_stake = active_stake if active_stake.any() else stake
    paid = pay(incentive, spread, by_stake, params.rao_emission)  # 12
    servers, validators_pay, combined = (np.array(each, np.uint64) for each in paid)
    return Outputs(
        stake=stake,
        active_stake=active_stake,
        consensus=consensus,
        validator_trust=_spread(trust, validators, n),
        incentive=incentive,
        dividends=spread,
        server_emission=servers,
        validator_emission=validators_pay,
        combined_emission=combined,
        new_permits=new_permits,
        active=active,
        bonds=_bonds_of(stored, held & new_permits[validators], validators),
    )


# --- stakes and permits -------------------------------------------------------------------------


def _active(inputs: Inputs) -> Flags:
    oldest = max(inputs.block - inputs.params.activity_cutoff, 0)
    return inputs.last_update >= np.uint64(oldest)


def _counted_stake(inputs: Inputs) -> list[int]:
    least, owner = inputs.params.stake_threshold, inputs.params.owner_uid
    return [
        stake if stake >= least or uid == owner else 0
        for uid, stake in enumerate(inputs.stake.tolist())
    ]


def _with_owner(permits: Flags, owner: int | None) -> Flags:
    permits = permits.copy()
    if owner is not None:
        permits[owner] = True
    return permits


def _new_permits(stake: Bits, params: Params) -> Flags:
    permits = stake > 0
    # of equals the one with the higher uid stays
    losers = np.argsort(stake, kind="stable")[: max(len(stake) - params.max_allowed_validators, 0)]
    permits[losers] = False
    return _with_owner(permits, params.owner_uid)


# --- weights ------------------------------------------------------------------------------------


def _weights(inputs: Inputs, permits: Flags, validators: NDArray[np.int64]) -> Bits:
    """Normalised weights of shape (uids, validators), with `MISSING`."""
    rows = inputs.weights
    row, uids, registered = rows.row, rows.uids.astype(np.int64), inputs.block_at_registration
    own = row == uids
    if inputs.params.owner_uid is not None:
        own &= row != inputs.params.owner_uid
    keep = permits[row] & ~own & (inputs.last_update[row] > registered[uids])
    if inputs.commit_blocks is not None:
        keep &= inputs.commit_blocks[row] >= registered[uids]
    values = np.where(keep, rows.values, 0).astype(np.int64)
    shares = share(values, rows.sums(values)[row])
    weights = np.full((len(rows), len(validators)), MISSING)
    column = _columns(validators, len(rows))[row[keep]]
    weights[uids[keep], column] = shares[keep]
    return weights


def _columns(validators: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """The column of each uid that has one."""
    columns = np.zeros(n, np.int64)
    columns[validators] = np.arange(len(validators))
    return columns


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    step = max(BLOCK_CELLS // max(columns, 1), 1)
    return (slice(start, start + step) for start in range(0, rows, step))


# --- consensus ----------------------------------------------------------------------------------


def _quorums(
    support: Bits, staked: list[int], kappa: int, mode: Mode
) -> tuple[list[Quorum], NDArray[np.int64]]:
    """What a weight needs to pass, and the columns of those who vote on it."""
    voters = np.flatnonzero(support > 0)
    shares = norm(support[voters])
    quorums = [Quorum(shares.tolist(), int(total(shares)) - ratio_u16(kappa))]
    if mode is Mode.STRICT:
        # more than half, by the stakes themselves: kappa = 32767 / 65535 is a hair below a half,
        # and rounding gives one of two equal halves a hair more than the other
        exact = [staked[voter] for voter in voters]
        quorums.append(Quorum(exact, (sum(exact) - 1) // 2))
    return quorums, voters


def _agree(
    weights: Bits, support: Bits, voters: NDArray[np.int64], quorums: list[Quorum]
) -> tuple[Bits, Bits, Bits]:
    """Consensus and rank of each miner, trust in each validator."""
    consensus, ranks = np.zeros((2, len(weights)), np.int64)
    trust = np.zeros(len(support), np.int64)
    for block in _blocks(*weights.shape):
        known = np.maximum(weights[block], 0)
        agreed = weighted_median(known[:, voters], quorums)
        clipped = np.minimum(known, agreed[:, np.newaxis])
        consensus[block], ranks[block] = agreed, total(mul(clipped, support))
        trust = add(trust, total(clipped, axis=0))
    return consensus, ranks, trust


# --- bonds --------------------------------------------------------------------------------------


def _bond_rule(params: Params, support: Bits, liquid: bool, mode: Mode) -> BondRule:
    """`liquid`: there is a consensus that liquid alpha can measure a distance to."""
    alpha = ONE - (params.bonds_moving_average << FRACTION) // PPM
    if not params.yuma3:
        return Yuma2(support, alpha)
    low, high = ratio_u16(params.alpha_low), ratio_u16(params.alpha_high)
    curve = LiquidAlpha(low, high, params.alpha_sigmoid_steepness)
    return Yuma3(
        support,
        alpha,
        liquid=curve if params.liquid_alpha and liquid else None,
        forget=mode is Mode.BITTENSOR,
    )


def _move_bonds(
    inputs: Inputs,
    rule: BondRule,
    weights: Bits,
    validators: NDArray[np.int64],
    consensus: Bits,
    incentive: Bits,
) -> tuple[NDArray[np.uint16], Flags, Bits]:
    """The new bonds, the pairs that have one, and what all of them return to each validator."""
    penalty = ratio_u16(inputs.params.bonds_penalty)
    stored = _stored_bonds(inputs, validators)
    held = np.zeros(stored.shape, np.bool_)
    returns = np.zeros(len(validators), np.int64)
    for at in _blocks(*weights.shape):
        drawn = bond_weights(weights[at], consensus[at], penalty)
        new = rule.update(Block(drawn, stored[at], consensus[at], incentive[at]))
        stored[at], held[at] = new.stored, new.held
        returns = add(returns, new.returns)
    return stored, held, returns


def _stored_bonds(inputs: Inputs, validators: NDArray[np.int64]) -> NDArray[np.uint16]:
    """The last epoch's bonds, of shape (uids, validators), without those on newcomers."""
    params, n = inputs.params, len(inputs.bonds)
    # the first block whose newcomers the last epoch had not seen
    if params.last_mechanism_step_block == 0:
        since = inputs.block - params.tempo
    else:
        since = params.last_mechanism_step_block + 1
    stored = np.zeros((n, len(validators)), np.uint16)
    stored[inputs.bonds.uids, _columns(validators, n)[inputs.bonds.row]] = inputs.bonds.values
    stored[[registered >= since for registered in inputs.block_at_registration.tolist()]] = 0
    return stored


def _bonds_of(stored: NDArray[np.uint16], held: Flags, validators: NDArray[np.int64]) -> Rows:
    column, uids = np.nonzero(held.T)
    return Rows.from_entries(len(held), validators[column], uids, stored[uids, column])


# --- emission -----------------------------------------------------------------------------------


def pay(
    incentive: Bits, dividends: Bits, by_stake: Bits, emission: int
) -> tuple[list[int], list[int], list[int]]:
    """What servers, validators, and both together are paid for each uid, rounded down.

    `emission`: what there is for all of them, of any size. `by_stake`: shares of the validators
    where nobody earned anything; servers are paid nothing then.
    """
    combined = add(incentive, dividends)
    whole = total(combined)
    if not whole:
        paid = _paid(by_stake, emission)
        return [0] * len(paid), paid, paid
    servers, validators, both = (
        _paid(div(each, whole), emission) for each in (incentive, dividends, combined)
    )
    return servers, validators, both


def _paid(shares: Bits, emission: int) -> list[int]:
    return [each * emission >> FRACTION for each in shares.tolist()]


def _spread(values: Bits, validators: NDArray[np.int64], n: int) -> Bits:
    """Values of the validators as values of all uids, 0 for the others."""
    spread = np.zeros(n, np.int64)
    spread[validators] = values
    return spread
