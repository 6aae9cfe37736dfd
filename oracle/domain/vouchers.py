"""A voucher together with its customer's word."""

from dataclasses import dataclass

from oracle.domain.messages import Voucher


@dataclass(frozen=True, slots=True)
class SignedVoucher:
    """A voucher with its customer's signature: it can be settled by whoever holds it.

    The signature is 65 bytes of a plain key, or whatever a contract understands (ERC-1271).
    """

    voucher: Voucher
    signature: bytes
