"""Oracles: who asks, whose clock counts, who is refused, and what they say together.

Follows `oracle.services.attest` and `.record` step by step; the arithmetic is theirs. Left out is
what honest oracles need for each other only: their signatures, their databases, their leaders.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from oracle.adapters.clock import elapsed_ms
from oracle.domain import messages
from oracle.domain.admission import Claim
from oracle.domain.attestation import (
    Mode,
    Opening,
    Shape,
    answer_hash,
    openings_hash,
    operations_per_second,
    shape_numbers,
)
from oracle.domain.attestation.chain import Dims
from oracle.domain.backoff import MAX_FAILURES, rest_after
from oracle.domain.hashing import keccak
from oracle.domain.messages import Domain
from oracle.domain.proposals import DeviceObservation
from oracle.domain.records import Challenge, StoredCommit
from oracle.domain.recovery import recover
from oracle.errors import BadInput, Conflict, Unauthorized
from oracle.services.verify import check_answer, check_commit
from scripts._simulation.chains import HONEST

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Asked:
    """A challenge: as it is computed here, and the shape whose time is counted."""

    challenge: Challenge
    # what `plan` asks for the claim
    planned: Dims


@dataclass(slots=True)
class Oracle:
    """One member's side of the protocol. Times are the virtual clock's nanoseconds."""

    address: str
    queries: int
    deadline_ms: int
    small: Dims
    registry: Domain
    dice: random.Random
    # draws no entries where it is off, for a test that needs the defence gone
    opens: bool = True
    # epoch => when its beacon was seen
    _seen: dict[int, int] = field(default_factory=dict)
    _asked: dict[bytes, Asked] = field(default_factory=dict)
    # of this epoch, by device
    _commits: dict[bytes, StoredCommit] = field(default_factory=dict)
    # device => epochs with a commit, and whether it was accepted
    _outcomes: dict[bytes, dict[int, bool]] = field(default_factory=lambda: defaultdict(dict))

    def see_beacon(self, epoch: int, now: int) -> None:
        """Start an epoch's clock; of the epoch before, outcomes are kept."""
        self._seen[epoch] = now
        self._asked.clear()
        self._commits.clear()

    def challenge(
        self, seed: bytes, provider: int, device: bytes, epoch: int, shape: Shape
    ) -> Asked:
        """What a device has to do. Raises `Conflict` while it rests."""
        self._check_rest(device, epoch)
        known = self._asked.get(seed)
        if known is not None:
            return known
        if not isinstance(shape, Dims):
            raise BadInput("a walk", "The simulation measures throughput only.")
        secret = self.dice.randbytes(SECRET_BYTES)
        message = messages.Challenge(
            provider, device, epoch, seed, Mode.THROUGHPUT, *shape_numbers(self.small),
            queries=self.queries, deadline_ms=self.deadline_ms, secret_hash=keccak(secret),
        )  # fmt: skip
        # the registry of the simulation takes the claim from the card that was claimed
        asked = Challenge(message, secret, Claim(0, sliced=False, certified=False))
        return self._asked.setdefault(seed, Asked(asked, shape))

    def _check_rest(self, device: bytes, epoch: int) -> None:
        outcomes = self._outcomes[device]
        epochs = [one for one in reversed(outcomes) if one < epoch][:MAX_FAILURES]
        failures = len(list(takewhile(lambda one: not outcomes[one], epochs)))
        if failures and epochs[0] + rest_after(failures) > epoch:
            raise Conflict("this device has failed too often", "Find out what is wrong with it.")

    def commit(
        self, commit: messages.Commit, roots: Sequence[bytes], signature: bytes, operator: str,
        arrived: int,
    ) -> bytes:  # fmt: skip
        """Take a commit: the secret that draws its entries. Raises as `Attest.commit` does."""
        self._check_rest(commit.device, commit.epoch)
        if recover(commit.digest(self.registry), signature) != operator:
            raise Unauthorized("signed by a stranger", "Sign with the operator key.")
        asked = self._asked.get(commit.seed)
        if asked is None:
            raise Conflict("nobody asked for this", "Answer this epoch's challenge.")
        known = asked.challenge.message
        expected = messages.Commit(
            known.provider, known.device, known.epoch, known.seed,
            *shape_numbers(self.small), final_seed=bytes(32),
        )  # fmt: skip
        verdict = check_commit(commit, roots, expected)
        if not verdict.accepted:
            raise BadInput(verdict.reason, "Compute what the challenge asks for.")
        elapsed = elapsed_ms(self._seen[commit.epoch], arrived)
        if elapsed > self.deadline_ms:
            raise Conflict(f"the challenge expired: {elapsed} ms", "Wait for the next.")
        if commit.device not in self._commits:
            # until its query is answered
            self._outcomes[commit.device][commit.epoch] = False
            self._commits[commit.device] = StoredCommit(
                commit, Mode.THROUGHPUT, tuple(roots), signature, elapsed
            )
        return asked.challenge.secret

    def open(
        self, commit: messages.Commit, answer: Sequence[Opening], signature: bytes, operator: str
    ) -> StoredCommit:
        """Check an answer; the verdict is final. Raises as `Attest.open` does."""
        stored = self._commits[commit.device]
        asked = self._asked[commit.seed]
        secret_hash = asked.challenge.message.secret_hash
        message = messages.Open(stored.commit, secret_hash, answer_hash(answer))
        if recover(message.digest(self.registry), signature) != operator:
            raise Unauthorized("signed by a stranger", "Sign with the operator key.")
        accepted, reason = True, ""
        if self.opens:
            verdict = check_answer(HONEST, asked.challenge, stored.roots, answer)
            accepted, reason = verdict.accepted, verdict.reason
        ops = operations_per_second(asked.planned, self.queries, self.deadline_ms)
        judged = replace(
            stored,
            accepted=accepted,
            reason=reason,
            ops_per_second=ops if accepted else 0,
            openings=openings_hash(answer),
        )
        self._commits[commit.device] = judged
        self._outcomes[commit.device][commit.epoch] = accepted
        return judged

    def observation(self, device: bytes, epoch: int) -> DeviceObservation | None:
        """This oracle's word on a device, if it accepted what it computed in this epoch."""
        stored = self._commits.get(device)
        if stored is None or not stored.accepted or stored.openings is None:
            return None
        return DeviceObservation(
            device=device,
            epoch=epoch,
            commit=stored.commit,
            ops_per_second=stored.ops_per_second,
            elapsed_ms=stored.elapsed_ms,
            openings=stored.openings,
            evidence=stored.evidence,
            oracle=self.address,
            signature=b"",
        )
