"""Rounds: who does what, when. The leader rotates; a silent one is replaced after a delay.

Time is chain time. Every step is safe to take by two oracles at once or twice by one: what a
step wants is a state of the chain, and whoever comes late finds it reached.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from oracle.adapters.chain.market import Market
from oracle.adapters.store.store import Store
from oracle.domain.market import Head
from oracle.errors import ClearworkError, Fatal
from oracle.services.attest import Attest
from oracle.services.close_epoch import CloseEpoch
from oracle.services.device_time import DeviceTimes
from oracle.services.execution import Execution
from oracle.services.membership import Member
from oracle.services.record import Record
from oracle.services.settle import Settle
from oracle.services.submit import Goal, Outbox

log = structlog.get_logger()

# tasks whose first sight is remembered
MAX_PENDING = 10_000


@dataclass(frozen=True, slots=True)
class RoundRules:
    """Seconds of chain time, but `poll`, which is this machine's."""

    # between two looks at the chain
    poll: float
    # from one settlement round to the next
    interval: int
    # before the next member in turn takes over from a silent one
    leader_delay: int


@dataclass
class Causes:
    """What is wrong right now, by task: the reasons that /health gives."""

    _by_task: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def set(self, task: str, cause: str | None) -> None:
        """Name the cause of a task's failure, or None when it went well."""
        with self._lock:
            if cause is None:
                self._by_task.pop(task, None)
            else:
                self._by_task[task] = cause

    def all(self) -> list[str]:
        """All causes, one line each."""
        with self._lock:
            return [f"{task}: {cause}" for task, cause in sorted(self._by_task.items())]


class Rounds:
    """The background work of one oracle: two loops that end when `stop` is set.

    `watch` only looks, so that nothing delays the attestation clock; `work` does the rest.
    """

    def __init__(
        self,
        store: Store,
        market: Market,
        member: Member,
        outbox: Outbox,
        attest: Attest,
        record: Record,
        settle: Settle,
        close_epoch: CloseEpoch,
        device_times: DeviceTimes,
        execution: Execution,
        rules: RoundRules,
    ) -> None:
        self._store = store
        self._market = market
        self._member = member
        self._outbox = outbox
        self._attest = attest
        self._record = record
        self._settle = settle
        self._close_epoch = close_epoch
        self._device_times = device_times
        self._execution = execution
        self._rules = rules
        self._first_seen: dict[tuple[object, ...], int] = {}
        self._settled_round = -1
        self.causes = Causes()

    # --- the loops ----------------------------------------------------------------------------

    def watch(self, stop: threading.Event) -> None:
        """Follow the chain and start the clock of every beacon."""
        while not stop.is_set():
            self._guard("chain", self._look)
            stop.wait(self._rules.poll)

    def work(self, stop: threading.Event) -> None:
        """Move transactions on and lead where it is our turn."""
        while not stop.is_set():
            self.tick()
            stop.wait(self._rules.poll)

    def _look(self) -> None:
        self._market.follow()
        self._attest.see_beacon()

    def tick(self) -> None:
        """One turn of the work loop."""
        head = self._market.head
        self._guard("submit", self._outbox.tick)
        if not self._guard("membership", self._check_membership):
            return
        self._guard("beacon", lambda: self._beacon(head))
        self._guard("devices", lambda: self._devices(head))
        self._guard("lapsed devices", lambda: self._lapsed(head))
        self._guard("usage", lambda: self._usage(head))
        self._guard("device time", lambda: self._device_time(head))
        self._guard("epochs", lambda: self._epochs(head))
        self._guard("receipts", self._execution.tick)
        self._guard("submit", self._outbox.tick)

    def _guard(self, task: str, step: Callable[[], object]) -> bool:
        """Run a step; a failure is logged, shown by /health, and tried again next time."""
        try:
            step()
        except Fatal:
            raise
        except ClearworkError as error:
            log.warning("step failed", task=task, reason=str(error), remedy=error.remedy)
            self.causes.set(task, f"{error} {error.remedy}")
            return False
        except Exception as error:
            log.exception("step failed unexpectedly", task=task)
            self.causes.set(task, f"unexpected {error!r}; see the log")
            return False
        self.causes.set(task, None)
        return True

    # --- turns --------------------------------------------------------------------------------

    def _check_membership(self) -> None:
        self._member.identity()

    def _is_our_turn(self, head: Head, number: int, task: tuple[object, ...]) -> bool:
        """Whether we lead `task`: members take turns by `number`, each after another delay.

        The delay runs from the moment this oracle first found the task undone.
        """
        since = self._first_seen.setdefault(task, head.timestamp)
        while len(self._first_seen) > MAX_PENDING:
            self._first_seen.pop(next(iter(self._first_seen)))
        return head.timestamp >= since + self._rank(number) * self._rules.leader_delay

    def _rank(self, number: int) -> int:
        members = self._market.committee().members
        own = members.index(self._member.identity())
        return (own - number) % len(members)

    # --- the work -----------------------------------------------------------------------------

    def _beacon(self, head: Head) -> None:
        if self._market.beacon(head.epoch) is not None:
            return
        if self._is_our_turn(head, head.epoch, ("beacon", head.epoch)):
            self._outbox.want(
                f"beacon/{head.epoch}",
                "EpochLedger",
                "record_beacon",
                [],
                Goal.beacon(head.epoch),
            )

    def _devices(self, head: Head) -> None:
        # a commit at the very end of an epoch is recorded in the next
        failure: ClearworkError | None = None
        for epoch in range(max(0, head.epoch - 1), head.epoch + 1):
            for device, ops_per_second in self._store.accepted(epoch).items():
                try:
                    if self._is_wanted(device, epoch, ops_per_second):
                        self._device(head, device, epoch)
                except Fatal:
                    raise
                except ClearworkError as error:
                    # one device never holds up the others
                    failure = error
        if failure is not None:
            raise failure

    def _is_wanted(self, device: bytes, epoch: int, ops_per_second: int) -> bool:
        return not self._record.is_recorded(device, epoch) and self._record.is_due(
            device, epoch, ops_per_second
        )

    def _device(self, head: Head, device: bytes, epoch: int) -> None:
        task = ("device", device, epoch)
        if self._is_our_turn(head, epoch + int.from_bytes(device[:4], "big"), task):
            waited = head.timestamp - self._first_seen[task]
            self._record.lead(device, epoch, patient=waited < self._rules.leader_delay)

    def _lapsed(self, head: Head) -> None:
        for device, until in self._record.lapsed():
            if self._is_our_turn(
                head, int.from_bytes(device[:4], "big"), ("lapsed", device, until)
            ):
                self._record.expire(device, until)

    def _usage(self, head: Head) -> None:
        number, age = divmod(head.timestamp, self._rules.interval)
        if number == self._settled_round:
            return
        if age >= self._rank(number) * self._rules.leader_delay:
            self._settled_round = number
            self._settle.lead()

    def _device_time(self, head: Head) -> None:
        due = self._device_times.due()
        if due is not None and self._is_our_turn(head, due, ("device time", due)):
            self._device_times.lead(due)

    def _epochs(self, head: Head) -> None:
        due = self._close_epoch.due()
        if due is not None and self._is_our_turn(head, due, ("epoch", due)):
            self._close_epoch.lead(due)
        left_over = self._close_epoch.left_over()
        if left_over is not None and self._is_our_turn(head, left_over, ("reclaim", left_over)):
            self._close_epoch.reclaim(left_over)
        for subnet in self._close_epoch.unadopted():
            if self._is_our_turn(head, subnet, ("outcome", subnet, head.epoch)):
                self._close_epoch.adopt(subnet)
