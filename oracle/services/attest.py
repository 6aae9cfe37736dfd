"""Attest: challenge devices, time their commits, check their openings, say what they can do.

Protocol: specs/attestation.md. The clock is this oracle's own and starts when it first sees
the epoch's beacon on chain; network time is never subtracted.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from oracle.adapters.chain.market import Market
from oracle.adapters.clock import Clock, elapsed_ms
from oracle.adapters.gpu.backend import Backend
from oracle.adapters.store.store import Store
from oracle.domain import messages
from oracle.domain.attestation import (
    Dims,
    Opening,
    openings_hash,
    operations_per_second,
    seed_zero,
)
from oracle.domain.proposals import DeviceObservation, device_message
from oracle.domain.records import Challenge, Device, Sighting, StoredCommit
from oracle.domain.recovery import recover
from oracle.errors import BadInput, Conflict, NotFound, Unauthorized
from oracle.services.membership import Member
from oracle.services.verify import Fault, check_commit, verify_openings

log = structlog.get_logger()

REGISTRY = "DeviceRegistry"
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class AttestationRules:
    """What this committee asks of a device; every member must use the same."""

    dims: Dims
    # entries to open
    queries: int
    # from the beacon to the commit
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class ChallengeState:
    """What a device has to do now. `challenge` is None while the epoch has no beacon."""

    # waiting, open, committed, accepted or refused
    state: str
    epoch: int
    challenge: Challenge | None = None
    remaining_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A commit that arrived in time, and the signed receipt for it."""

    ack: messages.Ack
    oracle: str
    signature: bytes


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
    ) -> None:
        self._store = store
        self._market = market
        self._clock = clock
        self._backend = backend
        self.rules = rules
        self._member = member

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
        it could prove would count.
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
        challenge = self._challenge(known, epoch)
        remaining = max(0, self.rules.deadline_ms - elapsed)
        stored = self._store.commit_for(device, epoch)
        if stored is None or stored.message.seed != challenge.seed:
            state = "open" if remaining else "refused"
        elif stored.accepted is None:
            state = "committed"
        else:
            state = "accepted" if stored.accepted else "refused"
        return ChallengeState(state, epoch, challenge, remaining)

    def commit(
        self,
        message: messages.Commit,
        roots: Sequence[bytes],
        signature: bytes,
        arrived_ns: int,
    ) -> Acknowledged:
        """Take a commit that arrived at `arrived_ns` on this oracle's clock.

        The same commit again gets the same answer. Raises `NotFound` for an unknown device,
        `Conflict` for a stale epoch, a deadline missed, another commit for the same
        challenge, `Unauthorized` for a wrong signer, `BadInput` for an answer to another
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
        self._check_signer(device, message, signature)
        challenge = self._challenge(device, epoch)
        verdict = check_commit(message, roots, self._expected(device, challenge))
        if not verdict.accepted:
            raise BadInput(
                f"the commit is refused: {verdict.reason}",
                "Compute the chain of this oracle's own challenge for this device and epoch.",
            )
        if elapsed > self.rules.deadline_ms:
            raise Conflict(
                f"the challenge expired: {elapsed} ms, the deadline is {self.rules.deadline_ms} ms",
                "Wait for the next epoch's challenge; a faster or idle device will make it.",
            )
        identity = self._member.identity()
        stored = self._store.save_commit(StoredCommit(message, tuple(roots), signature, elapsed))
        if stored.message != message:
            raise Conflict(
                "this device has committed to something else in this epoch",
                "One commit per device and epoch: open the first one.",
            )
        ack = messages.Ack(stored.commit, stored.elapsed_ms, challenge.secret)
        digest = ack.digest(self._market.domain(REGISTRY))
        log.info("commit taken", device=device.device.hex(), epoch=epoch, elapsed_ms=elapsed)
        return Acknowledged(ack, identity, self._member.sign(digest))

    def open(self, commit: bytes, openings: Sequence[Opening]) -> StoredCommit:
        """Check the openings of a commit and store the verdict, which is final.

        Openings are not signed, so only a leaf that the provider's own roots hold counts
        against it: anything else is `BadInput` and leaves the commit open.
        """
        stored = self._store.commit(commit)
        if stored is None:
            raise NotFound("this oracle has no such commit", "Post the commit first.")
        if stored.accepted is not None:
            return stored
        message = stored.message
        challenge = self._challenge(self._device(message.device), message.epoch, message.seed)
        verdict = verify_openings(
            self._backend,
            message,
            stored.roots,
            challenge.secret,
            self.rules.queries,
            openings,
        )
        if verdict.fault not in (None, Fault.ENTRY):
            raise BadInput(
                f"the openings are refused: {verdict.reason}",
                "Open exactly the entries drawn from the acknowledged secret, in their order.",
            )
        dims = Dims(message.m, message.n, message.k, message.rounds)
        ops = operations_per_second(dims, self.rules.queries, stored.elapsed_ms)
        judged = replace(
            stored,
            accepted=verdict.accepted,
            reason=verdict.reason,
            ops_per_second=ops if verdict.accepted else 0,
            openings=openings_hash(openings),
        )
        self._store.save_verdict(judged)
        log.info(
            "openings checked",
            device=message.device.hex(),
            epoch=message.epoch,
            accepted=judged.accepted,
            reason=judged.reason,
            ops_per_second=judged.ops_per_second,
        )
        return judged

    def observation(self, device: bytes, epoch: int) -> DeviceObservation:
        """This oracle's signed word on a device; raises `NotFound` unless it accepted it."""
        stored = self._store.commit_for(device, epoch)
        if stored is None or not stored.accepted or stored.openings is None:
            raise NotFound(
                f"no accepted commit of device {device.hex()} in epoch {epoch}",
                "Only devices whose openings held are reported.",
            )
        config = self._market.committee().config
        message = device_message(
            config,
            device,
            epoch,
            stored.commit,
            stored.ops_per_second,
            stored.elapsed_ms,
            stored.openings,
        )
        return DeviceObservation(
            device=device,
            epoch=epoch,
            commit=stored.commit,
            ops_per_second=stored.ops_per_second,
            elapsed_ms=stored.elapsed_ms,
            openings=stored.openings,
            oracle=self._member.identity(),
            signature=self._member.sign(message.digest(self._market.domain("OracleCommittee"))),
        )

    # --- helpers ------------------------------------------------------------------------------

    def _device(self, device: bytes) -> Device:
        known = self._store.device(device)
        if known is None:
            raise NotFound(
                f"unknown device {device.hex()}",
                "Register it with POST /v1/devices; `clearwork agent run` does.",
            )
        return known

    def _challenge(self, device: Device, epoch: int, seed: bytes | None = None) -> Challenge:
        """The device's challenge, with a secret drawn and stored before it is first shown."""
        seed = self._seed(device, epoch) if seed is None else seed
        drawn = secrets.token_bytes(_SECRET_BYTES)
        return self._store.open_challenge(Challenge(device.device, epoch, seed, drawn))

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

    def _expected(self, device: Device, challenge: Challenge) -> messages.Commit:
        dims = self.rules.dims
        return messages.Commit(
            provider=device.provider,
            device=device.device,
            epoch=challenge.epoch,
            seed=challenge.seed,
            m=dims.m,
            n=dims.n,
            k=dims.k,
            rounds=dims.rounds,
            final_seed=bytes(32),
        )

    def _check_signer(self, device: Device, message: messages.Commit, signature: bytes) -> None:
        operator = self._market.provider(device.provider).operator
        signer = recover(message.digest(self._market.domain(REGISTRY)), signature)
        if signer != operator:
            raise Unauthorized(
                f"the commit is signed by {signer}",
                f"Sign with the operator key of provider {device.provider}, {operator}.",
            )
