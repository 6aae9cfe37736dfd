"""How long a message takes: distance, jitter, and packets that are lost and sent again."""

import random
from dataclasses import dataclass

from scripts._simulation.clock import MILLISECOND, SECOND

BPS = 10_000
# one way between a provider and an oracle, by where the provider is
NEAREST, FARTHEST = 5 * MILLISECOND, 120 * MILLISECOND
# a lost packet is sent again after a second, then two, four (RFC 6298)
FIRST_RETRANSMISSION = SECOND
# what the agent's HTTP client waits for an answer (oracle.adapters.oracle_client.ANSWER_SECONDS),
# and how long it rests before it asks again (AgentConfig.poll_seconds)
TIMEOUT, REST = 15 * SECOND, SECOND


def wobble(value: int, jitter_bps: int, dice: random.Random) -> int:
    """A value, up to `jitter_bps` larger or smaller, every size as likely."""
    return value * (BPS + dice.randint(-jitter_bps, jitter_bps)) // BPS


@dataclass(frozen=True, slots=True)
class Link:
    """A provider's way to the oracles: nanoseconds one way, and what disturbs it."""

    latency: int
    jitter_bps: int
    loss_bps: int

    def delay(self, dice: random.Random) -> int:
        """Nanoseconds until a message of one packet is there."""
        waited, pause = 0, FIRST_RETRANSMISSION
        while dice.randrange(BPS) < self.loss_bps:
            waited, pause = waited + pause, 2 * pause
            if pause > TIMEOUT:
                waited, pause = waited + REST, FIRST_RETRANSMISSION
        return waited + wobble(self.latency, self.jitter_bps, dice)
