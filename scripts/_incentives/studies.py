"""The strategies, each beside honest play by the same actor with the same stake."""

import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from oracle.domain.consensus import Mode
from oracle.domain.emission import split_budget
from scripts._incentives.arena import (
    ACTOR,
    BEST,
    WORST,
    Arena,
    Judge,
    Row,
    copying,
    nothing,
    populate,
    pushing,
    truth,
)
from scripts._incentives.contracts import BPS, Vesting, Votes
from scripts._incentives.terms import World

MEAN_QUALITY = (BEST + WORST) // 2
# epoch in which an actor begins that comes while the simulation runs
COMES_AT = 24


@dataclass(frozen=True, slots=True)
class Result:
    """One case: base units that the actor is left with over the whole time.

    `fair`: played as the protocol wants it. `played`: by the strategy. `stoppable`: False where
    the docs say that nothing in these contracts stops it.
    """

    strategy: str
    case: str
    fair: int
    played: int
    stoppable: bool = True

    @property
    def gain(self) -> int:
        """Base units by which the strategy beats honest play; below 0 it loses."""
        return self.played - self.fair

    @property
    def gain_bps(self) -> int | None:
        """Of honest play, rounded down; None where honest play leaves nothing."""
        return self.gain * BPS // self.fair if self.fair else None

    def document(self) -> dict[str, Any]:
        """For JSON: amounts are base units."""
        return asdict(self) | {"gain": self.gain, "gain_bps": self.gain_bps}


Study = Callable[[World], Iterator[Result]]


def _validator(world: World, judge: Judge, stake: int | None = None) -> int:
    arena = Arena(world)
    populate(arena, [judge], [world.actor_stake if stake is None else stake])
    arena.play()
    return arena.net(ACTOR)


# --- 1: weight copying --------------------------------------------------------------------------


def copiers(world: World) -> Iterator[Result]:
    """A validator that shows what others have shown.

    It judges for itself at first: else it would lose the epochs in which there is nothing to copy,
    and the loss would say nothing about copying.
    """
    for delay in (0, 1, 3, 6, 12):
        there = replace(world, reveal_delay=delay, commit_interval=max(delay, 1))
        case = f"rows shown {delay} h after the commit" if delay else "without commit-reveal"
        yield _copier(there, case, delay > 1)
    still = replace(world, drift_bps=0, noise_bps=0)
    yield _copier(still, "miners that never change, rows shown after 1 h", False)


def _copier(world: World, case: str, stoppable: bool) -> Result:
    fair, played = (_validator(world, Judge(how)) for how in (truth, _copying_later))
    return Result("weight copying", case, fair, played, stoppable)


def _copying_later(arena: Arena, uid: int, epoch: int) -> Row | None:
    return (copying if epoch >= COMES_AT else truth)(arena, uid, epoch)


# --- 2: collusion -------------------------------------------------------------------------------


def colluders(world: World) -> Iterator[Result]:
    """Two validators that push a miner of theirs."""
    for share_bps, mode in (
        (2_000, Mode.STRICT),
        (4_000, Mode.STRICT),
        (4_900, Mode.STRICT),
        (5_000, Mode.STRICT),
        (5_000, Mode.BITTENSOR),
        (5_100, Mode.STRICT),
    ):
        fair, played = (_collude(world, share_bps, mode, pushes) for pushes in (False, True))
        case = f"{share_bps // 100} % of the stake, {mode.value}"
        yield Result("two colluding validators", case, fair, played, share_bps < BPS // 2)


def _collude(world: World, share_bps: int, mode: Mode, pushes: bool) -> int:
    others = world.validators * world.others_stake
    each = others * share_bps // (BPS - share_bps) // 2
    arena = Arena(world, mode=mode)
    judges = [Judge(truth), Judge(truth)]
    _, favourite = populate(arena, judges, [each, each], quality=MEAN_QUALITY)
    if pushes and favourite is not None:
        for judge in judges:
            judge.row = pushing(favourite)
    arena.play()
    return arena.net(ACTOR)


# --- 3: self-dealing ----------------------------------------------------------------------------


def self_dealers(world: World) -> Iterator[Result]:
    """A customer that pays its own provider, in a subnet all of whose emission is its own.

    Nobody can get more of what its fees bring than this actor: it is the owner, all miners and
    all validators, under names that nobody connects.
    """
    hour = 1_000 * 10**18
    for fee_bps, beta_bps, cap_bps in (
        (100, 3_000, 9_000),
        (300, 1_000, 9_000),
        (300, 3_000, 5_000),
        (300, 3_000, 9_000),
        (300, 5_000, 9_000),
        (300, 5_000, 9_500),
        (1_000, 3_000, 9_000),
    ):
        there = replace(world, fee_bps=fee_bps, beta_bps=beta_bps, cap_ratio_bps=cap_bps)
        case = f"fee {fee_bps} bps, beta {beta_bps}, cap ratio {cap_bps}, pays 1 000 WORK an hour"
        yield _self_dealer(there, case, hour)
    for pay in (10, 100, 10_000):
        case = f"default parameters, pays {_spaced(pay)} WORK an hour"
        yield _self_dealer(world, case, pay * 10**18)
    yield _self_dealer(
        world, "default parameters, alone: nobody else pays fees", hour, nobody_else=True
    )
    yield _self_dealer(
        world, "the treasury's part of the fee comes back to it", hour, treasury=True
    )


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _self_dealer(
    world: World, case: str, pay: int, nobody_else: bool = False, treasury: bool = False
) -> Result:
    others = (0, 0) if nobody_else else (world.fees[0], 0)
    fair = _owning_a_subnet(world, others)
    fee = pay * world.fee_bps // BPS
    played = _owning_a_subnet(world, (others[0], fee)) - fee * world.epochs
    if treasury:
        played += (fee - fee * world.burn_bps // BPS) * world.epochs
    return Result("self-dealing", case, fair, played, not treasury)


def _owning_a_subnet(world: World, fees: tuple[int, int]) -> int:
    issued, carry, earned = world.issued, 0, 0
    for _ in range(world.epochs):
        budget, carry = world.schedule.emission(issued, world.epoch_length, carry)
        split = split_budget(budget, world.beta_bps, world.cap_ratio_bps, world.votes, fees, (0, 0))
        issued += split.granted
        earned += split.shares[1]
    return earned


# --- 4: an owner that keeps the miners' pay -----------------------------------------------------


def owners(world: World) -> Iterator[Result]:
    """A subnet's owner whose validator pushes its own miner."""
    for share_bps in (2_000, 4_000, 6_000):
        for hidden in (False, True):
            fair, played = (_own(world, share_bps, hidden, pushes) for pushes in (False, True))
            account = "a hidden second account" if hidden else "its own account"
            case = f"{share_bps // 100} % of the stake, {account}"
            yield Result("owner keeps emission", case, fair, played, share_bps < BPS // 2)


def _own(world: World, share_bps: int, hidden: bool, pushes: bool) -> int:
    """The same places under the same names in both; only the rows differ."""
    stake = world.validators * world.others_stake * share_bps // (BPS - share_bps)
    arena = Arena(world, owner=ACTOR)
    judge = Judge(truth)
    _, miner = populate(arena, [judge], [stake], quality=MEAN_QUALITY)
    if miner is not None:
        if hidden:
            arena.places[miner] = replace(arena.places[miner], owner="hidden")
        if pushes:
            judge.row = pushing(miner)
    arena.play()
    return arena.net(ACTOR) + arena.net("hidden")


# --- 5: stake hopping ---------------------------------------------------------------------------


def hoppers(world: World) -> Iterator[Result]:
    """Stake that votes for the actor's subnet, leaves at once, and votes from somewhere else as
    soon as it can stand there."""
    thaws = world.unbonding_period // world.epoch_length
    for case, hop, stoppable in (
        ("the stake judges until it has thawed", Hop(thaws, judges=True), True),
        ("the stake only votes", Hop(thaws), True),
        ("the stake only votes, and would thaw in a day", Hop(24), False),
        ("its provider changes hands every day", Hop(24, with_provider=True), True),
    ):
        fair, played = (_hop(world, each) for each in (replace(hop, every=None), hop))
        yield Result("stake hopping", case, fair, played, stoppable)


@dataclass(frozen=True, slots=True)
class Hop:
    """How stake moves. `every`: epochs after which it votes from somewhere else; None for stake
    that stays and renews its vote. `with_provider`: as a self-bond that changes hands, not by
    thawing."""

    every: int | None
    judges: bool = False
    with_provider: bool = False


class Hopper:
    """The actor's stake, which votes for its subnet from place to place.

    Votes of the market stand; those of the actor come on top for its subnet, where it has a miner.
    """

    def __init__(self, arena: Arena, hop: Hop) -> None:
        self.arena, self.hop = arena, hop
        self._votes = Votes(arena.world.vote_epochs)
        stake = arena.world.actor_stake if hop.judges else 0
        (self.uid,), _ = populate(arena, [Judge(truth)], [stake], quality=MEAN_QUALITY)
        arena.at_start, arena.votes = self._start, self._counted

    def _start(self, _: Arena, epoch: int) -> None:
        if epoch % (self.hop.every or self.arena.world.vote_epochs) == 0:
            self.vote(epoch)

    def vote(self, epoch: int) -> None:
        """Vote from somewhere else, or again. Stake that has to thaw begins to leave at once, and
        judges where it stood until it has: so long it can be slashed for it."""
        # behind another provider, or of another owner, it is another vote
        holder = f"{ACTOR} {epoch}" if self.hop.every else ACTOR
        bond_of = ACTOR if self.hop.with_provider else None
        self._votes.vote(holder, self.arena.world.actor_stake, epoch, bond_of)
        if epoch and self.hop.every and not self.hop.with_provider:
            self.arena.restake(self.uid, 0)

    def _counted(self, epoch: int) -> tuple[int, int]:
        at_large, own = self.arena.world.votes
        return at_large, own + self._votes.take(epoch)


def _hop(world: World, hop: Hop) -> int:
    arena = Arena(world)
    Hopper(arena, hop)
    arena.play()
    return arena.net(ACTOR)


# --- 6: late and missing reveals ----------------------------------------------------------------


def laggards(world: World) -> Iterator[Result]:
    """A validator that reveals late or not at all."""
    fair = _validator(world, Judge(truth))
    for case, judge in (
        ("reveals in the window's last epoch", Judge(truth, late=world.reveal_window - 1)),
        ("reveals after the window, which is refused", Judge(truth, late=world.reveal_window)),
        ("never commits", Judge(nothing)),
    ):
        yield Result("late reveals", case, fair, _validator(world, judge))


# --- 7: registration sniping --------------------------------------------------------------------


def snipers(world: World) -> Iterator[Result]:
    """A miner that plays with the time at which it registers, in a full subnet."""
    fair = _snipe(world, _once(MEAN_QUALITY, last_minute=False))
    for case, how, stoppable in (
        ("in the last minute of the epoch", _once(MEAN_QUALITY, last_minute=True), True),
        ("a new place at the end of every epoch", _always, True),
        ("two places, half the machine each", _once(MEAN_QUALITY // 2, True, 2), True),
    ):
        yield Result("registration sniping", case, fair, _snipe(world, how), stoppable)
    crowd = _once(MEAN_QUALITY // 10, True, 10)
    for floor, factor_bps in ((1, 11_000), (10, 11_000), (10, 20_000)):
        there = replace(world, uid_floor=floor * 10**18, uid_factor_bps=factor_bps)
        alone = _snipe(there, _once(MEAN_QUALITY, last_minute=False))
        case = f"ten of 14 places, a tenth each, price from {floor} WORK, x {factor_bps / BPS:g}"
        yield Result("registration sniping", case, alone, _snipe(there, crowd), factor_bps > 11_000)
    doubled = _once(MEAN_QUALITY, True, 2)
    yield Result("registration sniping", "two places, judges see two machines", fair,
                 _snipe(world, doubled), False)  # fmt: skip


Hook = Callable[[Arena, int], None]


def _snipe(world: World, hooks: tuple[Hook | None, Hook | None]) -> int:
    arena = Arena(world, at_start=hooks[0], at_end=hooks[1])
    populate(arena, [], [])
    arena.play()
    return arena.net(ACTOR)


def _once(quality: int, last_minute: bool, places: int = 1) -> tuple[Hook | None, Hook | None]:
    """Register in one epoch."""

    def _register(arena: Arena, epoch: int) -> None:
        if epoch == COMES_AT:
            at = arena.start(epoch) + (arena.world.epoch_length - 60 if last_minute else 0)
            for _ in range(places):
                arena.register(ACTOR, at, epoch, quality)

    return (None, _register) if last_minute else (_register, None)


def _each_epoch(arena: Arena, epoch: int) -> None:
    if epoch >= COMES_AT:
        at = arena.start(epoch + 1) - 60
        arena.register(ACTOR, at, epoch, MEAN_QUALITY)


_always: tuple[Hook | None, Hook | None] = (None, _each_epoch)


# --- 8: claim griefing --------------------------------------------------------------------------


def claimants(world: World) -> Iterator[Result]:
    """Somebody who claims for a provider when it likes; what the provider has once all vested.

    A gain would be the provider's and a loss its damage: nobody else gets anything.
    """
    hours = range(world.epochs)
    dice = random.Random(f"{world.seed}/claims")
    drawn = {hour for hour in hours if dice.randrange(10) == 0}
    fair = _claim(world, set(hours))
    for case, when in (
        ("once, at the end", set()),
        ("at hours that a stranger draws", drawn),
        ("tiny: at once, then never for a month", {0}),
        ("every hour, but jailed for ten days", set(hours) - set(range(120, 360))),
    ):
        yield Result("claims for others", case, fair, _claim(world, when))


def _claim(world: World, when: set[int]) -> int:
    """Base units paid out once the last has vested; jailed means that no claim goes through."""
    vesting = Vesting(world.vesting_period, world.immediate_bps)
    cumulative = 0
    for hour in range(world.epochs):
        # any reward that does not divide will do
        cumulative += 10**18 + 7 * hour + 1
        if hour in when:
            vesting.claim(cumulative, hour * world.epoch_length)
    end = world.epochs * world.epoch_length
    vesting.claim(cumulative, end)
    vesting.release(end + world.vesting_period)
    return vesting.paid


STUDIES: tuple[Study, ...] = (
    copiers, colluders, self_dealers, owners, hoppers, laggards, snipers, claimants,
)  # fmt: skip
# cases that all of them have together
CASES = 48


def play(world: World, advance: Callable[[], None]) -> list[Result]:
    """All strategies in turn; `advance` is called after each case."""
    found = []
    for study in STUDIES:
        for result in study(world):
            found.append(result)
            advance()
    return found
