"""Ask cards for evidence of who made them, and check evidence that others hand in."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog

from oracle.adapters.gpu.device import Device, NoEvidence
from oracle.domain.evidence import (
    NONCE_BYTES,
    NVIDIA,
    Evidence,
    EvidenceError,
    Fault,
    Identity,
    find_duplicates,
    identify,
    read_report,
)
from oracle.errors import ClearworkError

log = structlog.get_logger()

NOT_PROVED = (
    "that no certificate was revoked since: no revocation list was asked",
    "that the measured firmware is one its maker released: only that the card measured it",
    "that the card is where its provider says, or did any work: only that it answered",
)
NOT_FRESH = "that it was made now and for you: no nonce was asked for"


@dataclass(frozen=True, slots=True)
class Proven:
    """A device, its evidence, and the identity that it proves."""

    uuid: str
    evidence: Evidence
    identity: Identity


def collect_evidence(
    devices: Iterable[Device], nonce: bytes, at: int
) -> tuple[list[Proven], list[ClearworkError]]:
    """Evidence for `nonce` of the devices that have some, and why the others have none.

    What nobody would accept at `at` (unix seconds) counts as none.
    """
    proven: list[Proven] = []
    reasons: list[ClearworkError] = []
    for device in devices:
        uuid = device.inventory.uuid
        try:
            evidence = device.evidence(nonce)
            proven.append(Proven(uuid, evidence, identify(evidence, nonce, at)))
        except EvidenceError as error:
            reasons.append(EvidenceError(error.fault, f"{uuid}: {error.detail}"))
        except ClearworkError as error:
            reasons.append(error)
    return proven, reasons


def find_identity(device: Device, at: int, root: bytes = NVIDIA) -> bytes:
    """What a device's id is made of: the key burnt into the card where it proves one to us now,
    else the keccak of its UUID. `at` and `root` as in `identify`.

    Raises `Transient` where the card does not answer.
    """
    inventory = device.inventory
    nonce = secrets.token_bytes(NONCE_BYTES)
    try:
        card = identify(device.evidence(nonce), nonce, at, root)
    except (NoEvidence, EvidenceError) as error:
        log.info("identity by UUID", uuid=inventory.uuid, reason=str(error), remedy=error.remedy)
        return inventory.identity
    log.info("identity by card", uuid=inventory.uuid, chip=card.chip, serial=card.serial)
    return card.device_key


def check_evidence(cards: Sequence[Evidence], nonce: bytes | None, at: int) -> list[Identity]:
    """The cards behind `cards`, no two of which are the same one.

    Without a `nonce` each report is taken for the nonce it names, so it may be an old one.
    Raises `EvidenceError`, naming the first card that is refused.
    """
    identities = []
    for place, card in enumerate(cards):
        try:
            asked = read_report(card.report).nonce if nonce is None else nonce
            identities.append(identify(card, asked, at))
        except EvidenceError as error:
            raise EvidenceError(error.fault, f"card {place}: {error.detail}") from error
    for place, first in find_duplicates(identities).items():
        raise EvidenceError(Fault.DUPLICATE, f"card {place} is card {first} again")
    return identities
