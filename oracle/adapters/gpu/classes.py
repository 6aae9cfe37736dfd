"""Classes of devices: the floors that ship with the service, and those that were measured here."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from oracle.errors import BadInput

TERA, GIGA = 10**12, 10**9
BPS = 10_000
Bps = Annotated[int, Field(gt=0, le=BPS)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DeviceClass(_Record):
    """A floor that a device has to reach to be counted as this class.

    Rates are lower bounds as `oracle.domain.attestation.rate` computes them, for one backend.
    A rate of 0 is not known yet. `source` says where the figures come from.
    """

    name: str
    backend: str
    memory_mb: int = Field(gt=0)
    ops_per_second: int = Field(gt=0)
    bytes_per_second: int = Field(ge=0)
    walk_steps_per_second: int = Field(ge=0)
    calibrated: bool
    source: str

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a class file that `clearwork agent calibrate` wrote; raises `BadInput`."""
        try:
            return cls.model_validate(yaml.safe_load(path.read_text()))
        except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
            raise BadInput(
                f"{path} is no device class: {error}", "write one with `clearwork agent calibrate`"
            ) from None

    def save(self, path: Path) -> None:
        """Write the class as YAML."""
        path.write_text(yaml.safe_dump(self.model_dump(), sort_keys=False))


class _Card(_Record):
    name: str
    memory_gb: int = Field(gt=0)
    int8_tops: int = Field(gt=0)
    bandwidth_gb_s: int = Field(gt=0)
    source: str


class _Cards(_Record):
    operations_bps: Bps
    bandwidth_bps: Bps
    calibrated: bool
    cards: list[_Card]


def shipped_classes() -> list[DeviceClass]:
    """The classes in `oracle/data/device_classes.yaml`: vendors' figures times a fraction."""
    text = (files("oracle") / "data" / "device_classes.yaml").read_text()
    cards = _Cards.model_validate(yaml.safe_load(text))
    return [
        DeviceClass(
            name=card.name,
            backend="torch:cuda",
            memory_mb=card.memory_gb * 1_000,
            ops_per_second=card.int8_tops * TERA * cards.operations_bps // BPS,
            bytes_per_second=card.bandwidth_gb_s * GIGA * cards.bandwidth_bps // BPS,
            walk_steps_per_second=0,
            calibrated=cards.calibrated,
            source=f"{card.source}; {card.int8_tops} TOPS, {card.bandwidth_gb_s} GB/s",
        )
        for card in cards.cards
    ]
