"""Parameter files that tests deploy with, or change first."""

from typing import Any

from scripts._project import ROOT

LOCAL = ROOT / "deployments" / "params" / "local.yaml"

DEMAND: dict[str, Any] = {
    "reserve_epochs": 720,
    "burn_bps": 5_000,
    "step_bps": 10,
    "average_epochs": 168,
    "stale_bps": 1,
    "wait_epochs": 24,
    "target_epochs": 168,
    "targets": [{"device_class": "gpu-consumer", "usd_per_hour": "0.15", "max_devices": 1_000}],
}
"""`emissions.demand` of a market like that of `LOCAL`."""
