"""Keys: what the service asks of a signer, wherever its secret lives."""

from typing import Any, Protocol


class Signer(Protocol):
    """Signs digests and transactions with one key. The secret never leaves it."""

    @property
    def address(self) -> str:
        """Checksum address of the key."""

    def sign(self, digest: bytes) -> bytes:
        """Sign a 32-byte digest: 65 bytes r, s, v with low s and v 27 or 28."""

    def sign_transaction(self, tx: dict[str, Any]) -> bytes:
        """Sign a complete EIP-1559 transaction and return its raw bytes."""
