"""What a subnet's places earn in an epoch, and what is carried into its next one.

From what the chain says about a subnet and what the last report carried, by Yuma consensus
(oracle.domain.consensus), to reward leaves and the outcome that SubnetRegistry adopts. Pure and in
whole numbers, like everything a report is made of (specs/emissions.md, sections 2 and 3).

Blocks of the original are chain time in seconds here. A row of weights is as old as its commit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from oracle.domain.consensus import (
    Inputs,
    Mode,
    Outputs,
    Params,
    Rows,
    pay,
    run_epoch,
    split,
)
from oracle.domain.hashing import keccak
from oracle.errors import BadInput

BPS = 10_000
MAX_U16 = 2**16 - 1
# stakes are counted in 2^34 base units: a supply of 2^96 then fits the 2^63 that consensus takes
STAKE_SHIFT = 34
# uids that an outcome names as leaving, at most
MAX_LEAVING = 64

U64 = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Place:
    """A uid at the end of an epoch.

    `owner`: account that owns the provider. `registered_at`, `weights_at`: chain time in seconds,
    0 for no weights. `stake`: base units behind the provider. `weights`: pairs of uid and u16.
    """

    provider: int
    owner: str
    registered_at: int
    registered_epoch: int
    stake: int
    weights_at: int = 0
    weights: Sequence[tuple[int, int]] = ()
    jailed: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """A subnet's parameters, by the names and units of ISubnetRegistry."""

    immunity_epochs: int
    min_stake: int
    max_validators: int
    kappa: int
    bonds_moving_average: int
    bonds_penalty: int
    yuma: int
    liquid_alpha: bool
    alpha_low: int
    alpha_high: int
    alpha_steepness: int
    activity_cutoff: int
    owner_cut_bps: int


@dataclass(frozen=True, slots=True)
class Memory:
    """What consensus carries from one report to the next.

    `stepped_at`: chain time at which the epochs of the report ended. `permits`: uids that may
    validate in the next, ascending. `bonds`: triples of validator, miner and u16, ascending.
    """

    stepped_at: int
    permits: tuple[int, ...] = ()
    bonds: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What SubnetRegistry adopts: the uids that leave next, and what the owner kept.

    `withheld_bps`: part of the miners' pay that went to providers of the subnet's own owner.
    """

    withheld_bps: int
    leaving: tuple[int, ...]

    def content(self, epoch: int) -> bytes:
        """keccak(abi_encode(uint64 epoch, uint16 withheld, uint16[] leaving))."""
        numbers = (epoch, self.withheld_bps, 3 * 32, len(self.leaving), *self.leaving)
        return keccak(b"".join(number.to_bytes(32, "big") for number in numbers))


@dataclass(frozen=True, slots=True)
class SubnetInput:
    """A subnet at the last block of the epochs reported.

    `share`: base units of the budget that are the subnet's. `owner`: account that set it up.
    `places`: by uid, without gaps. `memory`: of the last report; None for the first.
    """

    subnet: int
    share: int
    owner: str
    terms: Terms
    places: Sequence[Place]
    memory: Memory | None = None


@dataclass(frozen=True, slots=True)
class Paid:
    """Base units of a budget: a subnet's share, and what its owner, miners and validators got.

    The rest is the oracles' part, and what nobody took.
    """

    share: int = 0
    owner: int = 0
    miners: int = 0
    validators: int = 0


@dataclass(frozen=True, slots=True)
class SubnetRecord:
    """What a report says of a subnet beside its leaves, for the next report and for readers."""

    subnet: int
    outcome: Outcome
    memory: Memory
    paid: Paid = Paid()


@dataclass(frozen=True, slots=True)
class SubnetResult:
    """A record, and who is paid: base units by provider.

    `miners`, `validators`: base units by uid.
    """

    record: SubnetRecord
    miners: tuple[int, ...] = ()
    validators: tuple[int, ...] = ()
    providers: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """The time of a step: the last epoch reported, the chain time of its end, and how many
    seconds an epoch has."""

    epoch: int
    end: int
    epoch_length: int


def run_subnet(
    source: SubnetInput, share: int, step: Step, mode: Mode = Mode.STRICT
) -> SubnetResult:
    """One step of a subnet.

    `share`: base units for its owner, miners and validators together. `mode`: strict in every
    report; the other is for comparisons. Raises `BadInput` for numbers that no contract could
    hold.
    """
    _check(source, share, step)
    places = source.places
    if not places:
        empty = SubnetRecord(source.subnet, Outcome(0, ()), Memory(step.end), Paid(source.share))
        return SubnetResult(empty)
    outputs = run_epoch(_inputs(source, _known(source), step), mode)
    parts = split(share, source.terms.owner_cut_bps * MAX_U16 // BPS)
    by_stake = outputs.active_stake if outputs.active_stake.any() else outputs.stake
    earned = pay(outputs.incentive, outputs.dividends, by_stake, parts.servers + parts.validators)
    miners, validators = (_unjailed(each, places) for each in earned[:2])

    providers: dict[int, int] = {}
    for place, mined, validated in zip(places, miners, validators, strict=True):
        if mined or validated:
            providers[place.provider] = providers.get(place.provider, 0) + mined + validated
    record = SubnetRecord(
        subnet=source.subnet,
        outcome=Outcome(
            withheld_bps=_withheld(source, miners),
            leaving=_leaving(source, miners, validators, step.epoch),
        ),
        memory=Memory(
            stepped_at=step.end,
            permits=tuple(np.flatnonzero(outputs.new_permits).tolist()),
            bonds=_triples(outputs),
        ),
        paid=Paid(
            share=source.share,
            # who owns a subnet in which nobody works earns nothing by it
            owner=parts.owner if any(miners) else 0,
            miners=sum(miners),
            validators=sum(validators),
        ),
    )
    return SubnetResult(record, tuple(miners), tuple(validators), providers)


def _check(source: SubnetInput, share: int, step: Step) -> None:
    remedy = "Read the snapshot again at one finalized block."
    if share < 0 or any(place.stake < 0 for place in source.places):
        raise BadInput(f"a number of subnet {source.subnet} is below 0", remedy)
    if source.memory and source.memory.stepped_at >= step.end:
        raise BadInput(f"subnet {source.subnet} was reported up to chain time {step.end}", remedy)


def _known(source: SubnetInput) -> Memory:
    """What is carried over, without what was said by or given to those who have left since."""
    memory = source.memory or Memory(0)
    stays = [place.registered_at < memory.stepped_at for place in source.places]
    return Memory(
        memory.stepped_at,
        tuple(uid for uid in memory.permits if stays[uid]),
        tuple(bond for bond in memory.bonds if stays[bond[0]]),
    )


def _inputs(source: SubnetInput, known: Memory, step: Step) -> Inputs:
    places, terms = source.places, source.terms
    permits = np.zeros(len(places), np.bool_)
    permits[list(known.permits)] = True
    validators, miners, bonds = np.array(known.bonds, np.int64).reshape(-1, 3).T
    rows = [list(place.weights) for place in places]
    return Inputs(
        params=Params(
            tempo=step.epoch_length,
            activity_cutoff=terms.activity_cutoff * step.epoch_length,
            # newcomers are those that registered at this time or later
            last_mechanism_step_block=known.stepped_at - 1 if known.stepped_at else 0,
            # stakes below the least are 0 already, before they lose their last bits
            stake_threshold=0,
            owner_uid=_owner_uid(source),
            max_allowed_validators=terms.max_validators,
            kappa=terms.kappa,
            bonds_penalty=terms.bonds_penalty,
            yuma3=terms.yuma == 3,
            liquid_alpha=terms.liquid_alpha,
            alpha_low=terms.alpha_low,
            alpha_high=terms.alpha_high,
            alpha_sigmoid_steepness=terms.alpha_steepness,
            bonds_moving_average=terms.bonds_moving_average,
            rao_emission=0,
        ),
        block=step.end,
        last_update=_u64(place.weights_at for place in places),
        block_at_registration=_u64(place.registered_at for place in places),
        stake=_u64(_counted(source, place) >> STAKE_SHIFT for place in places),
        validator_permits=permits,
        weights=Rows.of(rows),
        bonds=Rows.from_entries(len(places), validators, miners, bonds),
    )


def _u64(values: Iterable[int]) -> U64:
    return np.array(list(values), np.uint64)


def _owner_uid(source: SubnetInput) -> int | None:
    """The owner's own place, the lowest where it has several."""
    owned = (uid for uid, place in enumerate(source.places) if place.owner == source.owner)
    return next(owned, None)


def _counted(source: SubnetInput, place: Place) -> int:
    """The stake that speaks for a place, base units; a jailed provider's does not."""
    if place.jailed or (place.stake < source.terms.min_stake and place.owner != source.owner):
        return 0
    return place.stake


def _unjailed(paid: Sequence[int], places: Sequence[Place]) -> list[int]:
    return [0 if place.jailed else amount for amount, place in zip(paid, places, strict=True)]


def _triples(outputs: Outputs) -> tuple[tuple[int, int, int], ...]:
    bonds = outputs.bonds
    columns = (bonds.row.tolist(), bonds.uids.tolist(), bonds.values.tolist())
    return tuple(zip(*columns, strict=True))


def _withheld(source: SubnetInput, miners: Sequence[int]) -> int:
    """Bps of the miners' pay that stayed with the owner, rounded up."""
    kept = sum(
        paid
        for paid, place in zip(miners, source.places, strict=True)
        if place.owner == source.owner
    )
    return -(-kept * BPS // sum(miners)) if kept else 0


def _leaving(
    source: SubnetInput, miners: Sequence[int], validators: Sequence[int], epoch: int
) -> tuple[int, ...]:
    """Uids outside immunity in the next epoch, the lowest (pay, registration, uid) first."""
    immune_since = epoch + 1 - source.terms.immunity_epochs
    order = sorted(
        (miners[uid] + validators[uid], place.registered_at, uid)
        for uid, place in enumerate(source.places)
        if place.registered_epoch <= immune_since
    )
    return tuple(uid for _, _, uid in order[:MAX_LEAVING])
