"""Every parameter of the incentive simulation, in one place."""

from dataclasses import asdict, dataclass, field
from typing import Any

from oracle.domain.emission import Schedule
from oracle.domain.subnets import Terms
from scripts._parameters import DAY, HOUR, UNIT


def _schedule() -> Schedule:
    return Schedule(cap=21_000_000 * UNIT, initial=UNIT // 2, block_seconds=12)


def _consensus() -> Terms:
    return Terms(
        immunity_epochs=72,
        min_stake=1_000 * UNIT,
        max_validators=64,
        kappa=32_767,
        bonds_moving_average=900_000,
        bonds_penalty=65_535,
        yuma=3,
        liquid_alpha=True,
        alpha_low=45_875,
        alpha_high=58_982,
        alpha_steepness=1_000,
        activity_cutoff=24,
        owner_cut_bps=1_800,
    )


@dataclass(frozen=True, slots=True)
class World:
    """One subnet beside the market at large, and what its people do.

    Amounts are base units, times seconds, what is in bps says so. `others_stake`: of each honest
    validator. `actor_stake`: of the one that plays, where a study says nothing else. `drift_bps`:
    by which a miner's quality moves up or down in an epoch at most. `noise_bps`: by which a
    validator misjudges it at most. `fees`: protocol fees an epoch at large and in the subnet.
    `newcomer_epochs`: between two strangers who register in a full subnet.
    """

    epochs: int = 720
    epoch_length: int = HOUR
    seed: int = 1
    schedule: Schedule = field(default_factory=_schedule)
    issued: int = 1_000_000 * UNIT
    beta_bps: int = 3_000
    cap_ratio_bps: int = 9_000
    fee_bps: int = 300
    burn_bps: int = 5_000
    fees: tuple[int, int] = (30 * UNIT, 30 * UNIT)
    votes: tuple[int, int] = (50_000 * UNIT, 50_000 * UNIT)
    vote_epochs: int = 336
    unbonding_period: int = 14 * DAY
    vesting_period: int = 180 * DAY
    immediate_bps: int = 2_500
    validators: int = 4
    miners: int = 10
    others_stake: int = 20_000 * UNIT
    actor_stake: int = 20_000 * UNIT
    drift_bps: int = 300
    noise_bps: int = 300
    reveal_delay: int = 1
    reveal_window: int = 2
    commit_interval: int = 2
    uid_floor: int = UNIT
    uid_factor_bps: int = 11_000
    uid_period: int = DAY
    newcomer_epochs: int = 48
    terms: Terms = field(default_factory=_consensus)

    def document(self) -> dict[str, Any]:
        """Names and numbers, for JSON and for the docs."""
        return asdict(self)
