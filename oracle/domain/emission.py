"""The emission schedule: halving by issuance, in whole numbers.

The twin of `contracts/modules/halving.vy`, for clients that look ahead and for tests that
hold the two against each other. The rule is Bittensor's `get_block_emission_for_issuance`
(specs/emissions.md, section 1).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """Constants of one deployment.

    `cap`: base units that can ever be issued. `initial`: base units per `block_seconds`
    before the first halving. `block_seconds`: seconds in one block's worth of time.
    """

    cap: int
    initial: int
    block_seconds: int

    def block_emission(self, issuance: int) -> int:
        """Base units per block's worth of time once `issuance` base units are out."""
        if issuance >= self.cap:
            return 0
        return self.initial >> self._halvings(issuance)

    def emission(self, issuance: int, duration: int, carry: int = 0) -> tuple[int, int]:
        """What `duration` seconds emit, and the carry they leave over.

        The issuance at the start of a second sets that second's rate, so a span emits the
        same in one piece or in many. `carry` is the fraction of a base unit that the span
        before left over, in base units times seconds; at the cap it ends as 0.
        """
        issued, seconds_left = issuance, duration
        while seconds_left and (rate := self.block_emission(issued)):
            threshold = self.cap - (self.cap >> (self._halvings(issued) + 1))
            missing = (threshold - issued) * self.block_seconds - carry
            passed = min(-(-missing // rate), seconds_left)
            whole, carry = divmod(passed * rate + carry, self.block_seconds)
            issued += whole
            seconds_left -= passed
        if issued >= self.cap:
            return max(self.cap - issuance, 0), 0
        return issued - issuance, carry

    def _halvings(self, issuance: int) -> int:
        """floor(log2(cap / (cap - issuance))), for an issuance below the cap."""
        return (self.cap // (self.cap - issuance)).bit_length() - 1
