"""What the chain's past says: blocks by time, logs, state at one block. For rebuilding epochs."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from oracle.adapters.chain.client import Block, Chain
from oracle.adapters.chain.market import Market
from oracle.domain.device_time import Entry
from oracle.domain.epochs import LiveDevice
from oracle.domain.execution import Case, Ending
from oracle.domain.market import Job
from oracle.domain.messages import EpochReport
from oracle.domain.receipts import JobStatus
from oracle.domain.summary import CUTS, Granted, minted_by_epoch
from oracle.errors import NotFound, Transient


@dataclass(frozen=True, slots=True)
class Posted:
    """A report that was posted to the ledger."""

    to_epoch: int
    report_hash: bytes
    reward_root: bytes
    data_hash: bytes
    transaction: bytes
    block: int


class History:
    """Reads the past; two oracles asking for the same block get the same answer."""

    def __init__(self, chain: Chain, market: Market) -> None:
        self._chain = chain
        self._market = market

    def last_block_before(self, timestamp: int) -> Block:
        """The last block before a chain time; raises `Transient` until a final block is past it."""
        final = self._chain.finalized()
        if final.timestamp < timestamp:
            raise Transient(
                f"no final block past chain time {timestamp} yet",
                "Wait for the chain to finalise it.",
            )
        return self._chain.last_block_before(timestamp, final)

    def granted(self, from_epoch: int, to_epoch: int) -> Granted:
        """What the controller made of these epochs.

        Raises `Transient` where one of them has not been pressed.
        """
        first = self._first_block_of(from_epoch)
        epochs = range(from_epoch, to_epoch + 1)
        logs = list(self._chain.logs("EmissionsController", "BudgetSplit", first))
        splits = {log["args"]["epoch"]: log["args"] for log in logs}
        missing = [epoch for epoch in epochs if epoch not in splits]
        if missing:
            raise Transient(f"epoch {missing[0]} has no budget yet", "Wait until it is pressed.")
        shares: Counter[int] = Counter()
        for epoch in epochs:
            shares.update(dict(enumerate(splits[epoch]["shares"])))
        cut: Counter[int] = Counter()
        for log in self._chain.logs("EmissionsController", "Reclaimed", first):
            if log["args"]["to_epoch"] in epochs and log["args"]["reason"] in CUTS:
                cut[log["args"]["reason"]] += log["args"]["amount"]
        return Granted(
            scheduled=sum(splits[epoch]["scheduled"] for epoch in epochs),
            released=sum(splits[epoch]["released"] for epoch in epochs),
            shares=dict(shares),
            cut=dict(cut),
            minted=sum(self._minted(logs, first)[epoch] for epoch in epochs),
            burnt=sum(self._chain.read("ComputeCredits", "burnt_in", epoch) for epoch in epochs),
        )

    def _minted(self, splits: Iterable[Any], first: int) -> dict[int, int]:
        """Base units minted by epoch, of logs of budgets in or after a block."""
        minted: Counter[bytes] = Counter()
        for log in self._chain.logs("WorkToken", "Minted", first):
            minted[bytes(log["transactionHash"])] += log["args"]["amount"]
        pressed: dict[bytes, dict[int, int]] = {}
        for log in splits:
            budgets = pressed.setdefault(bytes(log["transactionHash"]), {})
            budgets[log["args"]["epoch"]] = sum(log["args"]["shares"])
        found: dict[int, int] = {}
        for transaction, budgets in pressed.items():
            found |= minted_by_epoch(budgets, minted[transaction])
        return found

    def _first_block_of(self, epoch: int) -> int:
        """Where to begin to look for what happened in an epoch or after it."""
        return self.last_block_before(self._market.start_of(epoch)).number

    def live_devices(self, block: Block, until: int) -> list[LiveDevice]:
        """Devices whose attestation at `block` lasts at least until chain time `until`."""
        period = int(self._chain.read("DeviceRegistry", "ATTESTATION_PERIOD"))
        # what was attested longer ago has run out
        first = self._chain.last_block_before(until - period, block).number
        logs = self._chain.logs("DeviceRegistry", "DeviceAttested", first, block.number)
        devices = sorted({bytes(log["args"]["device"]) for log in logs})
        entries = [
            (device, entry)
            for device, entry in zip(devices, self._market.devices_at(devices, block), strict=True)
            if entry is not None and entry.attested_until >= until
        ]
        jailed = self.jailed({entry.provider for _, entry in entries}, block)
        return [
            LiveDevice(device, entry.provider, entry.ops_per_second, entry.provider in jailed)
            for device, entry in entries
        ]

    def entries(self, start: int, block: Block) -> list[Entry]:
        """Every change of a device's entry up to `block` that matters from chain time `start` on.

        In order; an entry that was made longer ago than an attestation lasts has run out.
        """
        period = int(self._chain.read("DeviceRegistry", "ATTESTATION_PERIOD"))
        first = self.last_block_before(start - period).number
        changes = []
        for log in self._chain.logs("DeviceRegistry", "DeviceAttested", first, block.number):
            args = log["args"]
            until = args["attested_until"]
            entry = Entry(
                bytes(args["device"]), args["provider"], args["device_class"], until - period, until
            )
            changes.append((log["blockNumber"], log["logIndex"], entry))
        for log in self._chain.logs("DeviceRegistry", "DeviceRevoked", first, block.number):
            args, number = log["args"], log["blockNumber"]
            struck = self._chain.block(number).timestamp
            entry = Entry(bytes(args["device"]), args["provider"], 0, struck, struck)
            changes.append((number, log["logIndex"], entry))
        return [entry for _, _, entry in sorted(changes, key=lambda change: change[:2])]

    def jailed(self, providers: Iterable[int], block: Block) -> set[int]:
        """Those of the providers that are jailed at a block."""
        asked = sorted(providers)
        calls = [("ProviderStaking", "is_jailed", provider) for provider in asked]
        answers = self._chain.read_all(calls, block)
        return {provider for provider, is_jailed in zip(asked, answers, strict=True) if is_jailed}

    def credits_earned(self, from_epoch: int, to_epoch: int, block: Block) -> dict[int, int]:
        """Base units of credits that were destroyed for each payee in these epochs."""
        earned: Counter[int] = Counter()
        first = self._first_block_of(from_epoch)
        for log in self._chain.logs("ComputeCredits", "CreditsSpent", first, block.number):
            if from_epoch <= log["args"]["epoch"] <= to_epoch:
                earned[log["args"]["payee"]] += log["args"]["amount"]
        return dict(earned)

    def signatures(self, after: Block, until: Block) -> dict[str, int]:
        """Reports signed per committee member in the blocks behind `after` up to `until`.

        A batch may be sent again by anyone, so each report counts once.
        """
        first, last = after.number + 1, until.number
        reports: dict[tuple[object, ...], tuple[int, int]] = {}
        logs = self._chain.logs
        for log in logs("JobEscrow", "BatchSettled", first, last):
            args = log["args"]
            reports.setdefault(
                ("batch", args["epoch"], args["index"], bytes(args["receipts"])),
                (log["blockNumber"], args["signers"]),
            )
        for log in logs("DeviceRegistry", "DeviceAttested", first, last):
            args = log["args"]
            reports.setdefault(
                ("device", bytes(args["device"]), args["epoch"]),
                (log["blockNumber"], args["signers"]),
            )
        for log in logs("EpochLedger", "EpochPosted", first, last):
            args = log["args"]
            reports.setdefault(
                ("epoch", bytes(args["report_hash"])), (log["blockNumber"], args["signers"])
            )
        configured = [
            (log["blockNumber"], list(log["args"]["members"]))
            for log in logs("OracleCommittee", "CommitteeConfigured", last=last)
        ]
        counted: Counter[str] = Counter()
        for block, signers in reports.values():
            members = [m for number, m in configured if number <= block][-1]
            counted.update(m for seat, m in enumerate(members) if signers >> seat & 1)
        return dict(counted)

    def posted(self, report_hash: bytes) -> Posted:
        """A posted report by its hash; raises `NotFound` where it was never posted."""
        for log in self._chain.logs("EpochLedger", "EpochPosted", report_hash=report_hash):
            return _posted(log)
        raise NotFound(
            f"report {report_hash.hex()} was never posted", "Look at the ledger's EpochPosted logs."
        )

    def report(self, report_hash: bytes) -> EpochReport:
        """What a posted report says, read from the transaction that posted it.

        Raises `NotFound` where another contract posted it.
        """
        sent = self._chain.transaction(self.posted(report_hash).transaction)
        try:
            _, arguments = self._chain.contract("EpochLedger").decode_function_input(sent["input"])
            report = EpochReport(**arguments["report"])
        except (ValueError, KeyError, TypeError):
            report = None
        if report is None or report.struct_hash() != report_hash:
            raise NotFound(
                f"report {report_hash.hex()} is not in the transaction that posted it",
                "Ask whoever posted it through another contract.",
            )
        return report

    def standing(self) -> Iterator[Posted]:
        """All reports that were not disabled, the oldest first; they follow each other."""
        disabled = {
            bytes(log["args"]["report_hash"])
            for log in self._chain.logs("EpochLedger", "EpochDisabled")
        }
        for log in self._chain.logs("EpochLedger", "EpochPosted"):
            found = _posted(log)
            if found.report_hash not in disabled:
                yield found

    def covering(self, epoch: int) -> Posted:
        """The standing report that covers an epoch; raises `NotFound` for none."""
        for found in self.standing():
            if found.to_epoch >= epoch:
                return found
        raise NotFound(
            f"no report covers epoch {epoch} yet", "Wait until the epoch is over and reported."
        )

    def active(self) -> Posted | None:
        """The report whose rewards can be claimed now, None while there is none."""
        epoch, exists = self._chain.read("EpochLedger", "active_epoch")
        if not exists:
            return None
        root, _ = self._chain.read("EpochLedger", "active_rewards")
        found = None
        for log in self._chain.logs("EpochLedger", "EpochPosted", to_epoch=epoch):
            if bytes(log["args"]["reward_root"]) == bytes(root):
                found = _posted(log)
        return found

    def failures(self, first: int, last: int) -> Iterator[Ending]:
        """Jobs that failed for good in blocks `first` to `last`, both included: those closed
        other than completed or ended by their customer, and those nobody accepted."""
        for log in self._chain.logs("JobRegistry", "JobClosed", first, last):
            status = JobStatus(log["args"]["status"])
            if status not in (JobStatus.COMPLETED, JobStatus.CUSTOMER_CANCELLED):
                yield self._ending(log, status)
        for log in self._chain.logs("JobRegistry", "JobCancelled", first, last):
            yield self._ending(log, JobStatus.CANCELLED)

    def status_at_close(self, job: Job) -> JobStatus | None:
        """What a closed job ended with, None while it is not closed."""
        first = self.last_block_before(job.accepted_at).number
        for log in self._chain.logs("JobRegistry", "JobClosed", first, job=job.job):
            return JobStatus(log["args"]["status"])
        return None

    def _ending(self, log: Any, status: JobStatus) -> Ending:
        number, block = log["args"]["job"], log["blockNumber"]
        info = self._chain.read("JobRegistry", "job_info", number)
        transaction = bytes(log["transactionHash"])
        case = None
        devices: tuple[bytes, ...] = ()
        if status is JobStatus.PROVIDER_FAULT:
            case = self._case(number, transaction, block)
        if case is not None:
            struck = self._chain.logs(
                "DeviceRegistry", "DeviceRevoked", block, block, provider=info.provider
            )
            devices = tuple(
                sorted({bytes(one["args"]["device"]) for one in struck if _is_in(one, transaction)})
            )
        return Ending(
            job=number,
            provider=info.provider,
            status=status,
            gpu_seconds=info.settled,
            ended_at=self._chain.block(block).timestamp,
            transaction=transaction,
            case=case,
            devices=devices,
        )

    def _case(self, job: int, transaction: bytes, block: int) -> Case | None:
        """The conviction by which a transaction ended a job, at once or on its customer's call."""
        for log in self._chain.logs("SlashingCourt", "Convicted", block, block):
            if _is_in(log, transaction) and log["args"]["job"] == job:
                return Case(bytes(log["args"]["case_id"]), log["args"]["kind"])
        for log in self._chain.logs("SlashingCourt", "Compensated", block, block, job=job):
            case_id = bytes(log["args"]["case_id"])
            for first in self._chain.logs("SlashingCourt", "Convicted", case_id=case_id):
                return Case(case_id, first["args"]["kind"])
        return None

    def sender_of(self, transaction: bytes) -> str:
        """The account that sent a transaction."""
        return str(self._chain.transaction(transaction)["from"])


def _is_in(log: Any, transaction: bytes) -> bool:
    return bytes(log["transactionHash"]) == transaction


def _posted(log: Any) -> Posted:
    args = log["args"]
    return Posted(
        to_epoch=args["to_epoch"],
        report_hash=bytes(args["report_hash"]),
        reward_root=bytes(args["reward_root"]),
        data_hash=bytes(args["data_hash"]),
        transaction=bytes(log["transactionHash"]),
        block=log["blockNumber"],
    )
