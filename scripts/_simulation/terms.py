"""What a simulated market is set up with: the repository's parameters, windows of hours."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oracle.adapters.gpu.classes import shipped_classes
from oracle.domain.attestation import Dims
from oracle.domain.market import DeviceClass
from oracle.domain.renewal import RenewalRules
from oracle.settings import Settings
from scripts._parameters import HOUR, UNIT, Parameters
from scripts._project import ROOT

LOCAL = ROOT / "deployments" / "params" / "local.yaml"
# the chain that devices really compute: a small one, 64 leaves, 8 rounds as in planned ones
SMALL = Dims(32, 32, 32, 8)
# cards of the fleet, slowest first, as oracle/data/device_classes.yaml calls them, and how many
# of a hundred devices are one
MIX = {
    "NVIDIA T4 16GB": 15,
    "NVIDIA GeForce RTX 3090 24GB": 30,
    "NVIDIA A100 SXM4 80GB": 25,
    "NVIDIA H100 SXM5 80GB": 25,
    "NVIDIA B200 SXM 180GB": 5,
}
# of a vendor's figure, bps, that a card sustains: an assumption, no measurement. Floors have 2 500
FLOOR_BPS, SUSTAINED_BPS = 2_500, 4_500
# base units for a GPU-hour: of the class's stake, so many per ten thousand
PRICE_BPS = 20
# provider's own promise to who proves a lie, bps: the court's share is the lower bound
REPORTER_BPS = 5_000
# of emission, bps, that an owner keeps who takes delegations: an assumption, each sets its own
COMMISSION_BPS = 2_000
# of a local market's 20-second windows, for epochs of an hour
# An attestation ends in the epoch after its own: only epochs in which a device answered are paid
EPOCH, ATTESTATION_PERIOD, ANSWER_PERIOD = HOUR, HOUR + HOUR // 6, 6 * HOUR
# base units of bonds that the watcher holds or has lost at once: its --bond-budget
BOND_BUDGET = 1_000 * UNIT


@dataclass(frozen=True, slots=True)
class Card:
    """A model of card: its class, what it sustains, and what its class costs and pays."""

    name: str
    device_class: int
    # int8 operations per second
    sustained: int
    memory_mb: int
    # base units of stake behind one, and of income for an hour of one
    stake: int
    price: int


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything that does not change during a run."""

    parameters: Parameters
    cards: tuple[Card, ...]
    classes: tuple[DeviceClass, ...]
    queries: int
    deadline_ms: int
    leader_delay: int
    poll_ms: int
    renewal: RenewalRules
    bond_budget: int = BOND_BUDGET

    @property
    def attestation_period(self) -> int:
        """Seconds for which a device stays entered."""
        return self.parameters.registry.attestation_period


def terms(
    attestation_period: int = ATTESTATION_PERIOD,
    deadline_ms: int | None = None,
    path: Path = LOCAL,
) -> Terms:
    """The terms of a run; `attestation_period` in seconds, `deadline_ms` as oracles have it.

    Money is `path`'s: stakes, penalties, bonds, emission. Stake behind a device is that of the
    highest of its three classes whose floors the card's own floor reaches.
    """
    local = Parameters.load(path, allow_test_keys=True)
    changed = {
        "emissions": {"epoch_length": EPOCH},
        "registry": {"attestation_period": attestation_period},
        "leaf_requests": {"answer_period": ANSWER_PERIOD},
    }
    sections = {name: getattr(local, name) for name in Parameters.model_fields}
    for name, values in changed.items():
        sections[name] = sections[name].model_copy(update=values)
    parameters = Parameters.model_validate(sections)
    named = {one.name: one for one in shipped_classes()}
    floors = [named[name] for name in MIX]
    settings = {name: field.default for name, field in Settings.model_fields.items()}
    return Terms(
        parameters=parameters,
        cards=tuple(
            Card(
                name=one.name,
                device_class=number,
                sustained=one.ops_per_second * SUSTAINED_BPS // FLOOR_BPS,
                memory_mb=one.memory_mb,
                stake=(stake := _stake(parameters, one.ops_per_second, one.memory_mb)),
                price=stake * PRICE_BPS // 10_000,
            )
            for number, one in enumerate(floors, 1)
        ),
        classes=tuple(
            DeviceClass(number, one.ops_per_second, one.memory_mb)
            for number, one in enumerate(floors, 1)
        ),
        queries=settings["attestation_queries"],
        deadline_ms=deadline_ms or settings["attestation_deadline_ms"],
        leader_delay=settings["leader_delay"],
        poll_ms=int(settings["poll_interval"] * 1_000),
        renewal=RenewalRules(settings["renewal_epochs"] * EPOCH, settings["renewal_change_bps"]),
    )


def _stake(parameters: Parameters, ops_per_second: int, memory_mb: int) -> int:
    reached: Sequence[int] = [
        one.stake_per_device
        for one in parameters.registry.classes
        if one.min_ops_per_second <= ops_per_second and one.min_memory_mb <= memory_mb
    ]
    return max(reached, default=UNIT)
