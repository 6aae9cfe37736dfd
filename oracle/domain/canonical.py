"""One byte string per document, so that two machines hash the same thing."""

import json
from collections.abc import Mapping

from oracle.domain.hashing import keccak

Value = str | int | bool | None


def canonical_json(document: Mapping[str, Value]) -> bytes:
    """Flat JSON with sorted keys, no spaces, UTF-8: what RFC 8785 makes of such a document."""
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def canonical_hash(document: Mapping[str, Value]) -> bytes:
    """Keccak of the canonical JSON: how inventory and telemetry enter a signed message."""
    return keccak(canonical_json(document))
