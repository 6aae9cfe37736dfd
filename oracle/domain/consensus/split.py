"""What an epoch's budget of one subnet is split into before consensus shares it out."""

from dataclasses import dataclass

from oracle.domain.consensus.fixed import FRACTION, ratio_u16


@dataclass(frozen=True, slots=True)
class Split:
    """Base units for the subnet's owner, for its servers and for its validators.

    `dust`: what rounding leaves over, at most 2 base units, to be reclaimed.
    """

    owner: int
    servers: int
    validators: int
    dust: int


def split(budget: int, owner_cut: int) -> Split:
    """The owner's cut, then halves. `owner_cut`: u16, as a share of 65535.

    Every part is floored; the halves are halves of what is exactly left of the cut, not of its
    rounded value, as in the original's `emit_to_subnets`.
    """
    cut = budget * ratio_u16(owner_cut)
    half = ((budget << FRACTION) - cut) >> (FRACTION + 1)
    owner = cut >> FRACTION
    return Split(owner, half, half, budget - owner - 2 * half)
