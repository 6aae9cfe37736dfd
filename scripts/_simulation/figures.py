"""What a run says, of cheats by kind and of honest devices: base units, seconds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scripts._parameters import BPS
from scripts._simulation.clock import SECOND
from scripts._simulation.conduct import Conduct
from scripts._simulation.fleet import Device
from scripts._simulation.simulation import Simulation
from scripts._simulation.tally import Catch
from scripts._simulation.terms import COMMISSION_BPS

CONVICTIONS = (Catch.FALSE_ENTRY, Catch.WITHHELD)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of cheat, over all its cards; a card is caught with the first of its devices.

    `gained`: emission and income since it began, less what was seized. `honest`: what an honest
    owner of the same cards and the same stake was paid in that time. `lent`: the part of it that
    stake brought which those cards do not need. `net`: gained less stake and rent.
    """

    kind: str
    what: str
    stoppable: bool
    cards: int
    devices: int
    caught: int
    median_s: int | None
    p90_s: int | None
    longest_s: int | None
    # first defence => cards
    first: dict[str, int]
    convicted: int
    # until the first conviction of a card
    conviction_median_s: int | None
    # mean hours of a card's devices that were paid after it began
    paid_hours: float
    stake: int
    slashed: int
    seized: int
    reporter: int
    rent: int
    gained: int
    honest: int
    lent: int

    @property
    def net(self) -> int:
        """What cheating brought."""
        return self.gained - self.slashed - self.rent

    @property
    def loses(self) -> bool:
        """Whether honest work would have brought more."""
        return self.net < self.honest

    @property
    def is_even(self) -> bool:
        """Whether it brought what honest work did, within a twentieth: chance. Idle stake is none:
        what it would have brought is always missing."""
        return not self.lent and abs(self.net - self.honest) * 20 <= self.honest


@dataclass(frozen=True, slots=True)
class Honest:
    """Honest devices; shares of challenges or of hours, in parts per million."""

    devices: int
    challenges: int
    convicted: int
    refused: dict[str, int]
    missed_ppm: int
    below_class_ppm: int
    without_entry_ppm: int
    lower_class_ppm: int


@dataclass(frozen=True, slots=True)
class Figures:
    """A whole run."""

    devices: int
    hours: int
    seed: int
    jitter_bps: int
    loss_bps: int
    attestation_period: int
    deadline_ms: int
    honest: Honest
    kinds: tuple[Kind, ...]
    commits: int
    openings: int
    records: int
    audited: int

    def document(self) -> dict[str, Any]:
        """As JSON takes it."""
        kinds = [asdict(kind) | {"net": kind.net, "loses": kind.loses} for kind in self.kinds]
        return asdict(self) | {"kinds": kinds}


def figures(run: Simulation) -> Figures:
    """Read a finished run."""
    plan, tally = run.plan, run.tally
    fleets = [[one for one in run.devices if type(one.conduct) is kind] for kind in _kinds(run)]
    return Figures(
        devices=len(run.devices),
        hours=plan.hours,
        seed=plan.seed,
        jitter_bps=plan.jitter_bps,
        loss_bps=plan.loss_bps,
        attestation_period=run.terms.attestation_period,
        deadline_ms=run.terms.deadline_ms,
        honest=Honest(
            devices=sum(type(one.conduct) is Conduct for one in run.devices),
            challenges=tally.challenges,
            convicted=tally.convicted_honest,
            refused=dict(tally.refused_honest),
            missed_ppm=_ppm(tally.missed, tally.challenges),
            below_class_ppm=_ppm(tally.below_class, tally.challenges),
            without_entry_ppm=_ppm(tally.without_entry, tally.hours),
            lower_class_ppm=_ppm(tally.in_lower_class, tally.hours),
        ),
        kinds=tuple(_kind(run, fleet) for fleet in fleets if fleet),
        commits=tally.commits,
        openings=tally.openings,
        records=run.registry.records,
        audited=run.watcher.audited,
    )


def _kinds(run: Simulation) -> Sequence[type[Conduct]]:
    return (*run.plan.kinds, *run.plan.limit_kinds)


def _kind(run: Simulation, fleet: Sequence[Device]) -> Kind:
    tally, kind = run.tally, type(fleet[0].conduct)
    cards: dict[int, list[Device]] = {}
    for one in fleet:
        cards.setdefault(one.provider, []).append(one)
    times: list[int] = []
    sentenced: list[int] = []
    first: Counter[str] = Counter()
    for owned in cards.values():
        began = min(tally.began.get(one.device, 0) for one in owned)
        caught = [(at, how.value) for one in owned for how, at in tally.catches[one.device].items()]
        if caught:
            at, how = min(caught)
            times.append((at - began) // SECOND)
            first[how] += 1
        named = {how.value for how in CONVICTIONS}
        ends = [at for at, how in caught if how in named]
        if ends:
            sentenced.append((min(ends) - began) // SECOND)
    times.sort()
    sentenced.sort()
    accounts = {provider: run.accounts[provider] for provider in cards}
    lent = sum(_lent(run, owned[0]) for owned in cards.values())
    return Kind(
        kind=kind.name,
        what=kind.what,
        stoppable=kind.stoppable,
        cards=len(cards),
        devices=len(fleet),
        caught=len(times),
        median_s=_quantile(times, 50),
        p90_s=_quantile(times, 90),
        longest_s=_quantile(times, 100),
        first=dict(first),
        convicted=len(sentenced),
        conviction_median_s=_quantile(sentenced, 50),
        paid_hours=round(sum(tally.paid_hours[each] for each in cards) / len(cards), 1),
        stake=sum(run.staked[each] for each in cards),
        slashed=sum(account.slashed for account in accounts.values()),
        seized=sum(tally.seized[each] for each in cards),
        reporter=sum(tally.reporter[each] for each in cards),
        rent=sum(tally.rented[each] * owned[0].chip.model.price for each, owned in cards.items()),
        gained=sum(
            account.gained - tally.before.get(each, account.gained)
            for each, account in accounts.items()
        ),
        honest=lent + sum(_mean(run, owned[0], run.tally.honest_pay) for owned in cards.values()),
        lent=lent,
    )


def _lent(run: Simulation, one: Device) -> int:
    """What the stake that its provider does not need for its card brings to whoever delegates it
    to owners of more such cards: their emission, less commission."""
    card = one.chip.model
    spare = run.staked[one.provider] - card.stake
    emission = _mean(run, one, run.tally.honest_emission)
    return emission * spare * (BPS - COMMISSION_BPS) // (card.stake * BPS)


def _mean(run: Simulation, one: Device, paid: dict[str, Counter[int]]) -> int:
    """What honest devices of the same card were paid on average since this one began."""
    model = one.chip.model.name
    owners = sum(
        type(each.conduct) is Conduct and each.chip.model.name == model for each in run.devices
    )
    if not owners:
        return 0
    epochs = range(one.conduct.turns, run.plan.hours)
    return sum(paid[model][epoch] for epoch in epochs) // owners


def _quantile(ascending: Sequence[int], percent: int) -> int | None:
    """The smallest value that so many percent do not exceed."""
    return ascending[-(-len(ascending) * percent // 100) - 1] if ascending else None


def _ppm(part: int, whole: int) -> int:
    return part * 1_000_000 // whole if whole else 0
