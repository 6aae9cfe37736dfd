"""A subnet played epoch by epoch: places, rows in two steps, the budget's split, consensus.

The split and consensus are the product's own code. Who may commit, reveal and register when is
as SubnetRegistry has it.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from oracle.domain.consensus import Mode
from oracle.domain.emission import split_budget
from oracle.domain.subnets import MAX_U16, Memory, Place, Step, SubnetInput, run_subnet
from scripts._incentives.contracts import BPS, RisingPrice
from scripts._incentives.terms import World

Row = tuple[tuple[int, int], ...]
# chain time of epoch 0; everybody has been there for longer than any window
GENESIS = 10**9
LONG_AGO = GENESIS - 10**7
# seconds into an epoch at which validators act
ACTS_AT = 600
# the subnet's owner, where it has nothing else to do with the study
OUTSIDER = "outsider"
ACTOR = "actor"
BEST, WORST = 10_000, 1_000


@dataclass
class Judge:
    """A validator: how it comes to its rows, and how many epochs after its first chance it
    reveals them.

    `row` is asked when it commits; None for no commit.
    """

    row: Callable[["Arena", int, int], Row | None]
    late: int = 0
    pending: tuple[int, int, Row] | None = None
    committed_epoch: int | None = None


@dataclass
class Arena:
    """The state between epochs. Uids: validators first, then miners.

    `income`: base units by who owns the place, and of the subnet's owner. `spent`: on places.
    """

    world: World
    owner: str = OUTSIDER
    mode: Mode = Mode.STRICT
    places: list[Place] = field(default_factory=list)
    judges: dict[int, Judge] = field(default_factory=dict)
    quality: dict[int, int] = field(default_factory=dict)
    income: dict[str, int] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=dict)
    memory: Memory | None = None
    leaving: list[int] = field(default_factory=list)
    withheld_bps: int = 0
    issued: int = 0
    carry: int = 0
    providers: int = 0
    votes: Callable[[int], tuple[int, int]] | None = None
    # what an actor does at the start and at the last minute of an epoch
    at_start: Callable[["Arena", int], None] | None = None
    at_end: Callable[["Arena", int], None] | None = None

    def __post_init__(self) -> None:
        world = self.world
        self.issued = world.issued
        self.places_price = RisingPrice(world.uid_floor, world.uid_factor_bps, world.uid_period)

    def enter(
        self, owner: str, stake: int = 0, quality: int = 0, judge: Judge | None = None
    ) -> int:
        """A place held since long ago; returns its uid."""
        uid = len(self.places)
        self.places.append(Place(self._provider(), owner, LONG_AGO, -10_000, stake))
        self._settle(uid, quality, judge)
        return uid

    def register(self, owner: str, at: int, epoch: int, quality: int) -> int | None:
        """Buy the next place that leaves, as SubnetRegistry sells it; None where none does."""
        while self.leaving:
            uid = self.leaving.pop(0)
            if epoch >= self.places[uid].registered_epoch + self.world.terms.immunity_epochs:
                break
        else:
            return None
        self.spent[owner] = self.spent.get(owner, 0) + self.places_price.sell(at)
        self.places[uid] = Place(self._provider(), owner, at, epoch, 0)
        self._settle(uid, quality, None)
        return uid

    def play(self, advance: Callable[[], None] = lambda: None) -> None:
        """All epochs of the world."""
        for epoch in range(self.world.epochs):
            self._epoch(epoch)
            advance()

    def net(self, owner: str) -> int:
        """Base units earned less what places cost."""
        return self.income.get(owner, 0) - self.spent.get(owner, 0)

    def start(self, epoch: int) -> int:
        """Chain time at which an epoch starts."""
        return GENESIS + epoch * self.world.epoch_length

    def restake(self, uid: int, stake: int) -> None:
        """Change what stands behind a place, base units."""
        self.places[uid] = replace(self.places[uid], stake=stake)

    # --- an epoch ---------------------------------------------------------------------------

    def _epoch(self, epoch: int) -> None:
        self._drift(epoch)
        if self.at_start:
            self.at_start(self, epoch)
        for uid, judge in list(self.judges.items()):
            self._judge(uid, judge, epoch)
        if epoch and epoch % self.world.newcomer_epochs == 0:
            dice = self._dice("newcomer", epoch)
            at = self.start(epoch) + self.world.epoch_length // 2
            self.register("newcomer", at, epoch, dice.randint(WORST, BEST))
        if self.at_end:
            self.at_end(self, epoch)
        self._pay(epoch)

    def _drift(self, epoch: int) -> None:
        for uid, quality in self.quality.items():
            step = self._dice(f"drift {uid}", epoch).randint(-1_000, 1_000)
            moved = quality + quality * self.world.drift_bps * step // (1_000 * BPS)
            self.quality[uid] = min(max(moved, WORST // 10), 2 * BEST)

    def _judge(self, uid: int, judge: Judge, epoch: int) -> None:
        world = self.world
        if judge.pending:
            committed, at, row = judge.pending
            opens = committed + world.reveal_delay
            if epoch >= opens + world.reveal_window:
                judge.pending = None  # too late to reveal
            elif epoch >= opens + judge.late:
                self._show(uid, at, row)
                judge.pending = None
        if judge.pending or (
            judge.committed_epoch is not None
            and epoch < judge.committed_epoch + world.commit_interval
        ):
            return
        drawn = judge.row(self, uid, epoch)
        if drawn is None:
            return
        at = self.start(epoch) + ACTS_AT
        judge.committed_epoch = epoch
        if world.reveal_delay == 0:
            self._show(uid, at, drawn)
        else:
            judge.pending = epoch, at, drawn

    def _show(self, uid: int, at: int, row: Row) -> None:
        self.places[uid] = replace(self.places[uid], weights_at=at, weights=row)

    def _pay(self, epoch: int) -> None:
        world = self.world
        budget, self.carry = world.schedule.emission(self.issued, world.epoch_length, self.carry)
        votes = self.votes(epoch) if self.votes else world.votes
        split = split_budget(
            budget, world.beta_bps, world.cap_ratio_bps, votes, world.fees, (0, self.withheld_bps)
        )
        # what was cut is not issued
        self.issued += split.granted
        share = split.shares[1]
        source = SubnetInput(1, share, self.owner, world.terms, self.places, self.memory)
        step = Step(epoch, self.start(epoch + 1), world.epoch_length)
        result = run_subnet(source, share, step, self.mode)
        record = result.record
        self.memory, self.withheld_bps = record.memory, record.outcome.withheld_bps
        self.leaving = list(record.outcome.leaving)
        for place, mined, judged in zip(self.places, result.miners, result.validators, strict=True):
            self._earn(place.owner, mined + judged)
        self._earn(self.owner, record.paid.owner)

    def _earn(self, owner: str, amount: int) -> None:
        self.income[owner] = self.income.get(owner, 0) + amount

    # --- helpers ----------------------------------------------------------------------------

    def _provider(self) -> int:
        self.providers += 1
        return self.providers

    def _settle(self, uid: int, quality: int, judge: Judge | None) -> None:
        self.quality.pop(uid, None)
        self.judges.pop(uid, None)
        if quality:
            self.quality[uid] = quality
        if judge:
            self.judges[uid] = judge

    def _dice(self, name: str, epoch: int) -> random.Random:
        return random.Random(f"{self.world.seed}/{name}/{epoch}")

    def seen(self, uid: int, epoch: int) -> Row:
        """What a validator sees who looks at all miners, as a row."""
        dice = self._dice(f"judge {uid}", epoch)
        noise = self.world.noise_bps
        looks = {
            miner: quality * (BPS + dice.randint(-noise, noise)) // BPS
            for miner, quality in sorted(self.quality.items())
        }
        best = max(looks.values())
        return tuple((miner, max(1, look * MAX_U16 // best)) for miner, look in looks.items())


# --- how validators come to their rows ------------------------------------------------------------


def truth(arena: Arena, uid: int, epoch: int) -> Row | None:
    """What it sees."""
    return arena.seen(uid, epoch)


def nothing(arena: Arena, uid: int, epoch: int) -> Row | None:
    """It commits to nothing."""
    return None


def copying(arena: Arena, uid: int, epoch: int) -> Row | None:
    """The stake-weighted mean of the rows that others show now, without its own entry."""
    sums: dict[int, int] = {}
    for other, place in enumerate(arena.places):
        whole = sum(weight for _, weight in place.weights)
        if other == uid or not whole:
            continue
        for miner, weight in place.weights:
            sums[miner] = sums.get(miner, 0) + place.stake * weight // whole
    sums.pop(uid, None)
    if not sums:
        return None
    best = max(sums.values())
    return tuple((miner, max(1, part * MAX_U16 // best)) for miner, part in sorted(sums.items()))


def pushing(favourite: int) -> Callable[[Arena, int, int], Row | None]:
    """All weight on one miner, the least that can be said on the others."""

    def _row(arena: Arena, uid: int, epoch: int) -> Row | None:
        return tuple(
            (miner, MAX_U16 if miner == favourite else 1) for miner in sorted(arena.quality)
        )

    return _row


def populate(
    arena: Arena, judges: list[Judge], stakes: list[int], quality: int = 0
) -> tuple[list[int], int | None]:
    """Honest validators, then the actor's, then miners; with `quality` the last miner is the
    actor's. Returns the actor's validators and its miner."""
    world = arena.world
    for _ in range(world.validators):
        arena.enter("others", world.others_stake, judge=Judge(truth))
    mine = [
        arena.enter(ACTOR, stake, judge=judge) for stake, judge in zip(stakes, judges, strict=True)
    ]
    dice = random.Random(f"{world.seed}/miners")
    strangers = world.miners - (1 if quality else 0)
    for _ in range(strangers):
        arena.enter("miners", quality=dice.randint(WORST, BEST))
    miner = arena.enter(ACTOR, quality=quality) if quality else None
    return mine, miner
