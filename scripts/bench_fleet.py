"""Close an epoch over a whole network and claim from it: `make bench-fleet`.

Heartbeats are written to disk first, untimed. Then an oracle's work is timed in a process of its
own: read them, agree on every job, build leaves, roots and all proofs. The report goes to the real
EpochLedger on anvil with the committee's signatures, and jobs are settled against its usage root:
random ones of all the fleet's. Only those are opened on the chain, under the numbers that they have
in the fleet; its counters of providers and jobs are set forward over the others.
Writes build/bench/fleet.json; with --docs the table goes into docs/benchmarks.md.
"""

import json
import multiprocessing
import random
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import track

from oracle.domain.hashing import keccak
from oracle.domain.leaves import LeafKind, job_key, payee_key
from oracle.domain.merkle import MerkleTree
from oracle.domain.receipts import MAX_RECEIPTS, unpack
from scripts._anvil import test_key
from scripts._bench import CUSTOMER, EARLIER_REPORTS, OPERATOR, OWNER, Bench
from scripts._fleet import SETTLED, Claim, Closed, Fleet, close_fleet, fill
from scripts._parameters import HOUR, UNIT
from scripts._project import ROOT
from scripts.bench import DOCS, market

DATABASE = ROOT / "build" / "bench" / "fleet.db"
OUT = DATABASE.with_suffix(".json")
MARKS = ("<!-- table: make bench-fleet -->\n", "<!-- end of fleet table -->\n")
# tokens behind each provider that exists on chain
STAKE = 800 * UNIT
# test keys below are people of the market
FIRST_OPERATOR = 100

ROWS = (
    ("read_s", "read the heartbeats, s"),
    ("aggregate_s", "agree on every job, s"),
    ("tree_s", "leaves, three roots, leaf file, s"),
    ("proofs_s", "every proof of the three trees, s"),
    ("total_s", "together, s"),
    ("cpu_s", "processor time of it, s"),
    ("peak_mb", "most memory, MiB"),
    ("receipts_per_s", "receipts per second of it"),
    ("leaves", "leaves"),
    ("bytes_per_leaf", "leaf file, bytes per leaf"),
    ("root_gas", "post the report, gas"),
    ("adopt_gas", "let usage be proved against it, gas"),
    ("claim_gas", "settle one job by its leaf, gas"),
    ("payee_claim_gas", "settle a payee's jobs by their leaf, gas a job"),
)

T = TypeVar("T")


@click.command()
@click.option("--machines", default=140_000, show_default=True, help="Machines, a job on each.")
@click.option("--providers", default=20_000, show_default=True, help="Providers they belong to.")
@click.option("--beats", default=60, show_default=True, help="Heartbeats of each machine.")
@click.option("--claims", default=1_000, show_default=True, help="Jobs to settle by their leaf.")
@click.option("--payees", default=10, show_default=True, help="Payees to settle by theirs.")
@click.option("--seed", default=1, show_default=True, help="Of the draw of both.")
@click.option("--docs", is_flag=True, help="Put the table into docs/benchmarks.md.")
def main(
    machines: int, providers: int, beats: int, claims: int, payees: int, seed: int, docs: bool
) -> None:
    """Measure, write build/bench/fleet.json, print the figures."""
    with market() as bench:
        use_ledger(bench)
        fleet = fleet_on(bench, machines, providers, beats)
        claimed, paid = fleet.sample(claims, payees, random.Random(seed))
        open_jobs(bench, fleet, [*claimed, *(m for p in paid for m in fleet.machines_of(p))])
        fleet = end_epoch(bench, fleet)
        print(f"writing {machines * beats:,} heartbeats ...", flush=True)
        apart(fill, DATABASE, fleet)
        print("closing the epoch ...", flush=True)
        wanted = [(LeafKind.JOB, job_key(job)) for job in claimed]
        wanted += [(LeafKind.PAYEE, payee_key(payee)) for payee in paid]
        closed = apart(close_fleet, DATABASE, fleet, wanted)
        DATABASE.unlink()
        figures = measured(closed) | settled(bench, closed)
    OUT.write_text(json.dumps(figures, indent=2) + "\n")
    for key, what in ROWS:
        print(f"{what:<48} {figures[key]:>14,}")
    print(f"written: {OUT.relative_to(ROOT)}")
    if docs:
        update_docs(figures)


def use_ledger(bench: Bench) -> None:
    """Post and adopt until the ledger writes into slots that it has used before."""
    for _ in range(EARLIER_REPORTS):
        bench.post_epoch(MerkleTree([keccak(b"a quiet epoch")]), 0)
    bench.pass_time(HOUR)
    bench.adopt_usage()


def fleet_on(bench: Bench, machines: int, providers: int, beats: int) -> Fleet:
    """The fleet of a market in its next epoch, which has no budget yet."""
    ledger = bench["EpochLedger"]
    last, _ = ledger.functions.last_epoch().call()
    return Fleet(
        machines=machines,
        providers=providers,
        beats=beats,
        epoch=last + 1,
        start=ledger.functions.GENESIS().call() + (last + 1) * HOUR,
        previous=bench.head,
        chain_id=bench.chain_id,
        distributor=str(bench["RewardDistributor"].address),
        ledger=str(ledger.address),
        budget=0,
        members=tuple(bench["OracleCommittee"].functions.members().call()),
    )


def open_jobs(bench: Bench, fleet: Fleet, jobs: list[int]) -> None:
    """Bring some jobs onto the chain with their providers, running and settled once before."""
    registry, staking = bench["ProviderRegistry"].functions, bench["ProviderStaking"].functions
    accept = bench["JobRegistry"].functions.accept
    jobs = sorted(jobs)
    providers = sorted({fleet.provider(job) for job in jobs})
    bench.fund(OWNER, len(providers) * STAKE)
    bench.fund(CUSTOMER, len(jobs) * 10 * UNIT)
    console, owner = Console(file=sys.stderr), bench.address(OWNER)
    for provider in track(providers, "registering providers", console=console):
        set_counter(bench, "ProviderRegistry", "provider_count", provider - 1)
        operator = test_key(FIRST_OPERATOR + provider).address
        bench.send(OWNER, registry.register(operator, owner, 1_000, 500, 1_000, "ipfs://p"))
        bench.send(OWNER, staking.stake(provider, STAKE))
    for number in track(jobs, "opening jobs", console=console):
        provider = fleet.provider(number)
        bench.attest(provider, number, fleet.epoch)
        set_counter(bench, "JobEscrow", "job_count", number - 1)
        job, _ = bench.open_job(provider)
        if job != number:
            raise RuntimeError(f"job {job} runs on machine {number}")
        bench.send(OWNER, accept(job))
    bench.pass_time(SETTLED)
    for index, start in enumerate(range(0, len(jobs), MAX_RECEIPTS)):
        bench.batch(jobs[start : start + MAX_RECEIPTS], fleet.epoch, SETTLED, index)


def set_counter(bench: Bench, contract: str, getter: str, value: int) -> None:
    """Set what a public counter says, as if so many had come before."""
    address = str(bench[contract].address)
    count = bench[contract].functions[getter]
    call = {"to": address, "data": bench[contract].encode_abi(getter)}
    read = bench.rpc("debug_traceCall", call, "latest", {"tracer": "prestateTracer"})
    # the only slot that the getter looks at
    (slot,) = read[address.lower()]["storage"]
    bench.rpc("anvil_setStorageAt", address, slot, f"0x{value:064x}")
    if count().call() != value:
        raise RuntimeError(f"{contract}.{getter} is not in slot {slot}")


def end_epoch(bench: Bench, fleet: Fleet) -> Fleet:
    """Let the epoch end and press it; the fleet with its budget."""
    bench.pass_time(HOUR)
    controller = bench["EmissionsController"].functions
    bench.send(OPERATOR, controller.press(64))
    granted = controller.cumulative_budget
    budget = granted(fleet.epoch).call() - granted(fleet.epoch - 1).call()
    return replace(fleet, budget=budget)


def apart(work: Callable[..., T], *arguments: Any) -> T:
    """Run `work` in a fresh process."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as pool:
        return pool.submit(work, *arguments).result()


def settled(bench: Bench, closed: Closed) -> dict[str, int]:
    """Gas of the report, and of settling by its leaves; each claim has to change its jobs."""
    posted = bench.post(closed.report)
    bench.pass_time(HOUR)
    adopted = bench.adopt_usage()
    escrow = bench["JobEscrow"].functions

    def settle(claim: Claim) -> int:
        leaf = claim.leaf
        call = escrow.settle_root(int(leaf.kind), leaf.key, claim.receipts, claim.path)
        sent = bench.send(OPERATOR, call)
        for receipt in unpack(claim.receipts):
            state = escrow.job_state(receipt.job).call()
            if state[-1] != receipt.cumulative_gpu_seconds:
                raise RuntimeError(f"job {receipt.job} is not settled: {state}")
        return sent.gas

    jobs = [claim for claim in closed.claims if claim.leaf.kind is LeafKind.JOB]
    payees = [claim for claim in closed.claims if claim.leaf.kind is LeafKind.PAYEE]
    console = Console(file=sys.stderr)
    job_gas = [settle(claim) for claim in track(jobs, "settling jobs", console=console)]
    payee_gas = [settle(claim) for claim in payees]
    return {
        "root_gas": posted.gas,
        "adopt_gas": adopted.gas,
        "claim_gas": sum(job_gas) // len(job_gas),
        "payee_claim_gas": sum(payee_gas) // sum(len(unpack(c.receipts)) for c in payees),
    }


def measured(closed: Closed) -> dict[str, float]:
    """The figures of closing the epoch."""
    total = closed.read_s + closed.aggregate_s + closed.tree_s + closed.proofs_s
    return {
        "read_s": round(closed.read_s, 2),
        "aggregate_s": round(closed.aggregate_s, 2),
        "tree_s": round(closed.tree_s, 2),
        "proofs_s": round(closed.proofs_s, 2),
        "total_s": round(total, 2),
        "cpu_s": round(closed.cpu_s, 2),
        "peak_mb": closed.peak_mb,
        "receipts_per_s": int(closed.receipts / total),
        "leaves": closed.leaves,
        "bytes_per_leaf": round(closed.file_bytes / closed.leaves, 1),
    }


def update_docs(figures: dict[str, float]) -> None:
    """Replace the table between the marks."""
    before, rest = DOCS.read_text().split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    lines = ["| step | measured |", "|---|---:|"]
    lines += [f"| {what} | {figures[key]:,} |" for key, what in ROWS]
    DOCS.write_text(before + MARKS[0] + "\n".join(lines) + "\n" + MARKS[1] + after)


if __name__ == "__main__":
    main()
