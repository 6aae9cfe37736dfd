"""`make bench-fleet` on a fleet that is small enough to be computed by hand."""

import json
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from oracle.domain.leaves import LeafKind, job_key, payee_key
from oracle.domain.merkle import verify
from oracle.domain.receipts import JobStatus, Receipt, unpack
from scripts import bench_fleet
from scripts._fleet import BEAT, GRACE, Fleet, agree, close_fleet, fill

DISTRIBUTOR, LEDGER = "0x" + "01" * 20, "0x" + "02" * 20
BEATS = 5
# what scripts that watch the figures read
REQUIRED = {
    "read_s", "aggregate_s", "tree_s", "proofs_s", "peak_mb", "root_gas", "claim_gas",
    "receipts_per_s",
}  # fmt: skip


@pytest.fixture
def fleet() -> Fleet:
    return Fleet(
        machines=30,
        providers=7,
        beats=BEATS,
        epoch=3,
        start=10 * 3_600,
        previous=bytes(32),
        chain_id=31_337,
        distributor=DISTRIBUTOR,
        ledger=LEDGER,
        budget=10**21,
        members=("0x" + "0a" * 20,),
    )


def test_every_machine_has_an_owner(fleet: Fleet) -> None:
    owners = [fleet.provider(machine) for machine in range(1, 31)]
    assert owners == sorted(owners)
    assert set(owners) == set(range(1, 8))


def test_owners_know_their_machines(fleet: Fleet) -> None:
    for provider in range(1, 8):
        owned = [machine for machine in range(1, 31) if fleet.provider(machine) == provider]
        assert list(fleet.machines_of(provider)) == owned


def test_jobs_to_claim_are_drawn_from_all_of_them(fleet: Fleet) -> None:
    drawn: set[int] = set()
    payees: set[int] = set()
    for seed in range(200):
        jobs, paid = fleet.sample(5, 2, Random(seed))
        assert (len(set(jobs)), len(set(paid))) == (5, 2)
        assert not {fleet.provider(job) for job in jobs} & set(paid)
        assert (jobs, paid) == (sorted(jobs), sorted(paid)) == fleet.sample(5, 2, Random(seed))
        drawn |= set(jobs)
        payees |= set(paid)
    assert (drawn, payees) == (set(range(1, 31)), set(range(1, 8)))


def test_a_fleet_on_disk_is_closed(tmp_path: Path, fleet: Fleet) -> None:
    """Every machine was heard of all the time, but for up to a minute before its first beat."""
    path = tmp_path / "fleet.db"
    fill(path, fleet)
    paid = fleet.provider(4)
    wanted = [(LeafKind.JOB, job_key(4)), (LeafKind.PAYEE, payee_key(paid))]
    closed = close_fleet(path, fleet, wanted)
    assert closed.receipts == 30
    # a reward and a usage leaf of each provider and one of the oracle, a leaf of each job and
    # payee, one of each device
    assert closed.leaves == 7 + 7 + 1 + 30 + 7 + 30
    job, payee = closed.claims
    (receipt,) = unpack(job.receipts)
    assert receipt.job == 4
    assert receipt.status == JobStatus.RUNNING
    assert (BEATS - 1) * BEAT < receipt.cumulative_gpu_seconds <= BEATS * BEAT
    own = [machine for machine in range(1, 31) if fleet.provider(machine) == paid]
    assert [one.job for one in unpack(payee.receipts)] == own
    assert receipt in unpack(payee.receipts)
    root = closed.report.usage_root
    for claim in closed.claims:
        leaf = claim.leaf.hash(fleet.chain_id, LEDGER)
        assert verify(root, leaf, claim.path)


def test_a_silent_machine_earns_what_its_last_heartbeat_vouches_for(fleet: Fleet) -> None:
    jobs = {job: one for job, one in fleet.jobs().items() if job in (1, 2)}
    heard = {fleet.device(1): [fleet.start]}
    assert agree(fleet, jobs, heard) == [
        Receipt(1, GRACE, JobStatus.RUNNING), Receipt(2, 0, JobStatus.RUNNING)
    ]  # fmt: skip


@pytest.mark.slow(reason="deploys a market and opens jobs on it: half a minute")
def test_the_figures_of_a_small_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_fleet, "ROOT", tmp_path)
    monkeypatch.setattr(bench_fleet, "OUT", tmp_path / "fleet.json")
    monkeypatch.setattr(bench_fleet, "DATABASE", tmp_path / "fleet.db")
    asked = ["--machines", "40", "--providers", "8", "--beats", "60", "--claims", "5"]
    result = CliRunner().invoke(bench_fleet.main, [*asked, "--payees", "1"])
    assert result.exit_code == 0, result.output
    figures = json.loads((tmp_path / "fleet.json").read_text())
    assert set(figures) == {key for key, _ in bench_fleet.ROWS}
    assert set(figures) >= REQUIRED
    # so small a fleet takes no time that shows in hundredths of a second
    assert all(value > 0 or key.endswith("_s") for key, value in figures.items())
    assert not (tmp_path / "fleet.db").exists()
