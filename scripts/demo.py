"""`make demo`: the whole life of a market on one machine, in under three minutes.

Stake, attest, job, usage, receipts, settlement, epoch, emission, claim, and two cheats that are
convicted and pay. Everything is real: an anvil chain, the deploy script, four oracle processes,
two agents, a customer, a watcher. Results go to summary.json in the demo's folder.
"""

import argparse
import json
import os
import shutil
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from oracle.errors import ClearworkError
from scripts._anvil import anvil, ticking
from scripts._demo.accounts import Line
from scripts._demo.processes import supervised
from scripts._demo.story import WORK, Story

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "demo"
# blocks are final after two more; the actors have keys 0 to 17
ANVIL_FLAGS = ("--slots-in-an-epoch", "1", "--accounts", "20")


def main() -> int:
    """Play the story; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the market running at the end")
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="where it keeps its files (emptied first)"
    )
    options = parser.parse_args()
    folder: Path = options.folder
    # a demo that is told to end takes its processes along
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    console = Console(soft_wrap=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    ape = [str(Path(sys.executable).parent / "ape")]
    try:
        with anvil(*ANVIL_FLAGS) as rpc, ticking(rpc):
            environment = {**os.environ, "APE_FOUNDRY_HOST": rpc, "OMP_NUM_THREADS": "1"}
            with supervised(folder / "logs", environment) as processes:
                story = Story(console, folder, processes, rpc, ape)
                try:
                    story.play()
                finally:
                    summary = json.dumps(asdict(story.summary), indent=2)
                    (folder / "summary.json").write_text(summary + "\n")
                console.print(_table(story.lines))
                for entry in (entry for line in story.lines for entry in line.entries):
                    console.print(
                        f"[dim]{entry.transaction}[/] {entry.actor}: "
                        f"{entry.amount / WORK:+.4f} WORK, {entry.reason}",
                        highlight=False,
                    )
                seconds = story.summary.duration_seconds
                console.print(f"[green]All of it held[/], in {seconds} s: {folder}/summary.json")
                if options.keep:
                    _keep(console, rpc, story)
    except ClearworkError as error:
        console.print(f"[bold red]The demo failed:[/] {error}\n{error.remedy}", highlight=False)
        return error.exit_code
    return 0


def _table(lines: list[Line]) -> Table:
    table = Table(title="Who had, earned, lost and holds what", caption="in WORK")
    table.add_column("who")
    for column in ("had", "earned", "lost", "holds"):
        table.add_column(column, justify="right")
    for line in lines:
        amounts = (line.had, line.earned, line.lost, line.holds)
        table.add_row(line.actor, *(f"{amount / WORK:,.4f}" for amount in amounts))
    return table


def _keep(console: Console, rpc: str, story: Story) -> None:
    console.print(f"The market stays up. Chain: {rpc}")
    for url in story.oracle_urls[:3]:
        console.print(f"Oracle: {url} (status page), {url}/docs (API)")
    console.print("Ctrl-C ends it.")
    try:
        story.wait()
    except KeyboardInterrupt:
        console.print("stopped")


if __name__ == "__main__":
    sys.exit(main())
