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
from oracle.domain.receipts import COMPENSATED, MAX_RECEIPTS, AgreedReceipt, Receipt, latest, unpack

# gas of a batch whatever is in it, of each receipt and of each payee (docs/benchmarks.md)
BATCH_GAS = 62_500
RECEIPT_GAS = 5_980
PAYEE_GAS = 5_730
# gas of a claim against the root but for its receipts and its payee, in a tree of 200 000 leaves
CLAIM_GAS = 47_800
# gas of letting an epoch's root be claimed against, once for everybody (docs/benchmarks.md)
ADOPT_GAS = 40_500
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


@dataclass(frozen=True, slots=True)
class Due:
    """What a round has to settle."""

    receipts: int
    # leaves of payees, each with its claim: one for every 512 receipts of a payee
    claims: int
    # payees' incomes that grow, one for each token. A token that is traded in several subnets has
    # several, which a job does not show: they count as one
    accounts: int
    # wei at stake: usage that is not paid, and the rest of the deposit of jobs that end
    value: int
    # whether a customer is to be compensated
    compensates: bool


def weigh(receipts: Sequence[Receipt], jobs: Mapping[int, Job], wei_per_gpu_hour: int) -> Due:
    """What receipts of `jobs` come to."""
    by_payee = Counter(jobs[receipt.job].provider for receipt in receipts)
    return Due(
        receipts=len(receipts),
        claims=sum(-(-count // MAX_RECEIPTS) for count in by_payee.values()),
        accounts=len({(job.provider, job.asset) for job in (jobs[r.job] for r in receipts)}),
        value=sum(_at_stake(r, jobs[r.job]) for r in receipts)
        * wei_per_gpu_hour
        // SECONDS_PER_HOUR,
        compensates=any(
            r.status in COMPENSATED and jobs[r.job].is_ended_by(r.status) and jobs[r.job].sla
            for r in receipts
        ),
    )


def _at_stake(receipt: Receipt, job: Job) -> int:
    """GPU-seconds that wait for a receipt to be paid or, with the deposit, paid back."""
    if job.is_ended_by(receipt.status):
        return max(0, job.covered - job.settled)
    return max(0, min(receipt.cumulative_gpu_seconds, job.covered) - job.settled)


def ends_first(receipts: Iterable[Receipt], jobs: Mapping[int, Job]) -> list[Receipt]:
    """Receipts in order, but those that end a job before all others.

    What does not fit a batch waits for another round, and an end frees deposit and collateral.
    """
    return sorted(receipts, key=lambda r: (not jobs[r.job].is_ended_by(r.status), r))


def cheapest(due: Due, base_fee: int, seconds_left: int, interval: int) -> Choice:
    """The cheaper way for what is `due`.

    `base_fee`: wei per gas. `seconds_left` of the epoch's chain time: jobs that go on come again
    every `interval` seconds until then, each time in another batch, while the root settles the
    last word only. A compensation never waits: it is paid in the staked token, which has no
    price here, and out of stake that shrinks with every slash.

    There is no third way. A voucher needs the signature of a customer that has stopped signing. A
    job's own leaf costs what its payee's leaf with one job costs, so it saves a payee nothing.
    """
    if due.compensates:
        return Choice(Settlement.BATCH, "a customer is to be compensated")
    rounds = 1 + seconds_left // interval
    shared = RECEIPT_GAS * due.receipts + PAYEE_GAS * due.accounts
    batch_gas = BATCH_GAS * -(-due.receipts // MAX_RECEIPTS) + shared
    root_gas = ADOPT_GAS + CLAIM_GAS * due.claims + shared
    saved = base_fee * (rounds * batch_gas - root_gas)
    costs = f"{rounds} x {batch_gas:,} gas in batches, {root_gas:,} by the root"
    if saved <= 0:
        return Choice(Settlement.BATCH, f"{costs}: batches are cheaper")
    if saved * BPS < due.value * WAITING_BPS:
        return Choice(
            Settlement.BATCH,
            f"{costs}: {saved:,} wei are less than {WAITING_BPS} bps of {due.value:,} at stake",
        )
    return Choice(Settlement.ROOT, f"{costs}: the root saves {saved:,} wei")


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
