"""Ingest: what providers' agents send, checked and durable before it is acknowledged."""

from collections.abc import Mapping, Sequence

import structlog

from oracle.adapters.chain.market import Market
from oracle.adapters.store.store import Store
from oracle.domain import messages
from oracle.domain.admission import Admission, Claim
from oracle.domain.attestation import device_id
from oracle.domain.canonical import Value
from oracle.domain.receipts import JobStatus
from oracle.domain.records import Beat, Device, Outcome, Sample
from oracle.domain.recovery import recover
from oracle.errors import BadInput, ClearworkError, NotFound, Transient, Unauthorized

log = structlog.get_logger()

REGISTRY = "DeviceRegistry"
ESCROW = "JobEscrow"

Receipt = tuple[Outcome, str]


class Ingest:
    """Takes registrations, heartbeats and usage samples."""

    def __init__(self, store: Store, market: Market, admission: Admission) -> None:
        self._store = store
        self._market = market
        self._admission = admission

    def register(
        self,
        message: messages.Registration,
        inventory: Mapping[str, Value],
        agent_url: str,
        signature: bytes,
    ) -> Device:
        """Enter a device that its provider's operator key presents, or update it.

        Raises `NotFound` for an unknown provider, `Unauthorized` for another signer, `BadInput`
        for a device that no class is open to.
        """
        digest = message.digest(self._market.domain(REGISTRY))
        self._check_operator(message.provider, digest, signature)
        classes = self._market.classes()
        claim = Claim.of(message.identity, inventory, message.memory_mb)
        if classes and not self._admission.classes(claim, classes):
            if claim.sliced:
                raise BadInput(
                    "this is a slice of a card, and all device classes are for whole ones",
                    "Offer the whole card: end MIG mode, or register on the machine that owns it.",
                )
            raise BadInput(
                "all device classes are for cards that prove who made them",
                "Switch the card's confidential mode on, then start the agent again.",
            )
        device = Device(
            device=device_id(message.identity, message.provider),
            provider=message.provider,
            identity=message.identity,
            claimed_ops_per_second=message.ops_per_second,
            memory_mb=message.memory_mb,
            inventory=inventory,
            agent_url=agent_url,
            signature=signature,
        )
        self._store.save_device(device)
        log.info("device registered", device=device.device.hex(), provider=device.provider)
        return device

    def heartbeats(self, beats: Sequence[Beat]) -> list[Receipt]:
        """Store what is valid in one transaction; one receipt per heartbeat, in order."""
        receipts: list[Receipt] = [(Outcome.REFUSED, "")] * len(beats)
        good: list[tuple[int, Beat]] = []
        for place, beat in enumerate(beats):
            try:
                self._check_beat(beat)
                good.append((place, beat))
            except Transient:
                raise
            except ClearworkError as error:
                receipts[place] = (Outcome.REFUSED, f"{error} {error.remedy}")
        arrived_at = self._market.head.timestamp
        outcomes = self._store.save_heartbeats([beat for _, beat in good], arrived_at)
        for (place, _), outcome in zip(good, outcomes, strict=True):
            receipts[place] = _receipt(outcome)
        return receipts

    def usage(self, samples: Sequence[Sample]) -> list[Receipt]:
        """The same for usage samples."""
        receipts: list[Receipt] = [(Outcome.REFUSED, "")] * len(samples)
        good: list[tuple[int, str, Sample]] = []
        for place, sample in enumerate(samples):
            try:
                good.append((place, self._check_sample(sample), sample))
            except Transient:
                raise
            except ClearworkError as error:
                receipts[place] = (Outcome.REFUSED, f"{error} {error.remedy}")
        arrived_at = self._market.head.timestamp
        outcomes = self._store.save_usage([(m, s) for _, m, s in good], arrived_at)
        for (place, _, _), outcome in zip(good, outcomes, strict=True):
            receipts[place] = _receipt(outcome)
        return receipts

    # --- checks -------------------------------------------------------------------------------

    def _check_beat(self, beat: Beat) -> None:
        device = self._store.device(beat.message.device)
        if device is None:
            raise NotFound(
                f"unknown device {beat.message.device.hex()}",
                "Register it with POST /v1/devices; `clearwork agent run` does.",
            )
        digest = beat.message.digest(self._market.domain(REGISTRY))
        self._check_operator(device.provider, digest, beat.signature)

    def _check_sample(self, sample: Sample) -> str:
        """The operator key that signed a sample."""
        message = sample.message
        if not JobStatus.RUNNING <= message.status <= JobStatus.INFRASTRUCTURE:
            raise BadInput(
                f"a usage sample can't report status {message.status}", "Use 3 (running) to 9."
            )
        job = self._market.job(message.job)
        if not job.accepted_at:
            raise BadInput(f"job {job.job} is not accepted", "Accept it on chain first.")
        return self._check_operator(
            job.provider, message.digest(self._market.domain(ESCROW)), sample.signature
        )

    def _check_operator(self, payee: int, digest: bytes, signature: bytes) -> str:
        operator = self._market.speaker(payee).operator
        signer = recover(digest, signature)
        if signer != operator:
            raise Unauthorized(
                f"signed by {signer}",
                f"Sign with the operator key that speaks for provider {payee}, {operator}.",
            )
        return signer


def _receipt(outcome: Outcome) -> Receipt:
    if outcome is Outcome.QUARANTINED:
        return outcome, "another body has the same sequence number: neither counts"
    return outcome, ""
