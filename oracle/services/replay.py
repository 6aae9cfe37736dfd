"""Replay reports: rebuild what the committee signed, from the chain, and compare.

Rewards, attestations and subnets follow from the chain alone, from the first report on. The jobs
that a report settles were agreed among the oracles, so they are taken from its leaf file; without
one, the root of usage stays unchecked.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from oracle.adapters.chain.client import Chain
from oracle.adapters.chain.history import History, Posted
from oracle.adapters.chain.market import Market
from oracle.adapters.chain.subnets import Subnets
from oracle.domain.epochs import close
from oracle.domain.hashing import keccak
from oracle.domain.leaves import EpochLeaves, decode
from oracle.domain.messages import EpochReport
from oracle.errors import BadInput, NotFound
from oracle.services.snapshot import Last, Snapshots

# the leaf file of a report, None where nobody has it
Fetch = Callable[[Posted], bytes | None]
# of EpochReport: what the chain alone decides, and what the receipts in the file do
ROOTS = ("reward_root", "attestation_root", "cumulative_rewards")
FROM_FILE = ("usage_root", "data_hash")


@dataclass(frozen=True, slots=True)
class Replayed:
    """One report. `wrong`: its fields that the chain does not bear out; `unchecked`: those that
    only its leaf file could show."""

    posted: Posted
    from_epoch: int
    wrong: tuple[str, ...]
    unchecked: tuple[str, ...]


class Replay:
    """Rebuilds reports one after the other."""

    def __init__(self, chain: Chain, fetch: Fetch) -> None:
        market = Market(chain)
        self._history = History(chain, market)
        self._snapshots = Snapshots(market, self._history, Subnets(chain))
        self._fetch = fetch

    def run(self, from_block: int = 0) -> Iterator[Replayed]:
        """All reports that were posted in or after a block and not disabled, the oldest first.

        The first continues the leaf file of the one before it, which has to be there. Raises
        `NotFound` where it is not, `BadInput` for a leaf file that is not the posted one.
        """
        before: Posted | None = None
        last: Last | None = None
        for posted in self._history.standing():
            if posted.block < from_block:
                before = posted
                continue
            if last is None and before is not None:
                last = Last(before, self._needed(before))
            report = self._history.report(posted.report_hash)
            leaves, unchecked = self._rebuild(posted, report, last)
            again = leaves.report(report.previous, report.rules_version)
            wrong = tuple(
                name
                for name in (*ROOTS, *(() if unchecked else FROM_FILE))
                if getattr(again, name) != getattr(report, name)
            )
            yield Replayed(posted, report.from_epoch, wrong, unchecked)
            last = Last(posted, leaves)

    def _rebuild(
        self, posted: Posted, report: EpochReport, last: Last | None
    ) -> tuple[EpochLeaves, tuple[str, ...]]:
        file = self._file(posted)
        said = [agreed.receipt for agreed in file.receipts] if file else []
        epoch, _ = self._snapshots.take(
            report.from_epoch, report.to_epoch, last, said, report.rules_version
        )
        return close(epoch), () if file else FROM_FILE

    def _needed(self, posted: Posted) -> EpochLeaves:
        found = self._file(posted)
        if found is None:
            raise NotFound(
                f"no leaf file of report {posted.report_hash.hex()}",
                "Name an oracle that has it, or replay from the first report on.",
            )
        return found

    def _file(self, posted: Posted) -> EpochLeaves | None:
        content = self._fetch(posted)
        if content is None:
            return None
        if keccak(content) != posted.data_hash:
            raise BadInput(
                f"the leaf file of report {posted.report_hash.hex()} is not the posted one",
                "Ask another oracle: any copy with the posted hash is right.",
            )
        return decode(content)
