"""docs/attestation.md names every setting about devices, and has the values that the code has."""

import re
from dataclasses import fields
from importlib.resources import files

import pytest
import yaml

from oracle.adapters.gpu.classes import BPS
from oracle.domain.attestation import LEAF_BYTES
from oracle.domain.attestation.chain import MAX_K, MAX_ROUNDS
from oracle.domain.attestation.challenge import KEEP_EPOCHS
from oracle.domain.attestation.memory import TREE_BYTES
from oracle.domain.attestation.plan import (
    BANDWIDTH_ROWS,
    FILLED_EIGHTHS,
    LANE_STEPS,
    LEAST_READS,
    MIN_ROUNDS,
    MOST_READS,
    OPERATIONS_PER_BYTE,
    OPERATIONS_PER_HASH,
    RUN_EIGHTHS,
    WALK_DEPTH,
)
from oracle.domain.attestation.rate import PHI_BITS, RISK_DENOMINATOR, phi_fixed_point
from oracle.services.calibrate import FLOOR_BPS, WALK_QUERIES
from oracle.services.request_leaves import LOOK_BACK
from oracle.services.watch import Watcher
from oracle.settings import Settings
from scripts._project import ROOT

# how settings about devices are called
PREFIXES = ("attestation_", "renewal_", "verify_", "heartbeat_")
SUFFIX = "_classes"
ABOUT_DEVICES = {
    f"CLEARWORK_{name.upper()}": field.default
    for name, field in Settings.model_fields.items()
    if name.startswith(PREFIXES) or name.endswith(SUFFIX)
}
SHIPPED = yaml.safe_load((files("oracle") / "data" / "device_classes.yaml").read_text())
CONSTANTS = {
    "RISK_DENOMINATOR": (RISK_DENOMINATOR,),
    "RUN_EIGHTHS": (RUN_EIGHTHS,),
    "MIN_ROUNDS": (MIN_ROUNDS, MAX_ROUNDS),
    "MAX_K": (MAX_K,),
    "LEAF_BYTES": (LEAF_BYTES,),
    "FILLED_EIGHTHS": (FILLED_EIGHTHS,),
    "TREE_BYTES": (TREE_BYTES,),
    "BANDWIDTH_ROWS": (BANDWIDTH_ROWS,),
    "OPERATIONS_PER_BYTE": (OPERATIONS_PER_BYTE,),
    "OPERATIONS_PER_HASH": (OPERATIONS_PER_HASH,),
    "WALK_DEPTH": (WALK_DEPTH,),
    "LEAST_READS": (LEAST_READS, MOST_READS),
    "LANE_STEPS": (LANE_STEPS,),
    "WALK_QUERIES": (WALK_QUERIES,),
    "operations_bps": (SHIPPED["operations_bps"], SHIPPED["bandwidth_bps"]),
    "FLOOR_BPS": (FLOOR_BPS,),
    "KEEP_EPOCHS": (KEEP_EPOCHS,),
    "LOOK_BACK": (LOOK_BACK // 86_400,),
    "--gas-cap": (next(one.default for one in fields(Watcher) if one.name == "gas_cap"),),
}


def rows() -> list[list[str]]:
    """Name, value and reason of every row under the page's heading."""
    page = (ROOT / "docs" / "attestation.md").read_text()
    section = page.split("## Parameters, and why\n")[1].split("\n## ")[0]
    found = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:2] == "| "]
    assert all(len(row) == 3 and all(row) for row in found), "a row without a reason"
    return found


def value_of(name: str) -> str:
    """What the page says a parameter is."""
    (value,) = [row[1] for row in rows() if f"`{name}`" in row[0]]
    return value


def says(value: str, number: int) -> bool:
    """Whether a number stands in a value, written as the page does."""
    written = f"{number:,}".replace(",", " ")
    return re.search(rf"(?<!\d){written}(?!\d)", value) is not None


@pytest.mark.parametrize("name", ABOUT_DEVICES)
def test_every_setting_about_devices_is_there(name: str) -> None:
    value, default = value_of(name), ABOUT_DEVICES[name]
    if type(default) is int:
        assert says(value, default)
    elif isinstance(default, list):
        assert value == (" ".join(default) or "none")


def test_settings_about_devices_are_found_by_their_names() -> None:
    assert {"CLEARWORK_ATTESTATION_QUERIES", "CLEARWORK_SLICE_CLASSES"} < set(ABOUT_DEVICES)


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_are_what_the_page_says(name: str) -> None:
    value = value_of(name)
    assert all(says(value, number) for number in CONSTANTS[name]), value


def test_floors_of_the_vendors_figures_are_within_what_a_claim_is_certified_for() -> None:
    """The page's 0.42: what a card has to sustain of the vendor's figure, if it claims that."""
    queries = Settings.model_fields["attestation_queries"].default
    phi = phi_fixed_point(queries) / 2**PHI_BITS
    certified = phi * RUN_EIGHTHS / 8
    assert round(SHIPPED["operations_bps"] / BPS / certified, 2) == 0.42
