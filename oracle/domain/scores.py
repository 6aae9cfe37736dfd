"""What a validator thinks of a subnet's places: from attested speed and settled work to a row.

Both are on chain, so two validators with the same view score alike, and anyone can check them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eth_abi.abi import encode

from oracle.domain.hashing import keccak
from oracle.errors import BadInput

BPS = 10_000
MAX_U16 = 2**16 - 1
# entries of a row, at most (SubnetRegistry.MAX_WEIGHTS)
MAX_WEIGHTS = 256


@dataclass(frozen=True, slots=True)
class Row:
    """A validator's weights: `weights[i]`, a u16 above 0, is for `uids[i]`; uids ascend."""

    uids: tuple[int, ...]
    weights: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CommittedRow:
    """A row, and what a validator needs to reveal it and to make the next one.

    `used`: cumulative GPU-seconds settled by provider, when the row was made.
    """

    subnet: int
    provider: int
    row: Row
    salt: bytes
    used: Mapping[int, int] = field(default_factory=dict)

    def commit(self, chain_id: int, registry: str) -> bytes:
        """The hash that SubnetRegistry.weights_commit returns; asking it would show the row."""
        return keccak(
            encode(
                ["uint256", "address", "uint16", "uint24", "uint16[]", "uint16[]", "bytes32"],
                [
                    chain_id,
                    registry,
                    self.subnet,
                    self.provider,
                    self.row.uids,
                    self.row.weights,
                    self.salt,
                ],
            )
        )


def score(
    places: Sequence[int],
    own: int,
    speeds: Mapping[int, int],
    used: Mapping[int, int],
    usage_bps: int,
    least: int = 1,
) -> Row:
    """Weigh every place but one's own.

    `places`: provider by uid. `own`: the validator's provider. `speeds`: attested operations per
    second by provider. `used`: GPU-seconds settled since the last row, by provider. `usage_bps`:
    part of a score that settled work makes; the rest is speed. Where nobody has any of one, the
    other decides alone. The largest score becomes 65 535, others are in proportion, rounded down;
    who rounds to 0 is left out. `least`: entries that the subnet asks of a row; where fewer have a
    score, all others weigh 1. Raises `BadInput` for a share above one.
    """
    if not 0 <= usage_bps <= BPS:
        raise BadInput(f"a usage share of {usage_bps} bps", f"Use 0 to {BPS}.")
    judged = [(uid, provider) for uid, provider in enumerate(places) if provider != own]
    all_speed = sum(speeds.get(provider, 0) for _, provider in judged)
    all_used = sum(used.get(provider, 0) for _, provider in judged)
    by_speed = (BPS - usage_bps) * (all_used or 1)
    by_use = usage_bps * (all_speed or 1)
    scores = {
        uid: speeds.get(provider, 0) * by_speed + used.get(provider, 0) * by_use
        for uid, provider in judged
    }
    largest = max(scores.values(), default=0)
    weights = {uid: each * MAX_U16 // largest for uid, each in scores.items() if each}
    if weights and sum(1 for weight in weights.values() if weight) < least:
        weights = {uid: max(1, weights.get(uid, 0)) for uid, _ in judged}
    best = sorted(
        (uid for uid, weight in weights.items() if weight), key=lambda uid: (-weights[uid], uid)
    )
    uids = tuple(sorted(best[:MAX_WEIGHTS]))
    return Row(uids, tuple(weights[uid] for uid in uids))
