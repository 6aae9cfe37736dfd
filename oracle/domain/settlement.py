"""Which way agreed receipts take to the chain: in a batch of their own, or in the epoch's root.

Either way a quorum has signed the same bytes and the escrow applies them by the same rules, so
oracles need not agree on the choice. A batch is paid for by whoever sends it and counts at once;
the root costs nothing more than the report it is part of, and each payee claims all that came
together in an epoch in one transaction, once the report is active.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from oracle.domain.market import SECONDS_PER_HOUR, Job
from oracle.domain.proposals import SignedBatch
from oracle.domain.receipts import AgreedReceipt, Receipt, latest, unpack

# gas of a batch whatever is in it, of each receipt and of each payee (docs/benchmarks.md)
BATCH_GAS = 62_500
RECEIPT_GAS = 5_980
PAYEE_GAS = 5_730
# gas of a claim against the root but for its receipts and its payee, in a tree of 200 000 leaves
CLAIM_GAS = 47_800
# bps of the value at stake that waiting for the root has to save: less is not worth the wait
WAITING_BPS = 100
BPS = 10_000


class Settlement(StrEnum):
    """How an oracle that leads a round settles; the oracles may differ."""

    BATCH = "batch"
    ROOT = "root"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Choice:
    """The way taken, `BATCH` or `ROOT`, and why."""

    way: Settlement
    reason: str


def cheapest(
    receipts: int, payees: int, base_fee: int, value: int, seconds_left: int, interval: int
) -> Choice:
    """The cheaper way for the `receipts` of a round that pay `payees`.

    `base_fee`: wei per gas. `value`: wei that the receipts are worth. `seconds_left` of the
    epoch's chain time: jobs that go on come again every `interval` seconds until then, each
    time in another batch, while the root settles the last word only.
    """
    batches = 1 + seconds_left // interval
    batch_gas = BATCH_GAS + RECEIPT_GAS * receipts + PAYEE_GAS * payees
    root_gas = (CLAIM_GAS + PAYEE_GAS) * payees + RECEIPT_GAS * receipts
    saved = base_fee * (batches * batch_gas - root_gas)
    costs = f"{batches} x {batch_gas:,} gas in batches, {root_gas:,} by the root"
    if saved <= 0:
        return Choice(Settlement.BATCH, f"{costs}: batches are cheaper")
    if saved * BPS < value * WAITING_BPS:
        return Choice(
            Settlement.BATCH,
            f"{costs}: {saved:,} wei are less than {WAITING_BPS} bps of {value:,} at stake",
        )
    return Choice(Settlement.ROOT, f"{costs}: the root saves {saved:,} wei")


def worth(receipts: Iterable[Receipt], jobs: Mapping[int, Job], wei_per_gpu_hour: int) -> int:
    """Wei that receipts are worth beyond what the chain has settled."""
    seconds = sum(
        max(0, receipt.cumulative_gpu_seconds - jobs[receipt.job].settled) for receipt in receipts
    )
    return seconds * wei_per_gpu_hour // SECONDS_PER_HOUR


def carried(
    batches: Iterable[SignedBatch], said: Iterable[Receipt], limit: int
) -> tuple[SignedBatch, ...]:
    """The batches that say more than `said` and each other, the newest first, at most `limit`."""
    known = latest(said)
    chosen: list[SignedBatch] = []
    for batch in sorted(batches, key=lambda b: (b.epoch, b.index), reverse=True):
        news = {
            receipt.job: receipt
            for receipt in unpack(batch.receipts)
            if receipt.job not in known or receipt > known[receipt.job]
        }
        if news and len(chosen) < limit:
            chosen.append(batch)
            known.update(news)
    return tuple(chosen)


def settled_by_provider(jobs: Iterable[Job]) -> dict[int, int]:
    """Cumulative GPU-seconds that the chain has settled, by provider."""
    usage: Counter[int] = Counter()
    for job in jobs:
        if job.settled:
            usage[job.provider] += job.settled
    return dict(usage)


def receipts_in(batches: Iterable[SignedBatch]) -> list[Receipt]:
    """All receipts of some batches."""
    return [receipt for batch in batches for receipt in unpack(batch.receipts)]


def outstanding(said: Iterable[Receipt], jobs: Mapping[int, Job]) -> Sequence[AgreedReceipt]:
    """The latest receipt of each of the `jobs`, with its payee, that the escrow would apply."""
    return [
        AgreedReceipt(receipt, jobs[job].provider)
        for job, receipt in latest(said).items()
        if job in jobs and jobs[job].advances(receipt.cumulative_gpu_seconds, receipt.status)
    ]
