"""`make demo` as a newcomer runs it: the whole life of the market, and what its summary says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts._project import ROOT

# of the demo alone, on two cores
LIMIT_SECONDS = 240


@pytest.mark.slow
def test_the_demo_plays_the_whole_life_of_the_market(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    played = subprocess.run(
        [sys.executable, "-m", "scripts.demo", "--folder", str(folder)],
        cwd=ROOT,
        env={**os.environ, "APE_DATA_FOLDER": str(tmp_path / "ape")},
        capture_output=True,
        text=True,
        timeout=2 * LIMIT_SECONDS,
    )
    assert played.returncode == 0, played.stdout + played.stderr
    summary = json.loads((folder / "summary.json").read_text())
    assert [job["path"] for job in summary["jobs"]] == [
        "cluster voucher",
        "voucher",
        "committee receipts",
        "conviction",
        "service level missed",
    ]
    by_cluster, by_voucher, by_committee, cheated, missed = summary["jobs"]
    assert by_cluster["paid"] > 0
    assert by_voucher["paid"] > 0
    assert by_committee["paid"] > 0
    for failed in (cheated, missed):
        assert failed["paid"] == 0
        assert failed["refunded"] > 0
        assert failed["compensated"] > 0
    receipts = {receipt["job"]: receipt for receipt in summary["receipts"]}
    assert receipts.keys() == {job["id"] for job in summary["jobs"]}
    outcomes = [(r["status"], r["layer"], r["issuer"]) for _, r in sorted(receipts.items())]
    assert outcomes == [
        ("completed", None, "provider"),
        ("completed", None, "provider"),
        ("completed", None, "provider"),
        ("provider_fault", "execution", "oracle"),
        ("sla_missed", "capacity", "oracle"),
    ]
    roles = [{one["role"] for one in receipts[job["id"]]["signers"]} for job in summary["jobs"]]
    paid_by_customer = {"provider", "customer", "oracle"}
    assert roles == [
        paid_by_customer,
        paid_by_customer,
        {"provider", "oracle"},
        {"oracle"},
        {"oracle"},
    ]
    for attestation in summary["attestations"]:
        assert attestation["ops_lower_bound"] > 0
        assert attestation["elapsed_ms"] > 0
    convictions = {conviction["kind"]: conviction for conviction in summary["convictions"]}
    assert convictions.keys() == {"false_attestation", "equivocation"}
    for conviction in summary["convictions"]:
        spent = conviction["victim_paid"] + conviction["reporter_paid"] + conviction["burnt"]
        assert conviction["slashed"] == spent > 0
    assert any(conviction["victim_paid"] > 0 for conviction in summary["convictions"])
    at_large, *subnets = summary["subnets"]
    assert int(at_large["miners"]) > 0
    assert len(subnets) == 2
    for line in subnets:
        parts = [int(line[part]) for part in ("owner", "miners", "validators", "oracles", "rest")]
        assert sum(parts) == int(line["share"])
        assert min(parts[:4]) > 0
    for printed in ("Top earners", "Not paid out", "subnet 1", "subnet 2"):
        assert printed in played.stdout
    assert 0 < summary["epoch"]["claimed"] <= summary["epoch"]["budget"]
    assert summary["conservation"]
    assert all(books["ok"] for books in summary["conservation"].values())
    assert summary["duration_seconds"] < LIMIT_SECONDS
