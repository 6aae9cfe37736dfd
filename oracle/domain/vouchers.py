"""A voucher together with its customer's word."""

from dataclasses import dataclass

from oracle.domain.messages import Voucher

# seconds that a provider's meter may be ahead of chain time: blocks come late
CLOCK_SLACK_S = 5


@dataclass(frozen=True, slots=True)
class SignedVoucher:
    """A voucher with its customer's signature: it can be settled by whoever holds it.

    The signature is 65 bytes of a plain key, or whatever a contract understands (ERC-1271).
    """

    voucher: Voucher
    signature: bytes


def most_gpu_seconds(gpus: int, accepted_at: int, now: int) -> int:
    """The most GPU-seconds that a job can have used at chain time `now`, 0 before acceptance."""
    return gpus * (now - accepted_at + CLOCK_SLACK_S) if accepted_at else 0
