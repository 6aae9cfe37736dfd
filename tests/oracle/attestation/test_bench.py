"""`make bench-attest` writes what its readers look for: names, sides and kinds of number."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from oracle.domain.attestation import Dims, WalkDims
from oracle.domain.attestation.chain import MAX_DEPTH, MAX_K, MAX_ROUNDS
from oracle.services.watch import Watcher
from scripts import bench_attest
from scripts._bench import WATCHER, Bench, convict_entry
from scripts.bench_attest import OWNER, Sizes, rows
from tests.oracle.conftest import UNIT, Live

SIDES = {"4096", "8192", "16384", "32768"}
# the sides of a full run, so that its keys are those; everything else as small as it goes
SMALL = Sizes(
    repetitions=1,
    prover=Dims(512, 512, 512, 1),
    fleet=2,
    fleet_side=4_096,
    walk=WalkDims(4_096, 256, 4, 8),
)


def check(figures: dict[str, Any]) -> None:
    """The form of everything that needs no chain."""
    assert type(figures["generator_mb_s"]) is int
    assert figures["generator_mb_s"] > 0
    assert set(figures["verify_ms"]) == SIDES
    assert set(figures["prover_seconds"]) == {"generate", "multiply", "hash"}
    for name in ("verify_ms", "prover_seconds"):
        assert all(type(value) is float and value >= 0 for value in figures[name].values())
    for name in ("walk_verify_ms", "ops_ratio", "ops_ratio_with_hashes"):
        assert type(figures[name]) is float
        assert figures[name] > 0
    for name in ("fleet_1000_s", "fleet_1000_cpu_s"):
        assert type(figures[name]) is float
        assert figures[name] >= 0


def test_a_full_run_measures_what_it_says() -> None:
    full = bench_attest.FULL
    assert {str(side) for side in full.sides} == SIDES
    # as the name of its figure says
    assert full.fleet == 1_000
    assert bench_attest.ops_ratio(bench_attest.chain(full.fleet_side)) <= 1e-6


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure without processes bound to a core, which take seconds each to start."""

    def here(work: Callable[[], Any]) -> Any:
        return work()

    def pool(workers: int, *_process: object) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(workers)

    monkeypatch.setattr(bench_attest, "on_one_core", here)
    monkeypatch.setattr(bench_attest, "ProcessPoolExecutor", pool)
    # set for the processes only
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")


@pytest.fixture
def bench(live: Live) -> Bench:
    """The tests' market in place of one of its own, which takes seconds to deploy."""
    made = Bench(str(live.w3.provider.endpoint_uri), dict(live.deployment.addresses))  # type: ignore[attr-defined]
    made.rpc("anvil_impersonateAccount", made.address(WATCHER))
    made.rpc("anvil_setBalance", made.address(WATCHER), hex(10**18))
    return made


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("gas", [True, False])
def test_the_file_has_the_keys_and_types_that_are_documented(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bench: Bench, gas: bool
) -> None:
    @contextmanager
    def market() -> Iterator[Bench]:
        yield bench

    for name, value in {
        "FULL": SMALL,
        "ROOT": tmp_path,
        "OUT": tmp_path / "build" / "bench" / "attest.json",
        "market": market,
    }.items():
        monkeypatch.setattr(bench_attest, name, value)
    run = CliRunner().invoke(bench_attest.main, [] if gas else ["--no-gas"], catch_exceptions=False)
    assert run.exit_code == 0

    figures = json.loads((tmp_path / "build" / "bench" / "attest.json").read_text())
    check(figures)
    assert ("dispute_gas" in figures) is gas
    if gas:
        disputed = figures["dispute_gas"]
        assert set(disputed) == SIDES
        assert all(type(disputed[side]) is int for side in SIDES)
        # longer rows to hash again, nothing else
        assert sorted(SIDES, key=int) == sorted(SIDES, key=disputed.__getitem__)
    for what, measured, budget in rows(figures):
        assert what
        assert f"{measured}  {budget}" in run.output


def test_the_dearest_conviction_is_within_a_watchers_cap(bench: Bench) -> None:
    """The longest row, the deepest tree and the most rounds that a commit may have."""
    bench.fund(OWNER, 1_000 * UNIT)
    largest = Dims(2**19, 2**20, MAX_K, MAX_ROUNDS)
    assert largest.depth == MAX_DEPTH
    _check, conviction = convict_entry(bench, OWNER, largest)
    (cap,) = [one.default for one in fields(Watcher) if one.name == "gas_cap"]
    assert cap * 3 // 4 < conviction.gas < cap


def test_every_round_of_a_chain_is_paid_for(bench: Bench) -> None:
    """Its root is in the proof, so a chain of one round says too little about one of eight."""
    bench.fund(OWNER, 1_000 * UNIT)
    gas = []
    for rounds in (1, bench_attest.ROUNDS):
        before = bench.rpc("evm_snapshot")
        _check, conviction = convict_entry(bench, OWNER, Dims(512, 512, 512, rounds))
        gas.append(conviction.gas)
        bench.rpc("evm_revert", before)
    # 32 bytes of calldata, most of them no zeros, and two words hashed
    assert 512 * (bench_attest.ROUNDS - 1) < gas[1] - gas[0] < 1_000 * (bench_attest.ROUNDS - 1)
