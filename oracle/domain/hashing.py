"""Keccak-256 (the pre-standard SHA-3 that Ethereum uses), on the fastest package there is."""

from sha3 import keccak_256


def keccak(data: bytes) -> bytes:
    """Return the 32-byte Keccak-256 digest of `data`."""
    digest: bytes = keccak_256(data).digest()
    return digest
