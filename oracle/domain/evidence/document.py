"""Evidence in a file: the JSON that NVIDIA's attestation tools exchange.

A list with one object per card: `evidence` is the report and `certificate` the chain as PEM,
both in base64; `nonce` (hex) and `arch` are for the reader's eye. They and whatever else stands
there are not read: the report itself says both, under signature.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import NoReturn

from pydantic_core import from_json

from oracle.domain.evidence.chain import MAX_CHAIN_BYTES
from oracle.domain.evidence.faults import EvidenceError, Fault
from oracle.domain.evidence.identity import Evidence
from oracle.domain.evidence.report import MAX_REPORT_BYTES, read_report

MAX_CARDS = 64
MAX_FILE_BYTES = MAX_CARDS * (MAX_REPORT_BYTES + MAX_CHAIN_BYTES) * 3 // 2


def read_evidence(text: bytes) -> list[Evidence]:
    """The evidence in a file, at least one and at most `MAX_CARDS`. Raises `EvidenceError`."""
    if len(text) > MAX_FILE_BYTES:
        _malformed(f"more than {MAX_FILE_BYTES:,} bytes")
    try:
        # not `json`, which trusts the interpreter's limit with how deep a file is nested
        cards: object = from_json(text)
    except ValueError:
        _malformed("it is not JSON")
    if not isinstance(cards, list) or not 1 <= len(cards) <= MAX_CARDS:
        _malformed(f"it is no list of 1 to {MAX_CARDS} cards")
    return [
        Evidence(_field(card, "evidence", place), _field(card, "certificate", place))
        for place, card in enumerate(cards)
    ]


def write_evidence(cards: Iterable[Evidence]) -> str:
    """The file of these cards. Raises `EvidenceError` for what can't be read."""
    document = [
        {
            "arch": evidence.architecture().upper(),
            "certificate": b64encode(evidence.chain).decode(),
            "evidence": b64encode(evidence.report).decode(),
            "nonce": read_report(evidence.report).nonce.hex(),
        }
        for evidence in cards
    ]
    return json.dumps(document, indent=2) + "\n"


def _field(card: object, name: str, place: int) -> bytes:
    value = card.get(name) if isinstance(card, dict) else None
    if not isinstance(value, str):
        _malformed(f"card {place} has no text under {name!r}")
    try:
        return b64decode(value, validate=True)
    except ValueError:
        _malformed(f"{name!r} of card {place} is not base64")


def _malformed(detail: str) -> NoReturn:
    raise EvidenceError(Fault.MALFORMED_FILE, detail)
