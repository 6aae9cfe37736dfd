"""Who got what of an epoch, and why: from two leaf files and what the controller granted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from oracle.domain.leaves import EpochLeaves, Leaf, LeafKind
from oracle.errors import BadInput

# the market at large, which is no subnet
AT_LARGE = 0


class Reason(IntEnum):
    """Why a part of the schedule's emission came back (EmissionsController)."""

    NO_TAKER = 1
    WITHHELD = 2
    FEE_CAP = 3
    NO_FEES = 4
    NO_POLICY = 5


# what a split leaves of what was released; nobody took what was granted, and what a policy that is
# gone had kept is of earlier epochs
CUTS = (Reason.WITHHELD, Reason.FEE_CAP, Reason.NO_FEES)


@dataclass(frozen=True, slots=True)
class Granted:
    """What the controller made of the epochs of a report.

    `scheduled`: base units that the schedule emits; `released`: what the supply policy let go of
    them and of what it had kept. `shares`: of each subnet, 0 for the market at large. `cut`: base
    units never granted, by reason. `minted`: base units of the shares that are new; the rest had
    come back from earlier epochs. `burnt`: base units burnt for credits in these epochs.
    """

    scheduled: int
    released: int
    shares: Mapping[int, int]
    cut: Mapping[int, int]
    minted: int
    burnt: int


def minted_by_epoch(budgets: Mapping[int, int], minted: int) -> dict[int, int]:
    """What of each budget was minted, of epochs that were pressed in one transaction.

    `budgets`: base units by epoch; `minted`: of all of them. What had come back pays the oldest
    epochs.
    """
    came_back = sum(budgets.values()) - minted
    found: dict[int, int] = {}
    for epoch, budget in sorted(budgets.items()):
        found[epoch] = budget - min(budget, came_back)
        came_back -= budget - found[epoch]
    return found


@dataclass(frozen=True, slots=True)
class Earner:
    """`key`: a provider's number, or an account's address, as text. `amount`: base units."""

    kind: LeafKind
    key: str
    amount: int


@dataclass(frozen=True, slots=True)
class SubnetLine:
    """One subnet's part, base units: `miners` are devices in the market at large.

    `rest`: nobody took it, the oracles' part excluded.
    """

    subnet: int
    share: int
    owner: int
    miners: int
    validators: int
    oracles: int
    rest: int


@dataclass(frozen=True, slots=True)
class EpochSummary:
    """A report in numbers. Everything is in base units, and sums exactly:
    `released` = all shares + all that was cut, and a share = its line's other numbers.

    `minted`: base units of all shares that are new; the rest had come back from earlier epochs.
    `net`: what was minted less what was burnt for credits meanwhile; negative where more was burnt.
    `earners`: who got most, the most first; of `paid_to` who got anything.
    """

    from_epoch: int
    to_epoch: int
    scheduled: int
    released: int
    minted: int
    burnt_for_credits: int
    net: int
    subnets: tuple[SubnetLine, ...]
    earners: tuple[Earner, ...]
    paid_to: int
    reclaimed: Mapping[int, int]


def summarise(
    leaves: EpochLeaves,
    previous: EpochLeaves | None,
    granted: Granted,
    oracle_share_bps: int,
    top: int,
) -> EpochSummary:
    """Compare a report's leaves with those of the report below it.

    `oracle_share_bps`: of the report's rules. `top`: earners to name. Raises `BadInput` where the
    two don't follow each other, or the grants are of other epochs.
    """
    gains = _gains(leaves.rewards, previous.rewards if previous else ())
    earned = sum(gain.amount for gain in gains)
    budget = sum(granted.shares.values())
    if earned + leaves.reclaimed != budget:
        raise BadInput(
            f"epochs {leaves.from_epoch} to {leaves.to_epoch}: {earned} base units were earned and "
            f"{leaves.reclaimed} left, but {budget} granted",
            "Take the grants of these epochs, and the report that this one names as previous.",
        )
    lines = [
        _line(
            record.subnet,
            record.paid.share,
            oracle_share_bps,
            record.paid.owner,
            record.paid.miners,
            record.paid.validators,
        )
        for record in leaves.subnets
    ]
    by_providers = sum(gain.amount for gain in gains if gain.kind is LeafKind.PROVIDER)
    devices = by_providers - sum(line.miners + line.validators for line in lines)
    at_large = _line(AT_LARGE, granted.shares.get(AT_LARGE, 0), oracle_share_bps, 0, devices, 0)
    left = {reason: amount for reason, amount in granted.cut.items() if amount}
    if leaves.reclaimed:
        left[Reason.NO_TAKER] = left.get(Reason.NO_TAKER, 0) + leaves.reclaimed
    best = sorted(gains, key=lambda gain: (-gain.amount, gain.kind, gain.key))
    return EpochSummary(
        from_epoch=leaves.from_epoch,
        to_epoch=leaves.to_epoch,
        scheduled=granted.scheduled,
        released=granted.released,
        minted=granted.minted,
        burnt_for_credits=granted.burnt,
        net=granted.minted - granted.burnt,
        subnets=(at_large, *lines),
        earners=tuple(best[:top]),
        paid_to=len(gains),
        reclaimed=dict(sorted(left.items())),
    )


def _line(
    subnet: int, share: int, oracle_share_bps: int, owner: int, miners: int, validators: int
) -> SubnetLine:
    oracles = share * oracle_share_bps // 10_000
    rest = share - oracles - owner - miners - validators
    return SubnetLine(subnet, share, owner, miners, validators, oracles, rest)


def _gains(rewards: Sequence[Leaf], before: Sequence[Leaf]) -> list[Earner]:
    """What each leaf has more than in the report before."""
    had = {(leaf.kind, leaf.key): leaf.value for leaf in before}
    gains = []
    for leaf in rewards:
        gain = leaf.value - had.pop((leaf.kind, leaf.key), 0)
        if gain < 0:
            raise BadInput("a reward falls", "Name the report below this one as previous.")
        if gain:
            gains.append(Earner(leaf.kind, _name(leaf), gain))
    if had:
        raise BadInput("a reward is gone", "Name the report below this one as previous.")
    return gains


def _name(leaf: Leaf) -> str:
    if leaf.kind is LeafKind.ACCOUNT:
        return "0x" + leaf.key[12:].hex()
    return str(int.from_bytes(leaf.key, "big"))
