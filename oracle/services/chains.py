"""The chains of one device: whose turn it is to compute, and which trees are kept.

Challenges go first, then leaves that were asked for on chain: silence about one convicts. Leaves
that anybody asks for are computed with what these leave: one at a time, a chain given up as soon as
somebody else comes, and few an hour.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from oracle.adapters.gpu.backend import Backend
from oracle.domain.attestation import Dims
from oracle.domain.messages import Commit
from oracle.errors import Busy, NotFound, Transient
from oracle.services.prove import Proof, prove

T = TypeVar("T")

# proofs whose trees stay in memory, beside the last one that was computed again
KEEP_TREES = 2
# what is computed again for strangers, who pay nothing for it: old chains, and leaves of trees that
# were pruned, which are enough for 16 audits of 64 leaves
FREE_CHAINS, FREE_LEAVES, FREE_SECONDS = 12, 1_024, 3_600.0
# after so many seconds a device that is busy may be asked again
RETRY_AFTER = 5


class Chains:
    """Computes on one backend, for one caller at a time. Safe to use from any thread."""

    def __init__(self, backend: Backend[Any, Any]) -> None:
        self.backend = backend
        # held for as long as something is computed
        self._device = threading.Lock()
        # of the fields below; nothing is computed while it is held
        self._books = threading.Lock()
        self._challenges = 0
        # leaves asked for on chain, waiting or being computed
        self._owed = 0
        self._newest: OrderedDict[bytes, Proof] = OrderedDict()
        self._again: tuple[bytes, Proof] | None = None
        # times of the last chains and leaves that strangers had computed
        self._free_chains: deque[float] = deque(maxlen=FREE_CHAINS)
        self._free_leaves: deque[float] = deque(maxlen=FREE_LEAVES)

    def compute(self, work: Callable[[], T]) -> T:
        """The result of work for a challenge; what is computed for others makes way.

        Raises `Transient` where the device fails.
        """
        with self._books:
            self._challenges += 1
            self._again = None
        try:
            with self._device, self._explained():
                return work()
        finally:
            with self._books:
                self._challenges -= 1

    def keep(self, commit: bytes, proof: Proof) -> None:
        """Keep the trees of a signed commit in place of the oldest ones."""
        with self._books:
            self._newest[commit] = proof
            while len(self._newest) > KEEP_TREES:
                self._newest.popitem(last=False)

    def kept(self, commit: bytes) -> Proof | None:
        """The proof of a commit whose trees are in memory."""
        with self._books:
            if self._again is not None and self._again[0] == commit:
                return self._again[1]
            return self._newest.get(commit)

    def again(self, commit: Commit, free: bool) -> Proof:
        """The proof of an old commit, computed again; `free`: for somebody who pays nothing.

        Who has asked on chain waits for the device. Raises `NotFound` where its chain has another
        end, `Busy` where a challenge comes, and for free where the device has anything else to do
        or had to do this too often, `Transient` where it fails.
        """
        dims = Dims(commit.m, commit.n, commit.k, commit.rounds)
        with self._turn(free, self._free_chains):
            proof = prove(self.backend, commit.seed, dims, partial(self._make_way, free))
        if proof.final_seed != commit.final_seed:
            raise NotFound(
                "the chain under this commit can't be computed again",
                "its prover did not compute it: watch for a conviction",
            )
        with self._books:
            self._again = (commit.struct_hash(), proof)
        return proof

    def leaf(
        self, proof: Proof, round_index: int, index: int, free: bool
    ) -> tuple[bytes, list[bytes]]:
        """One leaf and its path; raises as `again` does, and `NotFound` outside the chain."""
        if not proof.pruned:
            return proof.open_leaf(round_index, index)
        with self._turn(free, self._free_leaves):
            return proof.open_leaf(round_index, index)

    @contextmanager
    def _turn(self, free: bool, used: deque[float]) -> Iterator[None]:
        """The device; for free if nobody needs it, and as often as `used` allows."""
        with self._spare() if free else self._owing(), self._explained():
            if free:
                self._spend(used)
            yield

    @contextmanager
    def _spare(self) -> Iterator[None]:
        """The device, if nobody needs it."""
        self._make_way(free=True)
        if not self._device.acquire(blocking=False):
            raise _busy("the device computes for somebody else", RETRY_AFTER)
        try:
            yield
        finally:
            self._device.release()

    @contextmanager
    def _owing(self) -> Iterator[None]:
        """The device, as soon as it is idle: strangers make way."""
        with self._books:
            self._owed += 1
        try:
            with self._device:
                yield
        finally:
            with self._books:
                self._owed -= 1

    def _make_way(self, free: bool) -> None:
        if self._challenges:
            raise _busy("the device computes a challenge", RETRY_AFTER)
        if free and self._owed:
            raise _busy("the device computes what was asked for on chain", RETRY_AFTER)

    def _spend(self, used: deque[float]) -> None:
        now = time.monotonic()
        with self._books:
            if len(used) == used.maxlen and now - used[0] < FREE_SECONDS:
                wait = used[0] + FREE_SECONDS - now
                raise _busy(f"{used.maxlen} of these were free in this hour", int(wait) + 1)
            used.append(now)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What a backend raises of its device, as `Transient`: no memory left, a card is lost."""
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise Transient(
                f"{self.backend.name} can't compute: {reason}",
                "see what else uses the device; restart the agent if it stays like this",
            ) from error


def _busy(reason: str, retry_after: int) -> Busy:
    return Busy(reason, f"ask again in {retry_after} seconds", retry_after)
