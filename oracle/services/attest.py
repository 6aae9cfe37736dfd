"""Attest: challenge devices, time their commits, check their openings, say what they can do.

Protocol: specs/attestation.md, decisions 0004 and 0025. The clock is this oracle's own and
starts when it first sees the epoch's beacon on chain; network time is never subtracted. It says
who is late. What a commit in time proves is its work by the whole window (decision 0035).
"""

import asyncio
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import structlog

from oracle.adapters.chain.market import Market
from oracle.adapters.clock import Clock, elapsed_ms
from oracle.adapters.gpu.backend import Backend
from oracle.adapters.store.store import Store
from oracle.adapters.workers import RETRY_AFTER, Processors
from oracle.domain import messages
from oracle.domain.admission import Claim
from oracle.domain.attestation import (
    Dims,
    Mode,
    Opening,
    WalkDims,
    answer_hash,
    bytes_per_second,
    challenge_shape,
    last_turn,
    mode_at,
    openings_hash,
    operations_per_second,
    seed_zero,
    shape_numbers,
)
from oracle.domain.backoff import MAX_FAILURES, rest_after
from oracle.domain.evidence import NVIDIA, Evidence
from oracle.domain.hashing import keccak
from oracle.domain.proposals import DeviceObservation, device_message
from oracle.domain.records import Answer, Challenge, Device, Sighting, StoredCommit
from oracle.domain.recovery import recover
from oracle.errors import BadInput, Busy, Conflict, NotFound, Unauthorized
from oracle.services.membership import Member
from oracle.services.verify import (
    ACCEPTED,
    Fault,
    Verdict,
    check_answer,
    check_commit,
    check_identity,
    check_walk_commit,
)

log = structlog.get_logger()

REGISTRY = "DeviceRegistry"
_SECRET_BYTES = 32
# what a database integer holds
_MOST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class AttestationRules:
    """What this committee asks of a device; every member must use the same."""

    # the chain that every device computes; None: each one gets a challenge planned for its claim
    fixed: Dims | None
    # entries or lanes to open
    queries: int
    # the window: from the beacon to the commit
    deadline_ms: int
    # what is measured, an epoch each in turn; throughput is among them
    modes: tuple[Mode, ...] = (Mode.THROUGHPUT,)
    # SHA-256 of the certificate that vouches for cards
    maker: bytes = NVIDIA


@dataclass(frozen=True, slots=True)
class ChallengeState:
    """What a device has to do now. `challenge` is None while there is none."""

    # waiting, resting, open, committed, accepted or refused
    state: str
    epoch: int
    challenge: Challenge | None = None
    remaining_ms: int | None = None
    # over the challenge's message
    signature: bytes | None = None
    oracle: str | None = None
    # the epoch that ends a rest
    resumes: int | None = None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A commit that arrived in time: the signed receipt for it, then the signed query."""

    ack: messages.Ack
    ack_signature: bytes
    query: messages.Query
    query_signature: bytes
    oracle: str


class Attest:
    """One oracle's side of the attestation protocol."""

    def __init__(
        self,
        store: Store,
        market: Market,
        clock: Clock,
        backend: Backend[Any, Any],
        rules: AttestationRules,
        member: Member,
        workers: Processors,
    ) -> None:
        self._store = store
        self._market = market
        self._clock = clock
        self._backend = backend
        self.rules = rules
        self._member = member
        self._workers = workers
        # commits whose answer is being checked
        self._checking: set[bytes] = set()
        self._lock = threading.Lock()

    # --- the clock ----------------------------------------------------------------------------

    def see_beacon(self) -> bool:
        """Start the epoch's clock if its beacon is on chain now; whether there is a beacon.

        A beacon that is older than the head already makes the clock start as much earlier:
        late eyes never make a device look faster.
        """
        head = self._market.head
        beacon = self._market.beacon(head.epoch)
        if beacon is None:
            return False
        if self._store.sighting(head.epoch, beacon) is None:
            now = self._clock.now_ns()
            age = max(0, head.timestamp - self._market.beacon_time(head.epoch))
            self._store.save_sighting(
                Sighting(head.epoch, beacon, self._clock.boot, now, age * 1_000)
            )
            log.info("beacon seen", epoch=head.epoch, beacon=beacon.hex(), age_s=age)
        return True

    def _elapsed_ms(self, epoch: int, at_ns: int) -> int | None:
        """Milliseconds from the epoch's beacon to `at_ns`; None where no clock runs."""
        beacon = self._market.beacon(epoch)
        sighting = self._store.sighting(epoch, beacon) if beacon else None
        if sighting is None or sighting.boot != self._clock.boot:
            return None
        return elapsed_ms(sighting.seen_ns, at_ns) + sighting.age_ms

    # --- the protocol -------------------------------------------------------------------------

    def challenge(self, device: bytes) -> ChallengeState:
        """What `device` has to do in the current epoch.

        Raises `NotFound` for an unknown one, `Conflict` while its provider is jailed: nothing
        it could prove would count. `BadInput` where no challenge fits its claim, `Misconfigured`
        where this oracle has no key of a member to sign a challenge with.
        """
        known = self._device(device)
        head = self._market.head
        jailed_until = self._market.provider(known.provider).jailed_until
        if jailed_until > head.timestamp:
            raise Conflict(
                f"provider {known.provider} is jailed until chain time {jailed_until}",
                "Its devices are challenged again after the term, once its self-bond is whole.",
            )
        epoch = head.epoch
        elapsed = self._elapsed_ms(epoch, self._clock.now_ns())
        if elapsed is None:
            return ChallengeState("waiting", epoch)
        resumes = self._resumes(device, epoch)
        if resumes > epoch:
            return ChallengeState("resting", epoch, resumes=resumes)
        oracle = self._member.identity()
        challenge = self._challenge(known, epoch)
        remaining = max(0, challenge.message.deadline_ms - elapsed)
        stored = self._store.commit_for(device, epoch)
        if stored is None or stored.message.seed != challenge.message.seed:
            state = "open" if remaining else "refused"
        elif stored.accepted is None:
            state = "committed"
        else:
            state = "accepted" if stored.accepted else "refused"
        signature = self._sign(challenge.message)
        return ChallengeState(state, epoch, challenge, remaining, signature, oracle)

    def commit(
        self,
        message: messages.Commit | messages.WalkCommit,
        roots: Sequence[bytes],
        signature: bytes,
        arrived_ns: int,
    ) -> Acknowledged:
        """Take a commit that arrived at `arrived_ns` on this oracle's clock.

        The same commit again gets the same answer, also after the deadline: whose answer was
        lost on the way is not late. Raises `NotFound` for an unknown device,
        `Conflict` for a stale epoch, a device at rest, a deadline missed, another commit for the
        same challenge, `Unauthorized` for a wrong signer, `BadInput` for an answer to another
        challenge, `Misconfigured` where this oracle has no key of a member. Nothing is written
        in these cases.
        """
        device = self._device(message.device)
        epoch = self._market.head.epoch
        if message.epoch != epoch:
            raise Conflict(
                f"stale epoch {message.epoch}: the chain is in epoch {epoch}",
                "Ask for the challenge of the current epoch and commit to that.",
            )
        elapsed = self._elapsed_ms(epoch, arrived_ns)
        if elapsed is None:
            raise Conflict(
                f"epoch {epoch} has no beacon that this oracle has seen",
                "Wait until the challenge is open.",
            )
        resumes = self._resumes(device.device, epoch)
        if resumes > epoch:
            raise Conflict(
                f"this device has failed too often: it rests until epoch {resumes}",
                "Find out what is wrong with it; `clearwork attest prove` runs a chain alone.",
            )
        self._check_signer(device, message, signature)
        challenge = self._challenge(device, epoch)
        verdict = _check_commit(message, roots, challenge)
        if not verdict.accepted:
            raise BadInput(
                f"the commit is refused: {verdict.reason}",
                "Compute what this oracle's own challenge for this device and epoch asks for.",
            )
        deadline = challenge.message.deadline_ms
        if elapsed > deadline and not self._was_in_time(message):
            raise Conflict(
                f"the challenge expired: {elapsed} ms, the deadline is {deadline} ms",
                "Wait for the next epoch's challenge; a faster or idle device will make it.",
            )
        identity = self._member.identity()
        stored = self._store.save_commit(
            StoredCommit(message, challenge.mode, tuple(roots), signature, elapsed)
        )
        if stored.message != message:
            raise Conflict(
                "this device has committed to something else in this epoch",
                "One commit per device and epoch: open the first one.",
            )
        ack = messages.Ack(stored.commit, stored.elapsed_ms)
        query = messages.Query(stored.commit, challenge.secret)
        log.info("commit taken", device=device.device.hex(), epoch=epoch, elapsed_ms=elapsed)
        return Acknowledged(ack, self._sign(ack), query, self._sign(query), identity)

    async def open(self, commit: bytes, answer: Answer) -> StoredCommit:
        """Check the answer to a query and store the verdict, which is final.

        What the operator key has signed counts, a wrong list or path as much as a false entry,
        and evidence that does not prove a certified identity, or is signed by another card's
        key. Raises `Unauthorized` for an
        answer that this key has not signed, as a torn or altered upload is, `EvidenceError` for
        certificates that can't be read, `Busy` while it is being checked or too many are,
        `Transient` where a worker died: all of them leave the commit open.
        """
        stored, task = await asyncio.to_thread(self._examine, commit, answer)
        if task is None:
            return stored
        device, challenge = task
        with self._only(commit):
            verdict = await self._workers.run(
                check_answer, self._backend, challenge, stored.roots, answer.openings
            )
            if verdict.accepted and challenge.claim.certified:
                verdict = await self._workers.run(
                    check_identity,
                    device.identity,
                    answer.evidence,
                    challenge.message.seed,
                    self._market.head.timestamp,
                    self.rules.maker,
                )
                if verdict.accepted:
                    verdict = await asyncio.to_thread(self._check_key, device, answer.evidence)
        judged = _judge(stored, challenge, answer, verdict)
        recorded = self._market.attestation_epoch(device.device)
        judged = await asyncio.to_thread(
            self._store.save_verdict, judged, answer.evidence, recorded or 0
        )
        log.info(
            "openings checked",
            device=stored.message.device.hex(),
            epoch=stored.message.epoch,
            mode=stored.mode.name,
            accepted=judged.accepted,
            reason=judged.reason,
            ops_per_second=judged.ops_per_second,
        )
        return judged

    def _examine(
        self, commit: bytes, answer: Answer
    ) -> tuple[StoredCommit, tuple[Device, Challenge] | None]:
        """The commit of an answer, with its device and challenge unless the verdict is known."""
        stored = self._store.commit(commit)
        if stored is None:
            raise NotFound("this oracle has no such commit", "Post the commit first.")
        if stored.accepted is not None:
            return stored, None
        device = self._device(stored.message.device)
        challenge = self._store.challenge(device.device, stored.message.seed)
        if challenge is None:
            raise NotFound("nothing has been asked of this commit", "Post the commit again.")
        message = messages.Open(
            commit,
            challenge.message.secret_hash,
            answer_hash(answer.openings),
            answer.evidence_hash,
        )
        self._check_signer(device, message, answer.signature)
        return stored, (device, challenge)

    @contextmanager
    def _only(self, commit: bytes) -> Iterator[None]:
        """One check of a commit at a time: repeating an answer costs its sender, not us."""
        with self._lock:
            if commit in self._checking:
                raise Busy(
                    "the answer to this query is being checked",
                    "Send it again in a moment for the verdict.",
                    RETRY_AFTER,
                )
            self._checking.add(commit)
        try:
            yield
        finally:
            self._checking.discard(commit)

    def observation(self, device: bytes, epoch: int) -> DeviceObservation:
        """This oracle's signed word on a device.

        Raises `NotFound` unless it accepted the device's chain of this epoch, and in every other
        mode what the device showed at that mode's last turn.
        """
        stored = self._store.commit_for(device, epoch)
        of_chain = stored is not None and stored.mode is Mode.THROUGHPUT
        if stored is None or not of_chain or not stored.accepted or stored.openings is None:
            raise NotFound(
                f"no accepted commit of device {device.hex()} in epoch {epoch}",
                "Only devices whose openings held are reported.",
            )
        self._shown(device, epoch)
        config = self._market.committee().config
        message = device_message(
            config,
            device,
            epoch,
            stored.commit,
            stored.ops_per_second,
            stored.elapsed_ms,
            stored.openings,
            stored.evidence,
        )
        return DeviceObservation(
            device=device,
            epoch=epoch,
            commit=stored.commit,
            ops_per_second=stored.ops_per_second,
            elapsed_ms=stored.elapsed_ms,
            openings=stored.openings,
            evidence=stored.evidence,
            oracle=self._member.identity(),
            signature=self._member.sign(message.digest(self._market.domain("OracleCommittee"))),
        )

    def claim(self, device: bytes, epoch: int) -> Claim:
        """What a device has shown itself to be by an epoch: the least that it claimed when it
        was given the newest challenge of each mode.

        A registration that comes later changes nothing: nothing was asked about it yet. Raises
        `NotFound` where it has not passed every mode at that mode's last turn.
        """
        found = [
            self._store.challenge(device, commit.message.seed)
            for commit in self._shown(device, epoch)
        ]
        return Claim.least([one.claim for one in found if one is not None])

    # --- helpers ------------------------------------------------------------------------------

    def _check_key(self, device: Device, evidence: Evidence | None) -> Verdict:
        """Whether no other card has shown the key that signed this one's proven `evidence`.

        A card has a key per firmware, so it may show several; no two cards have one in common.
        """
        if evidence is None:
            return ACCEPTED
        holder = self._store.bind_key(evidence.attestation_key(), device.identity)
        if holder == device.identity:
            return ACCEPTED
        return Verdict(Fault.IDENTITY, detail=f"the card 0x{holder.hex()} has its attestation key")

    def _shown(self, device: bytes, epoch: int) -> list[StoredCommit]:
        """The accepted commit of every mode's last turn; raises `NotFound` where one is missing."""
        found = []
        for mode in self.rules.modes:
            turn = last_turn(epoch, mode, self.rules.modes)
            shown = self._store.commit_for(device, turn)
            if shown is None or shown.mode is not mode or not shown.accepted:
                raise NotFound(
                    f"device {device.hex()} has not shown its {mode.name.lower()} in epoch {turn}",
                    "It is reported once it has passed every mode in turn.",
                )
            found.append(shown)
        return found

    def _device(self, device: bytes) -> Device:
        known = self._store.device(device)
        if known is None:
            raise NotFound(
                f"unknown device {device.hex()}",
                "Register it with POST /v1/devices; `clearwork agent run` does.",
            )
        return known

    def _was_in_time(self, message: messages.Commit | messages.WalkCommit) -> bool:
        """Whether this very commit was taken before."""
        known = self._store.commit_for(message.device, message.epoch)
        return known is not None and known.message == message

    def _resumes(self, device: bytes, epoch: int) -> int:
        """The epoch in which a device that keeps failing is asked again; 0 for any other."""
        failures, last = self._store.failures(device, epoch, MAX_FAILURES)
        return last + rest_after(failures) if failures else 0

    def _challenge(self, device: Device, epoch: int) -> Challenge:
        """The device's challenge, with a secret drawn and stored before it is first shown."""
        seed = self._seed(device, epoch)
        known = self._store.challenge(device.device, seed)
        if known is not None:
            return known
        if not self.rules.fixed and not device.claimed_ops_per_second:
            raise NotFound(
                f"device {device.device.hex()} claims no operations per second",
                "Register it again with POST /v1/devices; `clearwork agent run` does.",
            )
        mode = mode_at(epoch, self.rules.modes)
        shape = challenge_shape(
            mode,
            device.claimed_ops_per_second,
            device.memory_mb,
            self.rules.deadline_ms,
            self.rules.fixed,
        )
        secret = secrets.token_bytes(_SECRET_BYTES)
        message = messages.Challenge(
            device.provider,
            device.device,
            epoch,
            seed,
            mode,
            *shape_numbers(shape),
            queries=self.rules.queries,
            deadline_ms=self.rules.deadline_ms,
            secret_hash=keccak(secret),
        )
        return self._store.open_challenge(Challenge(message, secret, device.claim))

    def _seed(self, device: Device, epoch: int) -> bytes:
        beacon = self._market.beacon(epoch)
        if beacon is None:
            raise Conflict(f"epoch {epoch} has no beacon", "Wait until somebody records it.")
        domain = self._market.domain(REGISTRY)
        return seed_zero(
            beacon,
            domain.chain_id,
            domain.verifying_contract,
            device.provider,
            device.device,
            epoch,
        )

    def _sign(self, message: messages.Message) -> bytes:
        return self._member.sign(message.digest(self._market.domain(REGISTRY)))

    def _check_signer(self, device: Device, message: messages.Message, signature: bytes) -> None:
        operator = self._market.provider(device.provider).operator
        signer = recover(message.digest(self._market.domain(REGISTRY)), signature)
        if signer != operator:
            raise Unauthorized(
                f"the {type(message).__name__.lower()} is signed by {signer}",
                f"Sign with the operator key of provider {device.provider}, {operator}; what is "
                "altered on the way looks like another's.",
            )


def _check_commit(
    message: messages.Commit | messages.WalkCommit, roots: Sequence[bytes], challenge: Challenge
) -> Verdict:
    asked, shape = challenge.message, challenge.shape
    about = (asked.provider, asked.device, asked.epoch, asked.seed)
    if isinstance(message, messages.Commit) and isinstance(shape, Dims):
        expected = messages.Commit(*about, *shape_numbers(shape), final_seed=bytes(32))
        return check_commit(message, roots, expected)
    if isinstance(message, messages.WalkCommit) and isinstance(shape, WalkDims):
        walk = messages.WalkCommit(*about, *shape_numbers(shape), root=bytes(32))
        return check_walk_commit(message, walk)
    return Verdict(Fault.CHALLENGE)


def _judge(
    stored: StoredCommit,
    challenge: Challenge,
    answer: Answer,
    verdict: Verdict,
) -> StoredCommit:
    """The commit with the verdict on it, and what it proves."""
    asked, shape = challenge.message, challenge.shape
    ops = bandwidth = 0
    if verdict.accepted and isinstance(shape, Dims):
        if challenge.mode is Mode.THROUGHPUT:
            ops = operations_per_second(shape, asked.queries, asked.deadline_ms)
        else:
            bandwidth = bytes_per_second(shape, asked.queries, asked.deadline_ms)
    return replace(
        stored,
        accepted=verdict.accepted,
        reason=verdict.reason,
        ops_per_second=min(ops, _MOST),
        bytes_per_second=min(bandwidth, _MOST),
        openings=openings_hash(one for one in answer.openings if isinstance(one, Opening)),
        answer=answer_hash(answer.openings),
        answer_signature=answer.signature,
        evidence=answer.evidence_hash,
    )
