"""Submit: change the chain exactly as wanted, however often this process dies on the way.

A submission is a name, a call and a goal: what the contracts must say for it to be done. The
signed transaction is stored before it is broadcast, and only the goal, read from the chain,
ends a submission, never "our transaction was mined": whoever reaches it first saves the others
the gas.

    queued -> sent -> mined -> final          (and `refused`, when a preflight reverts)
       ^       |        |
       +-------+--------+  nonce taken by another transaction, block reorganised
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from oracle.adapters.chain.client import Block
from oracle.adapters.chain.market import Market
from oracle.adapters.chain.sender import Sender
from oracle.adapters.store.store import Store
from oracle.domain.market import DeviceEntry
from oracle.domain.receipts import Receipt
from oracle.domain.records import Attempt, Submission, SubmissionState
from oracle.errors import ClearworkError, Conflict, Transient
from oracle.faults import reach

log = structlog.get_logger()

# transactions waiting to be mined at a time
MAX_IN_FLIGHT = 16
# seconds of this machine's clock before a transaction is replaced by a dearer one
PATIENCE = 60
# a node takes a replacement only if both fees are at least 10 % above; with a margin, in bps
BUMP_BPS = 11_250
BPS = 10_000


@dataclass(frozen=True, slots=True)
class Goal:
    """What the chain must say. Kept as JSON, so that a restarted process can still ask."""

    kind: str
    facts: Mapping[str, Any]

    @classmethod
    def beacon(cls, epoch: int) -> "Goal":
        """The epoch has its beacon."""
        return cls("beacon", {"epoch": epoch})

    @classmethod
    def batch(cls, receipts: Iterable[Receipt]) -> "Goal":
        """No receipt of the batch would change its job any more."""
        jobs = [[r.job, r.cumulative_gpu_seconds, int(r.status)] for r in receipts]
        return cls("batch", {"jobs": jobs})

    @classmethod
    def blamed(cls, job: int) -> "Goal":
        """The committee's word on who failed a cluster's job is known."""
        return cls("blamed", {"job": job})

    @classmethod
    def device(cls, device: bytes, epoch: int) -> "Goal":
        """The registry's entry of a device is of this epoch or newer."""
        return cls("device", {"device": device.hex(), "epoch": epoch})

    @classmethod
    def expired(cls, device: bytes, attested_until: int) -> "Goal":
        """The attestation of a device that ran out then does not count any more."""
        return cls("expired", {"device": device.hex(), "until": attested_until})

    @classmethod
    def pressed(cls, epoch: int) -> "Goal":
        """The epoch has its budget."""
        return cls("pressed", {"epoch": epoch})

    @classmethod
    def epoch(cls, to_epoch: int) -> "Goal":
        """A report covers the epoch."""
        return cls("epoch", {"to": to_epoch})

    @classmethod
    def reclaimed(cls, epoch: int) -> "Goal":
        """Nothing that the active report left over is still with the distributor."""
        return cls("reclaimed", {"epoch": epoch})

    @classmethod
    def device_time(cls, epoch: int) -> "Goal":
        """The supply policy has the figures of an epoch."""
        return cls("device time", {"epoch": epoch})

    @classmethod
    def outcome(cls, subnet: int, epoch: int) -> "Goal":
        """The registry knows a subnet's outcome of the epoch, or of a newer one."""
        return cls("outcome", {"subnet": subnet, "epoch": epoch})

    def json(self) -> dict[str, Any]:
        """What is stored."""
        return {"kind": self.kind, **self.facts}

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> "Goal":
        """Read what `json` wrote."""
        return cls(stored["kind"], {k: v for k, v in stored.items() if k != "kind"})

    def is_met(self, market: Market, block: Block | None = None) -> bool:
        """Whether the chain says so, at the head or at `block`."""
        read = market.chain.read
        facts = self.facts
        match self.kind:
            case "beacon":
                return any(read("EpochLedger", "beacon", facts["epoch"], block=block))
            case "batch":
                return not any(
                    market.job_at(job, block).advances(seconds, status)
                    for job, seconds, status in facts["jobs"]
                )
            case "blamed":
                return market.is_blamed(facts["job"], block)
            case "device":
                device = bytes.fromhex(facts["device"])
                entry: DeviceEntry | None = market.device_at(device, block)
                epoch = read("DeviceRegistry", "attestation_epoch", device, block=block)
                return entry is not None and bool(epoch >= facts["epoch"])
            case "expired":
                left = market.device_at(bytes.fromhex(facts["device"]), block)
                return left is None or left.attested_until > facts["until"]
            case "pressed":
                return bool(read("EmissionsController", "next_epoch", block=block) > facts["epoch"])
            case "epoch":
                last, exists = read("EpochLedger", "last_epoch", block=block)
                return bool(exists and last >= facts["to"])
            case "reclaimed":
                return market.reclaimable(block) == 0
            case "device time":
                return market.has_device_time(facts["epoch"], block)
            case "outcome":
                return market.has_outcome(facts["subnet"], facts["epoch"], block)
        raise ValueError(f"unknown goal {self.kind}")


class Outbox:
    """The durable way to the chain. One thread drives it."""

    def __init__(self, store: Store, market: Market, sender: Sender | None) -> None:
        self._store = store
        self._market = market
        self._sender = sender

    def want(
        self, name: str, contract: str, function: str, arguments: Sequence[Any], goal: Goal
    ) -> None:
        """Ask for a call; durable when this returns. Asking twice for one name is asking once."""
        calldata = self._market.chain.calldata(contract, function, arguments)
        self._store.save_submission(name, contract, calldata, goal.json())

    def has_tried(self, name: str) -> bool:
        """Whether a submission of this name was ever wanted, whatever came of it."""
        return self._store.submission_state(name) is not None

    def is_busy(self, prefix: str) -> bool:
        """Whether a submission whose name starts so has not reached its goal yet."""
        open_states = (SubmissionState.QUEUED, SubmissionState.SENT)
        return any(
            submission.name.startswith(prefix) and submission.state in open_states
            for submission in self._store.open_submissions()
        )

    def tick(self) -> None:
        """Move every open submission one step, if the chain allows it."""
        if self._sender is None:
            return
        submissions = self._store.open_submissions()
        in_flight = sum(s.state is SubmissionState.SENT for s in submissions)
        for submission in submissions:
            match submission.state:
                case SubmissionState.QUEUED if in_flight < MAX_IN_FLIGHT:
                    in_flight += self._send(self._sender, submission)
                case SubmissionState.SENT:
                    self._watch(self._sender, submission)
                case SubmissionState.MINED:
                    self._finalise(submission)

    def _send(self, sender: Sender, submission: Submission) -> bool:
        """Preflight, sign, store, broadcast; whether a transaction is on its way."""
        if Goal.load(submission.goal).is_met(self._market):
            self._store.move_submission(submission.id, SubmissionState.MINED, "by another")
            return False
        try:
            gas = sender.estimate(submission.contract, submission.calldata)
        except Conflict as error:
            log.warning("submission refused", name=submission.name, reason=str(error))
            self._store.move_submission(submission.id, SubmissionState.REFUSED, str(error))
            return False
        fees = sender.fees()
        attempt = sender.sign(
            submission.contract, submission.calldata, self._next_nonce(sender), gas, fees
        )
        self._store.save_attempt(submission.id, attempt)
        reach("stored-not-sent")
        self._broadcast(sender, submission.name, attempt)
        return True

    def _next_nonce(self, sender: Sender) -> int:
        """The first nonce that neither the chain nor a stored transaction has taken."""
        taken = [s.nonce for s in self._store.open_submissions() if s.nonce is not None]
        return max([sender.nonce(), *(nonce + 1 for nonce in taken)])

    def _broadcast(self, sender: Sender, name: str, attempt: Attempt) -> None:
        try:
            sender.broadcast(attempt.raw)
            log.info("transaction sent", name=name, hash=attempt.hash.hex(), nonce=attempt.nonce)
        except Transient as error:
            # known already, nonce used, endpoint gone: the chain will tell
            log.info("broadcast unclear", name=name, hash=attempt.hash.hex(), reason=str(error))

    def _watch(self, sender: Sender, submission: Submission) -> None:
        """Look what became of a stored transaction; the chain's state decides."""
        attempts = self._store.attempts(submission)
        receipts = [found for found in map(sender.receipt, (a.hash for a in attempts)) if found]
        head = self._market.chain.head()
        if Goal.load(submission.goal).is_met(self._market, head):
            if receipts or sender.nonce() > attempts[-1].nonce:
                self._store.move_submission(submission.id, SubmissionState.MINED)
                log.info("goal reached", name=submission.name)
                return
        elif receipts and receipts[-1].block > head.number:
            # an endpoint that lags behind the one that knew the receipt
            return
        elif receipts:
            # mined without effect, or reverted: somebody else moved the state in between
            reason = "mined without effect" if receipts[-1].succeeded else "reverted"
            log.warning("submission refused", name=submission.name, reason=reason)
            self._store.move_submission(submission.id, SubmissionState.REFUSED, reason)
            return
        elif sender.nonce() > attempts[-1].nonce:
            # another transaction of this key took the nonce and ours is gone
            self._store.move_submission(submission.id, SubmissionState.QUEUED)
            return
        self._insist(sender, submission, attempts[-1])

    def _insist(self, sender: Sender, submission: Submission, last: Attempt) -> None:
        """Broadcast again; after some patience at the same nonce with higher fees."""
        if time.time() - last.sent_at < PATIENCE:
            self._broadcast(sender, submission.name, last)
            return
        fees = sender.dearer(last, BUMP_BPS, BPS)
        if fees is None:
            log.error("fee cap reached, waiting", name=submission.name, hash=last.hash.hex())
            return
        attempt = sender.resign(last, fees)
        self._store.save_attempt(submission.id, attempt)
        self._broadcast(sender, submission.name, attempt)

    def _finalise(self, submission: Submission) -> None:
        """Done when a final block says so; back to work when a reorganisation took it away."""
        goal = Goal.load(submission.goal)
        try:
            final = goal.is_met(self._market, self._market.chain.finalized())
        except ClearworkError:
            # a young chain has nothing final, or the node no longer has that state
            final = False
        if final:
            self._store.move_submission(submission.id, SubmissionState.FINAL)
        elif not goal.is_met(self._market):
            attempts = self._store.attempts(submission)
            state = SubmissionState.SENT if attempts else SubmissionState.QUEUED
            log.warning("goal lost in a reorganisation", name=submission.name)
            self._store.move_submission(submission.id, state)
