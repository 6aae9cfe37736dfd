"""Change a contract in many small ways and see whether its unit tests notice: `make mutate`.

Mutants are drawn from the contract and from the modules it is built on until SAMPLE of them
count: those that don't compile, or compile to the same bytecode, don't. A mutant is killed by
the first unit test of the contract that fails, or by taking too long. The working tree is left
alone: every job has a copy of it under build/mutation/.

Survivors that no test can tell from the original are listed, each with the reason, in
survivors.md; they don't count either.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

ROOT = Path(__file__).parents[2]
OUT = ROOT / "build" / "mutation"
DOCS = ROOT / "docs" / "benchmarks.md"
EQUIVALENT = Path(__file__).with_name("survivors.md")
COPIED = ("contracts", "oracle", "scripts", "tests", "pyproject.toml")
MARKS = ("<!-- table: make mutate -->\n", "<!-- end of table -->\n")
HEADER = (
    "| contract | mutants | killed | equivalent | survived | share killed |\n"
    "|---|---:|---:|---:|---:|---:|\n"
)


@click.command()
@click.argument("contract")
@click.option(
    "--sample", default=10_000, help="How many mutants that count; all if there are less."
)
@click.option("--seed", default=1, show_default=True, help="Which of them.")
@click.option("--jobs", default=1, show_default=True, help="Processes.")
@click.option(
    "--function", "functions", multiple=True, help="Only in this one; again for more than one."
)
@click.option("--resume", is_flag=True, help="Try survivors again; other verdicts stay.")
@click.option("--docs", is_flag=True, help="Put the row into docs/benchmarks.md.")
def main(
    contract: str,
    sample: int,
    seed: int,
    jobs: int,
    functions: tuple[str, ...],
    resume: bool,
    docs: bool,
) -> None:
    """Mutate CONTRACT and write build/mutation/CONTRACT.json."""
    if functions and docs:
        raise click.BadParameter("a row of the docs is of the whole contract")
    # JobEscrow => job_escrow
    folder = "tests/unit/" + re.sub(r"(?<!^)(?=[A-Z])", "_", contract).lower()
    if not (ROOT / folder).is_dir():
        raise click.BadParameter(f"{contract} has no {folder}")
    OUT.mkdir(parents=True, exist_ok=True)
    journal = OUT / f"{contract}.jsonl"
    if not resume:
        journal.write_text("")
    console = Console()
    columns = (TextColumn(contract), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        Progress(*columns, TextColumn("{task.description}"), console=console) as progress,
        ThreadPoolExecutor(jobs) as pool,
    ):
        bar = progress.add_task("starting", total=None)
        survived = 0

        def work(job: int) -> None:
            nonlocal survived
            for line in worker(contract, folder, seed, sample, job, jobs, functions, journal):
                if "broken" in line:
                    raise click.ClickException(f"fails without a mutant: {line['broken']}")
                if "mutants" in line:
                    progress.update(bar, total=min(sample, line["mutants"]), description="")
                    continue
                with journal.open("a") as verdicts:
                    verdicts.write(json.dumps(line) + "\n")
                survived += line["verdict"] == "survived"
                if line["verdict"] not in ("uncompilable", "identical"):
                    progress.update(bar, advance=1, description=f"{survived} survived")

        for done in [pool.submit(work, job) for job in range(jobs)]:
            done.result()
    # a mutant that was tried again has its last verdict
    results = {line["id"]: line for line in map(json.loads, journal.read_text().splitlines())}
    report(console, contract, sorted(results.values(), key=lambda r: (r["file"], r["line"])), docs)


def worker(
    contract: str,
    folder: str,
    seed: int,
    sample: int,
    job: int,
    jobs: int,
    functions: tuple[str, ...],
    journal: Path,
) -> Iterator[dict[str, Any]]:
    """The lines that a worker in a copy of the tree reports."""
    tree = OUT / f"{contract}-{job}"
    for name in COPIED:
        source, target = ROOT / name, tree / name
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    reading, writing = os.pipe()
    share = sample // jobs + (job < sample % jobs)
    part = f"{job}/{jobs}"
    arguments = [contract, folder, seed, part, share, ",".join(functions), journal, writing]
    with tree.with_suffix(".log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "tests/mutation/worker.py", *map(str, arguments)],
            cwd=tree,
            env=os.environ | {"PYTHONPATH": str(tree)},
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[writing],
        )
    os.close(writing)
    try:
        with os.fdopen(reading) as lines:
            yield from map(json.loads, lines)
        if process.wait():
            raise click.ClickException(f"worker failed, see {log.name}")
    finally:
        process.kill()


def equivalents() -> set[tuple[str, ...]]:
    """Keys of the mutants that survivors.md explains."""
    rows = [re.split(r"(?<!\\)\|", line) for line in EQUIVALENT.read_text().splitlines()]
    return {
        tuple(cell.strip().strip("`").replace("\\|", "|") for cell in row[1:5])
        for row in rows
        if len(row) == 7
    }


def report(console: Console, contract: str, results: list[dict[str, Any]], docs: bool) -> None:
    known = equivalents()
    for result in results:
        key = tuple(result[name] for name in ("file", "function", "before", "after"))
        if result["verdict"] == "survived" and key in known:
            result["verdict"] = "equivalent"
    verdicts = Counter(result["verdict"] for result in results)
    killed = verdicts["killed"] + verdicts["timeout"]
    left = [r for r in results if r["verdict"] in ("survived", "crashed")]
    table = Table("line", "before", "after", title=f"{contract}: survivors")
    for result in left:
        table.add_row(
            f"{result['file']}:{result['line']}", repr(result["before"]), repr(result["after"])
        )
    if left:
        console.print(table)
    share = 100 * killed / max(1, killed + len(left))
    seconds = sum(r["seconds"] for r in results) / max(1, len(results))
    console.print(
        f"{contract}: {killed} of {killed + len(left)} killed ({share:.1f} %), "
        f"{verdicts['equivalent']} equivalent; {verdicts['uncompilable']} did not compile, "
        f"{verdicts['identical']} compiled to the same; {seconds:.1f} s each"
    )
    summary = {
        "contract": contract,
        "verdicts": verdicts,
        "seconds_each": round(seconds, 2),
        "survivors": left,
        "all": results,
    }
    (OUT / f"{contract}.json").write_text(json.dumps(summary, indent=2) + "\n")
    if docs:
        total = killed + len(left) + verdicts["equivalent"]
        write_row(
            contract,
            f"| {contract} | {total} | {killed} | {verdicts['equivalent']} "
            f"| {len(left)} | {share:.1f} % |\n",
        )


def write_row(contract: str, row: str) -> None:
    """Put a contract's row into the table of docs/benchmarks.md, in place of its last one."""
    text = DOCS.read_text()
    before, rest = text.split(MARKS[0])
    table, after = rest.split(MARKS[1], 1)
    rows = {line.split()[1]: line for line in table.splitlines(keepends=True)[2:]}
    rows[contract] = row
    table = HEADER + "".join(rows[name] for name in sorted(rows))
    DOCS.write_text(before + MARKS[0] + table + MARKS[1] + after)


if __name__ == "__main__":
    main()
