"""Offers: GPUs that a provider sells under its signature, and what is asked for."""

from dataclasses import dataclass

from oracle.domain.messages import Offer
from oracle.errors import BadInput, Conflict

# base units for one GPU for one hour that a job on the escrow can have
MAX_PRICE = 2**80 - 1


@dataclass(frozen=True, slots=True)
class SignedOffer:
    """An offer with its provider's word: whoever holds it can take it.

    The signer is the provider's owner or operator key. The signature is 65 bytes of a plain
    key, or whatever a contract understands (ERC-1271).
    """

    offer: Offer
    signer: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class ListedOffer:
    """An offer as an oracle lists it."""

    signed: SignedOffer
    # position in order of arrival
    id: int
    # GPUs that can be taken now, 0 where that was not asked yet
    available: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody looks for; None means any."""

    provider: int | None = None
    device_class: int | None = None
    asset: str | None = None
    # base units for one GPU for one hour
    max_price: int | None = None
    min_gpus: int = 1


def check(offer: Offer, now: int) -> None:
    """Whether anybody could ever take an offer from chain time `now` on.

    Raises `BadInput` for one that sells nothing, `Conflict` for one that has expired.
    """
    if not offer.gpus:
        raise BadInput("an offer of no GPUs", "Offer at least one.")
    if not 0 < offer.price_per_gpu_hour <= MAX_PRICE:
        raise BadInput(
            f"a price of {offer.price_per_gpu_hour}",
            f"Ask for 1 to {MAX_PRICE} base units per GPU and hour.",
        )
    if not 0 < offer.max_seconds >= offer.min_seconds:
        raise BadInput(
            f"a run time of {offer.min_seconds} to {offer.max_seconds} seconds",
            "The longest run time is above 0 and not below the shortest.",
        )
    if offer.expires_at <= now:
        raise Conflict(
            f"the offer expired at chain time {offer.expires_at}, now is {now}",
            "Sign it anew with a later expiry.",
        )
